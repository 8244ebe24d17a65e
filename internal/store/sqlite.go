package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"modernc.org/sqlite"
)

// sqliteBackend is one file with exactly one write connection and a small pool for reads.
// With two write connections, webhooks waited 360 ms at p99.
type sqliteBackend struct {
	querier // reads
	write   *sql.DB
	file    *SQLiteFile
}

// OpenSQLite opens or creates the state database milepost.db in dir, and updates its
// schema. A command may open it while another process works it.
func OpenSQLite(ctx context.Context, dir string) (*Store, error) {
	path := filepath.Join(dir, "milepost.db")
	file, err := OpenSQLiteFile(ctx, path, 4, migrateSQLite)
	if err != nil {
		return nil, err
	}
	return &Store{backend: &sqliteBackend{querier: sqlQuerier{file.Read}, write: file.Write, file: file}}, nil
}

// File is the file of the database, or nil on PostgreSQL.
func (s *Store) File() *SQLiteFile {
	if b, ok := s.backend.(*sqliteBackend); ok {
		return b.file
	}
	return nil
}

// ResetRunningJobs makes available the jobs that a dead process left running. Call it only
// in the process that holds the data directory's lock, before it starts its queue: then no
// other process can be leader or have running jobs. River alone would take a minute. On
// PostgreSQL it does nothing: see presence.
func (s *Store) ResetRunningJobs(ctx context.Context) error {
	b, ok := s.backend.(*sqliteBackend)
	if !ok {
		return nil
	}
	for _, reset := range []string{
		`UPDATE river_job SET state = 'available', attempt = max(attempt - 1, 0) WHERE state = 'running'`,
		`DELETE FROM river_leader`,
	} {
		if _, err := b.write.ExecContext(ctx, reset); err != nil {
			return fmt.Errorf("reset the jobs of a process that died: %w", err)
		}
	}
	return nil
}

// busyTimeout is how long a statement waits for another connection's lock.
const busyTimeout = 10 * time.Second

// cacheKiB is how much of a file all connections of a pool together keep in memory.
const cacheKiB = 8192

// SQLiteDB opens a SQLite file for durable use: in WAL mode, with every commit synced to
// disk, at most conns connections, and prepared statements that are cached. Only the owner
// of the file may read it.
func SQLiteDB(path string, conns int) (*sql.DB, error) {
	return sqliteDB(path, conns, &openFiles{path: path})
}

// sqliteDB never opens a connection to other files than files. Such a connection would use
// another database than the connections that are open.
func sqliteDB(path string, conns int, files *openFiles) (*sql.DB, error) {
	// SQLite gives the files next to it the same mode. Do not open an existing file here:
	// closing it would end the locks that this process has on it.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = f.Close()
	} else if errors.Is(err, os.ErrExist) {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("make the database %s its owner's alone: %w", path, err)
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + url.Values{
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "journal_mode(WAL)", "synchronous(FULL)", "temp_store(MEMORY)",
			fmt.Sprintf("cache_size(-%d)", cacheKiB/conns), "wal_autocheckpoint(4096)", "foreign_keys(1)",
			"secure_delete(ON)", // overwrites deleted data, including pages of the freelist
		},
		"_txlock": {"immediate"},
	}.Encode()
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	db := sql.OpenDB(cachingConnector{connector, files})
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

var _ driver.Connector = cachingConnector{}

// begin and commit check the files. A link committed to a deleted file would be lost at the
// next start, but its object at the vendor would exist.
func (b *sqliteBackend) begin(ctx context.Context) (*Tx, error) {
	if err := b.file.Check(); err != nil {
		return nil, err
	}
	tx, err := b.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	return &Tx{querier: sqlQuerier{tx}, raw: tx, end: func(_ context.Context, commit bool) error {
		if commit {
			return errors.Join(tx.Commit(), b.file.Check())
		}
		return ignore(tx.Rollback(), sql.ErrTxDone)
	}}, nil
}

func (b *sqliteBackend) newQueue(cfg QueueConfig) (Queue, error) {
	driver := riversqlite.New(b.write)
	client, err := river.NewClient(driver, cfg.river())
	if err != nil {
		return nil, err
	}
	return &riverQueue[*riversqlite.Driver, *sql.Tx]{
		client: client,
		// InsertManyFast does not read jobs back, at half the cost. It skips duplicates
		// only on SQLite; on PostgreSQL it fails on them.
		insertMany: func(ctx context.Context, tx *sql.Tx, jobs []river.InsertManyParams) error {
			_, err := client.InsertManyFastTx(ctx, tx, jobs)
			return err
		},
	}, nil
}

// fenced is always false, because no other process works jobs here.
func (b *sqliteBackend) fenced() bool { return false }

func (b *sqliteBackend) holder(name string) string { return name }

func (b *sqliteBackend) close() error { return b.file.Close() }

// ignore returns nil for the error that means "nothing to do".
func ignore(err, nothing error) error {
	if errors.Is(err, nothing) {
		return nil
	}
	return err
}
