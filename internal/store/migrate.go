package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// Engine is a kind of database.
type Engine string

// The engines, named as in the names of migrations.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

//go:embed migrations
var migrations embed.FS

// migrationsOf returns the migrations of an engine. A file whose name ends with .sqlite.sql
// or .postgres.sql is only for that engine. Any other file is for both; for PostgreSQL,
// some of SQLite's words are replaced.
func migrationsOf(engine Engine) (fs.FS, error) {
	list, err := fs.ReadDir(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	files := fstest.MapFS{} // a file system in memory
	for _, f := range list {
		name, only, _ := strings.Cut(strings.TrimSuffix(f.Name(), ".sql"), ".")
		if only != "" && Engine(only) != engine {
			continue
		}
		text, err := migrations.ReadFile("migrations/" + f.Name())
		if err != nil {
			return nil, err
		}
		words := string(text)
		if only == "" && engine == Postgres {
			words = postgresWords.Replace(words)
		}
		files[name+".sql"] = &fstest.MapFile{Data: []byte(words)}
	}
	return files, nil
}

// postgresWords replaces the words of a migration that PostgreSQL spells differently:
// bytes, and a key that the database counts.
var postgresWords = strings.NewReplacer(
	"BLOB", "BYTEA",
	"INTEGER PRIMARY KEY", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
)

func migrateTables(ctx context.Context, engine Engine, db *sql.DB) error {
	files, err := migrationsOf(engine)
	if err != nil {
		return err
	}
	return Migrate(ctx, engine, db, files)
}

func migrateSQLite(ctx context.Context, db *sql.DB) error {
	if err := migrateTables(ctx, SQLite, db); err != nil {
		return err
	}
	// Two processes may open a new file at once. The transaction lets one of them wait, but
	// none waits for a file that is up to date.
	migrator, err := rivermigrate.New(riversqlite.New(db), nil)
	if err != nil {
		return err
	}
	if now, err := migrator.Validate(ctx, nil); err != nil || now.OK {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := migrator.MigrateTx(ctx, tx, rivermigrate.DirectionUp, nil); err != nil { //nolint:staticcheck // discouraged because of PostgreSQL's enumerations
		return fmt.Errorf("job queue tables: %w", err)
	}
	return tx.Commit()
}

// migratePostgres updates the schema; one process does so at a time.
func migratePostgres(ctx context.Context, pool *pgxpool.Pool) (err error) {
	const key = 0x4d696c65706f7374 // "Milepost"
	lock, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer lock.Release()
	if _, err := lock.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(key)); err != nil {
		return err
	}
	defer func() {
		_, unlockErr := lock.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(key))
		err = errors.Join(err, unlockErr)
	}()
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	if err := migrateTables(ctx, Postgres, db); err != nil {
		return err
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return err
	}
	err = untilKept(ctx, func() error {
		_, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("job queue tables: %w", err)
	}
	return nil
}

// Migrate brings a database up to the newest of the migrations in files. The name of each
// begins with its number. They run in order, each in a transaction, up to the line
// "-- +goose Down". No other word of goose has a meaning.
//
// The table of the numbers is the one that goose made, which did this before.
func Migrate(ctx context.Context, engine Engine, db *sql.DB, files fs.FS) error {
	if _, err := db.ExecContext(ctx, numbersTable[engine]); err != nil {
		return fmt.Errorf("make the table of migrations: %w", err)
	}
	names, err := fs.Glob(files, "*.sql") // sorted
	if err != nil {
		return err
	}
	done, newest, err := migrated(ctx, db)
	if err != nil {
		return fmt.Errorf("read the table of migrations: %w", err)
	}
	if !done[0] { // by it, a former release knows that the table is there
		if err := migrate(ctx, db, 0, ""); err != nil {
			return fmt.Errorf("begin the table of migrations: %w", err)
		}
	}
	for _, name := range names {
		digits, _, _ := strings.Cut(name, "_")
		number, err := strconv.ParseInt(digits, 10, 64)
		switch {
		case err != nil:
			return fmt.Errorf("migration %s: the name begins with no number", name)
		case done[number]:
			continue
		case number < newest:
			return fmt.Errorf("migration %s is missing in a database that has migration %d", name, newest)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		// An older process that works meanwhile locks tables in its own order.
		if err := untilKept(ctx, func() error { return migrate(ctx, db, number, up) }); err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
	}
	return nil
}

// numbersTable makes the table of the migrations that a database has.
var numbersTable = map[Engine]string{
	SQLite: `CREATE TABLE IF NOT EXISTS goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')))`,
	Postgres: `CREATE TABLE IF NOT EXISTS goose_db_version (
		id integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp NOT NULL DEFAULT now())`,
}

// migrated returns the numbers of the migrations that a database has, and the newest.
func migrated(ctx context.Context, db *sql.DB) (done map[int64]bool, newest int64, err error) {
	rows, err := db.QueryContext(ctx, `SELECT version_id FROM goose_db_version WHERE is_applied`)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	done = map[int64]bool{}
	for rows.Next() {
		var number int64
		if err := rows.Scan(&number); err != nil {
			return nil, 0, err
		}
		done[number], newest = true, max(newest, number)
	}
	return done, newest, rows.Err()
}

// migrate makes one migration and writes its number down, unless another process has done so
// by now. A transaction on SQLite waits for that of the other, and migratePostgres has a lock.
func migrate(ctx context.Context, db *sql.DB, number int64, up string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit, this does nothing
	var done bool
	if err := tx.QueryRowContext(ctx, `SELECT count(*) > 0 FROM goose_db_version WHERE version_id = $1 AND is_applied`, number).Scan(&done); err != nil || done {
		return err
	}
	if _, err := tx.ExecContext(ctx, up); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, TRUE)`, number); err != nil {
		return err
	}
	return tx.Commit()
}
