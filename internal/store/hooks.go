package store

import (
	"context"
	"fmt"
	"time"
)

// HookKey is the key in the URLs for the webhooks of a CalendarHero account. The key itself
// is one of the secrets, and only while it is in use.
type HookKey struct {
	Digest    string // SHA-256 of the key, hex
	Account   string
	CreatedAt time.Time
	EndedAt   time.Time // from then on it is rejected; zero = it is valid
}

// HookState says who registered a webhook for an event.
type HookState string

// The states of a webhook's registration.
const (
	HookOurs    HookState = "ours"
	HookForeign HookState = "foreign" // registered by another tool; Milepost does not change it
	HookUnknown HookState = "unknown" // registered, but it cannot be read by whom; Milepost does not change it
	HookFailed  HookState = "failed"  // CalendarHero could not be read or written
	HookOff     HookState = "off"     // the operator released it, so it is not registered
)

// Hook is what Milepost knows about one event's registration at a CalendarHero account.
type Hook struct {
	Account   string
	Event     string
	State     HookState
	Problem   string    // for people: what is wrong, and what to do; "" = nothing
	HookID    string    // CalendarHero's id; "" = unknown
	URLDigest string    // of the URL that was last found there, hex; "" = none
	Allowed   bool      // the operator allows once to replace another tool's; if off, to delete it unread
	CheckedAt time.Time // zero = never
	SetAt     time.Time // when ours was last registered; zero = it is not registered
	SeenAt    time.Time // when ours was last read there; zero = not since SetAt, so perhaps it cannot be read
	FailedAt  time.Time // since when CalendarHero cannot be read or written; zero = it can
	NextAt    time.Time // not to be checked before; zero = with the next regular check
}

// Unverifiable reports whether our webhook was registered and has not been read back since.
// Then it is unknown what is registered now.
func (h Hook) Unverifiable() bool { return !h.SetAt.IsZero() && h.SeenAt.IsZero() }

// AddHookKey stores a new key of k.Account together with its secret.
func (s *Store) AddHookKey(ctx context.Context, k HookKey, sealed Secret) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO calendarhero_keys (digest, account, created_at, ended_at) VALUES ($1, $2, $3, 0)`,
			k.Digest, k.Account, micros(k.CreatedAt)); err != nil {
			return err
		}
		return tx.putSecrets(ctx, k.CreatedAt, []Secret{sealed})
	})
	if err != nil {
		return fmt.Errorf("store a key for CalendarHero's webhooks: %w", err)
	}
	return nil
}

// EndHookKeys ends the keys of an account, and deletes the secret of the key in use, so the
// next URLs get a new one. Ended keys are still recognised as ours.
func (s *Store) EndHookKeys(ctx context.Context, account, secret string, now time.Time) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE calendarhero_keys SET ended_at = $2 WHERE account = $1 AND ended_at = 0`, account, micros(now)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM secrets WHERE name = $1`, secret)
		return err
	})
	if err != nil {
		return fmt.Errorf("end the keys for CalendarHero's webhooks: %w", err)
	}
	return nil
}

// HookKey looks a key up by its digest; ok is false if there never was one.
func (s *Store) HookKey(ctx context.Context, digest string) (k HookKey, ok bool, err error) {
	rows, err := s.Query(ctx, `SELECT digest, account, created_at, ended_at FROM calendarhero_keys WHERE digest = $1`, digest)
	list, err := collect(rows, err, func(r Rows) (k HookKey, err error) {
		var created, ended int64
		err = r.Scan(&k.Digest, &k.Account, &created, &ended)
		k.CreatedAt, k.EndedAt = fromMicros(created), fromMicros(ended)
		return k, err
	})
	if err != nil {
		return HookKey{}, false, fmt.Errorf("look up a key for CalendarHero's webhooks: %w", err)
	}
	if len(list) == 0 {
		return HookKey{}, false, nil
	}
	return list[0], true, nil
}

const hookColumns = `account, event, state, problem, hook_id, url_digest, allowed, checked_at, set_at, seen_at, failed_at, next_at`

// Hooks lists the known registrations of all accounts, ordered by account and event.
func (s *Store) Hooks(ctx context.Context) ([]Hook, error) {
	return s.hooks(ctx, `SELECT `+hookColumns+` FROM calendarhero_hooks ORDER BY account, event`)
}

// HooksOf lists the known registrations of one account, ordered by event.
func (s *Store) HooksOf(ctx context.Context, account string) ([]Hook, error) {
	return s.hooks(ctx, `SELECT `+hookColumns+` FROM calendarhero_hooks WHERE account = $1 ORDER BY event`, account)
}

func (s *Store) hooks(ctx context.Context, query string, args ...any) ([]Hook, error) {
	rows, err := s.Query(ctx, query, args...)
	list, err := collect(rows, err, func(r Rows) (h Hook, err error) {
		var allowed, checked, set, seen, failed, next int64
		err = r.Scan(&h.Account, &h.Event, &h.State, &h.Problem, &h.HookID, &h.URLDigest, &allowed, &checked, &set, &seen, &failed, &next)
		h.Allowed = allowed == 1
		h.CheckedAt, h.SetAt, h.SeenAt = fromMicros(checked), fromMicros(set), fromMicros(seen)
		h.FailedAt, h.NextAt = fromMicros(failed), fromMicros(next)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("list CalendarHero's webhooks: %w", err)
	}
	return list, nil
}

// SaveHooks stores registrations, all or nothing.
func (s *Store) SaveHooks(ctx context.Context, hooks ...Hook) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		for _, h := range hooks {
			allowed := 0
			if h.Allowed {
				allowed = 1
			}
			if _, err := tx.Exec(ctx, `INSERT INTO calendarhero_hooks (`+hookColumns+`) VALUES `+placeholders(1, 12)+`
				ON CONFLICT (account, event) DO UPDATE SET state = excluded.state, problem = excluded.problem,
					hook_id = excluded.hook_id, url_digest = excluded.url_digest, allowed = excluded.allowed,
					checked_at = excluded.checked_at, set_at = excluded.set_at, seen_at = excluded.seen_at,
					failed_at = excluded.failed_at, next_at = excluded.next_at`,
				h.Account, h.Event, string(h.State), h.Problem, h.HookID, h.URLDigest, allowed,
				micros(h.CheckedAt), micros(h.SetAt), micros(h.SeenAt), micros(h.FailedAt), micros(h.NextAt)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save the state of CalendarHero's webhooks: %w", err)
	}
	return nil
}

// ForgetHooks deletes the stored registrations of an account, and the named secret with its
// key. It keeps the key's digest, because CalendarHero may still send webhooks.
func (s *Store) ForgetHooks(ctx context.Context, account, secret string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM calendarhero_hooks WHERE account = $1`, account); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM secrets WHERE name = $1`, secret)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget an account's CalendarHero webhooks: %w", err)
	}
	return nil
}
