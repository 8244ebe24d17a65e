package store

import (
	"context"
	"fmt"
	"time"
)

// HookKey is the key in the URLs that the webhooks of a CalendarHero account go
// to. The key itself is kept among the secrets, and only while it is in use.
type HookKey struct {
	Digest    string // SHA-256 of the key, hex
	Account   string
	CreatedAt time.Time
	EndedAt   time.Time // from then on it lets nothing in; zero = it does
}

// HookState says whose the registration of an event is.
type HookState string

// The states of a webhook's registration.
const (
	HookOurs    HookState = "ours"
	HookForeign HookState = "foreign" // another tool's: it is left unchanged
	HookUnknown HookState = "unknown" // somebody's, but it cannot be read whose: it is left unchanged
	HookFailed  HookState = "failed"  // CalendarHero could not be asked or told
	HookOff     HookState = "off"     // released by the operator: it is not registered
)

// Hook is what is known of one event's registration at a CalendarHero account.
type Hook struct {
	Account   string
	Event     string
	State     HookState
	Problem   string    // for people: what is wrong, and what to do; "" = nothing is
	HookID    string    // CalendarHero's; "" = not told
	URLDigest string    // of the URL that was found there last, hex; "" = none was
	Allowed   bool      // the operator lets another tool's be displaced, once; where it is off: deleted unread
	CheckedAt time.Time // zero = never
	SetAt     time.Time // when ours was registered last; zero = it is not registered
	SeenAt    time.Time // when ours was last read there; zero = not since SetAt: maybe it cannot be read
	FailedAt  time.Time // since when CalendarHero cannot be asked or told; zero = it can
	NextAt    time.Time // not to be checked before; zero = when its turn comes
}

// Unverifiable reports whether our webhook was registered and could not be read back
// since. So it is unknown what is registered now.
func (h Hook) Unverifiable() bool { return !h.SetAt.IsZero() && h.SeenAt.IsZero() }

// AddHookKey stores a new key of k.Account, and with it the key's secret.
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

// EndHookKeys ends the keys of an account, and drops the secret with the one in
// use: the next URLs have another. They stay known as ours.
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

// Hooks lists what is known of all accounts' registrations, in the order of
// account and event.
func (s *Store) Hooks(ctx context.Context) ([]Hook, error) {
	return s.hooks(ctx, `SELECT `+hookColumns+` FROM calendarhero_hooks ORDER BY account, event`)
}

// HooksOf lists what is known of one account's, in the order of the events.
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

// SaveHooks writes what is known of registrations, all or nothing.
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

// ForgetHooks drops what is known of an account's registrations, and the named
// secret with its key. The key's digest stays: CalendarHero may not have been told.
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
