package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"milepost/internal/app"
	"milepost/internal/backup"
	"milepost/internal/store"
	"milepost/internal/version"
)

// errPostgres says why a command for files does not work with DATABASE_URL.
var errPostgres = errors.New("with DATABASE_URL, PostgreSQL holds the data: use pg_dump and pg_restore (docs/restore.md)")

type backupCmd struct {
	app.Config `embed:"" group:"Settings"`

	File string `arg:"" help:"The archive to write; - writes to standard output."`
}

// Run writes an archive of the data directory, also while serve works it.
func (c *backupCmd) Run(ctx context.Context) (err error) {
	if c.DatabaseURL != "" {
		return errPostgres
	}
	now := time.Now()
	if c.File == "-" {
		if err := backup.Write(ctx, c.DataDir, "", version.Get().Version, now, os.Stdout); err != nil {
			return err
		}
		return c.note(ctx, now, 0)
	}
	if info, err := os.Stat(c.File); err == nil && info.IsDir() {
		return usageError(c.File + " is a folder: name the file to write in it")
	} else if err == nil && info.Size() > 0 && !backup.IsArchive(c.File) {
		return fmt.Errorf("%s is there and is no archive of `milepost backup`: name another file, or move it away", c.File)
	}
	// The archive gets its name once it is complete.
	part, err := os.OpenFile(c.File+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	err = backup.Write(ctx, c.DataDir, filepath.Dir(c.File), version.Get().Version, now, part)
	if err = errors.Join(err, part.Sync(), part.Close()); err == nil {
		err = os.Rename(part.Name(), c.File)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	info, err := os.Stat(c.File)
	if err != nil {
		return err
	}
	if err := c.note(ctx, now, info.Size()); err != nil {
		return err
	}
	fmt.Printf("%s: %.1f MiB. It holds personal data and the keys to the stored tokens: keep it where nobody else can read it.\n", c.File, float64(info.Size())/(1<<20))
	return nil
}

// note tells the running Milepost, which warns when the last backup is too old.
func (c *backupCmd) note(ctx context.Context, at time.Time, bytes int64) (err error) {
	st, err := store.OpenSQLite(ctx, c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return st.NoteBackup(ctx, at, bytes)
}

type restoreCmd struct {
	app.Config `embed:"" group:"Settings"`

	File string `arg:"" help:"The archive to read; - reads standard input."`
}

// Run puts the files of an archive into an empty data directory.
func (c *restoreCmd) Run(ctx context.Context) (err error) {
	if c.DatabaseURL != "" {
		return errPostgres
	}
	archive := os.Stdin
	if c.File != "-" {
		if archive, err = os.Open(c.File); err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		defer archive.Close()
	}
	lock, err := app.LockDataDir(c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	madeAt, made, err := backup.Restore(ctx, archive, c.DataDir)
	if errors.Is(err, backup.ErrNotEmpty) {
		return fmt.Errorf("%w: move its files away, or set MILEPOST_DATA_DIR to another directory", err)
	}
	if err != nil {
		return fmt.Errorf("restore into %s: %w", c.DataDir, err)
	}
	fmt.Printf("%s now holds the data of %s, saved by Milepost %s.\n", c.DataDir, madeAt.Local().Format("2006-01-02 15:04 MST"), made)
	fmt.Println("Start `milepost serve`, or `milepost serve --take-over` if the Milepost that made the archive is lost. It catches up with what happened since.")
	return nil
}
