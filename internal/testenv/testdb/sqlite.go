// Package testdb gives a test a database of its own with Milepost's tables: SQLite, or
// PostgreSQL where one is found. It is apart from testenv because to link both engines takes
// a test program most of a second.
//
// Only tests import it.
package testdb

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"milepost/internal/store"
)

// DataDir returns a new data directory whose milepost.db holds the tables and no
// rows: they are made once in a test program, and copied.
func DataDir(t testing.TB) string {
	t.Helper()
	empty, err := emptyState()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "milepost.db"), empty, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

var emptyState = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "milepost-empty-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	st, err := store.OpenSQLite(context.Background(), dir)
	if err != nil {
		return nil, err
	}
	if err := st.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "milepost.db"))
})
