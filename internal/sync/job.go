package sync

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/jobs"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/internal/tracing"
	"milepost/mapping"
)

const (
	// pauseAfterSync is the pause of a contact after a sync, so that a burst on it costs few
	// calls: HighLevel allows 100 in 10 s. River checks once a second for jobs that are due.
	pauseAfterSync = 500 * time.Millisecond
	// batchTime is how long a job starts new syncs, by the machine's clock. River
	// interrupts a job after 30 s.
	batchTime = 10 * time.Second
)

// syncJob works one sync job: a contact with all of its records that have changed, or a
// record whose contact is not known.
func (r *Syncer) syncJob(ctx context.Context, job *river.Job[store.SyncArgs]) error {
	return r.newRun(job.Args.Entity(), job).do(ctx)
}

// newRun makes a run of a sync job. If job is nil, the run completes none.
func (r *Syncer) newRun(of store.Entity, job *river.Job[store.SyncArgs]) *syncRun {
	return &syncRun{
		Syncer: r, job: job, of: of, ends: time.Now().Add(batchTime),
		reads: &reads{elsewhere: store.WorkedWithContact(of.Kind)}, told: map[store.Entity]int64{},
	}
}

// syncRun is one run of a sync job.
type syncRun struct {
	*Syncer
	job   *river.Job[store.SyncArgs]
	of    store.Entity
	ends  time.Time
	reads *reads
	ended []store.Finish         // not recorded yet
	over  bool                   // the job is completed
	told  map[store.Entity]int64 // how often this run queued a record since it read its state
}

// do runs the job. If the contact of the job's record is known by now, do hands the record
// over to the job of that contact. Jobs of an earlier version are handed over too.
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
	if ago := run.now().Sub(syncedAt); 0 < ago && ago < pauseAfterSync {
		return run.Snooze(pauseAfterSync - ago)
	}
	return run.work(ctx, owed)
}

// work syncs the owed records that are ready, then the records that these syncs queued,
// because the run's reads are fresh enough for them. A record with a new event waits for
// the next run, which reads again.
func (run *syncRun) work(ctx context.Context, owed []store.EntityState) error {
	ready := slices.DeleteFunc(owed, func(s store.EntityState) bool { return !s.Ready(run.now()) })
	for len(ready) > 0 {
		if err := run.batch(ctx, ready); err != nil || run.over {
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
		return run.Snooze(pauseAfterSync)
	}
	return err
}

// batch syncs records one after the other, and stores the results together. It stores the
// contact's own result before it syncs the other records.
func (run *syncRun) batch(ctx context.Context, ready []store.EntityState) error {
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

// expect notes which records are about to be synced. For several records of a kind, one
// list costs fewer calls than single reads. The run's later reads contain the changes of
// all events until now.
func (run *syncRun) expect(ready []store.EntityState) {
	run.reads.several = map[mapping.Kind]bool{}
	records := map[mapping.Kind]int{mapping.KindNote: 1} // a record that shows notes reads all of them
	for _, s := range ready {
		delete(run.told, s.Entity)
		records[mapping.Kind(s.Kind)]++
		run.reads.several[mapping.Kind(s.Kind)] = records[mapping.Kind(s.Kind)] > 1
	}
}

// one syncs a record. If it fails or waits, the others go on without it. If the others
// would fail too, they wait with it, and goOn is false.
func (run *syncRun) one(ctx context.Context, state store.EntityState, after []store.EntityState) (goOn bool, err error) {
	start := run.now()
	ctx, ended := run.traced(clients.Logging(ctx), state)
	run.reads.mailed = nil
	res, err := run.syncWith(ctx, &state, run.reads)
	if errors.Is(err, errElsewhere) {
		run.over = true
		ended("elsewhere", nil)
		return false, run.store.HandOver(ctx, run.job, run.of)
	}
	if err != nil {
		cause := err
		late, others, err := run.postpone(ctx, state, err, run.reads.mailed...)
		ended(late.Outcome, cause)
		if err == nil && others {
			err = run.postponeAll(ctx, after, late)
		}
		return !others, err
	}
	if !res.evaluated {
		res.parts = state.Parts
	}
	run.ended = append(run.ended, store.Finish{
		Planned: res.evaluated, LookAt: res.again, Parts: res.parts, Happened: res.happened, Tagged: res.tagged, Last: res.last,
		Entity: state.Entity, Wanted: state.Wanted, ContactID: res.contactID, Fingerprint: res.fingerprint, Mark: res.mark,
		Outcome: res.outcome(), Detail: res.detail(), Cause: res.causes[res.outcome()], Considered: res.considered, Now: run.now(),
		Requeue: res.requeue, Backfill: state.Backfill, Timeline: res.timeline, Erase: res.erase, Contact: res.card,
		Calls: made(ctx, state.Entity, res.contactID, res.outcome() != store.Unchanged, run.reads.mailed),
	})
	ended(res.outcome(), nil)
	took := run.now().Sub(start)
	run.synced(state.Kind, res.outcome(), took)
	jobs.WithEntity(tracing.Log(ctx, run.logger).Info(), state.Entity).Str("outcome", res.outcome()).Strs("did", res.did).Strs("why", res.why()).
		Dur("took", took).Msg("synced")
	return true, nil
}

// record stores the results of the syncs that ended, and completes the job if nothing
// is owed.
func (run *syncRun) record(ctx context.Context) error {
	if len(run.ended) == 0 {
		return nil
	}
	ctx, cancel := jobs.Detached(ctx)
	defer cancel()
	again, err := run.store.FinishSync(ctx, run.job, run.ended...)
	if err != nil {
		if store.Unavailable(err) {
			run.Database.Failed(err)
		}
		return err
	}
	run.Database.Succeeded()
	told := map[store.Entity]bool{}
	for _, f := range run.ended {
		for _, e := range f.Requeue {
			if e != f.Entity && !told[e] {
				told[e] = true
				run.told[e]++
			}
		}
	}
	run.over, run.ended = run.job != nil && !again, nil
	return nil
}

// postponeAll postpones records that would fail like the one before them.
func (run *syncRun) postponeAll(ctx context.Context, states []store.EntityState, late store.Postponed) error {
	for _, s := range states {
		if err := run.store.Postpone(ctx, store.Postponed{
			Entity: s.Entity, Wanted: s.Wanted, Backfill: s.Backfill, Outcome: late.Outcome, Detail: late.Detail, Cause: late.Cause, GoneAt: s.GoneAt, NextTry: late.NextTry, Tries: s.Tries, Now: run.now(),
		}); err != nil {
			return err
		}
	}
	return nil
}

// postpone stores why a sync did not end, and when Milepost retries it. others reports
// whether the other records of the contact would fail too.
func (r *Syncer) postpone(ctx context.Context, state store.EntityState, cause error, mailed ...store.Mailed) (p store.Postponed, others bool, err error) {
	if errors.Is(cause, context.Canceled) {
		return p, true, river.JobSnooze(0) // shutting down: handed back
	}
	ctx, cancel := jobs.Detached(ctx)
	defer cancel()
	next := outcome.Of(cause, state.Tries)
	p = store.Postponed{Entity: state.Entity, Wanted: state.Wanted, Backfill: state.Backfill, Outcome: next.Outcome, Detail: cause.Error(), Cause: outcome.CauseOf(cause), GoneAt: state.GoneAt, Tries: state.Tries, Now: r.now(), Calls: made(ctx, state.Entity, state.ContactID, false, mailed)}
	if next.Failed {
		p.Tries++
	}
	if w, ok := errors.AsType[*outcome.Wait](cause); ok && !w.Unconfirmed.IsZero() {
		p.GoneAt = w.Unconfirmed
	}
	r.logPostponed(ctx, state, next, p.Tries, cause)
	after := next.After
	if !next.Exact {
		after = r.spread(after)
	}
	p.NextTry = r.now().Add(after)
	return p, next.Others, r.store.Postpone(ctx, p)
}

// logPostponed logs a wait when it begins. It logs an outage of a vendor once for each
// location when it begins, and once when it is over. It logs any other failure at its 1st,
// 2nd, 4th, 8th … try.
func (r *Syncer) logPostponed(ctx context.Context, state store.EntityState, next outcome.Next, tries int64, cause error) {
	failed, _ := errors.AsType[*clients.Error](cause)
	log := tracing.Log(ctx, r.logger)
	line := func(level zerolog.Level) *zerolog.Event {
		if tries&(tries-1) != 0 {
			level = zerolog.DebugLevel
		}
		return jobs.WithEntity(log.WithLevel(level), state.Entity).Int64("attempt", tries)
	}
	wait := next.After.Round(time.Second).String()
	switch next.Cause {
	case outcome.Waits:
		if w, _ := errors.AsType[*outcome.Wait](cause); !w.Logged && state.Outcome != store.Waiting {
			jobs.WithEntity(log.Info(), state.Entity).Str("for", wait).Str("why", w.Why).Msg("sync waits")
		}
	case outcome.Storage:
		r.Database.Failed(cause)
	case outcome.Defect:
		line(zerolog.ErrorLevel).Err(cause).Msg("sync failed; retrying")
	case outcome.RateLimited:
		if !next.Exact && r.limitBegins(ctx, state, next, failed) {
			jobs.WithEntity(log.Info(), state.Entity).Str("vendor", failed.API).Str("for", wait).Msg("rate limited; other jobs of this location wait too")
		}
	case outcome.Unauthorized:
		line(zerolog.WarnLevel).Err(failed).Msg("token rejected; retrying until it works")
	case outcome.Unclear:
		jobs.WithEntity(log.Warn(), state.Entity).Err(failed).Bool("timed_out", failed.TimedOut()).
			Msg("unknown whether a create took effect; Milepost looks for the object before it creates it again")
	case outcome.Outage:
		r.Outage(failed.API, state.LocationID).Failed(failed)
		jobs.WithEntity(log.Debug(), state.Entity).Int64("attempt", tries).Err(failed).Msg("call failed; retrying")
	}
}

// limitBegins reports whether a rate limit begins with this failure. It tells the other
// jobs of the account about a rate limit of CalendarHero.
func (r *Syncer) limitBegins(ctx context.Context, state store.EntityState, next outcome.Next, failed *clients.Error) bool {
	if conn, err := r.session(ctx, state.LocationID); err == nil && failed.API == calendarhero.API {
		return conn.Cooldown.Begin(r.now(), r.now().Add(next.After))
	}
	return state.Outcome != store.Waiting
}
