package store

import (
	"context"
	"fmt"
	"time"
)

// TimelineEntry describes, for people, one thing that happened to a contact's items.
type TimelineEntry struct {
	ID        int64 // assigned in ascending order when it is stored
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
	return s.timeline(ctx, listTimelineOfContact+` ORDER BY id`, locationID, contactID)
}

// TimelinePage lists up to limit entries of a location that are older than the one with id
// before (0 = all), newest first. contactID selects the entries of a contact; "" = any.
func (s *Store) TimelinePage(ctx context.Context, locationID, contactID string, before int64, limit int) ([]TimelineEntry, error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	if contactID == "" {
		return s.timeline(ctx, pageOfTimeline, locationID, before, limit)
	}
	return s.timeline(ctx, listTimelineOfContact+` AND id < $3 ORDER BY id DESC LIMIT $4`, locationID, contactID, before, limit)
}

const (
	timelineColumns       = `id, at, location_id, contact_id, kind, entity_id, what, detail`
	listTimelineOfContact = `SELECT ` + timelineColumns + ` FROM timeline WHERE location_id = $1 AND contact_id = $2`
	pageOfTimeline        = `SELECT ` + timelineColumns + ` FROM timeline WHERE location_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`
)

func (s *Store) timeline(ctx context.Context, query, locationID string, args ...any) ([]TimelineEntry, error) {
	rows, err := s.Query(ctx, query, append([]any{locationID}, args...)...)
	out, err := collect(rows, err, func(r Rows) (t TimelineEntry, err error) {
		var at int64
		err = r.Scan(&t.ID, &at, &t.Entity.LocationID, &t.ContactID, &t.Entity.Kind, &t.Entity.ID, &t.What, &t.Detail)
		t.At = fromMicros(at)
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the timeline of location %s: %w", locationID, err)
	}
	return out, nil
}

// ToldSince counts the timeline entries of an entity since a time that have the same text.
func (s *Store) ToldSince(ctx context.Context, e Entity, contactID, what string, since time.Time) (int64, error) {
	rows, err := s.Query(ctx, `SELECT count(*) FROM timeline
		WHERE location_id = $1 AND contact_id = $2 AND kind = $3 AND entity_id = $4 AND what = $5 AND at > $6`,
		e.LocationID, contactID, e.Kind, e.ID, what, micros(since))
	n, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("count the timeline entries of %s: %w", e, err)
	}
	return n[0], nil
}

// PruneTimeline deletes some of the entries before a time, and returns how many. 0 means
// that none is that old.
func (s *Store) PruneTimeline(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err = tx.Exec(ctx, `DELETE FROM timeline WHERE at < $1 AND id IN (SELECT id FROM timeline ORDER BY id LIMIT $2)`, micros(before), pruneBatch)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete the timeline before %s: %w", before.Format(time.DateOnly), err)
	}
	return n, nil
}

// TimelineBetween lists what happened to an entity's items between two times, oldest first,
// up to a hundred entries.
func (s *Store) TimelineBetween(ctx context.Context, e Entity, contactID string, from, to time.Time) ([]TimelineEntry, error) {
	return s.timeline(ctx, timelineBetween, e.LocationID, contactID, e.Kind, e.ID, micros(from), micros(to))
}

const timelineBetween = listTimelineOfContact + ` AND kind = $3 AND entity_id = $4 AND at >= $5 AND at <= $6 ORDER BY id LIMIT 100`
