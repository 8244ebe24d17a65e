package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

func taskOf(contact, id string) store.Delivery {
	return store.Delivery{Type: "TaskCreate", Entity: store.Entity{LocationID: "loc", Kind: "task", ID: id}, ContactID: contact}
}

// jobs lists the live sync jobs, as "kind id".
func (b *bundle) jobs(t *testing.T) (list []string) {
	t.Helper()
	rows, err := b.Query(t.Context(), `SELECT args ->> 'kind', args ->> 'id' FROM river_job WHERE kind = 'sync' AND finalized_at IS NULL ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var kind, id string
		if err := rows.Scan(&kind, &id); err != nil {
			t.Fatal(err)
		}
		list = append(list, kind+" "+id)
	}
	return list
}

func TestTheRecordsOfAContactShareItsJob(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		var all []store.Delivery
		for i := range 10 {
			d := taskOf("c1", fmt.Sprint("t", i))
			d.ID = int64(i + 1)
			all = append(all, d)
		}
		all = append(all, store.Delivery{ID: 20, Type: "ContactUpdate", Entity: contact1})
		b.deliver(t, all...)
		if got := b.jobs(t); len(got) != 1 || got[0] != "contact c1" {
			t.Errorf("the jobs are %v, want one of the contact", got)
		}
		owed, _, err := b.SyncsOwed(t.Context(), contact1)
		if err != nil || len(owed) != 11 || owed[0].Entity != contact1 {
			t.Errorf("%d are owed, the first of them %s: %v; want 11, the contact first", len(owed), owed[0].Entity, err)
		}
	})
}

// A record that waits for its next try does not delay the other records of its contact. An
// event on another record does not end that wait.
func TestAnEventDoesNotWaitForAnotherRecordsNextTry(t *testing.T) {
	for _, wait := range []time.Duration{15 * time.Minute, 4500 * time.Millisecond} {
		t.Run(wait.String(), func(t *testing.T) { eventGoesBefore(t, wait) })
	}
}

func eventGoesBefore(t *testing.T, wait time.Duration) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		var waits atomic.Int64
		slept, done := make(chan bool, 10), make(chan string, 10)
		b := setup(t, open, func(ctx context.Context, st *store.Store, job *river.Job[store.SyncArgs]) error {
			owed, _, err := st.SyncsOwed(ctx, job.Args.Entity())
			if err != nil {
				return err
			}
			var ended []store.Finish
			for _, s := range owed {
				if s.ID == "waits" && s.NextTry.IsZero() {
					waits.Add(1)
					if err := st.Postpone(ctx, store.Postponed{Entity: s.Entity, Wanted: s.Wanted, Outcome: store.Waiting, NextTry: time.Now().Add(wait)}); err != nil {
						return err
					}
				} else if s.Ready(time.Now()) {
					ended = append(ended, store.Finish{Entity: s.Entity, Wanted: s.Wanted, Outcome: store.Done, Now: time.Now()})
				}
			}
			if again, err := st.FinishSync(ctx, job, ended...); err != nil || !again {
				return err
			}
			for _, f := range ended {
				done <- f.Entity.ID
			}
			again, err := st.AwaitNextTry(ctx, job, time.Now(), func(d time.Duration) time.Duration { return d })
			if again {
				return river.JobSnooze(0)
			}
			slept <- true
			return err
		})
		first := taskOf("c1", "waits")
		first.ID = 1
		b.deliver(t, first)
		<-slept
		ends := must(b.EntityState(t.Context(), first.Entity))(t).NextTry
		second := taskOf("c1", "another")
		second.ID = 2
		b.deliver(t, second)
		select {
		case id := <-done:
			if id != "another" || !time.Now().Before(ends) {
				t.Errorf("%s was synced %s after the end of the wait", id, time.Since(ends))
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the event waits with the other record")
		}
		<-slept
		third := first
		third.ID = 3
		b.deliver(t, third) // waits too
		if n := waits.Load(); n != 1 {
			t.Errorf("the record that waits was tried %d times", n)
		}
		state := must(b.EntityState(t.Context(), first.Entity))(t)
		if state.Wanted != 2 || state.Done != 0 || state.NextTry.IsZero() {
			t.Errorf("it is noted as %+v", state)
		}
	})
}

// River makes scheduled jobs available every five seconds, and fetches available ones every
// second.
func TestATryThatIsDueSoonStartsOnTime(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		const wait = 300 * time.Millisecond
		runs := make(chan time.Time, 10)
		var due time.Time
		b := setup(t, open, func(ctx context.Context, st *store.Store, job *river.Job[store.SyncArgs]) error {
			state, err := st.EntityState(ctx, job.Args.Entity())
			if err != nil {
				return err
			}
			if state.NextTry.IsZero() {
				due = time.Now().Add(wait)
				if err := st.Postpone(ctx, store.Postponed{Entity: state.Entity, Wanted: state.Wanted, Outcome: store.Waiting, NextTry: due}); err != nil {
					return err
				}
				again, err := st.AwaitNextTry(ctx, job, time.Now(), func(d time.Duration) time.Duration { return d })
				if again { // on a slow machine, the try is already due
					return river.JobSnooze(0)
				}
				rows, queryErr := st.Query(ctx, `SELECT id FROM river_job WHERE state = 'scheduled'`)
				if queryErr != nil {
					return errors.Join(err, queryErr)
				}
				defer rows.Close()
				if rows.Next() {
					t.Error("the job waits for River's scheduler")
				}
				return err
			}
			runs <- time.Now()
			_, err = st.FinishSync(ctx, job, store.Finish{Entity: state.Entity, Wanted: state.Wanted, Outcome: store.Done, Now: time.Now()})
			return err
		})
		b.deliver(t, store.Delivery{ID: 1, Type: "ContactUpdate", Entity: contact1})
		if early := due.Sub(<-runs); early > 0 {
			t.Errorf("the try was %s early", early)
		}
	})
}

// If an event is dispatched while the job of its contact ends, either the end sees it, or a
// new job exists.
func TestNoEventIsLostWhileTheJobOfItsContactEnds(t *testing.T) {
	t.Parallel()
	url := testdb.Postgres(t) // SQLite has one writer
	began, asked, ended := make(chan bool), make(chan bool), make(chan bool, 10)
	var runs atomic.Int64
	b := setup(t, func() *store.Store { return must(store.OpenPostgres(t.Context(), url))(t) }, func(ctx context.Context, st *store.Store, job *river.Job[store.SyncArgs]) error {
		owed, _, err := st.SyncsOwed(ctx, job.Args.Entity())
		if err != nil {
			return err
		}
		if runs.Add(1) == 1 {
			began <- true
			<-asked
		}
		var list []store.Finish
		for _, s := range owed {
			list = append(list, store.Finish{Entity: s.Entity, Wanted: s.Wanted, Outcome: store.Done, Now: time.Now()})
		}
		again, err := st.FinishSync(ctx, job, list...)
		ended <- true
		if again {
			return river.JobSnooze(0)
		}
		return err
	})
	first := taskOf("c1", "t1")
	first.ID = 1
	b.deliver(t, first)
	<-began // a transaction begun earlier would lock the job's row, so no worker would start it
	err := b.InTx(t.Context(), func(tx *store.Tx) error {
		defer close(asked)
		if err := tx.Ask(t.Context(), taskOf("c1", "t2").Entity, "c1"); err != nil {
			return err
		}
		asked <- true
		for len(ended) == 0 { // until the end waits for this transaction
			rows, err := b.Query(t.Context(), `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
			if err != nil {
				return err
			}
			waits := rows.Next()
			rows.Close()
			if waits {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for must(b.Backlog(t.Context()))(t) > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("the event was lost; the jobs are %v", b.jobs(t))
		}
		select {
		case <-ended:
		case <-time.After(time.Second):
		}
	}
}

// The previous version had one job for each record, and did not store which contact's job
// syncs a record. Such jobs hand their records over.
func TestJobsOfThePreviousVersionHandTheirRecordsOver(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		done := make(chan string, 10)
		worked := false
		b := setup(t, open, func(ctx context.Context, st *store.Store, job *river.Job[store.SyncArgs]) error {
			e := job.Args.Entity()
			if e.Kind == "task" {
				return st.HandOver(ctx, job, e)
			}
			owed, _, err := st.SyncsOwed(ctx, e)
			if err != nil {
				return err
			}
			var ended []store.Finish
			for _, s := range owed {
				ended = append(ended, store.Finish{Entity: s.Entity, Wanted: s.Wanted, Outcome: store.Done, Now: time.Now()})
				worked = worked || s.Kind == "task"
			}
			again, err := st.FinishSync(ctx, job, ended...)
			if again {
				return river.JobSnooze(0)
			}
			for _, s := range owed {
				done <- s.ID
			}
			return err
		})
		err := b.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), `INSERT INTO entities (location_id, kind, id, contact_id, wanted, done, deleted_wanted, gone_at, fingerprint, outcome, detail, synced_at, mark, backfill)
				VALUES ('loc', 'task', 't1', 'c1', 4, 3, 0, 0, 'f', 'done', '', 5, '', 0)`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		old := taskOf("", "t1")
		old.ID = 1
		b.deliver(t, old) // its row exists without a contact's job, so it gets a job as in the previous version
		select {
		case id := <-done:
			if id != "t1" || !worked {
				t.Errorf("%s was synced", id)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("the old job's record was not worked; the jobs are %v", b.jobs(t))
		}
		next := taskOf("c1", "t1")
		next.ID = 2
		b.deliver(t, next)
		if id := <-done; id != "t1" {
			t.Errorf("%s was synced", id)
		}
		if state := must(b.EntityState(t.Context(), old.Entity))(t); state.SyncContact != "c1" {
			t.Errorf("the task is worked by the job of %q, want c1's", state.SyncContact)
		}
	})
}

// A process of the previous version may run next to one of this version. It completes a
// contact's job without checking the contact's records.
func TestAnOwedSyncWithoutAJobGetsOne(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		d := taskOf("c1", "t1")
		d.ID = 1
		b.deliver(t, d)
		err := b.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), `DELETE FROM river_job`)
			return err
		})
		for range 2 {
			if err = errors.Join(err, b.QueueOwed(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		if got := b.jobs(t); len(got) != 1 || got[0] != "contact c1" {
			t.Errorf("the jobs are %v, want one of the contact", got)
		}
	})
}
