package store

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"milepost/internal/order"
)

// Delivery is one accepted webhook request, without its body.
type Delivery struct {
	ID         int64 // the inbox's number
	WebhookID  string
	Type       string // the event's type, e.g. ContactUpdate
	Entity     Entity // Kind is "" if the event concerns no record that Milepost knows
	ContactID  string // as named by the event; may be ""
	Deleted    bool   // the event says the record was deleted
	ReceivedAt time.Time
	Skip       string // why there is nothing to do; "" = sync the entity
	Body       []byte // only for kinds that cannot be fetched (see Delivered) and delete events
	Happened   string // the trigger that the event fires; "" = none that an automation uses
	KeepLast   bool   // a delete event; its body is kept if nothing else is known about the record

	// The fields below are only read back from the store.
	Wanted     int64
	Outcome    string
	Detail     string
	FinishedAt time.Time // zero while its sync is owed
	Replay     int64     // its last replay; 0 = none; see StartReplay
}

// The outcomes of a delivery and of an entity's last sync.
const (
	Done      = "done"      // something was written
	Unchanged = "unchanged" // everything was already as it should be
	Skipped   = "skipped"   // no automation asks for anything; the detail says why
	Retry     = "retry"     // failed for now; Milepost retries
	Waiting   = "waiting"   // waits for a rate limit, or until an answer is certain
	Auth      = "auth"      // a token was rejected; the detail says what to do; Milepost retries
	Invalid   = "invalid"   // cannot be done; Milepost retries when the record changes
	Gone      = "gone"      // the record was deleted and its items with it
	Conflict  = "conflict"  // both sides changed
	Unclear   = "unclear"   // the answer to a request is lost; a person must settle it
	Stopped   = "stopped"   // an automation sent too many requests; the detail says what to do
	Pending   = "pending"   // not synced yet
)

// Dispatch moves deliveries from the inbox to the workers, each exactly once. claim takes
// them in the same transaction that raises the entities' Wanted and queues their syncs.
// Dispatch returns how many it moved.
func (s *Store) Dispatch(ctx context.Context, claim func(context.Context, *Tx) ([]Delivery, error)) (moved int, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		deliveries, err := claim(ctx, tx)
		if err != nil || len(deliveries) == 0 {
			return err
		}
		moved = len(deliveries)
		return tx.recordDeliveries(ctx, deliveries)
	})
	if err != nil {
		return 0, fmt.Errorf("dispatch webhooks to the workers: %w", err)
	}
	return moved, nil
}

// raiseFor raises an entity's Wanted by its deliveries, and sets their Wanted.
func (tx *Tx) raiseFor(ctx context.Context, e Entity, deliveries []*Delivery) (raised, error) {
	var contactID string
	var nthDelete int64
	for i, d := range deliveries {
		contactID = cmp.Or(d.ContactID, contactID)
		if d.Deleted {
			nthDelete = int64(i + 1)
		}
	}
	n := int64(len(deliveries))
	v, err := tx.raiseWanted(ctx, e, contactID, n, nthDelete, byEvent)
	if err != nil {
		return v, err
	}
	for i, d := range deliveries {
		d.Wanted = v.wanted - n + int64(i) + 1
	}
	return v, nil
}

// noteEvent stores what a delivery says about its entity, and keeps its body if requested.
func (tx *Tx) noteEvent(ctx context.Context, e Entity, d *Delivery) error {
	if d.Happened != "" {
		if err := tx.noteHappened(ctx, e, map[string]time.Time{d.Happened: d.ReceivedAt}); err != nil {
			return err
		}
	}
	if d.KeepLast && d.Body != nil {
		return tx.keepLast(ctx, e, d.ContactID, d.Body, d.ReceivedAt, false)
	}
	return nil
}

// keepRecords keeps the last of an entity's deliveries as its record. Installs are ordered
// by their content, so keepRecord gets all of them.
func (tx *Tx) keepRecords(ctx context.Context, list []*Delivery) error {
	if list[0].Entity.Kind != KindInstall {
		list = list[len(list)-1:]
	}
	for _, d := range list {
		if err := tx.keepRecord(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// recordDeliveries stores deliveries, raises wanted of their entities and queues the
// syncs. It takes the entities in the same order on all machines, so that two
// dispatchers never deadlock.
func (tx *Tx) recordDeliveries(ctx context.Context, deliveries []Delivery) error {
	byEntity := map[Entity][]*Delivery{}
	for i := range deliveries {
		if d := &deliveries[i]; d.Skip == "" {
			byEntity[d.Entity] = append(byEntity[d.Entity], d)
		}
	}
	entities := make([]Entity, 0, len(byEntity))
	for e := range byEntity {
		entities = append(entities, e)
	}
	order.By(entities, Entity.Compare)
	var list []raised
	for _, e := range entities {
		v, err := tx.raiseFor(ctx, e, byEntity[e])
		if err != nil {
			return err
		}
		list = append(list, v)
	}
	for _, e := range entities {
		for _, d := range byEntity[e] {
			if err := tx.noteEvent(ctx, e, d); err != nil {
				return err
			}
		}
	}
	for _, e := range entities {
		if !Delivered(e.Kind) {
			continue
		}
		if err := tx.keepRecords(ctx, byEntity[e]); err != nil {
			return err
		}
	}
	if err := tx.insertDeliveries(ctx, deliveries); err != nil {
		return err
	}
	if err := tx.eraseSkipped(ctx, deliveries); err != nil {
		return err
	}
	return tx.enqueue(ctx, list, byEvent)
}

const deliveryColumns = `id, webhook_id, type, location_id, kind, entity_id, received_at, wanted, outcome, detail, finished_at, contact_id`

// deliveryRead lists the columns that are read back.
const deliveryRead = deliveryColumns + `, replay`

// insertDeliveries writes as many statements of chunk rows as it can, then the rest row by
// row. So only two statement texts are prepared.
func (tx *Tx) insertDeliveries(ctx context.Context, deliveries []Delivery) error {
	const chunk = 32
	for len(deliveries) > 0 {
		n := 1
		if len(deliveries) >= chunk {
			n = chunk
		}
		args := make([]any, 0, n*12)
		for _, d := range deliveries[:n] {
			outcome, detail, finished := Pending, "", int64(0)
			if d.Skip != "" {
				outcome, detail, finished = Skipped, d.Skip, micros(d.ReceivedAt)
			}
			args = append(args, d.ID, d.WebhookID, d.Type, d.Entity.LocationID, d.Entity.Kind, d.Entity.ID,
				micros(d.ReceivedAt), d.Wanted, outcome, detail, finished, d.ContactID)
		}
		if _, err := tx.Exec(ctx, `INSERT INTO deliveries (`+deliveryColumns+`) VALUES `+placeholders(n, 12), args...); err != nil {
			return fmt.Errorf("record %d deliveries: %w", n, err)
		}
		deliveries = deliveries[n:]
	}
	return nil
}

// placeholders returns, for example, "($1, $2), ($3, $4)" for 2 rows of 2 columns.
func placeholders(rows, columns int) string {
	var b strings.Builder
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(i+1))
	}
	return b.String() + ")"
}

// parameters returns, for example, "$3, $4" for 2 parameters from 3 on.
func parameters(first, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = "$" + strconv.Itoa(first+i)
	}
	return strings.Join(list, ", ")
}

// setOutcome sets the outcome of an entity's unfinished deliveries up to the Wanted of the
// sync. finished is 0 if Milepost will retry them.
func (tx *Tx) setOutcome(ctx context.Context, e Entity, seen int64, outcome, detail string, finished int64) error {
	_, err := tx.Exec(ctx, setDeliveryOutcomes,
		e.LocationID, e.Kind, e.ID, seen, outcome, detail, finished)
	return err
}

const setDeliveryOutcomes = `UPDATE deliveries SET outcome = $5, detail = $6, finished_at = $7
	WHERE location_id = $1 AND kind = $2 AND entity_id = $3 AND wanted <= $4 AND finished_at = 0`

// Deliveries lists up to limit deliveries that are older than the one with id before (0 =
// all), newest first.
func (s *Store) Deliveries(ctx context.Context, before int64, limit int) ([]Delivery, error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	rows, err := s.Query(ctx, `SELECT `+deliveryRead+` FROM deliveries WHERE id < $1 ORDER BY id DESC LIMIT $2`, before, limit)
	out, err := collect(rows, err, scanDelivery)
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	return out, nil
}

// pruneBatch limits how many deliveries one PruneDeliveries reads, so that it does not
// block the workers for long.
const pruneBatch = 500

// PruneDeliveries deletes some of the deliveries received before a time, and returns how
// many. 0 means that none is that old. Owed syncs do not depend on deliveries.
func (s *Store) PruneDeliveries(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err = tx.Exec(ctx, `DELETE FROM deliveries WHERE received_at < $1 AND id IN (
			SELECT id FROM deliveries ORDER BY id LIMIT $2)`, micros(before), pruneBatch)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("forget deliveries received before %s: %w", before.Format(time.DateOnly), err)
	}
	return n, nil
}

// OpenDeliveries returns number and time of the deliveries that a sync of a record takes,
// which started from wanted: the oldest ones, at most so many.
func (s *Store) OpenDeliveries(ctx context.Context, e Entity, wanted int64, most int) ([]Delivery, error) {
	rows, err := s.Query(ctx, listOpenDeliveries, e.LocationID, e.Kind, e.ID, wanted, most)
	list, err := collect(rows, err, func(r Rows) (d Delivery, err error) {
		var received int64
		err = r.Scan(&d.ID, &received)
		d.ReceivedAt = fromMicros(received)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the open deliveries of %s: %w", e, err)
	}
	return list, nil
}

const listOpenDeliveries = `SELECT id, received_at FROM deliveries
	WHERE location_id = $1 AND kind = $2 AND entity_id = $3 AND wanted <= $4 AND finished_at = 0 ORDER BY wanted LIMIT $5`

// Backlog counts the entities that are not in step.
func (s *Store) Backlog(ctx context.Context) (int64, error) {
	rows, err := s.Query(ctx, countBacklog)
	n, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("count the owed syncs: %w", err)
	}
	return n[0], nil
}

// OldestOpen is when the oldest webhook arrived whose record is not synced yet; the zero
// time if there is none.
func (s *Store) OldestOpen(ctx context.Context) (oldest time.Time, err error) {
	for _, outcome := range OpenOutcomes {
		rows, err := s.Query(ctx, oldestWith, outcome)
		list, err := collect(rows, err, func(r Rows) (at int64, err error) { return at, r.Scan(&at) })
		if err != nil {
			return time.Time{}, fmt.Errorf("look for the oldest webhook that waits: %w", err)
		}
		for _, at := range list {
			if t := fromMicros(at); oldest.IsZero() || t.Before(oldest) {
				oldest = t
			}
		}
	}
	return oldest, nil
}

const oldestWith = `SELECT received_at FROM deliveries WHERE outcome = $1 ORDER BY id LIMIT 1`

const countBacklog = `SELECT count(*) FROM entities WHERE wanted > done`
