package store_test

import (
	"testing"
	"time"

	"milepost/internal/store"
)

func TestItemRowsShowCalendarsWhatChanged(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		start := time.Date(2026, 12, 3, 14, 0, 0, 0, time.UTC)
		event := store.Item{
			Key: "a/1", Kind: store.ItemEvent, Automation: "A", Status: store.StatusTentative, Start: start, End: start.Add(time.Hour), Zone: "America/New_York",
			Content: store.Content{Title: "Closing: Jane", Notes: []string{"has a dog"}, Reminders: []time.Duration{time.Hour}},
		}
		note := store.Item{Key: "n/1", Kind: store.ItemNote, Status: store.StatusFinal, Content: store.Content{Text: "has a dog"}}
		clock := start.Add(-time.Hour)
		noted := func(change func(*store.Noted)) map[string]store.Item {
			t.Helper()
			clock = clock.Add(time.Minute)
			n := store.Noted{Entity: contact1, ContactID: "c1", AssignedTo: "u1", AssigneeKnown: true, Items: []store.Item{event, note}, Now: clock}
			change(&n)
			if err := b.NoteItems(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			out := map[string]store.Item{}
			for _, i := range must(b.ItemsOf(t.Context(), contact1))(t) {
				out[i.Key] = i
			}
			return out
		}
		same := func(*store.Noted) {}
		first := noted(same)
		if e := first["a/1"]; e.UID == "" || e.UID == first["n/1"].UID || e.Sequence != 0 || e.ContactID != "c1" || e.AssignedTo != "u1" ||
			!e.Start.Equal(start) || e.Content.Notes[0] != "has a dog" || !first["n/1"].Start.Equal(clock) {
			t.Errorf("noted as %+v", first)
		}
		before := must(b.FeedState(t.Context(), store.Feed{LocationID: "loc"}))(t)
		if got := noted(same); got["a/1"].Revision != 1 || got["n/1"].Revision != 1 || !got["a/1"].UpdatedAt.Equal(first["a/1"].UpdatedAt) {
			t.Errorf("the same again wrote %+v", got)
		}
		if after := must(b.FeedState(t.Context(), store.Feed{LocationID: "loc"}))(t); after != before {
			t.Errorf("the same again changed the feed from %+v to %+v", before, after)
		}

		event.Content.Notes = nil
		if e := noted(same)["a/1"]; e.Sequence != 0 || e.Revision != 2 || !e.UpdatedAt.Equal(clock) {
			t.Errorf("another description: sequence, revision = %d, %d; want 0, 2", e.Sequence, e.Revision)
		}
		event.Start = start.Add(time.Hour)
		if e := noted(same)["a/1"]; e.Sequence != 1 || e.Revision != 3 || e.UID != first["a/1"].UID || !e.CreatedAt.Equal(first["a/1"].CreatedAt) {
			t.Errorf("moved: %+v", e)
		}
		if e := noted(func(n *store.Noted) { n.Items, n.Left = nil, map[string]bool{"a/1": true} }); !e["a/1"].RemovedAt.IsZero() || e["n/1"].RemovedAt.IsZero() {
			t.Errorf("an item that could not be computed, and one no longer wanted: %+v", e)
		} else if n := e["n/1"]; n.Status != store.StatusCancelled || n.Sequence != 1 || n.Content.Text != "" {
			t.Errorf("a note that is gone: %+v", n)
		}
		if e := noted(func(n *store.Noted) { n.Items = nil })["a/1"]; !e.RemovedAt.Equal(clock) || e.Status != store.StatusCancelled || e.Sequence != 2 || e.Content.Title == "" {
			t.Errorf("an event that is gone: %+v", e)
		}
		if e := noted(same)["a/1"]; !e.RemovedAt.IsZero() || e.Sequence != 3 || e.Status != store.StatusTentative {
			t.Errorf("wanted again: %+v", e)
		}
		if e := noted(func(n *store.Noted) { n.AssignedTo, n.AssigneeKnown = "", false })["a/1"]; e.AssignedTo != "u1" {
			t.Errorf("its user is not known, so it is to stay %q", e.AssignedTo)
		}
	})
}

func TestACompletedTaskIsNotCancelled(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		task := store.Entity{LocationID: "loc", Kind: "task", ID: "t1"}
		n := store.Noted{Entity: task, Now: time.Unix(5, 0), Items: []store.Item{{Key: "a/1", Kind: store.ItemTask, Status: store.StatusNeedsAction, Start: time.Unix(8, 0), End: time.Unix(9, 0)}}}
		if err := b.NoteItems(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		n.Items, n.Completed, n.Now = nil, true, time.Unix(6, 0)
		if err := b.NoteItems(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if list := must(b.ItemsOf(t.Context(), task))(t); len(list) != 1 || list[0].Status != store.StatusCompleted || list[0].RemovedAt.IsZero() || list[0].Sequence != 1 {
			t.Errorf("a completed task: %+v", list)
		}
	})
}

func TestAFeedShowsTheItemsOfItsContactOrUser(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		ctx := t.Context()
		note := func(kind, id, contact, user string, at int64) {
			t.Helper()
			if err := b.NoteItems(ctx, store.Noted{
				Entity: store.Entity{LocationID: "loc", Kind: kind, ID: id}, ContactID: contact, AssignedTo: user, AssigneeKnown: user != "?", Now: time.Unix(at, 0),
				Items: []store.Item{{Key: "a/1", Kind: store.ItemEvent, Status: store.StatusConfirmed, Start: time.Unix(at, 0), End: time.Unix(at+9, 0), Zone: "Europe/Berlin", Content: store.Content{Title: id}}},
			}); err != nil {
				t.Fatal(err)
			}
		}
		note("contact", "c1", "c1", "u1", 10)
		note("note", "n1", "c1", "?", 11)
		note("contact", "c2", "c2", "u2", 12)
		count := func(f store.Feed) (n int) {
			t.Helper()
			f.LocationID = "loc"
			for after := ""; ; {
				page := must(b.FeedItems(ctx, f, after, 1))(t)
				if len(page) == 0 {
					return n
				}
				n, after = n+1, page[0].UID
			}
		}
		user1, user2 := store.Feed{AssignedTo: "u1"}, store.Feed{AssignedTo: "u2"}
		if a, b, c, d := count(store.Feed{}), count(store.Feed{ContactID: "c1"}), count(user1), count(user2); a != 3 || b != 2 || c != 1 || d != 1 {
			t.Errorf("in the feeds of all, a contact and two users are %d, %d, %d, %d; want 3, 2, 1, 1", a, b, c, d)
		}
		zones := must(b.FeedZones(ctx, store.Feed{LocationID: "loc"}))(t)
		if len(zones) != 1 || zones[0].Zone != "Europe/Berlin" || zones[0].From.Unix() != 10 || zones[0].To.Unix() != 21 {
			t.Errorf("the feed's time zones are %+v", zones)
		}
		user1.LocationID = "loc"
		before := must(b.FeedState(ctx, user1))(t)
		note("contact", "c1", "c1", "u2", 13) // and its note with it
		if a, b := count(user1), count(user2); a != 0 || b != 3 {
			t.Errorf("after the contact changed hands its users have %d and %d, want 0 and 3", a, b)
		}
		after := must(b.FeedState(ctx, user1))(t)
		if after.Items == before.Items || !after.ChangedAt.After(before.ChangedAt) {
			t.Errorf("that something left the feed cannot be told: %+v, then %+v", before, after)
		}
	})
}

func TestErasedAndOldItemsLeaveNoContent(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		ctx := t.Context()
		b.deliver(t, store.Delivery{ID: 1, Entity: contact1, ContactID: "c1"})
		other := store.Entity{LocationID: "loc", Kind: "contact", ID: "c2"}
		for _, e := range []store.Entity{contact1, other} {
			if err := b.NoteItems(ctx, store.Noted{Entity: e, ContactID: e.ID, Now: time.Unix(5, 0), Items: []store.Item{
				{Key: "a/1", Kind: store.ItemEvent, Status: store.StatusConfirmed, Start: time.Unix(8, 0), Content: store.Content{Title: "Jane", Place: "her house"}},
			}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Forget(ctx, "loc", "c1", time.Unix(6, 0)); err != nil {
			t.Fatal(err)
		}
		begun, _, err := b.Erasure(ctx, "loc", "c1")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second run finds nothing more
			if err := b.Erase(ctx, begun, 0, "", time.Unix(7, 0)); err != nil {
				t.Fatal(err)
			}
			e, _, err := b.Erased(ctx, nil, begun, time.Unix(7, 0))
			if err != nil || e.Items != 1 {
				t.Fatalf("erased %+v, %v; want 1 item", e, err)
			}
		}
		i := must(b.ItemsOf(ctx, contact1))(t)[0]
		if i.Content.Title+i.Content.Place != "" || i.Status != store.StatusCancelled || !i.RemovedAt.Equal(time.Unix(7, 0)) || i.Sequence != 1 || i.Revision != 2 {
			t.Errorf("the erased item is %+v", i)
		}
		if kept := must(b.ItemsOf(ctx, other))(t)[0]; kept.Content.Title != "Jane" {
			t.Errorf("another contact's item became %+v", kept)
		}
		for _, c := range []struct{ before, want int64 }{{7, 0}, {8, 1}, {9, 0}} {
			if n := must(b.PruneItems(ctx, time.Unix(c.before, 0)))(t); n != c.want {
				t.Errorf("%d items removed before %d were pruned, want %d", n, c.before, c.want)
			}
		}
		if left := must(b.FeedItems(ctx, store.Feed{LocationID: "loc"}, "", 10))(t); len(left) != 1 {
			t.Errorf("%d items are left, want that of the other contact", len(left))
		}
	})
}
