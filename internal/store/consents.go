package store

import (
	"context"
	"fmt"
	"time"
)

// HeldInvites counts the open requests of an item that stay with the account's owner,
// although their automation now invites somebody else.
type HeldInvites struct {
	Item       string
	LocationID string
	Requests   int
}

// HeldInvites lists, for those of the given items that nobody agreed to, where requests
// stay with the owner.
func (s *Store) HeldInvites(ctx context.Context, items []string, now time.Time) ([]HeldInvites, error) {
	if len(items) == 0 {
		return nil, nil
	}
	rows, err := s.Query(ctx, `SELECT item, location_id, count(*) FROM links WHERE `+heldIn(len(items))+`
		AND item NOT IN (SELECT item FROM consents) GROUP BY item, location_id ORDER BY item, location_id`, heldArgs(now, items)...)
	list, err := collect(rows, err, func(r Rows) (h HeldInvites, err error) { return h, r.Scan(&h.Item, &h.LocationID, &h.Requests) })
	if err != nil {
		return nil, fmt.Errorf("count the requests that stay with the owner: %w", err)
	}
	return list, nil
}

// heldIn selects the links of n items whose requests are open and invite the owner.
func heldIn(n int) string {
	return `item_kind IN ('event', 'task') AND invited = 'owner' AND state NOT IN ('gone', 'deleting')
		AND meeting IN ('', 'pending', 'booked', 'rescheduled') AND end_at > $1 AND item IN (` + parameters(2, n) + `)`
}

func heldArgs(now time.Time, items []string) []any {
	args := []any{micros(now)}
	for _, item := range items {
		args = append(args, item)
	}
	return args
}

// InviteAllowed reports whether the requests of an item may change their invitee from the
// account's owner to somebody else.
func (s *Store) InviteAllowed(ctx context.Context, item string) (bool, error) {
	rows, err := s.Query(ctx, `SELECT 1 FROM consents WHERE item = $1`, item)
	found, err := collect(rows, err, func(r Rows) (n int, err error) { return n, r.Scan(&n) })
	if err != nil {
		return false, fmt.Errorf("read whether item %s may invite others: %w", item, err)
	}
	return len(found) > 0, nil
}

// AllowInvites lets the requests of these items invite the people that their automations
// name, instead of the account's owner. It queues syncs of their records, and returns the
// number of open requests.
func (s *Store) AllowInvites(ctx context.Context, items []string, now time.Time) (n int, err error) {
	if len(items) == 0 {
		return 0, nil
	}
	err = s.InTx(ctx, func(tx *Tx) error {
		for _, item := range items {
			if _, err := tx.Exec(ctx, `INSERT INTO consents (item, agreed_at) VALUES ($1, $2) ON CONFLICT (item) DO NOTHING`, item, micros(now)); err != nil {
				return err
			}
		}
		rows, err := tx.Query(ctx, `SELECT location_id, kind, entity_id FROM links WHERE `+heldIn(len(items)), heldArgs(now, items)...)
		list, err := collect(rows, err, func(r Rows) (e Entity, err error) { return e, r.Scan(&e.LocationID, &e.Kind, &e.ID) })
		if err != nil {
			return err
		}
		n = len(list)
		return tx.requeue(ctx, list, false, byBackfill)
	})
	if err != nil {
		return 0, fmt.Errorf("let requests invite others than the owner: %w", err)
	}
	return n, nil
}

// KeepConsents deletes the consents for all other items. If an automation invites the owner
// again and later somebody else, Milepost must ask again.
func (s *Store) KeepConsents(ctx context.Context, items []string) error {
	not, args := "", make([]any, len(items))
	for i, item := range items {
		args[i] = item
	}
	if len(items) > 0 {
		not = ` WHERE item NOT IN (` + parameters(1, len(items)) + `)`
	}
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM consents`+not, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete the consents of former automations: %w", err)
	}
	return nil
}
