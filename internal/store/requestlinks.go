package store

import (
	"context"
	"fmt"
)

// LinksWithMarkers lists the links, in any location, that have one of the markers.
func (s *Store) LinksWithMarkers(ctx context.Context, markers []string) (found []Link, err error) {
	for len(markers) > 0 {
		n := min(len(markers), 500)
		args := make([]any, n)
		for i, m := range markers[:n] {
			args[i] = m
		}
		rows, err := s.Query(ctx, `SELECT `+linkColumns+` FROM links WHERE marker <> '' AND marker IN (`+parameters(1, n)+`)`, args...)
		links, err := collect(rows, err, scanLink)
		if err != nil {
			return nil, fmt.Errorf("find the links of %d markers: %w", n, err)
		}
		found, markers = append(found, links...), markers[n:]
	}
	return found, nil
}

// EachRequestLink calls do for each link of a meeting request, including gone ones. do must
// not use the store.
func (s *Store) EachRequestLink(ctx context.Context, do func(e Entity, item string, generation int64)) error {
	rows, err := s.Query(ctx, `SELECT location_id, kind, entity_id, item, generation FROM links WHERE item_kind IN ('event', 'task')`)
	_, err = collect(rows, err, func(r Rows) (none struct{}, err error) {
		var e Entity
		var item string
		var generation int64
		if err = r.Scan(&e.LocationID, &e.Kind, &e.ID, &item, &generation); err == nil {
			do(e, item, generation)
		}
		return none, err
	})
	if err != nil {
		return fmt.Errorf("read the links of all meeting requests: %w", err)
	}
	return nil
}

// KnowsRequests reports whether a location ever had a meeting request, either made by
// Milepost or reported by CalendarHero.
func (s *Store) KnowsRequests(ctx context.Context, locationID string) (bool, error) {
	rows, err := s.Query(ctx, `SELECT 1 FROM links WHERE location_id = $1 AND item_kind IN ('event', 'task') AND object_id <> ''
		UNION ALL SELECT 1 FROM entities WHERE location_id = $1 AND kind = 'meeting' LIMIT 1`, locationID)
	found, err := collect(rows, err, func(r Rows) (n int, err error) { return n, r.Scan(&n) })
	if err != nil {
		return false, fmt.Errorf("find a meeting request of location %s: %w", locationID, err)
	}
	return len(found) > 0, nil
}

// EachEntity calls do for each known HighLevel record. do must not use the store.
func (s *Store) EachEntity(ctx context.Context, do func(Entity)) error {
	rows, err := s.Query(ctx, `SELECT location_id, kind, id FROM entities WHERE kind IN ('contact', 'task', 'note', 'workflow')`)
	_, err = collect(rows, err, func(r Rows) (none struct{}, err error) {
		var e Entity
		if err = r.Scan(&e.LocationID, &e.Kind, &e.ID); err == nil {
			do(e)
		}
		return none, err
	})
	if err != nil {
		return fmt.Errorf("read the ids of all records: %w", err)
	}
	return nil
}
