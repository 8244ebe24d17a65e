package store

import (
	"context"
	"fmt"
	"time"
)

// InboxBinding says which inbox file this database belongs to, and how far its webhooks
// were dispatched. It exists only on SQLite, because on PostgreSQL the inbox is in the same
// database.
type InboxBinding struct {
	Inbox    string // identity of the inbox; "" = none was ever opened with this database
	Previous string // its former identity, which it still has if the last start was interrupted
	Cursor   int64  // all webhooks of this inbox up to this number were dispatched
	Highest  int64  // the highest number of a delivery; read only

	Mismatch   string // for people: what was found and done when the files last did not match; "" = they always matched
	MismatchAt time.Time
}

// UnknownInbox is the identity of an inbox that only an earlier version has opened.
const UnknownInbox = "unknown"

// InboxMismatch says for people what was found and done when the inbox and this database
// last did not match, and when; "" = they always matched. On PostgreSQL they are the same
// database.
func (s *Store) InboxMismatch(ctx context.Context) (what string, at time.Time, err error) {
	if _, ok := s.backend.(*sqliteBackend); !ok {
		return "", time.Time{}, nil
	}
	bound, err := s.InboxBinding(ctx)
	return bound.Mismatch, bound.MismatchAt, err
}

// InboxBinding reads the binding. In an empty database it is the zero value.
func (s *Store) InboxBinding(ctx context.Context) (InboxBinding, error) {
	rows, err := s.Query(ctx, `SELECT inbox, previous, id, max(id, (SELECT coalesce(max(id), 0) FROM deliveries)), mismatch, mismatch_at FROM inbox_cursor`)
	list, err := collect(rows, err, func(r Rows) (b InboxBinding, err error) {
		var at int64
		err = r.Scan(&b.Inbox, &b.Previous, &b.Cursor, &b.Highest, &b.Mismatch, &at)
		b.MismatchAt = fromMicros(at)
		return b, err
	})
	if err != nil {
		return InboxBinding{}, fmt.Errorf("read which inbox the state database belongs to: %w", err)
	}
	if len(list) == 0 {
		return InboxBinding{}, nil
	}
	return list[0], nil
}

// BindInbox stores the binding.
func (s *Store) BindInbox(ctx context.Context, b InboxBinding) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM inbox_cursor`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO inbox_cursor (inbox, previous, id, mismatch, mismatch_at) VALUES ($1, $2, $3, $4, $5)`,
			b.Inbox, b.Previous, b.Cursor, b.Mismatch, micros(b.MismatchAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("save which inbox the state database belongs to: %w", err)
	}
	return nil
}

// DeliveriesBetween returns the deliveries numbered from first to last, by number.
func (s *Store) DeliveriesBetween(ctx context.Context, first, last int64) (map[int64]Delivery, error) {
	rows, err := s.Query(ctx, `SELECT id, webhook_id, type, location_id, kind, entity_id, received_at FROM deliveries WHERE id BETWEEN $1 AND $2`, first, last)
	list, err := collect(rows, err, func(r Rows) (d Delivery, err error) {
		var received int64
		err = r.Scan(&d.ID, &d.WebhookID, &d.Type, &d.Entity.LocationID, &d.Entity.Kind, &d.Entity.ID, &received)
		d.ReceivedAt = fromMicros(received)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the deliveries %d to %d: %w", first, last, err)
	}
	byID := make(map[int64]Delivery, len(list))
	for _, d := range list {
		byID[d.ID] = d
	}
	return byID, nil
}
