package automation

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// syncs works the syncs of a run, as a process does.
type syncs struct {
	mu    sync.Mutex
	of    map[string]int        // syncs by contact
	holds map[int]chan struct{} // what a sync waits for, by how many came before it
	held  chan struct{}
	n     int
}

func (s *syncs) work(ctx context.Context, st *store.Store, job *river.Job[store.SyncArgs]) error {
	e := job.Args.Entity()
	state, err := st.EntityState(ctx, e)
	if err != nil {
		return err
	}
	s.mu.Lock()
	wait := s.holds[s.n]
	s.n++
	s.mu.Unlock()
	if wait != nil {
		close(s.held)
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	s.of[e.ID]++
	s.mu.Unlock()
	again, err := st.FinishSync(ctx, job, store.Finish{Entity: e, Wanted: state.Wanted, Outcome: store.Unchanged, Now: time.Now()})
	if err == nil && again {
		return river.JobSnooze(0)
	}
	return err
}

const atOnce = 10 // syncs

// running is a process on a directory. stop ends it, with crash as a crash does: what
// it works stays as it is.
func (s *syncs) running(t *testing.T, dir string) (st *store.Store, l *Library, stop func(crash bool)) {
	t.Helper()
	st = must(store.OpenSQLite(t.Context(), dir))(t)
	if err := st.ResetRunningJobs(t.Context()); err != nil {
		t.Fatal(err)
	}
	var looks atomic.Int64 // a run begins a while after it was asked for
	l = must(Open(t.Context(), Config{Store: st, Now: func() time.Time { return time.Now().Add(time.Duration(looks.Add(1)) * applySettle) }}))(t)
	workers := river.NewWorkers()
	l.Register(workers, func(time.Duration) time.Duration { return time.Millisecond })
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[store.SyncArgs]) error { return s.work(ctx, st, job) }))
	queue := must(st.NewQueue(store.QueueConfig{Workers: workers, MaxWorkers: atOnce, Logger: slog.New(slog.DiscardHandler)}))(t)
	if err := queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	stop = func(crash bool) {
		once.Do(func() {
			grace := 10 * time.Second
			if crash {
				_ = st.Close() // the queue can note nothing any more
				grace = 0
			}
			ctx, cancel := context.WithTimeout(context.Background(), grace)
			defer cancel()
			_ = queue.Stop(ctx)
			_ = st.Close()
		})
	}
	t.Cleanup(func() { stop(false) })
	return st, l, stop
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(2 * time.Millisecond) { // between looks
		if time.Now().After(deadline) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

// runOver120 begins a run over 120 contacts, and returns when a sync of the second page
// is under way.
func runOver120(t *testing.T) (s *syncs, dir string, st *store.Store, l *Library, stop func(crash bool)) {
	t.Helper()
	dir = testdb.DataDir(t)
	s = &syncs{of: map[string]int{}, held: make(chan struct{}), holds: map[int]chan struct{}{}}
	st, l, stop = s.running(t, dir)
	must(l.Import(t.Context(), "one.yaml", []byte("name: Mine\non: contact.changed\ndo: [contact: {}]\n"), true, dana))(t)
	var list []store.Delivery
	for i := range 120 {
		id := fmt.Sprintf("c%03d", i)
		list = append(list, store.Delivery{ID: int64(i + 1), Type: "ContactUpdate", Entity: store.Entity{LocationID: "loc", Kind: "contact", ID: id}, ContactID: id})
	}
	if _, err := st.Dispatch(t.Context(), func(context.Context, *store.Tx) ([]store.Delivery, error) { return list, nil }); err != nil {
		t.Fatal(err)
	}
	await(t, "all are synced", func() bool { return must(st.Backlog(t.Context()))(t) == 0 })
	s.mu.Lock()
	s.of, s.n, s.holds[60] = map[string]int{}, 0, make(chan struct{})
	s.mu.Unlock()
	if run := must(l.Apply(t.Context(), "mine", "", dana))(t); run.Total != 120 {
		t.Fatalf("the run is over %d records", run.Total)
	}
	<-s.held
	return s, dir, st, l, stop
}

func TestARunThatIsCancelledReachesNoOtherPage(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	s, _, st, l, _ := runOver120(t)
	if was := must(l.CancelApply(t.Context(), "mine"))(t); !was {
		t.Error("no run was under way")
	}
	close(s.holds[60])
	await(t, "the syncs of its page are done", func() bool { return must(st.Backlog(t.Context()))(t) == 0 })
	await(t, "its job has ended", func() bool {
		counts := must(st.CountJobs(t.Context(), 10))(t)
		return counts["running"]+counts["queued"]+counts["scheduled"] == 0
	})
	run, _, err := l.Progress(t.Context(), "mine")
	if err != nil || run.State != store.ApplyCancelled || run.Queued != 100 || len(s.of) != 100 {
		t.Errorf("%v, the run is %+v, and %d records were synced; want it cancelled after 100", err, run, len(s.of))
	}
	if was := must(l.CancelApply(t.Context(), "mine"))(t); was {
		t.Error("it was cancelled twice")
	}
}

func TestARunGoesOnAfterACrashWhereItWas(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	s, dir, _, _, stop := runOver120(t)
	stop(true)
	s.mu.Lock()
	delete(s.holds, 60)
	s.mu.Unlock()
	_, l, _ := s.running(t, dir)
	await(t, "the run is done", func() bool {
		run, _, err := l.Progress(t.Context(), "mine")
		return err == nil && run.State == store.ApplyDone
	})
	run, _, err := l.Progress(t.Context(), "mine")
	if err != nil || run.Queued != 120 || len(s.of) != 120 {
		t.Errorf("%v, the run reached %d records, and %d were synced", err, run.Queued, len(s.of))
	}
	twice := 0
	for _, n := range s.of {
		twice += n - 1
	}
	if twice > atOnce {
		t.Errorf("%d syncs were repeated, and %d were under way", twice, atOnce)
	}
}

func TestAReplayIsWorkedAsARunIs(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	s := &syncs{of: map[string]int{}}
	st, _, _ := s.running(t, testdb.DataDir(t))
	var list []store.Delivery
	var records []store.Entity
	for i := range applyPage + 10 {
		e := store.Entity{LocationID: "loc", Kind: "contact", ID: fmt.Sprintf("c%03d", i)}
		list, records = append(list, store.Delivery{ID: int64(i + 1), Type: "ContactUpdate", Entity: e, ReceivedAt: time.Now()}), append(records, e)
	}
	must(st.Dispatch(t.Context(), func(context.Context, *store.Tx) ([]store.Delivery, error) { return list, nil }))(t)
	await(t, "all are synced", func() bool { return must(st.Backlog(t.Context()))(t) == 0 })
	s.mu.Lock()
	clear(s.of)
	s.mu.Unlock()
	id := must(st.StartReplay(t.Context(), store.Replay{What: "all webhooks", Apply: store.Apply{By: "ann", AskedAt: time.Now()}}, records[1:], []int64{2}))(t)
	await(t, "the replay is over", func() bool {
		run, _, err := st.Replay(t.Context(), id)
		return err == nil && run.State == store.ApplyDone && run.Queued == int64(len(records)-1)
	})
	await(t, "all are synced", func() bool { return must(st.Backlog(t.Context()))(t) == 0 })
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.of) != len(records)-1 || s.of["c000"] != 0 {
		t.Errorf("%d of %d records were synced: %v", len(s.of), len(records)-1, s.of)
	}
}
