package store

import (
	"context"
	"fmt"
	"time"
)

// LongestRest is the longest time that a new description may wait.
const LongestRest = 24 * time.Hour

// No job except a reminder waits longer than these times. So a job that does was scheduled
// by a clock that was ahead. The periodic jobs of a location or account wait for their next
// round.
const (
	longestSync   = 20 * time.Minute // longestBackoff and its random part
	longestOrphan = 3 * time.Hour
	longestRest   = LongestRest + time.Hour
)

// ClockPutBack repairs times that were stored by a clock ahead of the machine's, and that
// would otherwise delay work until the clock catches up. It shortens the waits of jobs to
// their limits, and lets contacts be read again. every is how often a location is
// reconciled. now is the workers' clock; jobs follow the machine's. It returns how many
// jobs it made due. It is cheap if there is nothing to repair.
func (s *Store) ClockPutBack(ctx context.Context, now time.Time, every time.Duration) (jobs int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		for _, of := range []struct {
			kinds string
			most  time.Duration
		}{
			{`'sync', 'erase'`, longestSync},
			{`'stray'`, longestOrphan},
			{`'rest'`, longestRest},
			{`'reconcile', 'contacts', 'poll'`, every + every/5 + longestSync},
		} {
			n, err := tx.Exec(ctx, `UPDATE river_job SET state = 'available', scheduled_at = `+s.machineTime(0)+`
				WHERE state IN ('available', 'scheduled', 'retryable') AND kind IN (`+of.kinds+`) AND scheduled_at > `+s.machineTime(of.most))
			if err != nil {
				return err
			}
			jobs += n
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("make jobs due that wait for a wrong time: %w", err)
	}
	rows, err := s.Query(ctx, `SELECT 1 FROM links WHERE item_kind = 'contact' AND base <> '' AND state = 'live' AND looked_at > $1 LIMIT 1`, micros(now))
	found, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err == nil && len(found) > 0 {
		err = s.InTx(ctx, func(tx *Tx) error {
			_, err := tx.Exec(ctx, `UPDATE links SET looked_at = CASE WHEN looked_at > $1 THEN 0 ELSE looked_at END,
				same_at = CASE WHEN same_at > $1 THEN 0 ELSE same_at END WHERE looked_at > $1 OR same_at > $1`, micros(now))
			return err
		})
	}
	if err != nil {
		return jobs, fmt.Errorf("queue contacts again: %w", err)
	}
	return jobs, nil
}

// SyncedAhead queues syncs of records that were synced after now by a clock that was put
// back since: that clock may have taken a future time for a past one. It reads all
// entities.
func (s *Store) SyncedAhead(ctx context.Context, now time.Time) error {
	for {
		rows, err := s.Query(ctx, `SELECT location_id, kind, id FROM entities WHERE synced_at > $1 LIMIT 500`, micros(now))
		list, err := collect(rows, err, func(r Rows) (e Entity, err error) {
			err = r.Scan(&e.LocationID, &e.Kind, &e.ID)
			return e, err
		})
		if err == nil && len(list) > 0 {
			err = s.InTx(ctx, func(tx *Tx) error {
				for _, e := range list {
					if _, err := tx.Exec(ctx, `UPDATE entities SET synced_at = $4 WHERE location_id = $1 AND kind = $2 AND id = $3`, e.LocationID, e.Kind, e.ID, micros(now)); err != nil {
						return err
					}
				}
				return tx.requeue(ctx, list, false, byBackfill)
			})
		}
		if err != nil {
			return fmt.Errorf("queue records that were synced by a clock that was ahead: %w", err)
		}
		if len(list) == 0 {
			return nil
		}
	}
}

// machineTime returns a time after now by the machine's clock, in the format of River's
// tables.
func (s *Store) machineTime(later time.Duration) string {
	seconds := int64(later / time.Second)
	if _, ok := s.backend.(*sqliteBackend); ok {
		return fmt.Sprintf(`strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '%d seconds')`, seconds)
	}
	return fmt.Sprintf(`now() + interval '%d seconds'`, seconds)
}
