package erase

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/store"
)

const (
	scrubShare   = 20              // a scrub takes a twentieth of the time at most, unless a person waits for it
	scrubRetry   = 2 * time.Second // after a failure
	scrubPatient = 3 * time.Second // how long a job waits for a scrub before it makes room for others
)

// scrubber removes erased data from the files of the databases. One run serves
// every erasure that emptied its rows before the run began.
type scrubber struct {
	run func(ctx context.Context) error // nil = there is nothing to do

	mu      sync.Mutex
	emptied map[erasure]int64 // the ticket of each erasure whose rows are empty
	asked   int64             // the last ticket
	served  int64             // tickets up to this one are done
	urgent  bool              // a person waits
	changed chan struct{}     // closed when served has changed or the scrubber has stopped
	wake    chan struct{}
	stopped bool
}

// erasure tells one request to erase a contact from a later one.
type erasure struct {
	location, contact string
	asked             time.Time
}

func newScrubber(run func(context.Context) error) *scrubber {
	return &scrubber{run: run, emptied: map[erasure]int64{}, changed: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// known reports whether the rows of an erasure are empty already.
func (s *scrubber) known(e store.Erasure) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.emptied[erasure{e.LocationID, e.ContactID, e.AskedAt}]
	return ok
}

// add asks for a run that begins from now on.
func (s *scrubber) add(e store.Erasure) {
	s.mu.Lock()
	s.asked++
	s.emptied[erasure{e.LocationID, e.ContactID, e.AskedAt}] = s.asked
	s.urgent = s.urgent || e.OnRequest
	s.mu.Unlock()
	s.alarm()
}

func (s *scrubber) alarm() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// drop forgets an erasure that is done.
func (s *scrubber) drop(e store.Erasure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.emptied, erasure{e.LocationID, e.ContactID, e.AskedAt})
}

// done waits a while for the run that serves an erasure, and reports whether it ended well.
func (s *scrubber) done(ctx context.Context, e store.Erasure) bool {
	if s.run == nil {
		return true
	}
	timer := time.NewTimer(scrubPatient)
	defer timer.Stop()
	for {
		s.mu.Lock()
		ticket, ok := s.emptied[erasure{e.LocationID, e.ContactID, e.AskedAt}]
		served, stopped, changed := s.served, s.stopped, s.changed
		s.mu.Unlock()
		switch {
		case ok && ticket <= served:
			return true
		case !ok || stopped:
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return false
		case <-changed:
		}
	}
}

// publish tells the waiting jobs, between two runs, what was served.
func (s *scrubber) publish(served int64, stopped bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served, s.stopped = max(s.served, served), stopped
	close(s.changed)
	s.changed = make(chan struct{})
}

// Scrub removes erased data from the files of the databases whenever an erasure
// asks for it, until ctx ends.
func (r *Eraser) Scrub(ctx context.Context) {
	s := r.scrubber
	defer s.publish(0, true)
	if s.run == nil {
		return
	}
	pause, failures := time.NewTimer(0), 0
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		s.mu.Lock()
		urgent := s.urgent
		s.mu.Unlock()
		if !urgent || failures > 0 {
			select {
			case <-ctx.Done():
				return
			case <-pause.C:
			}
		}
		s.mu.Lock()
		tickets := s.asked
		s.urgent = false
		s.mu.Unlock()
		began := time.Now()
		err := s.run(ctx)
		took := time.Since(began)
		if err == nil {
			failures = 0
			pause.Reset(scrubShare * took)
			s.publish(tickets, false)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		failures++
		level := zerolog.DebugLevel
		if failures&(failures-1) == 0 {
			level = zerolog.WarnLevel
		}
		r.logger.WithLevel(level).Err(err).Int("attempt", failures).Msg("erased data may still be in the database files; retrying")
		s.mu.Lock()
		s.urgent = s.urgent || urgent
		s.mu.Unlock()
		pause.Reset(r.Jobs.Real(scrubRetry))
		s.alarm()
	}
}
