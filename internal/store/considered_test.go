package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milepost/internal/store"
	"milepost/internal/testenv"
)

func TestConsideredAutomationsAreBoundedAndPruned(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		ctx, at := t.Context(), time.UnixMicro(1_800_000_000_000_000).UTC()
		e := store.Entity{LocationID: "loc", Kind: "contact", ID: "c1"}
		if err := b.Requeue(ctx, []store.Entity{e}, false); err != nil {
			t.Fatal(err)
		}
		finish := func(seen int64, at time.Time, list []store.Considered) {
			t.Helper()
			must(b.FinishSync(ctx, nil, store.Finish{Entity: e, Wanted: seen, Outcome: store.Skipped, Now: at, Considered: list}))(t)
		}
		one := []store.Considered{{Automation: "a", Version: 3, Reason: "the condition is not met", Condition: "x", Saw: "y", Conditions: []store.Condition{{Text: "x", Saw: "y"}, {Text: "z", Held: true}}}}
		finish(1, at, one)
		var many []store.Considered
		for i := range 1000 {
			many = append(many, store.Considered{Automation: fmt.Sprint("automation-", i), Reason: strings.Repeat("r", 50)})
		}
		many = append(many, store.Considered{Automation: "last", Wants: 1})
		finish(5, at.Add(time.Hour), many)
		for wanted, seen := range map[int64]int64{1: 1, 2: 5, 5: 5, 0: 5} {
			got, ok, err := b.SyncOf(ctx, e, wanted)
			if err != nil || !ok || got.Wanted != seen {
				t.Errorf("of %d: %v, %v, %+v", wanted, err, ok, got.Wanted)
			}
		}
		first, _, err := b.SyncOf(ctx, e, 1)
		if diff := cmp.Diff(one, first.Considered); diff != "" || err != nil {
			t.Error(diff, err)
		}
		last, _, _ := b.SyncOf(ctx, e, 0)
		if len(last.Considered)+last.More != 1001 || len(last.Considered) > 200 || last.Considered[0].Automation != "last" {
			t.Errorf("%d are kept and %d are not, the first %+v", len(last.Considered), last.More, last.Considered[0])
		}
		if n := must(b.PruneConsidered(ctx, at.Add(time.Minute)))(t); n != 1 {
			t.Errorf("%d were pruned", n)
		}
		if _, ok, _ := b.SyncOf(ctx, e, 6); ok {
			t.Error("a sync that never was")
		}
	})
}
