package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

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

func migrateSQLite(ctx context.Context, db *sql.DB) error {
	if err := Migrate(ctx, goose.DialectSQLite3, db, migrations, "migrations/sqlite"); err != nil {
		return err
	}
	return migrateRiver(ctx, riversqlite.New(db))
}

// migratePostgres lets one process at a time bring the schema up to date.
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
	if err := Migrate(ctx, goose.DialectPostgres, db, migrations, "migrations/postgres"); err != nil {
		return err
	}
	return migrateRiver(ctx, riverpgxv5.New(pool))
}

// Migrate brings a database up to the newest migration in the folder dir of files.
func Migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB, files fs.FS, dir string) error {
	sub, err := fs.Sub(files, dir)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(dialect, db, sub)
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
