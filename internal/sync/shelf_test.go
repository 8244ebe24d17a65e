package sync

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"modernc.org/sqlite"

	"milepost/internal/store"
	"milepost/internal/testenv/testdb"
)

// shelf keeps the databases of histories, on one engine.
type shelf interface {
	// empty is one that is made, and holds nothing.
	empty() string
	// use opens a copy of one that nobody uses.
	use(t *testing.T, of string) (name string, st *store.Store)
	// copied is a copy of one that is in use.
	copied(t *testing.T, of string) (name string)
	// text is a column with JSON as text, in SQL.
	text(column string) string
	// mortal has the writes to a database count for the death of the process, or no more.
	mortal(st *store.Store, m *mortality, yes bool) error
}

// written are the tables at whose writes the process may die.
var written = []string{"entities", "links", "meetings", "timeline", "leases", "reconciliations"}

// onEachWrite has each write to those tables call a trigger.
func onEachWrite(t *testing.T, st *store.Store, trigger string) error {
	return st.InTx(t.Context(), func(tx *store.Tx) error {
		for _, table := range written {
			for _, what := range []string{"INSERT", "UPDATE", "DELETE"} {
				if _, err := tx.Exec(t.Context(), fmt.Sprintf(`CREATE TRIGGER step_%[1]s_%[2]s BEFORE %[2]s ON %[1]s `+trigger, table, what)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// files are SQLite databases, each in a directory of its own.
type files struct {
	root  string
	made  string
	n     int
	dying atomic.Pointer[mortality]
}

func newFiles(t *testing.T) *files {
	t.Helper()
	f := &files{root: t.TempDir()}
	step := fmt.Sprintf("milepost_step_%d", time.Now().UnixNano())
	err := sqlite.RegisterScalarFunction(step, 0, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		if m := f.dying.Load(); m != nil && m.write() {
			return nil, errDied
		}
		return int64(0), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.made = f.dir(t)
	st, err := store.OpenSQLite(t.Context(), f.made)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(onEachWrite(t, st, "BEGIN SELECT "+step+"(); END"), st.Close()); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *files) dir(t *testing.T) string {
	t.Helper()
	f.n++
	path := filepath.Join(f.root, fmt.Sprint(f.n))
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func (f *files) empty() string { return f.made }

func (f *files) use(t *testing.T, of string) (string, *store.Store) {
	t.Helper()
	dir := f.dir(t)
	if err := os.CopyFS(dir, os.DirFS(of)); err != nil {
		t.Fatal(err)
	}
	st, err := store.OpenSQLite(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, st
}

func (f *files) copied(t *testing.T, of string) string {
	t.Helper()
	dir := f.dir(t)
	db, err := sql.Open("sqlite", filepath.Join(of, "milepost.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `VACUUM INTO $1`, filepath.Join(dir, "milepost.db")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (f *files) text(column string) string { return "json(" + column + ")" }

func (f *files) mortal(_ *store.Store, m *mortality, _ bool) error {
	f.dying.Store(m)
	return nil
}

// server keeps PostgreSQL databases. Each counts its writes down in a sequence, which
// no rollback puts back, and from the last one on refuses them.
type server struct {
	url  string
	made string
	n    int
}

// immortal is more writes than a history makes.
const immortal = int64(1) << 40

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{url: testdb.Postgres(t)} // what administers the others
	s.made = s.create(t, "template1")
	st, err := store.OpenPostgres(t.Context(), s.of(s.made))
	if err != nil {
		t.Fatal(err)
	}
	err = st.InTx(t.Context(), func(tx *store.Tx) error {
		for _, statement := range []string{
			fmt.Sprintf(`CREATE SEQUENCE milepost_step INCREMENT -1 MINVALUE %d MAXVALUE %d START %[2]d`, -immortal, immortal),
			`CREATE FUNCTION milepost_step() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF nextval('milepost_step') <= 1 THEN RAISE EXCEPTION 'the process died'; END IF;
				IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
				RETURN NEW;
			END $$`,
		} {
			if _, err := tx.Exec(t.Context(), statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, onEachWrite(t, st, "FOR EACH ROW EXECUTE FUNCTION milepost_step()"), st.Close()); err != nil {
		t.Fatal(err)
	}
	return s
}

// connect connects to a database; "" is the one that administers the others.
func (s *server) connect(t *testing.T, name string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), s.of(name))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// of is the URL of a database.
func (s *server) of(name string) string {
	if name == "" {
		return s.url
	}
	before, query, _ := strings.Cut(s.url, "?")
	return before[:strings.LastIndexByte(before, '/')+1] + name + "?" + query
}

// create makes a database as another is, which nobody uses.
func (s *server) create(t *testing.T, template string) string {
	t.Helper()
	s.n++
	name := fmt.Sprintf("milepost_history_%d_%d", os.Getpid(), s.n)
	admin := func(statement string) {
		conn := s.connect(t, "")
		defer conn.Close(context.Background())
		if _, err := conn.Exec(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	admin("CREATE DATABASE " + name + " TEMPLATE " + template)
	admin("ALTER DATABASE " + name + " SET synchronous_commit = off") // no history loses its disk
	t.Cleanup(func() { admin("DROP DATABASE " + name + " WITH (FORCE)") })
	return name
}

func (s *server) empty() string { return s.made }

func (s *server) use(t *testing.T, of string) (string, *store.Store) {
	t.Helper()
	name := s.create(t, of)
	st, err := store.OpenPostgres(t.Context(), s.of(name))
	if err != nil {
		t.Fatal(err)
	}
	return name, st
}

func (s *server) copied(t *testing.T, of string) string {
	t.Helper()
	name, ctx := s.create(t, s.made), t.Context()
	from, to := s.connect(t, of), s.connect(t, name)
	defer from.Close(ctx)
	defer to.Close(ctx)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	rows, err := from.Query(ctx, `SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'`)
	must(err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(err)
	_, err = to.Exec(ctx, `SET session_replication_role = replica`) // no triggers
	must(err)
	_, err = to.Exec(ctx, `TRUNCATE `+strings.Join(tables, ", "))
	must(err)
	for _, table := range tables {
		var rows bytes.Buffer
		_, err := from.PgConn().CopyTo(ctx, &rows, `COPY `+table+` TO STDOUT`)
		must(err)
		_, err = to.PgConn().CopyFrom(ctx, &rows, `COPY `+table+` FROM STDIN`)
		must(err)
	}
	rows, err = from.Query(ctx, `SELECT format('SELECT setval(%L, %s)', quote_ident(sequencename), last_value)
		FROM pg_sequences WHERE last_value IS NOT NULL AND sequencename <> 'milepost_step'`)
	must(err)
	sequences, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(err)
	for _, statement := range sequences {
		_, err := to.Exec(ctx, statement)
		must(err)
	}
	return name
}

func (s *server) text(column string) string { return column + "::text" }

func (s *server) mortal(st *store.Store, m *mortality, yes bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.place != atWrite {
		return nil
	}
	left := immortal
	switch {
	case yes && m.dead:
		left = 1
	case yes:
		left = int64(m.left)
	default:
		if err := one(st, &left, `SELECT last_value - CASE WHEN is_called THEN 1 ELSE 0 END FROM milepost_step`); err != nil {
			return err
		}
		m.left = int(max(left, 0))
		m.dead = m.dead || left <= 0
		left = immortal
	}
	return one(st, &left, `SELECT setval('milepost_step', $1, false)`, left)
}

// one reads one number.
func one(st *store.Store, into *int64, query string, args ...any) error {
	rows, err := st.Query(context.Background(), query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(into); err != nil {
			return err
		}
	}
	return rows.Err()
}
