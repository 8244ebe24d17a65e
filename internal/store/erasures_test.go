package store_test

import (
	"testing"
	"time"

	"milepost/internal/store"
)

func TestErasingAContactKeepsIdsAndOutcomes(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		ctx := t.Context()
		task := store.Entity{LocationID: "loc", Kind: "task", ID: "t1"}
		flow := store.Entity{LocationID: "loc", Kind: store.KindWorkflow, ID: "c1.w"}
		other := store.Entity{LocationID: "loc", Kind: "contact", ID: "c2"}
		b.deliver(t,
			store.Delivery{ID: 1, Entity: contact1, ContactID: "c1"}, store.Delivery{ID: 2, Entity: task, ContactID: "c1"},
			store.Delivery{ID: 3, Entity: other, ContactID: "c2"}, store.Delivery{ID: 4, Entity: flow, ContactID: "c1", Body: []byte("Jane")})
		for _, e := range []store.Entity{contact1, task, other} {
			l := store.Link{Entity: e, Item: "a/1", ItemKind: "event", ObjectID: "o-" + e.ID, State: store.LinkGone, Title: "Jane Doe"}
			contact := map[string]string{"c1": "c1", "t1": "c1", "c2": "c2"}[e.ID]
			if err := b.SaveLink(ctx, l, time.Unix(5, 0), nil, store.TimelineEntry{Entity: e, ContactID: contact, What: "event removed", Detail: "Jane Doe"}); err != nil {
				t.Fatal(err)
			}
			if err := b.Postpone(ctx, store.Postponed{Entity: e, Wanted: 9, Outcome: store.Retry, Detail: "Jane Doe could not be read"}); err != nil {
				t.Fatal(err)
			}
		}
		if n := must(b.Owed(ctx, "loc", "c1"))(t); n != 3 {
			t.Errorf("%d entities of the contact are owed, want 3", n)
		}
		if ids := must(b.DeliveriesOf(ctx, "loc", "c1"))(t); len(ids) != 3 {
			t.Errorf("the contact's deliveries are %v, want 3", ids)
		}
		if err := b.Forget(ctx, "loc", "c1", time.Unix(6, 0)); err != nil {
			t.Fatal(err)
		}
		begun, ok, err := b.Erasure(ctx, "loc", "c1")
		if err != nil || !ok || !begun.OnRequest || !begun.DoneAt.IsZero() {
			t.Errorf("asked for: %+v, %v, %v", begun, ok, err)
		}
		if err := b.Erase(ctx, begun, 3, "", time.Unix(7, 0)); err != nil {
			t.Fatal(err)
		}
		if e, _, err := b.Erasure(ctx, "loc", "c1"); err != nil || !e.DoneAt.IsZero() {
			t.Errorf("done before its bytes are gone from the files: %+v", e)
		}
		e, again, err := b.Erased(ctx, nil, begun, time.Unix(7, 0))
		if err != nil || again {
			t.Fatalf("again: %v, %v", again, err)
		}
		if e.Payloads != 3 || e.Entries != 2 || e.Objects != 2 || !e.DoneAt.Equal(time.Unix(7, 0)) {
			t.Errorf("erased %+v", e)
		}
		for id, kept := range map[string]bool{"c1": false, "c2": true} {
			of := store.Entity{LocationID: "loc", Kind: "contact", ID: id}
			if got := must(b.Links(ctx, of))(t)["a/1"].Title != ""; got != kept {
				t.Errorf("the title of %s is kept: %v", id, got)
			}
			if got := len(must(b.Timeline(ctx, "loc", id))(t)) > 0; got != kept {
				t.Errorf("the timeline of %s is kept: %v", id, got)
			}
			if got := must(b.EntityState(ctx, of))(t).Detail != ""; got != kept {
				t.Errorf("the detail of %s is kept: %v", id, got)
			}
		}
		for _, d := range must(b.Deliveries(ctx, 0, 10))(t) {
			if kept := d.Detail != ""; kept != (d.ID == 3) || d.Outcome != store.Retry && d.ID != 4 {
				t.Errorf("delivery %d: %q %q", d.ID, d.Outcome, d.Detail)
			}
		}
		if _, ok, err := b.Record(ctx, flow); ok || err != nil {
			t.Errorf("what the workflow delivered is still there: %v", err)
		}
		if err := b.Forget(ctx, "loc", "c1", time.Unix(8, 0)); err != nil {
			t.Fatal(err)
		}
		if e, again, err := b.Erased(ctx, nil, begun, time.Unix(9, 0)); err != nil || !again || !e.DoneAt.IsZero() {
			t.Errorf("asked for again meanwhile: %+v, %v, %v", e, again, err)
		}
		if !must(b.Remember(ctx, "loc", "c1"))(t) || must(b.Remember(ctx, "loc", "c2"))(t) {
			t.Error("want c1 to have been forgotten, and c2 not")
		}
	})
}
