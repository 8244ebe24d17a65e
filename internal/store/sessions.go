package store

import (
	"context"
	"fmt"
	"time"
)

// Session is one browser that is signed in.
type Session struct {
	Digest     string // SHA-256 of the token in the cookie, hex
	Person     string // a Person's name; "" = signed in by the admin token or a link
	Name       string // for people to read
	Credential string // SHA-256 of the admin token used to sign in, hex; "" = signed in another way
	Client     string // the browser's User-Agent
	CreatedAt  time.Time
	SeenAt     time.Time
	ExpiresAt  time.Time
	Role       string // the person's present role; "" without a person. Only read back
}

const sessionColumns = `digest, person, sessions.name, credential, client, sessions.created_at, seen_at, expires_at`

// listSessions leaves out sessions of people who were removed.
const listSessions = `SELECT ` + sessionColumns + `, coalesce(role, '') FROM sessions LEFT JOIN people ON people.name = person
	WHERE (person = '' OR role IS NOT NULL) AND expires_at > $1`

func scanSession(r Rows) (s Session, err error) {
	var created, seen, expires int64
	err = r.Scan(&s.Digest, &s.Person, &s.Name, &s.Credential, &s.Client, &created, &seen, &expires, &s.Role)
	s.CreatedAt, s.SeenAt, s.ExpiresAt = fromMicros(created), fromMicros(seen), fromMicros(expires)
	return s, err
}

// SaveSession adds a session, and deletes those that have expired.
func (s *Store) SaveSession(ctx context.Context, v Session) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM sessions WHERE expires_at <= $1`, micros(v.CreatedAt)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO sessions (digest, person, name, credential, client, created_at, seen_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			v.Digest, v.Person, v.Name, v.Credential, v.Client, micros(v.CreatedAt), micros(v.SeenAt), micros(v.ExpiresAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("save the session of %s: %w", v.Name, err)
	}
	return nil
}

// Session reads one that has not expired.
func (s *Store) Session(ctx context.Context, digest string, now time.Time) (v Session, ok bool, err error) {
	rows, err := s.Query(ctx, listSessions+` AND digest = $2`, micros(now), digest)
	list, err := collect(rows, err, scanSession)
	if err != nil {
		return Session{}, false, fmt.Errorf("read a session: %w", err)
	}
	if len(list) == 0 {
		return Session{}, false, nil
	}
	return list[0], true, nil
}

// Sessions lists those that have not expired, the last used first.
func (s *Store) Sessions(ctx context.Context, now time.Time) ([]Session, error) {
	rows, err := s.Query(ctx, listSessions+` ORDER BY seen_at DESC, digest`, micros(now))
	list, err := collect(rows, err, scanSession)
	if err != nil {
		return nil, fmt.Errorf("list the sessions: %w", err)
	}
	return list, nil
}

// SeeSession stores when a session was last used, and when it expires.
func (s *Store) SeeSession(ctx context.Context, digest string, seen, expires time.Time) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `UPDATE sessions SET seen_at = $2, expires_at = $3 WHERE digest = $1`, digest, micros(seen), micros(expires))
		return err
	})
	if err != nil {
		return fmt.Errorf("save that a session is used: %w", err)
	}
	return nil
}

// EndSession deletes a session; ok is false if there is none.
func (s *Store) EndSession(ctx context.Context, digest string) (ok bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM sessions WHERE digest = $1`, digest)
		ok = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("end a session: %w", err)
	}
	return ok, nil
}

// SaveSignInLink adds a link that works once, by the digest of its code, and deletes
// expired links.
func (s *Store) SaveSignInLink(ctx context.Context, digest, name string, now, expires time.Time) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM sign_in_links WHERE expires_at <= $1`, micros(now)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO sign_in_links (digest, name, expires_at) VALUES ($1, $2, $3)`, digest, name, micros(expires))
		return err
	})
	if err != nil {
		return fmt.Errorf("save a sign-in link: %w", err)
	}
	return nil
}

// TakeSignInLink uses a link. If several callers try, only one gets its name.
func (s *Store) TakeSignInLink(ctx context.Context, digest string, now time.Time) (name string, ok bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		rows, err := tx.Query(ctx, `DELETE FROM sign_in_links WHERE digest = $1 AND expires_at > $2 RETURNING name`, digest, micros(now))
		names, err := collect(rows, err, func(r Rows) (name string, err error) { return name, r.Scan(&name) })
		if ok = len(names) == 1; ok {
			name = names[0]
		}
		return err
	})
	if err != nil {
		return "", false, fmt.Errorf("use a sign-in link: %w", err)
	}
	return name, ok, nil
}
