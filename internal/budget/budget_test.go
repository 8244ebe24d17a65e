package budget_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/budget"
	"milepost/internal/store"
	"milepost/internal/testenv/testdb"
)

// bundle is a state database with the budgets of several processes, in simulated time.
type bundle struct {
	t     *testing.T
	store *store.Store
	log   bytes.Buffer
}

func setup(t *testing.T, test func(t *testing.T, b *bundle)) {
	dir := testdb.DataDir(t)
	synctest.Test(t, func(t *testing.T) {
		s, err := store.OpenSQLite(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		test(t, &bundle{t: t, store: s})
	})
}

func (b *bundle) process() *budget.Budget {
	return budget.New(budget.Config{Store: b.store, LocationID: location, Logger: zerolog.New(&b.log)})
}

// told returns an answer with HighLevel's usual limits.
func told(remaining int) highlevel.Allowance {
	return highlevel.Allowance{Max: 100, Interval: 10 * time.Second, Remaining: remaining, DailyMax: 200000, DailyRemaining: 150000}
}

// sentAway returns the wait of a call that must come back, or fails the test if the call
// was sent.
func (b *bundle) sentAway(of *budget.Budget, priority clients.Priority) *clients.Error {
	b.t.Helper()
	err := of.Admit(b.t.Context(), priority)
	var e *clients.Error
	if !errors.As(err, &e) || e.Reason != clients.RateLimited {
		b.t.Fatalf("Admit returned %v, want a refusal", err)
	}
	return e
}

// admitted counts the calls that are sent without a wait, up to n.
func (b *bundle) admitted(of *budget.Budget, n int) (at int) {
	b.t.Helper()
	for begun := time.Now(); at < n; at++ {
		if err := of.Admit(b.t.Context(), clients.Priority{}); err != nil || time.Since(begun) > 0 {
			return at
		}
	}
	return at
}

func TestCallsDoNotWaitUntilALimitIsKnown(t *testing.T) {
	t.Parallel()
	setup(t, func(t *testing.T, b *bundle) {
		p := b.process()
		if n := b.admitted(p, 500); n != 500 {
			t.Errorf("%d of 500 calls were sent at once", n)
		}
		p.Observe(t.Context(), highlevel.Allowance{Interval: 10 * time.Second, Remaining: -1, DailyRemaining: -1})
		if n := b.admitted(p, 500); n != 500 {
			t.Errorf("after an answer without headers %d of 500 calls were sent at once", n)
		}
	})
}

func TestProcessesShareOneBucket(t *testing.T) {
	t.Parallel()
	setup(t, func(t *testing.T, b *bundle) {
		one, two := b.process(), b.process()
		one.Observe(t.Context(), told(99))
		if n := b.admitted(one, 60); n != 60 {
			t.Fatalf("the first process sent %d of 60 calls at once", n)
		}
		if n := b.admitted(two, 20); n != 10 {
			t.Errorf("the second process sent %d calls at once, want the 10 that are left", n)
		}
		if n := b.admitted(b.process(), 1); n != 0 {
			t.Error("a process that starts now sends a call at once")
		}
	})
}

func TestCallsSentBeforeTheLimitWasKnownAreCounted(t *testing.T) {
	t.Parallel()
	setup(t, func(t *testing.T, b *bundle) {
		p := b.process()
		b.admitted(p, 98)
		p.Observe(t.Context(), told(99))
		if e := b.sentAway(p, clients.Priority{}); e.RetryAfter < 10*time.Second || e.RetryAfter > 11*time.Second {
			t.Errorf("after 98 calls the next is to wait %s, want until they count no more", e.RetryAfter)
		}
	})
}

func TestACallWaitsInPlaceOnlyForAShortTime(t *testing.T) {
	t.Parallel()
	setup(t, func(t *testing.T, b *bundle) {
		p := b.process()
		p.Observe(t.Context(), told(99))
		begun, sent := time.Now(), 0
		for ; p.Admit(t.Context(), clients.Priority{}) == nil; sent++ {
			if time.Since(begun) > time.Second {
				break
			}
		}
		// A single caller never has to come back, because it waits only for its own next
		// call.
		if sent < 72 || sent > 74 {
			t.Errorf("one caller sent %d calls in a second, want the burst of 70 and some 3", sent)
		}
		var mu sync.Mutex
		var callers sync.WaitGroup
		longest, away := time.Duration(0), 0
		begun = time.Now()
		for range 16 {
			callers.Go(func() {
				err := p.Admit(t.Context(), clients.Priority{})
				mu.Lock()
				defer mu.Unlock()
				longest = max(longest, time.Since(begun))
				if err != nil {
					away++
				}
			})
		}
		callers.Wait()
		if longest > 400*time.Millisecond || away < 12 {
			t.Errorf("of 16 callers at once %d were sent away and the longest waited %s in place", away, longest)
		}
	})
}

func TestAWaitInPlaceEndsWithItsContext(t *testing.T) {
	t.Parallel()
	setup(t, func(t *testing.T, b *bundle) {
		p := b.process()
		p.Observe(t.Context(), told(99))
		b.admitted(p, 70)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := p.Admit(ctx, clients.Priority{Claim: clients.Waited}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Admit returned %v", err)
		}
	})
}

func TestAUsedUpDayIsLoggedOnceAndKnownToEveryProcess(t *testing.T) {
	t.Parallel()
	setup(t, func(t *testing.T, b *bundle) {
		one, two := b.process(), b.process()
		one.Observe(t.Context(), told(50))
		used := told(50)
		used.DailyRemaining, used.Refused = 0, true
		for range 5 {
			one.Observe(t.Context(), used)
			two.Observe(t.Context(), used)
		}
		const words = "HighLevel's daily allowance of location " + location + " is used up; work continues at 00:00 UTC"
		if n := strings.Count(b.log.String(), words); n != 1 {
			t.Errorf("it was logged %d times, want once:\n%s", n, b.log.String())
		}
		for _, p := range []*budget.Budget{one, two, b.process()} {
			for range 3 {
				e := b.sentAway(p, clients.Priority{})
				if e.Message != words || e.RetryAfter != 24*time.Hour { // simulated time begins at midnight
					t.Errorf("a call is told %q and to wait %s", e.Message, e.RetryAfter)
				}
			}
		}
		time.Sleep(24 * time.Hour)
		if n := b.admitted(two, 1); n != 1 {
			t.Error("the next day a call is still held back")
		}
	})
}

func TestALowerLimitAppliesAtOnceAndAHigherOneLater(t *testing.T) {
	t.Parallel()
	setup(t, func(t *testing.T, b *bundle) {
		p := b.process()
		limit := func() int {
			t.Helper()
			s, err := b.store.Budget(t.Context(), location)
			if err != nil {
				t.Fatal(err)
			}
			return s.Max
		}
		p.Observe(t.Context(), told(99))
		strict := told(20)
		strict.Max = 25
		p.Observe(t.Context(), strict)
		if limit() != 25 {
			t.Errorf("the limit is %d, want the stricter 25", limit())
		}
		time.Sleep(30 * time.Second)
		p.Observe(t.Context(), told(99))
		if limit() != 25 {
			t.Errorf("half a minute later the limit is %d, want still 25", limit())
		}
		time.Sleep(31 * time.Second)
		p.Observe(t.Context(), told(99))
		if limit() != 100 {
			t.Errorf("after a minute without it the limit is %d, want 100", limit())
		}
	})
}

func TestCallsWaitForTheEndOfAWindowThatOthersUsedUp(t *testing.T) {
	t.Parallel()
	setup(t, func(t *testing.T, b *bundle) {
		p := b.process()
		p.Observe(t.Context(), told(20))
		p.Observe(t.Context(), told(99)) // a window has begun
		time.Sleep(4 * time.Second)
		p.Observe(t.Context(), told(0))
		if e := b.sentAway(p, clients.Priority{}); e.RetryAfter != 6*time.Second || !strings.Contains(e.Message, "by others too") {
			t.Errorf("a call is told %q and to wait %s, want 6 s", e.Message, e.RetryAfter)
		}
	})
}

func TestABudgetThatCannotBeReadIsNotReportedAsRateLimit(t *testing.T) {
	t.Parallel()
	setup(t, func(t *testing.T, b *bundle) {
		p := b.process()
		if err := b.store.Close(); err != nil {
			t.Fatal(err)
		}
		if err := p.Admit(t.Context(), clients.Priority{}); err == nil || clients.ReasonOf(err) != "" {
			t.Errorf("Admit returned %v, want the database's error", err)
		}
	})
}
