package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/store"
	"milepost/internal/testenv/testdb"
)

func TestAnotherProcessTakesOverTheJobsOfADeadOne(t *testing.T) {
	url := testdb.Postgres(t)
	open := func() *store.Store { return must(store.OpenPostgres(t.Context(), url))(t) }
	pool := must(store.PostgresPool(t.Context(), url, 2))(t)
	defer pool.Close()

	type run struct {
		ctx context.Context
		st  *store.Store
		job *river.Job[store.SyncArgs]
	}
	began, gone := make(chan run), make(chan error)
	frozen := make(chan struct{}) // the first process hangs until this is closed
	// With one worker, which hangs, this process does not fetch the job again.
	setup(t, open, func(ctx context.Context, st *store.Store, job *river.Job[store.SyncArgs]) error {
		began <- run{ctx, st, job}
		<-frozen
		_, err := st.FinishSync(ctx, job, store.Finish{Entity: job.Args.Entity(), Wanted: 1, Outcome: "done"})
		gone <- err
		return err
	}, 1).deliver(t, store.Delivery{ID: 1, Type: "ContactUpdate", Entity: contact1})
	first := <-began
	if taken := must(first.st.Lease(t.Context(), "contact x", "it", time.Now(), time.Now().Add(time.Hour)))(t); !taken {
		t.Fatal("the lease was not taken")
	}

	second := make(chan *river.Job[store.SyncArgs], 1)
	finish := make(chan struct{})
	heir := setup(t, open, func(ctx context.Context, st *store.Store, job *river.Job[store.SyncArgs]) error {
		second <- job
		<-finish
		_, err := st.FinishSync(ctx, job, store.Finish{Entity: job.Args.Entity(), Wanted: 1, Outcome: "done"})
		return err
	})
	beat := func(st *store.Store) {
		t.Helper()
		if err := st.Beat(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	beat(heir.Store)
	if len(second) > 0 {
		t.Fatal("the job of a living process was taken")
	}

	first.st.Freeze()
	if _, err := pool.Exec(t.Context(), `UPDATE processes SET beat_at = beat_at - interval '18 seconds' WHERE id = $1`, first.st.Process()); err != nil {
		t.Fatal(err)
	}
	first.st.LastBeat(time.Now().Add(-18 * time.Second))
	if !first.st.Fenced() || heir.Fenced() {
		t.Errorf("fenced are the first: %v, the second: %v; want the first alone", first.st.Fenced(), heir.Fenced())
	}
	beat(heir.Store)
	taken := <-second
	if taken.ID == first.job.ID {
		t.Error("the job has its old id, under which the first process can still end it")
	}
	if free := must(heir.Lease(t.Context(), "contact x", "other", time.Now(), time.Now().Add(time.Hour)))(t); !free {
		t.Error("the lease of the dead process holds")
	}
	if err := first.st.SaveLink(first.ctx, store.Link{Entity: contact1, Item: "a", State: store.LinkLive}, time.Now(), nil); err == nil {
		t.Error("the process that was taken for dead writes a link before it found out")
	}
	beat(first.st) // it learns that it was taken for dead
	<-first.ctx.Done()
	close(frozen)
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the process that was taken for dead ends the job it had: %v", err)
	}
	if err := first.st.SaveLink(first.ctx, store.Link{Entity: contact1, Item: "a", State: store.LinkLive}, time.Now(), nil); err == nil {
		t.Error("it writes a link for that job")
	}
	var state string
	if err := pool.QueryRow(t.Context(), `SELECT state FROM river_job WHERE id = $1`, taken.ID).Scan(&state); err != nil || state != "running" {
		t.Errorf("the job of the second is %q (%v), want running", state, err)
	}
	close(finish)
	for must(heir.EntityState(t.Context(), contact1))(t).Done != 1 {
		if t.Context().Err() != nil {
			t.Fatal("the second process does not end it")
		}
	}
}
