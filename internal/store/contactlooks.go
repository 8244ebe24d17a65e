package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"milepost/internal/order"
)

// ContactsToLookAt lists at most limit links of a location's contacts that are synced both
// ways and were not read since a time, the longest unread first. CalendarHero has no event
// for a changed contact, so a poll must read them.
func (s *Store) ContactsToLookAt(ctx context.Context, locationID string, since time.Time, limit int) ([]Link, error) {
	rows, err := s.Query(ctx, listContactsToLookAt, locationID, micros(since), limit)
	links, err := collect(rows, err, scanLink)
	if err != nil {
		return nil, fmt.Errorf("list the contacts of location %s to read: %w", locationID, err)
	}
	return links, nil
}

const listContactsToLookAt = `SELECT ` + linkColumns + ` FROM links
	WHERE location_id = $1 AND item_kind = 'contact' AND base <> '' AND state = 'live' AND looked_at <= $2
	ORDER BY looked_at LIMIT $3`

// NoteLooks stores that contacts were read in CalendarHero. same still equal what both
// sides last had. differ do not, so NoteLooks queues their syncs.
func (s *Store) NoteLooks(ctx context.Context, same, differ []Link, now time.Time) error {
	entities := make([]Entity, len(differ))
	for i, l := range differ {
		entities[i] = l.Entity
	}
	order.By(entities, Entity.Compare) // the order that recordDeliveries explains
	entities = slices.Compact(entities)
	err := s.InTx(ctx, func(tx *Tx) error {
		for i, l := range slices.Concat(same, differ) {
			sameAt := int64(0)
			if i < len(same) {
				sameAt = micros(now)
			}
			if _, err := tx.Exec(ctx, `UPDATE links SET looked_at = $5, same_at = CASE WHEN CAST($6 AS BIGINT) = 0 THEN same_at ELSE CAST($6 AS BIGINT) END
				WHERE location_id = $1 AND kind = $2 AND entity_id = $3 AND item = $4`,
				l.Entity.LocationID, l.Entity.Kind, l.Entity.ID, l.Item, micros(now), sameAt); err != nil {
				return err
			}
		}
		return tx.requeue(ctx, entities, false, byBackfill)
	})
	if err != nil {
		return fmt.Errorf("save that %d contacts were read: %w", len(same)+len(differ), err)
	}
	return nil
}

// SameAt returns when the object of a link was last read and found unchanged; zero = never.
func (s *Store) SameAt(ctx context.Context, l Link) (time.Time, error) {
	rows, err := s.Query(ctx, `SELECT same_at FROM links WHERE location_id = $1 AND kind = $2 AND entity_id = $3 AND item = $4`,
		l.Entity.LocationID, l.Entity.Kind, l.Entity.ID, l.Item)
	at, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return time.Time{}, fmt.Errorf("read when item %s of %s was last read: %w", l.Item, l.Entity, err)
	}
	if len(at) == 0 {
		return time.Time{}, nil
	}
	return fromMicros(at[0]), nil
}

// Shared reports whether another live link has the same object. The link may belong
// to the same entity, or to another location with the same CalendarHero account.
func (s *Store) Shared(ctx context.Context, l Link) (bool, error) {
	n, err := s.countLinks(ctx, `SELECT count(*) FROM links WHERE object_id = $1 AND item_kind = $2 AND state = 'live'
		AND NOT (location_id = $3 AND kind = $4 AND entity_id = $5 AND item = $6)`,
		l.ObjectID, l.ItemKind, l.Entity.LocationID, l.Entity.Kind, l.Entity.ID, l.Item)
	return n > 0, err
}

// ContactLinked returns the HighLevel contact of the location that is linked to a
// CalendarHero contact; "" if there is none.
func (s *Store) ContactLinked(ctx context.Context, locationID, objectID string) (contactID string, err error) {
	rows, err := s.Query(ctx, `SELECT CASE WHEN l.kind = 'contact' THEN l.entity_id ELSE coalesce(e.contact_id, '') END
		FROM links l LEFT JOIN entities e ON e.location_id = l.location_id AND e.kind = l.kind AND e.id = l.entity_id
		WHERE l.location_id = $1 AND l.object_id = $2 AND l.item_kind = 'contact' AND l.state = 'live' ORDER BY 1 DESC LIMIT 1`, locationID, objectID)
	list, err := collect(rows, err, func(r Rows) (id string, err error) { return id, r.Scan(&id) })
	if err != nil {
		return "", fmt.Errorf("find the owner of contact %s: %w", objectID, err)
	}
	if len(list) == 0 {
		return "", nil
	}
	return list[0], nil
}

func (s *Store) countLinks(ctx context.Context, query string, args ...any) (int64, error) {
	rows, err := s.Query(ctx, query, args...)
	n, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("count the links of an object: %w", err)
	}
	return n[0], nil
}
