package store

import (
	"context"
	"fmt"
	"time"
)

// PersonToken is a token with which a program uses the admin API for a person.
type PersonToken struct {
	ID        int64  // assigned when it is stored
	Digest    string // SHA-256 of the token, hex
	Person    string // a Person's name
	Label     string // what it is for
	By        string // who made it
	CreatedAt time.Time
	SeenAt    time.Time // when it was last used, to the minute; zero = never
	Role      string    // the person's present role; only read back
}

// listPersonTokens leaves out tokens of people who were removed.
const listPersonTokens = `SELECT id, digest, person, label, made_by, person_tokens.created_at, seen_at, role FROM person_tokens JOIN people ON people.name = person` //nolint:gosec // no credential

func scanPersonToken(r Rows) (t PersonToken, err error) {
	var created, seen int64
	err = r.Scan(&t.ID, &t.Digest, &t.Person, &t.Label, &t.By, &created, &seen, &t.Role)
	t.CreatedAt, t.SeenAt = fromMicros(created), fromMicros(seen)
	return t, err
}

// SavePersonToken adds a token.
func (s *Store) SavePersonToken(ctx context.Context, t PersonToken) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO person_tokens (digest, person, label, made_by, created_at, seen_at) VALUES ($1, $2, $3, $4, $5, 0)`,
			t.Digest, t.Person, t.Label, t.By, micros(t.CreatedAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("save a token of %s: %w", t.Person, err)
	}
	return nil
}

// PersonToken reads one by its digest.
func (s *Store) PersonToken(ctx context.Context, digest string) (t PersonToken, ok bool, err error) {
	rows, err := s.Query(ctx, listPersonTokens+` WHERE digest = $1`, digest)
	list, err := collect(rows, err, scanPersonToken)
	if err != nil {
		return PersonToken{}, false, fmt.Errorf("read a person's token: %w", err)
	}
	if len(list) == 0 {
		return PersonToken{}, false, nil
	}
	return list[0], true, nil
}

// PersonTokens lists a person's tokens, or everybody's for "", in the order in which they
// were made.
func (s *Store) PersonTokens(ctx context.Context, person string) ([]PersonToken, error) {
	rows, err := s.Query(ctx, listPersonTokens+` WHERE $1 = '' OR person = $1 ORDER BY id`, person)
	list, err := collect(rows, err, scanPersonToken)
	if err != nil {
		return nil, fmt.Errorf("list the tokens of people: %w", err)
	}
	return list, nil
}

// SeePersonToken stores when a token was last used.
func (s *Store) SeePersonToken(ctx context.Context, id int64, seen time.Time) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `UPDATE person_tokens SET seen_at = $2 WHERE id = $1`, id, micros(seen))
		return err
	})
	if err != nil {
		return fmt.Errorf("save that a token is used: %w", err)
	}
	return nil
}

// RevokePersonToken deletes a person's token; ok is false if there is none.
func (s *Store) RevokePersonToken(ctx context.Context, person string, id int64) (ok bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM person_tokens WHERE person = $1 AND id = $2`, person, id)
		ok = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("revoke token %d of %s: %w", id, person, err)
	}
	return ok, nil
}
