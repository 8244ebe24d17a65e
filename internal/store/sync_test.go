package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/store"
	"milepost/internal/testenv"
)

// source stands for HighLevel. It has a version of each entity, and the version that a
// worker last copied.
type source struct {
	mu      sync.Mutex
	version map[store.Entity]int
	synced  map[store.Entity]int
	active  map[store.Entity]bool
	overlap atomic.Int64
	runs    atomic.Int64
	reruns  atomic.Int64
}

func newSource() *source {
	return &source{version: map[store.Entity]int{}, synced: map[store.Entity]int{}, active: map[store.Entity]bool{}}
}

// work copies the current version, as a sync does. Now and then it ends with a snooze, as
// after a rate limit.
func (s *source) work(ctx context.Context, st *store.Store, job *river.Job[store.SyncArgs]) error {
	e := job.Args.Entity()
	state, err := st.EntityState(ctx, e)
	if err != nil {
		return err
	}
	s.mu.Lock()
	if s.active[e] {
		s.overlap.Add(1)
	}
	s.active[e] = true
	v := s.version[e]
	s.mu.Unlock()
	over := func() {
		s.mu.Lock()
		s.active[e] = false
		s.mu.Unlock()
	}
	s.runs.Add(1)
	if rand.IntN(10) == 0 {
		over()
		return river.JobSnooze(time.Duration(rand.IntN(3)) * time.Millisecond)
	}
	s.mu.Lock()
	s.synced[e] = v
	s.mu.Unlock()
	finish := store.Finish{Entity: e, Wanted: state.Wanted, Outcome: store.Done, Now: time.Now()}
	if rand.IntN(20) == 0 {
		finish.Requeue = []store.Entity{e} // it asks for another sync of itself
	}
	over() // the next run may begin as soon as the end is committed, before FinishSync returns
	again, err := st.FinishSync(ctx, job, finish)
	if err != nil {
		return err
	}
	if again {
		s.reruns.Add(1)
		return river.JobSnooze(0)
	}
	return nil
}

func (s *source) stale() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e, v := range s.version {
		if s.synced[e] != v {
			n++
		}
	}
	return n
}

// TestNoEventIsLostWhileAJobRunsOrCompletes sends 600 events (3,000 in a thorough run) on
// 40 entities while 50 workers (on PostgreSQL, of two processes) sync them. An event may
// arrive while its job runs, or between its end and River's update of it. It must then lead
// to another run, and no entity is ever worked twice at once.
func TestNoEventIsLostWhileAJobRunsOrCompletes(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		const entities = 40
		events := testenv.Rounds(3000, 600)
		src := newSource()
		first := setup(t, open, src.work)
		senders := []*bundle{first, first}
		if t.Name() == "TestNoEventIsLostWhileAJobRunsOrCompletes/PostgreSQL" {
			senders[1] = setup(t, open, src.work)
		}
		var id atomic.Int64
		var wg sync.WaitGroup
		for s := range 2 {
			wg.Go(func() {
				for sent := 0; sent < events/2; {
					n := min(1+rand.IntN(20), events/2-sent)
					var batch []store.Delivery
					for range n {
						e := store.Entity{LocationID: "loc", Kind: "contact", ID: fmt.Sprint("c", rand.IntN(entities))}
						src.mu.Lock()
						src.version[e]++ // the record changes, then its webhook is stored
						src.mu.Unlock()
						batch = append(batch, store.Delivery{ID: id.Add(1), Type: "ContactUpdate", Entity: e})
					}
					senders[s].deliver(t, batch...)
					sent += n
				}
			})
		}
		wg.Wait()
		deadline := time.Now().Add(60 * time.Second)
		for {
			left := must(first.Backlog(t.Context()))(t)
			if left == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d entities are still not in step after a minute; %d stale", left, src.stale())
			}
			time.Sleep(10 * time.Millisecond) // polls the database; the test does not depend on the time
		}
		t.Logf("events=%d runs=%d reruns=%d overlaps=%d", events, src.runs.Load(), src.reruns.Load(), src.overlap.Load())
		if n := src.stale(); n > 0 {
			t.Errorf("%d entities hold an old version", n)
		}
		if n := src.overlap.Load(); n > 0 {
			t.Errorf("two workers were on one entity %d times", n)
		}
		if src.reruns.Load() == 0 {
			t.Error("no event arrived during a run: the test did not test what it is for")
		}
		for _, d := range must(first.Deliveries(t.Context(), 0, events))(t) {
			if d.Outcome != store.Done || d.FinishedAt.IsZero() {
				t.Fatalf("delivery %d ended as %q, want done", d.ID, d.Outcome)
			}
		}
	})
}
