package store_test

import (
	"slices"
	"testing"
	"time"

	"milepost/internal/store"
)

func TestInvitesWaitForConsentAndAreThenSynced(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		ctx, now := t.Context(), time.UnixMicro(1_900_000_000_000_000).UTC()
		save := func(id, item, invited string, state store.LinkState, meeting string, end time.Time) {
			t.Helper()
			if err := b.SaveLink(ctx, store.Link{
				Entity: store.Entity{LocationID: "loc", Kind: "contact", ID: id}, Item: item, ItemKind: "event", State: state, Invited: invited, Meeting: meeting, End: end,
			}, now, nil); err != nil {
				t.Fatal(err)
			}
		}
		save("a", "x/1", "owner", store.LinkLive, "pending", now.Add(time.Hour))
		save("b", "x/1", "owner", store.LinkLive, "booked", now.Add(time.Hour))
		save("c", "x/1", "contact", store.LinkLive, "pending", now.Add(time.Hour))
		save("d", "x/1", "owner", store.LinkGone, "pending", now.Add(time.Hour))
		save("e", "x/1", "owner", store.LinkLive, "expired", now.Add(time.Hour))
		save("f", "x/1", "owner", store.LinkLive, "pending", now.Add(-time.Hour))
		save("a", "y/1", "owner", store.LinkLive, "pending", now.Add(time.Hour))
		items := []string{"x/1", "y/1"}
		want := []store.HeldInvites{{Item: "x/1", LocationID: "loc", Requests: 2}, {Item: "y/1", LocationID: "loc", Requests: 1}}
		if got := must(b.HeldInvites(ctx, items, now))(t); !slices.Equal(got, want) {
			t.Errorf("it waits %+v, want %+v", got, want)
		}
		if n := must(b.AllowInvites(ctx, []string{"x/1"}, now))(t); n != 2 {
			t.Errorf("%d were allowed, want 2", n)
		}
		if got := must(b.HeldInvites(ctx, items, now))(t); !slices.Equal(got, want[1:]) {
			t.Errorf("it still waits %+v", got)
		}
		if state := must(b.EntityState(ctx, store.Entity{LocationID: "loc", Kind: "contact", ID: "b"}))(t); state.Wanted != 1 {
			t.Errorf("no sync is wanted of what was allowed: %+v", state)
		}
		for i, step := range []struct {
			keep    []string
			allowed bool
		}{{items, true}, {[]string{"y/1"}, false}, {nil, false}} {
			if err := b.KeepConsents(ctx, step.keep); err != nil {
				t.Fatal(err)
			}
			if allowed := must(b.InviteAllowed(ctx, "x/1"))(t); allowed != step.allowed {
				t.Errorf("step %d: allowed = %v", i, allowed)
			}
		}
		if got := must(b.HeldInvites(ctx, nil, now))(t); len(got) != 0 {
			t.Errorf("of no items it says %+v", got)
		}
	})
}
