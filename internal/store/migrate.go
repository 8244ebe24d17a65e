package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations
var migrations embed.FS

// migrationsOf returns the migrations of an engine. A file whose name ends with .sqlite.sql
// or .postgres.sql is only for that engine. Any other file is for both; for PostgreSQL,
// some of SQLite's words are replaced.
func migrationsOf(dialect goose.Dialect) (fs.FS, error) {
	list, err := fs.ReadDir(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	files := fstest.MapFS{} // a file system in memory
	for _, f := range list {
		name, engine, _ := strings.Cut(strings.TrimSuffix(f.Name(), ".sql"), ".")
		if !strings.HasPrefix(string(dialect), engine) {
			continue
		}
		text, err := migrations.ReadFile("migrations/" + f.Name())
		if err != nil {
			return nil, err
		}
		words := string(text)
		if engine == "" && dialect == goose.DialectPostgres {
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

func migrateTables(ctx context.Context, dialect goose.Dialect, db *sql.DB) error {
	files, err := migrationsOf(dialect)
	if err != nil {
		return err
	}
	return Migrate(ctx, dialect, db, files)
}

func migrateSQLite(ctx context.Context, db *sql.DB) error {
	if err := migrateTables(ctx, goose.DialectSQLite3, db); err != nil {
		return err
	}
	return migrateRiver(ctx, riversqlite.New(db))
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
	if err := migrateTables(ctx, goose.DialectPostgres, db); err != nil {
		return err
	}
	return migrateRiver(ctx, riverpgxv5.New(pool))
}

// Migrate brings a database up to the newest of the migrations in files.
func Migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB, files fs.FS) error {
	provider, err := goose.NewProvider(dialect, db, files)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

func migrateRiver[T any](ctx context.Context, driver riverdriver.Driver[T]) error {
	migrator, err := rivermigrate.New(driver, nil)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("job queue tables: %w", err)
	}
	return nil
}
