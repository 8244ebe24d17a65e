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

// Apply is a run of an automation over the records that exist. Each is asked to be
// synced, a page at a time, and the next page waits until the syncs of the last one
// were tried. So it can be interrupted anywhere, and cancelled.
type Apply struct {
	Automation string // its id
	By         string
	AskedAt    time.Time
	State      string
	LocationID string // only of this location; "" = of all
	Total      int64  // records when it began
	Queued     int64  // records that were asked to be synced
	Last       Entity // the last of them
	Page       int64
	EndedAt    time.Time
}

// ApplyScope says which records a run is about.
type ApplyScope struct {
	Automation string
	LocationID string // "" = of all
	Kind       string // every record of it that was ever to be synced; "" = only those of which something is there
	Meetings   bool   // and every record that has a meeting request
	Replay     int64  // the records of this replay, in place of an automation's; 0 = none
}

// ApplyArgs asks for the next page of a run.
type ApplyArgs struct {
	Automation string `json:"automation" river:"unique"`
}

// Kind is the job's name in River's tables.
func (ApplyArgs) Kind() string { return "apply" }

// InsertOpts keeps one live job for each automation, below the jobs of webhooks.
func (ApplyArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueBackground, Priority: priorityBackfill, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: liveStates}}
}

const applyColumns = `automation, asked_by, asked_at, state, location_id, total, touched, last_location, last_kind, last_id, page, ended_at`

// CanQueue reports whether the store has a queue, so that jobs can be asked for.
func (s *Store) CanQueue() bool { return s.queue != nil }

// StartApply begins a run, in place of the last one of the automation, and queues its
// job. invites are the items whose requests may go from the account's owner to
// somebody else: the person who began the run was told whom it mails.
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

// CancelApply ends a run; what it asked for already is synced. It reports whether one
// was running.
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

// where selects the records of a scope, from parameter $1 on.
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

// ApplyPage lists the next records of a scope after one.
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

// ContinueApply asks for the syncs of the next page of a run, once those of the last
// one were tried. wait reports that they were not yet; done, that the run is over: its
// job is then completed in the same transaction, so that a run which begins at this
// moment gets a job of its own.
func (s *Store) ContinueApply(ctx context.Context, job *river.Job[ApplyArgs], scope ApplyScope, limit int, now time.Time) (wait, done bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		wait, done = false, false
		// Locks the row, as StartApply does.
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

// pageOwed reports whether a sync of the last page of a run was not tried yet.
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

// reach asks for the syncs of a page, and notes how far the run is.
//
// Those of a replay are due at once, also if they wait for a next try: a person waits
// for them.
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

// EntitiesWithObject lists the records for whose items an object was made in
// CalendarHero.
func (s *Store) EntitiesWithObject(ctx context.Context, objectID string) ([]Entity, error) {
	rows, err := s.Query(ctx, `SELECT DISTINCT location_id, kind, entity_id FROM links WHERE object_id = $1 AND object_id <> '' LIMIT 20`, objectID)
	list, err := collect(rows, err, func(r Rows) (e Entity, err error) { return e, r.Scan(&e.LocationID, &e.Kind, &e.ID) })
	if err != nil {
		return nil, fmt.Errorf("find the record of meeting %s: %w", objectID, err)
	}
	return list, nil
}

// ItemsLeft counts, by automation id, the items that exist of automations, for those
// that are no longer there.
func (s *Store) ItemsLeft(ctx context.Context, automation string) (int64, error) {
	rows, err := s.Query(ctx, `SELECT count(*) FROM links WHERE state <> 'gone' AND substr(item, 1, CAST($2 AS INTEGER)) = $1`, automation+"/", int64(len([]rune(automation))+1))
	n, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("count what the automation %s made: %w", automation, err)
	}
	return n[0], nil
}
