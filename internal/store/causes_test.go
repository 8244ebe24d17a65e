package store_test

import (
	"testing"
	"time"

	"milepost/internal/store"
)

func TestACauseExistsWhileARecordHasIt(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
		record := func(id string) store.Entity { return store.Entity{LocationID: "loc", Kind: "contact", ID: id} }
		for i, id := range []string{"c1", "c2", "c3"} {
			b.deliver(t, store.Delivery{ID: int64(i + 1), Type: "ContactUpdate", Entity: record(id), ReceivedAt: now})
		}
		rejected := store.Cause{Vendor: "CalendarHero", Status: 422, Reason: "invalid", Operation: "create meeting request", Automation: "A"}
		finish := func(id, outcome string, c store.Cause, after time.Duration) {
			t.Helper()
			if _, err := b.FinishSync(t.Context(), nil, store.Finish{Entity: record(id), Wanted: 1, Outcome: outcome, Cause: c, Detail: "of " + id, Now: now.Add(after)}); err != nil {
				t.Fatal(err)
			}
		}
		postpone := func(id, outcome string, c store.Cause, after time.Duration) {
			t.Helper()
			if err := b.Postpone(t.Context(), store.Postponed{Entity: record(id), Wanted: 1, Outcome: outcome, Cause: c, Now: now.Add(after), NextTry: now.Add(time.Hour), Tries: 1}); err != nil {
				t.Fatal(err)
			}
		}
		causes := func(want int) []store.CauseGroup {
			t.Helper()
			list := must(b.Causes(t.Context(), 10, 100))(t)
			if len(list) != want {
				t.Fatalf("there are %d causes, want %d: %+v", len(list), want, list)
			}
			return list
		}
		causes(0)
		finish("c1", store.Invalid, rejected, 0)
		finish("c2", store.Invalid, rejected, 30*time.Second)
		g := causes(1)[0]
		if g.Count != 2 || g.Sample != record("c1") || !g.FirstAt.Equal(now) || !g.LastAt.Equal(now) || g.Automation != "A" || g.LocationID != "loc" || g.Outcome != store.Invalid || g.Status != 422 {
			t.Errorf("the cause of two records is %+v", g)
		}
		postpone("c3", store.Auth, store.Cause{Vendor: "HighLevel", Status: 401}, 2*time.Minute)
		finish("c2", store.Invalid, rejected, 3*time.Minute)
		causes(2)
		g, ok, err := b.CauseOf(t.Context(), g.Key, 1)
		if err != nil || !ok || g.Count != 1 || !g.LastAt.Equal(now.Add(3*time.Minute)) || !g.FirstAt.Equal(now) {
			t.Errorf("counted no further than 1 it is %+v, %v", g, err)
		}
		page := must(b.RecordsWith(t.Context(), g.Key, record("c1"), 10))(t)
		if len(page) != 1 || page[0].Entity != record("c2") || page[0].Trouble != g.Key || page[0].Detail != "of c2" {
			t.Errorf("after c1 comes %+v", page)
		}
		if n := must(b.CountTroubled(t.Context(), 10))(t); n != 3 {
			t.Errorf("%d records have a cause, want 3", n)
		}

		// A wait does not change the cause; only the next try can.
		postpone("c3", store.Waiting, store.Cause{}, 4*time.Minute)
		causes(2)
		finish("c3", store.Done, store.Cause{}, 5*time.Minute)
		causes(1)

		// The cause is removed with its last record. If it returns, its times start again.
		finish("c1", store.Unchanged, store.Cause{}, 6*time.Minute)
		finish("c2", store.Skipped, store.Cause{}, 6*time.Minute)
		causes(0)
		if _, ok, err := b.CauseOf(t.Context(), g.Key, 1); ok || err != nil {
			t.Errorf("a cause that no record has is read: %t, %v", ok, err)
		}
		finish("c1", store.Invalid, rejected, 7*time.Minute)
		if again := causes(1)[0]; again.Key != g.Key || !again.FirstAt.Equal(now.Add(7*time.Minute)) {
			t.Errorf("it comes back as %+v", again)
		}
		if n := must(b.PruneCauses(t.Context(), now.Add(time.Hour)))(t); n != 1 { // the cause of the rejected token
			t.Errorf("%d causes were pruned, want 1", n)
		}
		causes(1)
	})
}

func TestEveryFailureHasACauseEvenWithoutDetails(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		b.deliver(t, store.Delivery{ID: 1, Type: "ContactUpdate", Entity: contact1, ReceivedAt: time.UnixMicro(5)})
		for _, outcome := range store.AllOutcomes {
			if _, err := b.FinishSync(t.Context(), nil, store.Finish{Entity: contact1, Wanted: 1, Outcome: outcome, Now: time.UnixMicro(9)}); err != nil {
				t.Fatal(err)
			}
			failed := map[string]bool{store.Retry: true, store.Auth: true, store.Invalid: true, store.Unclear: true, store.Stopped: true}[outcome]
			if list := must(b.Causes(t.Context(), 10, 10))(t); len(list) == 1 != failed {
				t.Errorf("%s has the causes %+v", outcome, list)
			}
		}
	})
}

func TestWebhooksThatWaitForTooLongAreFound(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
		for i, id := range []string{"c1", "c2", "c3", "c4", "c5"} {
			e := store.Entity{LocationID: "loc", Kind: "contact", ID: id}
			b.deliver(t, store.Delivery{ID: int64(i + 1), Type: "ContactUpdate", Entity: e, ReceivedAt: now.Add(time.Duration(i) * time.Minute)})
			p := store.Postponed{Entity: e, Wanted: 1, Now: now, NextTry: now.Add(time.Hour)}
			switch id {
			case "c2":
				p.Outcome = store.Waiting
			case "c3": // failed before, so it has a cause
				p.Outcome = store.Auth
			default:
				continue
			}
			if err := b.Postpone(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if p.Outcome == store.Auth {
				p.Outcome = store.Waiting
				if err := b.Postpone(t.Context(), p); err != nil {
					t.Fatal(err)
				}
			}
		}
		if list := must(b.StuckDeliveries(t.Context(), now))(t); len(list) != 0 {
			t.Errorf("before all of them are stuck %+v", list)
		}
		list := must(b.StuckDeliveries(t.Context(), now.Add(210*time.Second)))(t)
		want := []store.Stuck{{"loc", store.Pending, 2, 1, now}, {"loc", store.Waiting, 1, 2, now.Add(time.Minute)}}
		if len(list) != 2 || list[0] != want[0] || list[1] != want[1] {
			t.Errorf("stuck are %+v, want %+v", list, want)
		}
	})
}

func TestHushesAreKept(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		at := time.UnixMicro(5).UTC()
		for _, h := range []store.Hush{{"k", "ann", at, time.Time{}}, {"k", "bob", at, at.Add(time.Hour)}, {"l", "ann", at, time.Time{}}} {
			if err := b.Hush(t.Context(), h); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Unhush(t.Context(), "l"); err != nil {
			t.Fatal(err)
		}
		list := must(b.Hushes(t.Context()))(t)
		if len(list) != 1 || list["k"] != (store.Hush{"k", "bob", at, at.Add(time.Hour)}) {
			t.Errorf("kept is %+v", list)
		}
	})
}
