// Package reconcile makes CalendarHero equal to HighLevel. Its workers fetch
// the current record of an entity, let the automations say which items should
// exist, compare them with the links that say what exists, and apply the
// difference.
//
// Guarantees: the end state follows from the record alone, whatever the order
// and number of the webhooks; a create that may have happened is looked for
// before it is repeated, so nothing exists twice; nothing is written where
// nothing changed.
//
// It does not know how webhooks arrive, nor how automations are written down.
package reconcile

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/store"
	"milepost/mapping"
)

// Connection is one HighLevel location paired with one CalendarHero account.
type Connection struct {
	LocationID   string
	HighLevel    *highlevel.Client
	CalendarHero *calendarhero.Client

	about  about  // what is read rarely
	parked parked // until when a vendor asked us to wait
}

// Reconciler works the sync and remind jobs.
type Reconciler struct {
	store       *store.Store
	automations *mapping.Set
	connections map[string]*Connection // by location id
	logger      zerolog.Logger
	now         func() time.Time
	real        func(time.Duration) time.Duration
}

// Config is what a Reconciler needs.
type Config struct {
	Store       *store.Store
	Automations *mapping.Set
	Connections []*Connection
	Logger      zerolog.Logger
	Now         func() time.Time // nil = time.Now
	// Real returns how long a wait by Now really takes: River's clock is
	// another one. nil = as long as it says.
	Real func(time.Duration) time.Duration
}

// New makes a Reconciler; Register it with River's workers.
func New(cfg Config) *Reconciler {
	r := &Reconciler{
		store: cfg.Store, automations: cfg.Automations, connections: map[string]*Connection{},
		logger: cfg.Logger, now: cfg.Now, real: cfg.Real,
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.real == nil {
		r.real = func(d time.Duration) time.Duration { return d }
	}
	for _, c := range cfg.Connections {
		r.connections[c.LocationID] = c
	}
	return r
}

// Register adds the workers.
func (r *Reconciler) Register(workers *river.Workers) {
	river.AddWorker(workers, river.WorkFunc(r.syncJob))
	river.AddWorker(workers, river.WorkFunc(r.remindJob))
}

// Skip says why nothing is to be done for a delivery, or "" where its entity
// is to be synced.
func (r *Reconciler) Skip(d store.Delivery) string {
	switch {
	case d.Entity.Kind == "":
		return fmt.Sprintf("%s events ask for nothing", orNameless(d.Type))
	case d.Entity.ID == "":
		return fmt.Sprintf("the %s event names no %s id", d.Type, d.Entity.Kind)
	case r.connections[d.Entity.LocationID] == nil:
		return fmt.Sprintf("location %s is not connected", orNameless(d.Entity.LocationID))
	case !r.automations.Needs(mapping.Kind(d.Entity.Kind)).Any:
		return fmt.Sprintf("no automation that is switched on looks at %ss", d.Entity.Kind)
	}
	return ""
}

func orNameless(s string) string {
	if s == "" {
		return "(not named)"
	}
	return s
}

// parked remembers how long a vendor asked us to wait, so that the jobs behind
// the one that was told need not ask.
type parked struct {
	mu    sync.Mutex
	until time.Time
}

func (p *parked) set(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.until) {
		p.until = until
	}
}

func (p *parked) left(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until.Sub(now)
}

// snooze has River hand the job out again after d, by the Reconciler's clock.
func (r *Reconciler) snooze(d time.Duration) error { return river.JobSnooze(r.real(d)) }

// detached keeps a context's values and drops its end: for the note of what
// happened after the vendor was already called.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}
