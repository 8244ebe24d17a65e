package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// ReconciliationFailure is why the reconciliation of a location is interrupted.
type ReconciliationFailure struct {
	Cause  Cause  // with the location and the outcome that a sync would have
	Detail string // the error
	First  time.Time
	Last   time.Time
}

// NoteReconciliationFailure stores that the reconciliation of a location failed at f.Last.
// The time of the first failure stays until ReconciliationSucceeded.
func (s *Store) NoteReconciliationFailure(ctx context.Context, f ReconciliationFailure) error {
	cause, err := json.Marshal(f.Cause)
	if err != nil {
		return err
	}
	err = s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO reconciliations (`+reconciliationColumns+`, failure, failure_detail, failed_at, failed_last)
			VALUES ($1, $1, 0, 0, '', 0, 0, 0, 0, 0, 0, 0, 0, $2, $3, $4, $4)
			ON CONFLICT (name) DO UPDATE SET failure = excluded.failure, failure_detail = excluded.failure_detail, failed_last = excluded.failed_last,
				failed_at = CASE WHEN reconciliations.failed_at = 0 THEN excluded.failed_at ELSE reconciliations.failed_at END`,
			f.Cause.LocationID, string(cause), f.Detail, micros(f.Last))
		return err
	})
	if err != nil {
		return fmt.Errorf("save why the reconciliation of %s failed: %w", f.Cause.LocationID, err)
	}
	return nil
}

// ReconciliationSucceeded forgets why the reconciliation of a location failed.
func (s *Store) ReconciliationSucceeded(ctx context.Context, locationID string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `UPDATE reconciliations SET failure = '', failure_detail = '', failed_at = 0, failed_last = 0 WHERE name = $1 AND failed_at <> 0`, locationID)
		return err
	})
	if err != nil {
		return fmt.Errorf("save that the reconciliation of %s succeeded: %w", locationID, err)
	}
	return nil
}

// ReconciliationFailures lists the locations whose reconciliation fails.
func (s *Store) ReconciliationFailures(ctx context.Context) ([]ReconciliationFailure, error) {
	rows, err := s.Query(ctx, `SELECT failure, failure_detail, failed_at, failed_last FROM reconciliations WHERE failed_at <> 0 ORDER BY name`)
	list, err := collect(rows, err, func(r Rows) (f ReconciliationFailure, err error) {
		var cause string
		var first, last int64
		if err = r.Scan(&cause, &f.Detail, &first, &last); err == nil {
			err = json.Unmarshal([]byte(cause), &f.Cause)
		}
		f.First, f.Last = fromMicros(first), fromMicros(last)
		return f, err
	})
	if err != nil {
		return nil, fmt.Errorf("read which reconciliations fail: %w", err)
	}
	return list, nil
}
