package inbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/outage"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// fullDisk opens a real inbox, and returns functions that fill its disk and free it again.
func fullDisk(t *testing.T) (in *Inbox, fill, free func()) {
	t.Helper()
	in, err := OpenSQLite(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	db := in.log.(*sqliteLog).file.Write
	limit := func(pages int) func() {
		return func() {
			t.Helper()
			var got int
			if err := db.QueryRow(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages)).Scan(&got); err != nil {
				t.Fatal(err)
			}
		}
	}
	return in, limit(1), limit(1 << 30) // SQLite keeps the pages that exist
}

func big(id string) Webhook {
	return Webhook{WebhookID: id, Type: "ContactUpdate", ReceivedAt: time.Unix(1, 0), Body: make([]byte, 20_000)}
}

func TestAFullDiskIsNotReadyUntilAWriteSucceeds(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	in, fill, free := fullDisk(t)
	var log bytes.Buffer
	in.outage.Store(outage.New(zerolog.New(&log), "webhook storage", time.Now))
	if _, err := in.Accept(t.Context(), big("w1")); err != nil {
		t.Fatal(err)
	}
	fill()
	for n := range 850 {
		if _, err := in.Accept(t.Context(), big(fmt.Sprint("late", n))); !errors.Is(err, ErrNotStored) {
			t.Fatalf("a full disk answered %v, want ErrNotStored", err)
		}
	}
	if err := in.Ready(t.Context()); err == nil {
		t.Error("the inbox is ready while nothing can be stored")
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), `"failures":1`) {
		t.Errorf("850 rejected webhooks made %d lines, want one with a count:\n%s", n, &log)
	}
	free()
	// Without traffic, the inbox finds out by itself.
	for deadline := time.Now().Add(20 * time.Second); in.Ready(t.Context()) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the inbox is not ready 20 s after there is room again")
		}
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), "outage over") {
		t.Errorf("the outage made %d lines, want one when it began and one when it was over:\n%s", n, &log)
	}
}

// healingLog fails until it is healed, and counts the probes.
type healingLog struct {
	brokenLog
	healed atomic.Bool
	probes atomic.Int64
}

func (l *healingLog) probe(context.Context) error {
	l.probes.Add(1)
	if l.healed.Load() {
		return nil
	}
	return errDiskFull
}

func (l *healingLog) ready(context.Context) error { return nil }

func TestAfterAFailedCommitTheInboxTriesOnceASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &healingLog{}
		in := open(l, 1)
		if _, err := in.Accept(t.Context(), Webhook{}); !errors.Is(err, errDiskFull) {
			t.Fatal(err)
		}
		for range 100 { // frequent health checks make no difference
			if in.Ready(t.Context()) == nil {
				t.Fatal("ready after a failed commit")
			}
		}
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		if n := l.probes.Load(); n != 10 {
			t.Errorf("%d tries in 10 s, want 10", n)
		}
		l.healed.Store(true)
		time.Sleep(time.Second)
		synctest.Wait()
		if err := in.Ready(t.Context()); err != nil {
			t.Errorf("not ready after a write succeeded: %v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := l.probes.Load(); n != 11 {
			t.Errorf("%d tries, want none after the first that succeeded", n)
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
}

// lostLog cannot read what it stored.
type lostLog struct{ brokenLog }

func (lostLog) append(_ context.Context, batch []Webhook) ([]bool, error) {
	return make([]bool, len(batch)), nil
}
func (lostLog) ready(context.Context) error                          { return nil }
func (lostLog) join(context.Context, *store.Store, JoinConfig) error { return nil }
func (lostLog) claim(context.Context, *store.Tx, int) ([]store.Delivery, error) {
	return nil, &unreadableError{store.ErrDamaged}
}

func TestAWebhookThatCannotBeReadBackIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	st, err := store.OpenSQLite(t.Context(), testdb.DataDir(t))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	in := open(lostLog{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		in.Dispatch(ctx, st, func(context.Context, *store.Delivery) {}, zerolog.Nop())
	}()
	for deadline := time.Now().Add(10 * time.Second); in.Ready(t.Context()) == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("an inbox that cannot be read is ready")
		}
	}
	if _, err := in.Accept(t.Context(), Webhook{}); !errors.Is(err, ErrNotStored) || !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a webhook was answered %v, want ErrNotStored because of the damage", err)
	}
	cancel()
	<-done
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

func TestADuplicateOfAMissingRowIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	in, _, _ := fullDisk(t)
	defer in.Close()
	if _, err := in.Accept(t.Context(), big("w1")); err != nil {
		t.Fatal(err)
	}
	// Delete the row, but not from the index.
	db := in.log.(*sqliteLog).file.Write
	for _, damage := range []string{
		`PRAGMA writable_schema = ON`, `UPDATE sqlite_schema SET rootpage = 0 WHERE name = 'none'`,
		`CREATE TABLE spare (webhook_id TEXT UNIQUE)`, `INSERT INTO spare (rowid, webhook_id) VALUES (77, 'phantom')`,
		`UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_spare_1') WHERE name = 'sqlite_autoindex_inbox_1'`,
		`PRAGMA writable_schema = RESET`,
	} {
		if _, err := db.Exec(damage); err != nil {
			t.Fatal(err)
		}
	}
	if duplicate, err := in.Accept(t.Context(), big("phantom")); !errors.Is(err, ErrNotStored) {
		t.Errorf("a webhook that is not there was acknowledged (duplicate %v, error %v)", duplicate, err)
	}
}
