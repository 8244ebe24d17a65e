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
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/mapping"
)

// TestWhatAChangeOfAContactCosts counts the calls to HighLevel for what happens to a
// contact with ten open tasks and three notes. HighLevel allows 100 in 10 s.
func TestWhatAChangeOfAContactCosts(t *testing.T) {
	tasks := func(b *bundle, contact string, n int) {
		for i := range n {
			_, err := b.hl.CreateTask(hlfake.Task{ContactID: contact, Title: fmt.Sprint("Call ", i), DueDate: b.now().Add(time.Duration(i+30) * time.Hour)})
			b.must(err)
		}
	}
	notes := func(b *bundle, contact string, n int) {
		for i := range n {
			_, err := b.hl.CreateNote(hlfake.Note{ContactID: contact, Body: fmt.Sprint("Prefers mornings ", i)})
			b.must(err)
		}
	}
	for _, c := range []struct {
		name    string
		before  func(b *bundle, contact string) // in step before
		happens func(b *bundle, contact string)
		most    int
	}{
		{"first contact event", nil, func(b *bundle, contact string) {
			b.must(b.hl.UpdateContact(contact, func(c *hlfake.Contact) { c.FirstName = "Janet" }))
		}, 8},
		{"ten tasks created", func(b *bundle, contact string) { notes(b, contact, 3) }, func(b *bundle, contact string) { tasks(b, contact, 10) }, 6},
		{"three notes created", func(b *bundle, contact string) { tasks(b, contact, 10) }, func(b *bundle, contact string) { notes(b, contact, 3) }, 6},
		{"the name changes", func(b *bundle, contact string) { tasks(b, contact, 10); notes(b, contact, 3) }, func(b *bundle, contact string) {
			b.must(b.hl.UpdateContact(contact, func(c *hlfake.Contact) { c.FirstName = "Joan" }))
		}, 6},
		{"the contact is deleted", func(b *bundle, contact string) {
			tasks(b, contact, 10)
			notes(b, contact, 3)
			other, err := b.hl.SeedContact(hlfake.Contact{LocationID: location, FirstName: "Joe", LastName: "Roe"})
			b.must(err)
			tasks(b, other.ID, 1) // else the search shows no task at all
		}, func(b *bundle, contact string) {
			b.must(b.hl.DeleteContact(contact))
		}, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t, "")
			contact := b.jane("2030-05-09").ID
			heard := 0
			if c.before != nil {
				b.must(b.hl.UpdateContact(contact, func(c *hlfake.Contact) { c.FirstName = "Janet" }))
				c.before(b, contact)
				heard = b.hear(heard)
			}
			b.pass(pauseAfterSync)
			b.hl.ResetCalls()
			c.happens(b, contact)
			b.hear(heard)
			n, calls := 0, b.hl.Calls()
			for _, k := range calls {
				n += k
			}
			if n > c.most {
				t.Errorf("%d calls, want at most %d: %v", n, c.most, calls)
			}
			t.Logf("%s: %d calls: %s", c.name, n, strings.Join(slices.Sorted(maps.Keys(calls)), ", "))
		})
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
