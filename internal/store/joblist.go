package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/riverqueue/river/rivertype"
)

// Job is a job of the queue, as people see it.
type Job struct {
	ID          int64
	Kind        string
	State       string
	LocationID  string // "" if it concerns no location
	RecordKind  string // "" if it concerns no record
	RecordID    string
	Attempt     int
	CreatedAt   time.Time
	ScheduledAt time.Time // when it is due, or was
	Error       string    // of the last attempt; may quote a record
}

// jobGroups are the groups of jobs that the console and the commands show.
var jobGroups = map[string][]rivertype.JobState{
	"running":   {rivertype.JobStateRunning},
	"queued":    {rivertype.JobStateAvailable, rivertype.JobStatePending},
	"retrying":  {rivertype.JobStateRetryable},
	"scheduled": {rivertype.JobStateScheduled},
	"failed":    {rivertype.JobStateDiscarded},
}

// ErrNoQueue means that this process has opened no queue.
var ErrNoQueue = errors.New("this process has no job queue")

// Jobs lists the jobs of a group (running, queued, retrying, scheduled, failed) after a
// cursor, newest first; "" = from the newest on. next is the cursor of the next page, "" if
// there is none.
func (s *Store) Jobs(ctx context.Context, group, after string, limit int) (list []Job, next string, err error) {
	if s.queue == nil {
		return nil, "", ErrNoQueue
	}
	rows, next, err := s.queue.list(ctx, jobGroups[group], after, limit)
	if err != nil {
		return nil, "", fmt.Errorf("list the jobs: %w", err)
	}
	for _, row := range rows {
		list = append(list, jobOfRow(row))
	}
	return list, next, nil
}

func jobOfRow(row *rivertype.JobRow) Job {
	j := Job{ID: row.ID, Kind: row.Kind, State: string(row.State), Attempt: row.Attempt, CreatedAt: row.CreatedAt, ScheduledAt: row.ScheduledAt}
	var args struct {
		Location string `json:"location_id"`
		Kind     string `json:"kind"`
		ID       string `json:"id"`
		Contact  string `json:"contact_id"`
	}
	if json.Unmarshal(row.EncodedArgs, &args) == nil { // otherwise it concerns no known record
		j.LocationID, j.RecordKind, j.RecordID = args.Location, args.Kind, args.ID
		if args.Contact != "" {
			j.RecordKind, j.RecordID = "contact", args.Contact
		}
	}
	if n := len(row.Errors); n > 0 {
		j.Error = row.Errors[n-1].Error
	}
	return j
}

// CountJobs counts the jobs of each group, up to most.
func (s *Store) CountJobs(ctx context.Context, most int64) (map[string]int64, error) {
	out := map[string]int64{}
	for group, states := range jobGroups {
		for _, state := range states {
			rows, err := s.Query(ctx, countJobs, string(state), most)
			n, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
			if err != nil {
				return nil, fmt.Errorf("count the jobs: %w", err)
			}
			out[group] += n[0]
		}
	}
	return out, nil
}

const countJobs = `SELECT count(*) FROM (SELECT 1 FROM river_job WHERE state = $1 LIMIT $2) AS counted`

// RunJobNow makes a job due that failed and waits for its next attempt.
func (s *Store) RunJobNow(ctx context.Context, id int64) error {
	if s.queue == nil {
		return ErrNoQueue
	}
	rows, err := s.Query(ctx, `SELECT CAST(state AS TEXT) FROM river_job WHERE id = $1`, id)
	states, err := collect(rows, err, func(r Rows) (state string, err error) { return state, r.Scan(&state) })
	if err != nil {
		return fmt.Errorf("find job %d: %w", id, err)
	}
	due := []string{string(rivertype.JobStateRetryable), string(rivertype.JobStateDiscarded)}
	if len(states) == 0 || !slices.Contains(due, states[0]) {
		return ErrNotFailed
	}
	if err := s.queue.retry(ctx, id); err != nil {
		return fmt.Errorf("run job %d now: %w", id, err)
	}
	return nil
}

// ErrNotFailed means that a job has ended, is running, or waits without a failure.
var ErrNotFailed = errors.New("the job does not wait after a failure any more")

// OwedRecords lists records that are not in step, ordered by location, kind and id, after
// the given one; the zero Entity lists from the first.
func (s *Store) OwedRecords(ctx context.Context, after Entity, limit int) ([]EntityState, error) {
	rows, err := s.Query(ctx, listOwedRecords, after.LocationID, after.Kind, after.ID, limit)
	list, err := collect(rows, err, scanEntity)
	if err != nil {
		return nil, fmt.Errorf("list what is owed: %w", err)
	}
	return list, nil
}

const listOwedRecords = `SELECT ` + entityColumns + ` FROM entities WHERE wanted > done AND (location_id, kind, id) > ($1, $2, $3)
	ORDER BY location_id, kind, id LIMIT $4`
