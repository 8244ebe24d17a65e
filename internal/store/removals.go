package store

import (
	"context"
	"fmt"
	"time"
)

// Removal is a record that a vendor no longer shows, although no event says that it was
// deleted. If only a few vanish at once, Milepost removes their items. Otherwise a person
// decides.
type Removal struct {
	Entity // the entity whose sync noticed
	Vendor string
	State  RemovalState
	Since  time.Time // when it was first missing
}

// RemovalState is the state of a Removal.
type RemovalState string

// The states.
const (
	RemovalUnconfirmed RemovalState = "doubted" // Milepost checks it again
	RemovalWaiting     RemovalState = "waiting" // a person must decide
	RemovalAllowed     RemovalState = "allowed" // a person has allowed it
	RemovalRemoved     RemovalState = "removed" // Milepost believes it; it counts for RemovalsWindow
)

const (
	// RemovalsAtOnce is how many records of a location may vanish at one vendor within
	// RemovalsWindow before Milepost asks a person. A contact counts once, with all of its
	// notes and tasks.
	RemovalsAtOnce = 3
	RemovalsWindow = time.Hour
	// unconfirmedKept is how long an unconfirmed removal counts without another check.
	unconfirmedKept = 24 * time.Hour
)

const removalColumns = `location_id, vendor, kind, id, state, since`

func scanRemoval(r Rows) (v Removal, err error) {
	var since int64
	err = r.Scan(&v.LocationID, &v.Vendor, &v.Kind, &v.ID, &v.State, &since)
	v.Since = fromMicros(since)
	return v, err
}

// MarkUnconfirmed stores that a vendor does not show a record, and returns since when it
// does not.
func (s *Store) MarkUnconfirmed(ctx context.Context, e Entity, vendor string, now time.Time) (since time.Time, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		v, err := tx.noteMissing(ctx, e, vendor, now)
		since = v.Since
		return err
	})
	if err != nil {
		return since, fmt.Errorf("save that %s does not show %s: %w", vendor, e, err)
	}
	return since, nil
}

func (tx *Tx) noteMissing(ctx context.Context, e Entity, vendor string, now time.Time) (Removal, error) {
	rows, err := tx.Query(ctx, `INSERT INTO removals (location_id, vendor, kind, id, state, since, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $6)
		ON CONFLICT (location_id, vendor, kind, id) DO UPDATE SET
			state = CASE WHEN removals.state = 'removed' THEN excluded.state ELSE removals.state END,
			-- A clock that was put back makes the first look a later one.
			since = CASE WHEN removals.state = 'removed' OR removals.since > excluded.since THEN excluded.since ELSE removals.since END,
			changed_at = CASE WHEN removals.state = 'waiting' THEN removals.changed_at ELSE excluded.changed_at END
		RETURNING `+removalColumns, e.LocationID, vendor, e.Kind, e.ID, RemovalUnconfirmed, micros(now))
	list, err := collect(rows, err, scanRemoval)
	if err != nil {
		return Removal{}, err
	}
	return list[0], nil
}

// Decision is what to do about a record that a vendor does not show.
type Decision struct {
	Remove bool // its items may be removed
	Others int  // other records of the location that vanished
	Begins bool // it is the first that waits for a person
}

// DecideRemoval decides, after a second check, whether to believe that a record was
// deleted. If more than RemovalsAtOnce records vanished within RemovalsWindow, the record
// waits for AllowRemovals, unless the others appear again.
func (s *Store) DecideRemoval(ctx context.Context, e Entity, vendor string, now time.Time) (d Decision, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		v, err := tx.noteMissing(ctx, e, vendor, now)
		if err != nil {
			return err
		}
		if v.State == RemovalAllowed {
			d.Remove = true
			_, err := tx.Exec(ctx, deleteRemoval, e.LocationID, vendor, e.Kind, e.ID)
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM removals WHERE location_id = $1 AND vendor = $2
			AND (state = 'removed' AND changed_at < $3 OR state IN ('doubted', 'allowed') AND changed_at < $4)`,
			e.LocationID, vendor, micros(now.Add(-RemovalsWindow)), micros(now.Add(-unconfirmedKept))); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, countRemovals, e.LocationID, vendor)
		type counts struct{ all, waiting int }
		n, err := collect(rows, err, func(r Rows) (c counts, err error) { return c, r.Scan(&c.all, &c.waiting) })
		if err != nil {
			return err
		}
		d.Others, d.Remove, d.Begins = n[0].all-1, n[0].all <= RemovalsAtOnce, n[0].waiting == 0
		next := RemovalWaiting
		if d.Remove {
			next = RemovalRemoved
		}
		_, err = tx.Exec(ctx, `UPDATE removals SET state = $5, changed_at = $6 WHERE location_id = $1 AND vendor = $2 AND kind = $3 AND id = $4`,
			e.LocationID, vendor, e.Kind, e.ID, next, micros(now))
		return err
	})
	if err != nil {
		return d, fmt.Errorf("decide whether %s was deleted at %s: %w", e, vendor, err)
	}
	return d, nil
}

// countRemovals counts vanished records. A contact counts as one with all of its records.
const countRemovals = `SELECT coalesce(sum(CASE WHEN EXISTS (
		SELECT 1 FROM entities e JOIN removals c ON c.location_id = e.location_id AND c.vendor = r.vendor AND c.kind = 'contact' AND c.id = e.contact_id
		WHERE e.location_id = r.location_id AND e.kind = r.kind AND e.id = r.id AND r.kind <> 'contact') THEN 0 ELSE 1 END), 0),
	coalesce(sum(CASE WHEN state = 'waiting' THEN 1 ELSE 0 END), 0)
	FROM removals r WHERE location_id = $1 AND vendor = $2 AND state <> 'allowed'`

const deleteRemoval = `DELETE FROM removals WHERE location_id = $1 AND vendor = $2 AND kind = $3 AND id = $4`

// Settle ends the checks of a record, because the vendor shows it again or an event says
// that it was deleted. over means that it was the location's last record that waited for a
// person.
func (s *Store) Settle(ctx context.Context, e Entity, vendor string) (over bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		rows, err := tx.Query(ctx, deleteRemoval+` RETURNING state`, e.LocationID, vendor, e.Kind, e.ID)
		states, err := collect(rows, err, func(r Rows) (s RemovalState, err error) { return s, r.Scan(&s) })
		if err != nil || len(states) == 0 || states[0] != RemovalWaiting {
			return err
		}
		rows, err = tx.Query(ctx, `SELECT count(*) FROM removals WHERE location_id = $1 AND vendor = $2 AND state = 'waiting'`, e.LocationID, vendor)
		left, err := collect(rows, err, func(r Rows) (n int, err error) { return n, r.Scan(&n) })
		over = err == nil && left[0] == 0
		return err
	})
	if err != nil {
		return over, fmt.Errorf("end the checks of %s: %w", e, err)
	}
	return over, nil
}

// WaitingRemovals lists the records that wait for a person, in all locations.
func (s *Store) WaitingRemovals(ctx context.Context) ([]Removal, error) {
	rows, err := s.Query(ctx, `SELECT `+removalColumns+` FROM removals WHERE state = 'waiting' ORDER BY location_id, vendor, kind, id`)
	list, err := collect(rows, err, scanRemoval)
	if err != nil {
		return nil, fmt.Errorf("list the removals that wait: %w", err)
	}
	return list, nil
}

// RemovalGroup is how many records vanished at a vendor and wait for a person.
type RemovalGroup struct {
	LocationID string
	Vendor     string
	Count      int64
	Since      time.Time
}

// RemovalsByVendor counts the records that wait for a person, by location and vendor.
func (s *Store) RemovalsByVendor(ctx context.Context) ([]RemovalGroup, error) {
	rows, err := s.Query(ctx, `SELECT location_id, vendor, count(*), min(since) FROM removals WHERE state = 'waiting' GROUP BY location_id, vendor ORDER BY location_id, vendor`)
	list, err := collect(rows, err, func(r Rows) (g RemovalGroup, err error) {
		var since int64
		err = r.Scan(&g.LocationID, &g.Vendor, &g.Count, &since)
		g.Since = fromMicros(since)
		return g, err
	})
	if err != nil {
		return nil, fmt.Errorf("count the removals that wait: %w", err)
	}
	return list, nil
}

// RemovalsOf lists some of the records that vanished at a vendor and wait for a person.
func (s *Store) RemovalsOf(ctx context.Context, locationID, vendor string, limit int) ([]Removal, error) {
	rows, err := s.Query(ctx, `SELECT `+removalColumns+` FROM removals WHERE location_id = $1 AND vendor = $2 AND state = 'waiting' ORDER BY kind, id LIMIT $3`, locationID, vendor, limit)
	list, err := collect(rows, err, scanRemoval)
	if err != nil {
		return nil, fmt.Errorf("list the removals that wait at location %s: %w", locationID, err)
	}
	return list, nil
}

// AllowRemovals permits all removals that wait at a location, and the unconfirmed ones, and
// returns how many. Milepost checks each record once more before it removes anything.
func (s *Store) AllowRemovals(ctx context.Context, locationID string, now time.Time) (n int, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		rows, err := tx.Query(ctx, `UPDATE removals SET state = 'allowed', changed_at = $2 WHERE location_id = $1 AND state IN ('waiting', 'doubted') RETURNING `+removalColumns,
			locationID, micros(now))
		list, err := collect(rows, err, scanRemoval)
		if err != nil {
			return err
		}
		for _, v := range list {
			rows, err := tx.Query(ctx, `UPDATE entities SET next_try = 0 WHERE location_id = $1 AND kind = $2 AND id = $3 RETURNING sync_contact`, v.LocationID, v.Kind, v.ID)
			contacts, err := collect(rows, err, scanID)
			if err != nil {
				return err
			}
			for _, contact := range contacts {
				if err := s.queue.expedite(ctx, tx, jobOf(v.Entity, contact), true, true); err != nil {
					return err
				}
			}
		}
		n = len(list)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("allow the removals that wait at location %s: %w", locationID, err)
	}
	return n, nil
}

// ContactsBeside lists a few other contacts of a location that existed at their last read.
// It lists unconfirmed ones only if there are no others.
func (s *Store) ContactsBeside(ctx context.Context, locationID, contactID string) ([]string, error) {
	const from = `SELECT id FROM entities WHERE location_id = $1 AND kind = 'contact' AND fingerprint NOT IN ('', $3)`
	var ids []string
	for _, query := range []string{
		from + ` AND gone_at = 0 AND id > $2 ORDER BY id LIMIT 2`,
		from + ` AND gone_at = 0 AND id < $2 ORDER BY id DESC LIMIT 2`,
		from + ` AND gone_at <> 0 AND id <> $2 ORDER BY id LIMIT 2`,
	} {
		if len(ids) >= 2 {
			break
		}
		rows, err := s.Query(ctx, query, locationID, contactID, FingerprintGone)
		more, err := collect(rows, err, func(r Rows) (id string, err error) { return id, r.Scan(&id) })
		if err != nil {
			return nil, fmt.Errorf("list contacts of location %s: %w", locationID, err)
		}
		ids = append(ids, more...)
	}
	return ids, nil
}
