package store

import (
	"context"
	"fmt"
	"time"
)

// Wait is why a sync did not end for a while.
type Wait struct {
	Entity  Entity
	Wanted  int64 // the entity's counter that the sync began with
	Outcome string
	Detail  string    // detail of the last try
	Began   time.Time // when the first try ended
	Until   time.Time // when the next try is or was due
	Tries   int64
	Made    SyncCalls // of the last try
}

// noteWait keeps one row for all tries that end in the same way, so that an outage of hours
// does not fill the table.
func (tx *Tx) noteWait(ctx context.Context, p Postponed) error {
	if p.Now.IsZero() {
		return nil
	}
	_, err := tx.Exec(ctx, `INSERT INTO waits (location_id, kind, entity_id, seen, outcome, detail, began_at, until_at, tries, calls)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9)
		ON CONFLICT (location_id, kind, entity_id, seen, outcome) DO UPDATE SET
			detail = excluded.detail, until_at = excluded.until_at, tries = waits.tries + 1, calls = excluded.calls`,
		p.Entity.LocationID, p.Entity.Kind, p.Entity.ID, p.Wanted, p.Outcome, p.Detail, micros(p.Now), micros(p.NextTry), p.Calls)
	return err
}

// Waits lists why the syncs of an entity did not end, oldest first. It lists syncs that
// began with the entity's counter at wanted or above.
func (s *Store) Waits(ctx context.Context, e Entity, wanted int64) ([]Wait, error) {
	rows, err := s.Query(ctx, listWaits, e.LocationID, e.Kind, e.ID, wanted)
	list, err := collect(rows, err, func(r Rows) (w Wait, err error) {
		var began, until int64
		var calls []byte
		if err = r.Scan(&w.Wanted, &w.Outcome, &w.Detail, &began, &until, &w.Tries, &calls); err == nil {
			w.Made, err = unpackCalls(calls)
		}
		w.Entity, w.Began, w.Until = e, fromMicros(began), fromMicros(until)
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("list why the syncs of %s did not end: %w", e, err)
	}
	return list, nil
}

const listWaits = `SELECT seen, outcome, detail, began_at, until_at, tries, calls FROM waits
	WHERE location_id = $1 AND kind = $2 AND entity_id = $3 AND seen >= $4 ORDER BY began_at`

// PruneWaits deletes some of the waits that began before a time, and returns how many.
func (s *Store) PruneWaits(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err = tx.Exec(ctx, `DELETE FROM waits WHERE (location_id, kind, entity_id, seen, outcome) IN (
			SELECT location_id, kind, entity_id, seen, outcome FROM waits WHERE began_at < $1 ORDER BY began_at LIMIT $2)`, micros(before), pruneBatch)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete the waits before %s: %w", before.Format(time.DateOnly), err)
	}
	return n, nil
}
