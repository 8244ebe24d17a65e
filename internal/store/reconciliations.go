package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"milepost/internal/order"
)

// Reconciliation is the progress of a search of a location for changes without a webhook.
// The search can be interrupted at any time, and continues from Place.
type Reconciliation struct {
	Name          string // the location's id, or the name of a backfill
	LocationID    string
	Since         time.Time // contacts that changed since are read
	Until         time.Time // contacts that changed before this have been read
	Place         string    // where the current search is; "" = none is running
	StartedAt     time.Time
	FinishedAt    time.Time // of the previous search; zero = there was none
	Calls         int64     // calls to HighLevel; this and the rest count the current search, or else the last one
	Contacts      int64     // contacts read
	ContactsTotal int64     // contacts to read
	Tasks         int64     // tasks read
	Differing     int64     // entities that differ from what was last seen
	TasksKnown    bool      // all open tasks have been read, so an unknown one is new
}

const reconciliationColumns = `name, location_id, contacts_since, contacts_until, place, started_at, finished_at, calls, contacts, contacts_total, tasks, touched, tasks_known`

func scanReconciliation(r Rows) (v Reconciliation, err error) {
	var since, until, started, finished, known int64
	err = r.Scan(&v.Name, &v.LocationID, &since, &until, &v.Place, &started, &finished, &v.Calls, &v.Contacts, &v.ContactsTotal, &v.Tasks, &v.Differing, &known)
	v.Since, v.Until, v.StartedAt, v.FinishedAt = fromMicros(since), fromMicros(until), fromMicros(started), fromMicros(finished)
	v.TasksKnown = known == 1
	return v, err
}

// Reconciliation reads one. If there is none, it returns one with only the name.
func (s *Store) Reconciliation(ctx context.Context, name string) (Reconciliation, error) {
	rows, err := s.Query(ctx, `SELECT `+reconciliationColumns+` FROM reconciliations WHERE name = $1`, name)
	list, err := collect(rows, err, scanReconciliation)
	if err != nil {
		return Reconciliation{}, fmt.Errorf("read the reconciliation %s: %w", name, err)
	}
	if len(list) == 0 {
		return Reconciliation{Name: name}, nil
	}
	return list[0], nil
}

// TasksKnown stores, for the sweep of a location, that a backfill has read all open tasks.
func (s *Store) TasksKnown(ctx context.Context, locationID string) error {
	return s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO reconciliations (`+reconciliationColumns+`) VALUES ($1, $1, 0, 0, '', 0, 0, 0, 0, 0, 0, 0, 1)
			ON CONFLICT (name) DO UPDATE SET tasks_known = 1`, locationID)
		if err != nil {
			return fmt.Errorf("save that the tasks of %s are known: %w", locationID, err)
		}
		return nil
	})
}

// Found is a record that a reconciliation read.
type Found struct {
	Entity
	ContactID string // the contact it belongs to; "" = not known
	Differs   bool   // differs from what was last seen, so it must be synced
	Swept     string // the new LastSeen.Swept; "" = keep it, or clear it if the record differs
	Open      bool   // a task that was read as open (see MissingTasks), or an opportunity that was read
}

// noteFound stores which entities a search read, and raises Wanted of those that differ. It
// returns these, and the ids that were read as open, by kind.
func (tx *Tx) noteFound(ctx context.Context, found []Found) (differ []raised, open map[string][]string, err error) {
	open = map[string][]string{}
	var swept []Found
	for _, f := range found {
		if f.Open {
			open[f.Kind] = append(open[f.Kind], f.ID)
		}
		if f.Swept == "" && !f.Differs {
			continue
		}
		swept = append(swept, f)
		v, err := tx.raiseWanted(ctx, f.Entity, f.ContactID, oneIf(f.Differs), 0, byBackfill) // 0 only creates the row
		if err != nil {
			return nil, nil, err
		}
		if f.Differs {
			differ = append(differ, v)
		}
	}
	return differ, open, tx.noteSwept(ctx, swept)
}

// sweptAtOnce is how many entities one statement sets Swept of.
const sweptAtOnce = 50

var setSwept = `UPDATE entities SET swept = read.column4 FROM (VALUES ` + placeholders(sweptAtOnce, 4) + `) AS read
	WHERE location_id = read.column1 AND kind = read.column2 AND id = read.column3`

// noteSwept stores Swept of entities.
func (tx *Tx) noteSwept(ctx context.Context, found []Found) error {
	for len(found) > 0 {
		n := min(len(found), sweptAtOnce)
		args := make([]any, 0, 4*sweptAtOnce)
		for i := range sweptAtOnce { // the last one again and again, so that the statement is always the same
			f := found[min(i, n-1)]
			args = append(args, f.LocationID, f.Kind, f.ID, f.Swept)
		}
		if _, err := tx.Exec(ctx, setSwept, args...); err != nil {
			return fmt.Errorf("note that %d records were read: %w", n, err)
		}
		found = found[n:]
	}
	return nil
}

// SaveReconciliation stores how far a reconciliation is and what it read. In the same
// transaction it queues the syncs of what differs.
func (s *Store) SaveReconciliation(ctx context.Context, v Reconciliation, found []Found) error {
	order.By(found, func(a, b Found) int { return a.Compare(b.Entity) }) // the order that recordDeliveries explains
	known := 0
	if v.TasksKnown {
		known = 1
	}
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO reconciliations (`+reconciliationColumns+`) VALUES `+placeholders(1, 13)+`
			ON CONFLICT (name) DO UPDATE SET location_id = excluded.location_id,
				contacts_since = excluded.contacts_since, contacts_until = excluded.contacts_until, place = excluded.place,
				started_at = excluded.started_at, finished_at = excluded.finished_at, calls = excluded.calls,
				contacts = excluded.contacts, contacts_total = excluded.contacts_total, tasks = excluded.tasks, touched = excluded.touched,
				tasks_known = excluded.tasks_known`,
			v.Name, v.LocationID, micros(v.Since), micros(v.Until), v.Place, micros(v.StartedAt), micros(v.FinishedAt),
			v.Calls, v.Contacts, v.ContactsTotal, v.Tasks, v.Differing, known); err != nil {
			return err
		}
		differ, open, err := tx.noteFound(ctx, found)
		if err != nil {
			return err
		}
		for _, kind := range slices.Sorted(maps.Keys(open)) {
			err := inChunks(open[kind], []any{v.LocationID, micros(v.StartedAt), kind}, func(in string, args []any) error {
				_, err := tx.Exec(ctx, `UPDATE entities SET open_at = $2 WHERE location_id = $1 AND kind = $3 AND id IN (`+in+`)`, args...)
				return err
			})
			if err != nil {
				return err
			}
		}
		if len(differ) == 0 {
			return nil
		}
		return tx.enqueue(ctx, differ, byBackfill)
	})
	if err != nil {
		return fmt.Errorf("save the progress of the reconciliation %s: %w", v.Name, err)
	}
	return nil
}

// LastSeen is what Milepost stored about a record at the last read.
type LastSeen struct {
	Mark        string // the record's own mark of change when it was last synced
	Swept       string // the mark when a reconciliation last read the record
	Fingerprint string // of the record when it was last synced
}

// LastSeen returns what Milepost stored about records of one kind, without records that it
// never read.
func (s *Store) LastSeen(ctx context.Context, locationID, kind string, ids []string) (map[string]LastSeen, error) {
	out := make(map[string]LastSeen, len(ids))
	return out, inChunks(ids, []any{locationID, kind}, func(in string, args []any) error {
		return s.readLastSeen(ctx, out, `SELECT id, mark, swept, fingerprint FROM entities WHERE location_id = $1 AND kind = $2 AND id IN (`+in+`)`, args...)
	})
}

// inChunks calls do for some ids at a time, with their placeholders and the arguments. The
// statement text is always the same.
func inChunks(ids []string, first []any, do func(in string, args []any) error) error {
	const chunk = 100
	for len(ids) > 0 {
		n := min(len(ids), chunk)
		args := slices.Grow(slices.Clone(first), chunk)
		for i := range chunk {
			args = append(args, ids[min(i, n-1)])
		}
		if err := do(parameters(len(first)+1, chunk), args); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// MissingTasks lists at most limit of a location's tasks that a search did not find, by id
// after the given one. They were open at the last reconciliation, or have removable items
// since then. No reconciliation that began between the two times read them as open.
func (s *Store) MissingTasks(ctx context.Context, locationID string, from, until time.Time, after string, limit int) ([]string, error) {
	rows, err := s.Query(ctx, `SELECT id FROM entities e
		WHERE location_id = $1 AND kind = 'task' AND id > $2 AND open_at NOT BETWEEN $3 AND $4 AND (swept <> '' OR `+hasRemovable+`)
		ORDER BY id LIMIT $5`, locationID, after, micros(from), micros(until), limit)
	ids, err := collect(rows, err, scanID)
	if err != nil {
		return nil, fmt.Errorf("list the tasks of location %s that are no longer open: %w", locationID, err)
	}
	return ids, nil
}

// MissingOpportunities lists, as MissingTasks does, opportunities that were read before,
// but not by a reconciliation that began between the two times.
func (s *Store) MissingOpportunities(ctx context.Context, locationID string, from, until time.Time, after string, limit int) ([]string, error) {
	rows, err := s.Query(ctx, `SELECT id FROM entities WHERE location_id = $1 AND kind = 'opportunity' AND id > $2
		AND open_at NOT BETWEEN $3 AND $4 AND fingerprint NOT IN ('', $5) ORDER BY id LIMIT $6`,
		locationID, after, micros(from), micros(until), FingerprintGone, limit)
	ids, err := collect(rows, err, scanID)
	if err != nil {
		return nil, fmt.Errorf("list the opportunities of location %s that are no longer there: %w", locationID, err)
	}
	return ids, nil
}

// hasItems holds for an entity e that has, or may have, items, or whose changes show only
// in a read of its contact. hasRemovable also requires an object that a sync may remove,
// which excludes what was written in HighLevel.
const (
	itemsOf = `EXISTS (SELECT 1 FROM links l
	WHERE l.location_id = e.location_id AND l.kind = e.kind AND l.entity_id = e.id AND l.state <> 'gone'`
	hasItems     = `(e.kind IN ('note', 'appointment') AND e.fingerprint NOT IN ('', 'gone') OR ` + itemsOf + `))`
	hasRemovable = itemsOf + ` AND l.item_kind NOT IN
		('tags', 'update_contact', 'upsert_contact', 'reschedule_task', 'complete_task', 'highlevel_task', 'highlevel_note'))`
)

// CountContactsWithItems counts the contacts of a location that have items, or whose tasks
// or notes have items.
func (s *Store) CountContactsWithItems(ctx context.Context, locationID string) (int, error) {
	rows, err := s.Query(ctx, `SELECT count(DISTINCT contact_id) FROM entities e
		WHERE location_id = $1 AND contact_id <> '' AND `+hasItems, locationID)
	n, err := collect(rows, err, func(r Rows) (n int, err error) {
		err = r.Scan(&n)
		return n, err
	})
	if err != nil {
		return 0, fmt.Errorf("count the contacts of location %s: %w", locationID, err)
	}
	return n[0], nil
}

// ContactsWithItems lists at most limit of these contacts by id, after the given one.
func (s *Store) ContactsWithItems(ctx context.Context, locationID, after string, limit int) ([]string, error) {
	rows, err := s.Query(ctx, `SELECT DISTINCT contact_id FROM entities e
		WHERE location_id = $1 AND contact_id > $2 AND `+hasItems+` ORDER BY contact_id LIMIT $3`, locationID, after, limit)
	ids, err := collect(rows, err, scanID)
	if err != nil {
		return nil, fmt.Errorf("list the contacts of location %s: %w", locationID, err)
	}
	return ids, nil
}

func scanID(r Rows) (id string, err error) {
	err = r.Scan(&id)
	return id, err
}

// LastSeenOf returns what Milepost stored about a contact's notes or tasks that existed at
// the last read.
func (s *Store) LastSeenOf(ctx context.Context, locationID, contactID, kind string) (map[string]LastSeen, error) {
	out := map[string]LastSeen{}
	return out, s.readLastSeen(ctx, out, `SELECT id, mark, swept, fingerprint FROM entities
		WHERE location_id = $1 AND contact_id = $2 AND kind = $4 AND fingerprint NOT IN ('', $3)`, locationID, contactID, FingerprintGone, kind)
}

// ToldOf lists at most limit of a contact's notes or tasks that a recent event named and
// that were never read.
func (s *Store) ToldOf(ctx context.Context, locationID, contactID, kind string, limit int) ([]string, error) {
	rows, err := s.Query(ctx, `SELECT id FROM entities
		WHERE location_id = $1 AND contact_id = $2 AND kind = $3 AND fingerprint = '' AND wanted > done ORDER BY id LIMIT $4`, locationID, contactID, kind, limit)
	ids, err := collect(rows, err, scanID)
	if err != nil {
		return nil, fmt.Errorf("list the %ss of contact %s that were never read: %w", kind, contactID, err)
	}
	return ids, nil
}

func (s *Store) readLastSeen(ctx context.Context, out map[string]LastSeen, query string, args ...any) error {
	rows, err := s.Query(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read the last seen state of records: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var v LastSeen
		if err := rows.Scan(&id, &v.Mark, &v.Swept, &v.Fingerprint); err != nil {
			return err
		}
		out[id] = v
	}
	return rows.Err()
}

// CallsPerHour is what the reconciliation costs at this interval.
func (v Reconciliation) CallsPerHour(every time.Duration) int64 {
	if every <= 0 {
		return 0
	}
	return int64(float64(v.Calls) * float64(time.Hour) / float64(every))
}
