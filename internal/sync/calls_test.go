package sync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"

	"milepost/clients/highlevel"
	"milepost/internal/bench/changes"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

// TestWhatAChangeOfAContactCosts counts the calls to HighLevel for what happens to a
// contact with ten open tasks and three notes. HighLevel allows 100 in 10 s.
func TestWhatAChangeOfAContactCosts(t *testing.T) {
	testenv.Long(t)
	b := setup(t, "")
	other, err := b.hl.SeedContact(hlfake.Contact{LocationID: location, FirstName: "Joe", LastName: "Roe"})
	b.must(err)
	_, err = b.hl.SeedTask(hlfake.Task{ContactID: other.ID, Title: "Call"}) // else a search shows no task at all
	b.must(err)
	contact, heard := b.jane("").ID, 0
	deleted := changes.Change{Name: "the contact is deleted", Most: 6, Happens: (*hlfake.Server).DeleteContact}
	for _, c := range append(changes.All(), deleted) {
		b.pass(pauseAfterSync)
		b.hl.ResetCalls()
		b.must(c.Happens(b.hl, contact))
		heard = b.hear(heard)
		n, calls := changes.Calls(b.hl), b.hl.Calls()
		if n > c.Most {
			t.Errorf("%s: %d calls, want at most %d: %v", c.Name, n, c.Most, calls)
		}
		t.Logf("%s: %d calls: %s", c.Name, n, strings.Join(slices.Sorted(maps.Keys(calls)), ", "))
	}
}

// hear takes the webhooks that HighLevel sent after the first ones, all at once, and
// works the jobs until none is owed. It returns how many were sent.
func (b *bundle) hear(after int) int {
	b.t.Helper()
	n := b.take(after)
	b.workAll()
	return n
}

// take takes the webhooks that HighLevel sent after the first ones, all at once. It
// returns how many were sent.
func (b *bundle) take(after int) int {
	b.t.Helper()
	sent := b.hl.Sent()
	var list []store.Delivery
	for i, w := range sent[after:] {
		event, err := highlevel.ParseEvent(w.Body)
		b.must(err)
		d := store.Delivery{
			ID: b.deliveries + int64(i) + 1, Type: event.Type, ContactID: event.ContactID, Deleted: event.Deleted, ReceivedAt: b.now(),
			Entity: store.Entity{LocationID: event.LocationID, Kind: event.Kind, ID: event.EntityID},
		}
		if d.Entity.Kind == string(mapping.KindTask) {
			d.ContactID = "" // as HighLevel really sends it
		}
		if d.Deleted {
			d.Body = w.Body
		}
		list = append(list, d)
	}
	b.deliveries += int64(len(list))
	b.dispatch(list...)
	return len(sent)
}

// dispatch dispatches deliveries as the inbox does.
func (b *bundle) dispatch(list ...store.Delivery) {
	b.t.Helper()
	for i := range list {
		b.Judge(b.t.Context(), &list[i])
	}
	_, err := b.store.Dispatch(b.t.Context(), func(ctx context.Context, _ *store.Tx) ([]store.Delivery, error) { return list, nil })
	b.must(err)
}

// workAll works the sync jobs until none is owed.
func (b *bundle) workAll() {
	b.t.Helper()
	for range 200 {
		e, ok := b.owed()
		if !ok {
			return
		}
		state, err := b.store.EntityState(b.t.Context(), e)
		b.must(err)
		var rests *rivertype.JobSnoozeError
		if err := b.newRun(jobOf(state), nil).do(b.t.Context()); err != nil && !errors.As(err, &rests) {
			b.t.Fatal(err)
		}
		b.pass(pauseAfterSync)
	}
	b.t.Fatal("the syncs do not end")
}

// The version before had a job for each record. Its jobs are worked, and nobody is
// mailed for it.
func TestAnUpgradeMailsNobody(t *testing.T) {
	testenv.Long(t)
	b := setup(t, "")
	contact := b.jane("2030-05-09").ID
	b.must(b.hl.UpdateContact(contact, func(c *hlfake.Contact) { c.FirstName = "Janet" }))
	var tasks []store.Entity
	for i := range 3 {
		task, err := b.hl.CreateTask(hlfake.Task{ContactID: contact, Title: fmt.Sprint("Call ", i), DueDate: b.now().Add(30 * time.Hour)})
		b.must(err)
		tasks = append(tasks, store.Entity{LocationID: location, Kind: string(mapping.KindTask), ID: task.ID})
	}
	_, err := b.hl.CreateNote(hlfake.Note{ContactID: contact, Body: "Prefers mornings #vip"})
	b.must(err)
	b.hear(0)
	mails, posts := len(b.ch.Mails()), b.posts()
	if len(b.ch.Requests()) != 4 {
		t.Fatalf("%d requests are there, want 4", len(b.ch.Requests()))
	}
	b.must(b.store.InTx(t.Context(), func(tx *store.Tx) error { // as the version before left it
		_, err := tx.Exec(t.Context(), `UPDATE entities SET sync_contact = '', wanted = wanted + 1`)
		return err
	}))
	b.pass(time.Minute)
	for _, e := range tasks {
		b.must(b.newRun(e, nil).do(t.Context())) // its job
	}
	b.workAll()
	for _, e := range tasks {
		if state, err := b.store.EntityState(t.Context(), e); err != nil || state.SyncContact != contact || state.Done != state.Wanted {
			t.Errorf("a task is noted as %+v, %v", state, err)
		}
	}
	if b.posts() != posts || len(b.ch.Mails()) != mails {
		t.Errorf("%d requests were made and %d mails sent by the upgrade", b.posts()-posts, len(b.ch.Mails())-mails)
	}
}

// A record that fails holds up none of its contact's.
func TestARecordThatFailsHoldsUpNoOther(t *testing.T) {
	testenv.Long(t)
	b := setup(t, "")
	contact := b.jane("").ID
	b.must(b.hl.UpdateContact(contact, func(c *hlfake.Contact) { c.FirstName = "Janet" }))
	b.hear(0)
	b.pass(pauseAfterSync)
	sent := len(b.hl.Sent())
	for i := range 3 {
		_, err := b.hl.CreateTask(hlfake.Task{ContactID: contact, Title: fmt.Sprint("Call ", i), DueDate: b.now().Add(30 * time.Hour)})
		b.must(err)
	}
	b.ch.Faults().Next("POST /meeting/tasks", 1, fakehttp.LoseAnswer())
	b.hear(sent)
	if n := len(b.ch.Requests()); n != 3 {
		t.Errorf("%d requests are there, want that of each task, once", n)
	}
}

func TestTheSettingsOfALocationAreReadOnceAnHour(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-06-02")
	for i, c := range []struct {
		after time.Duration
		reads int
	}{{0, 1}, {30 * time.Minute, 1}, {31 * time.Minute, 2}} {
		b.pass(c.after)
		b.setDate(e, fmt.Sprintf("2030-06-%02d", i+3))
		b.do(e)
		for _, call := range []string{"GET /locations/{locationId}", "GET /locations/{locationId}/customFields"} {
			if n := b.hl.Calls()[call]; n != c.reads {
				t.Errorf("after sync %d: %d of %s, want %d", i+1, n, call, c.reads)
			}
		}
	}
}
