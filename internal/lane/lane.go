// Package lane keeps one slow or broken location from taking all workers. Each
// location, and each CalendarHero account, is a lane. A lane has a few workers at
// most, and rests while its vendor fails.
//
// Guarantees: a lane never holds more workers than it may. A job that finds its
// lane full waits in place for a second at most, and only while the lane makes
// progress; otherwise it is handed back with its own time to return, so
// handed-back jobs never spin. A lane that rests lets one job through at a time as
// a probe, and the first answer heals it.
//
// Lanes live in memory, so each process finds out by itself. The package knows
// nothing of jobs.
package lane

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Key names a lane and says how many workers it may have.
type Key struct {
	Name string
	Most int
}

// Pool tells workers apart that do not compete: each has its own count.
type Pool int

// The pools.
const (
	Live       Pool = iota // jobs that somebody waits for
	Background             // jobs that nobody waits for
	pools
)

// Config is what Lanes need. The zero value works.
type Config struct {
	// Real returns how long a wait really takes, where a test lets time run
	// faster; nil = as long as it says.
	Real func(time.Duration) time.Duration
	// Now tells how long a lane rests; nil = time.Now. It may jump.
	Now func() time.Time
	// Rests is told when a lane begins to rest, and when it is healed (resting is false).
	Rests func(name string, resting bool)
}

const (
	failuresToRest = 3
	firstRest      = 2 * time.Second // doubled each time a probe fails
	longestRest    = 30 * time.Second

	// longestInPlace is how long a job waits for its lane with its worker.
	longestInPlace = time.Second
	// stuckAfter: a full lane that let nobody in for so long makes no progress.
	stuckAfter = time.Second
	stuckWait  = 5 * time.Second
	// Jobs that are handed back come back one by one, this far apart.
	leastStep, mostStep = 10 * time.Millisecond, 100 * time.Millisecond
	// longestWait bounds how far ahead a job is sent: one that waits absorbs new events.
	longestWait = 15 * time.Minute
)

// Lanes are all lanes of a process. Safe for concurrent use.
type Lanes struct {
	cfg     Config
	mu      sync.Mutex
	lanes   map[string]*lane
	waiting []*waiter // those that nobody may keep waiting first
}

// lane is one of them. It exists while there is something to remember.
type lane struct {
	name     string
	count    [pools]count
	failures int           // in a row
	rest     time.Duration // the one under way, or that a probe is to end; 0 = healthy
	until    time.Time     // when it ends, by Config.Now
	probing  bool
}

// count is the part of a lane that each pool has for itself.
type count struct {
	running int
	waiting int
	entered time.Time     // the last one
	took    time.Duration // a job, on average of late
	next    time.Time     // the last moment given to a job that was handed back
}

// waiter is a job that waits in place.
type waiter struct {
	pool  Pool
	first bool
	keys  []Key
	lanes []*lane
	enter chan []*lane // receives those that it probes, once it is in
}

// New makes the lanes.
func New(cfg Config) *Lanes {
	if cfg.Real == nil {
		cfg.Real = func(d time.Duration) time.Duration { return d }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rests == nil {
		cfg.Rests = func(string, bool) {}
	}
	return &Lanes{cfg: cfg, lanes: map[string]*lane{}}
}

// Enter takes a worker's place in all of the lanes, or says after which (real)
// time the job is to come back; leave is then nil. first jobs go before those that
// are not. Call leave when the job has ended.
func (l *Lanes) Enter(ctx context.Context, pool Pool, first bool, keys ...Key) (leave func(), wait time.Duration) {
	l.mu.Lock()
	w := &waiter{pool: pool, first: first, keys: keys, enter: make(chan []*lane, 1)}
	for _, k := range keys {
		w.lanes = append(w.lanes, l.lane(k.Name))
	}
	now := time.Now()
	if wait := l.refuse(w, now); wait > 0 {
		l.mu.Unlock()
		return nil, wait
	}
	if !l.fits(w) {
		if !l.await(ctx, w) { // unlocks
			l.mu.Lock()
			defer l.mu.Unlock()
			wait = l.moment(w, time.Now())
			l.drop(w.lanes)
			return nil, wait
		}
	} else {
		l.let(w, now)
		l.mu.Unlock()
	}
	probes := <-w.enter
	began := time.Now()
	return sync.OnceFunc(func() { l.leave(w, probes, began) }), 0
}

// left is how long a lane still rests, by Config.Now.
func (l *Lanes) left(of *lane) time.Duration {
	left := of.until.Sub(l.cfg.Now())
	if of.rest == 0 || left > of.rest { // the clock was put back
		return 0
	}
	return max(left, 0)
}

func (l *Lanes) lane(name string) *lane {
	if l.lanes[name] == nil {
		l.lanes[name] = &lane{name: name}
	}
	return l.lanes[name]
}

// refuse returns after which time a job is to come back that need not wait here:
// its lane rests, or makes no progress, or too many wait already.
func (l *Lanes) refuse(w *waiter, now time.Time) time.Duration {
	for i, of := range w.lanes {
		c, most := &of.count[w.pool], w.keys[i].Most
		resting := of.rest > 0 && (of.probing || l.left(of) > 0)
		full := c.running >= most
		stuck := full && now.Sub(c.entered) > l.cfg.Real(stuckAfter)
		crowded := full && c.took*time.Duration(c.waiting+1)/time.Duration(most) > l.cfg.Real(longestInPlace)
		if resting || stuck || crowded {
			wait := l.moment(w, now)
			l.drop(w.lanes)
			return wait
		}
	}
	return 0
}

// moment gives a job that is handed back a time of its own.
func (l *Lanes) moment(w *waiter, now time.Time) (wait time.Duration) {
	for i, of := range w.lanes {
		c, most := &of.count[w.pool], w.keys[i].Most
		var from time.Time
		switch {
		case l.left(of) > 0:
			from = now.Add(l.cfg.Real(l.left(of)))
		case of.rest > 0 && of.probing, c.running >= most && now.Sub(c.entered) > l.cfg.Real(stuckAfter):
			from = now.Add(l.cfg.Real(stuckWait))
		case c.running >= most:
			from = now.Add(l.cfg.Real(longestInPlace))
		default:
			continue
		}
		if c.next.Before(from) {
			c.next = from
		}
		c.next = c.next.Add(min(max(c.took/time.Duration(most), l.cfg.Real(leastStep)), l.cfg.Real(mostStep)))
		wait = max(wait, min(c.next.Sub(now), l.cfg.Real(longestWait)))
	}
	return max(wait, 1) // a lane may have become free meanwhile
}

func (l *Lanes) fits(w *waiter) bool {
	for i, of := range w.lanes {
		if of.rest > 0 && (of.probing || l.left(of) > 0) || of.count[w.pool].running >= w.keys[i].Most {
			return false
		}
	}
	return true
}

// let lets a job in that fits.
func (l *Lanes) let(w *waiter, now time.Time) {
	var probes []*lane
	for _, of := range w.lanes {
		of.count[w.pool].running++
		of.count[w.pool].entered = now
		if of.rest > 0 {
			of.probing, probes = true, append(probes, of)
		}
	}
	w.enter <- probes
}

// await waits in place; false = in vain. l.mu is held before, and not after.
func (l *Lanes) await(ctx context.Context, w *waiter) bool {
	at := len(l.waiting)
	if w.first {
		if i := slices.IndexFunc(l.waiting, func(o *waiter) bool { return !o.first }); i >= 0 {
			at = i
		}
	}
	l.waiting = slices.Insert(l.waiting, at, w)
	for _, of := range w.lanes {
		of.count[w.pool].waiting++
	}
	l.mu.Unlock()
	timer := time.NewTimer(l.cfg.Real(longestInPlace))
	defer timer.Stop()
	select {
	case probes := <-w.enter:
		w.enter <- probes
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.waiting, w); i >= 0 {
		l.unlist(i)
		return false
	}
	return true // it was let in at the same moment
}

func (l *Lanes) unlist(i int) {
	w := l.waiting[i]
	l.waiting = slices.Delete(l.waiting, i, i+1)
	for _, of := range w.lanes {
		of.count[w.pool].waiting--
	}
}

// leave gives the places back.
func (l *Lanes) leave(w *waiter, probed []*lane, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, of := range w.lanes {
		c := &of.count[w.pool]
		c.running--
		c.took += (now.Sub(began) - c.took) / 8
	}
	for _, of := range probed {
		of.probing = false
	}
	l.wake(now)
	l.drop(w.lanes)
}

// wake lets those in who wait in place and now fit.
func (l *Lanes) wake(now time.Time) {
	for i := 0; i < len(l.waiting); {
		w := l.waiting[i]
		if !l.fits(w) {
			i++
			continue
		}
		l.unlist(i)
		l.let(w, now)
	}
}

// drop forgets idle lanes.
func (l *Lanes) drop(lanes []*lane) {
	for _, of := range lanes {
		idle := of.failures == 0 && of.rest == 0
		for _, c := range of.count {
			idle = idle && c.running == 0 && c.waiting == 0 && c.next.Before(time.Now())
		}
		if idle && l.lanes[of.name] == of {
			delete(l.lanes, of.name)
		}
	}
}

// Ended is told how each call ended: whether the vendor failed (it did not answer,
// or with a 5xx) or answered, whatever it said.
func (l *Lanes) Ended(name string, failed bool) {
	l.mu.Lock()
	of := l.lanes[name]
	if of == nil && !failed {
		l.mu.Unlock()
		return
	}
	of = l.lane(name)
	was := of.rest > 0
	now := time.Now()
	switch {
	case !failed:
		of.failures, of.rest = 0, 0
		if was {
			of.probing = false
			for i := range of.count {
				of.count[i].next = time.Time{}
			}
			l.wake(now)
		}
	case l.left(of) == 0: // those that were under way when the rest began tell nothing more
		of.failures++
		if of.failures >= failuresToRest {
			of.rest = min(max(2*of.rest, firstRest), longestRest)
			of.until = l.cfg.Now().Add(of.rest)
		}
	}
	is := of.rest > 0
	l.drop([]*lane{of})
	l.mu.Unlock()
	if was != is {
		l.cfg.Rests(name, is)
	}
}
