package operate

import (
	"context"
	"slices"
	"time"

	"milepost/internal/order"
	"milepost/internal/store"
)

// Overview says how things stand.
type Overview struct {
	At time.Time // when it was counted
	// Owed is how many records are not in step. Each has a sync that waits or runs.
	Owed int64
	// Concerns is how many things need somebody to look; Failing, how many records' last
	// sync failed, which Milepost may retry by itself; and Open, how many deliveries are
	// not synced yet. Failing and Open no further than Most.
	Concerns      int
	Failing, Open int64
	Received      int64 // deliveries in the last 24 hours, and of these:
	Done          int64
	Failed        int64
	Hours         [Hours]Hour // oldest first; the last one is under way
	Start         time.Time   // of the first hour
	Locations     []Location  // those with the least quota left first
	Connected     int         // locations, in all
	Troubled      int         // of them those that are not served
}

// Standing is how things stand, in a word.
type Standing string

// How things can stand. The first that holds counts.
const (
	NotConnected Standing = "not connected" // no location is
	Troubled     Standing = "troubled"      // a location is not served
	Failing      Standing = "failing"       // records need somebody to look
	CatchingUp   Standing = "catching up"
	InStep       Standing = "in step"
)

// Standing tells how things stand.
func (o Overview) Standing() Standing {
	switch {
	case o.Connected == 0:
		return NotConnected
	case o.Troubled > 0:
		return Troubled
	case o.Failing > 0 || o.Concerns > 0:
		return Failing
	case o.Owed > 0:
		return CatchingUp
	}
	return InStep
}

// Hours is how many hours an overview counts.
const Hours = 24

// Most is how far an overview counts: beyond, people want to know no more.
const Most = 10_000

// Hour is how the deliveries of an hour ended.
type Hour struct{ Done, Other, Open, Failed int64 }

// All is how many there were.
func (h Hour) All() int64 { return h.Done + h.Other + h.Open + h.Failed }

// Location is a connected location and what is left of its quota at HighLevel.
type Location struct {
	store.Connection
	Budget store.Budget
}

// Left is the share of the day's calls that is left, in percent; ok is false if
// HighLevel did not tell it in the last day.
func (l Location) Left(now time.Time) (percent int, ok bool) {
	if l.Budget.DailyMax == 0 || now.Sub(l.Budget.DailyAt) > 24*time.Hour {
		return 0, false
	}
	return 100 * l.Budget.DailyRemaining / l.Budget.DailyMax, true
}

// mostLocations bounds how many locations an overview shows.
const mostLocations = 10

// countedFor is how long a count is shown again: on a busy machine many people look.
const countedFor = 5 * time.Second

// Overview counts how things stand.
func (d *Desk) Overview(ctx context.Context) (Overview, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Now()
	if age := now.Sub(d.overview.At); 0 <= age && age < countedFor {
		return d.overview, nil
	}
	v := Overview{At: now, Start: now.Truncate(time.Hour).Add(-(Hours - 1) * time.Hour)}
	var err error
	if v.Owed, err = d.Store.Backlog(ctx); err != nil {
		return v, err
	}
	if v.Failing, err = d.Store.CountTroubled(ctx, Most); err != nil {
		return v, err
	}
	attention, err := d.Attention(ctx)
	if err != nil {
		return v, err
	}
	v.Concerns = attention.Open()
	for _, outcome := range store.OpenOutcomes {
		n, err := d.Store.CountDeliveries(ctx, outcome, Most)
		if err != nil {
			return v, err
		}
		v.Open += n
	}
	if err := d.countHours(ctx, &v); err != nil {
		return v, err
	}
	if err := d.readLocations(ctx, &v); err != nil {
		return v, err
	}
	d.overview = v
	return v, nil
}

func (d *Desk) countHours(ctx context.Context, v *Overview) error {
	counts, err := d.Store.CountByHour(ctx, v.Start)
	if err != nil {
		return err
	}
	for _, c := range counts {
		h := &v.Hours[min(max(c.Hour, 0), Hours-1)] // a clock that was ahead may have later ones
		v.Received += c.Count
		switch {
		case c.Outcome == store.Done:
			h.Done += c.Count
			v.Done += c.Count
		case slices.Contains(store.FailedOutcomes, c.Outcome):
			h.Failed += c.Count
			v.Failed += c.Count
		case slices.Contains(store.OpenOutcomes, c.Outcome):
			h.Open += c.Count
		default:
			h.Other += c.Count
		}
	}
	return nil
}

func (d *Desk) readLocations(ctx context.Context, v *Overview) error {
	connections, err := d.Store.Connections(ctx)
	if err != nil {
		return err
	}
	budgets, err := d.Store.Budgets(ctx)
	if err != nil {
		return err
	}
	for _, c := range connections {
		if c.State == store.ConnectionRemoved {
			continue
		}
		v.Connected++
		if c.State != store.ConnectionActive {
			v.Troubled++
		}
		v.Locations = append(v.Locations, Location{c, budgets[c.LocationID]})
	}
	order.By(v.Locations, func(a, b Location) int {
		if in, also := a.State != store.ConnectionActive, b.State != store.ConnectionActive; in != also {
			return map[bool]int{true: -1, false: 1}[in]
		}
		left := func(l Location) int {
			if percent, ok := l.Left(v.At); ok {
				return percent
			}
			return 101
		}
		return left(a) - left(b)
	})
	v.Locations = v.Locations[:min(len(v.Locations), mostLocations)]
	return nil
}
