package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
)

// pgxDB is what pools and transactions have in common.
type pgxDB interface {
	Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}

// pgBackend uses two pools, so that River's leader election does not starve when the
// workers hold every connection of the other.
type pgBackend struct {
	querier
	pool      *pgxpool.Pool
	riverPool *pgxpool.Pool
	presence  *presence
}

// OpenPostgres connects to the database at url and updates its schema. Several processes
// may share it. Errors do not repeat the URL, because it contains a password.
func OpenPostgres(ctx context.Context, url string) (*Store, error) {
	pool, err := PostgresPool(ctx, url, 16)
	if err != nil {
		return nil, err
	}
	if err := migratePostgres(ctx, pool); err != nil {
		pool.Close()
		return nil, fmt.Errorf("prepare the PostgreSQL database: %w", err)
	}
	switch moving, err := Moving(ctx, pool); {
	case err != nil:
		pool.Close()
		return nil, err
	case moving:
		pool.Close()
		return nil, ErrMoving
	}
	riverPool, err := PostgresPool(ctx, url, 8)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &Store{backend: &pgBackend{querier: pgxQuerier{pool}, pool: pool, riverPool: riverPool, presence: newPresence(riverPool)}}, nil
}

// MoveTable is a table that exists only while data is moved into the database.
const MoveTable = "milepost_move"

// ErrMoving means that the database holds only a part of the data that is moved into it.
var ErrMoving = errors.New("the move into this PostgreSQL database is not finished: run `milepost move` again")

// Moving reports whether a move into the database is unfinished.
func Moving(ctx context.Context, pool *pgxpool.Pool) (moving bool, err error) {
	if err := pool.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, MoveTable).Scan(&moving); err != nil {
		return false, fmt.Errorf("check for a move into the PostgreSQL database: %w", err)
	}
	return moving, nil
}

// MigratePostgres updates the schema of the database at url.
func MigratePostgres(ctx context.Context, url string) error {
	pool, err := PostgresPool(ctx, url, 2)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migratePostgres(ctx, pool); err != nil {
		return fmt.Errorf("prepare the PostgreSQL database: %w", err)
	}
	return nil
}

// endAbandoned makes the server soon end the sessions of a machine that died or hangs.
// Otherwise the rows that their transactions locked would stay locked.
const endAbandoned = `SELECT set_config('idle_in_transaction_session_timeout', '10s', false),
	set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '3', false), set_config('tcp_keepalives_count', '3', false)`

var errNoPostgresURL = errors.New("DATABASE_URL is not a PostgreSQL connection string (postgres://user:password@host:5432/database)")

// CheckPostgresURL returns an error if the value of DATABASE_URL cannot be one.
func CheckPostgresURL(url string) error {
	if _, err := pgxpool.ParseConfig(url); err != nil {
		return errNoPostgresURL // the parser's own error may show the password
	}
	return nil
}

// PostgresPool opens a pool of at most conns connections.
func PostgresPool(ctx context.Context, url string, conns int32) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errNoPostgresURL
	}
	cfg.MaxConns = conns
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		registerParameters(conn.TypeMap())
		_, err := conn.Exec(ctx, endAbandoned)
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect to PostgreSQL at %s: %w", cfg.ConnConfig.Host, err)
	}
	return pool, nil
}

// registerParameters says what the types of parameters are in PostgreSQL if the statement
// does not: for an enumeration, and if the connection string sets default_query_exec_mode to
// exec or simple_protocol. A release does without the 600 types that pgx registers, which
// take 1.4 MiB: see the tag in the Makefile.
func registerParameters(types *pgtype.Map) {
	for _, p := range []struct {
		value any
		name  string
	}{
		{"", "text"},
		{[]string(nil), "_text"},
		{[]*string(nil), "_text"},
		{json.RawMessage(nil), "json"}, // River makes it of its []byte
		{[]json.RawMessage(nil), "_json"},
		{[]byte(nil), "bytea"},
		{[][]byte(nil), "_bytea"},
		{false, "bool"},
		{[]bool(nil), "_bool"},
		{0, "int8"},
		{int64(0), "int8"},
		{[]int64(nil), "_int8"},
		{int32(0), "int4"},
		{[]int32(nil), "_int4"},
		{int16(0), "int2"},
		{[]int16(nil), "_int2"},
		{float64(0), "float8"},
		{[]float64(nil), "_float8"},
		{time.Time{}, "timestamptz"},
		{[]time.Time(nil), "_timestamptz"},
		{time.Duration(0), "interval"},
	} {
		types.RegisterDefaultPgType(p.value, p.name)
	}
}

func (b *pgBackend) begin(ctx context.Context) (*Tx, error) {
	if err := lost(ctx); err != nil {
		return nil, err
	}
	tx, err := b.pool.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &Tx{querier: pgxQuerier{tx}, raw: tx, end: func(ctx context.Context, commit bool) error {
		if commit {
			return tx.Commit(ctx)
		}
		return ignore(tx.Rollback(ctx), pgx.ErrTxClosed)
	}}, nil
}

func (b *pgBackend) newQueue(cfg QueueConfig) (Queue, error) {
	settings := cfg.river()
	if cfg.Workers != nil {
		settings.ID = b.presence.id
		settings.Middleware = []rivertype.Middleware{river.WorkerMiddlewareFunc(b.presence.work)}
		if cfg.Logger != nil {
			b.presence.logger = cfg.Logger
		}
	}
	client, err := river.NewClient(riverpgxv5.New(b.riverPool), settings)
	if err != nil {
		return nil, err
	}
	return &pgQueue{b.presence, riverQueue[*riverpgxv5.Driver, pgx.Tx]{
		client: client,
		insertMany: func(ctx context.Context, tx pgx.Tx, jobs []river.InsertManyParams) error {
			_, err := client.InsertManyTx(ctx, tx, jobs)
			return err
		},
	}}, nil
}

// pgQueue writes this process's heartbeat while it works jobs.
type pgQueue struct {
	presence *presence
	riverQueue[*riverpgxv5.Driver, pgx.Tx]
}

func (q *pgQueue) Start(ctx context.Context) error {
	if err := q.presence.start(ctx); err != nil {
		return err
	}
	return q.riverQueue.Start(ctx)
}

func (q *pgQueue) Stop(ctx context.Context) error {
	err := q.riverQueue.Stop(ctx)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), beatLimit)
	defer cancel()
	return errors.Join(err, q.presence.halt(last, err == nil))
}

func (b *pgBackend) close() error {
	b.riverPool.Close()
	b.pool.Close()
	return nil
}

// givenUp reports whether PostgreSQL aborted a transaction in favour of another: a retry
// may well succeed.
func givenUp(err error) bool {
	const deadlockDetected, serializationFailure = "40P01", "40001"
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == deadlockDetected || e.Code == serializationFailure)
}

func (b *pgBackend) fenced() bool { return b.presence.fenced() }

func (b *pgBackend) holder(name string) string { return b.presence.id + " " + name }
