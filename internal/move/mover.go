package move

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivershared/uniquestates"
	"github.com/riverqueue/river/rivertype"

	"milepost/internal/store"
)

// ErrNotEmpty means that the database holds data of its own.
var ErrNotEmpty = errors.New("the PostgreSQL database is not empty")

// mover is one move under way. The table store.MoveTable in PostgreSQL holds how far
// it is.
type mover struct {
	cfg  Config
	pool *pgxpool.Pool
}

// begin starts a move, or finds the one that was interrupted. here is the state.
func (m *mover) begin(ctx context.Context, here *sql.DB) error {
	var self string // "" where `serve` never ran
	if err := here.QueryRowContext(ctx, `SELECT coalesce((SELECT id FROM installation), '')`).Scan(&self); err != nil {
		return fmt.Errorf("read which Milepost this is: %w", err)
	}
	moving, err := store.Moving(ctx, m.pool)
	if err != nil {
		return err
	}
	if moving {
		var of string
		if err := m.pool.QueryRow(ctx, `SELECT after FROM `+store.MoveTable+` WHERE name = 'installation of'`).Scan(&of); err != nil {
			return fmt.Errorf("read which move was interrupted: %w", err)
		}
		if of != self {
			return fmt.Errorf("%w: another Milepost is being moved into it", ErrNotEmpty)
		}
		return nil
	}
	for _, name := range []string{"connections", "deliveries", "entities", "inbox", "people", "automations"} {
		var there bool
		if err := m.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM `+quote(name)+`)`).Scan(&there); err != nil {
			return err
		}
		if there {
			return fmt.Errorf("%w: its table %s has rows. Give an empty database", ErrNotEmpty, name)
		}
	}
	return pgx.BeginFunc(ctx, m.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `CREATE TABLE `+store.MoveTable+` (name TEXT PRIMARY KEY, after TEXT NOT NULL, rows BIGINT NOT NULL, done BOOLEAN NOT NULL)`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO `+store.MoveTable+` VALUES ('installation of', $1, 0, TRUE)`, self)
		return err
	})
}

// check fails if a table or a column of the files has no place in PostgreSQL.
func (m *mover) check(ctx context.Context, tables []table) error {
	there, err := columnsThere(ctx, m.pool)
	if err != nil {
		return err
	}
	for _, t := range tables {
		for _, column := range t.columns {
			if !slices.Contains(there[t.name], column) {
				return fmt.Errorf("PostgreSQL has no column %s.%s", t.name, column)
			}
		}
	}
	return nil
}

// move copies what is missing of a table, and compares. Rows that changed in the files
// after an interrupted move copied them are found then, and the table is copied again.
func (m *mover) move(ctx context.Context, t table) (rows int64, err error) {
	for range 2 {
		if err := m.copy(ctx, t); err != nil {
			return 0, err
		}
		want, err := t.digestHere(ctx)
		if err != nil {
			return 0, err
		}
		got, err := t.digestThere(ctx, m.pool)
		if err != nil {
			return 0, err
		}
		if got == want {
			return got.rows, nil
		}
		if _, err := m.pool.Exec(ctx, `DELETE FROM `+store.MoveTable+` WHERE name = $1`, t.name); err != nil {
			return 0, err
		}
	}
	return 0, errors.New("the copy differs from the table, twice: another process changes one of them")
}

// copy copies a table from where it was left.
func (m *mover) copy(ctx context.Context, t table) error {
	var after, rows int64
	var done bool
	err := m.pool.QueryRow(ctx, `SELECT after::bigint, rows, done FROM `+store.MoveTable+` WHERE name = $1`, t.name).Scan(&after, &rows, &done)
	first := errors.Is(err, pgx.ErrNoRows)
	if err != nil && !first {
		return err
	}
	for !done {
		err := pgx.BeginFunc(ctx, m.pool, func(tx pgx.Tx) error {
			if first { // what the migrations of PostgreSQL wrote
				if _, err := tx.Exec(ctx, `DELETE FROM `+quote(t.name)); err != nil {
					return err
				}
			}
			n, last, err := t.copyChunk(ctx, tx, after)
			if err != nil {
				return err
			}
			after, rows, done = last, rows+n, !t.rowid || n < chunk
			_, err = tx.Exec(ctx, `INSERT INTO `+store.MoveTable+` VALUES ($1, $2, $3, $4)
				ON CONFLICT (name) DO UPDATE SET after = excluded.after, rows = excluded.rows, done = excluded.done`, t.name, fmt.Sprint(after), rows, done)
			return err
		})
		if err != nil {
			return err
		}
		first = false
		if m.cfg.Progress != nil {
			m.cfg.Progress(t.name, rows)
		}
	}
	return nil
}

// copyChunk copies rows after a row id, and returns how many and the last one's.
func (t *table) copyChunk(ctx context.Context, tx pgx.Tx, after int64) (n, last int64, err error) {
	rows, err := t.read(ctx, after, chunk)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	last = after
	n, err = tx.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromFunc(func() ([]any, error) {
		if !rows.Next() {
			return nil, rows.Err()
		}
		rowid, values, err := t.scan(rows)
		last = rowid
		return values, err
	}))
	return n, last, err
}

// moveJobs copies the jobs that are not finished. Those that ran are available again,
// because the process that ran them is gone. Each counts its attempts from nought.
func (m *mover) moveJobs(ctx context.Context, here *sql.DB) (int64, error) {
	jobs, err := riversqlite.New(here).GetExecutor().JobList(ctx, &riverdriver.JobListParams{
		Max: 1 << 30, WhereClause: "finalized_at IS NULL", OrderByClause: "id",
	})
	if err != nil {
		return 0, err
	}
	err = pgx.BeginFunc(ctx, m.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM river_job`); err != nil {
			return err
		}
		to := riverpgxv5.New(m.pool).UnwrapExecutor(tx)
		for list := range slices.Chunk(jobs, 1000) {
			inserts := make([]*riverdriver.JobInsertFastParams, len(list))
			for i, job := range list {
				inserts[i] = insert(job)
			}
			if _, err := to.JobInsertFastMany(ctx, &riverdriver.JobInsertFastManyParams{Jobs: inserts}); err != nil {
				return err
			}
		}
		return nil
	})
	return int64(len(jobs)), err
}

func insert(j *rivertype.JobRow) *riverdriver.JobInsertFastParams {
	state := rivertype.JobStateAvailable
	if j.State == rivertype.JobStateScheduled || j.State == rivertype.JobStateRetryable {
		state = rivertype.JobStateScheduled
	}
	return &riverdriver.JobInsertFastParams{
		CreatedAt: &j.CreatedAt, EncodedArgs: j.EncodedArgs, Kind: j.Kind, MaxAttempts: j.MaxAttempts, Metadata: j.Metadata, Priority: j.Priority, Queue: j.Queue,
		ScheduledAt: &j.ScheduledAt, State: state, Tags: j.Tags, UniqueKey: j.UniqueKey, UniqueStates: uniquestates.UniqueStatesToBitmask(j.UniqueStates),
	}
}

// end raises the counters of the keys that PostgreSQL counts, and lets Milepost start.
func (m *mover) end(ctx context.Context) error {
	rows, err := m.pool.Query(ctx, `SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = current_schema() AND is_identity = 'YES'`)
	if err != nil {
		return err
	}
	type key struct{ Table, Column string }
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[key])
	if err != nil {
		return err
	}
	for _, k := range keys {
		if _, err := m.pool.Exec(ctx, `SELECT setval(pg_get_serial_sequence($1, $2), coalesce((SELECT max(`+quote(k.Column)+`) FROM `+quote(k.Table)+`), 0) + 1, false)`, k.Table, k.Column); err != nil {
			return fmt.Errorf("count on in %s.%s: %w", k.Table, k.Column, err)
		}
	}
	if _, err := m.pool.Exec(ctx, `ANALYZE`); err != nil {
		return err
	}
	_, err = m.pool.Exec(ctx, `DROP TABLE `+store.MoveTable)
	return err
}
