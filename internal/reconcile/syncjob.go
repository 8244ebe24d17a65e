package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/store"
	"milepost/mapping"
)

const (
	// rest is how long a contact is left alone after a sync, so that a burst on it
	// costs few calls: HighLevel allows 100 in 10 s. River looks for jobs that
	// have rested once a second.
	rest = 500 * time.Millisecond
	// turnTime is how long a job begins new syncs, by the machine's clock: River
	// interrupts it after 30 s.
	turnTime = 10 * time.Second
)

// syncJob works one sync job: a contact with those of its records that have news,
// or a record that is not known to be a contact's.
func (r *Reconciler) syncJob(ctx context.Context, job *river.Job[store.SyncArgs]) error {
	return r.newRun(job.Args.Entity(), job).do(ctx)
}

// newRun makes a run of a sync job, which may be nil: then there is none to complete.
func (r *Reconciler) newRun(of store.Entity, job *river.Job[store.SyncArgs]) *syncRun {
	return &syncRun{
		Reconciler: r, job: job, of: of, ends: time.Now().Add(turnTime),
		reads: &reads{elsewhere: store.WorkedWithContact(of.Kind)}, told: map[store.Entity]int64{},
	}
}

// syncRun is one run of a sync job.
type syncRun struct {
	*Reconciler
	job   *river.Job[store.SyncArgs]
	of    store.Entity
	ends  time.Time
	reads *reads
	ended []store.Finish         // not recorded yet
	over  bool                   // the job is completed
	told  map[store.Entity]int64 // how often this run asked for a record since its state was read
}

// do runs the job. If the contact of its record is known by now (the job may come
// from an earlier version), the record belongs to the job of that contact.
func (run *syncRun) do(ctx context.Context) error {
	if run.reads.elsewhere {
		state, err := run.store.EntityState(ctx, run.of)
		switch {
		case err != nil:
			return err
		case state.ContactID != "":
			return run.store.HandOver(ctx, run.job, run.of)
		}
	}
	owed, syncedAt, err := run.store.SyncsOwed(ctx, run.of)
	if err != nil {
		return err
	}
	if ago := run.now().Sub(syncedAt); 0 < ago && ago < rest {
		return run.snooze(rest - ago)
	}
	return run.work(ctx, owed)
}

// work syncs what is owed and ready, then what that asked for: what was read is new
// enough. What anything else asks for meanwhile waits for the next run, which reads
// again.
func (run *syncRun) work(ctx context.Context, owed []store.EntityState) error {
	ready := slices.DeleteFunc(owed, func(s store.EntityState) bool { return !s.Ready(run.now()) })
	for len(ready) > 0 {
		if err := run.turn(ctx, ready); err != nil || run.over {
			return err
		}
		owed, _, err := run.store.SyncsOwed(ctx, run.of)
		if err != nil {
			return err
		}
		ready = slices.DeleteFunc(owed, func(s store.EntityState) bool {
			n := run.told[s.Entity]
			return n == 0 || s.Wanted-s.Done > n || !s.Ready(run.now()) || time.Now().After(run.ends)
		})
	}
	if run.job == nil {
		return nil
	}
	again, err := run.store.AwaitNextTry(ctx, run.job, run.now(), run.real)
	if again {
		return run.snooze(rest)
	}
	return err
}

// turn syncs records one after the other, and records those that ended together,
// what is said of the contact before its records are looked at.
func (run *syncRun) turn(ctx context.Context, ready []store.EntityState) error {
	run.expect(ready)
	for i, state := range ready {
		if time.Now().After(run.ends) {
			break
		}
		goOn, err := run.one(ctx, state, ready[i+1:])
		if err != nil {
			return errors.Join(err, run.record(ctx))
		}
		if !goOn {
			break
		}
		if state.Entity == run.of {
			if err := run.record(ctx); err != nil || run.over {
				return err
			}
		}
	}
	return run.record(ctx)
}

// expect notes which records are about to be synced: of several, a list is cheaper
// than each, and what they were asked for until now is in what is read from now on.
func (run *syncRun) expect(ready []store.EntityState) {
	run.reads.several = map[mapping.Kind]bool{}
	records := map[mapping.Kind]int{mapping.KindNote: 1} // what a note touches reads all notes
	for _, s := range ready {
		delete(run.told, s.Entity)
		records[mapping.Kind(s.Kind)]++
		run.reads.several[mapping.Kind(s.Kind)] = records[mapping.Kind(s.Kind)] > 1
	}
}

// one syncs a record. One that fails or waits does so by itself, unless the records
// after it would fare no better now: then they wait with it, and goOn is false.
func (run *syncRun) one(ctx context.Context, state store.EntityState, after []store.EntityState) (goOn bool, err error) {
	start := run.now()
	res, err := run.syncWith(ctx, &state, run.reads)
	if errors.Is(err, errElsewhere) {
		run.over = true
		return false, run.store.HandOver(ctx, run.job, run.of)
	}
	if err != nil {
		late, others, err := run.postpone(ctx, state, err)
		if err == nil && others {
			err = run.postponeAll(ctx, after, late)
		}
		return !others, err
	}
	run.ended = append(run.ended, store.Finish{
		Entity: state.Entity, Seen: state.Wanted, ContactID: res.contactID, Fingerprint: res.fingerprint, Mark: res.mark,
		Outcome: res.outcome(), Detail: res.detail(), Now: run.now(),
		Touch: res.touch, Backfill: state.Backfill, Timeline: res.timeline, Erase: res.erase,
	})
	naming(run.logger.Info(), state.Entity).Str("outcome", res.outcome()).Strs("did", res.did).Strs("why", res.why()).
		Dur("took", run.now().Sub(start)).Msg("synced")
	return true, nil
}

// record records what ended, and completes the job where nothing is owed.
func (run *syncRun) record(ctx context.Context) error {
	if len(run.ended) == 0 {
		return nil
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	again, err := run.store.FinishSync(ctx, run.job, run.ended...)
	if err != nil {
		if store.Unavailable(err) {
			run.away.Failed(err)
		}
		return err
	}
	run.away.Succeeded()
	told := map[store.Entity]bool{}
	for _, f := range run.ended {
		for _, e := range f.Touch {
			if e != f.Entity && !told[e] {
				told[e] = true
				run.told[e]++
			}
		}
	}
	run.over, run.ended = run.job != nil && !again, nil
	return nil
}

// postponeAll postpones records that would fare no better than one that just did not
// end.
func (run *syncRun) postponeAll(ctx context.Context, states []store.EntityState, late store.Postponed) error {
	for _, s := range states {
		if err := run.store.Postpone(ctx, store.Postponed{
			Entity: s.Entity, Seen: s.Wanted, Outcome: late.Outcome, Detail: late.Detail, GoneAt: s.GoneAt, NextTry: late.NextTry, Tries: s.Tries,
		}); err != nil {
			return err
		}
	}
	return nil
}
