package store

import (
	"context"
	"fmt"
	"time"
)

// Lease takes the exclusive right called name for holder, until expires or Release. It
// returns false if another holder has it. If a holder dies, its lease expires, so ask for
// longer than the work can take. If the dead holder worked jobs on PostgreSQL, the other
// processes end its lease sooner. Errors contain the name, so it must hold no personal
// data.
func (s *Store) Lease(ctx context.Context, name, holder string, now, expires time.Time) (taken bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO leases (name, holder, expires_at) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
			WHERE leases.expires_at < $4 OR leases.holder = excluded.holder`,
			name, s.holder(holder), micros(expires), micros(now))
		if taken = n == 1; err != nil || taken {
			return err
		}
		// All holders of a name need it for equally long. So a lease that expires later
		// than this one would was taken by a clock that was ahead.
		_, err = tx.Exec(ctx, `UPDATE leases SET expires_at = $2 WHERE name = $1 AND expires_at > $2`, name, micros(expires))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("take the lease %q: %w", name, err)
	}
	return taken, nil
}

// Release ends the lease if holder still has it.
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

// PruneLeases deletes the leases that expired before a time. They belong to dead holders,
// and nobody has asked for them since.
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
