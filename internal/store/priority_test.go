package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/store"
	"milepost/internal/testenv"
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
	testenv.Long(t)
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

// An event may come while a sync runs that then waits. It must count as one that comes
// after.
func TestAnEventDuringASyncThatWaitsMakesItDue(t *testing.T) {
	testenv.Long(t)
	goneAt := time.Now().Add(-time.Minute)
	for name, tt := range map[string]struct {
		ask    func(t *testing.T, b *bundle)
		goneAt time.Time
		event  string
		due    bool
	}{
		"a backfill's, and a change": {ask: func(t *testing.T, b *bundle) { b.backfill(t, contact1) }, event: "ContactUpdate", due: true},
		"a backfill's that is gone":  {ask: func(t *testing.T, b *bundle) { b.backfill(t, contact1) }, goneAt: goneAt, event: "ContactUpdate"},
		"one that is gone, and its end": {ask: func(t *testing.T, b *bundle) {
			b.deliver(t, store.Delivery{ID: 1, Type: "ContactUpdate", Entity: contact1})
		}, goneAt: goneAt, event: "ContactDelete", due: true},
		"one that failed, and a change": {ask: func(t *testing.T, b *bundle) {
			b.deliver(t, store.Delivery{ID: 1, Type: "ContactUpdate", Entity: contact1})
		}, event: "ContactUpdate"},
	} {
		t.Run(name, func(t *testing.T) {
			onEachBackend(t, func(t *testing.T, open func() *store.Store) {
				type ended struct {
					again bool
					state store.EntityState
					err   error
				}
				runs, goOn, ends := make(chan bool), make(chan bool), make(chan ended, 10)
				b := setup(t, open, func(ctx context.Context, st *store.Store, job *river.Job[store.SyncArgs]) (err error) {
					state, err := st.EntityState(ctx, job.Args.Entity())
					if err != nil {
						return err
					}
					select {
					case runs <- true:
						<-goOn
					case <-ctx.Done():
						return ctx.Err()
					}
					var end ended
					end.err = st.Postpone(ctx, store.Postponed{
						Entity: state.Entity, Wanted: state.Wanted, Backfill: state.Backfill, Outcome: store.Waiting, GoneAt: tt.goneAt, Now: time.Now(), NextTry: time.Now().Add(10 * time.Minute),
					})
					if end.err == nil {
						end.again, end.err = st.AwaitNextTry(ctx, job, time.Now(), func(d time.Duration) time.Duration { return d })
					}
					if end.err == nil {
						end.state, end.err = st.EntityState(ctx, job.Args.Entity())
					}
					ends <- end
					return river.JobCancel(nil)
				})
				tt.ask(t, b)
				<-runs
				b.deliver(t, store.Delivery{ID: 2, Type: tt.event, Deleted: tt.event == "ContactDelete", Entity: contact1})
				close(goOn)
				end := <-ends
				if end.err != nil {
					t.Fatal(end.err)
				}
				if end.again != tt.due || end.state.NextTry.IsZero() != tt.due || end.state.Backfill {
					t.Errorf("due at once: %v (%+v), want %v", end.again, end.state, tt.due)
				}
				if got := b.priorities(t); !tt.due && got[len(got)-1] != 1 {
					t.Errorf("it waits with the priorities %v, want the event's", got)
				}
			})
		})
	}
}
