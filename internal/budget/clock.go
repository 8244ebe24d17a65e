package budget

import (
	"context"
	"time"

	"milepost/internal/store"
)

// The times of a row follow a clock that never goes back: the latest that any process had
// when it changed the row. If a process's own clock is behind it, because it was put back
// or because another machine's clock is ahead, the process adds the difference. So all
// processes agree how much time has passed, and none mistakes another's time for one that
// is hours ahead.

// worthALine is how far a clock must be behind to be logged.
const worthALine = time.Second

// read returns the row by this process's clock, and that clock's time.
func (b *Budget) read(ctx context.Context) (s store.Budget, now time.Time, err error) {
	s, err = b.cfg.Store.Budget(ctx, b.cfg.LocationID)
	if err == nil {
		now = b.own(&s)
	}
	return s, now, err
}

// update changes the row. change gets it by this process's clock.
func (b *Budget) update(ctx context.Context, change func(s *store.Budget, now time.Time)) (s store.Budget, now time.Time, err error) {
	s, err = b.cfg.Store.UpdateBudget(ctx, b.cfg.LocationID, func(row *store.Budget) {
		own := *row
		now = b.own(&own)
		before := own
		b.distrust(&own, now)
		change(&own, now)
		if own != before {
			*row = own
			shift(row, b.behind)
			row.WorkedAt = now.Add(b.behind)
		}
	})
	if err == nil {
		shift(&s, -b.behind)
	}
	return s, now, err
}

// own translates a row to this process's clock, and returns that clock's time.
// b.row is held.
func (b *Budget) own(s *store.Budget) (now time.Time) {
	now = b.cfg.Now()
	if more := s.WorkedAt.Sub(now.Add(b.behind)); !s.WorkedAt.IsZero() && more > 0 {
		b.behind += more
		if more > worthALine {
			b.cfg.Logger.Info().Str("location", b.cfg.LocationID).Str("behind", b.behind.Round(time.Millisecond).String()).
				Msg("this clock is behind the one that last used the rate limit; it was put back, or another machine's clock is ahead")
		}
	}
	shift(s, -b.behind)
	return now
}

// shift moves the moments of a budget. A day is not moved: it is HighLevel's.
func shift(s *store.Budget, by time.Duration) {
	for _, at := range []*time.Time{&s.UsedAt, &s.Next, &s.BackfillNext, &s.Queue, &s.BackfillQueue, &s.ParkedUntil, &s.WorkedAt} {
		if !at.IsZero() {
			*at = at.Add(by)
		}
	}
}

// distrust treats the recent calls as recent as they were when the row was last changed, if
// this process cannot know how much time has passed since. It has not changed the row
// before, and its clock may be ahead of the others', or the clock jumped. Otherwise a whole
// allowance could be sent twice. b.row is held.
func (b *Budget) distrust(s *store.Budget, now time.Time) {
	since := b.worked
	if since.IsZero() {
		since = s.WorkedAt
	}
	if passed := now.Sub(since); b.worked.IsZero() || b.cfg.Real(passed) > time.Since(b.workedReal)+worthALine {
		if at := earliest(s.UsedAt.Add(max(0, passed)), now); !s.UsedAt.IsZero() && at.After(s.UsedAt) {
			s.UsedAt = at
		}
	}
	b.worked, b.workedReal = now, time.Now()
}
