package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milepost/internal/store"
)

func TestAHappeningKeepsItsFirstTime(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		first, later := time.UnixMicro(5).UTC(), time.UnixMicro(9).UTC()
		b.deliver(t,
			store.Delivery{ID: 1, Type: "ContactCreate", Entity: contact1, ContactID: "c1", ReceivedAt: first, Happened: "contact.created"},
			store.Delivery{ID: 2, Type: "ContactCreate", Entity: contact1, ContactID: "c1", ReceivedAt: later, Happened: "contact.created"})
		finish := func(f store.Finish) {
			t.Helper()
			f.Entity, f.Wanted, f.Now = contact1, 2, later
			if _, err := b.FinishSync(t.Context(), nil, f); err != nil {
				t.Fatal(err)
			}
		}
		finish(store.Finish{
			Parts: "{}", Planned: true, Happened: map[string]time.Time{"contact.created": later, "contact.dnd_changed": later},
			Tagged: map[string]time.Time{"vip": first, "old": first},
		})
		finish(store.Finish{Parts: "{}", Tagged: map[string]time.Time{"vip": later}})
		triggers, tags, err := b.Happenings(t.Context(), contact1)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]time.Time{"contact.created": first, "contact.dnd_changed": later}, triggers); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]time.Time{"vip": first}, tags); diff != "" {
			t.Error(diff)
		}
		if state := must(b.EntityState(t.Context(), contact1))(t); state.Parts != "{}" {
			t.Errorf("its parts are %q", state.Parts)
		}
	})
}

func TestARecordThatTheClockChangesIsQueuedOnce(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		now := time.UnixMicro(1_000_000).UTC()
		b.deliver(t, store.Delivery{ID: 1, Type: "ContactUpdate", Entity: contact1, ContactID: "c1", ReceivedAt: now})
		finish := func(seen int64, planned bool, at time.Time) {
			t.Helper()
			if _, err := b.FinishSync(t.Context(), nil, store.Finish{Entity: contact1, Wanted: seen, Now: now, Planned: planned, LookAt: at}); err != nil {
				t.Fatal(err)
			}
		}
		ask := func(at time.Time, want int) {
			t.Helper()
			if n := must(b.AskDue(t.Context(), at))(t); n != want {
				t.Errorf("at %s %d are asked for, want %d", at, n, want)
			}
		}
		due := now.Add(time.Hour)
		finish(1, true, due)
		finish(1, false, time.Time{}) // a sync that planned nothing keeps the time
		ask(due.Add(-time.Microsecond), 0)
		ask(due, 1)
		ask(due, 0)
		if state := must(b.EntityState(t.Context(), contact1))(t); state.Wanted != 2 {
			t.Errorf("it is wanted %d times, want 2", state.Wanted)
		}
		ask(due.Add(25*time.Hour), 1) // its sync set no time
		finish(3, true, time.Time{})
		ask(due.AddDate(1, 0, 0), 0)
	})
}

func TestTheLastKnownFactsOfADeletedRecordAreKept(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		task := store.Entity{LocationID: "loc", Kind: "task", ID: "t1"}
		gone := func(id int64, body string, keep bool) {
			b.deliver(t, store.Delivery{ID: id, Type: "TaskDelete", Entity: task, ContactID: "c1", Deleted: true, KeepLast: keep, Body: []byte(body), ReceivedAt: time.UnixMicro(5)})
		}
		known := func(want string) {
			t.Helper()
			record, ok, err := b.Record(t.Context(), task)
			if err != nil || ok != (want != "") || string(record.Body) != want {
				t.Errorf("it is known as %q, %v", record.Body, err)
			}
		}
		gone(1, "nobody wants it", false)
		known("")
		gone(2, "the event", true)
		known("the event")
		if _, err := b.FinishSync(t.Context(), nil, store.Finish{Entity: task, Wanted: 2, ContactID: "c1", Now: time.UnixMicro(9), Last: []byte("as it was read")}); err != nil {
			t.Fatal(err)
		}
		gone(3, "the event", true)
		known("as it was read")
		if err := b.Erase(t.Context(), store.Erasure{LocationID: "loc", ContactID: "c1"}, 0, "", time.UnixMicro(9)); err != nil {
			t.Fatal(err)
		}
		known("")
	})
}
