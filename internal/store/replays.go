package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/riverqueue/river"
)

// Replay is a replay of webhooks: a run over the records of the webhooks.
type Replay struct {
	ID         int64
	What       string // a description of the replay, without personal data
	Deliveries int64
	Apply      // its progress
}

// replayPrefix begins the key of a replay's run. The key takes the place of an automation's
// id, which has no colon.
const replayPrefix = "replay:"

func replayKey(id int64) string { return replayPrefix + strconv.FormatInt(id, 10) }

// ReplayOf returns the replay of a run by the run's key; 0 = the run is an automation's.
func ReplayOf(key string) int64 {
	digits, ok := strings.CutPrefix(key, replayPrefix)
	if !ok {
		return 0
	}
	id, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// StartReplay stores the deliveries to replay and their records, queues the run, and
// returns its number.
func (s *Store) StartReplay(ctx context.Context, r Replay, records []Entity, deliveries []int64) (id int64, err error) {
	r.Deliveries = int64(len(deliveries))
	return s.startReplay(ctx, r, func(tx *Tx, id int64) (int64, error) {
		for _, e := range records {
			if _, err := tx.Exec(ctx, `INSERT INTO replay_records (replay, location_id, kind, id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, id, e.LocationID, e.Kind, e.ID); err != nil {
				return 0, err
			}
		}
		for _, d := range deliveries {
			if _, err := tx.Exec(ctx, `UPDATE deliveries SET replay = $2 WHERE id = $1`, d, id); err != nil {
				return 0, err
			}
		}
		return int64(len(records)), nil
	})
}

// StartReplayOfCause is StartReplay for all records that a cause keeps out of step. It also
// returns how many they are.
func (s *Store) StartReplayOfCause(ctx context.Context, r Replay, key string) (id, records int64, err error) {
	id, err = s.startReplay(ctx, r, func(tx *Tx, id int64) (int64, error) {
		records, err = tx.Exec(ctx, `INSERT INTO replay_records (replay, location_id, kind, id)
			SELECT $1, location_id, kind, id FROM entities WHERE trouble <> '' AND trouble = $2`, id, key)
		return records, err
	})
	return id, records, err
}

// startReplay stores a replay whose records add stores.
func (s *Store) startReplay(ctx context.Context, r Replay, add func(tx *Tx, id int64) (records int64, err error)) (id int64, err error) {
	if !s.CanQueue() {
		return 0, errors.New("begin a replay: there is no queue")
	}
	err = s.InTx(ctx, func(tx *Tx) error {
		rows, err := tx.Query(ctx, `INSERT INTO replays (what, deliveries) VALUES ($1, $2) RETURNING id`, r.What, r.Deliveries)
		ids, err := collect(rows, err, func(r Rows) (id int64, err error) { return id, r.Scan(&id) })
		if err != nil {
			return err
		}
		id = ids[0]
		records, err := add(tx, id)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO applies (`+applyColumns+`) VALUES ($1, $2, $3, 'running', '', $4, 0, '', '', '', 0, 0)`,
			replayKey(id), r.By, micros(r.AskedAt), records); err != nil {
			return err
		}
		return s.queue.insert(ctx, tx, []river.InsertManyParams{{Args: ApplyArgs{Automation: replayKey(id)}}})
	})
	if err != nil {
		return 0, fmt.Errorf("begin the replay of %s: %w", r.What, err)
	}
	return id, nil
}

const listReplays = `SELECT r.id, r.what, r.deliveries, ` + applyColumns + ` FROM replays r JOIN applies a ON a.automation = 'replay:' || r.id`

func (s *Store) replays(ctx context.Context, query string, args ...any) ([]Replay, error) {
	rows, err := s.Query(ctx, query, args...)
	list, err := collect(rows, err, func(rows Rows) (r Replay, err error) {
		var asked, ended int64
		a := &r.Apply
		err = rows.Scan(&r.ID, &r.What, &r.Deliveries,
			&a.Automation, &a.By, &asked, &a.State, &a.LocationID, &a.Total, &a.Queued, &a.Last.LocationID, &a.Last.Kind, &a.Last.ID, &a.Page, &ended)
		a.AskedAt, a.EndedAt = fromMicros(asked), fromMicros(ended)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the replays: %w", err)
	}
	return list, nil
}

// Replays lists up to limit replays before the given one, newest first; 0 = from the newest
// on.
func (s *Store) Replays(ctx context.Context, before int64, limit int) ([]Replay, error) {
	if before <= 0 {
		before = 1<<63 - 1
	}
	return s.replays(ctx, listReplays+` WHERE r.id < $1 ORDER BY r.id DESC LIMIT $2`, before, limit)
}

// Replay reads one; ok is false if there is none of that number.
func (s *Store) Replay(ctx context.Context, id int64) (r Replay, ok bool, err error) {
	list, err := s.replays(ctx, listReplays+` WHERE r.id = $1`, id)
	if err != nil || len(list) == 0 {
		return Replay{}, false, err
	}
	return list[0], true, nil
}

// CancelReplay ends a replay; records that it has queued are still synced. It reports
// whether it was running.
func (s *Store) CancelReplay(ctx context.Context, id int64, now time.Time) (was bool, err error) {
	return s.CancelApply(ctx, replayKey(id), now)
}

// ReplayOutcomes counts the records of a replay by the outcome of their sync since the
// replay began. Records that were not synced yet count as Pending.
func (s *Store) ReplayOutcomes(ctx context.Context, r Replay) (map[string]int64, error) {
	rows, err := s.Query(ctx, `SELECT CASE WHEN e.synced_at >= $2 OR e.outcome IN ('retry', 'auth', 'waiting') THEN e.outcome ELSE 'pending' END, count(*)
		FROM replay_records r JOIN entities e ON e.location_id = r.location_id AND e.kind = r.kind AND e.id = r.id WHERE r.replay = $1 GROUP BY 1`, r.ID, micros(r.AskedAt))
	out := map[string]int64{}
	_, err = collect(rows, err, func(rows Rows) (struct{}, error) {
		var outcome string
		var n int64
		err := rows.Scan(&outcome, &n)
		out[outcome] += n
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("count what became of replay %d: %w", r.ID, err)
	}
	return out, nil
}

// replayPage is ApplyPage for a replay.
func replayPage(ctx context.Context, q querier, replay int64, after Entity, limit int) ([]ApplyRecord, error) {
	rows, err := q.Query(ctx, listReplayRecords, replay, after.LocationID, after.Kind, after.ID, limit)
	list, err := collect(rows, err, func(r Rows) (v ApplyRecord, err error) {
		return v, r.Scan(&v.LocationID, &v.Kind, &v.ID, &v.ContactID)
	})
	if err != nil {
		return nil, fmt.Errorf("list the records of replay %d: %w", replay, err)
	}
	return list, nil
}

const listReplayRecords = `SELECT r.location_id, r.kind, r.id, coalesce(e.contact_id, '') FROM replay_records r
	LEFT JOIN entities e ON e.location_id = r.location_id AND e.kind = r.kind AND e.id = r.id
	WHERE r.replay = $1 AND (r.location_id, r.kind, r.id) > ($2, $3, $4) ORDER BY r.location_id, r.kind, r.id LIMIT $5`

// replayOwed counts the records that a replay has queued and whose sync was not tried
// since.
const replayOwed = `SELECT count(*) FROM replay_records r JOIN entities e ON e.location_id = r.location_id AND e.kind = r.kind AND e.id = r.id
	WHERE r.replay = $4 AND (r.location_id, r.kind, r.id) <= ($1, $2, $3) AND e.wanted > e.done AND e.next_try = 0`

// PruneReplays deletes the replays that ended before a time, and returns how many.
func (s *Store) PruneReplays(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		rows, err := tx.Query(ctx, `SELECT r.id FROM replays r JOIN applies a ON a.automation = 'replay:' || r.id WHERE a.ended_at > 0 AND a.ended_at < $1 LIMIT 10`, micros(before))
		list, err := collect(rows, err, func(r Rows) (id int64, err error) { return id, r.Scan(&id) })
		if err != nil {
			return err
		}
		for _, id := range list {
			for _, statement := range []string{`DELETE FROM replay_records WHERE replay = $1`, `DELETE FROM replays WHERE id = $1`} {
				if _, err := tx.Exec(ctx, statement, id); err != nil {
					return err
				}
			}
			if _, err := tx.Exec(ctx, `DELETE FROM applies WHERE automation = $1`, replayKey(id)); err != nil {
				return err
			}
		}
		n = int64(len(list))
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("delete the replays before %s: %w", before.Format(time.DateOnly), err)
	}
	return n, nil
}
