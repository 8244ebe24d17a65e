package store

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// WorkflowKey describes a key in the URL of a workflow webhook. The key itself is not
// stored.
type WorkflowKey struct {
	Digest     string // SHA-256 of the key, hex
	LocationID string // the location whose webhooks it admits
	CreatedAt  time.Time
	ExpiresAt  time.Time // from then on it is rejected; zero = never
}

// AddWorkflowKey stores a new key of k.LocationID. othersUntil limits the location's other
// keys to that time, but never extends one; the zero time leaves them unchanged. Expired
// keys are deleted.
func (s *Store) AddWorkflowKey(ctx context.Context, k WorkflowKey, othersUntil time.Time) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM workflow_keys WHERE expires_at <> 0 AND expires_at <= $1`, micros(k.CreatedAt)); err != nil {
			return err
		}
		if !othersUntil.IsZero() {
			if _, err := tx.Exec(ctx, `UPDATE workflow_keys SET expires_at = $2
				WHERE location_id = $1 AND (expires_at = 0 OR expires_at > $2)`, k.LocationID, micros(othersUntil)); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `INSERT INTO workflow_keys (digest, location_id, created_at, expires_at) VALUES ($1, $2, $3, $4)`,
			k.Digest, k.LocationID, micros(k.CreatedAt), micros(k.ExpiresAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("store a workflow key of location %s: %w", k.LocationID, err)
	}
	return nil
}

// WorkflowKeys lists the keys of a location, newest first, possibly including expired ones.
func (s *Store) WorkflowKeys(ctx context.Context, locationID string) ([]WorkflowKey, error) {
	return s.workflowKeys(ctx, `location_id = $1`, locationID)
}

// WorkflowKey looks a key up by its digest, even if it has expired; ok is false if there is
// none.
func (s *Store) WorkflowKey(ctx context.Context, digest string) (k WorkflowKey, ok bool, err error) {
	list, err := s.workflowKeys(ctx, `digest = $1`, digest)
	if err != nil || len(list) == 0 {
		return WorkflowKey{}, false, err
	}
	return list[0], true, nil
}

func (s *Store) workflowKeys(ctx context.Context, where, arg string) ([]WorkflowKey, error) {
	rows, err := s.Query(ctx, `SELECT digest, location_id, created_at, expires_at FROM workflow_keys
		WHERE `+where+` ORDER BY created_at DESC, digest`, arg)
	list, err := collect(rows, err, func(r Rows) (k WorkflowKey, err error) {
		var created, expires int64
		err = r.Scan(&k.Digest, &k.LocationID, &created, &expires)
		k.CreatedAt, k.ExpiresAt = fromMicros(created), fromMicros(expires)
		return k, err
	})
	if err != nil {
		return nil, fmt.Errorf("look up workflow keys: %w", err)
	}
	return list, nil
}

// RevokeWorkflowKeys deletes keys by their digests and returns how many there were.
func (s *Store) RevokeWorkflowKeys(ctx context.Context, digests ...string) (int64, error) {
	return s.revoke(ctx, "workflow_keys", digests)
}

// revoke deletes keys of a table.
func (s *Store) revoke(ctx context.Context, table string, digests []string) (revoked int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		revoked = 0
		for _, d := range digests {
			n, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE digest = $1`, d)
			if err != nil {
				return err
			}
			revoked += n
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("revoke %s: %w", strings.ReplaceAll(table, "_", " "), err)
	}
	return revoked, nil
}
