package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// ConnectionState says whether Milepost can work for a location.
type ConnectionState string

// The states of a connection.
const (
	ConnectionPending   ConnectionState = "pending" // the app is installed but not authorized yet
	ConnectionActive    ConnectionState = "active"
	ConnectionSuspended ConnectionState = "suspended" // HighLevel does not serve the location for now; its grant is kept
	ConnectionBroken    ConnectionState = "broken"    // HighLevel rejects its grant: a person must connect it again
	ConnectionRemoved   ConnectionState = "removed"   // uninstalled: its tokens are dropped, its events skipped
)

// Connection is a HighLevel location that Milepost works for, without its secrets.
type Connection struct {
	LocationID string
	CompanyID  string // the agency; "" until known
	Name       string // name for people; "" until known
	Zone       string // last time zone that HighLevel stated, by its IANA name; "" until known
	Source     string // settings, oauth or token
	State      ConnectionState
	Problem    string // why it is not active, and what to do
	ByOperator bool   // the operator removed it, so installing the app does not restore it
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

const connectionColumns = `location_id, company_id, name, source, state, problem, created_at, updated_at, by_operator, zone`

func scanConnection(r Rows) (c Connection, err error) {
	var created, updated, byOperator int64
	err = r.Scan(&c.LocationID, &c.CompanyID, &c.Name, &c.Source, &c.State, &c.Problem, &created, &updated, &byOperator, &c.Zone)
	c.ByOperator = byOperator == 1
	c.CreatedAt, c.UpdatedAt = fromMicros(created), fromMicros(updated)
	return c, err
}

// Connection reads the connection of a location; ok is false if the location was never
// connected.
func (s *Store) Connection(ctx context.Context, locationID string) (c Connection, ok bool, err error) {
	rows, err := s.Query(ctx, `SELECT `+connectionColumns+` FROM connections WHERE location_id = $1`, locationID)
	list, err := collect(rows, err, scanConnection)
	if err != nil {
		return Connection{}, false, fmt.Errorf("read the connection of location %s: %w", locationID, err)
	}
	if len(list) == 0 {
		return Connection{}, false, nil
	}
	return list[0], true, nil
}

// Connections lists all connections by location id, including removed ones.
func (s *Store) Connections(ctx context.Context) ([]Connection, error) {
	rows, err := s.Query(ctx, `SELECT `+connectionColumns+` FROM connections ORDER BY location_id`)
	list, err := collect(rows, err, scanConnection)
	if err != nil {
		return nil, fmt.Errorf("list the connections: %w", err)
	}
	return list, nil
}

// SaveConnection writes a connection and its secrets, all or nothing. The creation time of
// a known connection stays. Empty fields do not overwrite known values, because Name and
// CompanyID are learnt at different times. Control characters are removed from the name.
func (s *Store) SaveConnection(ctx context.Context, c Connection, now time.Time, secrets ...Secret) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO connections (`+connectionColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 0, '')
			ON CONFLICT (location_id) DO UPDATE SET
				company_id = CASE WHEN excluded.company_id = '' THEN connections.company_id ELSE excluded.company_id END,
				name = CASE WHEN excluded.name = '' THEN connections.name ELSE excluded.name END,
				source = excluded.source, state = excluded.state, problem = excluded.problem, by_operator = 0, updated_at = excluded.updated_at`,
			c.LocationID, c.CompanyID, printable(c.Name), c.Source, string(c.State), c.Problem, micros(now)); err != nil {
			return err
		}
		return tx.putSecrets(ctx, now, secrets)
	})
	if err != nil {
		return fmt.Errorf("save the connection of location %s: %w", c.LocationID, err)
	}
	return nil
}

// NoteLocation stores what HighLevel says of a connected location, if it has changed: its
// name and its time zone. "" leaves what is stored.
func (s *Store) NoteLocation(ctx context.Context, locationID, name, zone string) error {
	c, ok, err := s.Connection(ctx, locationID)
	name, zone = cmp.Or(printable(name), c.Name), cmp.Or(zone, c.Zone)
	if err != nil || !ok || c.Name == name && c.Zone == zone {
		return err
	}
	err = s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `UPDATE connections SET name = $2, zone = $3 WHERE location_id = $1`, locationID, name, zone)
		return err
	})
	if err != nil {
		return fmt.Errorf("save the name and the time zone of location %s: %w", locationID, err)
	}
	return nil
}

// printable removes characters that would control a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, s)
}

// RemoveConnection stores that the operator removed a connection, and deletes the named
// secrets and the location's workflow keys.
func (s *Store) RemoveConnection(ctx context.Context, locationID string, now time.Time, drop ...string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE connections SET state = $2, problem = $3, by_operator = 1, updated_at = $4 WHERE location_id = $1`,
			locationID, string(ConnectionRemoved), "removed by the operator", micros(now)); err != nil {
			return err
		}
		for _, name := range drop {
			if _, err := tx.Exec(ctx, `DELETE FROM secrets WHERE name = $1`, name); err != nil {
				return err
			}
		}
		for _, keys := range []string{"workflow_keys", "feed_keys"} {
			if _, err := tx.Exec(ctx, `DELETE FROM `+keys+` WHERE location_id = $1`, locationID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove the connection of location %s: %w", locationID, err)
	}
	return nil
}

// SetConnectionState changes the state of a connection, and deletes the named secrets in
// the same transaction.
func (s *Store) SetConnectionState(ctx context.Context, locationID string, state ConnectionState, problem string, now time.Time, drop ...string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE connections SET state = $2, problem = $3, updated_at = $4
			WHERE location_id = $1 AND (state <> $2 OR problem <> $3)`, locationID, string(state), problem, micros(now)); err != nil {
			return err
		}
		for _, name := range drop {
			if _, err := tx.Exec(ctx, `DELETE FROM secrets WHERE name = $1`, name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save that the connection of location %s is %s: %w", locationID, state, err)
	}
	return nil
}

// Move is a change of a connection's state that depends on the current state.
type Move struct {
	LocationID string
	From       []ConnectionState // a connection in another state is not moved
	To         ConnectionState
	Problem    string
	While      Secret // a secret that must still be stored; the zero Secret = no condition
}

// MoveConnection makes a move, and reports whether it changed anything.
func (s *Store) MoveConnection(ctx context.Context, m Move, now time.Time) (changed bool, err error) {
	errOther := errors.New("another secret is stored")
	err = s.InTx(ctx, func(tx *Tx) error {
		args := []any{m.LocationID, string(m.To), m.Problem, micros(now)}
		for _, state := range m.From {
			args = append(args, string(state))
		}
		n, err := tx.Exec(ctx, `UPDATE connections SET state = $2, problem = $3, updated_at = $4
			WHERE location_id = $1 AND (state <> $2 OR problem <> $3) AND state IN (`+parameters(5, len(m.From))+`)`, args...)
		if changed = n == 1; err != nil || !changed || m.While.Name == "" {
			return err
		}
		// Read this only after the connection's row is locked, because a new connection
		// writes that row first.
		rows, err := tx.Query(ctx, `SELECT sealed FROM secrets WHERE name = $1`, m.While.Name)
		stored, err := collect(rows, err, func(r Rows) (v string, err error) { return v, r.Scan(&v) })
		if err == nil && (len(stored) == 0 || stored[0] != m.While.Sealed) {
			err = errOther
		}
		return err
	})
	if errors.Is(err, errOther) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("save that the connection of location %s is %s: %w", m.LocationID, m.To, err)
	}
	return changed, nil
}

// SavePending stores that the app is installed at a location and not authorized yet, and
// reports whether that is so. If the location is connected in any way, or the operator
// removed it, nothing changes.
func (s *Store) SavePending(ctx context.Context, c Connection, now time.Time) (pending bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO connections (`+connectionColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 0, '')
			ON CONFLICT (location_id) DO UPDATE SET
				company_id = CASE WHEN excluded.company_id = '' THEN connections.company_id ELSE excluded.company_id END,
				name = CASE WHEN excluded.name = '' THEN connections.name ELSE excluded.name END,
				source = excluded.source, state = excluded.state, problem = excluded.problem, updated_at = excluded.updated_at
			WHERE connections.source = excluded.source AND connections.state NOT IN ('active', 'suspended')
				AND connections.by_operator = 0`,
			c.LocationID, c.CompanyID, printable(c.Name), c.Source, string(ConnectionPending), c.Problem, micros(now))
		pending = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("save that the app is installed at location %s: %w", c.LocationID, err)
	}
	return pending, nil
}

// TokenFirstSeen returns when a token was first seen, by its digest. For a new token, that
// is now.
func (s *Store) TokenFirstSeen(ctx context.Context, digest string, now time.Time) (time.Time, error) {
	const read = `SELECT first_seen FROM token_ages WHERE digest = $1`
	scan := func(r Rows) (at int64, err error) { return at, r.Scan(&at) }
	rows, err := s.Query(ctx, read, digest)
	seen, err := collect(rows, err, scan)
	if err == nil && len(seen) > 0 {
		return fromMicros(seen[0]), nil
	}
	err = s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO token_ages (digest, first_seen) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING`,
			digest, micros(now)); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, read, digest)
		seen, err = collect(rows, err, scan)
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("look up the age of a token: %w", err)
	}
	return fromMicros(seen[0]), nil
}
