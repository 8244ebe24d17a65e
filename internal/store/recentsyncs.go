package store

import (
	"context"
	"fmt"
	"time"
)

// RecentSyncs lists at most limit syncs since a time, newest first, with the results of the
// automations.
func (s *Store) RecentSyncs(ctx context.Context, since time.Time, limit int) ([]Sync, error) {
	rows, err := s.Query(ctx, recentSyncs, micros(since), limit)
	list, err := collect(rows, err, func(r Rows) (v Sync, err error) {
		var at int64
		var text string
		if err = r.Scan(&v.Entity.LocationID, &v.Entity.Kind, &v.Entity.ID, &at, &v.Outcome, &text); err == nil {
			err = v.unpack(at, text)
		}
		return v, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the newest syncs: %w", err)
	}
	return list, nil
}

const recentSyncs = `SELECT location_id, kind, entity_id, synced_at, outcome, automations FROM considered
	WHERE synced_at >= $1 ORDER BY synced_at DESC LIMIT $2`
