package reconcile

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"milepost/clients"
	"milepost/internal/connection"
	"milepost/internal/lane"
	"milepost/internal/store"
)

// How many workers one location, and one CalendarHero account, may have at most,
// of store.LiveWorkers and store.BackgroundWorkers. HighLevel's limit lets a
// location make nine calls a second, so more would not make it faster.
const (
	liveOfLocation, liveOfAccount             = 6, 12
	backgroundOfLocation, backgroundOfAccount = 2, 4
)

// elsewhereWait is when a job comes back whose location another Milepost works.
const elsewhereWait = time.Minute

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

// addWorker adds the worker of a kind of jobs, each of which works for one location.
func addWorker[T river.JobArgs](r *Reconciler, workers *river.Workers, pool lane.Pool, location func(T) string, work func(context.Context, *river.Job[T]) error) {
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[T]) error {
		id := location(job.Args)
		keys := []lane.Key{locationKey(pool, id)}
		if conn, err := r.connections.Lookup(ctx, id); err == nil && conn.Elsewhere() {
			return r.snooze(elsewhereWait)
		} else if err == nil {
			keys = append(keys, accountKey(pool, conn.Account))
		}
		return r.inLanes(ctx, pool, job.JobRow, keys, func() error { return work(ctx, job) })
	}))
}

// inLanes works a job once its lanes have room, or hands it back.
func (r *Reconciler) inLanes(ctx context.Context, pool lane.Pool, job *rivertype.JobRow, keys []lane.Key, work func() error) error {
	leave, wait := r.lanes.Enter(ctx, pool, job.Priority == store.PriorityLive, keys...)
	if leave == nil {
		return river.JobSnooze(wait)
	}
	defer leave()
	err := work()
	if _, ok := errors.AsType[*clients.Error](err); ok {
		return errors.New(silent(err)) // River keeps it: without the vendor's words, which may quote the record
	}
	return err
}

// Ended is told how each call of a vendor for a lane ended.
func (r *Reconciler) Ended(name string, failed bool) {
	r.lanes.Ended(name, failed)
	if failed {
		return // the job that made the call tells why
	}
	r.mu.Lock()
	log := r.outages[name]
	r.mu.Unlock()
	log.Succeeded()
}

// rests notes when calls for a lane begin to fail, and when they succeed again. The
// log of outages says it to people.
func (r *Reconciler) rests(name string, resting bool) {
	kind, id, _ := strings.Cut(name, " ")
	if kind == "account" {
		id = id[:min(12, len(id))]
	}
	if resting {
		r.logger.Debug().Str(kind, id).Msg("vendor does not answer; jobs wait while one at a time probes")
		return
	}
	r.logger.Debug().Str(kind, id).Msg("vendor answers again; jobs continue")
}
