package budget

import (
	"context"
	"time"

	"milepost/internal/store"
)

// The times of a row follow a clock that never goes back: the latest clock of any process
// that changed the row. A process's own clock may be behind it, because it was put back or
// because another machine's clock is ahead. Then the process adds the difference. So all
// processes agree how much time has passed, and none takes another's time for one that is
// hours ahead.

// worthALine is how far a clock must be behind before Milepost logs it.
const worthALine = time.Second

// read returns the row, translated to this process's clock, and that clock's time.
func (b *Budget) read(ctx context.Context) (s store.Budget, now time.Time, err error) {
	s, err = b.cfg.Store.Budget(ctx, b.cfg.LocationID)
	if err == nil {
		now = b.own(&s)
	}
	return s, now, err
}

// update changes the row. change receives it translated to this process's clock.
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

// own translates a row to this process's clock, and returns that clock's time. The caller
// holds b.row.
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

// shift moves the times of a budget, except the day, which is HighLevel's.
func shift(s *store.Budget, by time.Duration) {
	for _, at := range []*time.Time{&s.UsedAt, &s.Next, &s.BackfillNext, &s.Queue, &s.BackfillQueue, &s.ParkedUntil, &s.WorkedAt} {
		if !at.IsZero() {
			*at = at.Add(by)
		}
	}
}

// distrust is for a process that cannot know how much time has passed since the row was
// last changed: its clock jumped, or it has not changed the row before and its clock may be
// ahead of the others'. Then the recent calls count as if no time had passed, so that no
// whole allowance is sent twice. The caller holds b.row.
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
