package budget

import (
	"fmt"
	"math/rand/v2"
	"time"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/store"
)

// dailyKept is the fraction of the daily limit (one in 20 calls) that backfill leaves to
// other work.
const dailyKept = 20

const (
	// horizon is how far ahead Milepost assigns calls one by one. Longer waits are spread
	// over its second half, because a job asks again within 15 minutes anyway.
	horizon = 10 * time.Minute
	// longestPark is one day of HighLevel's.
	longestPark = 24 * time.Hour
	// longestAsked is how long an answer alone can stop a location. Then a call shows
	// whether that still holds: only a used-up day takes longer, and a gateway may name any
	// time.
	longestAsked = 15 * time.Minute
	// These are how long a call waits in place, by its priority. At 100 calls in 10 s, that
	// is three, ten and twenty-eight calls of all processes together.
	leastPatience  = 300 * time.Millisecond
	waitedPatience = time.Second
	begunPatience  = 3 * time.Second
)

func patience(s *store.Budget, priority clients.Priority, now time.Time) time.Duration {
	switch {
	case priority.Backfill:
		return spacing(s) // a longer wait in place would keep webhooks behind it
	case priority.Claim == clients.Waited:
		return waitedPatience
	case priority.Claim == clients.Begun:
		return begunPatience
	}
	return min(max(spread(s, now), leastPatience), waitedPatience)
}

// grant is the answer to one call: send it after wait, or come back after wait.
type grant struct {
	ok   bool
	wait time.Duration
	why  string // set if the call must come back
}

// take assigns a time to one call, and stores it in the budget.
//
// A call that must come back holds no token, because it may never come back. It gets its
// own time to ask again, one piece of work after the time given before. So the waiting
// calls do not return all at once. If they return late, they take no more tokens than the
// bucket holds. While such times lie ahead, a new call goes behind them, unless a whole
// spacing passed unused.
func take(s *store.Budget, location string, priority clients.Priority, now time.Time) grant {
	s.ParkedUntil = earliest(s.ParkedUntil, now.Add(longestPark))
	parked := s.ParkedUntil.After(now)
	switch {
	case s.Max == 0 && parked:
		wait := s.ParkedUntil.Sub(now) // without a known pace, they all come back then
		return grant{wait: wait + rand.N(wait/10+1), why: s.ParkedWhy}
	case s.Max == 0:
		return grant{ok: true}
	}
	begin(s, now)
	gap := spacing(s)
	work := gap
	if s.Works > 0 {
		work = gap * time.Duration(s.Calls) / time.Duration(s.Works)
	}
	for _, queue := range []*time.Time{&s.Queue, &s.BackfillQueue} {
		if queue.Sub(now) > 2*horizon { // not from this clock: an earlier version wrote it by a clock that was ahead
			*queue = now
		}
	}
	s.Queue, s.BackfillQueue = earliest(s.Queue, now.Add(horizon+work)), earliest(s.BackfillQueue, now.Add(horizon+work)) // for the same reason
	for _, at := range []*time.Time{&s.UsedAt, &s.Next, &s.BackfillNext} {
		*at = earliest(*at, now.Add(2*s.Interval+2*begunPatience)) // the interval has become shorter since
	}
	ready := room(s, now, most(s))
	if priority.Claim != clients.Begun && used(s, ready) >= burst(s) {
		ready = latest(ready, s.Next)
	}
	why := fmt.Sprintf("location %s has used its allowance of %d calls in %s", location, s.Max, s.Interval)
	queue := s.Queue
	var before time.Time // calls that wait until this time go before this one
	if priority.Backfill {
		ready = latest(latest(room(s, now, most(s)-kept(s)), s.Next), s.BackfillNext)
		queue, before = latest(s.Queue, s.BackfillQueue), s.Queue
		if kept := s.DailyMax / dailyKept; s.DailyRemaining < kept && sameDay(s.DailyAt, now) {
			ready = highlevel.DayEnds(now)
			why = fmt.Sprintf("Milepost keeps the last %d calls of the daily allowance of location %s for webhooks; backfill continues at 00:00 UTC", kept, location)
		}
	}
	if parked && !ready.After(s.ParkedUntil) {
		ready, why = s.ParkedUntil, s.ParkedWhy
	}
	if priority.Claim == clients.New {
		before = queue
	}
	yields := before.After(now) && s.Next.Add(gap).After(now)
	if wait := max(0, ready.Sub(now)); wait <= patience(s, priority, now) && !yields {
		send(s, latest(ready, now), priority)
		count(s, priority)
		return grant{ok: true, wait: wait}
	}
	behind := latest(ready, queue)
	switch {
	case ready.Sub(now) > horizon:
		return grant{wait: ready.Sub(now), why: why}
	case behind.Sub(now) > horizon:
		return grant{wait: horizon/2 + rand.N(horizon/2), why: why}
	case priority.Backfill:
		s.BackfillQueue = behind.Add(work)
	default:
		s.Queue = behind.Add(work)
	}
	return grant{wait: behind.Sub(now), why: why}
}

// count averages how many calls a piece of work makes, over about the last hundred.
func count(s *store.Budget, priority clients.Priority) {
	s.Calls++
	if priority.Claim != clients.Begun {
		s.Works++
	}
	if s.Calls >= 200 {
		s.Calls, s.Works = s.Calls/2, s.Works/2
	}
}

// learn applies the limits in an answer. adopt means that its limit holds from now on. free
// is how many calls were sent before any limit was known. reset is the end of the vendor's
// current window. learn returns a message for people; "" = nothing new.
func learn(s *store.Budget, location string, a highlevel.Allowance, adopt bool, free int, reset, now time.Time) (news string) {
	if adopt && a.Max > 0 {
		limit(s, a.Max, a.Interval.Truncate(time.Microsecond), now)
	}
	if s.Max > 0 {
		begin(s, now)
		note(s, now, min(free, s.Max))
		note(s, now, lack(s, a, now))
	}
	if a.DailyMax > 0 && a.DailyRemaining >= 0 {
		noteDay(s, a, now)
	}
	var until time.Time
	why := fmt.Sprintf("HighLevel asked location %s to wait", location)
	switch {
	case a.DailyRemaining == 0:
		until = highlevel.DayEnds(now)
		why = fmt.Sprintf("HighLevel's daily allowance of location %s is used up; work continues at 00:00 UTC", location)
	case a.Refused && a.RetryAfter > 0:
		until = now.Add(min(a.RetryAfter, longestAsked))
	case a.Refused:
		until = now.Add(min(a.Interval, longestAsked))
	case a.Max > 0 && a.Remaining == 0:
		until = reset
		why = fmt.Sprintf("the allowance of location %s (%d calls in %s) is used up, by others too", location, a.Max, a.Interval)
	}
	if !until.After(s.ParkedUntil) {
		return ""
	}
	if !s.ParkedUntil.After(now) || why != s.ParkedWhy {
		news = why
	}
	s.ParkedUntil, s.ParkedWhy = until, why
	return news
}

// noteDay keeps the lowest remaining count of a day, because answers may arrive out of
// order.
func noteDay(s *store.Budget, a highlevel.Allowance, now time.Time) {
	if sameDay(s.DailyAt, now) && s.DailyMax == a.DailyMax && s.DailyRemaining <= a.DailyRemaining {
		return
	}
	s.DailyMax, s.DailyRemaining, s.DailyAt = a.DailyMax, a.DailyRemaining, now
}

func sameDay(a, b time.Time) bool { return highlevel.DayEnds(a).Equal(highlevel.DayEnds(b)) }

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
