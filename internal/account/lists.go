package account

import (
	"context"
	"sync"
	"time"

	"milepost/clients/calendarhero"
	"milepost/internal/meeting"
)

// The list of closed requests only grows, with each meeting that ends and each request that
// Milepost replaces. It says how a meeting ended; the other lists already show that it
// ended. So Milepost stops reading it after some seconds, and waits before it starts again.
const (
	closedListTime  = 8 * time.Second // of the 30 that a job has
	closedListPause = 10 * time.Minute
)

// ListsFresh is how old the lists may be if they are not read because of an event.
const ListsFresh = 30 * time.Second

// lists are the lists of a CalendarHero account as last read. All jobs share them, because
// CalendarHero cannot return a request by its id, and many meetings change together.
type lists struct {
	open     snapshot // active and upcoming
	closed   snapshot
	unlinked Unlinked
}

// snapshot is what some lists showed, by id.
type snapshot struct {
	mu       sync.Mutex
	at       time.Time // when the reading began
	requests map[string]meeting.Listed
	givenUp  time.Time // when reading them last took too long
}

// OpenRequests returns what is active and upcoming, read no earlier than since.
func (s *Session) OpenRequests(ctx context.Context, since time.Time) (map[string]meeting.Listed, error) {
	open := &s.lists.open
	open.mu.Lock()
	defer open.mu.Unlock()
	return open.read(ctx, s.CalendarHero, since, s.cfg.Now(), calendarhero.StateActive, calendarhero.StateUpcoming)
}

// ClosedRequests returns the closed requests, read no earlier than since; nil if reading
// them takes too long.
func (s *Session) ClosedRequests(ctx context.Context, since time.Time) (map[string]meeting.Listed, error) {
	closed, now := &s.lists.closed, s.cfg.Now()
	closed.mu.Lock()
	defer closed.mu.Unlock()
	if ago := now.Sub(closed.givenUp); 0 <= ago && ago < closedListPause {
		return nil, nil
	}
	bounded, cancel := context.WithTimeout(ctx, closedListTime)
	defer cancel()
	requests, err := closed.read(bounded, s.CalendarHero, since, now, calendarhero.StateClosed)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		closed.givenUp = now
		return nil, nil
	}
	return requests, err
}

// ListedRequest returns a request as the lists show it, read no earlier than since; false
// if they do not show it.
func (s *Session) ListedRequest(ctx context.Context, id string, since time.Time) (meeting.Listed, bool, error) {
	open, err := s.OpenRequests(ctx, since)
	if err != nil {
		return meeting.Listed{}, false, err
	}
	if r, ok := open[id]; ok {
		return r, true, nil
	}
	closed, err := s.ClosedRequests(ctx, since)
	r, ok := closed[id]
	return r, ok, err
}

// ShowAny reports whether any list, read no earlier than since, shows a meeting request.
func (s *Session) ShowAny(ctx context.Context, since time.Time) (bool, error) {
	open, err := s.OpenRequests(ctx, since)
	if err != nil || len(open) > 0 {
		return len(open) > 0, err
	}
	closed, err := s.ClosedRequests(ctx, since)
	return len(closed) > 0, err
}

// ExpireLists has the lists read again before they are believed.
func (s *Session) ExpireLists() {
	for _, l := range []*snapshot{&s.lists.open, &s.lists.closed} {
		l.mu.Lock()
		l.requests = nil
		l.mu.Unlock()
	}
}

func (l *snapshot) read(ctx context.Context, ch *calendarhero.Client, since, now time.Time, lists ...string) (map[string]meeting.Listed, error) {
	if l.requests != nil && !l.at.Before(since) && !l.at.After(now) {
		return l.requests, nil
	}
	requests := map[string]meeting.Listed{}
	for _, list := range lists {
		found, err := ch.MeetingRequests(ctx, list)
		if err != nil {
			return nil, err
		}
		for _, r := range found { // a request that moved during the reading is in the later list
			requests[r.ID] = meeting.Listed{ListedRequest: r, List: list}
		}
	}
	l.at, l.requests = now, requests
	return requests, nil
}

// WhenListsAreEmpty returns the times after which Milepost reads lists again that show none
// of the requests that it knows, before it believes them.
func WhenListsAreEmpty() []time.Duration {
	return []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour}
}
