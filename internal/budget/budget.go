// Package budget rations the calls to each HighLevel location. HighLevel limits them per
// app and location, regardless of the process. So all processes share one row of the state
// database for each location, which counts its calls.
//
// Guarantees: no window of the interval holds more calls than the limit in HighLevel's
// headers, wherever the window starts. An idle location may use most of the limit at once.
// Steady work gets 94 % of it, and backfill 92.5 %. Backfill delays other work by at most
// one call. A call that must come back gets its own time. If HighLevel states no limit for
// a location, its calls do not wait.
//
// The package must not know what the calls are for.
package budget

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/store"
)

// Config is what a Budget needs.
type Config struct {
	Store      *store.Store
	LocationID string
	Logger     zerolog.Logger
	Now        func() time.Time // nil = time.Now
	// Real converts a wait by Now to real time; nil = no conversion.
	Real func(time.Duration) time.Duration
}

// Budget is this process's access to the budget of one location. A location may have
// several, in this process and in others. Safe for concurrent use.
type Budget struct {
	cfg Config
	row sync.Mutex // guards the use of the row; calls that wait for it share one transaction
	// behind is how far Now is behind the row's clock. The mutex row guards it.
	behind time.Duration
	// worked is when this process last changed the row, by Now and by the machine's clock.
	worked, workedReal time.Time // row guards them

	mu        sync.Mutex
	asks      []*ask
	state     store.Budget // the row as last read, by this process's clock
	seen      time.Time    // when the row was read
	day       highlevel.Allowance
	free      int       // calls sent while no limit was known
	confirmed time.Time // when an answer last had the current limit
	remaining int       // as the last answer says
	reset     time.Time // when the vendor's current window ends
}

// ask is one call's question when it may be sent.
type ask struct {
	priority clients.Priority
	done     bool
	is       grant
	err      error
}

var _ highlevel.Budget = (*Budget)(nil)

// New returns the budget of a location. It reads nothing yet.
func New(cfg Config) *Budget {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Real == nil {
		cfg.Real = func(d time.Duration) time.Duration { return d }
	}
	return &Budget{cfg: cfg}
}

const (
	// fresh is how long a process relies on two things that it read: no limit is known, or
	// the location is parked beyond the horizon.
	fresh = time.Second
	// laxAfter is how long a limit must be absent from the answers before a higher one
	// replaces it. A lower one replaces it at once.
	laxAfter = time.Minute
	// rowLimit bounds the time of one transaction on the row.
	rowLimit = 4 * time.Second
)

// Admit returns when a call may be sent. It waits in place as long as the call's priority
// allows. Otherwise it fails at once with a *clients.Error of Reason RateLimited, whose
// RetryAfter says when to ask again. Any other error comes from the database, or from ctx
// if it ended first.
func (b *Budget) Admit(ctx context.Context, priority clients.Priority) error {
	is, err := b.ask(ctx, priority)
	switch {
	case err != nil:
		return err
	case !is.ok:
		return &clients.Error{API: "HighLevel", Reason: clients.RateLimited, RetryAfter: is.wait, Message: is.why}
	case is.wait <= 0:
		return nil
	}
	timer := time.NewTimer(b.cfg.Real(is.wait))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ask finds out when a call may be sent: from memory if that is certain, otherwise from the
// row. One transaction answers all calls that wait for the row, so a busy process writes
// less often than it calls.
func (b *Budget) ask(ctx context.Context, priority clients.Priority) (grant, error) {
	a := &ask{priority: priority}
	b.mu.Lock()
	if b.fromMemory(a) {
		b.mu.Unlock()
		return a.is, nil
	}
	b.asks = append(b.asks, a)
	b.mu.Unlock()

	b.row.Lock()
	defer b.row.Unlock()
	b.mu.Lock()
	if a.done {
		b.mu.Unlock()
		return a.is, a.err
	}
	asks := b.asks
	b.asks = nil
	b.mu.Unlock()
	b.answer(ctx, asks)
	return a.is, a.err
}

// fromMemory answers an ask if it does not need the row.
func (b *Budget) fromMemory(a *ask) bool {
	now := b.cfg.Now()
	if b.seen.IsZero() || now.Sub(b.seen).Abs() >= fresh {
		return false
	}
	far := b.state.ParkedUntil.Sub(now) > horizon
	if b.state.Max > 0 && !far {
		return false
	}
	s := b.state
	a.is = take(&s, b.cfg.LocationID, a.priority, now)
	if a.is.ok {
		b.free++
	}
	return true
}

// answer answers asks from the row. The caller holds b.row.
func (b *Budget) answer(ctx context.Context, asks []*ask) {
	// Some of the asks may outlive the caller that owns this ctx.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rowLimit)
	defer cancel()
	all := func(s *store.Budget, now time.Time) {
		b.mu.Lock()
		day := b.day
		b.mu.Unlock()
		if day.DailyMax > 0 {
			noteDay(s, day, now)
		}
		for _, a := range asks {
			a.is = take(s, b.cfg.LocationID, a.priority, now)
		}
	}
	b.mu.Lock()
	state := b.state
	b.mu.Unlock()
	var now time.Time
	var err error
	if state.Max == 0 { // without a limit there is nothing to count
		if state, now, err = b.read(ctx); err == nil && state.Max == 0 {
			s := state
			all(&s, now)
		}
	}
	if err == nil && (state.Max > 0 || state.ParkedUntil.After(now.Add(longestPark))) {
		state, now, err = b.update(ctx, all)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.state, b.seen, b.day = state, now, highlevel.Allowance{}
	}
	for _, a := range asks {
		a.done, a.err = true, err
		if err == nil && state.Max == 0 && a.is.ok {
			b.free++
		}
	}
}

// Observe applies the limits in an answer.
func (b *Budget) Observe(ctx context.Context, a highlevel.Allowance) {
	now := b.cfg.Now()
	b.mu.Lock()
	adopt, reset := b.notice(a, now)
	if !adopt && !b.tells(a, now) {
		b.mu.Unlock()
		return
	}
	free := 0
	if a.Max > 0 {
		free, b.free = b.free, 0
	}
	b.mu.Unlock()

	b.row.Lock()
	defer b.row.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rowLimit)
	defer cancel()
	var news string
	state, now, err := b.update(ctx, func(s *store.Budget, now time.Time) {
		news = learn(s, b.cfg.LocationID, a, adopt, free, reset, now)
	})
	if err != nil {
		b.cfg.Logger.Error().Err(err).Str("location", b.cfg.LocationID).Msg("could not save HighLevel's rate limits")
		return
	}
	b.mu.Lock()
	b.state, b.seen = state, now
	b.mu.Unlock()
	if news != "" {
		level := zerolog.InfoLevel
		if a.DailyRemaining == 0 {
			level = zerolog.WarnLevel
		}
		b.cfg.Logger.WithLevel(level).Str("location", b.cfg.LocationID).Time("until", state.ParkedUntil).Msg(news)
	}
}

// notice keeps in memory what need not be written yet. It returns whether the limit in the
// answer holds from now on, and when the vendor's current window ends.
func (b *Budget) notice(a highlevel.Allowance, now time.Time) (adopt bool, reset time.Time) {
	if a.DailyMax > 0 && a.DailyRemaining >= 0 {
		b.day = a
	}
	if a.Max == 0 {
		return false, now
	}
	s := &b.state
	b.confirmed, b.reset = earliest(b.confirmed, now), earliest(b.reset, now.Add(a.Interval)) // the clock may have been put back
	switch told, used := int64(a.Max)*int64(s.Interval), int64(s.Max)*int64(a.Interval); {
	case a.Max == s.Max && a.Interval == s.Interval:
		b.confirmed = now
	case s.Max == 0, told < used, !b.confirmed.IsZero() && now.Sub(b.confirmed) >= laxAfter:
		adopt, b.confirmed = true, now
	case b.confirmed.IsZero():
		b.confirmed = now // by the process that wrote the row
	}
	if a.Remaining > b.remaining+a.Max/10 { // more than answers out of order can explain
		b.reset = now.Add(a.Interval)
	}
	b.remaining = a.Remaining
	if reset = b.reset; !reset.After(now) {
		reset = now.Add(a.Interval)
	}
	return adopt, reset
}

// tells reports whether an answer changes the row.
func (b *Budget) tells(a highlevel.Allowance, now time.Time) bool {
	switch {
	case a.DailyRemaining == 0:
		return highlevel.DayEnds(now).After(b.state.ParkedUntil)
	case a.Refused:
		return true
	case a.Max == 0:
		return false
	}
	return b.free > 0 || a.Remaining == 0 || lack(&b.state, a, now) > 0
}
