// Package backup copies the files of a Milepost on SQLite into one archive while
// `serve` works them, and restores them from it.
//
// Guarantees: each database in the archive is whole, and the inbox holds every webhook
// that the state knows: it is copied last. A restore writes into an empty data
// directory only, and leaves nothing there unless everything in the archive is as it
// was written.
//
// It knows nothing of what is in the files.
package backup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"milepost/internal/store"
)

// The files of a data directory, in the order in which they are copied. After a
// restore, Milepost processes what only a newer inbox has.
var (
	databases = []string{"milepost.db", "inbox.db"}
	keyFile   = "encryption.keys" // missing where MILEPOST_ENCRYPTION_KEYS is set
	all       = append(slices.Clone(databases), keyFile)
)

// format is the number of the archive's layout.
const format = 1

const manifestName = "manifest.json"

// manifest is the first file of an archive.
type manifest struct {
	Format  int       `json:"format"`
	Version string    `json:"version"` // of the Milepost that made it
	MadeAt  time.Time `json:"made_at"`
	Files   []file    `json:"files"`
}

type file struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Write writes an archive of the data directory dir to w. It needs as much room in the
// folder scratch as the databases have.
func Write(ctx context.Context, dir, scratch, version string, now time.Time, w io.Writer) (err error) {
	work, err := os.MkdirTemp(scratch, "milepost-backup-")
	if err != nil {
		return fmt.Errorf("make a folder for the copies: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	m := manifest{Format: format, Version: version, MadeAt: now.UTC()}
	for _, name := range databases {
		if err := copyDatabase(ctx, filepath.Join(dir, name), filepath.Join(work, name)); err != nil {
			return fmt.Errorf("copy %s: %w", name, err)
		}
	}
	keys, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err == nil {
		err = os.WriteFile(filepath.Join(work, keyFile), keys, 0o600) //nolint:gosec // a folder of our own
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("copy the encryption keys: %w", err)
	}
	for _, name := range all {
		f, err := describe(work, name)
		switch {
		case name == keyFile && errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("read the copy of %s: %w", name, err)
		default:
			m.Files = append(m.Files, f)
		}
	}
	return pack(w, work, m)
}

// copyDatabase makes a copy at to, as the database is at one moment, and checks it.
func copyDatabase(ctx context.Context, from, to string) (err error) {
	if _, err := os.Stat(from); err != nil {
		return err // to open it would make it
	}
	if err := onDatabase(from, func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, `VACUUM INTO ?`, to)
		return err
	}); err != nil {
		return err
	}
	return check(ctx, to)
}

// check fails if a database is damaged.
func check(ctx context.Context, path string) error {
	return onDatabase(path, func(db *sql.DB) error { return store.QuickCheck(ctx, db) })
}

func onDatabase(path string, do func(*sql.DB) error) (err error) {
	db, err := store.SQLiteDB(path, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(db)
}

func describe(dir, name string) (file, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return file{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return file{Name: name, Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

func pack(w io.Writer, dir string, m manifest) error {
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(zip)
	first, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	header := func(name string, size int64) error {
		return archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: m.MadeAt})
	}
	if err := header(manifestName, int64(len(first))); err != nil {
		return err
	}
	if _, err := archive.Write(first); err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := header(f.Name, f.Bytes); err != nil {
			return err
		}
		if err := copyFile(archive, filepath.Join(dir, f.Name)); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), zip.Close())
}

func copyFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
