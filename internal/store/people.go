package store

import (
	"context"
	"fmt"
	"time"
)

// Person may sign in to the console.
type Person struct {
	Name      string // lower case
	Role      string // operator or viewer
	Password  string // its argon2id hash
	CreatedAt time.Time
}

const personColumns = `name, role, password, created_at`

func scanPerson(r Rows) (p Person, err error) {
	var created int64
	err = r.Scan(&p.Name, &p.Role, &p.Password, &created)
	p.CreatedAt = fromMicros(created)
	return p, err
}

// People lists all people by name.
func (s *Store) People(ctx context.Context) ([]Person, error) {
	rows, err := s.Query(ctx, `SELECT `+personColumns+` FROM people ORDER BY name`)
	list, err := collect(rows, err, scanPerson)
	if err != nil {
		return nil, fmt.Errorf("list the people: %w", err)
	}
	return list, nil
}

// Person reads one; ok is false if nobody has that name.
func (s *Store) Person(ctx context.Context, name string) (p Person, ok bool, err error) {
	rows, err := s.Query(ctx, `SELECT `+personColumns+` FROM people WHERE name = $1`, name)
	list, err := collect(rows, err, scanPerson)
	if err != nil {
		return Person{}, false, fmt.Errorf("read person %s: %w", name, err)
	}
	if len(list) == 0 {
		return Person{}, false, nil
	}
	return list[0], true, nil
}

// AddPerson adds a person; added is false if the name is taken.
func (s *Store) AddPerson(ctx context.Context, p Person) (added bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO people (`+personColumns+`) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING`,
			p.Name, p.Role, p.Password, micros(p.CreatedAt))
		added = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("add person %s: %w", p.Name, err)
	}
	return added, nil
}

// ChangePerson sets a person's role or password; "" keeps it. A new password ends all
// sessions of the person. ok is false if nobody has that name.
func (s *Store) ChangePerson(ctx context.Context, name, role, password string) (ok bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.Exec(ctx, `UPDATE people SET role = CASE WHEN $2 = '' THEN role ELSE $2 END,
			password = CASE WHEN $3 = '' THEN password ELSE $3 END WHERE name = $1`, name, role, password)
		if ok = n == 1; err != nil || password == "" {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM sessions WHERE person = $1`, name)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("change person %s: %w", name, err)
	}
	return ok, nil
}

// RemovePerson removes a person with all sessions and tokens; ok is false if nobody has
// that name.
func (s *Store) RemovePerson(ctx context.Context, name string) (ok bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM people WHERE name = $1`, name)
		if ok = n == 1; err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM person_tokens WHERE person = $1`, name); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM sessions WHERE person = $1`, name)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("remove person %s: %w", name, err)
	}
	return ok, nil
}
