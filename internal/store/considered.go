package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Considered is the result of one automation for a record in a sync.
type Considered struct {
	Automation string `json:"automation"`        // the automation's id
	Version    int64  `json:"version,omitempty"` // 0 = it was in a file
	Meeting    string `json:"meeting,omitempty"` // id of the meeting for which it was considered
	Wants      int    `json:"wants,omitempty"`   // number of items
	Reason     string `json:"reason,omitempty"`  // why it wants nothing, or not all
	Condition  string `json:"condition,omitempty"`
	Saw        string `json:"saw,omitempty"`  // what the condition saw; personal data
	Left       bool   `json:"left,omitempty"` // it is not on, and its items were left unchanged

	Conditions []Condition `json:"conditions,omitempty"` // all parts of its condition
}

// Condition is one part of the condition of an automation.
type Condition struct {
	Text string `json:"text"`
	Saw  string `json:"saw,omitempty"` // the values that it saw; personal data
	Held bool   `json:"held,omitempty"`
}

// Sync is one sync of a record, with the results of the automations.
type Sync struct {
	Entity     Entity
	Wanted     int64 // the Wanted at the start; the sync answers the deliveries up to it
	At         time.Time
	Outcome    string
	Considered []Considered
	More       int // further automations that were considered but do not fit
	Made       SyncCalls
}

// longestConsidered limits what is stored of one sync, in bytes.
const longestConsidered = 16 << 10

// storedConsidered is the JSON form of Sync.
type storedConsidered struct {
	List []Considered `json:"list"`
	More int          `json:"more,omitempty"`
}

// unpack reads the stored form of a sync, except its record and outcome. An empty text
// means that nothing else is known.
func (v *Sync) unpack(at int64, text string) error {
	if text == "" {
		return nil
	}
	var kept storedConsidered
	err := json.Unmarshal([]byte(text), &kept)
	v.At, v.Considered, v.More = fromMicros(at), kept.List, kept.More
	return err
}

// considered stores the results of the automations for a record, as many as fit.
// Automations that want something come first.
func (tx *Tx) considered(ctx context.Context, f Finish) error {
	if len(f.Considered) == 0 && len(f.Calls) == 0 {
		return nil
	}
	var kept storedConsidered
	room := longestConsidered
	for _, wants := range []bool{true, false} {
		for _, c := range f.Considered {
			if (c.Wants > 0 || c.Left) != wants {
				continue
			}
			if room -= 64 + len(c.Automation) + len(c.Reason) + len(c.Condition) + len(c.Saw) + lengthOf(c.Conditions); room < 0 {
				kept.More++
				continue
			}
			kept.List = append(kept.List, c)
		}
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO considered (location_id, kind, entity_id, seen, synced_at, outcome, automations, calls) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (location_id, kind, entity_id, seen) DO UPDATE SET synced_at = excluded.synced_at, outcome = excluded.outcome, automations = excluded.automations, calls = excluded.calls`,
		f.Entity.LocationID, f.Entity.Kind, f.Entity.ID, f.Wanted, micros(f.Now), f.Outcome, string(text), f.Calls)
	if err != nil {
		return fmt.Errorf("save what the automations made of %s: %w", f.Entity, err)
	}
	return nil
}

const syncOf = `SELECT seen, synced_at, outcome, automations, calls FROM considered
	WHERE location_id = $1 AND kind = $2 AND entity_id = $3 AND seen >= $4 `

func lengthOf(conditions []Condition) (n int) {
	for _, c := range conditions {
		n += 32 + len(c.Text) + len(c.Saw)
	}
	return n
}

// SyncOf returns the sync that answered an entity's Wanted up to a count; count 0 means its
// last sync. ok is false if it is not stored (any more).
func (s *Store) SyncOf(ctx context.Context, e Entity, wanted int64) (sync Sync, ok bool, err error) {
	order := `ORDER BY seen LIMIT 1`
	if wanted == 0 {
		order = `ORDER BY seen DESC LIMIT 1`
	}
	rows, err := s.Query(ctx, syncOf+order, e.LocationID, e.Kind, e.ID, wanted)
	list, err := collect(rows, err, func(r Rows) (v Sync, err error) {
		var at int64
		var text string
		var calls []byte
		if err = r.Scan(&v.Wanted, &at, &v.Outcome, &text, &calls); err == nil {
			err = v.unpack(at, text)
		}
		if err == nil {
			v.Made, err = unpackCalls(calls)
		}
		return v, err
	})
	if err != nil {
		return Sync{}, false, fmt.Errorf("read what the automations made of %s: %w", e, err)
	}
	if len(list) == 0 {
		return Sync{}, false, nil
	}
	list[0].Entity = e
	return list[0], true, nil
}

// EntitiesNamed lists the records with an id, in any location and of any kind.
func (s *Store) EntitiesNamed(ctx context.Context, id string) ([]EntityState, error) {
	rows, err := s.Query(ctx, `SELECT `+entityColumns+` FROM entities WHERE id = $1 ORDER BY location_id, kind LIMIT 20`, id)
	list, err := collect(rows, err, scanEntity)
	if err != nil {
		return nil, fmt.Errorf("find the record %s: %w", id, err)
	}
	return list, nil
}

// PruneConsidered deletes some of the stored syncs before a time, and returns how many.
func (s *Store) PruneConsidered(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err = tx.Exec(ctx, pruneConsidered, micros(before), pruneBatch)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete the explanations of syncs before %s: %w", before.Format(time.DateOnly), err)
	}
	return n, nil
}

const pruneConsidered = `DELETE FROM considered WHERE (location_id, kind, entity_id, seen) IN (
	SELECT location_id, kind, entity_id, seen FROM considered WHERE synced_at < $1 ORDER BY synced_at LIMIT $2)`
