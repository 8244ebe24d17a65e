package reconcile

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/connection"
	"milepost/internal/outcome"
	"milepost/internal/store"
)

// backfillJob searches a location further, from where the search is, until it is done or
// a person cancels it.
func (r *Reconciler) backfillJob(ctx context.Context, job *river.Job[store.BackfillArgs]) error {
	id := job.Args.LocationID
	run, ok, err := r.store.BackfillOf(ctx, id)
	if err != nil {
		return err
	}
	if !ok || run.State != store.ApplyRunning {
		return r.endBackfill(ctx, job, run)
	}
	before, err := r.store.Reconciliation(ctx, run.Name())
	if err != nil {
		return err
	}
	since, err := time.Parse(time.DateOnly, run.Since)
	if err != nil { // all
		since = time.Time{}
	}
	slice, cancel := context.WithTimeout(ctx, sweepSlice)
	defer cancel()
	at, err := r.Sweep(slice, run.Name(), id, since, false, func(store.Reconciliation, []store.Found) {
		if now, ok, err := r.store.BackfillOf(ctx, id); err == nil && (!ok || now.State != store.ApplyRunning) {
			cancel()
		}
	})
	_, absent := errors.AsType[*connection.NotConnected](err)
	wait, limited := outcome.RateLimit(err, time.Second)
	switch {
	case absent:
		if _, err := r.store.CancelBackfill(ctx, id, r.now()); err != nil {
			return err
		}
		return r.endBackfill(ctx, job, run)
	case err == nil:
		r.logger.Info().Str("location", id).Int64("contacts", at.Contacts).Int64("tasks", at.Tasks).Int64("found", at.Differing).Int64("calls", at.Calls).Msg("backfill has queued what it found")
		return r.endBackfill(ctx, job, run)
	case slice.Err() != nil && ctx.Err() == nil && at.Place != before.Place:
		return r.jobs.Snooze(0)
	case limited:
		return r.jobs.Snooze(wait)
	}
	r.logger.Warn().Err(err).Str("location", id).Msg("backfill interrupted; continuing later")
	return r.jobs.Snooze(time.Minute)
}

func (r *Reconciler) endBackfill(ctx context.Context, job *river.Job[store.BackfillArgs], run store.Backfill) error {
	run.LocationID = job.Args.LocationID
	more, err := r.store.EndBackfill(ctx, job, run, r.now())
	if err == nil && more {
		return r.jobs.Snooze(0)
	}
	return err
}
