// Package store keeps what Milepost knows: entities and how far each is synced,
// links to the objects that Milepost created, deliveries with their outcome, and
// the River job queue. It runs on SQLite (one file, one process) or PostgreSQL
// (several processes), behind one suite of tests.
//
// Guarantees: one transaction raises an entity's wanted counter and ensures that a
// job exists for it; one transaction finishes a job and lowers what it owes. So an
// event that arrives during a sync is never lost.
//
// The package knows no vendor and does not decide what to sync.
// Times are stored as microseconds since 1970 UTC; 0 means "never".
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Store is an open state database. Safe for concurrent use.
type Store struct {
	backend
	queue      Queue
	rehearsing bool
}

// backend is what differs between SQLite and PostgreSQL.
type backend interface {
	querier // reads outside any transaction
	begin(ctx context.Context) (*Tx, error)
	newQueue(QueueConfig) (Queue, error)
	scrub(ctx context.Context) error
	fenced() bool
	holder(name string) string // names a lease's holder, so that leases of a dead process are recognised
	close() error
}

// Tx is one transaction of either back end.
type Tx struct {
	querier
	raw   any // *sql.Tx or pgx.Tx, as River wants it
	store *Store
	end   func(ctx context.Context, commit bool) error
}

// querier runs SQL with $1-style parameters on either back end.
type querier interface {
	// Exec runs a statement and returns the number of rows it touched.
	Exec(ctx context.Context, query string, args ...any) (int64, error)
	// Query runs a statement that returns rows.
	Query(ctx context.Context, query string, args ...any) (Rows, error)
}

// Rows is the part of sql.Rows and pgx.Rows that the queries here use.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// Rehearsing returns a store without effect: it rolls back each transaction at its end.
// Within a transaction, results are as they would be.
func (s *Store) Rehearsing() *Store {
	own := *s
	own.rehearsing = true
	return &own
}

// InTx runs fn in one write transaction, and commits it unless fn fails. If PostgreSQL
// aborts it to end a deadlock, fn runs again. Deadlocks happen because River locks the rows
// of several jobs in its own order.
func (s *Store) InTx(ctx context.Context, fn func(*Tx) error) error {
	return untilKept(ctx, func() error { return s.inTx(ctx, fn) })
}

// untilKept runs a transaction again if PostgreSQL aborts it in favour of another.
func untilKept(ctx context.Context, transaction func() error) error {
	const tries = 5
	for try := 1; ; try++ {
		err := transaction()
		if try == tries || !givenUp(err) || ctx.Err() != nil {
			return err
		}
	}
}

func (s *Store) inTx(ctx context.Context, fn func(*Tx) error) error {
	tx, err := s.begin(ctx)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	tx.store = s
	returned := false
	defer func() {
		if !returned { // fn panicked; River survives that, so others must be able to write
			_ = tx.end(context.WithoutCancel(ctx), false)
		}
	}()
	err = fn(tx)
	returned = true
	if err != nil || s.rehearsing {
		// The caller's context may have caused the failure; the rollback must still happen.
		return errors.Join(err, tx.end(context.WithoutCancel(ctx), false))
	}
	if err := tx.end(ctx, true); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Fenced reports whether this process must not have effects now: it works jobs and has not
// reached the database for some seconds, so other processes may soon work them.
func (s *Store) Fenced() bool { return s.fenced() }

// Close closes the database. Stop the queue first.
func (s *Store) Close() error { return s.close() }

// collect scans every row with one function.
func collect[T any](rows Rows, err error, scan func(Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// micros turns a time into its stored form; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is the inverse of micros, in UTC.
func fromMicros(v int64) time.Time {
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMicro(v).UTC()
}

// sqlQuerier adapts database/sql.
type sqlQuerier struct {
	db interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	}
}

func (q sqlQuerier) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := q.db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (q sqlQuerier) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	rows, err := q.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return sqlRows{rows}, nil
}

type sqlRows struct{ *sql.Rows }

func (r sqlRows) Close() { _ = r.Rows.Close() } // Err returns the error

// pgxQuerier adapts pgx.
type pgxQuerier struct{ db pgxDB }

func (q pgxQuerier) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := q.db.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

func (q pgxQuerier) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	rows, err := q.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return rows, nil
}

var _ Rows = pgx.Rows(nil)
