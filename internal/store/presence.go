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

// These decide how soon other processes take over the jobs of a dead process on PostgreSQL.
// A call to a vendor takes at most ten seconds. So the calls that the process sent before
// it had to stop have ended when the others begin.
const (
	beatEvery  = 2 * time.Second
	beatLimit  = 3 * time.Second  // for one heartbeat
	fenceAfter = 6 * time.Second  // after this time without a heartbeat, a process stops its work
	deadAfter  = 17 * time.Second // after this time by the database's clock, the others treat it as dead
)

// errTaken cancels a job that other processes may now work.
var errTaken = fmt.Errorf("this process did not reach the database for a while, so others work its jobs: %w", context.Canceled)

// presence is this process among those that share a PostgreSQL database.
//
// It writes a heartbeat while it works jobs. If a process's heartbeat is old, the others
// put its jobs back under new ids. If that process is alive after all, what its River
// writes about the old ids finds no row. It also calls no vendor and writes nothing for
// those jobs, because it stops by its own clocks before the others begin. At its next
// heartbeat, it cancels its earlier jobs. The clocks of two machines are never compared.
type presence struct {
	id     string // River's client id, and the prefix of the holders of its leases
	pool   *pgxpool.Pool
	logger *slog.Logger

	mu    sync.Mutex
	beat  time.Time     // when the last heartbeat began; zero = no jobs are worked
	times int           // how often others took this process for dead
	alive chan struct{} // closed when that happens
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
			_ = p.round(work) // every other statement fails too, and is logged
		}
	}()
	p.stop = func() { cancel(); <-done }
	return nil
}

// halt ends the heartbeat. If all jobs have ended, it also deletes the process's row, so
// that the others know.
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

// round writes a heartbeat, then looks for dead processes.
func (p *presence) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, beatLimit)
	defer cancel()
	began := time.Now()
	// If another process is just declaring this one dead, this statement waits for it.
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

// taken cancels the running jobs, because other processes work them now.
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

// bury puts back the jobs and leases of dead processes.
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

// fenced reports whether this process must do nothing, because others may take it for dead.
// It checks two clocks, because one may stop while a machine sleeps.
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

// guard is a job's right to have effects; it outlives the context of the job.
type guard struct {
	*presence
	times int
}

type guardKey struct{}

// lost returns errTaken if others may now work the job of ctx.
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

// work is River's middleware: it cancels a job that others may now work.
func (p *presence) work(ctx context.Context, job *rivertype.JobRow, inner func(context.Context) error) error {
	p.mu.Lock()
	g, alive := guard{p, p.times}, p.alive
	p.mu.Unlock()
	ctx, cancel := context.WithCancelCause(context.WithValue(ctx, guardKey{}, g))
	defer cancel(nil)
	if g.times > 0 { // the job may have been fetched before that
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
