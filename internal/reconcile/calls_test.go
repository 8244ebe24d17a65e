package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/clients/highlevel"
	"milepost/internal/sandbox"
	"milepost/internal/store"
	"milepost/mapping"
)

// TestWhatAChangeOfAContactCosts counts the calls to HighLevel for what happens to a
// contact with ten open tasks and three notes. HighLevel allows 100 in 10 s.
func TestWhatAChangeOfAContactCosts(t *testing.T) {
	tasks := func(b *bundle, contact string, n int) {
		for i := range n {
			_, err := b.hl.CreateTask(sandbox.Task{ContactID: contact, Title: fmt.Sprint("Call ", i), DueDate: b.now().Add(time.Duration(i+30) * time.Hour)})
			b.must(err)
		}
	}
	notes := func(b *bundle, contact string, n int) {
		for i := range n {
			_, err := b.hl.CreateNote(sandbox.Note{ContactID: contact, Body: fmt.Sprint("Prefers mornings ", i)})
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
			b.must(b.hl.UpdateContact(contact, func(c *sandbox.Contact) { c.FirstName = "Janet" }))
		}, 8},
		{"ten tasks created", func(b *bundle, contact string) { notes(b, contact, 3) }, func(b *bundle, contact string) { tasks(b, contact, 10) }, 6},
		{"three notes created", func(b *bundle, contact string) { tasks(b, contact, 10) }, func(b *bundle, contact string) { notes(b, contact, 3) }, 6},
		{"the name changes", func(b *bundle, contact string) { tasks(b, contact, 10); notes(b, contact, 3) }, func(b *bundle, contact string) {
			b.must(b.hl.UpdateContact(contact, func(c *sandbox.Contact) { c.FirstName = "Joan" }))
		}, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t, "")
			contact := b.jane("2030-05-09").ID
			heard := 0
			if c.before != nil {
				b.must(b.hl.UpdateContact(contact, func(c *sandbox.Contact) { c.FirstName = "Janet" }))
				c.before(b, contact)
				heard = b.hear(heard)
			}
			b.pass(rest)
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
	sent := b.hl.Sent()
	var list []store.Delivery
	for i, w := range sent[after:] {
		event, err := highlevel.ParseEvent(w.Body)
		b.must(err)
		d := store.Delivery{
			ID: int64(after + i + 1), Type: event.Type, ContactID: event.ContactID, Deleted: event.Deleted, ReceivedAt: b.now(),
			Entity: store.Entity{LocationID: event.LocationID, Kind: event.Kind, ID: event.EntityID},
		}
		if d.Entity.Kind == string(mapping.KindTask) {
			d.ContactID = "" // as HighLevel really sends it
		}
		d.Skip = b.Skip(b.t.Context(), d)
		list = append(list, d)
	}
	_, err := b.store.Dispatch(b.t.Context(), func(ctx context.Context, _ *store.Tx) ([]store.Delivery, error) { return list, nil })
	b.must(err)
	b.workAll()
	return len(sent)
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
		if err := b.newRun(jobOf(state), nil).do(b.t.Context()); err != nil {
			b.pass(rest)
		}
	}
	b.t.Fatal("the syncs do not end")
}
