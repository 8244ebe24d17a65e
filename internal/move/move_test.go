package move

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"milepost/internal/inbox"
	"milepost/internal/store"
	"milepost/internal/testenv/testdb"
)

// filled makes a data directory with rows in every table, and n in the large ones.
func filled(t *testing.T, n int) (dir string) {
	t.Helper()
	dir = testdb.DataDir(t)
	st, err := store.OpenSQLite(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, err := st.NewQueue(store.QueueConfig{}); err != nil {
		t.Fatal(err)
	}
	if err := st.Requeue(t.Context(), []store.Entity{{LocationID: "loc", Kind: "contact", ID: "c1"}}, false); err != nil {
		t.Fatal(err)
	}
	in, err := inbox.OpenSQLite(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Join(t.Context(), st, inbox.JoinConfig{Logger: zerolog.Nop(), Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	webhooks, err := store.SQLiteDB(filepath.Join(dir, "inbox.db"), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer webhooks.Close()
	large := map[string]int{"deliveries": n, "inbox": n, "links": n / 10}
	for _, db := range []*sql.DB{st.File().Write, webhooks} {
		tables, err := tablesOf(t.Context(), db, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			fill(t, db, table, max(3, large[table.name]))
		}
	}
	if _, err := st.File().Write.ExecContext(t.Context(), `UPDATE inbox_cursor SET id = (SELECT max(id) FROM deliveries) - 1`); err != nil {
		t.Fatal(err)
	}
	return dir
}

// fill inserts rows whose values follow from the types of the columns.
func fill(t *testing.T, db *sql.DB, table table, n int) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT name, type FROM pragma_table_info(?)`, table.name)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var values []string
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			t.Fatal(err)
		}
		switch {
		case name == "one": // of a table with a single row
			values = append(values, "1")
			n = 1
		case strings.HasPrefix(kind, "INT") || kind == "BIGINT" || kind == "SMALLINT":
			values = append(values, "value")
		case kind == "BLOB":
			values = append(values, `CAST(x'00ff' || 'bytes' || value AS BLOB)`)
		default:
			values = append(values, `'Zoë "quoted" \ 🗓 ' || char(9, 10) || value || hex(randomblob(4))`)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < `+strconv.Itoa(n)+`)
		INSERT OR IGNORE INTO `+quote(table.name)+` SELECT `+strings.Join(values, ", ")+` FROM n`); err != nil {
		t.Fatalf("fill %s: %v", table.name, err)
	}
}

func config(dir, to string) Config {
	return Config{Dir: dir, To: to, Logger: zerolog.Nop(), Now: time.Now}
}

// TestEverythingIsMoved moves a database with rows in every table. With
// MILEPOST_TEST_MOVE=100000 it moves so many deliveries, and says how long that takes.
func TestEverythingIsMoved(t *testing.T) {
	to := testdb.Postgres(t)
	n, _ := strconv.Atoi(os.Getenv("MILEPOST_TEST_MOVE"))
	n = max(n, 50)
	dir := filled(t, n)
	start := time.Now()
	tables, err := Run(t.Context(), config(dir, to))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int64{}
	for _, moved := range tables {
		rows[moved.Name] = moved.Rows
		if moved.Rows == 0 {
			t.Errorf("nothing tests the move of %s", moved.Name)
		}
	}
	t.Logf("%d tables, %d deliveries, %d webhooks and %d links in %s", len(tables), rows["deliveries"], rows["inbox"], rows["links"], time.Since(start).Round(time.Millisecond))
	if rows["deliveries"] != int64(n) || rows["links"] != int64(max(3, n/10)) || rows["river_job"] != 1 {
		t.Errorf("moved %v", rows)
	}
	conn, err := pgx.Connect(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var waiting, next int64
	var title, id string
	if err := errors.Join(
		conn.QueryRow(t.Context(), `SELECT count(*) FROM inbox WHERE NOT dispatched`).Scan(&waiting),
		conn.QueryRow(t.Context(), `SELECT title FROM links LIMIT 1`).Scan(&title),
		conn.QueryRow(t.Context(), `SELECT id FROM installation`).Scan(&id),
		conn.QueryRow(t.Context(), `SELECT nextval(pg_get_serial_sequence('inbox', 'id'))`).Scan(&next),
	); err != nil {
		t.Fatal(err)
	}
	if waiting != 1 || !strings.HasPrefix(title, "Zoë \"quoted\" \\ 🗓 \t\n") || id == "" || next != int64(n)+1 {
		t.Errorf("%d webhooks wait, a title is %q, the installation %q, the next webhook %d", waiting, title, id, next)
	}
	st, err := store.OpenPostgres(t.Context(), to)
	if err != nil {
		t.Fatalf("Milepost does not start on it: %v", err)
	}
	st.Close()
	if _, err := Run(t.Context(), config(dir, to)); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a second move says %v", err)
	}
}

func TestAMoveThatWasInterruptedGoesOn(t *testing.T) {
	to, dir := testdb.Postgres(t), filled(t, 50)
	ctx, cancel := context.WithCancel(t.Context())
	cfg := config(dir, to)
	cfg.Progress = func(table string, _ int64) {
		if table == "links" {
			cancel()
		}
	}
	if _, err := Run(ctx, cfg); err == nil {
		t.Fatal("it was not interrupted")
	}
	if _, err := store.OpenPostgres(t.Context(), to); !errors.Is(err, store.ErrMoving) {
		t.Errorf("Milepost starts on half of the data: %v", err)
	}
	if _, err := Run(t.Context(), config(filled(t, 3), to)); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("another Milepost is moved into it: %v", err)
	}
	// Meanwhile Milepost ran on its files again.
	st, err := store.OpenSQLite(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.File().Write.ExecContext(t.Context(), `UPDATE deliveries SET outcome = 'changed' WHERE id = 7`); err != nil {
		t.Fatal(err)
	}
	st.Close()
	copied := map[string]bool{}
	cfg = config(dir, to)
	cfg.Progress = func(table string, _ int64) { copied[table] = true }
	if _, err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if copied["audit"] || !copied["deliveries"] || !copied["records"] {
		t.Errorf("copied %v", copied)
	}
	conn, err := pgx.Connect(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var changed string
	if err := conn.QueryRow(t.Context(), `SELECT outcome FROM deliveries WHERE id = 7`).Scan(&changed); err != nil || changed != "changed" {
		t.Errorf("the change is %q: %v", changed, err)
	}
}
