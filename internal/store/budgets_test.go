package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milepost/internal/store"
)

func TestABudgetIsReadBackAsWritten(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		s := setup(t, open, nil)
		if got := must(s.Budget(t.Context(), "loc"))(t); got != (store.Budget{}) {
			t.Errorf("the budget of a location nobody called reads %+v, want nothing", got)
		}
		at := time.UnixMicro(1764590400123456).UTC()
		want := store.Budget{
			Max: 100, Interval: 10 * time.Second, Next: at, Queue: at.Add(1 * time.Microsecond), BackfillQueue: at.Add(2 * time.Microsecond),
			Calls: 5, Works: 3, ParkedUntil: at.Add(3 * time.Microsecond), ParkedWhy: "asked to wait", DailyMax: 200000, DailyRemaining: 7, DailyAt: at.Add(4 * time.Microsecond),
		}
		wrote := must(s.UpdateBudget(t.Context(), "loc", func(b *store.Budget) { *b = want }))(t)
		if diff := cmp.Diff(want, wrote); diff != "" {
			t.Errorf("UpdateBudget returned (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(want, must(s.Budget(t.Context(), "loc"))(t)); diff != "" {
			t.Errorf("it reads back (-want +got)\n%s", diff)
		}
		if got := must(s.Budget(t.Context(), "other"))(t); got != (store.Budget{}) {
			t.Errorf("another location's budget reads %+v", got)
		}
	})
}

func TestConcurrentChangesOfABudgetDoNotOverwriteEachOther(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		const processes, each = 3, 40
		var stores []*store.Store
		for range processes {
			stores = append(stores, setup(t, open, nil).Store)
		}
		var work sync.WaitGroup
		for _, s := range stores {
			for range 2 {
				work.Go(func() {
					for range each / 2 {
						if _, err := s.UpdateBudget(context.Background(), "loc", func(b *store.Budget) { b.DailyRemaining++ }); err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		work.Wait()
		if got := must(stores[0].Budget(t.Context(), "loc"))(t).DailyRemaining; got != processes*each {
			t.Errorf("%d changes were kept, want %d", got, processes*each)
		}
	})
}
