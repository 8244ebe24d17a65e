package store

import (
	"context"
	"crypto/rand"
	"fmt"
)

// Installation identifies this Milepost. All processes on one PostgreSQL database share the
// id; so do a database and its copy, which Place distinguishes.
func (s *Store) Installation(ctx context.Context) (id string, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO installation (one, id) VALUES (1, $1) ON CONFLICT (one) DO NOTHING`, rand.Text()); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT id FROM installation`)
		ids, err := collect(rows, err, func(r Rows) (id string, err error) { return id, r.Scan(&id) })
		if err == nil {
			id = ids[0]
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read which Milepost this is: %w", err)
	}
	return id, nil
}

// Claim is what this Milepost last wrote at HighLevel to tell others that it works on a
// location and a CalendarHero account.
type Claim struct {
	Token string // "" = nothing was written
	Next  string // a token that was about to be written and may be there instead, "" = none
}

// Has reports whether a token at HighLevel belongs to this Milepost.
func (c Claim) Has(token string) bool { return token != "" && (token == c.Token || token == c.Next) }

// Claim reads the claim of a pair of accounts.
func (s *Store) Claim(ctx context.Context, locationID, account string) (Claim, error) {
	rows, err := s.Query(ctx, `SELECT token, next_token FROM claims WHERE location_id = $1 AND account = $2`, locationID, account)
	list, err := collect(rows, err, func(r Rows) (c Claim, err error) { return c, r.Scan(&c.Token, &c.Next) })
	if err != nil {
		return Claim{}, fmt.Errorf("read the claim of location %s: %w", locationID, err)
	}
	if len(list) == 0 {
		return Claim{}, nil
	}
	return list[0], nil
}

// SaveClaim stores the claim of a pair of accounts.
func (s *Store) SaveClaim(ctx context.Context, locationID, account string, c Claim) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO claims (location_id, account, token, next_token) VALUES ($1, $2, $3, $4)
			ON CONFLICT (location_id, account) DO UPDATE SET token = excluded.token, next_token = excluded.next_token`,
			locationID, account, c.Token, c.Next)
		return err
	})
	if err != nil {
		return fmt.Errorf("save the claim of location %s: %w", locationID, err)
	}
	return nil
}

// Place distinguishes a PostgreSQL database from a copy that was restored elsewhere; "" on
// SQLite. It cannot distinguish a physical copy of the server.
func (s *Store) Place(ctx context.Context) (string, error) {
	if s.File() != nil {
		return "", nil
	}
	rows, err := s.Query(ctx, `SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' || oid::text FROM pg_database WHERE datname = current_database()`)
	list, err := collect(rows, err, func(r Rows) (p string, err error) { return p, r.Scan(&p) })
	if err != nil || len(list) == 0 {
		return "", fmt.Errorf("tell the PostgreSQL database from others: %w", err)
	}
	return list[0], nil
}

// OnlyProcess reports whether no other process works jobs on this database.
func (s *Store) OnlyProcess(ctx context.Context) (bool, error) {
	if s.File() != nil {
		return true, nil
	}
	rows, err := s.Query(ctx, `SELECT count(*) FROM processes WHERE id <> $1`, s.backend.(*pgBackend).presence.id)
	n, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return false, fmt.Errorf("count the processes: %w", err)
	}
	return n[0] == 0, nil
}
