package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// Queue is the River job queue of a Store. It hides the back end's transaction type. Only
// the Store's own transactions insert jobs.
type Queue interface {
	// Start begins to work jobs; ctx bounds only the start.
	Start(ctx context.Context) error
	// Stop lets running jobs finish until ctx ends. Then it cancels them and hands them back to
	// the queue.
	Stop(ctx context.Context) error

	insert(ctx context.Context, tx *Tx, jobs []river.InsertManyParams) error
	// expedite ensures that a sync job exists. With first, the job has the priority of live
	// syncs. With due, it becomes due if it waits.
	expedite(ctx context.Context, tx *Tx, job Entity, first, due bool) error
	complete(ctx context.Context, tx *Tx, job *rivertype.JobRow) error
	// await adds a sync job that is due at a time.
	await(ctx context.Context, tx *Tx, job SyncArgs, priority int, at time.Time) error
	// list lists jobs in the given states, by id, newest first, after a cursor; "" = from
	// the newest on.
	list(ctx context.Context, states []rivertype.JobState, after string, limit int) (jobs []*rivertype.JobRow, next string, err error)
	// retry makes a job due at once.
	retry(ctx context.Context, id int64) error
	// note stores a value as the output of a job, for its next run.
	note(ctx context.Context, tx *Tx, id int64, value any) error
}

// QueueConfig says how to work jobs.
type QueueConfig struct {
	Workers    *river.Workers
	MaxWorkers int // concurrent jobs in this process, without background jobs; 0 = liveWorkers
	Logger     *slog.Logger
	Poll       time.Duration // how often River looks for jobs of others and for those that are due; 0 = each second
	// Real converts a wait to real time, for tests in which time runs faster; nil = no
	// conversion.
	Real func(time.Duration) time.Duration
}

// Limits of a job. River interrupts a job after jobTimeout, and hands out a lost one again
// after rescueAfter, which must be longer. Jobs of a dead process come back sooner: see
// ResetRunningJobs and presence.
const (
	jobTimeout     = 30 * time.Second
	rescueAfter    = 60 * time.Second
	longestBackoff = 15 * time.Minute // new events wait with a job in back-off, so it must not be longer
	maxAttempts    = 1000             // some ten days at the longest back-off
	completedKept  = time.Hour        // the deliveries keep the history

	// liveWorkers is many more than one location or account may use, so that the others
	// have enough if a few hang.
	liveWorkers = 32

	// Jobs that nobody waits for have a queue of their own. A sweep of a location takes minutes,
	// and must not delay the jobs of webhooks.
	queueBackground   = "background"
	backgroundWorkers = 8

	// PriorityLive is the priority of jobs that somebody waits for.
	PriorityLive     = 1
	priorityBackfill = 3

	shortestBackoff = 2 * time.Second

	// soon is how often River's scheduler makes jobs available, and how far ahead it looks. A
	// job that is due sooner must be available from the start, as River's own snoozes are, or
	// it would be late by up to this time. River does not work it before its time.
	soon          = 5 * time.Second
	fetchCooldown = 10 * time.Millisecond
)

func (c QueueConfig) river() *river.Config {
	if c.MaxWorkers == 0 {
		c.MaxWorkers = liveWorkers
	}
	if c.Workers == nil {
		return &river.Config{Logger: c.Logger}
	}
	if c.Real == nil {
		c.Real = func(d time.Duration) time.Duration { return d }
	}
	return &river.Config{
		CompletedJobRetentionPeriod: completedKept,
		DiscardedJobRetentionPeriod: -1, // a discarded job is a dead letter; a person decides
		FetchCooldown:               fetchCooldown,
		FetchPollInterval:           max(c.Real(cmp.Or(c.Poll, time.Second)), fetchCooldown),
		JobTimeout:                  jobTimeout,
		Logger:                      c.Logger,
		MaxAttempts:                 maxAttempts,
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: c.MaxWorkers}, queueBackground: {MaxWorkers: backgroundWorkers}},
		RescueStuckJobsAfter:        rescueAfter,
		RetryPolicy:                 Backoff{c.Real},
		Workers:                     c.Workers,
	}
}

// NewQueue creates the queue of the store. Call it once, before anything queues a sync. The
// queue works nothing before Start. A queue without workers only inserts jobs for processes
// that have workers.
func (s *Store) NewQueue(cfg QueueConfig) (Queue, error) {
	q, err := s.newQueue(cfg)
	if err != nil {
		return nil, err
	}
	s.queue = q
	return q, nil
}

// Backoff is the retry policy of failed jobs: 2 s, doubled at each attempt up
// to 15 minutes, ±10 %.
type Backoff struct {
	Real func(time.Duration) time.Duration // as in QueueConfig
}

// NextRetry returns the time of the next attempt.
func (b Backoff) NextRetry(job *rivertype.JobRow) time.Time {
	wait := b.Wait(job)
	return time.Now().Add(time.Duration(float64(wait) * (0.9 + 0.2*rand.Float64())))
}

// Wait returns how long a job that fails now really waits, ±10 %.
func (b Backoff) Wait(job *rivertype.JobRow) time.Duration {
	return b.Real(BackoffAfter(len(job.Errors)))
}

// BackoffAfter returns how long to wait after a failure that follows n others.
func BackoffAfter(n int) time.Duration {
	if n < 9 {
		return min(shortestBackoff<<n, longestBackoff)
	}
	return longestBackoff
}

// SyncArgs are the arguments of the job that syncs a contact with all of its changed
// records. A record whose contact is unknown has its own job; in earlier versions every
// record had one. At most one such job per entity is live, including running ones, so two
// workers never sync the same entity.
type SyncArgs struct {
	LocationID string `json:"location_id" river:"unique"`
	RecordKind string `json:"kind"        river:"unique"`
	EntityID   string `json:"id"          river:"unique"`
}

// Kind is the job's name in River's tables.
func (SyncArgs) Kind() string { return "sync" }

// Entity is the contact to sync, or the record.
func (a SyncArgs) Entity() Entity {
	return Entity{LocationID: a.LocationID, Kind: a.RecordKind, ID: a.EntityID}
}

// InsertOpts keeps one live job per contact or record. Completed jobs are not in the list
// of states, because they would block their own entity.
func (SyncArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: liveStates}}
}

// RemindArgs are the arguments of one reminder of a meeting request. They contain the
// meeting's times when it was queued. If the request is replaced or moved, the reminder
// does nothing.
type RemindArgs struct {
	LocationID string        `json:"location_id" river:"unique"`
	RecordKind string        `json:"kind"        river:"unique"`
	EntityID   string        `json:"id"          river:"unique"`
	Item       string        `json:"item"        river:"unique"`
	Generation int64         `json:"generation"  river:"unique"` // of the link
	Before     time.Duration `json:"before"      river:"unique"`
	At         time.Time     `json:"at"          river:"unique"` // when to remind; zero in jobs of an earlier version
	Of         time.Time     `json:"of"          river:"unique"` // as Reminder.Of
	Next       time.Time     `json:"next"`                       // when the next reminder is due; zero = this is the last
	NextBefore time.Duration `json:"next_before"`
}

// Kind is the job's name in River's tables.
func (RemindArgs) Kind() string { return "remind" }

// InsertOpts keeps one live job per reminder.
func (RemindArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: liveStates}}
}

// Entity is the entity of the item.
func (a RemindArgs) Entity() Entity {
	return Entity{LocationID: a.LocationID, Kind: a.RecordKind, ID: a.EntityID}
}

// OrphanArgs are the arguments of a search for a meeting request that should not exist. It
// may be the late object of a create that Milepost gave up and replaced, or a request whose
// deletion only a gateway confirmed.
type OrphanArgs struct {
	LocationID string    `json:"location_id"`
	RecordKind string    `json:"kind"`
	EntityID   string    `json:"id"`
	Item       string    `json:"item"`
	Generation int64     `json:"generation"` // of the create
	GivenUpAt  time.Time `json:"given_up_at"`
	DeletedID  string    `json:"deleted_id,omitempty"` // id of the request that was deleted then; "" = its create was given up
	EndsAt     time.Time `json:"ends_at,omitzero"`     // set if it was left because it was over: when it ended
}

// Kind is the job's name in River's tables.
func (OrphanArgs) Kind() string { return "stray" }

// InsertOpts gives it a lower priority than webhook jobs.
func (OrphanArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: queueBackground} }

// Entity is the entity whose item the object would be.
func (a OrphanArgs) Entity() Entity {
	return Entity{LocationID: a.LocationID, Kind: a.RecordKind, ID: a.EntityID}
}

// DebounceArgs are the arguments of the job that syncs an item when the wait of its new
// description ends. If the description has changed since, the job does nothing.
type DebounceArgs struct {
	LocationID string    `json:"location_id" river:"unique"`
	RecordKind string    `json:"kind"        river:"unique"`
	EntityID   string    `json:"id"          river:"unique"`
	Item       string    `json:"item"        river:"unique"`
	Since      time.Time `json:"since"       river:"unique"` // as in Link.DebouncedSince
}

// Kind is the job's name in River's tables.
func (DebounceArgs) Kind() string { return "rest" }

// InsertOpts gives it a lower priority than webhook jobs.
func (DebounceArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueBackground, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: liveStates}}
}

// Entity is the entity of the item.
func (a DebounceArgs) Entity() Entity {
	return Entity{LocationID: a.LocationID, Kind: a.RecordKind, ID: a.EntityID}
}

// ReconcileArgs are the arguments of the job that sweeps a location. Each location has one;
// it snoozes until the next sweep.
type ReconcileArgs struct {
	LocationID string `json:"location_id" river:"unique"`
}

// Kind is the job's name in River's tables.
func (ReconcileArgs) Kind() string { return "reconcile" }

// InsertOpts keeps one live job per location.
func (ReconcileArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueBackground, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: liveStates}}
}

// PollArgs are the arguments of the job that polls the meeting requests of a CalendarHero
// account. It snoozes until the next poll.
type PollArgs struct {
	Account string `json:"account" river:"unique"`
}

// Kind is the job's name in River's tables.
func (PollArgs) Kind() string { return "poll" }

// InsertOpts keeps one live job per account.
func (PollArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueBackground, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: liveStates}}
}

// QueuePolls ensures that each account has its job.
func (s *Store) QueuePolls(ctx context.Context, accounts []string) error {
	jobs := make([]river.InsertManyParams, len(accounts))
	for i, id := range accounts {
		jobs[i] = river.InsertManyParams{Args: PollArgs{Account: id}}
	}
	return s.InTx(ctx, func(tx *Tx) error { return s.queue.insert(ctx, tx, jobs) })
}

// ContactsArgs are the arguments of the job that polls a location's contacts in
// CalendarHero that are synced both ways. It snoozes as the job of ReconcileArgs does.
type ContactsArgs struct {
	LocationID string `json:"location_id" river:"unique"`
}

// Kind is the job's name in River's tables.
func (ContactsArgs) Kind() string { return "contacts" }

// InsertOpts keeps one live job per location.
func (ContactsArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueBackground, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: liveStates}}
}

// QueueReconciliations ensures that each location has its jobs.
func (s *Store) QueueReconciliations(ctx context.Context, locationIDs []string) error {
	var jobs []river.InsertManyParams
	for _, id := range locationIDs {
		jobs = append(jobs, river.InsertManyParams{Args: ReconcileArgs{LocationID: id}}, river.InsertManyParams{Args: ContactsArgs{LocationID: id}})
	}
	return s.InTx(ctx, func(tx *Tx) error {
		// An earlier version put them into the default queue.
		if _, err := tx.Exec(ctx, `UPDATE river_job SET queue = $1 WHERE kind = 'reconcile' AND queue <> $1 AND state <> 'running'`, queueBackground); err != nil {
			return fmt.Errorf("move reconciliations to the queue %s: %w", queueBackground, err)
		}
		return s.queue.insert(ctx, tx, jobs)
	})
}

// WakePeriodic makes the jobs due whose next time depends on the settings. Each job
// computes its next time and waits again. Otherwise a shorter interval would take effect
// only after the longer wait has passed.
func (s *Store) WakePeriodic(ctx context.Context) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `UPDATE river_job SET scheduled_at = created_at WHERE kind IN ('reconcile', 'contacts', 'poll', 'rest') AND state = 'scheduled'`)
		return err
	})
	if err != nil {
		return fmt.Errorf("make the periodic jobs due: %w", err)
	}
	return nil
}

// liveStates are the states in which a job blocks another one with the same arguments.
var liveStates = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning,
	rivertype.JobStateRetryable, rivertype.JobStateScheduled,
}

// riverQueue is River on one driver.
type riverQueue[D riverdriver.Driver[T], T any] struct {
	client *river.Client[T]
	// insertMany inserts jobs, except those that a live job blocks.
	insertMany func(ctx context.Context, tx T, jobs []river.InsertManyParams) error
}

func (q *riverQueue[D, T]) Start(ctx context.Context) error {
	// If the context given to River ended, River would stop; only Stop should do that.
	return q.client.Start(context.WithoutCancel(ctx))
}

func (q *riverQueue[D, T]) Stop(ctx context.Context) error {
	err := q.client.Stop(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return q.client.StopAndCancel(hard)
}

func (q *riverQueue[D, T]) insert(ctx context.Context, tx *Tx, jobs []river.InsertManyParams) error {
	if len(jobs) == 0 {
		return nil
	}
	return q.insertMany(ctx, tx.raw.(T), jobs)
}

func (q *riverQueue[D, T]) expedite(ctx context.Context, tx *Tx, job Entity, first, due bool) error {
	var opts *river.InsertOpts
	if !first {
		opts = &river.InsertOpts{Priority: priorityBackfill}
	}
	res, err := q.client.InsertTx(ctx, tx.raw.(T), SyncArgs{LocationID: job.LocationID, RecordKind: job.Kind, EntityID: job.ID}, opts)
	if err != nil || !res.UniqueSkippedAsDuplicate {
		return err
	}
	if first && res.Job.Priority > PriorityLive {
		if _, err := tx.Exec(ctx, `UPDATE river_job SET priority = $2 WHERE id = $1`, res.Job.ID, PriorityLive); err != nil {
			return err
		}
	}
	// A job that is available may also wait for its time. If it ran before, it only pauses.
	waits := res.Job.State == rivertype.JobStateScheduled ||
		res.Job.State == rivertype.JobStateAvailable && res.Job.AttemptedAt == nil && res.Job.ScheduledAt.After(time.Now())
	if !due || !waits {
		return nil
	}
	_, err = q.client.JobRetryTx(ctx, tx.raw.(T), res.Job.ID)
	return err
}

func (q *riverQueue[D, T]) complete(ctx context.Context, tx *Tx, job *rivertype.JobRow) error {
	_, err := river.JobCompleteTx[D](ctx, tx.raw.(T), &river.Job[SyncArgs]{JobRow: job})
	return err
}

func (q *riverQueue[D, T]) await(ctx context.Context, tx *Tx, job SyncArgs, priority int, at time.Time) error {
	res, err := q.client.InsertTx(ctx, tx.raw.(T), job, &river.InsertOpts{Priority: priority, ScheduledAt: at})
	if err != nil || time.Until(at) > soon {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE river_job SET state = 'available' WHERE id = $1 AND state = 'scheduled'`, res.Job.ID)
	return err
}

func (q *riverQueue[D, T]) note(ctx context.Context, tx *Tx, id int64, value any) error {
	_, err := q.client.JobUpdateTx(ctx, tx.raw.(T), id, &river.JobUpdateParams{Output: value})
	return err
}

func (q *riverQueue[D, T]) list(ctx context.Context, states []rivertype.JobState, after string, limit int) (jobs []*rivertype.JobRow, next string, err error) {
	params := river.NewJobListParams().States(states...).OrderBy(river.JobListOrderByID, river.SortOrderDesc).First(limit)
	if after != "" {
		var cursor river.JobListCursor
		if err := cursor.UnmarshalText([]byte(after)); err != nil {
			return nil, "", fmt.Errorf("read where the page begins: %w", err)
		}
		params = params.After(&cursor)
	}
	res, err := q.client.JobList(ctx, params)
	if err != nil || len(res.Jobs) < limit {
		if err != nil {
			return nil, "", err
		}
		return res.Jobs, "", nil
	}
	text, err := res.LastCursor.MarshalText() // there may be no other jobs
	return res.Jobs, string(text), err
}

func (q *riverQueue[D, T]) retry(ctx context.Context, id int64) error {
	_, err := q.client.JobRetry(ctx, id)
	return err
}
