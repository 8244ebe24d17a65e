package inbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"milepost/internal/store"
)

// pgLog is a table next to the state. Ids become visible out of order there, so dispatchers
// claim rows instead of using a cursor.
type pgLog struct{ pool *pgxpool.Pool }

// pgCommitters is how many commits may run at once; each waits for the server's disk.
const pgCommitters = 4

// OpenPostgres opens the inbox in the database at url. store.OpenPostgres must have created
// its tables.
func OpenPostgres(ctx context.Context, url string) (*Inbox, error) {
	pool, err := store.PostgresPool(ctx, url, pgCommitters+2)
	if err != nil {
		return nil, err
	}
	return open(&pgLog{pool: pool}, pgCommitters), nil
}

func (l *pgLog) append(ctx context.Context, batch []Webhook) ([]bool, error) {
	n := len(batch)
	ids, types, locations := make([]*string, n), make([]string, n), make([]string, n)
	kinds, entities, contacts := make([]string, n), make([]string, n), make([]string, n)
	deleted, received, bodies := make([]int64, n), make([]int64, n), make([][]byte, n)
	for i := range batch {
		w := &batch[i]
		if w.WebhookID != "" {
			ids[i] = &w.WebhookID
		}
		types[i], locations[i], kinds[i], entities[i], contacts[i] = w.Type, w.Entity.LocationID, w.Entity.Kind, w.Entity.ID, w.ContactID
		if w.Deleted {
			deleted[i] = 1
		}
		received[i], bodies[i] = w.ReceivedAt.UnixMicro(), w.Body
	}
	rows, err := l.pool.Query(ctx, `INSERT INTO inbox
		(webhook_id, type, location_id, kind, entity_id, contact_id, deleted, received_at, body)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::bytea[])
		ON CONFLICT (webhook_id) DO NOTHING RETURNING coalesce(webhook_id, '')`,
		ids, types, locations, kinds, entities, contacts, deleted, received, bodies)
	if err != nil {
		return nil, err
	}
	stored, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	fresh := make(map[string]bool, len(stored))
	for _, id := range stored {
		fresh[id] = true
	}
	duplicate := make([]bool, n)
	for i, id := range ids {
		if id != nil {
			duplicate[i] = !fresh[*id]
			fresh[*id] = false // another webhook of this batch with the same id is a duplicate
		}
	}
	return duplicate, nil
}

func (l *pgLog) claim(ctx context.Context, tx *store.Tx, limit int) ([]store.Delivery, error) {
	rows, err := tx.Query(ctx, `UPDATE inbox SET dispatched = TRUE WHERE id IN (
			SELECT id FROM inbox WHERE NOT dispatched ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
		RETURNING id, coalesce(webhook_id, ''), type, location_id, kind, entity_id, contact_id, deleted, received_at, `+deliveredBody, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []store.Delivery
	for rows.Next() {
		d, err := scanDelivery(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, rows.Err()
}

func (l *pgLog) ready(ctx context.Context) error {
	var readOnly bool
	if err := l.pool.QueryRow(ctx, `SELECT pg_is_in_recovery()`).Scan(&readOnly); err != nil {
		return err
	}
	if readOnly {
		return fmt.Errorf("the PostgreSQL server is a read-only standby")
	}
	return nil
}

// probe writes an expired lease, because PostgreSQL does not sync a transaction without a
// change.
func (l *pgLog) probe(ctx context.Context) error {
	_, err := l.pool.Exec(ctx, `INSERT INTO leases (name, holder, expires_at) VALUES ('storage probe', '', 0)
		ON CONFLICT (name) DO UPDATE SET expires_at = 0`)
	return err
}

// join has little to do, because the inbox and the state are one database and are restored
// together. But a logical copy or replica may hold the rows without their sequence.
func (l *pgLog) join(ctx context.Context, _ *store.Store, _ JoinConfig) error {
	// setval instead of nextval could undo what other processes do at the same time.
	_, err := l.pool.Exec(ctx, `SELECT count(nextval(pg_get_serial_sequence('inbox', 'id')))
		FROM generate_series(1, greatest((SELECT max(id) FROM inbox), (SELECT max(id) FROM deliveries))
			- coalesce(pg_sequence_last_value(pg_get_serial_sequence('inbox', 'id')), 0))`)
	if err != nil {
		return fmt.Errorf("raise the numbers of webhooks above those of the deliveries: %w", err)
	}
	return nil
}

func (l *pgLog) idsOfContact(ctx context.Context, locationID, contactID string) ([]int64, error) {
	rows, err := l.pool.Query(ctx, `SELECT id FROM inbox WHERE `+namesContact, locationID, contactID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

func (l *pgLog) body(ctx context.Context, id int64) (body []byte, ok bool, err error) {
	err = l.pool.QueryRow(ctx, `SELECT body FROM inbox WHERE id = $1`, id).Scan(&body)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	return body, err == nil, err
}

func (l *pgLog) find(ctx context.Context, webhookID string) (id int64, ok bool, err error) {
	err = l.pool.QueryRow(ctx, `SELECT id FROM inbox WHERE webhook_id = $1`, webhookID).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	return id, err == nil, err
}

func (l *pgLog) erase(ctx context.Context, ids []int64) (int64, error) {
	tag, err := l.pool.Exec(ctx, `UPDATE inbox SET body = '' WHERE id = ANY($1) AND length(body) > 0`, ids)
	return tag.RowsAffected(), err
}

func (l *pgLog) prune(ctx context.Context, before time.Time) (int64, error) {
	tag, err := l.pool.Exec(ctx, `DELETE FROM inbox WHERE id IN (
		SELECT id FROM inbox WHERE received_at < $1 AND dispatched ORDER BY received_at LIMIT 1000)`, before.UnixMicro())
	if err != nil {
		return 0, fmt.Errorf("delete old webhooks: %w", err)
	}
	return tag.RowsAffected(), nil
}

func (*pgLog) check() error { return nil } // the server looks after its files

func (*pgLog) verify(context.Context) error { return nil }

func (l *pgLog) close() error {
	l.pool.Close()
	return nil
}

// scrub does nothing, because store.Scrub includes the inbox's table.
func (l *pgLog) scrub(context.Context) error { return nil }
