package inbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/outage"
	"milepost/internal/store"
)

// EmptyState says what to do with the webhooks of an inbox if the state database next to it
// is empty. Only a person knows whether the state was lost.
type EmptyState string

// The choices for an empty state database.
const (
	AskFirst EmptyState = ""       // do not start
	Replay   EmptyState = "replay" // the state was lost: dispatch the webhooks again
	Skip     EmptyState = "skip"   // start over: dispatch only what arrives from now on
)

// ErrEmptyState means that the state database is empty and the inbox is not.
var ErrEmptyState = errors.New("the state database is empty")

type JoinConfig struct {
	Logger     zerolog.Logger
	Now        func() time.Time
	EmptyState EmptyState
}

// Join makes the inbox and the state database belong together. The one process that uses
// both calls it before it accepts webhooks.
//
// If one of the two was restored, lost or swapped, Join finds the webhooks that the state
// database has not dispatched, and makes sure that they are dispatched. New webhooks get
// numbers that no delivery has. Join logs what it found.
func (in *Inbox) Join(ctx context.Context, st *store.Store, cfg JoinConfig) error {
	in.outage.Store(outage.New(cfg.Logger, "webhook storage", cfg.Now))
	if err := in.log.join(ctx, st, cfg); err != nil {
		return err
	}
	in.joined.Store(true)
	return nil
}

// Decide resolves ErrEmptyState with a person's choice of what happens to the webhooks. It
// returns how many there are, and an error if the state database is not empty. With AskFirst
// it only counts them.
func (in *Inbox) Decide(ctx context.Context, st *store.Store, choice EmptyState, now func() time.Time) (webhooks int64, err error) {
	l, ok := in.log.(*sqliteLog)
	if !ok {
		return 0, errors.New("there is nothing to decide")
	}
	bound, err := st.InboxBinding(ctx)
	if err != nil {
		return 0, err
	}
	if webhooks, err = l.count(ctx); err != nil {
		return 0, fmt.Errorf("count the webhooks in the inbox: %w", err)
	}
	if !empty(bound) || webhooks == 0 {
		return 0, errors.New("there is nothing to decide, because milepost.db is not empty, or inbox.db is; start `milepost serve`")
	}
	if choice == AskFirst {
		return webhooks, nil
	}
	return webhooks, in.Join(ctx, st, JoinConfig{Logger: zerolog.Nop(), Now: now, EmptyState: choice})
}

// empty reports whether a state database knows no inbox and no webhook.
func empty(bound store.InboxBinding) bool { return bound.Inbox == "" && bound.Highest == 0 }

func (l *sqliteLog) join(ctx context.Context, st *store.Store, cfg JoinConfig) error {
	bound, err := st.InboxBinding(ctx)
	if err != nil {
		return err
	}
	self, err := l.identify(ctx)
	if err != nil {
		return err
	}
	next := store.InboxBinding{
		Inbox: rand.Text(), Previous: self.id, Cursor: bound.Cursor,
		Mismatch: bound.Mismatch, MismatchAt: bound.MismatchAt,
	}
	taken := max(self.taken, bound.Highest)
	switch {
	case empty(bound):
		if self.newest > 0 && cfg.EmptyState == AskFirst {
			n, err := l.count(ctx)
			return errors.Join(err, fmt.Errorf("%w, but inbox.db beside it holds %d webhooks", ErrEmptyState, n))
		}
		if cfg.EmptyState == Skip {
			next.Cursor = self.newest
			taken = max(taken, self.newest)
		}
	case self.belongsTo(bound): // unchanged since the last run
	default:
		found, err := l.renumber(ctx, st, bound, self)
		if err != nil {
			return fmt.Errorf("find the webhooks that were not dispatched: %w", err)
		}
		next.Cursor = bound.Highest
		next.Mismatch, next.MismatchAt = found.describe(bound, self), cfg.Now()
		cfg.Logger.Warn().Int64("webhooks", found.webhooks).Int64("newest", self.newest).Int64("cursor", bound.Cursor).
			Int64("dispatching", found.waiting).Str("found", next.Mismatch).
			Msg("inbox.db and milepost.db do not match; processing every webhook in inbox.db that was not processed")
	}
	// Keep this order: an interrupted start then still finds the former identity, and the
	// numbers that are taken.
	if err := l.reserve(ctx, taken); err != nil {
		return err
	}
	if err := st.BindInbox(ctx, next); err != nil {
		return err
	}
	if _, err := l.file.Write.ExecContext(ctx, `UPDATE inbox_identity SET id = $1`, next.Inbox); err != nil {
		return fmt.Errorf("give the inbox its identity: %w", err)
	}
	return nil
}

// identity is what an inbox file says about itself.
type identity struct {
	id     string
	taken  int64 // new webhooks get higher numbers than this
	newest int64 // the highest number of a webhook; 0 = there is none
}

func (l *sqliteLog) identify(ctx context.Context) (self identity, err error) {
	err = l.file.Write.QueryRowContext(ctx, `SELECT id, taken, coalesce((SELECT max(id) FROM inbox), 0) FROM inbox_identity`).
		Scan(&self.id, &self.taken, &self.newest)
	if err != nil {
		return self, fmt.Errorf("read the identity of the inbox: %w", err)
	}
	return self, nil
}

func (l *sqliteLog) count(ctx context.Context) (n int64, err error) {
	return n, l.file.Read.QueryRowContext(ctx, `SELECT count(*) FROM inbox`).Scan(&n)
}

// known reports whether the inbox's identity comes from this state database.
func (self identity) known(bound store.InboxBinding) bool {
	return bound.Inbox == store.UnknownInbox || self.id == bound.Inbox || self.id == bound.Previous
}

// belongsTo reports whether a state database has dispatched the first webhooks of this
// inbox and no others. One process stored everything under one identity. So of two copies
// with the same identity, one is the beginning of the other.
func (self identity) belongsTo(bound store.InboxBinding) bool {
	return self.known(bound) && bound.Cursor <= max(self.newest, self.taken)
}

// comparison is the result of comparing an inbox with the deliveries.
type comparison struct {
	webhooks   int64 // in the inbox
	dispatched int64 // dispatched by this state database
	hidden     int64 // not dispatched, and never would be, because their numbers were used
	waiting    int64 // not dispatched, including the hidden ones
}

// describe says in words what happened to the files.
func (c comparison) describe(bound store.InboxBinding, self identity) string {
	switch {
	case c.webhooks == 0:
		return "inbox.db is new or empty: the old one was deleted or replaced"
	case self.known(bound), c.hidden == 0 && self.newest < bound.Cursor:
		return "inbox.db is older than milepost.db, or its newest webhooks are lost"
	case c.hidden == 0:
		return "milepost.db is older than inbox.db"
	case c.dispatched == 0:
		return "inbox.db and milepost.db are of different installations"
	default:
		return "inbox.db and milepost.db are copies that were used apart from each other"
	}
}

// compare compares webhooks with the deliveries of the same numbers. It returns the numbers
// of the webhooks that were not dispatched. Numbers up to highest are used by others.
func (c *comparison) compare(webhooks []store.Delivery, deliveries map[int64]store.Delivery, highest int64) (waiting []int64) {
	for _, w := range webhooks {
		c.webhooks++
		if d, ok := deliveries[w.ID]; ok && same(d, w) {
			c.dispatched++
			continue
		}
		if w.ID <= highest {
			c.hidden++
		}
		waiting = append(waiting, w.ID)
	}
	return waiting
}

// renumber compares the inbox with the deliveries, webhook by webhook. If other deliveries
// have used the numbers of waiting webhooks, all waiting webhooks get new, higher numbers
// in the same order.
func (l *sqliteLog) renumber(ctx context.Context, st *store.Store, bound store.InboxBinding, self identity) (c comparison, err error) {
	const chunk = 500
	tx, err := l.file.Write.BeginTx(ctx, nil)
	if err != nil {
		return c, err
	}
	defer func() {
		if rollback := tx.Rollback(); !errors.Is(rollback, sql.ErrTxDone) {
			err = errors.Join(err, rollback)
		}
	}()
	var waiting []int64
	for last, more := int64(0), true; more; {
		webhooks, err := headers(ctx, tx, last, chunk)
		if err != nil {
			return c, err
		}
		more = len(webhooks) == chunk
		if len(webhooks) == 0 {
			break
		}
		last = webhooks[len(webhooks)-1].ID
		deliveries, err := st.DeliveriesBetween(ctx, webhooks[0].ID, last)
		if err != nil {
			return c, err
		}
		waiting = append(waiting, c.compare(webhooks, deliveries, bound.Highest)...)
	}
	c.waiting = int64(len(waiting))
	if c.hidden == 0 {
		return c, nil
	}
	above := max(bound.Highest, self.newest, self.taken)
	for len(waiting) > 0 {
		n := min(len(waiting), chunk)
		if _, err := tx.ExecContext(ctx, `UPDATE inbox SET id = id + $1 WHERE id IN (SELECT value FROM json_each($2))`, above, list(waiting[:n])); err != nil {
			return c, fmt.Errorf("give the webhooks new numbers: %w", err)
		}
		waiting = waiting[n:]
	}
	return c, tx.Commit()
}

// headers reads webhooks after a number, without their bodies.
func headers(ctx context.Context, tx *sql.Tx, after int64, limit int) ([]store.Delivery, error) {
	return readAfter(ctx, tx, "NULL", after, limit)
}

// same reports whether a delivery is the webhook with its number. Times are compared to the
// microsecond.
func same(d, w store.Delivery) bool {
	return d.WebhookID == w.WebhookID && d.Type == w.Type && d.Entity == w.Entity && d.ReceivedAt.Equal(w.ReceivedAt)
}

// reserve makes sure that new webhooks get numbers above n.
func (l *sqliteLog) reserve(ctx context.Context, n int64) error {
	tx, err := l.file.Write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE inbox_identity SET taken = $1`, n); err != nil {
		return errors.Join(fmt.Errorf("save which numbers are taken: %w", err), tx.Rollback())
	}
	l.taken = n // append reads it in a transaction, and only one runs at a time
	return tx.Commit()
}
