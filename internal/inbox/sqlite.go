package inbox

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"

	"milepost/internal/store"
)

//go:embed migrations
var migrations embed.FS

// sqliteLog is a file of its own, inbox.db: sharing a file with the job queue
// made the acknowledgement ten times slower under load.
type sqliteLog struct {
	write, read *sql.DB
	insert      *sql.Stmt
}

// OpenSQLite opens, or makes, the inbox in the data directory dir.
func OpenSQLite(ctx context.Context, dir string) (*Inbox, error) {
	path := filepath.Join(dir, "inbox.db")
	write, err := store.SQLiteDB(path, 1)
	if err != nil {
		return nil, err
	}
	l := &sqliteLog{write: write}
	if err := store.Migrate(ctx, goose.DialectSQLite3, write, migrations, "migrations"); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the inbox %s: %w", path, err), write.Close())
	}
	if l.insert, err = write.PrepareContext(ctx, `INSERT INTO inbox
		(webhook_id, type, location_id, kind, entity_id, contact_id, deleted, received_at, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (webhook_id) DO NOTHING`); err != nil {
		return nil, errors.Join(err, write.Close())
	}
	if l.read, err = store.SQLiteDB(path, 2); err != nil {
		return nil, errors.Join(err, write.Close())
	}
	return open(l, 1), nil
}

func (l *sqliteLog) append(ctx context.Context, batch []Webhook) ([]bool, error) {
	tx, err := l.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	insert := tx.StmtContext(ctx, l.insert)
	duplicate := make([]bool, len(batch))
	for i, w := range batch {
		res, err := insert.ExecContext(ctx, webhookID(w), w.Type, w.Entity.LocationID, w.Entity.Kind, w.Entity.ID,
			w.ContactID, w.Deleted, w.ReceivedAt.UnixMicro(), w.Body)
		if err != nil {
			return nil, errors.Join(err, tx.Rollback())
		}
		n, err := res.RowsAffected()
		if err != nil {
			return nil, errors.Join(err, tx.Rollback())
		}
		duplicate[i] = n == 0
	}
	return duplicate, tx.Commit()
}

// webhookID is NULL where there is none, since NULLs are never equal.
func webhookID(w Webhook) any {
	if w.WebhookID == "" {
		return nil
	}
	return w.WebhookID
}

// claim reads on from the cursor. There is one dispatcher and one writer, so
// ids become visible in order.
func (l *sqliteLog) claim(ctx context.Context, tx *store.Tx, limit int) ([]store.Delivery, error) {
	cursor, err := l.cursor(ctx, tx)
	if err != nil {
		return nil, err
	}
	rows, err := l.read.QueryContext(ctx, `SELECT id, coalesce(webhook_id, ''), type, location_id, kind, entity_id, contact_id, deleted, received_at, `+deliveredBody+`
		FROM inbox WHERE id > $1 ORDER BY id LIMIT $2`, cursor, limit)
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
	if err := rows.Err(); err != nil || len(out) == 0 {
		return nil, err
	}
	_, err = tx.Exec(ctx, `UPDATE inbox_cursor SET id = $1`, out[len(out)-1].ID)
	return out, err
}

func (l *sqliteLog) cursor(ctx context.Context, tx *store.Tx) (cursor int64, err error) {
	rows, err := tx.Query(ctx, `SELECT id FROM inbox_cursor`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	if rows.Next() {
		err = rows.Scan(&cursor)
	}
	return cursor, errors.Join(err, rows.Err())
}

// deliveredBody selects the body of what cannot be fetched (store.Delivered).
const deliveredBody = `CASE WHEN kind IN ('` + store.KindWorkflow + `', '` + store.KindInstall + `', '` + store.KindCalendarContact + `') THEN body END`

// scanDelivery reads id, webhook_id, type, location_id, kind, entity_id,
// contact_id, deleted, received_at, deliveredBody.
func scanDelivery(rows interface{ Scan(...any) error }) (d store.Delivery, err error) {
	var deleted, received int64
	err = rows.Scan(&d.ID, &d.WebhookID, &d.Type, &d.Entity.LocationID, &d.Entity.Kind, &d.Entity.ID,
		&d.ContactID, &deleted, &received, &d.Body)
	d.Deleted, d.ReceivedAt = deleted == 1, time.UnixMicro(received).UTC()
	return d, err
}

// ready takes the write lock, and writes nothing.
func (l *sqliteLog) ready(ctx context.Context) error {
	tx, err := l.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	return tx.Rollback()
}

// namesContact selects the webhooks of location $1 that named contact $2.
const namesContact = `location_id = $1 AND (contact_id = $2 OR kind = 'contact' AND entity_id = $2) AND length(body) > 0`

func (l *sqliteLog) naming(ctx context.Context, locationID, contactID string) (ids []int64, err error) {
	rows, err := l.read.QueryContext(ctx, `SELECT id FROM inbox WHERE `+namesContact, locationID, contactID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func (l *sqliteLog) erase(ctx context.Context, ids []int64) (int64, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return 0, err
	}
	res, err := l.write.ExecContext(ctx, `UPDATE inbox SET body = x'' WHERE id IN (SELECT value FROM json_each($1)) AND length(body) > 0`, string(list))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// prune never deletes the newest webhook: SQLite would give its id out again.
func (l *sqliteLog) prune(ctx context.Context, before time.Time) (int64, error) {
	res, err := l.write.ExecContext(ctx, `DELETE FROM inbox WHERE id IN (
		SELECT id FROM inbox WHERE received_at < $1 AND id < (SELECT max(id) FROM inbox) ORDER BY received_at LIMIT 1000)`,
		before.UnixMicro())
	if err != nil {
		return 0, fmt.Errorf("delete old webhooks: %w", err)
	}
	return res.RowsAffected()
}

func (l *sqliteLog) close() error {
	return errors.Join(l.insert.Close(), l.read.Close(), l.write.Close())
}
