package reconcile

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/connection"
	"milepost/internal/outage"
	"milepost/internal/store"
)

// wait asks for the job to be tried again after a time, without counting as a
// failed attempt.
type wait struct {
	d       time.Duration
	why     string
	quiet   bool      // it is logged already, for all that wait for the same
	doubted time.Time // since when the record's existence is in doubt; zero = as before
}

func (w *wait) Error() string { return w.why }

const (
	rateLimitWait = 10 * time.Second // HighLevel's burst window, where an answer names none
	longestWait   = 15 * time.Minute // a job that waits absorbs new events, so never longer
)

// postpone notes why a sync did not end, and when it is retried. others reports that
// the other records of the contact would fare no better now. It logs a wait when it
// begins, a vendor's outage once for a location when it begins and once when it is
// over, and another failure at its 1st, 2nd, 4th, 8th … attempt.
func (r *Reconciler) postpone(ctx context.Context, state store.EntityState, cause error) (p store.Postponed, others bool, err error) {
	if errors.Is(cause, context.Canceled) {
		return p, true, river.JobSnooze(0) // shutting down: handed back
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	p = store.Postponed{Entity: state.Entity, Seen: state.Wanted, Outcome: store.Retry, Detail: cause.Error(), GoneAt: state.GoneAt, Tries: state.Tries + 1}
	after := store.BackoffAfter(int(state.Tries))
	log := func(level zerolog.Level) *zerolog.Event {
		if p.Tries&(p.Tries-1) != 0 {
			level = zerolog.DebugLevel
		}
		return naming(r.logger.WithLevel(level), state.Entity).Int64("attempt", p.Tries)
	}
	// waits is for what is no failure.
	waits := func(outcome string, d time.Duration) {
		p.Outcome, p.Tries, after = outcome, state.Tries, min(d, longestWait)
	}
	w, isWait := errors.AsType[*wait](cause)
	failed, isVendors := errors.AsType[*clients.Error](cause)
	switch {
	case isWait:
		waits(store.Waiting, w.d) // the clock may have been put back
		if !w.doubted.IsZero() {
			p.GoneAt = w.doubted
		}
		if !w.quiet && state.Outcome != store.Waiting {
			naming(r.logger.Info(), state.Entity).Str("for", after.Round(time.Second).String()).Str("why", w.why).Msg("sync waits")
		}
	case !isVendors && store.Unavailable(cause):
		r.away.Failed(cause)
	case !isVendors: // a defect
		log(zerolog.ErrorLevel).Err(cause).Msg("sync failed; retrying")
	case failed.Reason == clients.RateLimited:
		others = true
		d := failed.RetryAfter
		if d <= 0 {
			d = rateLimitWait
		}
		waits(store.Waiting, d)
		if failed.Status == 0 && d < longestWait {
			break
		}
		begins := state.Outcome != store.Waiting
		if conn, err := r.session(ctx, state.LocationID); err == nil && failed.API == calendarhero.API {
			begins = conn.parked.set(r.now(), r.now().Add(after))
		}
		if begins {
			naming(r.logger.Info(), state.Entity).Str("vendor", failed.API).Str("for", after.Round(time.Second).String()).Msg("rate limited; other jobs of this location wait too")
		}
	case failed.Reason == clients.Unauthorized, failed.Reason == clients.Forbidden, failed.Reason == clients.Inactive:
		others, p.Outcome = true, store.Auth
		if p.Tries <= refusalTries {
			after = min(after, longestOutageWait*9/10)
		}
		log(zerolog.WarnLevel).Err(failed).Msg("token rejected; retrying until it works")
	case failed.Reason == clients.Unclear && !failed.Foreign:
		// The object may exist: look for it soon, before anything else is tried.
		waits(store.Retry, unclearSettle)
		naming(r.logger.Warn(), state.Entity).Err(failed).Bool("timed_out", failed.TimedOut()).
			Msg("unknown whether a create took effect; Milepost looks for the object before it creates it again")
	default:
		others = true
		r.outage(failed.API, state.LocationID).Failed(failed)
		naming(r.logger.Debug(), state.Entity).Int64("attempt", p.Tries).Err(failed).Msg("call failed; retrying")
		after = min(after, longestOutageWait*9/10)
	}
	if isVendors && failed.Reason == clients.RateLimited && failed.Status == 0 && after < longestWait {
		p.NextTry = r.now().Add(after) // its own moment, given by the budget
	} else {
		p.NextTry = r.now().Add(r.spread(after))
	}
	return p, others, r.store.Postpone(ctx, p)
}

// refusalTries is for how many tries a rejected token is taken for an outage, in which
// something else may answer: a quarter of an hour. After that a person is needed.
const refusalTries = 25

// longestOutageWait is the longest time after which a job tries a vendor again
// that did not answer, or in whose place something else did: what is healed is
// worked within a minute.
const longestOutageWait = 40 * time.Second

// whenItAnswers has River try a job again that a vendor's outage stopped: after 2 s
// at first, doubled each time up to longestOutageWait. So many jobs do not come at
// once, since the lane of a vendor that does not answer lets one in at a time.
func (r *Reconciler) whenItAnswers(job *rivertype.JobRow, cause error) error {
	if (store.Backoff{Real: func(d time.Duration) time.Duration { return d }}).Wait(job) < longestOutageWait {
		return cause // River's own back-off
	}
	return r.snooze(jitter(longestOutageWait * 9 / 10))
}

// outage is the log of a vendor's outages for a location, or for its CalendarHero
// account.
func (r *Reconciler) outage(api, locationID string) *outage.Log {
	name := connection.LocationLane(locationID)
	if api == calendarhero.API {
		if conn, err := r.connections.Lookup(context.Background(), locationID); err == nil {
			name = connection.AccountLane(conn.Account)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.outages[name] == nil {
		r.outages[name] = outage.New(r.logger.With().Str("location", locationID).Logger(), api, r.now)
	}
	return r.outages[name]
}

// naming tells in a line of the log which entity it is about.
func naming(line *zerolog.Event, e store.Entity) *zerolog.Event {
	return line.Str("location", e.LocationID).Str("kind", e.Kind).Str("id", e.ID)
}

// silent is an error for the log where a vendor refused what was asked: its
// words may quote the record.
func silent(err error) string {
	failed, ok := errors.AsType[*clients.Error](err)
	if !ok {
		return err.Error()
	}
	own := *failed
	if own.Message != "" && own.Status != 0 {
		own.Message = "rejected; the delivery's detail says why"
	}
	return own.Error()
}

// jitter spreads jobs that all wait for the same moment over a tenth more.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration(rand.Int64N(int64(d)/10+int64(time.Millisecond)))
}
