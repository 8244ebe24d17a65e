package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"milepost/internal/inbox"
	"milepost/internal/store"
	"milepost/internal/testenv/testdb"
)

// storage is a data directory or a database, made for one measurement.
type storage struct {
	dir, url string
	drop     func()
}

// storage makes an empty one.
func (b *bench) storage(name string) (*storage, error) {
	s := &storage{dir: filepath.Join(b.dir, name)}
	s.drop = func() { _ = os.RemoveAll(s.dir) }
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	if b.postgres != "" {
		url, drop, err := testdb.CreateDatabase(context.Background(), b.postgres)
		if err != nil {
			return nil, err
		}
		s.url, s.drop = url, func() { _ = drop() }
	}
	return s, nil
}

// open opens the storage as Milepost does.
func (s *storage) open(ctx context.Context) (st *store.Store, in *inbox.Inbox, err error) {
	if s.url != "" {
		if st, err = store.OpenPostgres(ctx, s.url); err == nil {
			in, err = inbox.OpenPostgres(ctx, s.url)
		}
		return st, in, err
	}
	if st, err = store.OpenSQLite(ctx, s.dir); err == nil {
		in, err = inbox.OpenSQLite(ctx, s.dir)
	}
	return st, in, err
}

// direct is what the parts cost without HTTP, one after the other.
type direct struct {
	stored, dispatched, synced cost
	prune                      time.Duration
	pruned                     int64
}

// cost is that of many of a kind.
type cost struct {
	rate float64 // a second
	cpu  float64 // microseconds each, in this process
}

func (c cost) String() string { return fmt.Sprintf("%.0f/s (CPU %.0f us)", c.rate, c.cpu) }

// costOf measures what do costs for each of n.
func costOf(n float64, do func() error) (cost, error) {
	start, before := time.Now(), cpuOf(os.Getpid())
	err := do()
	return cost{n / time.Since(start).Seconds(), float64((cpuOf(os.Getpid()) - before).Microseconds()) / n}, err
}

// over compares CPU times, and rates, with what the same machine did before.
func (d direct) over(o direct) string {
	return fmt.Sprintf("CPU %.2f, %.2f, %.2f and rates %.2f, %.2f, %.2f", d.stored.cpu/o.stored.cpu, d.dispatched.cpu/o.dispatched.cpu, d.synced.cpu/o.synced.cpu,
		d.stored.rate/o.stored.rate, d.dispatched.rate/o.dispatched.rate, d.synced.rate/o.synced.rate)
}

func (d direct) String() string {
	return fmt.Sprintf("webhooks stored %v, dispatched %v; empty syncs %v", d.stored, d.dispatched, d.synced)
}

// syncNothing is a worker that ends each sync at once.
func syncNothing(st *store.Store) *river.Workers {
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[store.SyncArgs]) error {
		state, err := st.EntityState(ctx, job.Args.Entity())
		if err != nil {
			return err
		}
		_, err = st.FinishSync(ctx, job, store.Finish{Entity: state.Entity, Wanted: state.Wanted, Outcome: store.Unchanged, Now: time.Now()})
		return err
	}))
	return workers
}

// direct stores webhooks, then dispatches them, works the syncs, and deletes
// old webhooks.
func (b *bench) direct(on *storage, stored int) (d direct, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	st, in, err := on.open(ctx)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, in.Close(), st.Close()) }()
	queue, err := st.NewQueue(store.QueueConfig{Workers: syncNothing(st), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return d, err
	}
	if d.stored, err = costOf(directCount, func() error { return accept(ctx, in, stored) }); err != nil {
		return d, err
	}
	if d.dispatched, err = costOf(directCount, func() error { return dispatch(ctx, in, st, int64(stored+directCount)) }); err != nil {
		return d, err
	}
	if d.synced, err = costOf(directEntities, func() error { return work(ctx, queue, st) }); err != nil {
		return d, err
	}
	start := time.Now()
	d.pruned, err = in.Prune(ctx, time.Now().Add(-35*24*time.Hour))
	d.prune = time.Since(start)
	return d, err
}

// What is sent to the parts.
const directCount, directEntities = 20000, 5000

// accept stores webhooks whose entities lie all over those that are stored already.
func accept(ctx context.Context, in *inbox.Inbox, stored int) error {
	const senders = 256
	body := make([]byte, 1500)
	failed := make(chan error, senders)
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			for i := s; i < directCount; i += senders {
				id := seededID(i % directEntities * max(stored/directEntities, 1))
				if _, err := in.Accept(ctx, inbox.Webhook{
					WebhookID: uuid.NewString(), Type: "ContactUpdate", ContactID: id,
					Entity: store.Entity{LocationID: location, Kind: "contact", ID: id}, ReceivedAt: time.Now(), Body: body,
				}); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	sending.Wait()
	close(failed)
	return <-failed
}

// dispatch moves webhooks until the one numbered last is moved.
func dispatch(ctx context.Context, in *inbox.Inbox, st *store.Store, last int64) (err error) {
	dispatching, stop := context.WithCancel(ctx)
	var dispatcher sync.WaitGroup
	dispatcher.Go(func() {
		in.Dispatch(dispatching, st, func(context.Context, *store.Delivery) {}, zerolog.Nop())
	})
	for newest := int64(0); newest < last && err == nil; time.Sleep(5 * time.Millisecond) {
		var list []store.Delivery
		if list, err = st.Deliveries(ctx, 0, 1); len(list) > 0 {
			newest = list[0].ID
		}
	}
	stop()
	dispatcher.Wait()
	return err
}

// work works all jobs.
func work(ctx context.Context, queue store.Queue, st *store.Store) error {
	if err := queue.Start(ctx); err != nil {
		return err
	}
	var err error
	for left := int64(1); left > 0 && err == nil; time.Sleep(20 * time.Millisecond) {
		left, err = st.Backlog(ctx)
	}
	return errors.Join(err, queue.Stop(ctx))
}

// seededID names the nth stored entity.
func seededID(n int) string { return fmt.Sprintf("seeded%014d", n) }

// seed writes n webhooks, as many finished deliveries of theirs, and n entities
// straight into the tables, received over the last 36 days. A webhook and its delivery have the
// same id, or each start would dispatch all of them again.
func (s *storage) seed(n int) error {
	ctx := context.Background()
	st, in, err := s.open(ctx) // makes the tables
	if err != nil {
		return err
	}
	if err := errors.Join(in.Close(), st.Close()); err != nil {
		return err
	}
	oldest, step := time.Now().Add(-36*24*time.Hour).UnixMicro(), (36*24*time.Hour).Microseconds()/int64(n)
	if s.url != "" {
		return s.seedPostgres(ctx, n, oldest, step)
	}
	return s.seedSQLite(ctx, n, oldest, step)
}

func (s *storage) seedSQLite(ctx context.Context, n int, oldest, step int64) error {
	const numbers = `WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < $1) `
	run := func(file string, statements ...string) error {
		db, err := store.SQLiteDB(filepath.Join(s.dir, file), 1)
		if err != nil {
			return err
		}
		for _, statement := range append([]string{`PRAGMA synchronous = OFF`}, statements...) {
			if _, err := db.ExecContext(ctx, statement, n, location, oldest, step); err != nil {
				return errors.Join(fmt.Errorf("%s: %w", statement, err), db.Close())
			}
		}
		return db.Close()
	}
	return errors.Join(
		run("inbox.db", numbers+`INSERT INTO inbox (webhook_id, type, location_id, kind, entity_id, contact_id, deleted, received_at, body)
			SELECT printf('webhook%025d', i), 'ContactUpdate', $2, 'contact', printf('seeded%014d', i), printf('seeded%014d', i), 0, $3 + i * $4, randomblob(1500) FROM numbers`),
		run("milepost.db", numbers+`INSERT INTO deliveries (id, webhook_id, type, location_id, kind, entity_id, received_at, wanted, outcome, detail, finished_at)
			SELECT i + 1, printf('webhook%025d', i), 'ContactUpdate', $2, 'contact', printf('seeded%014d', i), $3 + i * $4, 1, 'unchanged', '', $3 + i * $4 + 100000 FROM numbers`,
			numbers+`INSERT INTO entities (location_id, kind, id, contact_id, wanted, done, deleted_wanted, gone_at, fingerprint, outcome, detail, synced_at)
			SELECT $2, 'contact', printf('seeded%014d', i), printf('seeded%014d', i), 1, 1, 0, 0, hex(randomblob(32)), 'unchanged', '', $3 + i * $4 FROM numbers`,
			`UPDATE inbox_cursor SET id = $1`),
	)
}

func (s *storage) seedPostgres(ctx context.Context, n int, oldest, step int64) error {
	conn, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	const id = `'seeded' || lpad(i::text, 14, '0')`
	for _, statement := range []string{
		`INSERT INTO inbox (webhook_id, type, location_id, kind, entity_id, contact_id, deleted, received_at, body, dispatched)
			SELECT md5(random()::text), 'ContactUpdate', $2::text, 'contact', ` + id + `, ` + id + `, 0, $3::bigint + i * $4::bigint, decode(repeat(md5(random()::text), 94), 'hex'), TRUE
			FROM generate_series(0, $1 - 1) i`,
		`INSERT INTO deliveries (id, webhook_id, type, location_id, kind, entity_id, received_at, wanted, outcome, detail, finished_at)
			SELECT i + 1, md5(random()::text), 'ContactUpdate', $2::text, 'contact', ` + id + `, $3::bigint + i * $4::bigint, 1, 'unchanged', '', $3 + i * $4 + 100000
			FROM generate_series(0, $1 - 1) i`,
		`INSERT INTO entities (location_id, kind, id, contact_id, wanted, done, deleted_wanted, gone_at, fingerprint, outcome, detail, synced_at)
			SELECT $2::text, 'contact', ` + id + `, ` + id + `, 1, 1, 0, 0, md5(random()::text), 'unchanged', '', $3::bigint + i * $4::bigint
			FROM generate_series(0, $1 - 1) i`,
	} {
		if _, err := conn.Exec(ctx, statement, int64(n), location, oldest, step); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	_, err = conn.Exec(ctx, `ANALYZE`) // as autovacuum does with the time
	return err
}
