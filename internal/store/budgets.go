package store

import (
	"context"
	"fmt"
	"time"
)

// Budget is how far one location's allowance is used, by every process on
// this database together. Package budget knows what the fields do.
type Budget struct {
	Max            int           // calls in an Interval, as the vendor told; 0 = it did not
	Interval       time.Duration // whole microseconds
	Next           time.Time     // when the bucket is full again
	Queue          time.Time     // the first moment not yet given to a call that was sent away
	BackfillQueue  time.Time     // the same of backfill
	Calls, Works   int           // of late, and how many pieces of work made them
	ParkedUntil    time.Time     // no call before
	ParkedWhy      string        // in words
	DailyMax       int           // calls a day; 0 = not told
	DailyRemaining int           // of them at DailyAt
	DailyAt        time.Time
	WorkedAt       time.Time // the latest moment at which a process worked it; never goes back
}

const budgetColumns = `burst_max, burst_micros, next_at, queue_at, backfill_at, calls, works, parked_until, parked_why, daily_max, daily_remaining, daily_at, worked_at`

func scanBudget(r Rows) (b Budget, err error) {
	var interval, next, queue, backfill, parked, daily, worked int64
	err = r.Scan(&b.Max, &interval, &next, &queue, &backfill, &b.Calls, &b.Works, &parked, &b.ParkedWhy, &b.DailyMax, &b.DailyRemaining, &daily, &worked)
	b.Interval = time.Duration(interval) * time.Microsecond
	b.Next, b.Queue, b.BackfillQueue = fromMicros(next), fromMicros(queue), fromMicros(backfill)
	b.ParkedUntil, b.DailyAt, b.WorkedAt = fromMicros(parked), fromMicros(daily), fromMicros(worked)
	return b, err
}

// Budget reads the budget of a location; the zero Budget where nothing is known.
func (s *Store) Budget(ctx context.Context, locationID string) (Budget, error) {
	rows, err := s.Query(ctx, `SELECT `+budgetColumns+` FROM budgets WHERE location_id = $1`, locationID)
	list, err := collect(rows, err, scanBudget)
	if err != nil {
		return Budget{}, fmt.Errorf("read the budget of location %s: %w", locationID, err)
	}
	if len(list) == 0 {
		return Budget{}, nil
	}
	return list[0], nil
}

// UpdateBudget changes the budget of a location, and returns what it then is.
// change is called with the row locked: of several processes one at a time
// sees what the one before it left.
func (s *Store) UpdateBudget(ctx context.Context, locationID string, change func(*Budget)) (b Budget, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		// A row that is there is locked by updating nothing: the same statement makes one.
		rows, err := tx.Query(ctx, `INSERT INTO budgets (location_id, `+budgetColumns+`)
			VALUES ($1, 0, 0, 0, 0, 0, 0, 0, 0, '', 0, 0, 0, 0)
			ON CONFLICT (location_id) DO UPDATE SET location_id = excluded.location_id
			RETURNING `+budgetColumns, locationID)
		list, err := collect(rows, err, scanBudget)
		if err != nil {
			return err
		}
		b = list[0]
		change(&b)
		if b == list[0] {
			return nil
		}
		_, err = tx.Exec(ctx, `UPDATE budgets SET burst_max = $2, burst_micros = $3, next_at = $4, queue_at = $5, backfill_at = $6,
			calls = $7, works = $8, parked_until = $9, parked_why = $10, daily_max = $11, daily_remaining = $12, daily_at = $13, worked_at = $14 WHERE location_id = $1`,
			locationID, b.Max, b.Interval.Microseconds(), micros(b.Next), micros(b.Queue), micros(b.BackfillQueue),
			b.Calls, b.Works, micros(b.ParkedUntil), b.ParkedWhy, b.DailyMax, b.DailyRemaining, micros(b.DailyAt), micros(b.WorkedAt))
		return err
	})
	if err != nil {
		return Budget{}, fmt.Errorf("update the budget of location %s: %w", locationID, err)
	}
	return b, nil
}
