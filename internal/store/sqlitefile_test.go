package store_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"milepost/internal/store"
)

// Concurrent checks see different sizes of a file that grows.
func TestAFileThatGrowsDuringConcurrentChecksIsNotLost(t *testing.T) {
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
