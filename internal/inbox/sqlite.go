package inbox

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"milepost/internal/store"
)

//go:embed migrations
var migrations embed.FS

// sqliteLog is a separate file, inbox.db. Sharing a file with the job queue made the
// acknowledgement ten times slower under load.
type sqliteLog struct {
	file     *store.SQLiteFile
	insert   *sql.Stmt
	insertAt *sql.Stmt // inserts with a given number, from which SQLite counts on
	taken    int64     // used only in a write transaction
}

// OpenSQLite opens or creates the inbox in the data directory dir.
func OpenSQLite(ctx context.Context, dir string) (*Inbox, error) {
	path := filepath.Join(dir, "inbox.db")
	file, err := store.OpenSQLiteFile(ctx, path, 2, func(ctx context.Context, db *sql.DB) error {
		files, err := fs.Sub(migrations, "migrations")
		if err != nil {
			return err
		}
		return store.Migrate(ctx, store.SQLite, db, files)
	})
	if err != nil {
		return nil, err
	}
	if err := file.OpenReads(ctx); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	l := &sqliteLog{file: file}
	const into, values = `INSERT INTO inbox (webhook_id, type, location_id, kind, entity_id, contact_id, deleted, received_at, body`,
		`VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9`
	if l.insert, err = file.Write.PrepareContext(ctx, into+`) `+values+`) ON CONFLICT (webhook_id) DO NOTHING`); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if l.insertAt, err = file.Write.PrepareContext(ctx, into+`, id) `+values+`, $10) ON CONFLICT (webhook_id) DO NOTHING`); err != nil {
		return nil, errors.Join(err, l.insert.Close(), file.Close())
	}
	return open(l, 1), nil
}

func (l *sqliteLog) append(ctx context.Context, batch []Webhook) (duplicate []bool, err error) {
	tx, err := l.file.Write.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	if duplicate, err = l.insertAll(ctx, tx, batch); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return nil, err
	}
	return duplicate, l.file.Check() // a commit to a deleted file stores nothing
}

func (l *sqliteLog) insertAll(ctx context.Context, tx *sql.Tx, batch []Webhook) (duplicate []bool, err error) {
	insert, insertAt := tx.StmtContext(ctx, l.insert), (*sql.Stmt)(nil)
	if l.taken > 0 {
		var newest int64
		if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM inbox`).Scan(&newest); err != nil {
			return nil, err
		}
		if newest < l.taken {
			insertAt = tx.StmtContext(ctx, l.insertAt)
		} else {
			l.taken = 0 // not needed until the next Join, because prune keeps the newest webhook
		}
	}
	duplicate = make([]bool, len(batch))
	for i, w := range batch {
		args := []any{
			webhookID(w), w.Type, w.Entity.LocationID, w.Entity.Kind, w.Entity.ID,
			w.ContactID, w.Deleted, w.ReceivedAt.UnixMicro(), w.Body,
		}
		var res sql.Result
		if insertAt != nil {
			res, err = insertAt.ExecContext(ctx, append(args, l.taken+1)...)
		} else {
			res, err = insert.ExecContext(ctx, args...)
		}
		if err != nil {
			return nil, err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return nil, err
		}
		if duplicate[i] = n == 0; !duplicate[i] {
			insertAt = nil
		} else if err := stored(ctx, tx, w.WebhookID); err != nil {
			return nil, err
		}
	}
	return duplicate, nil
}

// stored fails if a webhook is in the index but not in the table: the file is damaged, and
// Milepost would acknowledge a webhook that it does not have.
func stored(ctx context.Context, tx *sql.Tx, webhookID string) error {
	var id string
	err := tx.QueryRowContext(ctx, `SELECT webhook_id FROM inbox WHERE id = (SELECT id FROM inbox WHERE webhook_id = $1)`, webhookID).Scan(&id)
	if err == nil && id != webhookID {
		err = errors.New("another one is in its place")
	}
	if err != nil {
		return fmt.Errorf("look for the webhook %s, which is in the index: %w", webhookID, err)
	}
	return nil
}

// webhookID is NULL for a webhook without an id, because NULLs never equal each other.
func webhookID(w Webhook) any {
	if w.WebhookID == "" {
		return nil
	}
	return w.WebhookID
}

// claim reads on from the cursor. With one dispatcher and one writer, ids become visible in
// order.
func (l *sqliteLog) claim(ctx context.Context, tx *store.Tx, limit int) ([]store.Delivery, error) {
	cursor, err := l.cursor(ctx, tx)
	if err != nil {
		return nil, err
	}
	out, err := l.after(ctx, cursor, limit)
	if err != nil {
		return nil, &unreadableError{err}
	}
	if len(out) == 0 {
		return nil, nil
	}
	_, err = tx.Exec(ctx, `UPDATE inbox_cursor SET id = $1`, out[len(out)-1].ID)
	return out, err
}

func (l *sqliteLog) after(ctx context.Context, cursor int64, limit int) ([]store.Delivery, error) {
	return readAfter(ctx, l.file.Read, deliveredBody, cursor, limit)
}

// readAfter reads webhooks after a number; body is the SQL expression for their bodies.
func readAfter(ctx context.Context, db interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, body string, after int64, limit int,
) (out []store.Delivery, err error) {
	rows, err := db.QueryContext(ctx, `SELECT id, coalesce(webhook_id, ''), type, location_id, kind, entity_id, contact_id, deleted, received_at, `+body+`
		FROM inbox WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		d, err := scanDelivery(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, rows.Err()
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

// deliveredBody selects the bodies of records that Milepost cannot fetch: those of a
// Delivered kind (store.Delivered), and deleted ones.
const deliveredBody = `CASE WHEN kind IN ('` + store.KindWorkflow + `', '` + store.KindInstall + `', '` + store.KindCalendarContact + `') OR deleted = 1 THEN body END`

// scanDelivery reads id, webhook_id, type, location_id, kind, entity_id,
// contact_id, deleted, received_at, deliveredBody.
func scanDelivery(rows interface{ Scan(...any) error }) (d store.Delivery, err error) {
	var deleted, received int64
	err = rows.Scan(&d.ID, &d.WebhookID, &d.Type, &d.Entity.LocationID, &d.Entity.Kind, &d.Entity.ID,
		&d.ContactID, &deleted, &received, &d.Body)
	d.Deleted, d.ReceivedAt = deleted == 1, time.UnixMicro(received).UTC()
	return d, err
}

// ready takes the write lock, but writes nothing.
func (l *sqliteLog) ready(ctx context.Context) error {
	if err := l.file.Check(); err != nil {
		return err
	}
	tx, err := l.file.Write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	return tx.Rollback()
}

// probe writes as much as several webhooks need.
func (l *sqliteLog) probe(ctx context.Context) error {
	if _, err := l.file.Write.ExecContext(ctx, `UPDATE inbox_identity SET probe = randomblob($1)`, probeSize); err != nil {
		return err
	}
	return l.file.Check()
}

// namesContact selects the webhooks of location $1 that named contact $2.
const namesContact = `location_id = $1 AND (contact_id = $2 OR kind = 'contact' AND entity_id = $2) AND length(body) > 0`

func (l *sqliteLog) idsOfContact(ctx context.Context, locationID, contactID string) (ids []int64, err error) {
	rows, err := l.file.Read.QueryContext(ctx, `SELECT id FROM inbox WHERE `+namesContact, locationID, contactID)
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

func (l *sqliteLog) body(ctx context.Context, id int64) (body []byte, ok bool, err error) {
	err = l.file.Read.QueryRowContext(ctx, `SELECT body FROM inbox WHERE id = $1`, id).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return body, err == nil, err
}

func (l *sqliteLog) find(ctx context.Context, webhookID string) (id int64, ok bool, err error) {
	err = l.file.Read.QueryRowContext(ctx, `SELECT id FROM inbox WHERE webhook_id = $1`, webhookID).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return id, err == nil, err
}

func (l *sqliteLog) erase(ctx context.Context, ids []int64) (int64, error) {
	res, err := l.file.Write.ExecContext(ctx, `UPDATE inbox SET body = x'' WHERE id IN (SELECT value FROM json_each($1)) AND length(body) > 0`, list(ids))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// list is a list of numbers for json_each.
func list(ids []int64) string {
	text, _ := json.Marshal(ids) // numbers never fail
	return string(text)
}

func (l *sqliteLog) scrub(ctx context.Context) error {
	return store.ScrubSQLite(ctx, l.file.Write, l.file.Read)
}

// prune never deletes the newest webhook, because SQLite would use its id again.
func (l *sqliteLog) prune(ctx context.Context, before time.Time) (int64, error) {
	res, err := l.file.Write.ExecContext(ctx, `DELETE FROM inbox WHERE id IN (
		SELECT id FROM inbox WHERE received_at < $1 AND id < (SELECT max(id) FROM inbox) ORDER BY received_at LIMIT 1000)`,
		before.UnixMicro())
	if err != nil {
		return 0, fmt.Errorf("delete old webhooks: %w", err)
	}
	return res.RowsAffected()
}

func (l *sqliteLog) check() error { return l.file.Check() }

func (l *sqliteLog) verify(ctx context.Context) error { return l.file.Verify(ctx) }

func (l *sqliteLog) close() error {
	return errors.Join(l.insert.Close(), l.insertAt.Close(), l.file.Close())
}
