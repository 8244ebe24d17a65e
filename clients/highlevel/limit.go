package highlevel

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"milepost/clients"
)

// DefaultInterval is HighLevel's burst window where no header tells it:
// 100 calls in 10 s (HighLevel docs/oauth/Authorization.md, rate limits).
const DefaultInterval = 10 * time.Second

// Budget rations the calls of one location: HighLevel limits them per app and
// location, whichever process makes them.
type Budget interface {
	// Admit returns when a call may be sent, or an error that ends it unsent:
	// a *clients.Error of Reason RateLimited, whose RetryAfter says when to
	// come back; its Operation is left to the call.
	Admit(ctx context.Context, priority clients.Priority) error
	// Observe takes over the limits in an answer.
	Observe(ctx context.Context, a Allowance)
}

// Allowance is what one answer says about the rate limits.
type Allowance struct {
	Max            int           // calls in an interval; 0 = not told
	Interval       time.Duration // never 0
	Remaining      int           // of Max in the interval under way; -1 = not told
	DailyMax       int           // calls a day; 0 = not told
	DailyRemaining int           // of them today; -1 = not told
	Refused        bool          // it was a 429
	RetryAfter     time.Duration // how long a 429 asks to wait; 0 = not told
}

// Backfill returns a client whose calls take only what interactive work leaves.
func (c *Client) Backfill() *Client {
	own := *c
	own.priority.Backfill = true
	return &own
}

// With returns a client whose calls make this claim to their turn.
func (c *Client) With(claim clients.Claim) *Client {
	own := *c
	own.priority.Claim = claim
	return &own
}

// Rehearsing returns a client that sends only its reads, and hands every other call
// to note.
func (c *Client) Rehearsing(note func(context.Context, clients.Rehearsed) error) *Client {
	own := *c
	own.transport = c.transport.Rehearsing(note)
	return &own
}

// ration lets the budget decide when calls are sent.
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

// limit says how long a 429 asks to wait, for HighLevel documents no
// Retry-After. Both limits answer alike; Daily-Remaining 0 tells them apart.
func limit(h http.Header, now time.Time) (time.Duration, string) {
	a := allowance(http.StatusTooManyRequests, h, now)
	if a.DailyRemaining == 0 {
		return DayEnds(now).Sub(now), "the daily allowance is used up; work continues at 00:00 UTC"
	}
	return a.Interval, ""
}

// DayEnds is when the daily allowance is whole again. It is taken to be the
// next midnight UTC, which HighLevel does not state.
func DayEnds(now time.Time) time.Time {
	now = now.UTC()
	return time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, time.UTC)
}
