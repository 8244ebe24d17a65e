// Package jobs runs River's jobs, each in the lane of its location and in that of its
// CalendarHero account, and logs the outages of their vendors.
//
// Guarantees: a job whose lanes are full, or whose location another Milepost works, is
// handed back with a time of its own. The log never contains a vendor's words, which
// may quote a record. The package does not know what jobs do.
package jobs

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/connection"
	"milepost/internal/lane"
	"milepost/internal/outage"
	"milepost/internal/outcome"
	"milepost/internal/store"
)

// How many workers one location, and one CalendarHero account, may have at most,
// of store.LiveWorkers and store.BackgroundWorkers. HighLevel's limit lets a
// location make nine calls a second, so more would not make it faster.
const (
	liveOfLocation, liveOfAccount             = 6, 12
	backgroundOfLocation, backgroundOfAccount = 2, 4
)

const (
	// elsewhereWait is when a job comes back whose location another Milepost works.
	elsewhereWait = time.Minute
	// longestBudgetWait is the longest wait for the budget that a job keeps its worker for.
	longestBudgetWait = 5 * time.Second
)

// Connections finds the connection of a location.
type Connections interface {
	// Lookup fails with *connection.NotConnected if there is nothing to do for a location.
	Lookup(ctx context.Context, locationID string) (*connection.Connection, error)
}

// Config is what a Runner needs.
type Config struct {
	Connections Connections
	Logger      zerolog.Logger
	Now         func() time.Time // nil = time.Now
	// Real returns how long a wait by Now really takes: River's clock is another one.
	// nil = as long as it says.
	Real func(time.Duration) time.Duration
}

// Runner runs jobs. Safe for concurrent use.
type Runner struct {
	Config
	// Database logs the outages of the state database.
	Database *outage.Log

	lanes   *lane.Lanes
	waits   func(time.Duration) // hears of waits at HighLevel's rate limit; nil = no wait is longer than longestBudgetWait
	mu      sync.Mutex
	outages map[string]*outage.Log // by lane
}

// New makes a Runner.
func New(cfg Config) *Runner {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Real == nil {
		cfg.Real = func(d time.Duration) time.Duration { return d }
	}
	r := &Runner{Config: cfg, Database: outage.New(cfg.Logger, "state database", cfg.Now), outages: map[string]*outage.Log{}}
	r.lanes = lane.New(lane.Config{Real: cfg.Real, Now: cfg.Now, Rests: r.tripped})
	return r
}

// Add adds the worker of a kind of jobs, each of which works for one location.
func Add[T river.JobArgs](r *Runner, workers *river.Workers, pool lane.Pool, location func(T) string, work func(context.Context, *river.Job[T]) error) {
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[T]) error {
		id := location(job.Args)
		keys := []lane.Key{locationKey(pool, id)}
		if conn, err := r.Connections.Lookup(ctx, id); err == nil && conn.Elsewhere() {
			return r.Snooze(elsewhereWait)
		} else if err == nil {
			keys = append(keys, accountKey(pool, conn.Account))
		}
		return r.inLanes(ctx, pool, job.JobRow, keys, func() error { return work(ctx, job) })
	}))
}

// AddForAccount adds the worker of a kind of jobs, each of which works for a
// CalendarHero account.
func AddForAccount[T river.JobArgs](r *Runner, workers *river.Workers, pool lane.Pool, account func(T) string, work func(context.Context, *river.Job[T]) error) {
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[T]) error {
		return r.inLanes(ctx, pool, job.JobRow, []lane.Key{accountKey(pool, account(job.Args))}, func() error { return work(ctx, job) })
	}))
}

func locationKey(pool lane.Pool, id string) lane.Key {
	most := liveOfLocation
	if pool == lane.Background {
		most = backgroundOfLocation
	}
	return lane.Key{Name: connection.LocationLane(id), Most: most}
}

func accountKey(pool lane.Pool, id string) lane.Key {
	most := liveOfAccount
	if pool == lane.Background {
		most = backgroundOfAccount
	}
	return lane.Key{Name: connection.AccountLane(id), Most: most}
}

// inLanes works a job once its lanes have room, or hands it back.
func (r *Runner) inLanes(ctx context.Context, pool lane.Pool, job *rivertype.JobRow, keys []lane.Key, work func() error) error {
	leave, wait := r.lanes.Enter(ctx, pool, job.Priority == store.PriorityLive, keys...)
	if leave == nil {
		return river.JobSnooze(wait)
	}
	defer leave()
	err := work()
	if _, ok := errors.AsType[*clients.Error](err); ok {
		return errors.New(outcome.Redacted(err)) // River stores it
	}
	return err
}

// Snooze has River hand out the job again after d, or at once if d is over: a turn that
// took longer than its interval is late for the next one.
func (r *Runner) Snooze(d time.Duration) error { return river.JobSnooze(max(0, r.Real(d))) }

// WhenItAnswers has River try a job again that a vendor's outage stopped: after 2 s
// at first, doubled each time up to outcome.LongestOutageWait. The jobs do not come all
// at once, because the lane of a vendor that does not answer lets one in at a time.
func (r *Runner) WhenItAnswers(job *rivertype.JobRow, cause error) error {
	if (store.Backoff{Real: func(d time.Duration) time.Duration { return d }}).Wait(job) < outcome.LongestOutageWait {
		return cause // River's own back-off
	}
	return r.Snooze(outcome.Jitter(outcome.LongestOutageWait * 9 / 10))
}

// WaitAtLimit makes calls wait at HighLevel's rate limit, for a command. A worker comes
// back later instead. report hears of each wait.
func (r *Runner) WaitAtLimit(report func(time.Duration)) { r.waits = report }

// WaitsAtLimit reports whether calls wait at HighLevel's rate limit.
func (r *Runner) WaitsAtLimit() bool { return r.waits != nil }

// AtLimit waits until a call that HighLevel's rate limit held back may be tried
// again. It returns false for another failure, and if the time is too far away.
func (r *Runner) AtLimit(ctx context.Context, err error) bool {
	failed, ok := errors.AsType[*clients.Error](err)
	if !ok || failed.Reason != clients.RateLimited || failed.API == calendarhero.API {
		return false
	}
	d := failed.RetryAfter
	switch {
	case r.waits == nil && (failed.Status != 0 || d > longestBudgetWait), d > outcome.LongestWait:
		return false
	case r.waits != nil:
		d = max(d, time.Second)
		r.waits(d)
	}
	timer := time.NewTimer(r.Real(d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Ended is called with how each call of a vendor for a lane ended.
func (r *Runner) Ended(name string, failed bool) {
	r.lanes.Ended(name, failed)
	if failed {
		return // the job that made the call logs why
	}
	r.mu.Lock()
	log := r.outages[name]
	r.mu.Unlock()
	log.Succeeded()
}

// tripped logs when calls for a lane begin to fail, and when they succeed again. The
// log of outages reports it to people.
func (r *Runner) tripped(name string, tripped bool) {
	kind, id, _ := strings.Cut(name, " ")
	if kind == "account" {
		id = id[:min(12, len(id))]
	}
	if tripped {
		r.Logger.Debug().Str(kind, id).Msg("vendor does not answer; jobs wait while one at a time probes")
		return
	}
	r.Logger.Debug().Str(kind, id).Msg("vendor answers again; jobs continue")
}

// Outage is the log of a vendor's outages for a location, or for its CalendarHero
// account.
func (r *Runner) Outage(api, locationID string) *outage.Log {
	name := connection.LocationLane(locationID)
	if api == calendarhero.API {
		if conn, err := r.Connections.Lookup(context.Background(), locationID); err == nil {
			name = connection.AccountLane(conn.Account)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.outages[name] == nil {
		r.outages[name] = outage.New(r.Logger.With().Str("location", locationID).Logger(), api, r.Now)
	}
	return r.outages[name]
}

// WithEntity adds the fields of an entity to a line of the log.
func WithEntity(line *zerolog.Event, e store.Entity) *zerolog.Event {
	return line.Str("location", e.LocationID).Str("kind", e.Kind).Str("id", e.ID)
}

// Detached returns a context that is not cancelled with its parent, to save the result
// of a call that was already made. A page of a hundred records takes some hundred
// statements, and the database may be slow or far away.
func Detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
}
