package store_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// onEachBackend runs a test on SQLite and on PostgreSQL.
func onEachBackend(t *testing.T, test func(t *testing.T, open func() *store.Store)) {
	t.Helper()
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		dir := testdb.DataDir(t)
		test(t, func() *store.Store { return must(store.OpenSQLite(t.Context(), dir))(t) })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		url := testdb.Postgres(t)
		test(t, func() *store.Store { return must(store.OpenPostgres(t.Context(), url))(t) })
	})
}

// must returns a function that returns the value, or fails the test.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// bundle is a store with a queue. A function of the test works its syncs.
type bundle struct {
	*store.Store
	queue store.Queue
}

// setup opens a store. If work is nil, no jobs are worked.
func setup(t *testing.T, open func() *store.Store, work func(context.Context, *store.Store, *river.Job[store.SyncArgs]) error, atOnce ...int) *bundle {
	t.Helper()
	atOnce = append(atOnce, 50)
	b := &bundle{Store: open()}
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[store.SyncArgs]) error {
		return work(ctx, b.Store, job)
	}))
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[store.RemindArgs]) error { return nil }))
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[store.EraseArgs]) error { return nil }))
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[store.ApplyArgs]) error { return nil }))
	var err error
	if b.queue, err = b.NewQueue(store.QueueConfig{Workers: workers, MaxWorkers: atOnce[0], Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	if work != nil {
		if err := b.queue.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if work != nil {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := b.queue.Stop(ctx); err != nil {
				t.Errorf("stop the queue: %v", err)
			}
		}
		if err := b.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return b
}

var contact1 = store.Entity{LocationID: "loc", Kind: "contact", ID: "c1"}

// deliver dispatches deliveries as if the inbox had stored them.
func (b *bundle) deliver(t testing.TB, deliveries ...store.Delivery) {
	t.Helper()
	_, err := b.Dispatch(context.Background(), func(context.Context, *store.Tx) ([]store.Delivery, error) { return deliveries, nil })
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryDeliveryRaisesTheWantedOfItsEntity(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		b.deliver(t,
			store.Delivery{ID: 1, Type: "ContactUpdate", Entity: contact1, ContactID: "c1", ReceivedAt: time.UnixMicro(5)},
			store.Delivery{ID: 2, Type: "ContactDelete", Entity: contact1, Deleted: true},
			store.Delivery{ID: 3, Type: "ContactUpdate", Entity: contact1})
		b.deliver(t, store.Delivery{ID: 4, Type: "Nonsense", Skip: "unknown type Nonsense", ReceivedAt: time.UnixMicro(7)})

		state := must(b.EntityState(t.Context(), contact1))(t)
		if state.Wanted != 3 || state.Done != 0 || state.ContactID != "c1" {
			t.Errorf("wanted, done, contact = %d, %d, %q; want 3, 0, c1", state.Wanted, state.Done, state.ContactID)
		}
		if state.DeletedWanted != 2 || !state.DeleteAsked() {
			t.Errorf("the delete event was noted at %d, want 2", state.DeletedWanted)
		}
		list := must(b.Deliveries(t.Context(), 0, 10))(t)
		if len(list) != 4 {
			t.Fatalf("%d deliveries, want 4", len(list))
		}
		if d := list[0]; d.Outcome != store.Skipped || d.Detail != "unknown type Nonsense" || d.FinishedAt.IsZero() {
			t.Errorf("a delivery nobody asked for is %q (%s), finished %v; want skipped at once", d.Outcome, d.Detail, d.FinishedAt)
		}
		if d := list[3]; d.Wanted != 1 || d.Outcome != store.Pending || !d.FinishedAt.IsZero() || d.ReceivedAt != time.UnixMicro(5).UTC() {
			t.Errorf("the first delivery reads back as %+v", d)
		}
		if n := must(b.Backlog(t.Context()))(t); n != 1 {
			t.Errorf("backlog = %d, want 1", n)
		}
	})
}

func TestManyDeliveriesInOneDispatchAreAllRecorded(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		var all []store.Delivery
		for i := range 77 { // two full statements and a rest
			all = append(all, store.Delivery{ID: int64(i + 1), Type: "ContactUpdate", Entity: contact1})
		}
		b.deliver(t, all...)
		list := must(b.Deliveries(t.Context(), 0, 100))(t)
		if len(list) != 77 {
			t.Fatalf("%d deliveries, want 77", len(list))
		}
		for i, d := range list {
			if want := int64(77 - i); d.ID != want || d.Wanted != want {
				t.Fatalf("delivery %d has wanted %d, want both %d", d.ID, d.Wanted, want)
			}
		}
	})
}

func TestALeaseHasOneHolderUntilItExpires(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		now := time.Unix(1000, 0)
		take := func(holder string, at time.Time) bool {
			return must(b.Lease(t.Context(), "email:a@example.com", holder, at, at.Add(time.Minute)))(t)
		}
		if !take("one", now) || take("two", now) || !take("one", now) {
			t.Fatal("want: one takes it, two does not, one takes it again")
		}
		if take("two", now.Add(30*time.Second)) {
			t.Fatal("two took a lease that has not expired")
		}
		if !take("two", now.Add(2*time.Minute)) {
			t.Fatal("two could not take an expired lease")
		}
		if err := b.Release(t.Context(), "email:a@example.com", "one"); err != nil {
			t.Fatal(err)
		}
		if take("three", now.Add(2*time.Minute)) {
			t.Fatal("a release by one gave away the lease of two")
		}
		for at, dropped := range map[time.Duration]bool{2 * time.Minute: false, 4 * time.Minute: true} {
			lease := "until three minutes, pruned at " + at.String()
			must(b.Lease(t.Context(), lease, "one", now, now.Add(3*time.Minute)))(t)
			if err := b.PruneLeases(t.Context(), now.Add(at)); err != nil {
				t.Fatal(err)
			}
			if got := must(b.Lease(t.Context(), lease, "two", now, now.Add(3*time.Minute)))(t); got != dropped {
				t.Errorf("%s: dropped = %v, want %v", lease, got, dropped)
			}
		}
	})
}

func TestALinkIsReadBackAsWritten(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		l := store.Link{
			Entity: contact1, Item: "a/1", ItemKind: "event", Automation: "A", State: store.LinkCreating, Marker: "mp-x",
			Generation: 1, Material: "m", Content: "c", Title: "Closing", Start: time.Unix(10, 0).UTC(), End: time.Unix(20, 0).UTC(),
			AttemptedAt: time.Unix(5, 0).UTC(),
		}
		entry := store.TimelineEntry{At: time.Unix(6, 0).UTC(), Entity: contact1, ContactID: "c1", What: "event created", Detail: "Closing"}
		if err := b.SaveLink(t.Context(), l, time.Unix(5, 0), []store.Reminder{{At: time.Now().Add(time.Hour), Before: time.Hour}}, entry); err != nil {
			t.Fatal(err)
		}
		l.State, l.ObjectID, l.Owned = store.LinkLive, "o1", true
		if err := b.SaveLink(t.Context(), l, time.Unix(6, 0), nil); err != nil {
			t.Fatal(err)
		}
		if got := must(b.Links(t.Context(), contact1))(t)["a/1"]; got != l {
			t.Errorf("read back\n%+v, wrote\n%+v", got, l)
		}
		if got := must(b.Timeline(t.Context(), "loc", "c1"))(t); len(got) != 1 || got[0].ID == 0 {
			t.Errorf("timeline = %+v", got)
		} else if got[0].ID = 0; got[0] != entry {
			t.Errorf("timeline = %+v", got)
		}
	})
}

func TestTheLastLinkOfASharedObjectOwnsIt(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		now := time.Unix(5, 0)
		link := func(location, id string, owned bool) store.Link {
			l := store.Link{
				Entity: store.Entity{LocationID: location, Kind: "contact", ID: id}, Item: "a/1", ItemKind: "contact",
				State: store.LinkLive, ObjectID: "o1", Owned: owned,
			}
			if err := b.SaveLink(t.Context(), l, now, nil); err != nil {
				t.Fatal(err)
			}
			return l
		}
		maker, sharer := link("loc", "maker", true), link("another location of the account", "sharer", false)
		if must(b.Relinquish(t.Context(), maker, now))(t) {
			t.Error("the object of two was given up by the first")
		}
		maker.State = store.LinkGone
		if err := b.SaveLink(t.Context(), maker, now, nil); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time as after a crash
			if !must(b.Relinquish(t.Context(), sharer, now))(t) {
				t.Error("the last who had the object did not inherit it")
			}
		}
		if found := link("loc", "found", false); must(b.Relinquish(t.Context(), found, now))(t) {
			t.Error("an object that was found here is to be deleted")
		}
	})
}

func TestOldDeliveriesArePrunedInBatches(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		var list []store.Delivery
		for i := range 700 {
			at := time.Unix(100, 0)
			if i >= 600 {
				at = time.Unix(200, 0)
			}
			list = append(list, store.Delivery{ID: int64(i + 1), Type: "Sunrise", Skip: "nothing to do", ReceivedAt: at})
		}
		b.deliver(t, list...)
		for _, want := range []int64{500, 100, 0} {
			if n := must(b.PruneDeliveries(t.Context(), time.Unix(150, 0)))(t); n != want {
				t.Errorf("%d were forgotten, want %d", n, want)
			}
		}
		if left := must(b.Deliveries(t.Context(), 0, 1000))(t); len(left) != 100 {
			t.Errorf("%d are left, want the 100 newer ones", len(left))
		}
	})
}

func TestOnlyTheOwnerMayReadADatabaseFile(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "milepost.db"), nil, 0o644); err != nil { // as an older version created it
		t.Fatal(err)
	}
	st := must(store.OpenSQLite(t.Context(), dir))(t)
	defer st.Close()
	entries := must(os.ReadDir(dir))(t)
	for _, e := range entries {
		if mode := must(e.Info())(t).Mode().Perm(); mode != 0o600 {
			t.Errorf("%s is %v", e.Name(), mode)
		}
	}
}

// River survives a job that panics, so the job must not block writers.
func TestATransactionThatPanicsIsRolledBack(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		st := open()
		defer st.Close()
		fill := func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), `DELETE FROM secrets`)
			return err
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is swallowed")
				}
			}()
			_ = st.InTx(t.Context(), func(tx *store.Tx) error {
				if err := fill(tx); err != nil {
					t.Error(err)
				}
				panic("a fault in a sync")
			})
		}()
		soon, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := st.InTx(soon, fill); err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}
