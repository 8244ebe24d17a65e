// Package sync brings CalendarHero and HighLevel in step for one contact at a time: it
// reads the contact's records, lets the automations plan which items should exist,
// compares them with the links that say what exists, writes the difference, and records
// the outcome of each record.
//
// Guarantees: the end state follows from the records alone, whatever the order and number
// of the webhooks. A create that may have happened is looked for before it is repeated, so
// nothing exists twice. Nothing is written if nothing changed.
//
// It does not know how webhooks arrive, how automations are written down, nor how changes
// without a webhook are found.
package sync

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"milepost/clients/highlevel"
	"milepost/internal/account"
	"milepost/internal/connection"
	"milepost/internal/jobs"
	"milepost/internal/lane"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

// Connections keeps up which locations there are.
type Connections interface {
	// Installed brings a location or agency in step with whether the app is installed
	// there. It fails with connection.ErrPending if it is too early to tell.
	Installed(ctx context.Context, e store.Entity, event highlevel.Event) (connection.Outcome, error)
	// Accounts lists the CalendarHero accounts of the locations that are served.
	Accounts(ctx context.Context) ([]connection.Account, error)
}

// Syncer works the sync jobs, and those that finish what a sync began.
type Syncer struct {
	*jobs.Runner
	store       *store.Store
	live        func() *mapping.Set // the automations; a sync uses one Set to its end
	connections Connections
	sessions    *account.Sessions
	logger      zerolog.Logger
	now         func() time.Time
	real        func(time.Duration) time.Duration
	spread      func(time.Duration) time.Duration
	quiet       time.Duration // as Config's
	checksOf    func(text string) []string

	agreed    func(item string) bool // as Rehearser's
	rehearser *Rehearser             // nil = what it does takes effect

	mu     sync.Mutex
	caches map[string]*session // by location id
}

// session is a session of the account with what only syncs remember about it.
type session struct {
	*account.Session
	backReads backReads // which contacts' notes and tasks were searched for markers
	proofs    proofs    // whether unknown markers are Milepost's
	found     foundTasks
}

// Config is what a Syncer needs.
type Config struct {
	Store       *store.Store
	Automations func() *mapping.Set // the live ones
	Connections Connections
	Sessions    *account.Sessions
	Jobs        *jobs.Runner
	// Quiet is how long a record must not change before a new description alone replaces
	// its request; 0 = it replaces it at once, less than 0 = never.
	Quiet time.Duration
	// Spread returns a wait with a random part added, so that jobs which wait for the same
	// moment do not come at once; nil = up to a tenth more.
	Spread func(time.Duration) time.Duration
	// Checks returns what shows that Milepost wrote a text in HighLevel: first what it writes
	// now, then what it wrote under former keys; nil = nothing.
	Checks func(text string) []string
}

// New makes a Syncer; Register it with River's workers.
func New(cfg Config) *Syncer {
	r := &Syncer{
		Runner: cfg.Jobs, store: cfg.Store, live: cfg.Automations, connections: cfg.Connections, sessions: cfg.Sessions,
		logger: cfg.Jobs.Logger, now: cfg.Jobs.Now, real: cfg.Jobs.Real, spread: cfg.Spread, quiet: cfg.Quiet, checksOf: cfg.Checks, caches: map[string]*session{},
	}
	if r.spread == nil {
		r.spread = outcome.Jitter
	}
	return r
}

// session returns the session of a location. It fails with *connection.NotConnected if there is
// nothing to do for it.
func (r *Syncer) session(ctx context.Context, locationID string) (*session, error) {
	of, err := r.sessions.Of(ctx, locationID)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.caches[locationID]
	if s == nil || s.Session != of {
		s = &session{Session: of}
		r.caches[locationID] = s
	}
	return s, nil
}

// Register adds the workers.
func (r *Syncer) Register(workers *river.Workers) {
	jobs.Add(r.Runner, workers, lane.Live, func(a store.SyncArgs) string { return a.LocationID }, r.syncJob)
	jobs.Add(r.Runner, workers, lane.Background, func(a store.OrphanArgs) string { return a.LocationID }, r.orphanJob)
	jobs.Add(r.Runner, workers, lane.Background, func(a store.DebounceArgs) string { return a.LocationID }, r.debounceJob)
}

// Skip says why nothing is to be done for a delivery, or "" where its entity
// is to be synced. What is skipped is logged, since nothing else will be.
func (r *Syncer) Skip(ctx context.Context, d store.Delivery) string {
	why := r.skip(ctx, d)
	if why != "" {
		jobs.WithEntity(r.logger.Info(), d.Entity).Int64("delivery", d.ID).Str("type", d.Type).Str("why", why).Msg("delivery skipped")
	}
	return why
}

func (r *Syncer) skip(ctx context.Context, d store.Delivery) string {
	switch {
	case d.Entity.Kind == "":
		return fmt.Sprintf("Milepost does nothing for %s events", orNameless(d.Type))
	case d.Entity.ID == "" && d.Entity.Kind == store.KindWorkflow:
		return "the webhook names neither a contact nor a milestone; add the word contact_id with the value {{contact.id}} to its Custom Data, or a milestone_id"
	case d.Entity.ID == "" && d.Entity.Kind == store.KindCalendarContact:
		return fmt.Sprintf("the %s event names no contact id", d.Type)
	case d.Entity.ID == "":
		return fmt.Sprintf("the %s event names no %s id", d.Type, d.Entity.Kind)
	case d.Entity.Kind == store.KindInstall:
		return "" // it is how a location becomes known
	}
	_, err := r.sessions.Of(ctx, d.Entity.LocationID)
	if absent, ok := errors.AsType[*connection.NotConnected](err); ok {
		return absent.Why
	}
	if mapping.Kind(d.Entity.Kind) == mapping.KindMeeting {
		return "" // what became of it is kept, whether an automation looks at it or not
	}
	if !r.live().Follows(mapping.Kind(d.Entity.Kind)) && !mayTakeAlong(d.Entity.Kind, d.Deleted) {
		return noAutomation(d.Entity.Kind)
	}
	return ""
}

// mayTakeAlong reports whether a delete matters although no automation looks at
// the kind. A contact takes along its tasks and what a workflow said of it, and
// what is stored of it is erased; a task, what an automation made that is off now.
func mayTakeAlong(kind string, deleted bool) bool {
	return deleted && (mapping.Kind(kind) == mapping.KindContact || mapping.Kind(kind) == mapping.KindTask)
}

func noAutomation(kind string) string {
	if plural, ok := strings.CutSuffix(kind, "y"); ok {
		return fmt.Sprintf("no switched-on automation applies to %sies", plural)
	}
	return fmt.Sprintf("no switched-on automation applies to %ss", kind)
}

func orNameless(s string) string {
	if s == "" {
		return "(not named)"
	}
	return s
}
