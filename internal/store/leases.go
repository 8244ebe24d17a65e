package store

import (
	"context"
	"fmt"
	"time"
)

// Lease takes the exclusive right called name for holder, until expires or
// Release. It returns false if another holder has it. A holder that dies
// loses it by time, so hold it for longer than the work can take; if it was a process
// that works jobs on PostgreSQL, the others end it sooner. Errors tell the name: no personal data in it.
func (s *Store) Lease(ctx context.Context, name, holder string, now, expires time.Time) (taken bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO leases (name, holder, expires_at) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
			WHERE leases.expires_at < $4 OR leases.holder = excluded.holder`,
			name, s.holder(holder), micros(expires), micros(now))
		if taken = n == 1; err != nil || taken {
			return err
		}
		// No holder needs it for longer than the asker does. One that expires later
		// was taken by a clock that was ahead.
		_, err = tx.Exec(ctx, `UPDATE leases SET expires_at = $2 WHERE name = $1 AND expires_at > $2`, name, micros(expires))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("take the lease %q: %w", name, err)
	}
	return taken, nil
}

// Release gives the right back if holder still has it.
func (s *Store) Release(ctx context.Context, name, holder string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM leases WHERE name = $1 AND holder = $2`, name, s.holder(holder))
		return err
	})
	if err != nil {
		return fmt.Errorf("release the lease %q: %w", name, err)
	}
	return nil
}

// PruneLeases drops the leases that expired before a time: those of holders that
// died, which nobody asked for since.
func (s *Store) PruneLeases(ctx context.Context, before time.Time) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM leases WHERE expires_at < $1`, micros(before))
		return err
	})
	if err != nil {
		return fmt.Errorf("drop expired leases: %w", err)
	}
	return nil
}
