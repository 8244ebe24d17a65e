package reconcile

import (
	"context"
	"sync"
	"time"

	"milepost/internal/meeting"

	"milepost/clients/calendarhero"
)

// The list of what is closed only grows, by each request that was replaced here,
// too. What it tells is how a meeting ended; that it did is told by the others.
// So it is given up after some seconds, and not begun again for some time.
const (
	lookBackTime = 8 * time.Second // of the 30 that a job has
	lookBackRest = 10 * time.Minute
)

// board is what the lists of a CalendarHero account show, shared by all who
// look at the same time: CalendarHero reads no request by its id, and many
// meetings change together.
type board struct {
	open   shown // active and upcoming
	closed shown
	// unlinked is what both showed before the first request of this process was made.
	unlinked unlinked
}

// shown is what some lists showed, by id.
type shown struct {
	mu       sync.Mutex
	at       time.Time // when the reading began
	requests map[string]meeting.Listed
	tooLong  time.Time // when it was given up last
}

// look returns what is active and upcoming, read no earlier than since.
func (b *board) look(ctx context.Context, ch *calendarhero.Client, since, now time.Time) (map[string]meeting.Listed, error) {
	b.open.mu.Lock()
	defer b.open.mu.Unlock()
	return b.open.read(ctx, ch, since, now, calendarhero.StateActive, calendarhero.StateUpcoming)
}

// expire has the lists read again before they are believed.
func (b *board) expire() {
	for _, s := range []*shown{&b.open, &b.closed} {
		s.mu.Lock()
		s.requests = nil
		s.mu.Unlock()
	}
}

// lookBack returns what is closed, read no earlier than since; nothing where that
// takes too long.
func (b *board) lookBack(ctx context.Context, ch *calendarhero.Client, since, now time.Time) (map[string]meeting.Listed, error) {
	b.closed.mu.Lock()
	defer b.closed.mu.Unlock()
	if ago := now.Sub(b.closed.tooLong); 0 <= ago && ago < lookBackRest {
		return nil, nil
	}
	bounded, cancel := context.WithTimeout(ctx, lookBackTime)
	defer cancel()
	requests, err := b.closed.read(bounded, ch, since, now, calendarhero.StateClosed)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		b.closed.tooLong = now
		return nil, nil // it is not told
	}
	return requests, err
}

func (s *shown) read(ctx context.Context, ch *calendarhero.Client, since, now time.Time, lists ...string) (map[string]meeting.Listed, error) {
	if s.requests != nil && !s.at.Before(since) && !s.at.After(now) {
		return s.requests, nil
	}
	requests := map[string]meeting.Listed{}
	for _, list := range lists {
		found, err := ch.MeetingRequests(ctx, list)
		if err != nil {
			return nil, err
		}
		for _, r := range found { // a request that moved meanwhile is in the later list
			requests[r.ID] = meeting.Listed{ListedRequest: r, List: list}
		}
	}
	s.at, s.requests = now, requests
	return requests, nil
}
