package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Automation is a stored automation, without its text.
type Automation struct {
	ID        string
	Position  int64  // in the list
	State     string // on, paused or off
	Live      int64  // number of its live version; 0 = it has only a draft
	Draft     int64  // number of its draft; 0 = none
	DeletedAt time.Time
}

// AutomationVersion is a draft, or what an automation was from a time on.
type AutomationVersion struct {
	ID      string // the automation's id
	Version int64  // from 1
	Text    string // YAML, as a person wrote it
	By, Why string
	At      time.Time
}

type AutomationText struct {
	ID      string
	Version int64
	Text    string
}

// AutomationEdit is one change of the automations, made wholly or not at all.
type AutomationEdit struct {
	Expect      int64               // the AutomationChanges on which the edit is based
	Automations []Automation        // new automations, and replacements for those with the same id
	Versions    []AutomationVersion // new versions
	Agreed      []AutomationRemoval // consents to remove what automations made
	Withdrawn   []string            // ids of automations whose consent is withdrawn
}

// AutomationRemoval is a person's consent to remove what an automation made that is off or
// gone.
type AutomationRemoval struct {
	ID, By string
	At     time.Time
}

// ErrAutomationsChanged means that another change was saved first.
var ErrAutomationsChanged = errors.New("somebody else changed the automations at the same time; try again")

// AutomationChanges returns the number of the last change of the automations; 0 = none was
// ever saved.
func (s *Store) AutomationChanges(ctx context.Context) (int64, error) {
	rows, err := s.Query(ctx, `SELECT n FROM automation_changes`)
	list, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("%d rows instead of one", len(list))
	}
	if err != nil {
		return 0, fmt.Errorf("read whether the automations changed: %w", err)
	}
	return list[0], nil
}

// AutomationsFile names the file from which Milepost took its automations when it last
// started to serve; "" = it took them from the database.
func (s *Store) AutomationsFile(ctx context.Context) (string, error) {
	rows, err := s.Query(ctx, `SELECT file FROM automation_changes`)
	list, err := collect(rows, err, func(r Rows) (file string, err error) { return file, r.Scan(&file) })
	if err != nil {
		return "", fmt.Errorf("read where the automations are: %w", err)
	}
	return strings.Join(list, ""), nil
}

// SetAutomationsFile stores the file from which Milepost takes its automations; "" = the
// database.
func (s *Store) SetAutomationsFile(ctx context.Context, file string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `UPDATE automation_changes SET file = $1 WHERE file <> $1`, file)
		return err
	})
	if err != nil {
		return fmt.Errorf("save where the automations are: %w", err)
	}
	return nil
}

// Automations lists the stored automations by their position, deleted ones last.
func (s *Store) Automations(ctx context.Context) ([]Automation, error) {
	rows, err := s.Query(ctx, `SELECT id, position, state, live, draft, deleted_at FROM automations
		ORDER BY CASE WHEN deleted_at = 0 THEN 0 ELSE 1 END, position, id`)
	list, err := collect(rows, err, func(r Rows) (a Automation, err error) {
		var deleted int64
		err = r.Scan(&a.ID, &a.Position, &a.State, &a.Live, &a.Draft, &deleted)
		a.DeletedAt = fromMicros(deleted)
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the automations: %w", err)
	}
	return list, nil
}

// LiveAutomations lists the live texts of the automations by their position.
func (s *Store) LiveAutomations(ctx context.Context) ([]AutomationText, error) {
	rows, err := s.Query(ctx, `SELECT a.id, a.live, v.text FROM automations a JOIN automation_versions v ON v.id = a.id AND v.version = a.live
		WHERE a.deleted_at = 0 AND a.live > 0 ORDER BY a.position, a.id`)
	list, err := collect(rows, err, func(r Rows) (t AutomationText, err error) { return t, r.Scan(&t.ID, &t.Version, &t.Text) })
	if err != nil {
		return nil, fmt.Errorf("read the automations: %w", err)
	}
	return list, nil
}

// AutomationVersions lists the versions of an automation, newest first.
func (s *Store) AutomationVersions(ctx context.Context, id string) ([]AutomationVersion, error) {
	rows, err := s.Query(ctx, `SELECT id, version, text, made_by, why, made_at FROM automation_versions WHERE id = $1 ORDER BY version DESC`, id)
	list, err := collect(rows, err, func(r Rows) (v AutomationVersion, err error) {
		var at int64
		err = r.Scan(&v.ID, &v.Version, &v.Text, &v.By, &v.Why, &at)
		v.At = fromMicros(at)
		return v, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the versions of the automation %s: %w", id, err)
	}
	return list, nil
}

// LastAutomationVersions returns the newest version of each automation, without its
// text.
func (s *Store) LastAutomationVersions(ctx context.Context) (map[string]AutomationVersion, error) {
	rows, err := s.Query(ctx, `SELECT v.id, v.version, v.made_by, v.why, v.made_at FROM automation_versions v
		JOIN (SELECT id, max(version) AS version FROM automation_versions GROUP BY id) newest ON v.id = newest.id AND v.version = newest.version`)
	last := map[string]AutomationVersion{}
	_, err = collect(rows, err, func(r Rows) (v AutomationVersion, err error) {
		var at int64
		if err = r.Scan(&v.ID, &v.Version, &v.By, &v.Why, &at); err == nil {
			v.At = fromMicros(at)
			last[v.ID] = v
		}
		return v, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the versions of the automations: %w", err)
	}
	return last, nil
}

// AutomationRemovals lists the automations whose items may be removed, because a person
// agreed.
func (s *Store) AutomationRemovals(ctx context.Context) ([]AutomationRemoval, error) {
	rows, err := s.Query(ctx, `SELECT id, agreed_by, agreed_at FROM automation_removals ORDER BY id`)
	list, err := collect(rows, err, func(r Rows) (v AutomationRemoval, err error) {
		var at int64
		err = r.Scan(&v.ID, &v.By, &at)
		v.At = fromMicros(at)
		return v, err
	})
	if err != nil {
		return nil, fmt.Errorf("read which automations are removed: %w", err)
	}
	return list, nil
}

// EditAutomations makes a change. If another change came first, it fails with
// ErrAutomationsChanged and changes nothing.
func (s *Store) EditAutomations(ctx context.Context, e AutomationEdit) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.Exec(ctx, `UPDATE automation_changes SET n = n + 1 WHERE n = $1`, e.Expect)
		switch {
		case err != nil:
			return err
		case n == 0:
			return ErrAutomationsChanged
		}
		if err := tx.saveAutomations(ctx, e); err != nil {
			return err
		}
		return tx.agreeRemovals(ctx, e)
	})
	if err != nil {
		return fmt.Errorf("save the automations: %w", err)
	}
	return nil
}

func (tx *Tx) saveAutomations(ctx context.Context, e AutomationEdit) error {
	for _, v := range e.Versions {
		if _, err := tx.Exec(ctx, `INSERT INTO automation_versions (id, version, text, made_by, why, made_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			v.ID, v.Version, v.Text, v.By, v.Why, micros(v.At)); err != nil {
			return err
		}
	}
	for _, a := range e.Automations {
		if _, err := tx.Exec(ctx, `INSERT INTO automations (id, position, state, live, draft, deleted_at) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (id) DO UPDATE SET position = excluded.position, state = excluded.state, live = excluded.live,
					draft = excluded.draft, deleted_at = excluded.deleted_at`,
			a.ID, a.Position, a.State, a.Live, a.Draft, micros(a.DeletedAt)); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) agreeRemovals(ctx context.Context, e AutomationEdit) error {
	for _, v := range e.Agreed {
		if _, err := tx.Exec(ctx, `INSERT INTO automation_removals (id, agreed_by, agreed_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING`,
			v.ID, v.By, micros(v.At)); err != nil {
			return err
		}
	}
	for _, id := range e.Withdrawn {
		if _, err := tx.Exec(ctx, `DELETE FROM automation_removals WHERE id = $1`, id); err != nil {
			return err
		}
	}
	return nil
}
