package store_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/internal/store"
	"milepost/internal/testenv"
)

func TestALeaseTakenByAClockAheadEndsAfterOneLeaseTime(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
		take := func(holder string, now time.Time) bool {
			t.Helper()
			taken, err := s.Lease(context.Background(), "x", holder, now, now.Add(30*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			return taken
		}
		if !take("ahead", now.Add(48*time.Hour)) {
			t.Fatal("a free lease is not taken")
		}
		if take("right", now) {
			t.Fatal("a lease that its holder may still need is taken")
		}
		if take("right", now.Add(29*time.Second)) || !take("right", now.Add(31*time.Second)) {
			t.Error("the lease is not free after the 30 s that one lasts")
		}
	})
}

func TestOnlyJobsScheduledByAClockAheadAreMadeDue(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		for i := range 4 {
			b.deliver(t, store.Delivery{ID: int64(i + 1), Type: "ContactUpdate", Entity: store.Entity{LocationID: "loc", Kind: "contact", ID: string(rune('a' + i))}})
		}
		var ids []int64
		rows, err := b.Query(t.Context(), `SELECT id FROM river_job ORDER BY id`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		rows.Close()
		for i, state := range []struct {
			kind, state string
			ahead       time.Duration
		}{{"sync", "scheduled", 48 * time.Hour}, {"sync", "retryable", time.Hour}, {"sync", "scheduled", 10 * time.Minute}, {"remind", "scheduled", 48 * time.Hour}} {
			at := any(time.Now().Add(state.ahead))
			if strings.Contains(t.Name(), "SQLite") {
				at = time.Now().Add(state.ahead).UTC().Format("2006-01-02 15:04:05.000")
			}
			err := b.InTx(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(t.Context(), `UPDATE river_job SET kind = $2, state = $3, scheduled_at = $4 WHERE id = $1`, ids[i], state.kind, state.state, at)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []int64{2, 0} {
			if n, err := b.ClockPutBack(t.Context(), time.Now(), 15*time.Minute); err != nil || n != want {
				t.Fatalf("%d jobs were made due (%v), want %d", n, err, want)
			}
		}
		var states []string
		rows, err = b.Query(t.Context(), `SELECT state FROM river_job ORDER BY id`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var state string
			if err := rows.Scan(&state); err != nil {
				t.Fatal(err)
			}
			states = append(states, state)
		}
		if !slices.Equal(states, []string{"available", "available", "scheduled", "scheduled"}) {
			t.Errorf("the jobs are %v", states)
		}
	})
}

func TestRecordsSyncedByAClockAheadAreSyncedAgain(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b, ctx := setup(t, open, nil), t.Context()
		now := time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)
		of := func(id string) store.Entity { return store.Entity{LocationID: "loc", Kind: "contact", ID: id} }
		for id, at := range map[string]time.Time{"before": now.Add(-time.Hour), "ahead": now.Add(time.Hour)} {
			if err := b.Requeue(ctx, []store.Entity{of(id)}, false); err != nil {
				t.Fatal(err)
			}
			err := b.InTx(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec(ctx, `UPDATE entities SET done = wanted, synced_at = $2 WHERE id = $1`, id, at.UnixMicro())
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // once is enough
			if err := b.SyncedAhead(ctx, now); err != nil {
				t.Fatal(err)
			}
		}
		before, ahead := must(b.EntityState(ctx, of("before")))(t), must(b.EntityState(ctx, of("ahead")))(t)
		if before.Wanted != 1 || ahead.Wanted != 2 {
			t.Errorf("wanted %d and %d times, want 1 and 2", before.Wanted, ahead.Wanted)
		}
	})
}
