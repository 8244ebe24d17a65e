package inbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"milepost/internal/inbox"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// installation is a data directory. A test copies, deletes and damages its two files.
type installation struct {
	*testing.T
	dir    string
	log    bytes.Buffer
	choice inbox.EmptyState
	sent   int
}

func installed(t *testing.T) *installation { return &installation{T: t, dir: testdb.DataDir(t)} }

// start opens the files as `milepost serve` does.
func (i *installation) start() (*bundle, error) {
	i.Helper()
	st, err := store.OpenSQLite(i.Context(), i.dir)
	if err != nil {
		return nil, err
	}
	in, err := inbox.OpenSQLite(i.Context(), i.dir)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	if err := in.Join(i.Context(), st, inbox.JoinConfig{Logger: zerolog.New(&i.log), Now: time.Now, EmptyState: i.choice}); err != nil {
		return nil, errors.Join(err, in.Close(), st.Close())
	}
	return assemble(i.T, st, in, nil), nil
}

func (i *installation) mustStart() *bundle {
	i.Helper()
	b, err := i.start()
	if err != nil {
		i.Fatal(err)
	}
	return b
}

func (i *installation) send(b *bundle, n int) (ids []string) {
	i.Helper()
	for range n {
		i.sent++
		id := fmt.Sprint("w", i.sent)
		w := webhook(id)
		w.ReceivedAt = time.Unix(int64(i.sent), 0)
		if b.accept(i.T, w) {
			i.Errorf("%s was called a duplicate", id)
		}
		ids = append(ids, id)
	}
	return ids
}

// work starts Milepost once, sends n webhooks and dispatches everything in the inbox.
func (i *installation) work(n int) (ids []string) {
	i.Helper()
	b := i.mustStart()
	ids = i.send(b, n)
	b.dispatch()
	i.await(b, ids)
	b.close(i.T)
	return ids
}

// accepted starts Milepost once without a dispatcher, as if it were killed at once.
func (i *installation) accepted(n int) (ids []string) {
	i.Helper()
	b := i.mustStart()
	ids = i.send(b, n)
	b.close(i.T)
	return ids
}

// await waits until each of the webhooks has a delivery.
func (i *installation) await(b *bundle, ids []string) {
	i.Helper()
	var missing []string
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		list, err := b.store.Deliveries(context.Background(), 0, 100_000)
		if err != nil {
			i.Fatal(err)
		}
		there := map[string]bool{}
		for _, d := range list {
			there[d.WebhookID] = true
		}
		if missing = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return there[id] }); len(missing) == 0 {
			return
		}
	}
	i.Errorf("%d of %d webhooks were not dispatched: %v", len(missing), len(ids), missing)
}

func (i *installation) path(name string) string { return filepath.Join(i.dir, name) }

// copied copies the files of a stopped installation, and returns a function that restores
// one.
func (i *installation) copied() (restore func(name string)) {
	i.Helper()
	from := i.TempDir()
	for _, name := range []string{"inbox.db", "milepost.db"} {
		b, err := os.ReadFile(i.path(name))
		if err == nil {
			err = os.WriteFile(filepath.Join(from, name), b, 0o600)
		}
		if err != nil {
			i.Fatal(err)
		}
	}
	return func(name string) {
		i.Helper()
		i.remove(name)
		b, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(i.path(name), b, 0o600)
		}
		if err != nil {
			i.Fatal(err)
		}
	}
}

func (i *installation) remove(name string) {
	i.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(i.path(name + suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
			i.Fatal(err)
		}
	}
}

// mismatch returns the logged text about files that do not match.
func (i *installation) mismatch() string {
	i.Helper()
	if n := strings.Count(i.log.String(), "do not match"); n > 1 {
		i.Errorf("the mismatch was logged %d times:\n%s", n, &i.log)
	}
	_, after, _ := strings.Cut(i.log.String(), `"found":"`)
	found, _, _ := strings.Cut(after, `"`)
	i.log.Reset()
	return found
}

func (i *installation) found(want string) {
	i.Helper()
	if got := i.mismatch(); !strings.HasPrefix(got, want) || want == "" && got != "" {
		i.Errorf("the log says %q, want %q", got, want)
	}
}

// continues checks that work goes on, and that the next start logs no mismatch.
func (i *installation) continues(found string) {
	i.Helper()
	i.work(30)
	i.found(found)
	i.work(10)
	i.found("")
}

func TestWebhooksAreDispatchedAfterAnOlderInboxIsRestored(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	i := installed(t)
	i.work(20)
	restore := i.copied()
	i.work(40)
	restore("inbox.db")
	i.continues("inbox.db is older than milepost.db")
}

func TestWebhooksAreDispatchedAfterTheInboxIsDeleted(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	i := installed(t)
	i.work(40)
	i.remove("inbox.db")
	i.mustStart().close(t) // a run in which nothing arrives
	i.found("inbox.db is new")
	i.continues("")
}

func TestWebhooksAreDispatchedAfterAnOlderStateIsRestored(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	i := installed(t)
	i.work(20)
	restore := i.copied()
	again := i.work(40)
	restore("milepost.db")
	b := i.mustStart()
	b.dispatch()
	i.await(b, again)
	b.close(t)
	i.continues("milepost.db is older than inbox.db")
}

func TestWebhooksAreDispatchedAfterBothAreRestored(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for _, first := range []string{"inbox.db", "milepost.db"} { // either copy may be older
		t.Run(first, func(t *testing.T) {
			i := installed(t)
			i.work(20)
			older := i.copied()
			i.work(20)
			newer := i.copied()
			i.work(20)
			newer("inbox.db")
			newer("milepost.db")
			older(first)
			i.work(30)
			i.mismatch()
			i.continues("")
		})
	}
}

func TestWaitingWebhooksAreDispatchedAfterAnyRestore(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	i := installed(t)
	i.work(20)
	restore := i.copied()
	i.work(20)
	restore("inbox.db")
	i.work(1) // both files continue together, with other webhooks than before
	i.mismatch()
	apart := i.copied()
	waiting := i.accepted(10)
	// Here the inbox went on from the old copy with another state.
	newest := i.copied()
	restore("inbox.db")
	restore("milepost.db")
	i.work(50)
	i.mismatch()
	elsewhere := i.accepted(10)
	for _, name := range []string{"milepost.db"} {
		apart(name) // now the inbox is from one branch, and the state from the other
	}
	b := i.mustStart()
	b.dispatch()
	i.await(b, elsewhere)
	b.close(t)
	i.found("inbox.db and milepost.db are copies that were used apart")
	i.work(5)
	// Return to the first branch, whose last webhooks were never dispatched.
	newest("inbox.db")
	b = i.mustStart()
	b.dispatch()
	i.await(b, waiting)
	b.close(t)
	i.mismatch()
	i.continues("")
}

func TestAnInboxFromAnotherInstallationIsDispatched(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	i, other := installed(t), installed(t)
	i.work(40)
	other.sent = 1000
	other.work(10)
	theirs := other.accepted(5)
	restore := other.copied()
	copied := func() {
		b, err := os.ReadFile(other.path("inbox.db"))
		if err == nil {
			i.remove("inbox.db")
			err = os.WriteFile(i.path("inbox.db"), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = restore
	copied()
	b := i.mustStart()
	mine := i.send(b, 5)
	b.dispatch()
	i.await(b, append(theirs, mine...))
	b.close(t)
	i.continues("inbox.db and milepost.db are of different installations")
}

func TestAnInboxWithADamagedEndOpens(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for lost := range 5 {
		t.Run(fmt.Sprint(lost+1, " commits"), func(t *testing.T) {
			i := installed(t)
			i.work(20)
			b := i.mustStart()
			ids := i.send(b, 10)
			b.dispatch()
			i.await(b, ids)
			b.stop()
			// The write-ahead logs are still there, as after a kill.
			crashed := t.TempDir()
			for _, name := range []string{"inbox.db", "inbox.db-wal", "milepost.db", "milepost.db-wal"} {
				content, err := os.ReadFile(i.path(name))
				if err != nil {
					t.Fatal(err)
				}
				if name == "inbox.db-wal" {
					const frame = 4096 + 24
					at := len(content) - (lost+1)*3*frame
					for n := range 64 {
						content[at+n] ^= 0xff
					}
				}
				if err := os.WriteFile(filepath.Join(crashed, name), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			b.stop = nil
			b.close(t)
			i.dir = crashed
			i.continues("inbox.db is older than milepost.db, or its newest webhooks are lost")
		})
	}
}

func TestAnEmptyStateWithAFullInboxNeedsADecision(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for _, choice := range []inbox.EmptyState{inbox.Replay, inbox.Skip} {
		t.Run(string(choice), func(t *testing.T) {
			i := installed(t)
			before := i.work(20)
			i.remove("milepost.db")
			for range 2 {
				if _, err := i.start(); !errors.Is(err, inbox.ErrEmptyState) || !strings.Contains(err.Error(), "20 webhooks") {
					t.Fatalf("the start gave %v, want ErrEmptyState and how many webhooks there are", err)
				}
			}
			i.choice = choice
			b := i.mustStart()
			b.dispatch()
			if choice == inbox.Replay {
				i.await(b, before)
			} else {
				i.await(b, i.send(b, 1))
				if list, _ := b.store.Deliveries(t.Context(), 0, 100); len(list) != 1 {
					t.Errorf("%d webhooks were dispatched, want only the new one", len(list))
				}
			}
			b.close(t)
			i.choice = inbox.AskFirst
			i.continues("")
		})
	}
}

func TestADamagedInboxDoesNotOpen(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for name, damage := range map[string]func([]byte) []byte{
		"the header":     func(b []byte) []byte { copy(b, "not a database"); return b },
		"half is gone":   func(b []byte) []byte { return b[:len(b)/2] },
		"pages of zeros": func(b []byte) []byte { clear(b[4096 : len(b)-4096]); return b },
	} {
		t.Run(name, func(t *testing.T) {
			i := installed(t)
			i.work(300)
			content, err := os.ReadFile(i.path("inbox.db"))
			if err == nil {
				err = os.WriteFile(i.path("inbox.db"), damage(content), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			b, err := i.start()
			if err == nil {
				if err = b.Verify(t.Context()); err == nil {
					t.Error("a damaged inbox was opened without an error")
				}
				_, _ = b.Inbox.Close(), b.store.Close()
			}
			if err != nil && (!strings.Contains(err.Error(), "inbox.db") || !strings.Contains(err.Error(), "docs/restore.md")) {
				t.Errorf("the error names neither the file nor what to do: %v", err)
			}
		})
	}
}

func TestNothingIsAcknowledgedAfterTheInboxIsDeletedWhileRunning(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for name, do := range map[string]func(i *installation) error{
		"deleted":        func(i *installation) error { return os.Remove(i.path("inbox.db")) },
		"its log":        func(i *installation) error { return os.Remove(i.path("inbox.db-wal")) },
		"its index":      func(i *installation) error { return os.Remove(i.path("inbox.db-shm")) },
		"moved":          func(i *installation) error { return os.Rename(i.path("inbox.db"), i.path("elsewhere.db")) },
		"truncated":      func(i *installation) error { return os.Truncate(i.path("inbox.db"), 4096) },
		"replaced":       func(i *installation) error { return replace(i.path("inbox.db"), i.path("milepost.db")) },
		"both are moved": func(i *installation) error { return os.Rename(i.dir, i.dir+"-elsewhere") },
	} {
		t.Run(name, func(t *testing.T) {
			i := installed(t)
			i.work(300)
			b := i.mustStart()
			before := i.send(b, 20)
			if err := do(i); err != nil {
				t.Fatal(err)
			}
			for n := range 3 {
				if _, err := b.Accept(t.Context(), webhook(fmt.Sprint("late", n))); !errors.Is(err, inbox.ErrNotStored) || !errors.Is(err, store.ErrFileLost) {
					t.Errorf("a webhook was answered %v, want ErrNotStored because of a lost file", err)
				}
			}
			if err := b.Ready(t.Context()); err == nil {
				t.Error("the inbox says it is ready")
			}
			if name != "both are moved" && name != "truncated" {
				b.dispatch() // webhooks acknowledged before are dispatched
				i.await(b, before)
			}
			if n := strings.Count(i.log.String(), "outage began"); n != 1 {
				t.Errorf("the outage was logged %d times, want once:\n%s", n, &i.log)
			}
			if b.stop != nil {
				b.stop()
			}
			_, _ = b.Inbox.Close(), b.store.Close() // their errors about a lost file do not matter
		})
	}
}

// replace replaces a file with a copy of another.
func replace(path, with string) error {
	b, err := os.ReadFile(with)
	if err == nil {
		err = os.WriteFile(path+".new", b, 0o600)
	}
	if err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func TestOnPostgreSQLNumbersStayAboveThoseOfTheDeliveries(t *testing.T) {
	t.Parallel()
	url := testdb.Postgres(t)
	open := func() *bundle {
		st, err := store.OpenPostgres(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		in, err := inbox.OpenPostgres(t.Context(), url)
		if err == nil {
			err = in.Join(t.Context(), st, inbox.JoinConfig{Logger: zerolog.Nop(), Now: time.Now})
		}
		return assemble(t, st, in, err)
	}
	b := open()
	for n := range 10 {
		b.accept(t, webhook(fmt.Sprint("w", n)))
	}
	b.dispatch()
	b.moved(t, 10)
	// A logical copy has the rows but not the sequence.
	err := b.store.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `SELECT setval(pg_get_serial_sequence('inbox', 'id'), 2)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.close(t)
	again := open()
	again.accept(t, webhook("later"))
	again.dispatch()
	again.moved(t, 11)
	again.close(t)
}

func TestTheStatusShowsPresentAndPastMismatches(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	i := installed(t)
	status := func() (string, error) {
		st, err := store.OpenSQLite(t.Context(), i.dir)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		return inbox.Status(t.Context(), i.dir, st)
	}
	i.work(10)
	restore := i.copied()
	i.work(10)
	if note, err := status(); note != "" || err != nil {
		t.Errorf("files that match have the note %q and the error %v", note, err)
	}
	restore("inbox.db")
	if _, err := status(); err == nil || !strings.Contains(err.Error(), "do not match") {
		t.Errorf("an older inbox has the status %v", err)
	}
	i.work(10)
	if note, err := status(); !strings.Contains(note, "inbox.db is older than milepost.db") || err != nil {
		t.Errorf("after the start there is the note %q and the error %v", note, err)
	}
}

func TestAReadOnlyPostgreSQLIsNotReadyUntilItTakesWritesAgain(t *testing.T) {
	t.Parallel()
	url := testdb.Postgres(t)
	st, err := store.OpenPostgres(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	in, err := inbox.OpenPostgres(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	if err := in.Join(t.Context(), st, inbox.JoinConfig{Logger: zerolog.New(&log), Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	admin, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.Background())
	readOnly := func(value string) {
		t.Helper()
		// A setting of the database applies only to sessions that begin later.
		for _, query := range []string{
			`SET default_transaction_read_only = off`,
			`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = ` + value + `', current_database()); END $$`,
			`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
		} {
			if _, err := admin.Exec(t.Context(), query); err != nil {
				t.Fatal(err)
			}
		}
	}
	await := func(what string, reached func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !reached(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not within 20 s: %s", what)
			}
		}
	}
	readOnly("on")
	for n := range 20 {
		if _, err := in.Accept(t.Context(), webhook(fmt.Sprint("late", n))); !errors.Is(err, inbox.ErrNotStored) {
			t.Errorf("a read-only database answered %v, want ErrNotStored", err)
		}
	}
	if err := in.Ready(t.Context()); err == nil {
		t.Error("the inbox is ready while nothing can be stored")
	}
	readOnly("off")
	await("ready again", func() bool { return in.Ready(t.Context()) == nil })
	if _, err := in.Accept(t.Context(), webhook("after")); err != nil {
		t.Error(err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("the outage made %d lines, want one when it began and one when it was over:\n%s", n, &log)
	}
}
