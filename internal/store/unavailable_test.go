package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"milepost/internal/store"
	"milepost/internal/testenv"
)

func TestAFullOrDeletedDatabaseIsUnavailableAndAMistakeIsNot(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	dir := t.TempDir()
	st, err := store.OpenSQLite(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	write := func(query string) error {
		return st.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), query)
			return err
		})
	}
	if err := write(`SELECT nothing FROM nowhere`); err == nil || store.Unavailable(err) {
		t.Errorf("a wrong query is called an outage: %v", err)
	}
	if err := write(`PRAGMA max_page_count = 1`); err != nil {
		t.Fatal(err)
	}
	if err := write(`INSERT INTO leases VALUES ('a', hex(zeroblob(100000)), 0)`); !store.Unavailable(err) {
		t.Errorf("a full disk is no outage: %v", err)
	}
	if runtime.GOOS == "windows" {
		return // an open file cannot be deleted there
	}
	if err := os.Remove(filepath.Join(dir, "milepost.db")); err != nil {
		t.Fatal(err)
	}
	if err := write(`DELETE FROM leases`); !errors.Is(err, store.ErrFileLost) || !store.Unavailable(err) {
		t.Errorf("a deleted file is no outage: %v", err)
	}
	for code, want := range map[string]bool{"08006": true, "53100": true, "57P01": true, "25006": true, "23505": false, "42P01": false} {
		if got := store.Unavailable(&pgconn.PgError{Code: code}); got != want {
			t.Errorf("PostgreSQL's %s is an outage: %v, want %v", code, got, want)
		}
	}
	if store.Unavailable(context.Canceled) || store.Unavailable(nil) {
		t.Error("a cancelled context is called an outage")
	}
}

func TestAFileOfAnotherUserIsNotCalledDamaged(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	dir := t.TempDir()
	st, err := store.OpenSQLite(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	denied := st.InTx(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Exec(t.Context(), `PRAGMA query_only = 1`); err != nil {
			t.Fatal(err)
		}
		_, err := tx.Exec(t.Context(), `DELETE FROM leases`)
		return err
	})
	for _, err := range []error{denied, &os.PathError{Op: "chmod", Path: dir, Err: os.ErrPermission}} {
		if said := store.Describe(dir, err).Error(); !strings.Contains(said, "as the user that runs") || strings.Contains(said, "restore") {
			t.Errorf("%v is explained as %s", err, said)
		}
	}
	if said := store.Describe(dir, store.ErrDamaged).Error(); !strings.Contains(said, "restore it from a copy") {
		t.Errorf("damage is explained as %s", said)
	}
}
