package store

import (
	"context"
	"fmt"
	"time"
)

// NoteBackup stores the time and the size of a backup.
func (s *Store) NoteBackup(ctx context.Context, at time.Time, bytes int64) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM backups`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO backups (at, bytes) VALUES ($1, $2)`, micros(at), bytes)
		return err
	})
	if err != nil {
		return fmt.Errorf("save the backup: %w", err)
	}
	return nil
}

// LastBackup is when `milepost backup` last made a copy; the zero time means never. Other
// copies, such as those of PostgreSQL, do not count.
func (s *Store) LastBackup(ctx context.Context) (time.Time, error) {
	rows, err := s.Query(ctx, `SELECT at FROM backups`)
	list, err := collect(rows, err, func(r Rows) (at int64, err error) { return at, r.Scan(&at) })
	if err != nil {
		return time.Time{}, fmt.Errorf("read when the last backup was made: %w", err)
	}
	if len(list) == 0 {
		return time.Time{}, nil
	}
	return fromMicros(list[0]), nil
}
