package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"milepost/internal/store"
)

func TestOnlyRecordsThatVanishTogetherWaitForAPerson(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		ctx, now := t.Context(), time.UnixMicro(1_900_000_000_000_000).UTC()
		contact := func(i int) store.Entity {
			return store.Entity{LocationID: "loc", Kind: "contact", ID: fmt.Sprint("c", i)}
		}
		decide := func(e store.Entity, at time.Time) store.Decision {
			return must(b.DecideRemoval(ctx, e, "HighLevel", at))(t)
		}
		for i := range store.RemovalsAtOnce {
			if d := decide(contact(i), now); !d.Remove || d.Others != i {
				t.Errorf("record %d: %+v, want it removed", i, d)
			}
		}
		if d := must(b.DecideRemoval(ctx, contact(9), "CalendarHero", now))(t); !d.Remove {
			t.Errorf("at the other vendor: %+v", d)
		}
		if d := must(b.DecideRemoval(ctx, store.Entity{LocationID: "other", Kind: "contact", ID: "c"}, "HighLevel", now))(t); !d.Remove {
			t.Errorf("at another location: %+v", d)
		}
		for i := 4; i < 6; i++ {
			if d := decide(contact(i), now); d.Remove || d.Begins != (i == 4) {
				t.Errorf("record %d: %+v, want it to wait", i, d)
			}
		}
		if d := decide(contact(4), now.Add(time.Minute)); d.Remove || d.Begins {
			t.Errorf("looked at again: %+v", d)
		}
		list := must(b.WaitingRemovals(ctx))(t)
		if len(list) != 2 || list[0].Entity != contact(4) || list[0].Vendor != "HighLevel" || !list[0].Since.Equal(now) {
			t.Errorf("waiting: %+v", list)
		}
		if n := must(b.AllowRemovals(ctx, "loc", now))(t); n != 2 {
			t.Errorf("%d were allowed", n)
		}
		for i := 4; i < 6; i++ {
			if d := decide(contact(i), now.Add(time.Minute)); !d.Remove {
				t.Errorf("allowed: %+v", d)
			}
		}
		if d := decide(contact(7), now.Add(store.RemovalsWindow+time.Second)); !d.Remove || d.Others != 0 {
			t.Errorf("an hour later: %+v", d)
		}
	})
}

func TestAContactThatVanishesCountsOnceWithItsRecords(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		ctx, now := t.Context(), time.UnixMicro(1_900_000_000_000_000).UTC()
		var all []store.Entity
		for _, contact := range []string{"c1", "c2"} {
			all = append(all, store.Entity{LocationID: "loc", Kind: "contact", ID: contact})
			for _, kind := range []string{"note", "task"} {
				e := store.Entity{LocationID: "loc", Kind: kind, ID: kind + contact}
				if err := errors.Join(b.Requeue(ctx, []store.Entity{e}, false), b.LearnContact(ctx, e, contact)); err != nil {
					t.Fatal(err)
				}
				all = append(all, e)
			}
		}
		for _, e := range all {
			must(b.MarkUnconfirmed(ctx, e, "HighLevel", now))(t)
		}
		for _, e := range all {
			if d := must(b.DecideRemoval(ctx, e, "HighLevel", now.Add(time.Minute)))(t); !d.Remove || d.Others != 1 {
				t.Errorf("%s: %+v, want it removed beside one other", e, d)
			}
		}
		for i := range store.RemovalsAtOnce { // without the contact's own row, each note counts
			must(b.MarkUnconfirmed(ctx, store.Entity{LocationID: "loc", Kind: "note", ID: fmt.Sprint("n", i)}, "HighLevel", now))(t)
		}
		if d := must(b.DecideRemoval(ctx, store.Entity{LocationID: "loc", Kind: "note", ID: "n0"}, "HighLevel", now.Add(time.Minute)))(t); d.Remove {
			t.Errorf("notes of a contact that is there: %+v, want them to wait", d)
		}
	})
}

func TestOnlyRecordsThatAreStillMissingCount(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		ctx, now := t.Context(), time.UnixMicro(1_900_000_000_000_000).UTC()
		var all []store.Entity
		for i := range store.RemovalsAtOnce + 1 {
			e := store.Entity{LocationID: "loc", Kind: "task", ID: fmt.Sprint("t", i)}
			all = append(all, e)
			if since := must(b.MarkUnconfirmed(ctx, e, "HighLevel", now))(t); !since.Equal(now) {
				t.Errorf("since %v", since)
			}
		}
		if since := must(b.MarkUnconfirmed(ctx, all[0], "HighLevel", now.Add(time.Minute)))(t); !since.Equal(now) {
			t.Errorf("doubted twice: since %v", since)
		}
		if d := must(b.DecideRemoval(ctx, all[0], "HighLevel", now.Add(time.Minute)))(t); d.Remove || !d.Begins {
			t.Errorf("the first of many: %+v", d)
		}
		if over := must(b.Settle(ctx, all[1], "HighLevel"))(t); over {
			t.Error("one of them waits still")
		}
		if d := must(b.DecideRemoval(ctx, all[0], "HighLevel", now.Add(2*time.Minute)))(t); !d.Remove {
			t.Errorf("once one of them exists again: %+v", d)
		}
	})
}
