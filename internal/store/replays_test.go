package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/store"
	"milepost/internal/testenv"
)

func TestAReplayQueuesItsRecordsPageByPage(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
		var records []store.Entity
		var deliveries []int64
		for i := range 4 {
			e := store.Entity{LocationID: "loc", Kind: "contact", ID: fmt.Sprint("c", i)}
			b.deliver(t, store.Delivery{ID: int64(i + 1), Type: "ContactUpdate", Entity: e, ReceivedAt: now})
			if i == 3 {
				continue // it is not replayed
			}
			records, deliveries = append(records, e), append(deliveries, int64(i+1))
		}
		end := func(outcome string) { // all syncs end
			t.Helper()
			for i := range 4 {
				e := store.Entity{LocationID: "loc", Kind: "contact", ID: fmt.Sprint("c", i)}
				state := must(b.EntityState(t.Context(), e))(t)
				if state.Wanted == state.Done {
					continue
				}
				if _, err := b.FinishSync(t.Context(), nil, store.Finish{Entity: e, Wanted: state.Wanted, Outcome: outcome, Now: now}); err != nil {
					t.Fatal(err)
				}
			}
		}
		end(store.Invalid)
		// One of them waits for its next try.
		b.deliver(t, store.Delivery{ID: 9, Type: "ContactUpdate", Entity: records[0], ReceivedAt: now})
		if err := b.Postpone(t.Context(), store.Postponed{Entity: records[0], Wanted: 2, Outcome: store.Retry, Now: now, NextTry: now.Add(time.Hour), Tries: 4}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
		id, err := b.StartReplay(t.Context(), store.Replay{What: "3 selected webhooks", Apply: store.Apply{By: "ann", AskedAt: now}}, records, deliveries)
		if err != nil {
			t.Fatal(err)
		}
		args := store.ApplyArgs{Automation: fmt.Sprint("replay:", id)}
		scope := store.ApplyScope{Automation: args.Automation, Replay: store.ReplayOf(args.Automation)}
		if scope.Replay != id || store.ReplayOf("contact-to-calendar") != 0 || store.ReplayOf("replay:x") != 0 {
			t.Fatalf("the run of replay %d is %+v", id, scope)
		}
		job := &river.Job[store.ApplyArgs]{Args: args}
		next := func(wantWait bool, wantQueued int64) {
			t.Helper()
			wait, done, err := b.ContinueApply(t.Context(), job, scope, 2, now)
			if err != nil {
				t.Fatal(err)
			}
			if run, _, err := b.Replay(t.Context(), id); err != nil || wait != wantWait || done || run.Queued != wantQueued {
				t.Fatalf("wait %t, done %t, %v; the run is %+v", wait, done, err, run)
			}
		}
		next(false, 2)
		if s := must(b.EntityState(t.Context(), records[0]))(t); !s.NextTry.IsZero() || s.Wanted != 3 {
			t.Errorf("what waited for its next try is %+v", s)
		}
		next(true, 2) // no sync of the page was tried
		end(store.Done)
		next(false, 3)
		end(store.Unchanged)
		if s := must(b.EntityState(t.Context(), store.Entity{LocationID: "loc", Kind: "contact", ID: "c3"}))(t); s.Wanted != 1 {
			t.Errorf("what was not selected is %+v", s)
		}
		run, ok, err := b.Replay(t.Context(), id)
		if err != nil || !ok || run.Total != 3 || run.Deliveries != 3 || run.By != "ann" || run.State != store.ApplyRunning {
			t.Errorf("the replay is %+v, %t, %v", run, ok, err)
		}
		if n := must(b.ReplayOutcomes(t.Context(), run))(t); n[store.Done]+n[store.Unchanged]+n[store.Pending] != 3 {
			t.Errorf("its records became %v", n)
		}
		found, _, err := b.FindDeliveries(t.Context(), store.DeliveryFilter{Replayed: true, LocationID: "loc", Limit: 10})
		if err != nil || len(found) != 3 || found[0].ID != 3 || found[0].Replay != id {
			t.Errorf("replayed are %+v, %v", found, err)
		}
		if was, err := b.CancelReplay(t.Context(), id, now); !was || err != nil {
			t.Errorf("it was running: %t, %v", was, err)
		}
		if was, err := b.CancelReplay(t.Context(), id, now); was || err != nil {
			t.Errorf("it was running twice: %t, %v", was, err)
		}
		if n := must(b.PruneReplays(t.Context(), now))(t); n != 0 {
			t.Errorf("%d were pruned too early", n)
		}
		if n := must(b.PruneReplays(t.Context(), now.Add(time.Second)))(t); n != 1 {
			t.Errorf("%d were pruned, want 1", n)
		}
		if list := must(b.Replays(t.Context(), 0, 10))(t); len(list) != 0 {
			t.Errorf("there are %+v", list)
		}
	})
}
