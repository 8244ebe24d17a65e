// Package move copies the data of a Milepost from its SQLite files to PostgreSQL.
//
// Guarantees: what arrives is what was there, by a digest of each table on both sides.
// A move that was interrupted goes on where it was, and until it is complete no
// Milepost starts on the database. The files keep all that they hold.
//
// It knows the tables by their columns alone, so a new table needs nothing here.
package move

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"

	"milepost/internal/inbox"
	"milepost/internal/store"
)

// stays are the tables that have no meaning elsewhere: they tie the two files together,
// or belong to a process.
var stays = []string{"inbox_cursor", "inbox_identity", "leases"}

// chunk is how many rows one transaction copies.
const chunk = 20_000

// Table is what was moved of one table.
type Table struct {
	Name string
	Rows int64
}

// Config says what to move, and tells how far it is.
type Config struct {
	Dir string // the data directory; the caller holds its lock
	To  string // the PostgreSQL database
	// Progress is called after each transaction, with the rows so far.
	Progress func(table string, rows int64)
	Logger   zerolog.Logger
	Now      func() time.Time
}

// Run moves everything, or goes on with it, and returns the tables by name.
func Run(ctx context.Context, cfg Config) (_ []Table, err error) {
	st, err := store.OpenSQLite(ctx, cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	cursor, err := join(ctx, cfg, st)
	if err != nil {
		return nil, err
	}
	webhooks, err := store.SQLiteDB(filepath.Join(cfg.Dir, "inbox.db"), 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, webhooks.Close()) }()
	if err := store.MigratePostgres(ctx, cfg.To); err != nil {
		return nil, err
	}
	pool, err := store.PostgresPool(ctx, cfg.To, 2)
	if err != nil {
		return nil, err
	}
	defer pool.Close()

	m := &mover{cfg: cfg, pool: pool}
	if err := m.begin(ctx, st.File().Read); err != nil {
		return nil, err
	}
	tables, err := tablesOf(ctx, st.File().Read, "")
	if err != nil {
		return nil, err
	}
	// SQLite tells by a cursor what was dispatched, PostgreSQL by a column.
	inboxTables, err := tablesOf(ctx, webhooks, fmt.Sprintf("id <= %d AS dispatched", cursor))
	if err != nil {
		return nil, err
	}
	tables = append(tables, inboxTables...)
	if err := m.check(ctx, tables); err != nil {
		return nil, err
	}
	var moved []Table
	for _, t := range tables {
		rows, err := m.move(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("move the table %s: %w", t.name, err)
		}
		moved = append(moved, Table{t.name, rows})
	}
	jobs, err := m.moveJobs(ctx, st.File().Read)
	if err != nil {
		return nil, fmt.Errorf("move the jobs: %w", err)
	}
	return append(moved, Table{"river_job", jobs}), m.end(ctx)
}

// join makes the files belong together, as a start would, and returns how far the
// webhooks are dispatched.
func join(ctx context.Context, cfg Config, st *store.Store) (cursor int64, err error) {
	in, err := inbox.OpenSQLite(ctx, cfg.Dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := in.Join(ctx, st, inbox.JoinConfig{Logger: cfg.Logger, Now: cfg.Now}); err != nil {
		return 0, err
	}
	bound, err := st.InboxBinding(ctx)
	return bound.Cursor, err
}

// table is one of the files' tables.
type table struct {
	db      *sql.DB
	name    string
	columns []string
	selects []string // an expression for each column
	rowid   bool     // it can be read in parts
}

// tablesOf lists the tables of a file that move. computed is an expression for a
// column that only PostgreSQL has, or "".
func tablesOf(ctx context.Context, db *sql.DB, computed string) (tables []table, err error) {
	rows, err := db.QueryContext(ctx, `SELECT s.name, c.name, s.sql NOT LIKE '%WITHOUT ROWID%' FROM sqlite_schema s JOIN pragma_table_info(s.name) c
		WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite~_%' ESCAPE '~' AND s.name NOT LIKE 'goose~_%' ESCAPE '~' AND s.name NOT LIKE 'river~_%' ESCAPE '~'
		ORDER BY s.name, c.cid`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		t := table{db: db}
		var column string
		if err := rows.Scan(&t.name, &column, &t.rowid); err != nil {
			return nil, err
		}
		if slices.Contains(stays, t.name) {
			continue
		}
		if len(tables) == 0 || tables[len(tables)-1].name != t.name {
			tables = append(tables, t)
		}
		last := &tables[len(tables)-1]
		last.columns, last.selects = append(last.columns, column), append(last.selects, quote(column))
	}
	if expression, column, ok := strings.Cut(computed, " AS "); ok {
		for i := range tables {
			tables[i].columns, tables[i].selects = append(tables[i].columns, column), append(tables[i].selects, expression)
		}
	}
	return tables, rows.Err()
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// read reads the rows after a row id, in its order, and not more than limit.
func (t *table) read(ctx context.Context, after int64, limit int) (*sql.Rows, error) {
	columns := strings.Join(t.selects, ", ")
	if !t.rowid {
		return t.db.QueryContext(ctx, `SELECT 0, `+columns+` FROM `+quote(t.name))
	}
	return t.db.QueryContext(ctx, `SELECT rowid, `+columns+` FROM `+quote(t.name)+` WHERE rowid > ? ORDER BY rowid LIMIT ?`, after, limit)
}

// scan reads one row as PostgreSQL takes it.
func (t *table) scan(rows *sql.Rows) (rowid int64, values []any, err error) {
	values = make([]any, len(t.columns))
	into := []any{&rowid}
	for i := range values {
		into = append(into, &values[i])
	}
	if err := rows.Scan(into...); err != nil {
		return 0, nil, err
	}
	for i, v := range values {
		if text, ok := v.(string); ok { // PostgreSQL takes no others
			values[i] = strings.ReplaceAll(strings.ToValidUTF8(text, "�"), "\x00", "")
		}
		if n, ok := v.(int64); ok && t.columns[i] == "dispatched" {
			values[i] = n == 1
		}
	}
	return rowid, values, nil
}

// digest is a sum over all rows that does not depend on their order.
type digest struct {
	rows   int64
	hi, lo uint64
}

func (d *digest) add(values []any) {
	h := sha256.New()
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			h.Write([]byte("n"))
		case string:
			fmt.Fprintf(h, "s%d:%s", len(v), v)
		case []byte:
			fmt.Fprintf(h, "b%d:%s", len(v), v)
		default: // numbers of whatever width, and booleans
			fmt.Fprintf(h, "v%v;", v)
		}
	}
	sum := h.Sum(nil)
	d.rows++
	d.hi += binary.BigEndian.Uint64(sum)
	d.lo += binary.BigEndian.Uint64(sum[8:])
}

// digestHere is the digest of a table of the files.
func (t *table) digestHere(ctx context.Context) (d digest, err error) {
	for after, more := int64(0), true; more; {
		before := d.rows
		if after, err = t.digestChunk(ctx, after, &d); err != nil {
			return d, err
		}
		more = t.rowid && d.rows-before == chunk
	}
	return d, nil
}

// digestChunk adds the rows after a row id, and returns the last one's.
func (t *table) digestChunk(ctx context.Context, after int64, d *digest) (last int64, err error) {
	rows, err := t.read(ctx, after, chunk)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	last = after
	for rows.Next() {
		var values []any
		if last, values, err = t.scan(rows); err != nil {
			return 0, err
		}
		d.add(values)
	}
	return last, rows.Err()
}

// digestThere is the digest of the same columns in PostgreSQL.
func (t *table) digestThere(ctx context.Context, pool *pgxpool.Pool) (d digest, err error) {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = quote(c)
	}
	rows, err := pool.Query(ctx, `SELECT `+strings.Join(names, ", ")+` FROM `+quote(t.name))
	if err != nil {
		return d, err
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return d, err
		}
		d.add(values)
	}
	return d, rows.Err()
}

// columnsThere lists the columns of each table in PostgreSQL.
func columnsThere(ctx context.Context, pool *pgxpool.Pool) (map[string][]string, error) {
	rows, err := pool.Query(ctx, `SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = current_schema()`)
	if err != nil {
		return nil, err
	}
	columns := map[string][]string{}
	var name, column string
	_, err = pgx.ForEachRow(rows, []any{&name, &column}, func() error {
		columns[name] = append(columns[name], column)
		return nil
	})
	return columns, err
}
