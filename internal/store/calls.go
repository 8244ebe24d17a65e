package store

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"milepost/internal/order"
)

// CallState is the state of a call that a request action asks for.
type CallState string

// The states of a request:
//
//	sending -> sent
//	   |-> unclear -> sent
//	   |-> (forgotten: it certainly had no effect)
//	stopped -> sending
//
// Milepost stores a request before it sends it. A request that is still sending after a
// crash is sent again if it may be repeated. Otherwise it becomes unclear.
const (
	CallSending CallState = "sending" // was about to be sent; it is not known whether it was
	CallSent    CallState = "sent"    // was answered, or settled by a person
	CallUnclear CallState = "unclear" // its answer is lost; a person must settle it
	CallStopped CallState = "stopped" // was not sent, because the automation had sent CallsAtOnce requests
)

const (
	// CallsAtOnce is how many requests an automation may send within CallsWindow for a
	// contact and its records, including records that requests created.
	CallsAtOnce = 20
	CallsWindow = time.Hour
	// CallsKept is how long Milepost remembers which request made a record.
	CallsKept = 24 * time.Hour
)

// Call is one request of a request action.
type Call struct {
	ID         int64 // assigned when it is stored
	Entity     Entity
	Item       string // the item's key
	Generation int64  // of the item's link
	Automation string // the automation's id
	Operation  string // a name of the catalogue
	State      CallState
	At         time.Time
	origin     string // the record that began the chain of requests, as kind/id
}

const callColumns = `id, location_id, kind, entity_id, item, generation, automation, operation, state, at, origin`

func scanCall(r Rows) (q Call, err error) {
	var at int64
	err = r.Scan(&q.ID, &q.Entity.LocationID, &q.Entity.Kind, &q.Entity.ID, &q.Item, &q.Generation, &q.Automation, &q.Operation, &q.State, &at, &q.origin)
	q.At = fromMicros(at)
	return q, err
}

// BeginCall stores, together with the link, that a request is about to be sent. If the
// automation has already sent CallsAtOnce, BeginCall stores instead that the request is
// stopped, leaves the link unchanged, and returns until when. contactID is the contact of
// the record, "" = none.
func (s *Store) BeginCall(ctx context.Context, q Call, contactID string, l Link, now time.Time) (begun Call, until time.Time, err error) {
	begun = q
	begun.At = now
	err = s.InTx(ctx, func(tx *Tx) error {
		if begun.origin, err = tx.originOf(ctx, q.Entity, contactID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM calls WHERE location_id = $1 AND kind = $2 AND entity_id = $3 AND item = $4 AND (state = 'stopped' OR generation = $5)`,
			q.Entity.LocationID, q.Entity.Kind, q.Entity.ID, q.Item, q.Generation); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, listCallsOf+` LIMIT $6`, q.Entity.LocationID, begun.origin, q.Automation, micros(now.Add(-CallsWindow)), micros(now), CallsAtOnce)
		sent, err := collect(rows, err, func(r Rows) (at int64, err error) { return at, r.Scan(&at) })
		if err != nil {
			return err
		}
		begun.State, until = CallSending, time.Time{}
		if len(sent) >= CallsAtOnce {
			begun.State, until = CallStopped, fromMicros(sent[len(sent)-1]).Add(CallsWindow)
		}
		rows, err = tx.Query(ctx, `INSERT INTO calls (location_id, kind, entity_id, item, generation, automation, operation, origin, state, made, counted, at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', 1, $10) RETURNING id`,
			q.Entity.LocationID, q.Entity.Kind, q.Entity.ID, q.Item, q.Generation, q.Automation, q.Operation, begun.origin, string(begun.State), micros(now))
		ids, err := collect(rows, err, func(r Rows) (id int64, err error) { return id, r.Scan(&id) })
		if err != nil {
			return err
		}
		begun.ID = ids[0]
		if begun.State == CallStopped {
			return nil
		}
		return tx.writeLink(ctx, l, now)
	})
	if err != nil {
		return Call{}, time.Time{}, fmt.Errorf("save the request of item %s of %s: %w", q.Item, q.Entity, err)
	}
	return begun, until, nil
}

// listCallsOf lists when an automation sent requests in the chain of an origin, newest
// first.
const listCallsOf = `SELECT at FROM calls WHERE location_id = $1 AND origin = $2 AND automation = $3 AND at > $4 AND at <= $5
	AND counted = 1 AND state <> 'stopped' ORDER BY at DESC`

// originOf returns the record that began the chain of requests of a record. If a request
// made the record, it is the origin of that request; otherwise it is the record's contact.
func (tx *Tx) originOf(ctx context.Context, e Entity, contactID string) (string, error) {
	rows, err := tx.Query(ctx, findOrigin, e.LocationID, e.ID, cmp.Or(contactID, e.ID))
	found, err := collect(rows, err, scanID)
	switch {
	case err != nil:
		return "", err
	case len(found) > 0:
		return found[0], nil
	case contactID != "":
		return "contact/" + contactID, nil
	}
	return e.Kind + "/" + e.ID, nil
}

const findOrigin = `SELECT origin FROM calls WHERE location_id = $1 AND made <> '' AND made IN ($2, $3) LIMIT 1`

// EndCall stores, together with the link, the result of a request that was about to be
// sent, and adds to the timeline. made is the id in the answer, "" = none. The state ""
// forgets a request that had no effect.
func (s *Store) EndCall(ctx context.Context, q Call, state CallState, made string, l Link, now time.Time, timeline ...TimelineEntry) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		change, args := `UPDATE calls SET state = $2, made = $3 WHERE id = $1`, []any{q.ID, string(state), made}
		if state == "" {
			change, args = `DELETE FROM calls WHERE id = $1`, args[:1]
		}
		if _, err := tx.Exec(ctx, change, args...); err != nil {
			return err
		}
		if err := tx.writeLink(ctx, l, now); err != nil {
			return err
		}
		return tx.appendTimeline(ctx, timeline)
	})
	if err != nil {
		return fmt.Errorf("save the end of the request of item %s of %s: %w", q.Item, q.Entity, err)
	}
	return nil
}

// CallOf reads the request for which a link was last written; ok is false if it is no
// longer known.
func (s *Store) CallOf(ctx context.Context, l Link) (q Call, ok bool, err error) {
	rows, err := s.Query(ctx, `SELECT `+callColumns+` FROM calls WHERE location_id = $1 AND kind = $2 AND entity_id = $3 AND item = $4 AND generation = $5 AND state <> 'stopped'`,
		l.Entity.LocationID, l.Entity.Kind, l.Entity.ID, l.Item, l.Generation)
	list, err := collect(rows, err, scanCall)
	if err != nil {
		return Call{}, false, fmt.Errorf("read the request of item %s of %s: %w", l.Item, l.Entity, err)
	}
	if len(list) == 0 {
		return Call{}, false, nil
	}
	return list[0], true, nil
}

// OpenCalls lists the requests that wait for a person, oldest first: those with an unknown
// effect, and those that are stopped now.
func (s *Store) OpenCalls(ctx context.Context, now time.Time) ([]Call, error) {
	rows, err := s.Query(ctx, listOpenCalls, micros(now.Add(-CallsWindow)))
	list, err := collect(rows, err, scanCall)
	if err != nil {
		return nil, fmt.Errorf("list the open requests: %w", err)
	}
	order.By(list, func(a, b Call) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

const listOpenCalls = `SELECT ` + callColumns + ` FROM calls WHERE state IN ('unclear', 'stopped') AND (state = 'unclear' OR at > $1)`

// SettleCall stores what a person found out about an unclear request: that it took effect,
// or that it should be sent again. It returns the request; ok is false if there is no such
// request. superseded means that the record has changed since and asks for another request,
// so this one is not sent again.
func (s *Store) SettleCall(ctx context.Context, id int64, again bool, now time.Time) (q Call, superseded, ok bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		rows, err := tx.Query(ctx, `UPDATE calls SET state = 'sent' WHERE id = $1 AND state = 'unclear' RETURNING `+callColumns, id)
		list, err := collect(rows, err, scanCall)
		if err != nil || len(list) == 0 {
			return err
		}
		q, ok = list[0], true
		set := `state = 'live'`
		if again {
			set = `state = 'gone', content = ''`
		}
		n, err := tx.Exec(ctx, `UPDATE links SET `+set+`, updated_at = $6 WHERE location_id = $1 AND kind = $2 AND entity_id = $3 AND item = $4
			AND generation = $5 AND state IN ('creating', 'unanswered')`, q.Entity.LocationID, q.Entity.Kind, q.Entity.ID, q.Item, q.Generation, micros(now))
		if err != nil {
			return err
		}
		superseded = n == 0
		return tx.requeue(ctx, []Entity{q.Entity}, false, byEvent)
	})
	if err != nil {
		return Call{}, false, false, fmt.Errorf("settle request %d: %w", id, err)
	}
	return q, superseded, ok, nil
}

// ReleaseCalls lets a stopped automation send requests again, for the record of a stopped
// request and for its chain. It queues syncs for the stopped requests, and returns them.
func (s *Store) ReleaseCalls(ctx context.Context, id int64) (stopped []Call, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		stopped = nil
		rows, err := tx.Query(ctx, `SELECT `+callColumns+` FROM calls WHERE id = $1 AND state = 'stopped'`, id)
		list, err := collect(rows, err, scanCall)
		if err != nil || len(list) == 0 {
			return err
		}
		chain := []any{list[0].Entity.LocationID, list[0].origin, list[0].Automation}
		const of = ` WHERE location_id = $1 AND origin = $2 AND automation = $3`
		if _, err := tx.Exec(ctx, `UPDATE calls SET counted = 0`+of, chain...); err != nil {
			return err
		}
		rows, err = tx.Query(ctx, `DELETE FROM calls`+of+` AND state = 'stopped' RETURNING `+callColumns, chain...)
		if stopped, err = collect(rows, err, scanCall); err != nil {
			return err
		}
		var entities []Entity
		for _, q := range stopped {
			entities = append(entities, q.Entity)
		}
		return tx.requeue(ctx, entities, false, byEvent)
	})
	if err != nil {
		return nil, fmt.Errorf("release request %d: %w", id, err)
	}
	return stopped, nil
}

// PruneCalls deletes some of the requests before a time that do not wait for a person, and
// returns how many. 0 means that none is that old.
func (s *Store) PruneCalls(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err = tx.Exec(ctx, `DELETE FROM calls WHERE id IN (SELECT id FROM calls WHERE at < $1 AND state IN ('sent', 'stopped') ORDER BY id LIMIT $2)`, micros(before), pruneBatch)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete the requests before %s: %w", before.Format(time.DateOnly), err)
	}
	return n, nil
}

// String describes a request for people: "highlevel.create_note of contact c1".
func (q Call) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s of %s %s", q.Operation, q.Entity.Kind, q.Entity.ID))
}
