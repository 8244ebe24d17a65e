// Package sync brings CalendarHero and HighLevel in step for one contact at a time. It
// reads the contact's records, lets the automations plan which items should exist, and
// compares them with the links, which say what exists. Then it writes the difference, and
// stores the outcome of each record.
//
// Guarantees: the end state follows from the records alone, regardless of the order and
// number of the webhooks. Before a sync repeats a create whose answer was lost, it searches
// for the object, so nothing exists twice. If nothing changed, a sync writes nothing.
//
// The package must not know how webhooks arrive, how people write automations, or how
// Milepost finds changes without a webhook.
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

// Connections tracks the locations that Milepost serves.
type Connections interface {
	// Installed connects or disconnects a location or agency, depending on whether the app
	// is installed there. If it is too early to tell, it fails with connection.ErrPending.
	Installed(ctx context.Context, e store.Entity, event highlevel.Event) (connection.Outcome, error)
	// Accounts lists the CalendarHero accounts of the locations that are served.
	Accounts(ctx context.Context) ([]connection.Account, error)
}

// Syncer works the sync jobs, and the jobs that finish what a sync began.
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
	synced      func(kind, outcome string, took time.Duration)
	traced      func(context.Context, store.EntityState) (context.Context, func(string, error))

	agreed    func(item string) bool // as Rehearser's
	rehearser *Rehearser             // nil = what it does takes effect

	mu     sync.Mutex
	caches map[string]*session // by location id
}

// session is an account's session, with the caches that only syncs need.
type session struct {
	*account.Session
	backReads backReads // the contacts whose notes and tasks were searched for markers
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
	// Quiet is how long a record must stay unchanged before a new description alone
	// replaces its request; 0 = at once, less than 0 = never.
	Quiet time.Duration
	// Spread returns a wait with a random part added, so that jobs which wait for the same
	// moment do not come at once; nil = up to a tenth more.
	Spread func(time.Duration) time.Duration
	// Checks returns the codes that prove that Milepost wrote a text in HighLevel: first the
	// current one, then those of former keys; nil = none.
	Checks func(text string) []string
	// Synced hears of each sync of a record that ended; it may be nil.
	Synced func(kind, outcome string, took time.Duration)
	// Traced begins the trace of a sync, and ended ends it; nil = syncs are not traced.
	Traced func(ctx context.Context, of store.EntityState) (traced context.Context, ended func(outcome string, err error))
}

// New makes a Syncer; Register it with River's workers.
func New(cfg Config) *Syncer {
	r := &Syncer{
		Runner: cfg.Jobs, store: cfg.Store, live: cfg.Automations, connections: cfg.Connections, sessions: cfg.Sessions,
		logger: cfg.Jobs.Logger, now: cfg.Jobs.Now, real: cfg.Jobs.Real, spread: cfg.Spread, quiet: cfg.Quiet, checksOf: cfg.Checks, synced: cfg.Synced, traced: cfg.Traced, caches: map[string]*session{},
	}
	if r.traced == nil {
		r.traced = func(ctx context.Context, _ store.EntityState) (context.Context, func(string, error)) {
			return ctx, func(string, error) {}
		}
	}
	if r.synced == nil {
		r.synced = func(string, string, time.Duration) {}
	}
	if r.spread == nil {
		r.spread = outcome.Jitter
	}
	return r
}

// session returns the session of a location. If Milepost does nothing for the location, it
// fails with *connection.NotConnected.
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

// Skip returns why Milepost does nothing for a delivery, or "" if its entity is to be
// synced. It logs what it skips, because no sync will.
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
		return "" // an install event makes a location known
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

// mayTakeAlong reports whether a delete matters even if no automation uses the kind. A
// deleted contact takes its tasks, its workflow records and its stored data along. A
// deleted task takes along what an automation made for it, even if the automation is now
// off.
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
