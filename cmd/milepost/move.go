package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"milepost/internal/app"
	"milepost/internal/move"
)

type moveCmd struct {
	To string `env:"MILEPOST_MOVE_TO" secret:"" help:"The empty PostgreSQL database: postgres://user:password@host/database; by default DATABASE_URL."`

	app.Config `embed:"" group:"Settings"`
}

// Run copies the data directory to PostgreSQL.
func (c *moveCmd) Run(ctx context.Context) (err error) {
	to := cmp.Or(c.To, c.DatabaseURL)
	if to == "" {
		return usageError("say where to: --to postgres://user:password@host/database")
	}
	if _, err := os.Stat(c.DataDir); err != nil {
		return fmt.Errorf("there is nothing to move (MILEPOST_DATA_DIR): %w", err)
	}
	lock, err := app.LockDataDir(c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	last := time.Now()
	tables, err := move.Run(ctx, move.Config{
		Dir: c.DataDir, To: to, Logger: newLogger(c.LogLevel, c.LogFormat), Now: time.Now,
		Progress: func(table string, rows int64) {
			if time.Since(last) > 2*time.Second {
				last = time.Now()
				fmt.Printf("%s: %d rows\n", table, rows)
			}
		},
	})
	switch {
	case errors.Is(err, move.ErrNotEmpty):
		return err
	case err != nil:
		return fmt.Errorf("%w. Nothing is lost: the files are as they were. Run the command again to go on", err)
	}
	var rows int64
	for _, t := range tables {
		rows += t.Rows
	}
	fmt.Printf("Moved and compared %d rows of %d tables. The files in %s are as they were.\n", rows, len(tables), c.DataDir)
	fmt.Println("Set DATABASE_URL and start `milepost serve`. Never start it without DATABASE_URL again: it would work the old files.")
	if c.EncryptionKeys == "" {
		fmt.Printf("Stored tokens are encrypted with %s/encryption.keys. Keep MILEPOST_DATA_DIR, or give the keys in MILEPOST_ENCRYPTION_KEYS.\n", c.DataDir)
	}
	return nil
}
