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
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/connection"
	"milepost/internal/lane"
	"milepost/internal/outage"
	"milepost/internal/store"
	"milepost/mapping"
)

// Connections finds what speaks for a location, and keeps up which there are.
type Connections interface {
	// Lookup fails with *connection.Absent where nothing is to be done for a location.
	Lookup(ctx context.Context, locationID string) (*connection.Connection, error)
	// Installed brings a location or agency in step with whether the app is
	// installed there; it fails with connection.ErrAwaited where it is too early to tell.
	Installed(ctx context.Context, e store.Entity, event highlevel.Event) (connection.Outcome, error)
	// Accounts lists the CalendarHero accounts of the locations that are served.
	Accounts(ctx context.Context) ([]connection.Account, error)
}

// Reconciler works the sync, remind and stray jobs.
type Reconciler struct {
	store       *store.Store
	live        func() *mapping.Set // the automations; a sync uses one Set to its end
	connections Connections
	logger      zerolog.Logger
	now         func() time.Time
	real        func(time.Duration) time.Duration
	spread      func(time.Duration) time.Duration
	eraseBodies func(ctx context.Context, locationID, contactID string, ids []int64) (int64, error)
	every       time.Duration // between two reconciliations of a location; 0 = never
	quiet       time.Duration // as Config's
	lanes       *lane.Lanes
	waits       func(time.Duration) // is told of waits at HighLevel's rate limit; nil = none longer than longestTurn
	scrubber    *scrubber

	mu       sync.Mutex
	sessions map[string]*session    // by location id
	boards   map[string]*board      // by CalendarHero account
	outages  map[string]*outage.Log // by lane
	away     *outage.Log            // of the state database
}

// session is a connection with what is remembered beside it; a connection
// whose credentials change begins with nothing remembered.
type session struct {
	*connection.Connection
	about  about  // what is read rarely
	parked parked // until when CalendarHero asked us to wait; HighLevel's is in the location's budget
	board  *board // what the account's lists show

	backReads backReads // which contacts' notes and tasks were searched for markers
	proofs    proofs    // whether unknown markers are Milepost's
	found     foundTasks
}

// Config is what a Reconciler needs.
type Config struct {
	Store       *store.Store
	Automations func() *mapping.Set // what is live now
	Connections Connections
	Logger      zerolog.Logger
	Every       time.Duration // between two reconciliations of a location; 0 = never
	// Quiet is how long a record must be quiet before a new description alone replaces
	// its request; 0 = replaced at once, less than 0 = never.
	Quiet time.Duration
	// EraseBodies empties the bodies of the webhooks that named a contact, and of
	// deliveries by id, and returns how many had one.
	EraseBodies func(ctx context.Context, locationID, contactID string, ids []int64) (int64, error)
	// ScrubFiles removes what was erased from the files of the databases; nil = nothing to do.
	ScrubFiles func(ctx context.Context) error
	Now        func() time.Time // nil = time.Now
	// Spread returns a wait with a part added by chance, so that jobs which wait for
	// the same moment do not come at once; nil = up to a tenth more.
	Spread func(time.Duration) time.Duration
	// Real returns how long a wait by Now really takes: River's clock is
	// another one. nil = as long as it says.
	Real func(time.Duration) time.Duration
}

// New makes a Reconciler; Register it with River's workers.
func New(cfg Config) *Reconciler {
	r := &Reconciler{
		store: cfg.Store, live: cfg.Automations, connections: cfg.Connections, sessions: map[string]*session{}, boards: map[string]*board{}, outages: map[string]*outage.Log{}, away: outage.New(cfg.Logger, "state database", cfg.Now),
		logger: cfg.Logger, now: cfg.Now, real: cfg.Real, spread: cfg.Spread, every: cfg.Every, quiet: cfg.Quiet, eraseBodies: cfg.EraseBodies, scrubber: newScrubber(cfg.ScrubFiles),
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.spread == nil {
		r.spread = jitter
	}
	if r.real == nil {
		r.real = func(d time.Duration) time.Duration { return d }
	}
	r.lanes = lane.New(lane.Config{Real: r.real, Now: r.now, Rests: r.rests})
	return r
}

// WaitAtLimit makes Sweep and Preview wait at HighLevel's rate limit, for a command.
// A worker would come back later instead. They call tell with each wait.
func (r *Reconciler) WaitAtLimit(tell func(time.Duration)) { r.waits = tell }

// atLimit waits until a call that HighLevel's rate limit held back may be tried
// again. It returns false where it is no such call, or its time is too far away.
func (r *Reconciler) atLimit(ctx context.Context, err error) bool {
	failed, ok := errors.AsType[*clients.Error](err)
	if !ok || failed.Reason != clients.RateLimited || failed.API == calendarhero.API {
		return false
	}
	d := failed.RetryAfter
	switch {
	case r.waits == nil && (failed.Status != 0 || d > longestTurn), d > longestWait:
		return false
	case r.waits != nil:
		d = max(d, time.Second)
		r.waits(d)
	}
	timer := time.NewTimer(r.real(d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// session returns the session of a location. It fails with
// *connection.Absent where nothing is to be done for it.
func (r *Reconciler) session(ctx context.Context, locationID string) (*session, error) {
	conn, err := r.connections.Lookup(ctx, locationID)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sessions[locationID]
	if s == nil || s.Connection != conn {
		if r.boards[conn.Account] == nil {
			r.boards[conn.Account] = &board{}
		}
		s = &session{Connection: conn, board: r.boards[conn.Account]}
		r.sessions[locationID] = s
	}
	return s, nil
}

// Register adds the workers.
func (r *Reconciler) Register(workers *river.Workers) {
	addWorker(r, workers, lane.Live, func(a store.SyncArgs) string { return a.LocationID }, r.syncJob)
	addWorker(r, workers, lane.Live, func(a store.RemindArgs) string { return a.LocationID }, r.remindJob)
	addWorker(r, workers, lane.Background, func(a store.StrayArgs) string { return a.LocationID }, r.strayJob)
	addWorker(r, workers, lane.Background, func(a store.RestArgs) string { return a.LocationID }, r.restJob)
	addWorker(r, workers, lane.Background, func(a store.ReconcileArgs) string { return a.LocationID }, r.reconcileJob)
	addWorker(r, workers, lane.Background, func(a store.ContactsArgs) string { return a.LocationID }, r.contactsJob)
	addWorker(r, workers, lane.Background, func(a store.EraseArgs) string { return a.LocationID }, r.eraseJob)
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[store.PollArgs]) error {
		return r.inLanes(ctx, lane.Background, job.JobRow, []lane.Key{accountKey(lane.Background, job.Args.Account)}, func() error { return r.pollJob(ctx, job) })
	}))
}

// Skip says why nothing is to be done for a delivery, or "" where its entity
// is to be synced. What is skipped is logged, since nothing else will be.
func (r *Reconciler) Skip(ctx context.Context, d store.Delivery) string {
	why := r.skip(ctx, d)
	if why != "" {
		naming(r.logger.Info(), d.Entity).Int64("delivery", d.ID).Str("type", d.Type).Str("why", why).Msg("delivery skipped")
	}
	return why
}

func (r *Reconciler) skip(ctx context.Context, d store.Delivery) string {
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
	_, err := r.connections.Lookup(ctx, d.Entity.LocationID)
	if absent, ok := errors.AsType[*connection.Absent](err); ok {
		return absent.Why
	}
	if mapping.Kind(d.Entity.Kind) == mapping.KindMeeting {
		return "" // what became of it is kept, whether an automation looks at it or not
	}
	if !r.live().Needs(mapping.Kind(d.Entity.Kind)).Any && !mayTakeAlong(d.Entity.Kind, d.Deleted) {
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

// parked remembers how long CalendarHero asked us to wait, so that the jobs behind
// the one that was told need not ask.
type parked struct {
	mu    sync.Mutex
	until time.Time
}

// set reports whether this is what begins the wait.
func (p *parked) set(now, until time.Time) (begins bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tick(now)
	begins = !p.until.After(now)
	if until.After(p.until) {
		p.until = until
	}
	return begins
}

func (p *parked) left(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tick(now)
	return p.until.Sub(now)
}

// tick ends a wait that is longer than any: the clock was put back.
func (p *parked) tick(now time.Time) {
	if p.until.Sub(now) > longestWait {
		p.until = now
	}
}

// snooze has River hand the job out again after d, by the Reconciler's clock.
func (r *Reconciler) snooze(d time.Duration) error { return river.JobSnooze(r.real(d)) }

// detached keeps a context's values and drops its end: for the note of what
// happened after the vendor was already called.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}
