// Package lane keeps one slow or broken location from taking all workers. Each location is
// a lane, and so is each CalendarHero account. A lane has a limited number of workers, and
// rests while its vendor fails.
//
// Guarantees: a lane never holds more workers than its limit. A job that finds its lane
// full waits with its worker for at most a second, and only while the lane makes progress.
// Otherwise it is handed back with its own time to return, so handed-back jobs never spin.
// A resting lane lets one job at a time through as a probe, and the first answer ends the
// rest.
//
// Lanes live in memory, so each process learns about failures by itself. The package knows
// nothing about jobs.
package lane

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Key names a lane and limits its workers.
type Key struct {
	Name string
	Most int
}

// Pool separates workers that do not compete: a lane counts each pool by itself.
type Pool int

// The pools.
const (
	Live       Pool = iota // jobs that somebody is waiting for
	Background             // jobs that nobody is waiting for
	pools
)

// Config is what Lanes need. The zero value works.
type Config struct {
	// Real converts a wait to real time, for tests in which time runs faster; nil = no
	// conversion.
	Real func(time.Duration) time.Duration
	// Now is the clock for rests; nil = time.Now. It may jump.
	Now func() time.Time
	// Rests is called when a lane begins to rest (resting is true) and when the rest ends
	// (false).
	Rests func(name string, resting bool)
}

const (
	failuresToRest = 3
	firstRest      = 2 * time.Second // doubled each time a probe fails
	longestRest    = 30 * time.Second

	// longestInPlace is how long a job waits for its lane while it keeps its worker.
	longestInPlace = time.Second
	// stuckAfter is how long a full lane may admit no job before it counts as stuck.
	stuckAfter = time.Second
	stuckWait  = 5 * time.Second
	// Jobs that are handed back return one by one, this far apart.
	leastStep, mostStep = 10 * time.Millisecond, 100 * time.Millisecond
	// longestWait limits how far ahead a job is sent, because new events wait with a
	// waiting job.
	longestWait = 15 * time.Minute
)

// Lanes are all lanes of a process. Safe for concurrent use.
type Lanes struct {
	cfg     Config
	mu      sync.Mutex
	lanes   map[string]*lane
	waiting []*waiter // jobs with priority first
}

// lane is the state of one lane. It exists while there is something to remember.
type lane struct {
	name     string
	count    [pools]count
	failures int           // consecutive
	rest     time.Duration // the current rest, or the one that a probe may end; 0 = healthy
	until    time.Time     // when the rest ends, by Config.Now
	probing  bool
}

// count is what a lane keeps for each pool.
type count struct {
	running int
	waiting int
	entered time.Time     // when the last job entered
	took    time.Duration // average duration of recent jobs
	next    time.Time     // the last time given to a job that was handed back
}

// waiter is a job that waits in place.
type waiter struct {
	pool  Pool
	first bool
	keys  []Key
	lanes []*lane
	enter chan []*lane // receives the lanes that the job probes, when it is admitted
}

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

// Enter takes a worker's place in each of the lanes. If that is not possible, leave is nil
// and wait is the (real) time after which the job should return. Jobs with first go before
// the others. Call leave when the job has ended.
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

// left returns how much longer a lane rests, by Config.Now.
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

// refuse returns the wait of a job that must not wait here: its lane rests or makes no
// progress, or too many jobs already wait. 0 means that the job may wait here.
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

// moment gives each job that is handed back its own time to return.
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
	return max(wait, 1) // a lane may have become free since
}

func (l *Lanes) fits(w *waiter) bool {
	for i, of := range w.lanes {
		if of.rest > 0 && (of.probing || l.left(of) > 0) || of.count[w.pool].running >= w.keys[i].Most {
			return false
		}
	}
	return true
}

// let admits a job that fits into its lanes.
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

// await waits in place, and reports whether the job was admitted. The caller holds l.mu;
// await unlocks it.
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
	return true // it was admitted at the same moment
}

func (l *Lanes) unlist(i int) {
	w := l.waiting[i]
	l.waiting = slices.Delete(l.waiting, i, i+1)
	for _, of := range w.lanes {
		of.count[w.pool].waiting--
	}
}

// leave frees the job's places.
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

// wake admits waiting jobs that now fit.
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

// Ended reports how a call ended. failed means that the vendor did not answer, or answered
// with a 5xx; any other answer is a success.
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
	case l.left(of) == 0: // calls from before the rest say nothing new
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
