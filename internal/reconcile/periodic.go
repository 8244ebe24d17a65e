package reconcile

import (
	"context"
	"errors"
	"hash/fnv"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/connection"
	"milepost/internal/outcome"
	"milepost/internal/store"
)

// sweepSlice is how long one job searches before it makes room for others. The next one
// continues. It is shorter than the time limit of a job.
const sweepSlice = 20 * time.Second

// reconcileJob continues the reconciliation of a location, or begins the next one when it is due.
func (r *Reconciler) reconcileJob(ctx context.Context, job *river.Job[store.ReconcileArgs]) error {
	id := job.Args.LocationID
	at, err := r.store.Reconciliation(ctx, id)
	if err != nil {
		return err
	}
	if r.every <= 0 {
		return nil // switched off
	}
	if left := r.due(at).Sub(r.now()); at.Place == "" && left > 0 {
		return r.jobs.Snooze(min(left, r.every))
	}
	since := at.Until
	if since.IsZero() {
		c, ok, err := r.store.Connection(ctx, id)
		if err != nil || !ok {
			return err
		}
		since = c.CreatedAt
	}
	since = earliest(since, r.now()) // a clock that was ahead noted it
	before := at.Place
	slice, cancel := context.WithTimeout(ctx, sweepSlice)
	defer cancel()
	at, err = r.Sweep(slice, id, id, since.Add(-Overlap), false, nil)
	log := r.logger.Info().Str("location", id).Int64("contacts", at.Contacts).Int64("tasks", at.Tasks).
		Int64("found", at.Differing).Int64("calls", at.Calls)
	_, absent := errors.AsType[*connection.NotConnected](err)
	wait, limited := outcome.RateLimit(err, time.Second)
	switch {
	case absent:
		return nil // no longer connected: its job comes back with it
	case err == nil:
		if err := r.store.ReconciliationSucceeded(ctx, id); err != nil {
			return err
		}
		log.Int64("calls_per_hour", at.CallsPerHour(r.every)).Msg("reconciled")
		return r.jobs.Snooze(min(r.due(at).Sub(r.now()), r.every))
	case slice.Err() != nil && ctx.Err() == nil && at.Place != before:
		log.Int64("of_contacts", at.ContactsTotal).Msg("reconciliation continues")
		return r.jobs.Snooze(0)
	case limited:
		return r.jobs.Snooze(wait)
	}
	r.logger.Warn().Err(err).Str("location", id).Msg("reconciliation interrupted; continuing later")
	if ctx.Err() == nil { // else Milepost stops, and the location has no fault
		failure := store.ReconciliationFailure{Cause: outcome.CauseOf(err), Detail: err.Error(), Last: r.now()}
		failure.Cause.LocationID, failure.Cause.Outcome = id, outcome.Of(err, 0).Outcome
		if err := r.store.NoteReconciliationFailure(ctx, failure); err != nil {
			return err
		}
	}
	return r.jobs.Snooze(min(r.every, outcome.LongestWait))
}

// due returns when the next reconciliation of a location begins: the first one at once, the
// next ones at a moment of its own in every interval. So locations that were connected
// together are not searched together. At least half an interval lies between two of them.
// If one ended in the future, by a clock that was ahead, the next one does not wait for it.
func (r *Reconciler) due(at store.Reconciliation) time.Time {
	if at.FinishedAt.IsZero() || at.FinishedAt.After(r.now()) {
		return time.Time{}
	}
	name := fnv.New32a()
	_, _ = name.Write([]byte(at.Name))
	own := time.Duration(float64(r.every) * float64(name.Sum32()) / (1 << 32))
	rested := at.FinishedAt.Add(r.every / 2)
	due := rested.Truncate(r.every).Add(own)
	if due.Before(rested) {
		due = due.Add(r.every)
	}
	return due
}
