package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
)

// The states of an Apply.
const (
	ApplyRunning   = "running"
	ApplyDone      = "done"
	ApplyCancelled = "cancelled"
)

// Apply is a run of an automation over existing records. It queues their syncs page by
// page, and a page waits until the syncs of the page before were tried. So a run can be
// interrupted anywhere, and cancelled.
type Apply struct {
	Automation string // the automation's id
	By         string
	AskedAt    time.Time
	State      string
	LocationID string // only records of this location; "" = of all
	Total      int64  // number of records at the start
	Queued     int64  // number of records queued so far
	Last       Entity // the last record queued
	Page       int64
	EndedAt    time.Time
}

// ApplyScope selects the records of a run.
type ApplyScope struct {
	Automation string
	LocationID string // "" = of all
	Kind       string // all known records of this kind; "" = only records that have items
	Meetings   bool   // also every record that has a meeting request
	Replay     int64  // only the records of this replay; 0 = no replay
}

// ApplyArgs are the arguments of the job that queues the next page of a run.
type ApplyArgs struct {
	Automation string `json:"automation" river:"unique"`
}

// Kind is the job's name in River's tables.
func (ApplyArgs) Kind() string { return "apply" }

// InsertOpts keeps one live job for each automation, at a lower priority than webhook jobs.
func (ApplyArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueBackground, Priority: priorityBackfill, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: liveStates}}
}

const applyColumns = `automation, asked_by, asked_at, state, location_id, total, touched, last_location, last_kind, last_id, page, ended_at`

// CanQueue reports whether the store has a queue to insert jobs into.
func (s *Store) CanQueue() bool { return s.queue != nil }

// StartApply begins a run, replaces the automation's last one, and queues its job. invites
// are the items whose requests may change their invitee from the account's owner to
// somebody else. The person who began the run has seen whom it mails.
func (s *Store) StartApply(ctx context.Context, a Apply, invites []string) error {
	if !s.CanQueue() {
		return errors.New("begin to apply an automation: there is no queue")
	}
	err := s.InTx(ctx, func(tx *Tx) error {
		for _, item := range invites {
			if _, err := tx.Exec(ctx, `INSERT INTO consents (item, agreed_at) VALUES ($1, $2) ON CONFLICT (item) DO NOTHING`, item, micros(a.AskedAt)); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `INSERT INTO applies (`+applyColumns+`) VALUES ($1, $2, $3, 'running', $4, $5, 0, '', '', '', 0, 0)
			ON CONFLICT (automation) DO UPDATE SET asked_by = excluded.asked_by, asked_at = excluded.asked_at, state = 'running', location_id = excluded.location_id,
				total = excluded.total, touched = 0, last_location = '', last_kind = '', last_id = '', page = 0, ended_at = 0`,
			a.Automation, a.By, micros(a.AskedAt), a.LocationID, a.Total); err != nil {
			return err
		}
		return s.queue.insert(ctx, tx, []river.InsertManyParams{{Args: ApplyArgs{Automation: a.Automation}}})
	})
	if err != nil {
		return fmt.Errorf("begin to apply the automation %s: %w", a.Automation, err)
	}
	return nil
}

// ApplyOf reads the last run of an automation; ok is false if there was none.
func (s *Store) ApplyOf(ctx context.Context, automation string) (a Apply, ok bool, err error) {
	return applyOf(ctx, s, automation)
}

func applyOf(ctx context.Context, q querier, automation string) (a Apply, ok bool, err error) {
	rows, err := q.Query(ctx, `SELECT `+applyColumns+` FROM applies WHERE automation = $1`, automation)
	list, err := collect(rows, err, func(r Rows) (a Apply, err error) {
		var asked, ended int64
		err = r.Scan(&a.Automation, &a.By, &asked, &a.State, &a.LocationID, &a.Total, &a.Queued, &a.Last.LocationID, &a.Last.Kind, &a.Last.ID, &a.Page, &ended)
		a.AskedAt, a.EndedAt = fromMicros(asked), fromMicros(ended)
		return a, err
	})
	if err != nil {
		return Apply{}, false, fmt.Errorf("read how far the automation %s is applied: %w", automation, err)
	}
	if len(list) == 0 {
		return Apply{}, false, nil
	}
	return list[0], true, nil
}

// CancelApply ends a run; records that it has queued are still synced. It reports whether a
// run was active.
func (s *Store) CancelApply(ctx context.Context, automation string, now time.Time) (was bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.Exec(ctx, `UPDATE applies SET state = 'cancelled', ended_at = $2 WHERE automation = $1 AND state = 'running'`, automation, micros(now))
		was = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("cancel the run of the automation %s: %w", automation, err)
	}
	return was, nil
}

// where returns the SQL condition of a scope, with parameters from $1 on.
func (v ApplyScope) where() (where string, args []any) {
	const links = `EXISTS (SELECT 1 FROM links l WHERE l.location_id = e.location_id AND l.kind = e.kind AND l.entity_id = e.id AND l.state <> 'gone' AND `
	args = []any{v.LocationID, v.Automation + "/", int64(len([]rune(v.Automation)) + 1), v.Kind}
	where = `($1 = '' OR e.location_id = $1) AND e.kind <> 'install' AND (` + links + `substr(l.item, 1, CAST($3 AS INTEGER)) = $2)
		OR ($4 <> '' AND e.kind = $4 AND e.wanted > 0 AND e.fingerprint <> 'gone')`
	if v.Meetings {
		where += ` OR ` + links + `l.item_kind IN ('event', 'task'))`
	}
	return where + `)`, args
}

// ApplyRecord is a record of a scope.
type ApplyRecord struct {
	Entity
	ContactID string
}

// ApplyPage lists the records of a scope that follow a given one.
func (s *Store) ApplyPage(ctx context.Context, scope ApplyScope, after Entity, limit int) ([]ApplyRecord, error) {
	return applyPage(ctx, s, scope, after, limit)
}

func applyPage(ctx context.Context, q querier, scope ApplyScope, after Entity, limit int) ([]ApplyRecord, error) {
	if scope.Replay > 0 {
		return replayPage(ctx, q, scope.Replay, after, limit)
	}
	where, args := scope.where()
	rows, err := q.Query(ctx, `SELECT location_id, kind, id, contact_id FROM entities e
		WHERE (location_id, kind, id) > ($5, $6, $7) AND `+where+` ORDER BY location_id, kind, id LIMIT $8`,
		append(args, after.LocationID, after.Kind, after.ID, limit)...)
	list, err := collect(rows, err, func(r Rows) (v ApplyRecord, err error) {
		return v, r.Scan(&v.LocationID, &v.Kind, &v.ID, &v.ContactID)
	})
	if err != nil {
		return nil, fmt.Errorf("list the records of the automation %s: %w", scope.Automation, err)
	}
	return list, nil
}

// CountApply counts the records of a scope.
func (s *Store) CountApply(ctx context.Context, scope ApplyScope) (int64, error) {
	where, args := scope.where()
	rows, err := s.Query(ctx, `SELECT count(*) FROM entities e WHERE `+where, args...)
	n, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("count the records of the automation %s: %w", scope.Automation, err)
	}
	return n[0], nil
}

// ContinueApply queues the syncs of the next page of a run, once the syncs of the last page
// were tried. wait means that they were not tried yet. done means that the run is over.
// Then its job is completed in the same transaction, so that a run which begins at this
// moment gets its own job.
func (s *Store) ContinueApply(ctx context.Context, job *river.Job[ApplyArgs], scope ApplyScope, limit int, now time.Time) (wait, done bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		wait, done = false, false
		// This locks the row, as StartApply does.
		if _, err := tx.Exec(ctx, `UPDATE applies SET page = page WHERE automation = $1`, scope.Automation); err != nil {
			return err
		}
		a, ok, err := applyOf(ctx, tx, scope.Automation)
		if err != nil {
			return err
		}
		if done = !ok || a.State != ApplyRunning; done {
			return s.queue.complete(ctx, tx, job.JobRow)
		}
		scope.LocationID = a.LocationID
		if wait, err = tx.pageOwed(ctx, a, scope.Replay); wait || err != nil {
			return err
		}
		page, err := applyPage(ctx, tx, scope, a.Last, limit)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			done = true
			if _, err := tx.Exec(ctx, `UPDATE applies SET state = 'done', ended_at = $2, page = 0 WHERE automation = $1`, scope.Automation, micros(now)); err != nil {
				return err
			}
			return s.queue.complete(ctx, tx, job.JobRow)
		}
		return tx.reach(ctx, scope, page)
	})
	if err != nil {
		return false, false, fmt.Errorf("apply the automation %s: %w", scope.Automation, err)
	}
	return wait, done, nil
}

// pageOwed reports whether a sync of the last page of a run is still to be tried.
func (tx *Tx) pageOwed(ctx context.Context, a Apply, replay int64) (bool, error) {
	if a.Page == 0 {
		return false, nil
	}
	query, args := applyOwed, []any{a.Last.LocationID, a.Last.Kind, a.Last.ID}
	if replay > 0 {
		query, args = replayOwed, append(args, replay)
	}
	rows, err := tx.Query(ctx, query, args...)
	owed, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	return err == nil && owed[0] > 0, err
}

const applyOwed = `SELECT count(*) FROM entities WHERE (location_id, kind, id) <= ($1, $2, $3) AND wanted > done AND tries = 0 AND next_try = 0 AND backfill > 0`

// reach queues the syncs of a page, and stores the progress of the run.
//
// Syncs for a replay are due at once, even if they wait for a next try, because a person
// waits for them.
func (tx *Tx) reach(ctx context.Context, scope ApplyScope, page []ApplyRecord) (err error) {
	list := make([]Entity, len(page))
	for i, r := range page {
		list[i] = r.Entity
	}
	last := list[len(list)-1]
	if scope.Replay > 0 {
		err = tx.syncNow(ctx, list)
	} else {
		err = tx.requeue(ctx, list, false, byBackfill)
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE applies SET touched = touched + $2, page = $2, last_location = $3, last_kind = $4, last_id = $5 WHERE automation = $1 AND state = 'running'`,
		scope.Automation, len(page), last.LocationID, last.Kind, last.ID)
	return err
}

// EntitiesWithObject lists the records for which Milepost made an object in CalendarHero.
func (s *Store) EntitiesWithObject(ctx context.Context, objectID string) ([]Entity, error) {
	rows, err := s.Query(ctx, `SELECT DISTINCT location_id, kind, entity_id FROM links WHERE object_id = $1 AND object_id <> '' LIMIT 20`, objectID)
	list, err := collect(rows, err, func(r Rows) (e Entity, err error) { return e, r.Scan(&e.LocationID, &e.Kind, &e.ID) })
	if err != nil {
		return nil, fmt.Errorf("find the record of meeting %s: %w", objectID, err)
	}
	return list, nil
}

// ItemsLeft counts the remaining items of an automation by its id, even if the automation
// was deleted.
func (s *Store) ItemsLeft(ctx context.Context, automation string) (int64, error) {
	rows, err := s.Query(ctx, `SELECT count(*) FROM links WHERE state <> 'gone' AND substr(item, 1, CAST($2 AS INTEGER)) = $1`, automation+"/", int64(len([]rune(automation))+1))
	n, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("count what the automation %s made: %w", automation, err)
	}
	return n[0], nil
}
