package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// scrubbed is a database with rows of every size that grew and moved, and whose texts were
// then emptied.
func scrubbed(t *testing.T, secureDelete string) (path string, write, read *sql.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "x.db")
	write, err := store.SQLiteDB(path, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { write.Close() })
	if read, err = store.SQLiteDB(path, 2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close() })
	tx, err := write.Begin()
	if err != nil {
		t.Fatal(err)
	}
	do := func(query string, args ...any) {
		t.Helper()
		if _, err := tx.Exec(query, args...); err != nil {
			t.Fatal(err)
		}
	}
	do(`PRAGMA secure_delete(` + secureDelete + `)`)
	do(`CREATE TABLE a (k TEXT PRIMARY KEY, v TEXT)`)
	do(`CREATE TABLE b (k TEXT PRIMARY KEY, v TEXT, kept TEXT) WITHOUT ROWID`)
	do(`CREATE INDEX by_v ON a (v)`)
	r := rand.New(rand.NewPCG(1, 2))
	text := func() string { return strings.Repeat("Verysecretname ", 1+r.IntN(8)) }
	for i := range 6000 {
		k := fmt.Sprintf("%x", r.Uint64())
		do(`INSERT INTO a VALUES ($1, $2)`, k, text())
		do(`INSERT INTO b VALUES ($1, $2, 'kept')`, k, text())
		if i%3 == 0 {
			do(`UPDATE b SET v = $1 WHERE k > $2 AND k < $3`, text(), k[:4], k[:4]+"g")
		}
		if i%5 == 0 {
			do(`DELETE FROM a WHERE k = $1`, k)
		}
		if i%100 == 0 {
			do(`INSERT INTO a VALUES ($1, $2)`, fmt.Sprint("big", i), strings.Repeat(text(), 500))
		}
	}
	do(`UPDATE a SET v = ''`)
	do(`UPDATE b SET v = ''`)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return path, write, read
}

// places counts how often a text is in a database's files.
func places(t *testing.T, path, text string) (n int) {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n += bytes.Count(b, []byte(text))
	}
	return n
}

func TestScrubRemovesErasedData(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for _, mode := range []string{"OFF", "FAST", "ON"} { // earlier versions used FAST
		t.Run(mode, func(t *testing.T) {
			path, write, read := scrubbed(t, mode)
			before := places(t, path, "Verysecretname")
			if err := store.ScrubSQLite(t.Context(), write, read); err != nil {
				t.Fatal(err)
			}
			if n := places(t, path, "Verysecretname"); n != 0 || before == 0 {
				t.Errorf("the name is in %d places, before it was in %d", n, before)
			}
			var sound string
			var kept int
			if err := errors.Join(write.QueryRow(`PRAGMA integrity_check`).Scan(&sound), read.QueryRow(`SELECT count(*) FROM b WHERE kept = 'kept'`).Scan(&kept)); err != nil || sound != "ok" || kept != 6000 {
				t.Errorf("integrity: %q, %d rows kept (%v)", sound, kept, err)
			}
			// Connections that had pages in memory still write correctly.
			if _, err := write.Exec(`DELETE FROM b WHERE k < 'c'; UPDATE a SET v = 'a longer text than before'`); err != nil {
				t.Fatal(err)
			}
			if err := write.QueryRow(`PRAGMA integrity_check`).Scan(&sound); err != nil || sound != "ok" {
				t.Errorf("integrity after more writes: %q (%v)", sound, err)
			}
		})
	}
}

func TestScrubFailsWhileAReaderHoldsTheLog(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	path, write, read := scrubbed(t, "ON")
	reader, err := read.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := reader.QueryRow(`SELECT count(*) FROM a`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	if err := store.ScrubSQLite(t.Context(), write, read); err == nil {
		t.Error("the log is said to be truncated while it is read")
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := store.ScrubSQLite(t.Context(), write, read); err != nil || places(t, path, "Verysecretname") != 0 {
		t.Errorf("after the reader ended: %v", err)
	}
}

func TestScrubReclaimsTheDeadRowsOfPostgreSQL(t *testing.T) {
	t.Parallel()
	url := testdb.Postgres(t)
	st := must(store.OpenPostgres(t.Context(), url))(t)
	defer st.Close()
	b := setup(t, func() *store.Store { return st }, nil)
	link := store.Link{Entity: contact1, Item: "a/1", ItemKind: "event", State: store.LinkGone, Title: "Verysecretname"}
	if err := b.SaveLink(t.Context(), link, time.Unix(5, 0), nil); err != nil {
		t.Fatal(err)
	}
	pool := must(store.PostgresPool(t.Context(), url, 1))(t)
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), `CREATE EXTENSION IF NOT EXISTS pageinspect`); err != nil {
		t.Skip("skipped: PostgreSQL has no pageinspect: ", err)
	}
	rows := func() (n int) {
		t.Helper()
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM generate_series(0, pg_relation_size('links') / 8192 - 1) AS page,
			heap_page_items(get_raw_page('links', page::int)) WHERE position('Verysecretname'::bytea IN t_data) > 0`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	link.Title = ""
	if err := b.SaveLink(t.Context(), link, time.Unix(6, 0), nil); err != nil {
		t.Fatal(err)
	}
	if n := rows(); n == 0 {
		t.Fatal("an update leaves no dead row: this test looks in the wrong place")
	}
	if err := b.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := rows(); n != 0 {
		t.Errorf("%d dead rows hold what was erased", n)
	}
}
