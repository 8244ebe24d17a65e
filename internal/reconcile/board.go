package reconcile

import (
	"context"
	"sync"
	"time"

	"milepost/clients/calendarhero"
)

// board is what the lists of a CalendarHero account show, shared by all who
// look at the same time: CalendarHero reads no request by its id, and many
// meetings change together.
type board struct {
	mu     sync.Mutex
	open   shown // active and upcoming
	closed shown
}

// shown is what some lists showed, by id.
type shown struct {
	at       time.Time // when the reading began
	requests map[string]listedAs
}

// listedAs is a request with the list that shows it.
type listedAs struct {
	calendarhero.ListedRequest
	list string
}

// look returns what is active and upcoming, read no earlier than since.
func (b *board) look(ctx context.Context, ch *calendarhero.Client, since, now time.Time) (map[string]listedAs, error) {
	return b.read(ctx, ch, &b.open, since, now, calendarhero.StateActive, calendarhero.StateUpcoming)
}

// lookBack returns what is closed, read no earlier than since.
func (b *board) lookBack(ctx context.Context, ch *calendarhero.Client, since, now time.Time) (map[string]listedAs, error) {
	return b.read(ctx, ch, &b.closed, since, now, calendarhero.StateClosed)
}

func (b *board) read(ctx context.Context, ch *calendarhero.Client, s *shown, since, now time.Time, lists ...string) (map[string]listedAs, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.requests != nil && !s.at.Before(since) && !s.at.After(now) {
		return s.requests, nil
	}
	requests := map[string]listedAs{}
	for _, list := range lists {
		found, err := ch.MeetingRequests(ctx, list)
		if err != nil {
			return nil, err
		}
		for _, r := range found { // a request that moved meanwhile is in the later list
			requests[r.ID] = listedAs{r, list}
		}
	}
	*s = shown{now, requests}
	return requests, nil
}
