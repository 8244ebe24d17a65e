package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// BudgetSlots is the number of time slots in a Budget.
const BudgetSlots = 83

// Budget is how much of one location's allowance is used, by all processes on this
// database. Package budget defines what the fields mean.
type Budget struct {
	Max            int              // calls in an Interval, as the vendor states; 0 = not stated
	Interval       time.Duration    // whole microseconds
	Used           [BudgetSlots]int // recent calls by the time they are sent: in the newest slot, the one before, …
	UsedAt         time.Time        // when the newest slot begins; zero = an earlier version wrote the row
	Next           time.Time        // when the next call outside a burst may be sent
	BackfillNext   time.Time        // the same for backfill
	Queue          time.Time        // the first time not yet given to a call that must come back
	BackfillQueue  time.Time        // the same for backfill
	Calls, Works   int              // recent calls, and the pieces of work that made them
	ParkedUntil    time.Time        // no call may be sent before
	ParkedWhy      string           // the reason, for people
	DailyMax       int              // calls a day; 0 = not stated
	DailyRemaining int              // calls left at DailyAt
	DailyAt        time.Time
	WorkedAt       time.Time // the latest time when a process changed the row; never goes back
}

const budgetColumns = `used, used_at, backfill_next_at, burst_max, burst_micros, next_at, queue_at, backfill_at, calls, works, parked_until, parked_why, daily_max, daily_remaining, daily_at, worked_at`

func scanBudget(r Rows) (b Budget, err error) {
	var used []byte
	var usedAt, backfillNext, interval, next, queue, backfill, parked, daily, worked int64
	err = r.Scan(&used, &usedAt, &backfillNext, &b.Max, &interval, &next, &queue, &backfill, &b.Calls, &b.Works, &parked, &b.ParkedWhy, &b.DailyMax, &b.DailyRemaining, &daily, &worked)
	b.Interval = time.Duration(interval) * time.Microsecond
	for i := 0; i < len(b.Used) && len(used) > 0; i++ {
		n, size := binary.Varint(used)
		if size <= 0 {
			return b, fmt.Errorf("the stored recent calls are not readable: %x", used)
		}
		b.Used[i], used = int(n), used[size:]
	}
	b.UsedAt, b.BackfillNext = fromMicros(usedAt), fromMicros(backfillNext)
	b.Next, b.Queue, b.BackfillQueue = fromMicros(next), fromMicros(queue), fromMicros(backfill)
	b.ParkedUntil, b.DailyAt, b.WorkedAt = fromMicros(parked), fromMicros(daily), fromMicros(worked)
	return b, err
}

// Budget reads the budget of a location; the zero Budget if none is stored.
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

// UpdateBudget changes the budget of a location, and returns the result. It calls change
// with the row locked, so processes change it one after another.
func (s *Store) UpdateBudget(ctx context.Context, locationID string, change func(*Budget)) (b Budget, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		// An update that changes nothing locks an existing row; the same statement creates
		// a missing one.
		rows, err := tx.Query(ctx, `INSERT INTO budgets (location_id, `+budgetColumns+`)
			VALUES ($1, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', 0, 0, 0, 0)
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
		var used []byte
		for _, n := range b.Used {
			used = binary.AppendVarint(used, int64(n))
		}
		_, err = tx.Exec(ctx, `UPDATE budgets SET burst_max = $2, burst_micros = $3, next_at = $4, queue_at = $5, backfill_at = $6,
			calls = $7, works = $8, parked_until = $9, parked_why = $10, daily_max = $11, daily_remaining = $12, daily_at = $13, worked_at = $14, used = $15, used_at = $16, backfill_next_at = $17 WHERE location_id = $1`,
			locationID, b.Max, b.Interval.Microseconds(), micros(b.Next), micros(b.Queue), micros(b.BackfillQueue),
			b.Calls, b.Works, micros(b.ParkedUntil), b.ParkedWhy, b.DailyMax, b.DailyRemaining, micros(b.DailyAt), micros(b.WorkedAt), used, micros(b.UsedAt), micros(b.BackfillNext))
		return err
	})
	if err != nil {
		return Budget{}, fmt.Errorf("update the budget of location %s: %w", locationID, err)
	}
	return b, nil
}

// Budgets reads the budgets of all locations.
func (s *Store) Budgets(ctx context.Context) (map[string]Budget, error) {
	rows, err := s.Query(ctx, `SELECT `+budgetColumns+`, location_id FROM budgets`)
	out := map[string]Budget{}
	_, err = collect(rows, err, func(r Rows) (_ struct{}, err error) {
		var location string
		b, err := scanBudget(withLast{r, &location})
		out[location] = b
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the budgets: %w", err)
	}
	return out, nil
}

// withLast scans one additional last column.
type withLast struct {
	Rows
	last any
}

func (r withLast) Scan(dest ...any) error { return r.Rows.Scan(append(dest, r.last)...) }
