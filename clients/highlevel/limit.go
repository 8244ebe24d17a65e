package highlevel

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"milepost/clients"
)

// DefaultInterval is HighLevel's burst window if no header states it: 100 calls in 10 s
// (HighLevel docs/oauth/Authorization.md, rate limits).
const DefaultInterval = 10 * time.Second

// Budget rations the calls of one location. HighLevel limits them per app and location,
// regardless of the process.
type Budget interface {
	// Admit returns when a call may be sent, or an error that ends the call unsent: a
	// *clients.Error of Reason RateLimited, whose RetryAfter says when to come back. The
	// call fills in its Operation.
	Admit(ctx context.Context, priority clients.Priority) error
	// Observe applies the limits in an answer.
	Observe(ctx context.Context, a Allowance)
}

// Allowance is what one answer says about the rate limits.
type Allowance struct {
	Max            int           // calls in an interval; 0 = not stated
	Interval       time.Duration // never 0
	Remaining      int           // calls left in the current interval; -1 = not stated
	DailyMax       int           // calls a day; 0 = not stated
	DailyRemaining int           // calls left today; -1 = not stated
	Refused        bool          // the answer was a 429
	RetryAfter     time.Duration // how long a 429 asks to wait; 0 = not stated
}

// Backfill returns a client whose calls use only what other work leaves.
func (c *Client) Backfill() *Client {
	own := *c
	own.priority.Backfill = true
	return &own
}

// With returns a client whose calls have this rank.
func (c *Client) With(claim clients.Claim) *Client {
	own := *c
	own.priority.Claim = claim
	return &own
}

// Rehearsing returns a client that sends only reads, and passes every other call to note.
func (c *Client) Rehearsing(note func(context.Context, clients.Rehearsed) error) *Client {
	own := *c
	own.transport = c.transport.Rehearsing(note)
	return &own
}

// ration makes the budget decide when calls are sent.
func (cfg Config) ration(t *clients.TransportConfig) {
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	t.Admit = cfg.Budget.Admit
	t.Observe = func(ctx context.Context, status int, h http.Header) {
		cfg.Budget.Observe(ctx, allowance(status, h, now()))
	}
}

// allowance reads HighLevel's rate limit headers (HighLevel docs/oauth/Authorization.md).
func allowance(status int, h http.Header, now time.Time) Allowance {
	number := func(key string, most int) int {
		n, err := strconv.Atoi(strings.TrimSpace(h.Get(key)))
		if err != nil || n < 0 || n > most {
			return -1
		}
		return n
	}
	a := Allowance{
		Max:            max(0, number("X-RateLimit-Max", 1e6)),
		Interval:       DefaultInterval,
		Remaining:      number("X-RateLimit-Remaining", 1e6),
		DailyMax:       max(0, number("X-RateLimit-Limit-Daily", 1e9)),
		DailyRemaining: number("X-RateLimit-Daily-Remaining", 1e9),
		Refused:        status == http.StatusTooManyRequests,
	}
	if ms := number("X-RateLimit-Interval-Milliseconds", int(time.Hour/time.Millisecond)); ms > 0 {
		a.Interval = time.Duration(ms) * time.Millisecond
	}
	if a.Refused {
		a.RetryAfter, _ = clients.ParseRetryAfter(h.Get("Retry-After"), now)
	}
	return a
}

// limit returns how long a 429 asks to wait, because HighLevel documents no Retry-After.
// Both limits answer alike; Daily-Remaining 0 separates them.
func limit(h http.Header, now time.Time) (time.Duration, string) {
	a := allowance(http.StatusTooManyRequests, h, now)
	if a.DailyRemaining == 0 {
		return DayEnds(now).Sub(now), "the daily allowance is used up; work continues at 00:00 UTC"
	}
	return a.Interval, ""
}

// DayEnds is when the daily allowance is full again: probably the next midnight UTC, which
// HighLevel does not document.
func DayEnds(now time.Time) time.Time {
	now = now.UTC()
	return time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, time.UTC)
}
