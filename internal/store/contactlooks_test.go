package store_test

import (
	"testing"
	"time"

	"milepost/internal/store"
)

func TestContactsAreReadInTurn(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b, ctx := setup(t, open, nil), t.Context()
		now := time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)
		for _, id := range []string{"same", "differs", "later"} {
			l := store.Link{
				Entity: store.Entity{LocationID: "loc", Kind: "contact", ID: id}, Item: "i", ItemKind: "contact",
				State: store.LinkLive, ObjectID: id, Base: "digests",
			}
			if err := b.SaveLink(ctx, l, now, nil); err != nil {
				t.Fatal(err)
			}
		}
		all := must(b.ContactsToLookAt(ctx, "loc", now, 10))(t)
		if len(all) != 3 {
			t.Fatalf("%d contacts are to be looked at, want 3", len(all))
		}
		at := map[string]store.Link{}
		for _, l := range all {
			at[l.Entity.ID] = l
		}
		if err := b.NoteLooks(ctx, []store.Link{at["same"]}, []store.Link{at["differs"]}, now); err != nil {
			t.Fatal(err)
		}
		left := must(b.ContactsToLookAt(ctx, "loc", now.Add(-time.Second), 10))(t)
		if len(left) != 1 || left[0].Entity.ID != "later" {
			t.Errorf("then %+v are to be looked at, want the third", left)
		}
		if e := must(b.EntityState(ctx, at["differs"].Entity))(t); e.Wanted == 0 {
			t.Error("no sync is asked for of the one that differs")
		}
	})
}
