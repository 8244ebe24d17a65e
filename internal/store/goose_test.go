package store_test

import (
	"context"
	"database/sql"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// TestMigrationsAreThoseOfGoose migrates one database with goose, which releases up to now
// used, and one with Migrate. Both must be the same, and each must accept the other's.
func TestMigrationsAreThoseOfGoose(t *testing.T) {
	testenv.Long(t)
	const sqliteSchema = `SELECT coalesce(sql, name) FROM sqlite_master WHERE name NOT LIKE 'goose%' ORDER BY 1`
	const postgresSchema = `SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') FROM information_schema.columns
		WHERE table_schema = 'public' UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1`
	for _, c := range []struct {
		engine  store.Engine
		dialect goose.Dialect
		schema  string
		open    func(t *testing.T) *sql.DB
	}{
		{store.SQLite, goose.DialectSQLite3, sqliteSchema, func(t *testing.T) *sql.DB {
			db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "x.db"))
			if err != nil {
				t.Fatal(err)
			}
			return db
		}},
		{store.Postgres, goose.DialectPostgres, postgresSchema, func(t *testing.T) *sql.DB {
			pool, err := store.PostgresPool(t.Context(), testdb.Postgres(t), 2)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			return stdlib.OpenDBFromPool(pool)
		}},
	} {
		t.Run(string(c.engine), func(t *testing.T) {
			files, err := store.MigrationsOf(c.engine)
			if err != nil {
				t.Fatal(err)
			}
			theirs := func(db *sql.DB) []*goose.MigrationResult {
				t.Helper()
				provider, err := goose.NewProvider(c.dialect, db, files)
				if err != nil {
					t.Fatal(err)
				}
				made, err := provider.Up(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return made
			}
			ours := func(db *sql.DB) {
				t.Helper()
				if err := store.Migrate(t.Context(), c.engine, db, files); err != nil {
					t.Fatal(err)
				}
			}
			a, b := c.open(t), c.open(t)
			defer a.Close()
			defer b.Close()
			theirs(a)
			ours(a) // an upgrade
			ours(b)
			if made := theirs(b); len(made) > 0 { // back to a former release
				t.Errorf("goose made %d migrations again", len(made))
			}
			if got, want := texts(t, b, c.schema), texts(t, a, c.schema); !slices.Equal(got, want) || len(got) < 50 {
				t.Errorf("the schema is %q, and goose's %q", got, want)
			}
			const numbers = `SELECT CAST(version_id AS TEXT) FROM goose_db_version WHERE is_applied ORDER BY version_id`
			if got, want := texts(t, b, numbers), texts(t, a, numbers); !slices.Equal(got, want) {
				t.Errorf("the migrations are %q, and goose's %q", got, want)
			}
		})
	}
}

func texts(t *testing.T, db *sql.DB, query string) (list []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAMigrationThatFailsLeavesNothing(t *testing.T) {
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	files := fstest.MapFS{
		"00001_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE a (n INTEGER);\n-- +goose Down\nDROP TABLE a;")},
		"00003_c.sql": {Data: []byte("CREATE TABLE c (n INTEGER); INSERT INTO nowhere VALUES (1);")},
	}
	migrate := func() error { return store.Migrate(context.Background(), store.SQLite, db, files) }
	if err := migrate(); err == nil {
		t.Fatal("a migration with a mistake is no error")
	}
	tables := `SELECT name FROM sqlite_master WHERE name IN ('a', 'b', 'c') ORDER BY 1`
	if got := texts(t, db, tables); !slices.Equal(got, []string{"a"}) {
		t.Errorf("there are the tables %q", got)
	}
	files["00003_c.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE c (n INTEGER);")}
	if err := migrate(); err != nil {
		t.Fatal(err)
	}
	files["00002_b.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE b (n INTEGER);")}
	if err := migrate(); err == nil {
		t.Error("a migration below the newest is no error")
	}
	if got := texts(t, db, tables); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("there are the tables %q", got)
	}
}

// opening calls a function before a file is opened.
type opening struct {
	fs.FS
	before func()
}

func (o opening) Open(name string) (fs.File, error) {
	if name != "." {
		o.before()
	}
	return o.FS.Open(name)
}

// TestTwoProcessesMigrateAtOnce lets a second process make the migrations while the first
// one is about to. A command may run while serve starts.
func TestTwoProcessesMigrateAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	var dbs [2]*sql.DB
	for i := range dbs {
		db, err := store.SQLiteDB(path, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		dbs[i] = db
	}
	files := fstest.MapFS{"00001_a.sql": {Data: []byte("CREATE TABLE a (n INTEGER);")}, "00002_b.sql": {Data: []byte("CREATE TABLE b (n INTEGER);")}}
	second := opening{files, sync.OnceFunc(func() {
		if err := store.Migrate(t.Context(), store.SQLite, dbs[1], files); err != nil {
			t.Error(err)
		}
	})}
	if err := store.Migrate(t.Context(), store.SQLite, dbs[0], second); err != nil {
		t.Error(err)
	}
	if got := texts(t, dbs[0], `SELECT CAST(version_id AS TEXT) FROM goose_db_version ORDER BY id`); !slices.Equal(got, []string{"0", "1", "2"}) {
		t.Errorf("the migrations are %q", got)
	}
}

func TestTwoProcessesOpenANewFileAtOnce(t *testing.T) {
	testenv.Long(t)
	dir := t.TempDir()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := store.OpenSQLite(t.Context(), dir)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// An older process works during an upgrade, and may lock tables in another order than a
// migration. PostgreSQL then aborts one of the two. Here it does so at the first try: a
// sequence counts also what is rolled back.
func TestAMigrationThatADeadlockEndsIsMadeAgain(t *testing.T) {
	db, err := sql.Open("pgx", testdb.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	files := fstest.MapFS{
		"99001_a.sql": {Data: []byte(`CREATE SEQUENCE tries`)},
		"99002_b.sql": {Data: []byte(`CREATE TABLE a (n BIGINT);
			DO $$ BEGIN
				IF nextval('tries') = 1 THEN RAISE 'deadlock detected' USING ERRCODE = 'deadlock_detected'; END IF;
			END $$;
			CREATE TABLE b (n BIGINT);`)},
	}
	if err := store.Migrate(t.Context(), store.Postgres, db, files); err != nil {
		t.Fatalf("the migration was not made again: %v", err)
	}
	var tries, tables int
	err = db.QueryRowContext(t.Context(), `SELECT last_value, (SELECT count(*) FROM information_schema.tables WHERE table_name IN ('a', 'b')) FROM tries`).Scan(&tries, &tables)
	if err != nil || tries != 2 || tables != 2 {
		t.Errorf("%d tries made %d tables (%v), want 2 and 2", tries, tables, err)
	}
}
