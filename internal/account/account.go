// Package account keeps what a process remembers about a location and its CalendarHero
// account while it runs: values that are rarely read, the lists of meeting requests, and
// how long CalendarHero asked to wait.
//
// Guarantees: a value is read again when it is old, when the credentials change, or when it
// cannot be true. Jobs that need the same value at the same time share one call. The
// package does not know what is synced, and writes nothing at a vendor.
package account

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/connection"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

// Connections finds the connection of a location.
type Connections interface {
	// Lookup fails with *connection.NotConnected if there is nothing to do for a location.
	Lookup(ctx context.Context, locationID string) (*connection.Connection, error)
}

// Config is what Sessions need.
type Config struct {
	Store       *store.Store
	Automations func() *mapping.Set // the live ones
	Connections Connections
	Logger      zerolog.Logger
	Now         func() time.Time
}

// Sessions are the sessions of all locations. Safe for concurrent use.
type Sessions struct {
	cfg      Config
	mu       sync.Mutex
	sessions map[string]*Session // by location id
	lists    map[string]*lists   // by CalendarHero account
}

// New makes Sessions.
func New(cfg Config) *Sessions {
	return &Sessions{cfg: cfg, sessions: map[string]*Session{}, lists: map[string]*lists{}}
}

// Session is a connection with what the process remembers about it. If the credentials of a
// connection change, it gets a new, empty session.
type Session struct {
	*connection.Connection
	Cooldown Cooldown // at CalendarHero; HighLevel's is in the location's budget

	cfg     Config
	profile profile
	lists   *lists
}

// Of returns the session of a location. It fails with *connection.NotConnected if there is
// nothing to do for it.
func (all *Sessions) Of(ctx context.Context, locationID string) (*Session, error) {
	conn, err := all.cfg.Connections.Lookup(ctx, locationID)
	if err != nil {
		return nil, err
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	s := all.sessions[locationID]
	if s == nil || s.Connection != conn {
		if all.lists[conn.Account] == nil {
			all.lists[conn.Account] = &lists{}
		}
		s = &Session{Connection: conn, cfg: all.cfg, lists: all.lists[conn.Account]}
		all.sessions[locationID] = s
	}
	return s, nil
}

// Answers returns nil if CalendarHero itself answers for the account now. Milepost must
// check this before it concludes anything from a missing record, because unknown routes,
// and so gateways, answer in the same way as unknown ids.
func (s *Session) Answers(ctx context.Context) error {
	_, err := s.CalendarHero.User(ctx)
	return outcome.NonRecord(err)
}

// Cooldown is how long CalendarHero asked to wait. During that time, no job calls it.
type Cooldown struct {
	mu    sync.Mutex
	until time.Time
}

// Begin waits until a time, and reports whether no wait was under way.
func (c *Cooldown) Begin(now, until time.Time) (begins bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(now)
	begins = !c.until.After(now)
	if until.After(c.until) {
		c.until = until
	}
	return begins
}

// Left is how long the wait still lasts; 0 or less if there is none.
func (c *Cooldown) Left(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(now)
	return c.until.Sub(now)
}

// expire ends a wait that is longer than CalendarHero can ask for, because the clock was
// put back.
func (c *Cooldown) expire(now time.Time) {
	if c.until.Sub(now) > outcome.LongestWait {
		c.until = now
	}
}
