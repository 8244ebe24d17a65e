package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/riverqueue/river"
)

// Entity names one HighLevel record.
type Entity struct {
	LocationID string
	Kind       string // contact, task, note; meeting; those of Delivered
	ID         string
}

// String reads "contact abc of location xyz".
func (e Entity) String() string {
	return fmt.Sprintf("%s %s of location %s", e.Kind, e.ID, e.LocationID)
}

// Compare orders entities by location, kind and id.
func (e Entity) Compare(o Entity) int {
	return cmp.Or(cmp.Compare(e.LocationID, o.LocationID), cmp.Compare(e.Kind, o.Kind), cmp.Compare(e.ID, o.ID))
}

// EntityState is how far an entity is synced. It is in step when Done equals
// Wanted: every event raises Wanted, a finished sync lifts Done to the Wanted
// that it started from.
type EntityState struct {
	Entity
	ContactID     string // the contact it belongs to; "" until known
	Wanted, Done  int64
	DeletedWanted int64     // Wanted at the newest delete event; 0 = there was none
	GoneAt        time.Time // since when a fetch and the events disagree on whether the record is gone; zero = they agree
	Fingerprint   string    // of the record as it was last read; "" = never was; or FingerprintGone
	Mark          string    // by what a change is known without reading the record; see Seen
	Outcome       string
	Detail        string
	SyncedAt      time.Time
	Backfill      bool // no event asked for the sync that is owed: it lets those go first that one asked for
}

// FingerprintGone is the fingerprint of a record that was there and is gone.
const FingerprintGone = "gone"

// DeleteAsked reports whether a delete event arrived since the last finished sync.
func (s EntityState) DeleteAsked() bool { return s.DeletedWanted > s.Done }

const entityColumns = `location_id, kind, id, contact_id, wanted, done, deleted_wanted, gone_at, fingerprint, outcome, detail, synced_at, mark, backfill`

func scanEntity(r Rows) (s EntityState, err error) {
	var gone, synced, backfill int64
	err = r.Scan(&s.LocationID, &s.Kind, &s.ID, &s.ContactID, &s.Wanted, &s.Done, &s.DeletedWanted,
		&gone, &s.Fingerprint, &s.Outcome, &s.Detail, &synced, &s.Mark, &backfill)
	s.Backfill = backfill == 1
	s.GoneAt, s.SyncedAt = fromMicros(gone), fromMicros(synced)
	return s, err
}

// EntityState reads one entity. An entity never heard of has the zero state.
func (s *Store) EntityState(ctx context.Context, e Entity) (EntityState, error) {
	rows, err := s.Query(ctx, `SELECT `+entityColumns+` FROM entities WHERE location_id = $1 AND kind = $2 AND id = $3`,
		e.LocationID, e.Kind, e.ID)
	states, err := collect(rows, err, scanEntity)
	if err != nil {
		return EntityState{}, fmt.Errorf("read the state of %s: %w", e, err)
	}
	if len(states) == 0 {
		return EntityState{Entity: e}, nil
	}
	return states[0], nil
}

// EntitiesOf lists the tasks and notes known to belong to a contact.
func (s *Store) EntitiesOf(ctx context.Context, locationID, contactID string) ([]Entity, error) {
	return s.entities(ctx, listEntitiesOf, locationID, contactID)
}

const listEntitiesOf = `SELECT location_id, kind, id FROM entities
	WHERE location_id = $1 AND contact_id = $2 AND kind <> 'contact' ORDER BY kind, id`

// Attached lists the entities of a contact that have, or may be about to have,
// a meeting request that shows what is known of the contact: its notes, tags
// and name.
func (s *Store) Attached(ctx context.Context, locationID, contactID string) ([]Entity, error) {
	return s.entities(ctx, listAttached, locationID, contactID)
}

const listAttached = `SELECT location_id, kind, id FROM entities e
	WHERE location_id = $1 AND contact_id = $2 AND kind <> 'note' AND (wanted > done OR EXISTS (
		SELECT 1 FROM links l WHERE l.location_id = e.location_id AND l.kind = e.kind AND l.entity_id = e.id
			AND l.item_kind IN ('event', 'task') AND l.state <> 'gone'))
	ORDER BY kind, id`

func (s *Store) entities(ctx context.Context, query, locationID, contactID string) ([]Entity, error) {
	rows, err := s.Query(ctx, query, locationID, contactID)
	out, err := collect(rows, err, func(r Rows) (e Entity, err error) {
		err = r.Scan(&e.LocationID, &e.Kind, &e.ID)
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the entities of contact %s: %w", contactID, err)
	}
	return out, nil
}

// LearnContact notes which contact an entity belongs to.
func (s *Store) LearnContact(ctx context.Context, e Entity, contactID string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `UPDATE entities SET contact_id = $4 WHERE location_id = $1 AND kind = $2 AND id = $3`,
			e.LocationID, e.Kind, e.ID, contactID)
		return err
	})
	if err != nil {
		return fmt.Errorf("note the contact of %s: %w", e, err)
	}
	return nil
}

// asker is on whose behalf a sync is asked for.
type asker int64

const (
	byEvent    asker = iota // a webhook, a person, or what a sync found to do
	byBackfill              // nobody waits for it: a reconciliation, a backfill, a poll
)

// raise adds n to what is wanted of an entity and returns the new count. An
// nth event (1-based) that is a delete is noted; 0 = none is. contactID may be "".
// A delete ends the doubt on whether a record is gone, so the job that waits for
// that waits no longer. An event on an entity that only a backfill asked for makes
// its job one of those that go first, and due where it waits for its turn.
func (tx *Tx) raise(ctx context.Context, e Entity, contactID string, n, nthDelete int64, by asker) (wanted int64, err error) {
	rows, err := tx.Query(ctx, `INSERT INTO entities (`+entityColumns+`)
		VALUES ($1, $2, $3, $4, $5, 0, $6, 0, '', '', '', 0, '', $7)
		ON CONFLICT (location_id, kind, id) DO UPDATE SET
			wanted = entities.wanted + excluded.wanted,
			contact_id = CASE WHEN excluded.contact_id = '' THEN entities.contact_id ELSE excluded.contact_id END,
			deleted_wanted = CASE WHEN excluded.deleted_wanted = 0 THEN entities.deleted_wanted
				ELSE entities.wanted + excluded.deleted_wanted END,
			backfill = CASE
				WHEN excluded.wanted = 0 OR (excluded.backfill = 1 AND entities.wanted > entities.done) THEN entities.backfill
				WHEN excluded.backfill = 0 AND entities.backfill = 1 THEN 2
				ELSE excluded.backfill END
		RETURNING wanted, gone_at, backfill`,
		e.LocationID, e.Kind, e.ID, contactID, n, nthDelete, int64(by))
	type count struct{ wanted, gone, backfill int64 }
	counts, err := collect(rows, err, func(r Rows) (c count, err error) { return c, r.Scan(&c.wanted, &c.gone, &c.backfill) })
	if err == nil && n > 0 {
		doubted := counts[0].gone != 0
		if deleted, raised := nthDelete > 0, counts[0].backfill == 2; doubted && deleted || by == byEvent && raised {
			err = tx.store.queue.hurry(ctx, tx, e, !doubted || deleted)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("raise what is wanted of %s: %w", e, err)
	}
	return counts[0].wanted, nil
}

// enqueue asks for a sync of each entity. Where one is already asked for or
// running, the raised counter makes it run again.
func (tx *Tx) enqueue(ctx context.Context, entities []Entity, by asker) error {
	var opts *river.InsertOpts
	if by == byBackfill {
		opts = &river.InsertOpts{Priority: priorityBackfill}
	}
	jobs := make([]river.InsertManyParams, len(entities))
	for i, e := range entities {
		jobs[i] = river.InsertManyParams{Args: SyncArgs{LocationID: e.LocationID, RecordKind: e.Kind, EntityID: e.ID}, InsertOpts: opts}
	}
	if err := tx.store.queue.insert(ctx, tx, jobs); err != nil {
		return fmt.Errorf("queue %d syncs: %w", len(jobs), err)
	}
	return nil
}

// Finish is the end of one sync.
type Finish struct {
	Entity      Entity
	Seen        int64  // the Wanted it started from
	ContactID   string // learnt on the way; "" = nothing new
	Fingerprint string // of the record as it was read
	Mark        string // its own mark of change
	Outcome     string
	Detail      string
	Now         time.Time
	Touch       []Entity // entities that must be looked at again because of this one, perhaps itself
	Backfill    bool     // what is touched lets those go first that an event asks for, too
	Erase       string   // the contact of which what is stored is to be erased; "" = none
	Timeline    []TimelineEntry
}

// FinishSync records the end of a sync in one transaction: outcome, what it
// leaves to do, and the job's completion. When something newer was wanted
// meanwhile it returns again = true and leaves the job to be snoozed: the
// counter's row orders it against every dispatcher, so no event falls between.
func (s *Store) FinishSync(ctx context.Context, job *river.Job[SyncArgs], f Finish) (again bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		e := f.Entity
		rows, err := tx.Query(ctx, `UPDATE entities SET
				done = CASE WHEN done > $4 THEN done ELSE $4 END,
				contact_id = CASE WHEN $5 = '' THEN contact_id ELSE $5 END,
				gone_at = 0, backfill = 0, outcome = $6, detail = $7, synced_at = $8, fingerprint = $9, mark = $10,
				-- What a reconciliation saw of a task is no longer what was synced: should
				-- the task become again what it was, nothing but this would tell.
				swept = CASE WHEN kind = 'task' AND fingerprint <> $9 AND swept <> $9 THEN '' ELSE swept END
			WHERE location_id = $1 AND kind = $2 AND id = $3 RETURNING wanted`,
			e.LocationID, e.Kind, e.ID, f.Seen, f.ContactID, f.Outcome, f.Detail, micros(f.Now), f.Fingerprint, f.Mark)
		wanted, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
		if err != nil {
			return err
		}
		if err := tx.settle(ctx, e, f.Seen, f.Outcome, f.Detail, micros(f.Now)); err != nil {
			return err
		}
		by := byEvent
		if f.Backfill {
			by = byBackfill
		}
		if err := tx.touch(ctx, f.Touch, false, by); err != nil {
			return err
		}
		if err := tx.appendTimeline(ctx, f.Timeline); err != nil {
			return err
		}
		if f.Erase != "" {
			if err := tx.askErasure(ctx, e.LocationID, f.Erase, false, f.Now); err != nil {
				return err
			}
		}
		if again = len(wanted) == 1 && wanted[0] > f.Seen || slices.Contains(f.Touch, e); again {
			return nil
		}
		return s.queue.complete(ctx, tx, job)
	})
	if err != nil {
		return false, fmt.Errorf("record the end of the sync of %s: %w", f.Entity, err)
	}
	return again, nil
}

// Postpone notes why a sync has not ended yet. gone is EntityState.GoneAt.
func (s *Store) Postpone(ctx context.Context, e Entity, seen int64, outcome, detail string, gone time.Time) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE entities SET outcome = $4, detail = $5, gone_at = $6
			WHERE location_id = $1 AND kind = $2 AND id = $3`,
			e.LocationID, e.Kind, e.ID, outcome, detail, micros(gone)); err != nil {
			return err
		}
		return tx.settle(ctx, e, seen, outcome, detail, 0)
	})
	if err != nil {
		return fmt.Errorf("note that the sync of %s waits: %w", e, err)
	}
	return nil
}

// Touch asks for entities to be looked at again, without any webhook.
func (s *Store) Touch(ctx context.Context, entities []Entity, deleted bool) error {
	return s.InTx(ctx, func(tx *Tx) error { return tx.touch(ctx, entities, deleted, byEvent) })
}

// TouchLater is Touch for what nobody waits for: events go first.
func (s *Store) TouchLater(ctx context.Context, entities []Entity) error {
	return s.InTx(ctx, func(tx *Tx) error { return tx.touch(ctx, entities, false, byBackfill) })
}

func (tx *Tx) touch(ctx context.Context, entities []Entity, deleted bool, by asker) error {
	if len(entities) == 0 {
		return nil
	}
	nthDelete := int64(0)
	if deleted {
		nthDelete = 1
	}
	entities = slices.SortedFunc(slices.Values(entities), Entity.Compare) // see take
	for _, e := range entities {
		if _, err := tx.raise(ctx, e, "", 1, nthDelete, by); err != nil {
			return err
		}
	}
	return tx.enqueue(ctx, entities, by)
}
