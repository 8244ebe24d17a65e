package store

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
)

// Erasure is what becomes of all that is stored of a contact which was deleted
// in HighLevel, or which a person asked to forget.
type Erasure struct {
	LocationID string
	ContactID  string
	OnRequest  bool      // a person asked: the contact is not synced again while this stands
	AskedAt    time.Time //
	DoneAt     time.Time // zero while it is under way
	Payloads   int64     // webhooks whose bodies were erased
	Entries    int64     // of the timeline, erased
	Objects    int64     // made in CalendarHero for it, gone with it
}

// EraseArgs asks for what is stored of a contact to be erased once its items
// are removed.
type EraseArgs struct {
	LocationID string `json:"location_id" river:"unique"`
	ContactID  string `json:"contact_id"  river:"unique"`
}

// Kind is the job's name in River's tables.
func (EraseArgs) Kind() string { return "erase" }

// InsertOpts keeps one live job per contact.
func (EraseArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueBackground, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: liveStates}}
}

// Forget asks for a contact to be removed from CalendarHero and from the
// store, as if it had been deleted in HighLevel. It is not synced again until
// Remember.
func (s *Store) Forget(ctx context.Context, locationID, contactID string, now time.Time) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if err := tx.askErasure(ctx, locationID, contactID, true, now); err != nil {
			return err
		}
		return tx.touch(ctx, []Entity{{LocationID: locationID, Kind: "contact", ID: contactID}}, true)
	})
	if err != nil {
		return fmt.Errorf("ask for contact %s to be forgotten: %w", contactID, err)
	}
	return nil
}

// Remember lets a forgotten contact be synced again, and has it looked at.
func (s *Store) Remember(ctx context.Context, locationID, contactID string) (was bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM erasures WHERE location_id = $1 AND contact_id = $2`, locationID, contactID)
		if was = n == 1; err != nil || !was {
			return err
		}
		return tx.touch(ctx, []Entity{{LocationID: locationID, Kind: "contact", ID: contactID}}, false)
	})
	if err != nil {
		return false, fmt.Errorf("let contact %s be synced again: %w", contactID, err)
	}
	return was, nil
}

// askErasure notes that a contact's traces are to be erased, and queues the job.
func (tx *Tx) askErasure(ctx context.Context, locationID, contactID string, onRequest bool, now time.Time) error {
	asked := int64(0)
	if onRequest {
		asked = 1
	}
	if _, err := tx.Exec(ctx, `INSERT INTO erasures (location_id, contact_id, on_request, asked_at, done_at, payloads, entries, objects)
		VALUES ($1, $2, $3, $4, 0, 0, 0, 0)
		ON CONFLICT (location_id, contact_id) DO UPDATE SET asked_at = excluded.asked_at, done_at = 0,
			on_request = CASE WHEN erasures.on_request = 1 THEN 1 ELSE excluded.on_request END`,
		locationID, contactID, asked, micros(now)); err != nil {
		return err
	}
	return tx.store.queue.insert(ctx, tx, []river.InsertManyParams{{Args: EraseArgs{LocationID: locationID, ContactID: contactID}}})
}

// Erasure reads what becomes of a contact's traces; ok is false where nobody
// asked for it.
func (s *Store) Erasure(ctx context.Context, locationID, contactID string) (e Erasure, ok bool, err error) {
	rows, err := s.Query(ctx, `SELECT location_id, contact_id, on_request, asked_at, done_at, payloads, entries, objects FROM erasures
		WHERE location_id = $1 AND contact_id = $2`, locationID, contactID)
	list, err := collect(rows, err, func(r Rows) (e Erasure, err error) {
		var onRequest, asked, done int64
		err = r.Scan(&e.LocationID, &e.ContactID, &onRequest, &asked, &done, &e.Payloads, &e.Entries, &e.Objects)
		e.OnRequest, e.AskedAt, e.DoneAt = onRequest == 1, fromMicros(asked), fromMicros(done)
		return e, err
	})
	if err != nil {
		return Erasure{}, false, fmt.Errorf("read the erasure of contact %s: %w", contactID, err)
	}
	if len(list) == 0 {
		return Erasure{}, false, nil
	}
	return list[0], true, nil
}

// entitiesOf selects the keys of a contact's entities: its own, and those of
// its tasks, notes and workflow records. For an OR, SQLite would walk the whole
// location; for a bare UNION, whatever is looked up by it.
const entitiesOf = `(SELECT location_id, kind, id FROM (
	SELECT location_id, kind, id FROM entities WHERE location_id = $1 AND contact_id = $2
	UNION SELECT location_id, kind, id FROM entities WHERE location_id = $1 AND kind = 'contact' AND id = $2) AS of_contact)`

// Owed counts the entities of a contact that are not in step.
func (s *Store) Owed(ctx context.Context, locationID, contactID string) (int64, error) {
	rows, err := s.Query(ctx, countOwed, locationID, contactID)
	n, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("count what is owed of contact %s: %w", contactID, err)
	}
	return n[0], nil
}

const countOwed = `SELECT count(*) FROM entities WHERE wanted > done AND (location_id, kind, id) IN ` + entitiesOf

// DeliveriesOf lists the ids of the deliveries of a contact and its records.
func (s *Store) DeliveriesOf(ctx context.Context, locationID, contactID string) ([]int64, error) {
	rows, err := s.Query(ctx, listDeliveriesOf, locationID, contactID)
	ids, err := collect(rows, err, func(r Rows) (id int64, err error) { return id, r.Scan(&id) })
	if err != nil {
		return nil, fmt.Errorf("list the deliveries of contact %s: %w", contactID, err)
	}
	return ids, nil
}

const listDeliveriesOf = `SELECT id FROM deliveries WHERE (location_id, kind, entity_id) IN ` + entitiesOf

const eraseDeliveriesOf = `UPDATE deliveries SET detail = '' WHERE detail <> '' AND (location_id, kind, entity_id) IN ` + entitiesOf

// Erase removes what is stored of a contact and its records but ids, digests
// and outcomes: details, titles, the timeline, what was delivered. payloads
// is how many bodies the inbox has erased.
func (s *Store) Erase(ctx context.Context, locationID, contactID string, payloads int64, now time.Time) (e Erasure, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		objects, err := tx.Exec(ctx, `UPDATE links SET title = '' WHERE title <> '' AND state = 'gone' AND item_kind IN ('event', 'task', 'contact')
			AND (location_id, kind, entity_id) IN `+entitiesOf, locationID, contactID)
		if err != nil {
			return err
		}
		entries, err := tx.Exec(ctx, `DELETE FROM timeline WHERE location_id = $1 AND contact_id = $2`, locationID, contactID)
		if err != nil {
			return err
		}
		for _, statement := range []string{
			`UPDATE links SET title = '' WHERE title <> '' AND (location_id, kind, entity_id) IN ` + entitiesOf,
			eraseDeliveriesOf,
			`UPDATE entities SET detail = '' WHERE (location_id, kind, id) IN ` + entitiesOf,
			`DELETE FROM records WHERE location_id = $1 AND contact_id = $2`,
		} {
			if _, err := tx.Exec(ctx, statement, locationID, contactID); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `UPDATE erasures SET done_at = $3, payloads = payloads + $4, entries = entries + $5, objects = objects + $6
			WHERE location_id = $1 AND contact_id = $2`, locationID, contactID, micros(now), payloads, entries, objects)
		return err
	})
	if err != nil {
		return Erasure{}, fmt.Errorf("erase what is stored of contact %s: %w", contactID, err)
	}
	e, _, err = s.Erasure(ctx, locationID, contactID)
	return e, err
}
