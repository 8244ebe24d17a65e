package store

import (
	"context"
	"fmt"
	"time"

	"milepost/internal/secret"
)

// Secret is an encrypted value. Its name is bound into the encryption.
type Secret struct {
	Name   string
	Sealed string // sealed by secret.Ring; every sealing differs, so it is also a version
}

// Secret reads one; "" if there is none with that name.
func (s *Store) Secret(ctx context.Context, name string) (sealed string, err error) {
	rows, err := s.Query(ctx, `SELECT sealed FROM secrets WHERE name = $1`, name)
	list, err := collect(rows, err, func(r Rows) (v string, err error) { return v, r.Scan(&v) })
	if err != nil {
		return "", fmt.Errorf("read the secret %s: %w", name, err)
	}
	if len(list) == 0 {
		return "", nil
	}
	return list[0], nil
}

// PutSecrets writes secrets, all or none.
func (s *Store) PutSecrets(ctx context.Context, now time.Time, secrets ...Secret) error {
	return s.InTx(ctx, func(tx *Tx) error { return tx.putSecrets(ctx, now, secrets) })
}

// PutGrant writes a secret and queues a sync of an entity because of it, both or neither.
// So a crash after it leaves nothing undone.
func (s *Store) PutGrant(ctx context.Context, now time.Time, grant Secret, follow Entity) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if err := tx.putSecrets(ctx, now, []Secret{grant}); err != nil {
			return err
		}
		return tx.requeue(ctx, []Entity{follow}, false, byEvent)
	})
}

func (tx *Tx) putSecrets(ctx context.Context, now time.Time, secrets []Secret) error {
	for _, v := range secrets {
		if _, err := tx.Exec(ctx, `INSERT INTO secrets (name, sealed, key_id, updated_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, key_id = excluded.key_id, updated_at = excluded.updated_at`,
			v.Name, v.Sealed, secret.KeyID(v.Sealed), micros(now)); err != nil {
			return fmt.Errorf("write the secret %s: %w", v.Name, err)
		}
	}
	return nil
}

// ReplaceSecret writes a secret if it is unchanged. Otherwise somebody else wrote a newer
// one, and it returns false.
func (s *Store) ReplaceSecret(ctx context.Context, was Secret, sealed string, now time.Time) (replaced bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.Exec(ctx, `UPDATE secrets SET sealed = $3, key_id = $4, updated_at = $5 WHERE name = $1 AND sealed = $2`,
			was.Name, was.Sealed, sealed, secret.KeyID(sealed), micros(now))
		replaced = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("replace the secret %s: %w", was.Name, err)
	}
	return replaced, nil
}

// DropSecret deletes a secret. It is no error if there is none.
func (s *Store) DropSecret(ctx context.Context, name string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM secrets WHERE name = $1`, name)
		return err
	})
	if err != nil {
		return fmt.Errorf("drop the secret %s: %w", name, err)
	}
	return nil
}

// SecretKeys counts the secrets by key id.
func (s *Store) SecretKeys(ctx context.Context) (map[string]int, error) {
	type count struct {
		id string
		n  int
	}
	rows, err := s.Query(ctx, `SELECT key_id, count(*) FROM secrets GROUP BY key_id`)
	list, err := collect(rows, err, func(r Rows) (c count, err error) { return c, r.Scan(&c.id, &c.n) })
	if err != nil {
		return nil, fmt.Errorf("list the keys in use: %w", err)
	}
	out := make(map[string]int, len(list))
	for _, c := range list {
		out[c.id] = c.n
	}
	return out, nil
}

// SecretsNotUnder lists up to limit secrets that are sealed under another key.
func (s *Store) SecretsNotUnder(ctx context.Context, keyID string, limit int) ([]Secret, error) {
	rows, err := s.Query(ctx, `SELECT name, sealed FROM secrets WHERE key_id <> $1 ORDER BY name LIMIT $2`, keyID, limit)
	list, err := collect(rows, err, func(r Rows) (v Secret, err error) { return v, r.Scan(&v.Name, &v.Sealed) })
	if err != nil {
		return nil, fmt.Errorf("list the secrets to encrypt again: %w", err)
	}
	return list, nil
}

// KeyProbe returns the stored probe of the keys. If there is none, it stores the given one.
func (s *Store) KeyProbe(ctx context.Context, sealed string) (stored string, err error) {
	var list []string
	err = s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO key_probe (id, sealed) VALUES (1, $1) ON CONFLICT (id) DO NOTHING`, sealed); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT sealed FROM key_probe WHERE id = 1`)
		list, err = collect(rows, err, func(r Rows) (v string, err error) { return v, r.Scan(&v) })
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read the probe of the keys: %w", err)
	}
	return list[0], nil
}

// ReplaceKeyProbe replaces the probe with one under another key.
func (s *Store) ReplaceKeyProbe(ctx context.Context, sealed string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `UPDATE key_probe SET sealed = $1 WHERE id = 1`, sealed)
		return err
	})
	if err != nil {
		return fmt.Errorf("replace the probe of the keys: %w", err)
	}
	return nil
}

// SecretsUnder lists the secrets whose names begin with a prefix, by name.
func (s *Store) SecretsUnder(ctx context.Context, prefix string) ([]Secret, error) {
	rows, err := s.Query(ctx, `SELECT name, sealed FROM secrets WHERE substr(name, 1, length($1)) = $1 ORDER BY name`, prefix)
	list, err := collect(rows, err, func(r Rows) (v Secret, err error) { return v, r.Scan(&v.Name, &v.Sealed) })
	if err != nil {
		return nil, fmt.Errorf("list the secrets %s: %w", prefix, err)
	}
	return list, nil
}
