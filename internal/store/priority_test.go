package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/store"
)

// backfill asks for entities as a reconciliation does.
func (b *bundle) backfill(t *testing.T, entities ...store.Entity) {
	t.Helper()
	var found []store.Found
	for _, e := range entities {
		found = append(found, store.Found{Entity: e, Differs: true})
	}
	if err := b.SaveReconciliation(t.Context(), store.Reconciliation{Name: "n", LocationID: "loc"}, found); err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) priorities(t *testing.T) (list []int64) {
	t.Helper()
	rows, err := b.Query(t.Context(), `SELECT priority FROM river_job WHERE kind = 'sync' ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}

func TestSyncsForEventsGoBeforeSyncsForABackfill(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		other := store.Entity{LocationID: contact1.LocationID, Kind: "contact", ID: "other"}
		b.backfill(t, contact1)
		b.deliver(t, store.Delivery{ID: 1, Type: "ContactUpdate", Entity: other})
		if got := b.priorities(t); !slices.Equal(got, []int64{3, 1}) {
			t.Fatalf("the priorities are %v, want the event's first", got)
		}
		b.backfill(t, other) // a backfill lowers no priority
		state, err := b.EntityState(t.Context(), other)
		if err != nil || state.Backfill {
			t.Fatalf("what an event asked for passes for a backfill's: %+v %v", state, err)
		}
		if state, err = b.EntityState(t.Context(), contact1); err != nil || !state.Backfill {
			t.Fatalf("what a backfill asked for passes for an event's: %+v %v", state, err)
		}
		b.deliver(t, store.Delivery{ID: 2, Type: "ContactUpdate", Entity: contact1})
		if got := b.priorities(t); !slices.Equal(got, []int64{1, 1}) {
			t.Errorf("the priorities are %v, want both first", got)
		}
		if state, err = b.EntityState(t.Context(), contact1); err != nil || state.Backfill {
			t.Errorf("what an event asked for too passes for a backfill's: %+v %v", state, err)
		}
	})
}

func TestAnEventMakesAWaitingBackfillJobDue(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		waits, done := make(chan bool, 1), make(chan bool, 10)
		first := true
		b := setup(t, open, func(ctx context.Context, st *store.Store, job *river.Job[store.SyncArgs]) error {
			if first {
				first = false
				waits <- true
				return river.JobSnooze(10 * time.Minute)
			}
			state, err := st.EntityState(ctx, job.Args.Entity())
			if err != nil {
				return err
			}
			_, err = st.FinishSync(ctx, job, store.Finish{Entity: state.Entity, Wanted: state.Wanted, Outcome: store.Done, Now: time.Now()})
			done <- true
			return err
		})
		b.backfill(t, contact1)
		<-waits
		for scheduled := false; !scheduled; {
			rows, err := b.Query(t.Context(), `SELECT 1 FROM river_job WHERE kind = 'sync' AND state = 'scheduled'`)
			if err != nil {
				t.Fatal(err)
			}
			scheduled = rows.Next()
			rows.Close()
		}
		b.deliver(t, store.Delivery{ID: 1, Type: "ContactUpdate", Entity: contact1})
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Error("the event waits with the backfill's job")
		}
	})
}
