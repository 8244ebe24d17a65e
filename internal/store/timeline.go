package store

import (
	"context"
	"fmt"
	"time"
)

// TimelineEntry is one thing that happened to a contact's items, for people.
type TimelineEntry struct {
	At        time.Time
	Entity    Entity
	ContactID string
	What      string // e.g. "event created"
	Detail    string
}

func (tx *Tx) appendTimeline(ctx context.Context, entries []TimelineEntry) error {
	for _, t := range entries {
		if _, err := tx.Exec(ctx, `INSERT INTO timeline (at, location_id, contact_id, kind, entity_id, what, detail)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			micros(t.At), t.Entity.LocationID, t.ContactID, t.Entity.Kind, t.Entity.ID, t.What, t.Detail); err != nil {
			return fmt.Errorf("add to the timeline of contact %s: %w", t.ContactID, err)
		}
	}
	return nil
}

// Timeline lists what happened to a contact's items, oldest first.
func (s *Store) Timeline(ctx context.Context, locationID, contactID string) ([]TimelineEntry, error) {
	rows, err := s.Query(ctx, `SELECT at, location_id, contact_id, kind, entity_id, what, detail FROM timeline
		WHERE location_id = $1 AND contact_id = $2 ORDER BY id`, locationID, contactID)
	out, err := collect(rows, err, func(r Rows) (t TimelineEntry, err error) {
		var at int64
		err = r.Scan(&at, &t.Entity.LocationID, &t.ContactID, &t.Entity.Kind, &t.Entity.ID, &t.What, &t.Detail)
		t.At = fromMicros(at)
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the timeline of contact %s: %w", contactID, err)
	}
	return out, nil
}
