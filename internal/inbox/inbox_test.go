package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"milepost/internal/inbox"
	"milepost/internal/store"
	"milepost/internal/testenv/testdb"
)

// bundle is an inbox with the store that it dispatches into. No worker runs.
type bundle struct {
	*inbox.Inbox
	store *store.Store
	stop  func() // ends the dispatcher
}

// onEachBackend runs a test on SQLite and on PostgreSQL. Each call of open opens the same
// data again.
func onEachBackend(t *testing.T, test func(t *testing.T, open func() *bundle)) {
	t.Helper()
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		dir := testdb.DataDir(t)
		test(t, func() *bundle {
			st, err := store.OpenSQLite(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			in, err := inbox.OpenSQLite(t.Context(), dir)
			return assemble(t, st, in, err)
		})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		url := testdb.Postgres(t)
		test(t, func() *bundle {
			st, err := store.OpenPostgres(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			in, err := inbox.OpenPostgres(t.Context(), url)
			return assemble(t, st, in, err)
		})
	})
}

func assemble(t *testing.T, st *store.Store, in *inbox.Inbox, err error) *bundle {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[store.SyncArgs]) error { return nil }))
	if _, err := st.NewQueue(store.QueueConfig{Workers: workers, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	return &bundle{Inbox: in, store: st}
}

// dispatch starts the dispatcher.
func (b *bundle) dispatch() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Dispatch(ctx, b.store, func(context.Context, *store.Delivery) {}, zerolog.Nop())
	}()
	b.stop = func() { cancel(); <-done }
}

func (b *bundle) close(t *testing.T) {
	t.Helper()
	if b.stop != nil {
		b.stop()
	}
	if err := errors.Join(b.Inbox.Close(), b.store.Close()); err != nil {
		t.Error(err)
	}
}

// moved waits until n deliveries are dispatched, and returns all there are.
func (b *bundle) moved(t *testing.T, n int) []store.Delivery {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		list, err := b.store.Deliveries(t.Context(), 0, n+1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) >= n {
			return list
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d deliveries were dispatched", len(list), n)
		}
	}
}

func webhook(id string) inbox.Webhook {
	return inbox.Webhook{
		WebhookID: id, Type: "ContactUpdate", Entity: store.Entity{LocationID: "loc", Kind: "contact", ID: "c1"},
		ReceivedAt: time.Unix(1, 0), Body: []byte(`{}`),
	}
}

func (b *bundle) accept(t *testing.T, w inbox.Webhook) (duplicate bool) {
	t.Helper()
	duplicate, err := b.Accept(context.Background(), w)
	if err != nil {
		t.Fatal(err)
	}
	return duplicate
}

func TestAWebhookIsStoredOnceAndDispatchedOnce(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *bundle) {
		b := open()
		if b.accept(t, webhook("w1")) {
			t.Error("a first webhook was called a duplicate")
		}
		if !b.accept(t, webhook("w1")) {
			t.Error("a second webhook with the same id was not called a duplicate")
		}
		if first, second := b.accept(t, webhook("")), b.accept(t, webhook("")); first || second {
			t.Error("a webhook without an id was called a duplicate: a record may go A, B, A")
		}
		b.dispatch()
		b.moved(t, 3)
		b.close(t)

		again := open() // after a restart
		if !again.accept(t, webhook("w1")) {
			t.Error("after a restart a duplicate is no longer known")
		}
		again.accept(t, webhook("w2"))
		again.dispatch()
		if list := again.moved(t, 4); len(list) != 4 {
			t.Errorf("%d deliveries were dispatched, want 4: each exactly once", len(list))
		}
		again.close(t)
	})
}

func TestConcurrentEqualWebhooksAreStoredOnce(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *bundle) {
		b := open()
		defer b.close(t)
		const senders, ids = 64, 50
		var mu sync.Mutex
		fresh := map[string]int{}
		var wg sync.WaitGroup
		for range senders {
			wg.Go(func() {
				for i := range ids {
					id := fmt.Sprint("w", i)
					duplicate, err := b.Accept(context.Background(), webhook(id))
					if err != nil {
						t.Error(err)
						return
					}
					if !duplicate {
						mu.Lock()
						fresh[id]++
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		for i := range ids {
			if n := fresh[fmt.Sprint("w", i)]; n != 1 {
				t.Errorf("webhook w%d was stored %d times", i, n)
			}
		}
		b.dispatch()
		if list := b.moved(t, ids); len(list) != ids {
			t.Errorf("%d deliveries, want %d", len(list), ids)
		}
	})
}

func TestPruneDeletesOnlyOldDispatchedWebhooks(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *bundle) {
		b := open()
		defer b.close(t)
		old, young := webhook("old"), webhook("young")
		young.ReceivedAt = time.Unix(1000, 0)
		b.accept(t, old)
		b.accept(t, young)
		b.dispatch()
		b.moved(t, 2)
		n, err := b.Prune(t.Context(), time.Unix(500, 0))
		if err != nil || n != 1 {
			t.Fatalf("pruned %d (%v), want 1", n, err)
		}
		if !b.accept(t, young) {
			t.Error("a young webhook was forgotten")
		}
		if b.accept(t, old) {
			t.Error("an old webhook is still known after it was pruned")
		}
	})
}

func TestAnErasedWebhookHasNoBodyAndIsStillADuplicate(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *bundle) {
		b := open()
		defer b.close(t)
		b.accept(t, webhook("w1"))
		b.accept(t, webhook("w2"))
		b.dispatch()
		var ids []int64
		for _, d := range b.moved(t, 2) {
			if d.WebhookID == "w1" {
				ids = append(ids, d.ID)
			}
		}
		for _, want := range []int64{1, 0} {
			if n, err := b.Erase(t.Context(), "loc", "nobody", ids); err != nil || n != want {
				t.Errorf("erased %d bodies (%v), want %d", n, err, want)
			}
		}
		if !b.accept(t, webhook("w1")) {
			t.Error("an erased webhook is no longer known")
		}
	})
}

func TestEraseEmptiesEveryWebhookThatNamedTheContact(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *bundle) {
		b := open()
		defer b.close(t)
		for id, contact := range map[string]string{"w1": "c1", "w2": "c1", "w3": "c2", "w4": ""} {
			w := webhook(id)
			w.Type, w.ContactID, w.Entity = "OpportunityCreate", contact, store.Entity{LocationID: "loc"}
			b.accept(t, w)
		}
		elsewhere := webhook("w5")
		elsewhere.ContactID, elsewhere.Entity.LocationID = "c1", "another"
		b.accept(t, elsewhere)
		for _, want := range []int64{2, 0} {
			if n, err := b.Erase(t.Context(), "loc", "c1", nil); err != nil || n != want {
				t.Errorf("erased %d bodies (%v), want %d", n, err, want)
			}
		}
		b.dispatch()
		b.moved(t, 5)
	})
}

func TestAClosedInboxRefusesAndIsNotReady(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *bundle) {
		b := open()
		if err := b.Ready(t.Context()); err != nil {
			t.Errorf("an open inbox is not ready: %v", err)
		}
		b.close(t)
		if err := b.Ready(t.Context()); err == nil {
			t.Error("a closed inbox is ready")
		}
		if _, err := b.Accept(t.Context(), webhook("w")); !errors.Is(err, inbox.ErrNotStored) {
			t.Errorf("a closed inbox answered %v, want ErrNotStored", err)
		}
	})
}

func TestAWebhookIsReadBackAsReceived(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *bundle) {
		b := open()
		defer b.close(t)
		w := webhook("w-1")
		w.Body = []byte(`{"name": "Jane \u00fc", "n": 12345678901234567890}`)
		if _, err := b.Accept(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		id, ok, err := b.Find(t.Context(), "w-1")
		if err != nil || !ok {
			t.Fatalf("it is not found: %v", err)
		}
		if body, ok, err := b.Body(t.Context(), id); err != nil || !ok || string(body) != string(w.Body) {
			t.Errorf("the body is %s, %t, %v", body, ok, err)
		}
		if _, ok, err := b.Find(t.Context(), "w-2"); ok || err != nil {
			t.Errorf("another one is found (%v)", err)
		}
		if _, ok, err := b.Body(t.Context(), id+1); ok || err != nil {
			t.Errorf("the body of no webhook: %t, %v", ok, err)
		}
	})
}
