package store_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"milepost/internal/store"
	"milepost/internal/testenv"
)

// Concurrent checks see different sizes of a file that grows.
func TestAFileThatGrowsDuringConcurrentChecksIsNotLost(t *testing.T) {
	testenv.Long(t)
	path := filepath.Join(t.TempDir(), "grows.db")
	file, err := store.OpenSQLiteFile(t.Context(), path, 1, func(context.Context, *sql.DB) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	looks, done := make(chan error, 8), make(chan struct{})
	for range cap(looks) {
		go func() {
			var err error
			for err == nil {
				select {
				case <-done:
					looks <- nil
					return
				default:
					err = file.Check()
				}
			}
			looks <- err
		}()
	}
	for size := int64(1 << 20); size < 1<<20+12000; size++ {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	for range cap(looks) {
		if err := <-looks; err != nil {
			t.Fatal(err)
		}
	}
}

// The pages of the console are read by several at once also after the file was deleted.
func TestADeletedFileIsStillReadByAllConnections(t *testing.T) {
	const reads = 3
	path := filepath.Join(t.TempDir(), "deleted.db")
	file, err := store.OpenSQLiteFile(t.Context(), path, reads, func(ctx context.Context, db *sql.DB) error {
		_, err := db.ExecContext(ctx, `CREATE TABLE a AS SELECT 7 AS n`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.OpenReads(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range reads { // each holds its connection
		conn, err := file.Read.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var n int
		if err := conn.QueryRowContext(t.Context(), `SELECT n FROM a`).Scan(&n); err != nil || n != 7 {
			t.Errorf("it reads %d (%v), want 7", n, err)
		}
	}
}
