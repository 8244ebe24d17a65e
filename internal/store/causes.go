package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"milepost/internal/order"
)

// Cause says why records are not in step. Many records can share a cause. It holds no
// personal data.
type Cause struct {
	LocationID string
	Outcome    string
	Vendor     string // the vendor that answered; "" = none
	Status     int    // HTTP status of the answer; 0 = there was none
	Reason     string // the client's Reason
	Operation  string // what was tried, in words or as a name of the catalogue
	Automation string // the automation's name; "" = none
	Field      string // a field of the automation; "" = none
}

// causing are the outcomes that have a cause.
var causing = []string{Retry, Auth, Invalid, Unclear, Stopped}

// Key identifies a cause. It is short enough to type, and the same in every release.
func (c Cause) Key() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{
		c.LocationID, c.Outcome, c.Vendor, strconv.Itoa(c.Status), c.Reason, c.Operation, c.Automation, c.Field,
	}, "\x00")))
	return hex.EncodeToString(sum[:6])
}

// causeOf completes the cause of a sync that has ended. key is "" if the outcome has no
// cause.
func causeOf(e Entity, outcome string, c Cause) (full Cause, key string) {
	if !slices.Contains(causing, outcome) {
		return Cause{}, ""
	}
	c.LocationID, c.Outcome = e.LocationID, outcome
	return c, c.Key()
}

// causeSeen is the precision of a cause's last-seen time. During an outage, a row that
// every sync writes would block all of them.
const causeSeen = time.Minute

// noteCause stores a cause that a record is about to have. It runs outside the record's
// transaction, which does no harm: a cause without records is not shown.
func (s *Store) noteCause(ctx context.Context, c Cause, key string, now time.Time) error {
	rows, err := s.Query(ctx, `SELECT last_at FROM causes WHERE key = $1 AND `+causeStands, key)
	seen, err := collect(rows, err, func(r Rows) (at int64, err error) { return at, r.Scan(&at) })
	if err == nil && len(seen) == 1 {
		if ago := now.Sub(fromMicros(seen[0])); 0 <= ago && ago < causeSeen {
			return nil
		}
	}
	if err == nil {
		err = s.InTx(ctx, func(tx *Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO causes (`+causeColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
				ON CONFLICT (key) DO UPDATE SET last_at = excluded.last_at, first_at = CASE WHEN `+causeStands+` THEN causes.first_at ELSE excluded.first_at END`,
				key, c.LocationID, c.Outcome, c.Vendor, c.Status, c.Reason, c.Operation, c.Automation, c.Field, micros(now))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("save why %s is not in step: %w", c.LocationID, err)
	}
	return nil
}

const (
	causeColumns = `key, location_id, outcome, vendor, status, reason, operation, automation, field, first_at, last_at`
	causeStands  = `EXISTS (SELECT 1 FROM entities WHERE trouble <> '' AND trouble = $1)`
)

// noteCauses stores the causes of ending syncs, in the order of their keys.
func (s *Store) noteCauses(ctx context.Context, ended []Finish) error {
	type noted struct {
		cause Cause
		key   string
		at    time.Time
	}
	var list []noted
	for _, f := range ended {
		if c, key := causeOf(f.Entity, f.Outcome, f.Cause); key != "" {
			list = append(list, noted{c, key, f.Now})
		}
	}
	order.By(list, func(a, b noted) int { return cmp.Compare(a.key, b.key) })
	list = slices.CompactFunc(list, func(a, b noted) bool { return a.key == b.key })
	for _, n := range list {
		if err := s.noteCause(ctx, n.cause, n.key, n.at); err != nil {
			return err
		}
	}
	return nil
}

// CauseGroup is a cause with the records that have it.
type CauseGroup struct {
	Cause
	Key     string
	Count   int64 // counted up to a limit
	FirstAt time.Time
	LastAt  time.Time // to the minute
	Sample  Entity    // one of the records
}

// Causes lists the causes that records have, ordered by key. It counts the records of each
// cause up to most.
func (s *Store) Causes(ctx context.Context, limit int, most int64) ([]CauseGroup, error) {
	rows, err := s.Query(ctx, listCauses, most, limit)
	list, err := collect(rows, err, scanCauseGroup)
	if err != nil {
		return nil, fmt.Errorf("list why records are not in step: %w", err)
	}
	return list, nil
}

func scanCauseGroup(r Rows) (g CauseGroup, err error) {
	var first, last int64
	err = r.Scan(&g.Key, &g.LocationID, &g.Outcome, &g.Vendor, &g.Status, &g.Reason, &g.Operation, &g.Automation, &g.Field, &first, &last,
		&g.Count, &g.Sample.LocationID, &g.Sample.Kind, &g.Sample.ID)
	g.FirstAt, g.LastAt = fromMicros(first), fromMicros(last)
	return g, err
}

const (
	// listCauses jumps from key to key on the index, so its cost does not grow with the
	// number of records.
	listCauses = `WITH RECURSIVE found (key) AS (
			SELECT min(trouble) FROM entities WHERE trouble <> ''
			UNION ALL
			SELECT (SELECT min(trouble) FROM entities WHERE trouble <> '' AND trouble > found.key) FROM found WHERE found.key IS NOT NULL)
		` + ofCauses + ` WHERE found.key IS NOT NULL ORDER BY found.key LIMIT $2`
	ofCauses = `SELECT ` + `c.key, c.location_id, c.outcome, c.vendor, c.status, c.reason, c.operation, c.automation, c.field, c.first_at, c.last_at,
			(SELECT count(*) FROM (SELECT 1 FROM entities WHERE trouble <> '' AND trouble = found.key LIMIT $1) AS counted), e.location_id, e.kind, e.id
		FROM found JOIN causes c ON c.key = found.key
		JOIN entities e ON e.trouble <> '' AND e.trouble = found.key AND (e.location_id, e.kind, e.id) = (
			SELECT location_id, kind, id FROM entities WHERE trouble <> '' AND trouble = found.key ORDER BY location_id, kind, id LIMIT 1)`
)

// CauseOf reads a cause; ok is false if no record has it.
func (s *Store) CauseOf(ctx context.Context, key string, most int64) (g CauseGroup, ok bool, err error) {
	rows, err := s.Query(ctx, `WITH found (key) AS (SELECT CAST($2 AS TEXT)) `+ofCauses, most, key)
	list, err := collect(rows, err, scanCauseGroup)
	if err != nil {
		return g, false, fmt.Errorf("read why records are not in step: %w", err)
	}
	if len(list) == 0 {
		return g, false, nil
	}
	return list[0], true, nil
}

// RecordsWith lists the records that have a cause, ordered by location, kind and id, after
// the given one; the zero Entity lists from the first.
func (s *Store) RecordsWith(ctx context.Context, key string, after Entity, limit int) ([]EntityState, error) {
	rows, err := s.Query(ctx, listWithCause, key, after.LocationID, after.Kind, after.ID, limit)
	list, err := collect(rows, err, scanEntity)
	if err != nil {
		return nil, fmt.Errorf("list the records that are not in step: %w", err)
	}
	return list, nil
}

const listWithCause = `SELECT ` + entityColumns + ` FROM entities WHERE trouble <> '' AND trouble = $1 AND (location_id, kind, id) > ($2, $3, $4)
	ORDER BY location_id, kind, id LIMIT $5`

// CountTroubled counts the records that have a cause, up to most.
func (s *Store) CountTroubled(ctx context.Context, most int64) (int64, error) {
	rows, err := s.Query(ctx, countTroubled, most)
	n, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("count the records that are not in step: %w", err)
	}
	return n[0], nil
}

const countTroubled = `SELECT count(*) FROM (SELECT 1 FROM entities WHERE trouble <> '' LIMIT $1) AS counted`

// PruneCauses deletes some of the causes that no record has and that were last seen before
// a time, together with their Hushes.
func (s *Store) PruneCauses(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		if n, err = tx.Exec(ctx, `DELETE FROM causes WHERE key IN (SELECT key FROM causes c WHERE last_at < $1
			AND NOT EXISTS (SELECT 1 FROM entities WHERE trouble <> '' AND trouble = c.key) LIMIT $2)`, micros(before), pruneBatch); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM hushes WHERE at < $1 AND (until_at = 0 OR until_at < $1) AND NOT EXISTS (SELECT 1 FROM causes WHERE causes.key = hushes.key)`, micros(before))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete the causes that are gone since %s: %w", before.Format(time.DateOnly), err)
	}
	return n, nil
}

// Hush says that a person knows about something that needs attention. It applies as long as
// the problem lasts without a break, and a snooze only until its time.
type Hush struct {
	Key   string
	By    string
	At    time.Time
	Until time.Time // zero = as long as the problem lasts
}

// Hush stores a Hush in place of an earlier one.
func (s *Store) Hush(ctx context.Context, h Hush) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO hushes (key, by_whom, at, until_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (key) DO UPDATE SET by_whom = excluded.by_whom, at = excluded.at, until_at = excluded.until_at`, h.Key, h.By, micros(h.At), micros(h.Until))
		return err
	})
	if err != nil {
		return fmt.Errorf("save that %s knows of a problem: %w", h.By, err)
	}
	return nil
}

// Unhush deletes a Hush.
func (s *Store) Unhush(ctx context.Context, key string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM hushes WHERE key = $1`, key)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete what people know of the problem %s: %w", key, err)
	}
	return nil
}

// Hushes lists the Hushes by key.
func (s *Store) Hushes(ctx context.Context) (map[string]Hush, error) {
	rows, err := s.Query(ctx, `SELECT key, by_whom, at, until_at FROM hushes`)
	list, err := collect(rows, err, func(r Rows) (h Hush, err error) {
		var at, until int64
		err = r.Scan(&h.Key, &h.By, &at, &until)
		h.At, h.Until = fromMicros(at), fromMicros(until)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("list what people know of problems: %w", err)
	}
	out := map[string]Hush{}
	for _, h := range list {
		out[h.Key] = h
	}
	return out, nil
}

// Stuck describes webhooks of a location that have waited longer than they should, although
// nothing failed.
type Stuck struct {
	LocationID string
	Outcome    string // pending or waiting
	Count      int64
	Oldest     int64 // id of the oldest delivery
	Since      time.Time
}

// mostStuck limits how many webhooks StuckDeliveries reads.
const mostStuck = 2000

// StuckDeliveries finds webhooks that arrived before a time and are not synced. It leaves
// out records that have a cause or wait for a person.
func (s *Store) StuckDeliveries(ctx context.Context, before time.Time) (all []Stuck, err error) {
	last, ok, err := s.deliveryID(ctx, lastDeliveryUntil, micros(before))
	for _, outcome := range []string{Pending, Waiting} {
		if err != nil || !ok {
			break
		}
		var list []Stuck
		rows, failed := s.Query(ctx, listStuck, outcome, last, mostStuck)
		list, err = collect(rows, failed, func(r Rows) (v Stuck, err error) {
			var since int64
			err = r.Scan(&v.LocationID, &v.Count, &v.Oldest, &since)
			v.Outcome, v.Since = outcome, fromMicros(since)
			return v, err
		})
		all = append(all, list...)
	}
	if err != nil {
		return nil, fmt.Errorf("find webhooks that wait too long: %w", err)
	}
	return all, nil
}

const listStuck = `SELECT location_id, count(*), min(id), min(received_at) FROM (
		SELECT location_id, kind, entity_id, id, received_at FROM deliveries WHERE outcome = $1 AND id <= $2 ORDER BY id LIMIT $3) AS d
	WHERE NOT EXISTS (SELECT 1 FROM entities e WHERE e.location_id = d.location_id AND e.kind = d.kind AND e.id = d.entity_id AND e.trouble <> '')
		AND NOT EXISTS (SELECT 1 FROM removals r WHERE r.location_id = d.location_id AND r.kind = d.kind AND r.id = d.entity_id AND r.state = 'waiting')
	GROUP BY location_id ORDER BY location_id`
