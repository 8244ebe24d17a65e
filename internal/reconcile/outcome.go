package reconcile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/store"
)

// wait asks for the job to be tried again after a time, without counting as a
// failed attempt.
type wait struct {
	d   time.Duration
	why string
}

func (w *wait) Error() string {
	return fmt.Sprintf("%s; tried again in %s", w.why, w.d.Round(time.Second))
}

const (
	rateLimitWait = 10 * time.Second // HighLevel's burst window, where an answer names none
	longestWait   = 15 * time.Minute // a job that waits absorbs new events, so never longer
)

// postpone notes why a sync did not end, and tells River when to try again.
func (r *Reconciler) postpone(ctx context.Context, state store.EntityState, cause error) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	var (
		snooze *rivertype.JobSnoozeError
		w      *wait
		failed *clients.Error
	)
	note := func(outcome string) error {
		return r.store.Postpone(ctx, state.Entity, state.Wanted, outcome, cause.Error(), state.GoneAt)
	}
	switch {
	case errors.As(cause, &snooze):
		return cause // already noted
	case errors.As(cause, &w):
		return errors.Join(note(store.Waiting), river.JobSnooze(jitter(w.d)))
	case errors.Is(cause, context.Canceled):
		return river.JobSnooze(0) // shutting down: handed back
	case errors.As(cause, &failed):
		return r.postponeCall(ctx, state, failed, note)
	}
	// Not a vendor's fault: the state database, or a defect.
	r.logger.Error().Err(cause).Str("location", state.LocationID).Str("kind", state.Kind).Str("id", state.ID).Msg("sync failed; tried again")
	return errors.Join(cause, note(store.Retry))
}

// postponeCall decides for a vendor's refusal or silence.
func (r *Reconciler) postponeCall(ctx context.Context, state store.EntityState, failed *clients.Error, note func(string) error) error {
	switch failed.Reason {
	case clients.RateLimited:
		d := min(failed.RetryAfter, longestWait)
		if d <= 0 {
			d = rateLimitWait
		}
		if failed.Status == 0 && d < longestWait {
			return errors.Join(note(store.Waiting), river.JobSnooze(d)) // its own moment, given by the budget
		}
		if conn, err := r.session(ctx, state.LocationID); err == nil && failed.API == calendarhero.API {
			conn.parked.set(r.now().Add(d))
		}
		return errors.Join(note(store.Waiting), river.JobSnooze(jitter(d)))
	case clients.Unauthorized, clients.Forbidden:
		r.logger.Warn().Err(failed).Str("location", state.LocationID).Msg("a token is refused; tried again until it is put right")
		return errors.Join(failed, note(store.Auth))
	case clients.Unclear:
		// The object may exist: look for it soon, before anything else is tried.
		return errors.Join(note(store.Retry), river.JobSnooze(unclearSettle))
	}
	r.logger.Warn().Err(failed).Str("location", state.LocationID).Str("kind", state.Kind).Str("id", state.ID).Msg("call failed; tried again")
	return errors.Join(failed, note(store.Retry))
}

// jitter spreads jobs that all wait for the same moment over a tenth more.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration(rand.Int64N(int64(d)/10+int64(time.Millisecond)))
}
