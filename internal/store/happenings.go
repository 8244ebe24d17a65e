package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"milepost/internal/order"
)

// happenedTag is the prefix of a tag in the column for triggers.
const happenedTag = "tag "

// Happenings returns when triggers happened to an entity, and since when it is known to
// have each tag.
func (s *Store) Happenings(ctx context.Context, e Entity) (triggers, tags map[string]time.Time, err error) {
	type happening struct {
		what string
		at   time.Time
	}
	rows, err := s.Query(ctx, `SELECT what, at FROM happenings WHERE location_id = $1 AND kind = $2 AND id = $3`, e.LocationID, e.Kind, e.ID)
	list, err := collect(rows, err, func(r Rows) (h happening, err error) {
		var at int64
		err = r.Scan(&h.what, &at)
		h.at = fromMicros(at)
		return h, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read what happened to %s: %w", e, err)
	}
	triggers, tags = map[string]time.Time{}, map[string]time.Time{}
	for _, h := range list {
		if len(h.what) > len(happenedTag) && h.what[:len(happenedTag)] == happenedTag {
			tags[h.what[len(happenedTag):]] = h.at
		} else {
			triggers[h.what] = h.at
		}
	}
	return triggers, tags, nil
}

// noteHappened stores what happened to an entity. What is already stored keeps its time.
func (tx *Tx) noteHappened(ctx context.Context, e Entity, what map[string]time.Time) error {
	for _, w := range slices.Sorted(maps.Keys(what)) {
		if _, err := tx.Exec(ctx, `INSERT INTO happenings (location_id, kind, id, what, at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (location_id, kind, id, what) DO NOTHING`, e.LocationID, e.Kind, e.ID, w, micros(what[w])); err != nil {
			return fmt.Errorf("save what happened to %s: %w", e, err)
		}
	}
	return nil
}

// noteTags stores since when an entity has its tags, and deletes tags that it no longer
// has.
func (tx *Tx) noteTags(ctx context.Context, e Entity, tags map[string]time.Time) error {
	rows, err := tx.Query(ctx, `SELECT what FROM happenings WHERE location_id = $1 AND kind = $2 AND id = $3 AND what LIKE '`+happenedTag+`%'`,
		e.LocationID, e.Kind, e.ID)
	noted, err := collect(rows, err, scanID)
	if err != nil {
		return fmt.Errorf("read the tags of %s: %w", e, err)
	}
	for _, what := range noted {
		if _, has := tags[what[len(happenedTag):]]; has {
			continue
		}
		if _, err := tx.Exec(ctx, `DELETE FROM happenings WHERE location_id = $1 AND kind = $2 AND id = $3 AND what = $4`,
			e.LocationID, e.Kind, e.ID, what); err != nil {
			return err
		}
	}
	since := make(map[string]time.Time, len(tags))
	for tag, at := range tags {
		since[happenedTag+tag] = at
	}
	return tx.noteHappened(ctx, e, since)
}

// keepLast stores the last known facts of a record. The body of a delete event counts only
// if nothing was read before.
func (tx *Tx) keepLast(ctx context.Context, e Entity, contactID string, body []byte, at time.Time, read bool) error {
	conflict := `DO NOTHING`
	if read {
		conflict = `DO UPDATE SET contact_id = excluded.contact_id, received_at = excluded.received_at, body = excluded.body`
	}
	_, err := tx.Exec(ctx, `INSERT INTO records (location_id, kind, id, contact_id, received_at, body, delivery_id, told_at) VALUES ($1, $2, $3, $4, $5, $6, 0, 0)
		ON CONFLICT (location_id, kind, id) `+conflict, e.LocationID, e.Kind, e.ID, contactID, micros(at), body)
	if err != nil {
		return fmt.Errorf("save the last known facts of %s: %w", e, err)
	}
	return nil
}

const (
	lookBatch = 500
	// lookLater is when an entity is queued again if its sync sets no time.
	lookLater = 24 * time.Hour
)

// AskDue queues syncs of some of the entities whose plan the clock has changed, and returns
// how many. 0 = none is due.
func (s *Store) AskDue(ctx context.Context, now time.Time) (n int, err error) {
	rows, err := s.Query(ctx, listDueLooks, micros(now), lookBatch)
	due, err := collect(rows, err, func(r Rows) (e Entity, err error) { return e, r.Scan(&e.LocationID, &e.Kind, &e.ID) })
	if err == nil && len(due) > 0 {
		order.By(due, Entity.Compare) // the order that recordDeliveries explains
		err = s.InTx(ctx, func(tx *Tx) error {
			for _, e := range due {
				if _, err := tx.Exec(ctx, `UPDATE entities SET look_at = $4 WHERE location_id = $1 AND kind = $2 AND id = $3`,
					e.LocationID, e.Kind, e.ID, micros(now.Add(lookLater))); err != nil {
					return err
				}
			}
			return tx.requeue(ctx, due, false, byBackfill)
		})
	}
	if err != nil {
		return 0, fmt.Errorf("queue the records that the clock changes: %w", err)
	}
	return len(due), nil
}

const listDueLooks = `SELECT location_id, kind, id FROM entities WHERE look_at > 0 AND look_at <= $1 ORDER BY look_at LIMIT $2`
