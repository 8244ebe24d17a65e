package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
)

// Backfill is a backfill of a location. It is stored as a run (Apply) is; its
// Reconciliation has the progress of the search.
type Backfill struct {
	LocationID string
	Since      string // a day, or all
	By         string
	AskedAt    time.Time
	State      string // as an Apply's
	EndedAt    time.Time
}

// Name is the name of its Reconciliation. The command `milepost backfill` continues the
// same one.
func (b Backfill) Name() string { return backfillKey(b.LocationID) + "/" + b.Since }

// backfillKey takes the place of an automation's id, which has no slash.
func backfillKey(locationID string) string { return "backfill/" + locationID }

// BackfillArgs are the arguments of the job that continues a backfill.
type BackfillArgs struct {
	LocationID string `json:"location_id" river:"unique"`
}

// Kind is the job's name in River's tables.
func (BackfillArgs) Kind() string { return "backfill" }

// InsertOpts keeps one live job for each location, at a lower priority than webhook jobs.
func (BackfillArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueBackground, Priority: priorityBackfill, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: liveStates}}
}

// StartBackfill begins a backfill, and replaces the location's last one.
func (s *Store) StartBackfill(ctx context.Context, b Backfill) error {
	if !s.CanQueue() {
		return errors.New("begin a backfill: there is no queue")
	}
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO applies (`+applyColumns+`) VALUES ($1, $2, $3, 'running', $4, 0, 0, '', '', $5, 0, 0)
			ON CONFLICT (automation) DO UPDATE SET asked_by = excluded.asked_by, asked_at = excluded.asked_at, state = 'running', last_id = excluded.last_id, ended_at = 0`,
			backfillKey(b.LocationID), b.By, micros(b.AskedAt), b.LocationID, b.Since); err != nil {
			return err
		}
		return s.queue.insert(ctx, tx, []river.InsertManyParams{{Args: BackfillArgs{LocationID: b.LocationID}}})
	})
	if err != nil {
		return fmt.Errorf("begin the backfill of location %s: %w", b.LocationID, err)
	}
	return nil
}

// BackfillOf reads the last backfill of a location that StartBackfill began; ok is false if
// there was none.
func (s *Store) BackfillOf(ctx context.Context, locationID string) (b Backfill, ok bool, err error) {
	a, ok, err := s.ApplyOf(ctx, backfillKey(locationID))
	return Backfill{locationID, a.Last.ID, a.By, a.AskedAt, a.State, a.EndedAt}, ok, err
}

// Backfills lists the last backfill of each location that has one, by location.
func (s *Store) Backfills(ctx context.Context) ([]Backfill, error) {
	rows, err := s.Query(ctx, listBackfills)
	list, err := collect(rows, err, func(r Rows) (b Backfill, err error) {
		var asked, ended int64
		err = r.Scan(&b.LocationID, &b.Since, &b.By, &asked, &b.State, &ended)
		b.AskedAt, b.EndedAt = fromMicros(asked), fromMicros(ended)
		return b, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the backfills: %w", err)
	}
	return list, nil
}

// The key of a backfill follows backfill/, and 0 follows the slash.
const listBackfills = `SELECT location_id, last_id, asked_by, asked_at, state, ended_at FROM applies
	WHERE automation >= 'backfill/' AND automation < 'backfill0' ORDER BY automation`

// CancelBackfill ends a backfill; records that it has queued are still synced. It reports
// whether one was running.
func (s *Store) CancelBackfill(ctx context.Context, locationID string, now time.Time) (was bool, err error) {
	return s.CancelApply(ctx, backfillKey(locationID), now)
}

// EndBackfill completes the job of a backfill that has ended or was cancelled, in the
// transaction that stores the end. So a backfill that begins at this moment gets its own
// job. If the backfill was begun again since, more is true, and the job goes on.
func (s *Store) EndBackfill(ctx context.Context, job *river.Job[BackfillArgs], ended Backfill, now time.Time) (more bool, err error) {
	key := backfillKey(ended.LocationID)
	err = s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE applies SET state = 'done', ended_at = $2 WHERE automation = $1 AND state = 'running' AND asked_at = $3`,
			key, micros(now), micros(ended.AskedAt)); err != nil {
			return err
		}
		a, ok, err := applyOf(ctx, tx, key)
		if more = ok && a.State == ApplyRunning; err != nil || more {
			return err
		}
		return s.queue.complete(ctx, tx, job.JobRow)
	})
	if err != nil {
		return false, fmt.Errorf("end the backfill of location %s: %w", ended.LocationID, err)
	}
	return more, nil
}
