package store_test

import (
	"testing"
	"time"

	"milepost/internal/store"
)

func TestARotatedWorkflowKeyIsLimitedAndNeverExtended(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		s := setup(t, open, nil)
		ctx, now := t.Context(), time.UnixMicro(1_000_000).UTC()
		add := func(digest, location string, at, othersUntil time.Time) {
			t.Helper()
			if err := s.AddWorkflowKey(ctx, store.WorkflowKey{Digest: digest, LocationID: location, CreatedAt: at}, othersUntil); err != nil {
				t.Fatal(err)
			}
		}
		add("a", "loc", now, time.Time{})
		add("elsewhere", "other", now, time.Time{})
		add("b", "loc", now.Add(time.Second), now.Add(time.Hour))
		add("c", "loc", now.Add(2*time.Second), now.Add(2*time.Hour))
		var expiries []time.Duration
		for _, k := range must(s.WorkflowKeys(ctx, "loc"))(t) {
			expiries = append(expiries, max(0, k.ExpiresAt.Sub(now)))
		}
		if want := []time.Duration{0, 2 * time.Hour, time.Hour}; len(expiries) != 3 || [3]time.Duration(expiries) != [3]time.Duration(want) {
			t.Errorf("the keys, newest first, expire after %v; want %v", expiries, want)
		}
		if k, ok, err := s.WorkflowKey(ctx, "elsewhere"); err != nil || !ok || k.LocationID != "other" || !k.ExpiresAt.IsZero() {
			t.Errorf("another location's key became %+v, %v, %v", k, ok, err)
		}

		add("d", "loc", now.Add(90*time.Minute), time.Time{})
		if _, ok, _ := s.WorkflowKey(ctx, "a"); ok {
			t.Error("a key that has expired was kept when another was made")
		}
		if n := must(s.RevokeWorkflowKeys(ctx, "b", "c", "unknown"))(t); n != 2 {
			t.Errorf("%d keys were revoked, want 2", n)
		}
		if list := must(s.WorkflowKeys(ctx, "loc"))(t); len(list) != 1 || list[0].Digest != "d" {
			t.Errorf("what is left is %+v, want d", list)
		}
	})
}

func TestAnOlderDeliveryNeverReplacesANewerRecord(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		e := store.Entity{LocationID: "loc", Kind: store.KindWorkflow, ID: "c1/w1"}
		body := func() string {
			t.Helper()
			r, ok, err := b.Record(t.Context(), e)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			return string(r.Body)
		}
		b.deliver(t, store.Delivery{ID: 2, Entity: e, Body: []byte("newer"), ReceivedAt: time.UnixMicro(5)})
		b.deliver(t, store.Delivery{ID: 1, Entity: e, Body: []byte("older"), ReceivedAt: time.UnixMicro(9)}) // from a slower dispatcher
		if got := body(); got != "newer" {
			t.Errorf("the record is the %s delivery", got)
		}
		b.deliver(t, store.Delivery{ID: 3, Entity: e, Body: []byte("newest"), ReceivedAt: time.UnixMicro(1)}) // with a clock that was put back
		if got := body(); got != "newest" {
			t.Errorf("the record is the %s delivery", got)
		}
	})
}
