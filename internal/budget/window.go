package budget

import (
	"time"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/store"
)

// A location may send as many calls in an interval as its limit says. HighLevel does not
// document where its windows start, so no window may hold more. The row counts the calls in
// slots of an 80th of the interval, by the time they are sent. No 83 slots in a row hold
// more than most, and they are longer than any window of 1.025 intervals. The extra 2.5 %
// absorb calls that are slow to leave or to arrive, and clocks that differ.
//
// The first 70 % of the limit may go at once. The rest is spread over the time until more
// becomes free, so a piece of work that has begun does not wait long. Backfill has no
// burst, and leaves a few calls to others.
const (
	slotsOfInterval = 80
	paceMille       = 950 // thousandths of the limit for steady work, if the window has room
)

// slot is how long one slot lasts.
func slot(s *store.Budget) time.Duration {
	return (s.Interval / slotsOfInterval).Truncate(time.Microsecond) + time.Microsecond
}

func spacing(s *store.Budget) time.Duration {
	return s.Interval*1000/time.Duration(paceMille*s.Max) + time.Microsecond
}

// most is how many calls a window may hold. It is below the limit, because a few calls may
// arrive very late.
func most(s *store.Budget) int { return s.Max - s.Max/40 }

// burst is how many of them may go at once.
func burst(s *store.Budget) int { return max(1, s.Max*7/10) }

// kept is how many of them backfill leaves to other calls.
func kept(s *store.Budget) int { return min(max(1, s.Max/50), most(s)-1) }

// begin adopts a row from a version that did not count calls. Its location may just have
// used the whole allowance evenly.
func begin(s *store.Budget, now time.Time) {
	if !s.UsedAt.IsZero() {
		return
	}
	worked := earliest(latest(s.Next, s.WorkedAt), now)
	s.UsedAt, s.Next = now, now
	if now.Sub(worked) > 2*s.Interval {
		return
	}
	for i := range s.Used {
		s.Used[i] = most(s)*(i+1)/len(s.Used) - most(s)*i/len(s.Used)
	}
}

func limit(s *store.Budget, calls int, interval time.Duration, now time.Time) {
	if s.Max > 0 && s.Interval != interval {
		begin(s, now)
		recent := used(s, now)
		s.Used, s.UsedAt = [store.BudgetSlots]int{recent}, latest(s.UsedAt, now)
	} else if s.Max == 0 {
		s.UsedAt, s.Next = now, now
	}
	s.Max, s.Interval = calls, interval
}

// after is how many slots lie between the newest one and the slot of a time.
func after(s *store.Budget, at time.Time) int {
	return int(min(max(0, at.Sub(s.UsedAt))/slot(s), store.BudgetSlots))
}

// used is how many calls there are in the window that ends at a time.
func used(s *store.Budget, at time.Time) (n int) {
	for _, calls := range s.Used[:len(s.Used)-after(s, at)] {
		n += calls
	}
	return n
}

// room returns the first time from at on when the window holds fewer than most. It is never
// in a slot before the newest.
func room(s *store.Budget, at time.Time, most int) time.Time {
	at = latest(at, s.UsedAt)
	n := used(s, at)
	for k := after(s, at); n >= most && k < len(s.Used); k++ {
		n -= s.Used[len(s.Used)-1-k]
		at = s.UsedAt.Add(time.Duration(k+1) * slot(s))
	}
	return at
}

// note counts calls that are sent at a time.
func note(s *store.Budget, at time.Time, calls int) {
	switch k := after(s, at); {
	case calls <= 0:
		return
	case k == len(s.Used):
		s.Used, s.UsedAt = [store.BudgetSlots]int{}, at
	case k > 0:
		copy(s.Used[k:], s.Used[:])
		clear(s.Used[:k])
		s.UsedAt = s.UsedAt.Add(time.Duration(k) * slot(s))
	}
	s.Used[0] += calls
}

// send counts one call, and sets when the next call outside a burst may follow. A call that
// is late by less than a spacing does not delay the calls behind it.
func send(s *store.Budget, at time.Time, priority clients.Priority) {
	note(s, at, 1)
	gap, next := spread(s, at), &s.Next
	if priority.Backfill {
		next = &s.BackfillNext
	}
	*next = earliest(latest(*next, at.Add(-gap)), at).Add(gap)
}

// spread returns the distance between calls that makes the rest of the window last until
// more becomes free.
func spread(s *store.Budget, at time.Time) time.Duration {
	gap, free := spacing(s), most(s)
	for _, calls := range s.Used {
		free -= calls
	}
	for i := len(s.Used) - 1; i >= 0; i-- { // the oldest become free first
		if s.Used[i] == 0 {
			continue
		}
		if free > 0 {
			ends := s.UsedAt.Add(time.Duration(len(s.Used)-i) * slot(s))
			gap = max(gap, ends.Sub(at)/time.Duration(free))
		}
		free += s.Used[i]
	}
	return gap
}

// lack returns how many calls the vendor counted that Milepost does not know, because
// others use the same app. If none are left, lack parks the location.
func lack(s *store.Budget, a highlevel.Allowance, now time.Time) int {
	if a.Remaining <= 0 || s.Max == 0 || s.UsedAt.IsZero() {
		return 0
	}
	return max(0, most(s)-used(s, now)-a.Remaining)
}
