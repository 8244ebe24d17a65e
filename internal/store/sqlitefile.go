package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrFileLost means that somebody deleted, replaced or truncated a file of an open SQLite
// database. Later commits would be lost at the next start.
var ErrFileLost = errors.New("database file lost")

// SQLiteFile is an open SQLite database: one connection for writes and a pool for
// reads. It notices when its files are deleted or replaced on disk.
type SQLiteFile struct {
	Write, Read *sql.DB
	files       *openFiles
	// keep is a connection that nothing uses. SQLite deletes the write-ahead log when the
	// last connection closes, and a new log would look like a replaced one.
	keep *sql.Conn
}

// OpenSQLiteFile opens or creates the database at path, lets migrate bring its
// schema up to date, and opens a pool of at most reads connections. See OpenReads.
func OpenSQLiteFile(ctx context.Context, path string, reads int, migrate func(context.Context, *sql.DB) error) (_ *SQLiteFile, err error) {
	f := &SQLiteFile{files: &openFiles{path: path}}
	defer func() {
		if err != nil {
			err = errors.Join(describe(path, err), f.Close())
		}
	}()
	if f.Write, err = sqliteDB(path, 1, f.files); err != nil {
		return nil, err
	}
	if err := migrate(ctx, f.Write); err != nil {
		err = fmt.Errorf("prepare the database %s: %w", path, err)
		if forbidden(path, err) {
			return nil, err
		}
		return nil, errors.Join(err, QuickCheck(ctx, f.Write)) // the error may hide that the file is damaged
	}
	if f.Read, err = sqliteDB(path, reads+1, f.files); err != nil {
		return nil, err
	}
	if f.keep, err = f.Read.Conn(ctx); err == nil {
		err = look(ctx, f.keep)
	}
	if err != nil {
		return nil, fmt.Errorf("read the database %s: %w", path, err)
	}
	return f, f.files.remember()
}

// OpenReads opens all read connections. After a file is deleted, no new connection can be
// opened, but open ones can still read it. A process that serves calls it when it starts;
// for others, each connection costs a few milliseconds that few of them need.
func (f *SQLiteFile) OpenReads(ctx context.Context) (err error) {
	free := f.Read.Stats().MaxOpenConnections - 1 // without keep
	conns := make([]*sql.Conn, 0, free)
	for len(conns) < free && err == nil {
		var conn *sql.Conn
		if conn, err = f.Read.Conn(ctx); err == nil {
			conns = append(conns, conn)
			err = look(ctx, conn)
		}
	}
	for _, conn := range conns {
		err = errors.Join(err, conn.Close())
	}
	return describe(f.files.path, err)
}

// look reads, which makes the connection hold the write-ahead log.
func look(ctx context.Context, conn *sql.Conn) error {
	var tables int
	return conn.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&tables)
}

// Check returns an error that wraps ErrFileLost if a file of the database is no
// longer the one that was opened. It costs a few microseconds.
func (f *SQLiteFile) Check() error { return f.files.check() }

// Salvage writes the contents of the write-ahead log to the database file. Use it if the
// log was deleted: the open connections still have it.
func (f *SQLiteFile) Salvage(ctx context.Context) error {
	_, err := f.Write.ExecContext(ctx, `PRAGMA wal_checkpoint(PASSIVE)`)
	return err
}

// Verify reads the whole file and returns an error if it is damaged. It reads
// some hundred megabytes per second.
func (f *SQLiteFile) Verify(ctx context.Context) error {
	return describe(f.files.path, integrity(ctx, f.Read, "integrity_check"))
}

// QuickCheck returns an error that wraps ErrDamaged if a database is damaged. It does not
// check the indexes.
func QuickCheck(ctx context.Context, db *sql.DB) error { return integrity(ctx, db, "quick_check") }

func integrity(ctx context.Context, db *sql.DB, pragma string) error {
	var found string
	err := db.QueryRowContext(ctx, `PRAGMA `+pragma+`(1)`).Scan(&found)
	if err == nil && found != "ok" {
		err = fmt.Errorf("%w: %s", ErrDamaged, found)
	}
	return err
}

// Close closes the database.
func (f *SQLiteFile) Close() error {
	var errs []error
	if f.keep != nil {
		errs = append(errs, f.keep.Close())
	}
	for _, db := range []*sql.DB{f.Read, f.Write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// openFiles are the files of an open database: the database, its write-ahead log, and the
// index of the log.
type openFiles struct {
	path  string
	known atomic.Pointer[[3]os.FileInfo] // nil until all of them exist
	size  atomic.Int64                   // largest size of the database file so far
}

var suffixes = [3]string{"", "-wal", "-shm"}

func (o *openFiles) remember() error {
	var known [3]os.FileInfo
	for i, suffix := range suffixes {
		info, err := os.Stat(o.path + suffix)
		if err != nil {
			return fmt.Errorf("check the open database %s: %w", o.path, err)
		}
		known[i] = info
	}
	o.size.Store(known[0].Size())
	o.known.Store(&known)
	return nil
}

// check only calls stat. Opening and closing a file would end the locks that this process
// has on it.
func (o *openFiles) check() error {
	known := o.known.Load()
	if known == nil {
		return nil
	}
	largest := o.size.Load() // read this before stat, because a concurrent check may see a larger file
	for i, suffix := range suffixes {
		info, err := os.Stat(o.path + suffix)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return fmt.Errorf("%w: %s was deleted or moved while Milepost runs", ErrFileLost, o.path+suffix)
		case err != nil:
			return fmt.Errorf("%w: %w", ErrFileLost, err)
		case !os.SameFile(known[i], info):
			return fmt.Errorf("%w: %s was replaced while Milepost runs", ErrFileLost, o.path+suffix)
		case i != 0:
			continue
		}
		// The file never shrinks, because nothing here runs VACUUM.
		if info.Size() > largest {
			o.size.CompareAndSwap(largest, info.Size())
		} else if info.Size() < largest {
			return fmt.Errorf("%w: %s was truncated or overwritten while Milepost runs", ErrFileLost, o.path)
		}
	}
	return nil
}

// ErrDamaged means that the contents of a SQLite file are damaged.
var ErrDamaged = errors.New("the file is damaged")

// Damaged reports whether an error says that a SQLite file is damaged.
func Damaged(err error) bool {
	if errors.Is(err, ErrDamaged) {
		return true
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		return true
	}
	return false
}

// forbidden reports whether a SQLite file was not opened because this user may not write it
// or its folder. SQLite's error for that may be the same as for a damaged file.
func forbidden(path string, err error) bool {
	if errors.Is(err, fs.ErrPermission) {
		return true
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_READONLY:
		return true
	case sqlite3.SQLITE_CANTOPEN:
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err == nil {
			err = file.Close()
		}
		return errors.Is(err, fs.ErrPermission)
	}
	return false
}

// describe adds to an error of a file what a person can do.
func describe(path string, err error) error {
	switch {
	case forbidden(path, err):
		return fmt.Errorf("this user may not write %s or its folder; run the command as the user that runs `milepost serve`: %w", path, err)
	case !Damaged(err):
		return err
	}
	return fmt.Errorf("%s cannot be read; restore it from a copy, or see docs/restore.md for how to go on without it: %w", path, err)
}
