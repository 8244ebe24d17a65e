package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/order"
)

// Entity names one HighLevel record.
type Entity struct {
	LocationID string
	Kind       string // contact, task, note, appointment, opportunity, meeting, or a Delivered kind
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

// EntityState is how far an entity is synced. It is in step when Done equals Wanted. Every
// event raises Wanted; a finished sync sets Done to the Wanted that it started from.
type EntityState struct {
	Entity
	ContactID     string // the contact it belongs to; "" until known
	Wanted, Done  int64
	DeletedWanted int64     // Wanted at the newest delete event; 0 = there was none
	GoneAt        time.Time // since when the fetch and the events disagree whether the record is gone; zero = they agree
	Fingerprint   string    // of the record at the last read; "" = never read; or FingerprintGone
	Mark          string    // shows a change without reading the record; see LastSeen
	Outcome       string
	Detail        string
	SyncedAt      time.Time
	Backfill      bool      // no event asked for the owed sync, so syncs for events go first
	SyncContact   string    // the contact whose job syncs it; "" = it has its own job
	NextTry       time.Time // when a sync that did not end is tried again; zero = at once
	Tries         int64     // consecutive failures
	Parts         string    // digests of the parts that fire triggers, at the last read; "" = never read
	LookAt        time.Time // when the clock changes the plan; zero = never
	Trouble       string    // key of the Cause why it is not in step; "" = none
}

// FingerprintGone is the fingerprint of a record that existed and is gone.
const FingerprintGone = "gone"

// DeleteAsked reports whether a delete event arrived since the last finished sync.
func (s EntityState) DeleteAsked() bool { return s.DeletedWanted > s.Done }

const entityColumns = `location_id, kind, id, contact_id, wanted, done, deleted_wanted, gone_at, fingerprint, outcome, detail, synced_at, mark, backfill, sync_contact, next_try, tries, parts, look_at, trouble`

func scanEntity(r Rows) (s EntityState, err error) {
	var gone, synced, backfill, next, look int64
	err = r.Scan(&s.LocationID, &s.Kind, &s.ID, &s.ContactID, &s.Wanted, &s.Done, &s.DeletedWanted,
		&gone, &s.Fingerprint, &s.Outcome, &s.Detail, &synced, &s.Mark, &backfill, &s.SyncContact, &next, &s.Tries, &s.Parts, &look, &s.Trouble)
	s.Backfill = backfill == 1
	s.GoneAt, s.SyncedAt, s.NextTry, s.LookAt = fromMicros(gone), fromMicros(synced), fromMicros(next), fromMicros(look)
	return s, err
}

// EntityState reads one entity. An unknown entity has the zero state.
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

// EntitiesOf lists the known records of a contact.
func (s *Store) EntitiesOf(ctx context.Context, locationID, contactID string) ([]Entity, error) {
	return s.entities(ctx, listEntitiesOf, locationID, contactID)
}

const listEntitiesOf = `SELECT location_id, kind, id FROM entities
	WHERE location_id = $1 AND contact_id = $2 AND kind <> 'contact' ORDER BY kind, id`

// Dependents lists the entities of a contact that have, or may soon have, a meeting request
// which shows the contact's notes, tags or name.
func (s *Store) Dependents(ctx context.Context, locationID, contactID string) ([]Entity, error) {
	return s.entities(ctx, listDependents, locationID, contactID)
}

const listDependents = `SELECT location_id, kind, id FROM entities e
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

// LearnContact stores which contact an entity belongs to.
func (s *Store) LearnContact(ctx context.Context, e Entity, contactID string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `UPDATE entities SET contact_id = $4 WHERE location_id = $1 AND kind = $2 AND id = $3`,
			e.LocationID, e.Kind, e.ID, contactID)
		return err
	})
	if err != nil {
		return fmt.Errorf("save the contact of %s: %w", e, err)
	}
	return nil
}

// asker says who asked for a sync.
type asker int64

const (
	byEvent    asker = iota // a webhook, a person, or what a sync found to do
	byBackfill              // something that nobody waits for: a reconciliation, a backfill, a poll
)

// raised is an entity whose Wanted was raised, and its job.
type raised struct {
	wanted   int64
	job      Entity // the entity whose job syncs it
	ready    bool   // it does not wait for a next try
	expedite bool   // its job must no longer wait or run at low priority
}

// raiseWanted adds n to the Wanted of an entity. nthDelete is the 1-based number of the
// event that is a delete, 0 = none. contactID may be "". A delete confirms that a record is
// gone, so a sync that waits for confirmation becomes due. If only a backfill had asked for
// the sync, an event gives it the priority of live syncs and makes it due.
func (tx *Tx) raiseWanted(ctx context.Context, e Entity, contactID string, n, nthDelete int64, by asker) (raised, error) {
	syncContact := ""
	if WorkedWithContact(e.Kind) {
		syncContact = contactID
	}
	rows, err := tx.Query(ctx, `INSERT INTO entities (`+entityColumns+`)
		VALUES ($1, $2, $3, $4, $5, 0, $6, 0, '', '', '', 0, '', $7, $8, 0, 0, '', 0, '')
		ON CONFLICT (location_id, kind, id) DO UPDATE SET
			wanted = entities.wanted + excluded.wanted,
			contact_id = CASE WHEN excluded.contact_id = '' THEN entities.contact_id ELSE excluded.contact_id END,
			deleted_wanted = CASE WHEN excluded.deleted_wanted = 0 THEN entities.deleted_wanted
				ELSE entities.wanted + excluded.deleted_wanted END,
			backfill = CASE
				WHEN excluded.wanted = 0 OR (excluded.backfill = 1 AND entities.wanted > entities.done) THEN entities.backfill
				WHEN excluded.backfill = 0 AND entities.backfill = 1 THEN 2
				ELSE excluded.backfill END,
			next_try = CASE
				WHEN excluded.wanted = 0 THEN entities.next_try
				WHEN entities.gone_at <> 0 AND excluded.deleted_wanted <> 0 THEN 0
				WHEN entities.gone_at = 0 AND excluded.backfill = 0 AND entities.backfill = 1 THEN 0
				ELSE entities.next_try END
		RETURNING wanted, gone_at, backfill, sync_contact, next_try`,
		e.LocationID, e.Kind, e.ID, contactID, n, nthDelete, int64(by), syncContact)
	list, err := collect(rows, err, func(r Rows) (v raised, err error) {
		var gone, backfill, next int64
		var contact string
		err = r.Scan(&v.wanted, &gone, &backfill, &contact, &next)
		v.job, v.ready = jobOf(e, contact), next == 0
		v.expedite = n > 0 && by == byEvent && (gone != 0 && nthDelete > 0 || backfill == 2)
		return v, err
	})
	if err != nil {
		return raised{}, fmt.Errorf("raise the wanted counter of %s: %w", e, err)
	}
	return list[0], nil
}

// WorkedWithContact reports whether the job of the contact, once the contact is known,
// syncs records of a kind.
func WorkedWithContact(kind string) bool {
	switch kind {
	case "task", "note", "appointment", "opportunity", KindWorkflow:
		return true
	}
	return false
}

// jobOf returns the entity whose job syncs a record: its contact, or the record itself.
func jobOf(e Entity, syncContact string) Entity {
	if syncContact == "" {
		return e
	}
	return Entity{LocationID: e.LocationID, Kind: "contact", ID: syncContact}
}

// enqueue queues the syncs of the raised entities. If a sync is already queued or running,
// the raised counter makes it run again. If its job waits for the next try of another
// record, or runs at low priority for another record, enqueue ends that.
func (tx *Tx) enqueue(ctx context.Context, list []raised, by asker) error {
	var opts *river.InsertOpts
	if by == byBackfill {
		opts = &river.InsertOpts{Priority: priorityBackfill}
	}
	byJob := map[Entity]raised{}
	for _, v := range list {
		all := byJob[v.job]
		byJob[v.job] = raised{job: v.job, ready: all.ready || v.ready, expedite: all.expedite || v.expedite}
	}
	sorted := slices.SortedFunc(maps.Keys(byJob), Entity.Compare)
	if err := tx.lockJobs(ctx, sorted...); err != nil {
		return err
	}
	var jobs []river.InsertManyParams
	for _, e := range sorted {
		v := byJob[e]
		if v.ready && !v.expedite && e.Kind == "contact" {
			rows, err := tx.Query(ctx, listUnready, e.LocationID, e.ID, int64(by))
			unready, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
			if err != nil {
				return fmt.Errorf("read the sync job of %s: %w", e, err)
			}
			v.expedite = len(unready) > 0
		}
		if v.expedite {
			if err := tx.store.queue.expedite(ctx, tx, e, by == byEvent, v.ready); err != nil {
				return fmt.Errorf("expedite the sync job of %s: %w", e, err)
			}
			continue
		}
		jobs = append(jobs, river.InsertManyParams{Args: SyncArgs{LocationID: e.LocationID, RecordKind: e.Kind, EntityID: e.ID}, InsertOpts: opts})
	}
	if err := tx.store.queue.insert(ctx, tx, jobs); err != nil {
		return fmt.Errorf("queue %d syncs: %w", len(jobs), err)
	}
	return nil
}

// listUnready finds out whether a contact's job may wait for the next try of one of its
// records, or run at low priority.
const listUnready = `SELECT 1 FROM entities WHERE location_id = $1 AND sync_contact = $2 AND sync_contact <> '' AND wanted > done
		AND (next_try > 0 OR (backfill > 0 AND $3 = 0))
	UNION ALL SELECT 1 FROM entities WHERE location_id = $1 AND kind = 'contact' AND id = $2 AND wanted > done
		AND (next_try > 0 OR (backfill > 0 AND $3 = 0)) LIMIT 1`

// lockJobs orders this transaction against others that queue or end the same sync jobs.
// Either the end sees the raised counter, or the queued job is a new one. Call it after
// locking the entities' rows, with the jobs in the order of Entity.Compare. SQLite needs no
// lock, because it has one writer.
func (tx *Tx) lockJobs(ctx context.Context, jobs ...Entity) error {
	if _, ok := tx.store.backend.(*sqliteBackend); ok {
		return nil
	}
	keys := make([]string, len(jobs))
	for i, job := range jobs {
		keys[i] = job.LocationID + " " + job.Kind + " " + job.ID
	}
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended(key, 0)) FROM unnest($1::text[]) AS key`, keys)
	return err
}

// SyncsOwed lists the records that a sync job must sync: the contact first, and records
// that failed last. syncedAt is when one of the contact's records was last synced.
func (s *Store) SyncsOwed(ctx context.Context, job Entity) (pending []EntityState, syncedAt time.Time, err error) {
	rows, err := s.Query(ctx, listOwed, job.LocationID, job.Kind, job.ID)
	if pending, err = collect(rows, err, scanEntity); err != nil {
		return nil, syncedAt, fmt.Errorf("list what is owed of %s: %w", job, err)
	}
	order.By(pending, func(a, b EntityState) int {
		return cmp.Or(cmp.Compare(a.Tries, b.Tries), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	for _, e := range pending {
		if e.SyncedAt.After(syncedAt) {
			syncedAt = e.SyncedAt
		}
	}
	if job.Kind == "contact" {
		rows, err := s.Query(ctx, lastSynced, job.LocationID, job.ID)
		at, err := collect(rows, err, func(r Rows) (at int64, err error) { return at, r.Scan(&at) })
		if err != nil {
			return nil, syncedAt, fmt.Errorf("read when %s was synced: %w", job, err)
		}
		if t := fromMicros(at[0]); t.After(syncedAt) {
			syncedAt = t
		}
	}
	return pending, syncedAt, nil
}

const (
	owedOf = ` FROM entities WHERE location_id = $1 AND kind = $2 AND id = $3 AND wanted > done AND sync_contact = ''
	UNION ALL SELECT ` + entityColumns + ` FROM entities
		WHERE $2 = 'contact' AND location_id = $1 AND sync_contact = $3 AND sync_contact <> '' AND wanted > done`
	listOwed   = `SELECT ` + entityColumns + owedOf
	lastSynced = `SELECT coalesce(max(synced_at), 0) FROM entities WHERE location_id = $1 AND contact_id = $2 AND kind <> 'meeting'`
)

// Finish is the end of one sync.
type Finish struct {
	Entity      Entity
	Wanted      int64  // the Wanted it started from
	ContactID   string // learnt during the sync; "" = nothing new
	Fingerprint string // of the record as it was read
	Mark        string // the record's own mark of change
	Outcome     string
	Detail      string
	Cause       Cause // for outcomes that have one; without location and outcome
	Now         time.Time
	Requeue     []Entity // entities that must be synced again because of this one, perhaps including itself
	Backfill    bool     // the requeued entities also get low priority
	// LookAt is when the clock changes the plan, zero = never. If nothing was planned, the
	// stored time stays.
	LookAt     time.Time
	Planned    bool
	Parts      string               // as EntityState's
	Happened   map[string]time.Time // what to store in happenings, by trigger
	Tagged     map[string]time.Time // since when it has each tag; nil = do not store
	Last       []byte               // the last known facts; nil = keep what is stored
	Erase      string               // the contact whose stored data must be erased; "" = none
	Timeline   []TimelineEntry
	Contact    *Contact     // set if the record is a contact and was read
	Considered []Considered // the results of the automations
	Calls      []byte       // see SyncCalls.Packed
}

// requeuesBy returns who asks for the syncs in Requeue.
func (f Finish) requeuesBy() asker {
	if f.Backfill {
		return byBackfill
	}
	return byEvent
}

// FinishSync stores the results of a job's syncs, queues what they ask for, and completes
// the job (which may be nil), all in one transaction. If the job still owes a sync,
// FinishSync returns again = true and leaves the job unchanged. The job's lock orders this
// against every dispatcher, so no event is lost.
func (s *Store) FinishSync(ctx context.Context, job *river.Job[SyncArgs], ended ...Finish) (again bool, err error) {
	order.By(ended, func(a, b Finish) int { return a.Entity.Compare(b.Entity) }) // the order that recordDeliveries explains
	if err := s.noteCauses(ctx, ended); err != nil {
		return false, err
	}
	err = s.InTx(ctx, func(tx *Tx) error {
		var list []raised
		requeue := map[asker][]Entity{}
		for _, f := range ended {
			left, err := tx.finish(ctx, f)
			if err != nil {
				return err
			}
			by := f.requeuesBy()
			list, requeue[by] = append(list, left...), append(requeue[by], f.Requeue...)
		}
		if err := tx.requeue(ctx, requeue[byEvent], false, byEvent); err != nil {
			return err
		}
		requeue[byBackfill] = slices.DeleteFunc(requeue[byBackfill], func(e Entity) bool { return slices.Contains(requeue[byEvent], e) })
		if err := tx.requeue(ctx, requeue[byBackfill], false, byBackfill); err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(v raised) bool { return job != nil && v.job == job.Args.Entity() })
		if err := tx.enqueue(ctx, list, byEvent); err != nil || job == nil {
			return err
		}
		pending, err := tx.pendingSyncs(ctx, job.Args.Entity())
		if again = len(pending) > 0; again || err != nil {
			return err
		}
		return s.queue.complete(ctx, tx, job.JobRow)
	})
	if err != nil {
		return false, fmt.Errorf("record the end of %d syncs: %w", len(ended), err)
	}
	return again, nil
}

// finish stores the result of one sync. It returns the syncs of the record that are still
// owed; the record may belong to another contact by now.
func (tx *Tx) finish(ctx context.Context, f Finish) (left []raised, err error) {
	e := f.Entity
	_, trouble := causeOf(e, f.Outcome, f.Cause)
	rows, err := tx.Query(ctx, `UPDATE entities SET
			done = CASE WHEN done > $4 THEN done ELSE $4 END,
			contact_id = CASE WHEN $5 = '' THEN contact_id ELSE $5 END,
			sync_contact = CASE WHEN $11 = 0 THEN '' WHEN $5 = '' THEN contact_id ELSE $5 END,
			look_at = CASE WHEN $12 = 0 THEN look_at ELSE $13 END, parts = $14, trouble = $15,
			gone_at = 0, backfill = 0, next_try = 0, tries = 0, outcome = $6, detail = $7, synced_at = $8, fingerprint = $9, mark = $10,
			-- What a reconciliation saw of a task is no longer what was synced: should
			-- the task become again what it was, nothing but this would tell.
			swept = CASE WHEN kind = 'task' AND fingerprint <> $9 AND swept <> $9 THEN '' ELSE swept END
		WHERE location_id = $1 AND kind = $2 AND id = $3 RETURNING wanted, sync_contact`,
		e.LocationID, e.Kind, e.ID, f.Wanted, f.ContactID, f.Outcome, f.Detail, micros(f.Now), f.Fingerprint, f.Mark, withContact(e.Kind), oneIf(f.Planned), micros(f.LookAt), f.Parts, trouble)
	list, err := collect(rows, err, func(r Rows) (v raised, err error) {
		var contact string
		err = r.Scan(&v.wanted, &contact)
		v.job, v.ready = jobOf(e, contact), true
		return v, err
	})
	if err != nil {
		return nil, err
	}
	if err := tx.setOutcome(ctx, e, f.Wanted, f.Outcome, f.Detail, micros(f.Now)); err != nil {
		return nil, err
	}
	if err := tx.appendTimeline(ctx, f.Timeline); err != nil {
		return nil, err
	}
	if f.Contact != nil && f.Erase == "" {
		if err := tx.saveContact(ctx, *f.Contact); err != nil {
			return nil, fmt.Errorf("save the search words of contact %s: %w", f.Contact.ID, err)
		}
	}
	if err := tx.noteHappened(ctx, e, f.Happened); err != nil {
		return nil, err
	}
	if f.Tagged != nil {
		if err := tx.noteTags(ctx, e, f.Tagged); err != nil {
			return nil, err
		}
	}
	if f.Last != nil {
		if err := tx.keepLast(ctx, e, f.ContactID, f.Last, f.Now, true); err != nil {
			return nil, err
		}
	}
	if err := tx.considered(ctx, f); err != nil {
		return nil, err
	}
	if f.Erase != "" {
		if err := tx.askErasure(ctx, e.LocationID, f.Erase, false, f.Now); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(list, func(v raised) bool { return v.wanted <= f.Wanted }), nil
}

func withContact(kind string) int64 { return oneIf(WorkedWithContact(kind)) }

func oneIf(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// pendingSyncs returns the next tries of the records that a job must sync.
func (tx *Tx) pendingSyncs(ctx context.Context, job Entity) ([]EntityState, error) {
	if err := tx.lockJobs(ctx, job); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, listOwed, job.LocationID, job.Kind, job.ID)
	return collect(rows, err, scanEntity)
}

// AwaitNextTry replaces a job with one that is due at the earliest next try of its records.
// real converts a wait to real time. If one of the records is ready now, AwaitNextTry
// returns again = true and leaves the job unchanged.
func (s *Store) AwaitNextTry(ctx context.Context, job *river.Job[SyncArgs], now time.Time, real func(time.Duration) time.Duration) (again bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		pending, err := tx.pendingSyncs(ctx, job.Args.Entity())
		if err != nil {
			return err
		}
		var next time.Time
		priority := job.Priority
		for _, e := range pending {
			if again = e.Ready(now); again {
				return nil
			}
			if next.IsZero() || e.NextTry.Before(next) {
				next = e.NextTry
			}
			if !e.Backfill {
				priority = PriorityLive // perhaps by an event that came after the job began
			}
		}
		if err := s.queue.complete(ctx, tx, job.JobRow); err != nil || len(pending) == 0 {
			return err
		}
		return s.queue.await(ctx, tx, job.Args, priority, time.Now().Add(real(next.Sub(now))))
	})
	if err != nil {
		return false, fmt.Errorf("postpone the syncs of %s: %w", job.Args.Entity(), err)
	}
	return again, nil
}

// Ready reports whether an owed sync may start now. A next try that is further ahead than
// any wait was set by a clock that was put back since, so it does not count.
func (s EntityState) Ready(now time.Time) bool {
	return !s.NextTry.After(now) || s.NextTry.After(now.Add(longestSync))
}

// HandOver gives a record to the job of its contact, and completes the record's own job,
// which may be nil.
func (s *Store) HandOver(ctx context.Context, job *river.Job[SyncArgs], e Entity) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		rows, err := tx.Query(ctx, `UPDATE entities SET sync_contact = contact_id WHERE location_id = $1 AND kind = $2 AND id = $3
			RETURNING `+entityColumns, e.LocationID, e.Kind, e.ID)
		states, err := collect(rows, err, scanEntity)
		if err != nil {
			return err
		}
		for _, v := range states {
			if v.Wanted <= v.Done {
				continue
			}
			by := byEvent
			if v.Backfill {
				by = byBackfill
			}
			if err := tx.enqueue(ctx, []raised{{job: jobOf(e, v.SyncContact), ready: v.NextTry.IsZero()}}, by); err != nil {
				return err
			}
		}
		if job == nil {
			return nil
		}
		return s.queue.complete(ctx, tx, job.JobRow)
	})
	if err != nil {
		return fmt.Errorf("hand %s over to its contact: %w", e, err)
	}
	return nil
}

// LearnContacts stores contacts of tasks that were not known. With handOver, it also gives
// all these tasks to the jobs of their contacts. Tasks with an unconfirmed deletion stay
// with their own jobs, which may be about to confirm it. Without handOver, the jobs of the
// tasks only store the contacts.
func (s *Store) LearnContacts(ctx context.Context, contactOf map[Entity]string, handOver bool) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		byAsker := map[asker][]raised{}
		for _, e := range slices.SortedFunc(maps.Keys(contactOf), Entity.Compare) { // the order that recordDeliveries explains
			rows, err := tx.Query(ctx, `UPDATE entities SET contact_id = $4, sync_contact = CASE WHEN $5 AND gone_at = 0 AND deleted_wanted <= done THEN $4 ELSE '' END
				WHERE location_id = $1 AND kind = $2 AND id = $3 AND contact_id = '' RETURNING `+entityColumns,
				e.LocationID, e.Kind, e.ID, contactOf[e], handOver)
			list, err := collect(rows, err, scanEntity)
			if err != nil {
				return err
			}
			for _, v := range list {
				if v.SyncContact == "" {
					continue
				}
				by := byEvent
				if v.Backfill {
					by = byBackfill
				}
				byAsker[by] = append(byAsker[by], raised{job: jobOf(e, v.SyncContact), ready: v.NextTry.IsZero()})
			}
		}
		if err := tx.enqueue(ctx, byAsker[byEvent], byEvent); err != nil {
			return err
		}
		return tx.enqueue(ctx, byAsker[byBackfill], byBackfill)
	})
	if err != nil {
		return fmt.Errorf("save the contacts of %d tasks: %w", len(contactOf), err)
	}
	return nil
}

// OwedWithoutContact lists the tasks of a location that wait for a sync and whose contact
// is unknown.
func (s *Store) OwedWithoutContact(ctx context.Context, locationID string) ([]EntityState, error) {
	rows, err := s.Query(ctx, listOwedWithoutContact, locationID)
	list, err := collect(rows, err, scanEntity)
	if err != nil {
		return nil, fmt.Errorf("list the tasks of location %s without a contact: %w", locationID, err)
	}
	return list, nil
}

const listOwedWithoutContact = `SELECT ` + entityColumns + ` FROM entities WHERE location_id = $1 AND wanted > done AND kind = 'task' AND contact_id = ''`

// Postponed is a sync that has not ended yet.
type Postponed struct {
	Entity   Entity
	Wanted   int64 // the Wanted it started from
	Backfill bool  // the sync started for a backfill alone
	Outcome  string
	Detail   string
	Cause    Cause     // as in Finish
	GoneAt   time.Time // as in EntityState
	NextTry  time.Time
	Tries    int64
	Now      time.Time
	Calls    []byte // see SyncCalls.Packed
}

// Postpone stores why a sync has not ended. A sync that waits keeps its cause, because only
// the next try shows whether the cause is gone. An event that came meanwhile makes it due at
// once where the same event would after Postpone (see raiseWanted).
func (s *Store) Postpone(ctx context.Context, p Postponed) error {
	e := p.Entity
	gone := !p.GoneAt.IsZero()
	cause, trouble := causeOf(e, p.Outcome, p.Cause)
	if trouble != "" {
		if err := s.noteCause(ctx, cause, trouble, p.Now); err != nil {
			return err
		}
	}
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE entities SET outcome = $4, detail = $5, gone_at = $6, tries = $8,
				next_try = CASE
					WHEN $10 = 1 AND deleted_wanted > $11 THEN 0
					WHEN $12 = 1 AND backfill <> 1 THEN 0
					ELSE CAST($7 AS BIGINT) END,
				trouble = CASE WHEN $9 = '' THEN trouble ELSE $9 END
			WHERE location_id = $1 AND kind = $2 AND id = $3`,
			e.LocationID, e.Kind, e.ID, p.Outcome, p.Detail, micros(p.GoneAt), micros(p.NextTry), p.Tries, trouble,
			oneIf(gone), p.Wanted, oneIf(p.Backfill && !gone)); err != nil {
			return err
		}
		if err := tx.noteWait(ctx, p); err != nil {
			return err
		}
		return tx.setOutcome(ctx, e, p.Wanted, p.Outcome, p.Detail, 0)
	})
	if err != nil {
		return fmt.Errorf("save that the sync of %s waits: %w", e, err)
	}
	return nil
}

// QueueOwed ensures that every owed sync has a job. Only a process of an earlier version
// that ran next to this one can leave a sync without a job.
func (s *Store) QueueOwed(ctx context.Context) error {
	rows, err := s.Query(ctx, `SELECT `+entityColumns+` FROM entities WHERE wanted > done`)
	pending, err := collect(rows, err, scanEntity)
	if err != nil {
		return fmt.Errorf("list what is owed: %w", err)
	}
	byAsker := map[asker][]raised{}
	for _, v := range pending {
		by := byEvent
		if v.Backfill {
			by = byBackfill
		}
		byAsker[by] = append(byAsker[by], raised{job: jobOf(v.Entity, v.SyncContact), ready: v.NextTry.IsZero()})
	}
	for _, by := range []asker{byEvent, byBackfill} {
		for list := range slices.Chunk(byAsker[by], 500) {
			if err := s.InTx(ctx, func(tx *Tx) error { return tx.enqueue(ctx, list, by) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// Requeue queues syncs of entities without a webhook.
func (s *Store) Requeue(ctx context.Context, entities []Entity, deleted bool) error {
	return s.InTx(ctx, func(tx *Tx) error { return tx.requeue(ctx, entities, deleted, byEvent) })
}

// RequeueLater is Requeue at low priority, after syncs for events.
func (s *Store) RequeueLater(ctx context.Context, entities []Entity) error {
	return s.InTx(ctx, func(tx *Tx) error { return tx.requeue(ctx, entities, false, byBackfill) })
}

func (tx *Tx) requeue(ctx context.Context, entities []Entity, deleted bool, by asker) error {
	if len(entities) == 0 {
		return nil
	}
	nthDelete := int64(0)
	if deleted {
		nthDelete = 1
	}
	entities = slices.Compact(slices.SortedFunc(slices.Values(entities), Entity.Compare)) // the order that recordDeliveries explains
	list := make([]raised, len(entities))
	for i, e := range entities {
		var err error
		if list[i], err = tx.raiseWanted(ctx, e, "", 1, nthDelete, by); err != nil {
			return err
		}
	}
	return tx.enqueue(ctx, list, by)
}
