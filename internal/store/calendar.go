package store

import (
	"context"
	"fmt"
	"time"
)

// When is where a calendar shows the item: an event at its start, a task when it is due.
func (i Item) When() time.Time {
	if i.Kind == ItemTask {
		return i.End
	}
	return i.Start
}

const itemWhen = `(CASE WHEN item_kind = 'task' THEN end_at ELSE start_at END)`

const listCalendar = `SELECT ` + itemColumns + ` FROM items WHERE location_id = $1 AND removed_at = 0 AND item_kind <> 'note'
	AND ` + itemWhen + ` >= $2 AND ` + itemWhen + ` < $3 ORDER BY ` + itemWhen + ` LIMIT $4`

// CalendarItems lists the first limit wanted events and tasks of a location between two
// times, earliest first.
func (s *Store) CalendarItems(ctx context.Context, locationID string, from, until time.Time, limit int) ([]Item, error) {
	rows, err := s.Query(ctx, listCalendar, locationID, micros(from), micros(until), limit)
	list, err := collect(rows, err, scanItem)
	if err != nil {
		return nil, fmt.Errorf("list the calendar of location %s: %w", locationID, err)
	}
	return list, nil
}

// ZoneOf returns the time zone of a location's newest item; "" if there is none.
func (s *Store) ZoneOf(ctx context.Context, locationID string) (string, error) {
	rows, err := s.Query(ctx, `SELECT zone FROM items WHERE location_id = $1 ORDER BY updated_at DESC LIMIT 1`, locationID)
	list, err := collect(rows, err, func(r Rows) (zone string, err error) { return zone, r.Scan(&zone) })
	if err != nil {
		return "", fmt.Errorf("look for the time zone of location %s: %w", locationID, err)
	}
	if len(list) == 0 {
		return "", nil
	}
	return list[0], nil
}
