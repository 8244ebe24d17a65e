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

// sqliteBackend is one file with exactly one write connection (two gave
// ingest a p99 of 360 ms) and a small pool for reads.
type sqliteBackend struct {
	querier // reads
	write   *sql.DB
	file    *SQLiteFile
	// turn is held by the transaction that writes. Those that wait get it in the order
	// of their coming. sql.DB gives its connection to any of them, so among many one
	// would wait for half a minute.
	turn chan struct{}
}

// OpenSQLite opens, or makes, the state database milepost.db in dir and brings
// its schema up to date. A command may open it beside the process that works it.
func OpenSQLite(ctx context.Context, dir string) (*Store, error) {
	path := filepath.Join(dir, "milepost.db")
	file, err := OpenSQLiteFile(ctx, path, 4, migrateSQLite)
	if err != nil {
		return nil, err
	}
	return &Store{backend: &sqliteBackend{querier: sqlQuerier{file.Read}, write: file.Write, file: file, turn: make(chan struct{}, 1)}}, nil
}

// File is the file of the database, or nil on PostgreSQL.
func (s *Store) File() *SQLiteFile {
	if b, ok := s.backend.(*sqliteBackend); ok {
		return b.file
	}
	return nil
}

// ResetRunningJobs makes the jobs available that a dead process left running. Only
// the process that holds the data directory's lock may call it, before it starts its
// queue: no other process can be leader or have jobs running. River alone would take
// a minute. On PostgreSQL this does nothing: see presence.
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

// cacheKiB is how much of a file all connections of a pool keep in memory together.
const cacheKiB = 8192

// SQLiteDB opens a SQLite file for durable use: WAL, every commit synced to
// the disk, at most conns connections, statements prepared once each. Only the
// owner of the file may read it.
func SQLiteDB(path string, conns int) (*sql.DB, error) {
	return sqliteDB(path, conns, &openFiles{path: path})
}

// sqliteDB opens no connection to files that are not the known ones: it would
// read and write another database than the connections that are open.
func sqliteDB(path string, conns int, files *openFiles) (*sql.DB, error) {
	// SQLite gives the files beside it the same mode. One that is there is not
	// opened here: to close it would end the locks that this process has on it.
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
			"secure_delete(ON)", // overwrites what is deleted, the pages of the freelist included
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

// begin and commit look at the files: a link that is committed to a deleted file
// would not be there after the next start, but its object at the vendor would.
func (b *sqliteBackend) begin(ctx context.Context) (*Tx, error) {
	if err := b.file.Check(); err != nil {
		return nil, err
	}
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	tx, err := b.write.BeginTx(ctx, nil)
	if err != nil {
		<-b.turn
		return nil, err
	}
	return &Tx{querier: sqlQuerier{tx}, raw: tx, end: func(_ context.Context, commit bool) error {
		defer func() { <-b.turn }()
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
		// The fast one reads no job back, at half the cost. It leaves out twins on
		// SQLite alone; on PostgreSQL it fails on them.
		insertMany: func(ctx context.Context, tx *sql.Tx, jobs []river.InsertManyParams) error {
			_, err := client.InsertManyFastTx(ctx, tx, jobs)
			return err
		},
	}, nil
}

// fenced: no other process works jobs here.
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
