// Package outage keeps the log short while something fails again and again.
//
// Guarantee: an outage has one line when it begins, one every few minutes while it
// lasts, and one when it is over, each with the number of failures so far.
//
// The package does not retry and does not decide what a failure is.
package outage

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

const (
	// every is the shortest time between two lines of one outage.
	every = 5 * time.Minute
	// settle is how long an outage must be over before the next one is logged as a new one.
	// So failures that alternate with successes cost at most two lines in this time.
	settle = time.Minute
)

// Log reports the outages of one thing. Safe for concurrent use; a nil *Log
// reports nothing.
type Log struct {
	logger zerolog.Logger
	of     string
	now    func() time.Time

	failing atomic.Bool // true while began is set; Succeeded reads it without the lock

	mu       sync.Mutex
	began    time.Time // of the current outage; zero = there is none
	failures int       // in the current outage
	logged   time.Time // when the current outage was last logged; zero = not yet
	over     time.Time // when the last logged outage was over
}

// New returns a Log for the outages of something, such as "webhook storage". Facts
// that belong in every line are fields of the logger. now is time.Now or a test's clock.
func New(logger zerolog.Logger, of string, now func() time.Time) *Log {
	return &Log{logger: logger, of: of, now: now}
}

// Failed counts a failure. It logs the first one, and later ones at most every
// five minutes.
func (l *Log) Failed(err error) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if l.began.IsZero() {
		l.began, l.failures, l.logged = now, 0, time.Time{}
		l.failing.Store(true)
	}
	l.failures++
	switch {
	case l.logged.IsZero() && passed(l.over, now, settle):
		l.logger.Error().Err(err).Str("of", l.of).Int("failures", l.failures).Msg("outage began")
	case !l.logged.IsZero() && passed(l.logged, now, every):
		l.logger.Error().Err(err).Str("of", l.of).Int("failures", l.failures).Str("for", lasted(l.began, now)).Msg("outage continues")
	default:
		return
	}
	l.logged = now
}

// Succeeded ends the outage, if there is one. Otherwise it costs next to nothing.
func (l *Log) Succeeded() {
	if l == nil || !l.failing.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.began.IsZero() {
		return // another call ended the outage first
	}
	now := l.now()
	if !l.logged.IsZero() {
		l.logger.Warn().Str("of", l.of).Int("failures", l.failures).Str("lasted", lasted(l.began, now)).Msg("outage over")
		l.over = now
	}
	l.began = time.Time{}
	l.failing.Store(false)
}

// passed reports whether at least d has passed since a time. A clock that was put back must
// not silence the log, so a time in the future counts as passed.
func passed(since, now time.Time, d time.Duration) bool {
	return since.IsZero() || now.Before(since) || now.Sub(since) >= d
}

func lasted(since, now time.Time) string {
	return max(now.Sub(since), 0).Round(time.Second).String()
}
