package store

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
)

// Erasure is the progress of erasing a contact's stored data: the contact was deleted in
// HighLevel, or a person asked Milepost to forget it.
type Erasure struct {
	LocationID string
	ContactID  string
	OnRequest  bool      // a person asked: the contact is not synced until Remember
	AskedAt    time.Time //
	DoneAt     time.Time // zero until it is done
	Payloads   int64     // webhooks whose bodies were erased
	Entries    int64     // timeline entries that were erased
	Objects    int64     // objects in CalendarHero that were removed; Left lists those that stay
	Items      int64     // calendar items that were emptied
}

// EraseArgs are the arguments of the job that erases a contact's stored data after its
// items are removed.
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

// Forget requests that a contact is removed from CalendarHero and from the store, as if it
// had been deleted in HighLevel. Milepost does not sync it again until Remember.
func (s *Store) Forget(ctx context.Context, locationID, contactID string, now time.Time) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if err := tx.askErasure(ctx, locationID, contactID, true, now); err != nil {
			return err
		}
		return tx.requeue(ctx, []Entity{{LocationID: locationID, Kind: "contact", ID: contactID}}, true, byEvent)
	})
	if err != nil {
		return fmt.Errorf("request the erasure of contact %s: %w", contactID, err)
	}
	return nil
}

// Remember lets a forgotten contact be synced again, and queues its sync.
func (s *Store) Remember(ctx context.Context, locationID, contactID string) (was bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM erasures WHERE location_id = $1 AND contact_id = $2`, locationID, contactID)
		if was = n == 1; err != nil || !was {
			return err
		}
		return tx.requeue(ctx, []Entity{{LocationID: locationID, Kind: "contact", ID: contactID}}, false, byEvent)
	})
	if err != nil {
		return false, fmt.Errorf("let contact %s be synced again: %w", contactID, err)
	}
	return was, nil
}

// askErasure stores that a contact's data must be erased, and queues the job.
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

// eraseSkipped requests the erasure of skipped deliveries of forgotten contacts, because no
// sync will do it.
func (tx *Tx) eraseSkipped(ctx context.Context, deliveries []Delivery) error {
	came := map[Erasure]time.Time{}
	for _, d := range deliveries {
		if d.Skip != "" && d.ContactID != "" {
			came[Erasure{LocationID: d.Entity.LocationID, ContactID: d.ContactID}] = d.ReceivedAt
		}
	}
	if len(came) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, listForgotten)
	forgotten, err := collect(rows, err, func(r Rows) (e Erasure, err error) { return e, r.Scan(&e.LocationID, &e.ContactID) })
	if err != nil {
		return fmt.Errorf("list the forgotten contacts: %w", err)
	}
	for _, e := range forgotten {
		if at, ok := came[e]; ok {
			if err := tx.askErasure(ctx, e.LocationID, e.ContactID, true, at); err != nil {
				return err
			}
		}
	}
	return nil
}

const listForgotten = `SELECT location_id, contact_id FROM erasures WHERE on_request = 1 ORDER BY location_id, contact_id`

// Erasure reads the progress of a contact's erasure; ok is false if nobody requested one.
func (s *Store) Erasure(ctx context.Context, locationID, contactID string) (e Erasure, ok bool, err error) {
	rows, err := s.Query(ctx, `SELECT location_id, contact_id, on_request, asked_at, done_at, payloads, entries, objects, items FROM erasures
		WHERE location_id = $1 AND contact_id = $2`, locationID, contactID)
	list, err := collect(rows, err, func(r Rows) (e Erasure, err error) {
		var onRequest, asked, done int64
		err = r.Scan(&e.LocationID, &e.ContactID, &onRequest, &asked, &done, &e.Payloads, &e.Entries, &e.Objects, &e.Items)
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

// entitiesOf selects the keys of a contact's entities: the contact, its tasks, notes and
// workflow records. With an OR, SQLite would read all rows of the location; with a bare
// UNION, it would read the whole table that is joined to this.
const entitiesOf = `(SELECT location_id, kind, id FROM (
	SELECT location_id, kind, id FROM entities WHERE location_id = $1 AND contact_id = $2
	UNION SELECT location_id, kind, id FROM entities WHERE location_id = $1 AND kind = 'contact' AND id = $2) AS of_contact)`

// Owed counts the entities of a contact that are not in step.
func (s *Store) Owed(ctx context.Context, locationID, contactID string) (int64, error) {
	rows, err := s.Query(ctx, countOwed, locationID, contactID)
	n, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("count the owed syncs of contact %s: %w", contactID, err)
	}
	return n[0], nil
}

const countOwed = `SELECT count(*) FROM entities WHERE wanted > done AND (location_id, kind, id) IN ` + entitiesOf

// ofObjects selects the links of a contact that have an object in CalendarHero.
const ofObjects = `item_kind IN ('event', 'task', 'contact') AND (location_id, kind, entity_id) IN ` + entitiesOf

// Standing counts the links of a contact that are not gone: their objects exist in
// CalendarHero, or may exist.
func (s *Store) Standing(ctx context.Context, locationID, contactID string) (int64, error) {
	rows, err := s.Query(ctx, countStanding, locationID, contactID)
	n, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("count the remaining objects of contact %s: %w", contactID, err)
	}
	return n[0], nil
}

const countStanding = `SELECT count(*) FROM links WHERE state <> 'gone' AND ` + ofObjects

// Left lists the links of a contact whose objects stay in CalendarHero although the contact
// is gone or forgotten. Link.Left says why.
func (s *Store) Left(ctx context.Context, locationID, contactID string) ([]Link, error) {
	rows, err := s.Query(ctx, `SELECT `+linkColumns+` FROM links WHERE left_why <> '' AND `+ofObjects+` ORDER BY kind, entity_id, item`,
		locationID, contactID)
	left, err := collect(rows, err, scanLink)
	if err != nil {
		return nil, fmt.Errorf("list the remaining objects of contact %s: %w", contactID, err)
	}
	return left, nil
}

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

// Erase removes the stored data of a contact and its records, except ids, digests and
// outcomes. It erases details, titles, the timeline, the content of items, delivered bodies
// and the errors of jobs. payloads is how many bodies the inbox has erased. standing says
// why objects in CalendarHero still exist, "" = none does. Erase can be repeated. The
// erasure is not done before Erased.
func (s *Store) Erase(ctx context.Context, begun Erasure, payloads int64, remaining string, now time.Time) error {
	locationID, contactID := begun.LocationID, begun.ContactID
	err := s.InTx(ctx, func(tx *Tx) error {
		objects, err := tx.Exec(ctx, `UPDATE links SET title = '' WHERE title <> '' AND state = 'gone' AND object_id <> '' AND left_why = ''
			AND `+ofObjects, locationID, contactID)
		if err != nil {
			return err
		}
		if remaining != "" {
			if _, err := tx.Exec(ctx, `UPDATE links SET left_why = $3 WHERE state <> 'gone' AND `+ofObjects, locationID, contactID, remaining); err != nil {
				return err
			}
		}
		entries, err := tx.Exec(ctx, `DELETE FROM timeline WHERE location_id = $1 AND contact_id = $2`, locationID, contactID)
		if err != nil {
			return err
		}
		for _, statement := range []string{
			`UPDATE links SET title = '' WHERE title <> '' AND (location_id, kind, entity_id) IN ` + entitiesOf,
			// Anyone can find the number behind a digest of a telephone number by trying
			// all numbers.
			`UPDATE links SET base = '' WHERE base <> '' AND state = 'gone' AND (location_id, kind, entity_id) IN ` + entitiesOf,
			eraseDeliveriesOf,
			`DELETE FROM considered WHERE (location_id, kind, entity_id) IN ` + entitiesOf,
			`DELETE FROM records WHERE (location_id, kind, id) IN ` + entitiesOf, // their bodies do not name the contact
			`UPDATE entities SET detail = '', parts = '' WHERE (location_id, kind, id) IN ` + entitiesOf,
			`DELETE FROM happenings WHERE (location_id, kind, id) IN ` + entitiesOf,
			`DELETE FROM records WHERE location_id = $1 AND contact_id = $2`,
			`DELETE FROM contacts WHERE location_id = $1 AND id = $2`,
			eraseContactWords,
			`UPDATE waits SET detail = '', calls = NULL WHERE (detail <> '' OR calls IS NOT NULL) AND (location_id, kind, entity_id) IN ` + entitiesOf,
			`DELETE FROM records WHERE (location_id, kind, id) IN ` + entitiesOf,
			`UPDATE river_job SET errors = NULL WHERE errors IS NOT NULL AND state <> 'running' AND kind IN ('sync', 'remind', 'stray')
				AND (args ->> 'location_id', args ->> 'kind', args ->> 'id') IN ` + entitiesOf,
			// Keep the rows. Otherwise Milepost would report meetings that people created
			// in CalendarHero as new again.
			`UPDATE meetings SET title = '', emails = '[]' WHERE location_id = $1 AND contact_id = $2`,
		} {
			if _, err := tx.Exec(ctx, statement, locationID, contactID); err != nil {
				return err
			}
		}
		items, err := tx.eraseItems(ctx, locationID, contactID, now)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE erasures SET payloads = payloads + $3, entries = entries + $4, objects = objects + $5, items = items + $6
			WHERE location_id = $1 AND contact_id = $2`, locationID, contactID, payloads, entries, objects, items)
		return err
	})
	if err != nil {
		return fmt.Errorf("erase what is stored of contact %s: %w", contactID, err)
	}
	return nil
}

// Erased stores that an erasure is done and completes its job, unless job is nil, in one
// transaction. If the erasure was requested again after begun was read, again is true and
// the job must run again. The erasure's row orders the two.
func (s *Store) Erased(ctx context.Context, job *river.Job[EraseArgs], begun Erasure, now time.Time) (e Erasure, again bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		rows, err := tx.Query(ctx, `UPDATE erasures SET done_at = CASE WHEN asked_at = $4 THEN CAST($3 AS BIGINT) ELSE 0 END
			WHERE location_id = $1 AND contact_id = $2 RETURNING done_at`,
			begun.LocationID, begun.ContactID, micros(now), micros(begun.AskedAt))
		done, err := collect(rows, err, func(r Rows) (at int64, err error) { return at, r.Scan(&at) })
		if err != nil {
			return err
		}
		if again = len(done) == 1 && done[0] == 0; again || job == nil {
			return nil
		}
		return s.queue.complete(ctx, tx, job.JobRow)
	})
	if err != nil {
		return Erasure{}, false, fmt.Errorf("save that contact %s is erased: %w", begun.ContactID, err)
	}
	e, _, err = s.Erasure(ctx, begun.LocationID, begun.ContactID)
	return e, again, err
}
