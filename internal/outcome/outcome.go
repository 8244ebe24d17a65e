// Package outcome says what a failed try means: which outcome people see, whether
// other records would fail too, and when to try again.
//
// It is pure. It guarantees that no job waits longer than LongestWait, because a job
// that waits absorbs new events, and that what is healed is tried within a minute. It
// does not know what was tried.
package outcome

import (
	"errors"
	"math/rand/v2"
	"time"

	"milepost/clients"
	"milepost/internal/store"
)

const (
	// RateLimitWait is the wait at a rate limit if the answer names none: HighLevel's
	// burst window.
	RateLimitWait = 10 * time.Second
	// LongestWait bounds every wait.
	LongestWait = 15 * time.Minute
	// LongestOutageWait bounds the wait for a vendor that did not answer, or in whose
	// place something else did.
	LongestOutageWait = 40 * time.Second
	// UnclearSettle is how long a create is left alone after an error, a broken
	// connection or a crash, before Milepost looks for its object: CalendarHero may
	// still be working on it. UnansweredSettle is the same after a timeout.
	UnclearSettle    = 5 * time.Second
	UnansweredSettle = 2 * time.Minute
	// rejectedTries is for how many tries a rejected token is taken for an outage, in
	// which something else may answer: a quarter of an hour. Then a person is needed.
	rejectedTries = 25
)

// Wait asks for another try after a time. It is no failed try.
type Wait struct {
	For    time.Duration
	Why    string
	Logged bool // one line in the log serves all that wait for the same
	// Unconfirmed is since when it is not confirmed that the record exists, or that it
	// does not; zero = as before.
	Unconfirmed time.Time
}

func (w *Wait) Error() string { return w.Why }

// Cause is why a try did not end.
type Cause int

const (
	Waits        Cause = iota // Milepost itself decided to wait
	Storage                   // the state database does not answer
	Defect                    // of Milepost
	RateLimited               // by a vendor or the budget
	Unauthorized              // the token was rejected
	Unclear                   // a create may or may not have taken effect
	Outage                    // the vendor does not answer as it should
)

// Next says how a try ended, and when the next one is due.
type Next struct {
	Cause   Cause
	Outcome string        // of the store
	After   time.Duration // until the next try
	Exact   bool          // at that moment: the budget gave it, so it needs no jitter
	Failed  bool          // the try counts as failed
	Others  bool          // the other records of the contact would fail too
}

// Of says what the failure of a try means, after so many failed tries before it.
func Of(cause error, tries int64) Next {
	if w, ok := errors.AsType[*Wait](cause); ok {
		return Next{Cause: Waits, Outcome: store.Waiting, After: min(w.For, LongestWait)} // the clock may have been put back
	}
	backoff := store.BackoffAfter(int(tries))
	failed, ok := errors.AsType[*clients.Error](cause)
	switch {
	case !ok && store.Unavailable(cause):
		return Next{Cause: Storage, Outcome: store.Retry, After: backoff, Failed: true}
	case !ok:
		return Next{Cause: Defect, Outcome: store.Retry, After: backoff, Failed: true}
	case failed.Reason == clients.RateLimited:
		after := failed.RetryAfter
		if after <= 0 {
			after = RateLimitWait
		}
		after = min(after, LongestWait)
		return Next{Cause: RateLimited, Outcome: store.Waiting, After: after, Exact: failed.Status == 0 && after < LongestWait, Others: true}
	case failed.Reason == clients.Unauthorized, failed.Reason == clients.Forbidden, failed.Reason == clients.Inactive:
		if tries < rejectedTries {
			backoff = min(backoff, LongestOutageWait*9/10)
		}
		return Next{Cause: Unauthorized, Outcome: store.Auth, After: backoff, Failed: true, Others: true}
	case failed.Reason == clients.Unclear && !failed.Foreign:
		// The object may exist: look for it soon, before anything else is tried.
		return Next{Cause: Unclear, Outcome: store.Retry, After: UnclearSettle}
	}
	return Next{Cause: Outage, Outcome: store.Retry, After: min(backoff, LongestOutageWait*9/10), Failed: true, Others: true}
}

// RateLimit returns how long to wait if a call failed at a rate limit, and at least so
// long.
func RateLimit(err error, least time.Duration) (wait time.Duration, limited bool) {
	failed, ok := errors.AsType[*clients.Error](err)
	if !ok || failed.Reason != clients.RateLimited {
		return 0, false
	}
	return min(max(failed.RetryAfter, least), LongestWait), true
}

// NonRecord is the failure to read something that is no part of the record. There,
// "not found" says that something is wrong, not that the record was deleted.
func NonRecord(err error) error {
	if failed, ok := errors.AsType[*clients.Error](err); ok && failed.Reason == clients.NotFound {
		own := *failed
		own.Reason = clients.Unavailable
		return &own
	}
	return err
}

// Redacted is an error for the log. If a vendor rejected a call, its words may quote
// the record, so they are left out.
func Redacted(err error) string {
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

// Jitter spreads jobs that wait for the same moment over a tenth more.
func Jitter(d time.Duration) time.Duration {
	return d + time.Duration(rand.Int64N(int64(d)/10+int64(time.Millisecond)))
}

// NextCheck returns how long to wait for the next of several checks, which are due at
// these times after something began; more is false after the last.
func NextCheck(since time.Duration, at ...time.Duration) (wait time.Duration, more bool) {
	for _, t := range at {
		if t > since {
			return t - since, true
		}
	}
	return 0, false
}
