package store

import (
	"context"
	"fmt"
	"time"
)

// Agencies lists the company ids of the agencies whose locations may be connected by OAuth,
// in alphabetical order.
func (s *Store) Agencies(ctx context.Context) ([]string, error) {
	rows, err := s.Query(ctx, `SELECT company_id FROM agencies ORDER BY company_id`)
	list, err := collect(rows, err, func(r Rows) (id string, err error) { return id, r.Scan(&id) })
	if err != nil {
		return nil, fmt.Errorf("list the allowed agencies: %w", err)
	}
	return list, nil
}

// AllowAgency allows OAuth connections for the locations of an agency from now on.
func (s *Store) AllowAgency(ctx context.Context, companyID string, now time.Time) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO agencies (company_id, first_come, allowed_at) VALUES ($1, 0, $2)
			ON CONFLICT (company_id) DO NOTHING`, companyID, micros(now))
		return err
	})
	if err != nil {
		return fmt.Errorf("allow the agency %s: %w", companyID, err)
	}
	return nil
}

// AdmitAgency reports whether an agency is allowed. If none is allowed yet, it allows this
// one; of several first calls at once, one wins.
func (s *Store) AdmitAgency(ctx context.Context, companyID string, now time.Time) (admitted bool, err error) {
	var found []string
	err = s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO agencies (company_id, first_come, allowed_at)
			SELECT $1, 1, $2 WHERE NOT EXISTS (SELECT 1 FROM agencies) ON CONFLICT DO NOTHING`, companyID, micros(now)); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT company_id FROM agencies WHERE company_id = $1`, companyID)
		found, err = collect(rows, err, func(r Rows) (id string, err error) { return id, r.Scan(&id) })
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look up whether the agency %s is allowed: %w", companyID, err)
	}
	return len(found) == 1, nil
}
