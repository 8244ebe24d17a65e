package app

import (
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"milepost/internal/account"
	"milepost/internal/automation"
	"milepost/internal/erase"
	"milepost/internal/jobs"
	"milepost/internal/reconcile"
	"milepost/internal/remind"
	"milepost/internal/sync"
)

// workers work the jobs of the queue, each kind in its package.
type workers struct {
	jobs       *jobs.Runner
	syncer     *sync.Syncer
	reconciler *reconcile.Reconciler
	reminders  *remind.Reminders
	eraser     *erase.Eraser
}

// newWorkers makes the workers. erasure says how to erase; the rest of it is filled in.
func (s *State) newWorkers(cfg Config, logger zerolog.Logger, erasure erase.Config) workers {
	w := workers{jobs: jobs.New(jobs.Config{Connections: s.Connections, Logger: logger, Now: cfg.Clock.Now, Real: cfg.Clock.Real})}
	sessions := account.New(account.Config{
		Store: s.Store, Automations: s.Automations.Set, Connections: s.Connections, Logger: logger, Now: w.jobs.Now,
	})
	w.syncer = sync.New(sync.Config{
		Store: s.Store, Automations: s.Automations.Set, Connections: s.Connections, Sessions: sessions, Jobs: w.jobs, Quiet: time.Duration(cfg.DescriptionAfter),
		Checks: func(text string) []string { return s.Ring.Checks(text, "written in HighLevel") },
		Synced: cfg.metrics.Synced, Traced: s.traceSyncs(cfg.tracer),
	})
	w.reconciler = reconcile.New(reconcile.Config{
		Store: s.Store, Automations: s.Automations.Set, Connections: s.Connections, Sessions: sessions, Jobs: w.jobs, Every: cfg.ReconcileEvery,
	})
	w.reminders = remind.New(s.Store, s.Automations.Set, sessions, w.jobs)
	w.reminders.Sent = cfg.metrics.Reminded
	erasure.Store, erasure.Sessions, erasure.Jobs = s.Store, sessions, w.jobs
	w.eraser = erase.New(erasure)
	return w
}

func (w workers) register(automations *automation.Library, real func(time.Duration) time.Duration) *river.Workers {
	all := river.NewWorkers()
	automations.Register(all, real)
	w.syncer.Register(all)
	w.reconciler.Register(all)
	w.reminders.Register(all)
	w.eraser.Register(all)
	return all
}

// Backfill is what a command searches a location with. It works no jobs: the processes
// that serve work what it queues.
type Backfill struct {
	Jobs       *jobs.Runner
	Reconciler *reconcile.Reconciler
	Syncer     *sync.Syncer
}

// Backfill makes a Backfill.
func (s *State) Backfill(cfg Config) (*Backfill, error) {
	if err := s.OpenQueue(); err != nil {
		return nil, err
	}
	w := s.newWorkers(cfg, zerolog.Nop(), erase.Config{})
	return &Backfill{Jobs: w.jobs, Reconciler: w.reconciler, Syncer: w.syncer}, nil
}
