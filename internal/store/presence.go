package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/rivertype"
)

// How soon the others work what a dead process on PostgreSQL held. A call of a
// vendor takes at most ten seconds, so those that a process sent before it had to
// stop have ended when the others begin.
const (
	beatEvery  = 2 * time.Second
	beatLimit  = 3 * time.Second  // for one heartbeat
	fenceAfter = 6 * time.Second  // without a heartbeat a process does nothing more
	deadAfter  = 17 * time.Second // without one it is dead to the others, by the database's clock
)

// errTaken is why a job does nothing more: the others may work it by now.
var errTaken = fmt.Errorf("this process did not reach the database for a while, so others work its jobs: %w", context.Canceled)

// presence is this process among those that share a PostgreSQL database.
//
// It writes a heartbeat while it works jobs. The others put back the jobs of a
// process whose heartbeat is old, under new ids: whatever River still notes of the
// old ones, should the process live after all, finds no row. Such a process calls
// no vendor and writes nothing for those jobs: it stops by its own clocks before
// the others begin, and from its next heartbeat on its earlier jobs are canceled.
// No two clocks are compared.
type presence struct {
	id     string // River's client id, and the prefix of its leases' holders
	pool   *pgxpool.Pool
	logger *slog.Logger

	mu    sync.Mutex
	beat  time.Time     // when the last heartbeat began; zero = it works no jobs
	times int           // how often it was taken for dead
	alive chan struct{} // closed when it is
	stop  func()
}

func newPresence(pool *pgxpool.Pool) *presence {
	host, _ := os.Hostname()
	host = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, host)
	return &presence{id: host[:min(len(host), 60)] + "/" + rand.Text(), pool: pool, logger: slog.New(slog.DiscardHandler), alive: make(chan struct{})}
}

// start writes the first heartbeat, and goes on until halt.
func (p *presence) start(ctx context.Context) error {
	if err := p.round(ctx); err != nil {
		return fmt.Errorf("write the first heartbeat: %w", err)
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(beatEvery)
		defer ticker.Stop()
		for {
			select {
			case <-work.Done():
				return
			case <-ticker.C:
			}
			_ = p.round(work) // every other statement fails too, and tells
		}
	}()
	p.stop = func() { cancel(); <-done }
	return nil
}

// halt ends the heartbeat. If all jobs have ended, the others are told.
func (p *presence) halt(ctx context.Context, ended bool) error {
	if p.stop == nil {
		return nil
	}
	p.stop()
	p.stop = nil
	if !ended {
		return nil
	}
	p.mu.Lock()
	p.beat = time.Time{}
	p.mu.Unlock()
	_, err := p.pool.Exec(ctx, `DELETE FROM processes WHERE id = $1`, p.id)
	return err
}

// round writes a heartbeat, then looks for the dead.
func (p *presence) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, beatLimit)
	defer cancel()
	began := time.Now()
	// Where another process is just declaring this one dead, this waits for it.
	tag, err := p.pool.Exec(ctx, `UPDATE processes SET beat_at = clock_timestamp() WHERE id = $1`, p.id)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		p.taken()
		if _, err := p.pool.Exec(ctx, `INSERT INTO processes (id, beat_at) VALUES ($1, clock_timestamp())`, p.id); err != nil {
			return err
		}
	}
	p.mu.Lock()
	p.beat = began
	p.mu.Unlock()
	return p.bury(ctx)
}

// taken cancels the jobs under way: the others work them.
func (p *presence) taken() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.beat.IsZero() {
		return // the first heartbeat
	}
	p.times++
	close(p.alive)
	p.alive = make(chan struct{})
	p.logger.Warn("this process did not reach the database for a while; other processes work its jobs")
}

// bury hands out what dead processes held.
func (p *presence) bury(ctx context.Context) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `DELETE FROM processes WHERE beat_at < clock_timestamp() - make_interval(secs => $1) RETURNING id`, deadAfter.Seconds())
		if err != nil {
			return err
		}
		dead, err := pgx.AppendRows([]string(nil), rows, pgx.RowTo[string])
		if err != nil || len(dead) == 0 {
			return err
		}
		jobs, err := tx.Exec(ctx, `UPDATE river_job SET id = nextval(pg_get_serial_sequence('river_job', 'id')), state = 'available'
			WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = ANY($1)`, dead)
		if err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM leases WHERE split_part(holder, ' ', 1) = ANY($1)`,
			`DELETE FROM river_leader WHERE leader_id = ANY($1)`,
		} {
			if _, err := tx.Exec(ctx, statement, dead); err != nil {
				return err
			}
		}
		p.logger.Warn("a process has died; its jobs are handed out again", "process", strings.Join(dead, ", "), "jobs", jobs.RowsAffected())
		return nil
	})
}

// fenced reports whether this process must do nothing: the others may take it for
// dead. While a machine sleeps only one of its two clocks may go on.
func (p *presence) fenced() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.behind()
}

func (p *presence) behind() bool {
	if p.beat.IsZero() {
		return false
	}
	now := time.Now()
	return now.Sub(p.beat) > fenceAfter || now.Round(0).Sub(p.beat.Round(0)) > fenceAfter
}

// guard is the right of a job to have effects; it outlives the context of the job.
type guard struct {
	*presence
	times int
}

type guardKey struct{}

// lost returns errTaken if the job that ctx belongs to may be worked by others.
func lost(ctx context.Context) error {
	g, ok := ctx.Value(guardKey{}).(guard)
	if !ok {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.times != g.presence.times || g.behind() {
		return errTaken
	}
	return nil
}

// work is River's middleware: it cancels a job that others may work.
func (p *presence) work(ctx context.Context, job *rivertype.JobRow, inner func(context.Context) error) error {
	p.mu.Lock()
	g, alive := guard{p, p.times}, p.alive
	p.mu.Unlock()
	ctx, cancel := context.WithCancelCause(context.WithValue(ctx, guardKey{}, g))
	defer cancel(nil)
	if g.times > 0 { // it may have been fetched before
		var mine bool
		if err := p.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM river_job WHERE id = $1 AND state = 'running')`, job.ID).Scan(&mine); err != nil {
			return err
		}
		if !mine {
			return errTaken
		}
	}
	go func() {
		select {
		case <-ctx.Done():
		case <-alive:
			cancel(errTaken)
		}
	}()
	return inner(ctx)
}
