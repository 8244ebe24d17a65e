package reconcile

import (
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"milepost/internal/account"
	"milepost/internal/connection"
	"milepost/internal/jobs"
	"milepost/internal/lane"
	"milepost/internal/store"
	"milepost/mapping"
)

// Connections lists the accounts to poll.
type Connections interface {
	// Accounts lists the CalendarHero accounts of the locations that are served.
	Accounts(ctx context.Context) ([]connection.Account, error)
}

// Config is what a Reconciler needs.
type Config struct {
	Store       *store.Store
	Automations func() *mapping.Set // the live ones
	Connections Connections
	Sessions    *account.Sessions
	Jobs        *jobs.Runner
	Every       time.Duration // between two reconciliations of a location; 0 = never
}

// Reconciler works the jobs that find changes without a webhook.
type Reconciler struct {
	store       *store.Store
	live        func() *mapping.Set // the automations; a search uses one Set to its end
	connections Connections
	sessions    *account.Sessions
	jobs        *jobs.Runner
	logger      zerolog.Logger
	now         func() time.Time
	every       time.Duration
}

// New makes a Reconciler; Register it with River's workers.
func New(cfg Config) *Reconciler {
	return &Reconciler{
		store: cfg.Store, live: cfg.Automations, connections: cfg.Connections, sessions: cfg.Sessions, jobs: cfg.Jobs,
		logger: cfg.Jobs.Logger, now: cfg.Jobs.Now, every: cfg.Every,
	}
}

// Register adds the workers.
func (r *Reconciler) Register(workers *river.Workers) {
	jobs.Add(r.jobs, workers, lane.Background, func(a store.ReconcileArgs) string { return a.LocationID }, r.reconcileJob)
	jobs.Add(r.jobs, workers, lane.Background, func(a store.BackfillArgs) string { return a.LocationID }, r.backfillJob)
	jobs.Add(r.jobs, workers, lane.Background, func(a store.ContactsArgs) string { return a.LocationID }, r.contactsJob)
	jobs.AddForAccount(r.jobs, workers, lane.Background, func(a store.PollArgs) string { return a.Account }, r.pollJob)
}
