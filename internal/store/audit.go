package store

import (
	"context"
	"fmt"
	"time"
)

// AuditEntry says who did what.
type AuditEntry struct {
	ID      int64 // assigned in ascending order when it is stored
	At      time.Time
	Who     string
	What    string // e.g. "signed in"
	Subject string // the id of what was changed; never personal data
}

// Audit adds entries to the audit log.
func (s *Store) Audit(ctx context.Context, list ...AuditEntry) error {
	if len(list) == 0 {
		return nil
	}
	err := s.InTx(ctx, func(tx *Tx) error {
		for _, e := range list {
			if _, err := tx.Exec(ctx, `INSERT INTO audit (at, who, what, subject) VALUES ($1, $2, $3, $4)`, micros(e.At), e.Who, e.What, e.Subject); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("add to the audit log that %s %s: %w", list[0].Who, list[0].What, err)
	}
	return nil
}

// AuditPage lists up to limit entries that are older than the entry with id before (0 =
// all), newest first.
func (s *Store) AuditPage(ctx context.Context, before int64, limit int) ([]AuditEntry, error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	rows, err := s.Query(ctx, `SELECT id, at, who, what, subject FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2`, before, limit)
	list, err := collect(rows, err, func(r Rows) (e AuditEntry, err error) {
		var at int64
		err = r.Scan(&e.ID, &at, &e.Who, &e.What, &e.Subject)
		e.At = fromMicros(at)
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return list, nil
}

// PruneAudit deletes some of the entries before a time, and returns how many. 0 means that
// none is that old.
func (s *Store) PruneAudit(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err = tx.Exec(ctx, `DELETE FROM audit WHERE at < $1 AND id IN (SELECT id FROM audit ORDER BY id LIMIT $2)`, micros(before), pruneBatch)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete the audit log before %s: %w", before.Format(time.DateOnly), err)
	}
	return n, nil
}
