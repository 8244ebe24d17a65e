package budget_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/budget"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

// clocked is a process whose clock differs from the others by ahead.
type clocked struct {
	*budget.Budget
	ahead time.Duration
}

func (b *bundle) clocked(ahead time.Duration) *clocked {
	c := &clocked{ahead: ahead}
	c.Budget = budget.New(budget.Config{
		Store: b.store, LocationID: location, Logger: zerolog.New(&b.log),
		Now: func() time.Time { return time.Now().Add(c.ahead) },
	})
	return c
}

// work lets the processes call in turn for the given time; each comes back when it may. It
// returns the real times of the calls.
func (b *bundle) work(length time.Duration, processes ...*clocked) (sent []time.Time, of []int) {
	b.t.Helper()
	of, back := make([]int, len(processes)), make([]time.Time, len(processes))
	for end := time.Now().Add(length); time.Now().Before(end); {
		for i, p := range processes {
			if back[i].After(time.Now()) {
				continue
			}
			err := p.Admit(b.t.Context(), clients.Priority{Claim: clients.Waited})
			if err == nil {
				sent, of[i] = append(sent, time.Now()), of[i]+1
				continue
			}
			if clients.ReasonOf(err) != clients.RateLimited {
				b.t.Fatal(err)
			}
			back[i] = time.Now().Add(time.Second)
		}
		time.Sleep(time.Millisecond)
	}
	return sent, of
}

func mostInTenSeconds(sent []time.Time) (most int) {
	slices.SortFunc(sent, time.Time.Compare)
	from := 0
	for i, at := range sent {
		for at.Sub(sent[from]) > 10*time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

func TestCallsContinueAfterTheClockIsPutBack(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for _, by := range []time.Duration{2 * time.Second, time.Minute, time.Hour, 48 * time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			setup(t, func(t *testing.T, b *bundle) {
				p := b.clocked(0)
				p.Observe(t.Context(), told(99))
				before, _ := b.work(20*time.Second, p)
				p.ahead -= by
				after, _ := b.work(20*time.Second, p)
				if len(after) < 170 {
					t.Errorf("%d calls were sent in the 20 s after the jump, %d before", len(after), len(before))
				}
				if n := mostInTenSeconds(append(before, after...)); n > 100 {
					t.Errorf("a window of 10 s holds %d calls", n)
				}
				if n := strings.Count(b.log.String(), "clock is behind"); n != 1 {
					t.Errorf("the jump was logged %d times, want once:\n%s", n, b.log.String())
				}
			})
		})
	}
}

func TestAProcessThatStartsAfterTheClockWasPutBackCallsAtOnce(t *testing.T) {
	t.Parallel()
	setup(t, func(t *testing.T, b *bundle) {
		p := b.clocked(48 * time.Hour)
		p.Observe(t.Context(), told(99))
		b.work(20*time.Second, p)
		if sent, _ := b.work(10*time.Second, b.clocked(0)); len(sent) < 85 {
			t.Errorf("%d calls were sent in the first 10 s", len(sent))
		}
	})
}

func TestARowWrittenAheadOfTimeByAnEarlierVersionDoesNotStopCalls(t *testing.T) {
	t.Parallel()
	setup(t, func(t *testing.T, b *bundle) {
		p := b.clocked(0)
		p.Observe(t.Context(), told(99))
		if _, err := b.store.UpdateBudget(t.Context(), location, func(row *store.Budget) {
			ahead := time.Now().Add(time.Hour)
			row.Next, row.Queue, row.BackfillQueue, row.WorkedAt = ahead, ahead, ahead, time.Time{}
		}); err != nil {
			t.Fatal(err)
		}
		if sent, _ := b.work(40*time.Second, p); len(sent) < 350 {
			t.Errorf("%d calls were sent in 40 s", len(sent))
		}
	})
}

func TestAClockThatJumpsForwardAndBackKeepsThePace(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	setup(t, func(t *testing.T, b *bundle) {
		p := b.clocked(0)
		p.Observe(t.Context(), told(99))
		b.work(20*time.Second, p)
		var all []time.Time
		for _, jump := range []time.Duration{time.Hour, -time.Hour, 48 * time.Hour, -48 * time.Hour, -time.Minute} {
			p.ahead += jump
			sent, _ := b.work(20*time.Second, p)
			if len(sent) < 170 {
				t.Errorf("after a jump of %s %d calls were sent in 20 s", jump, len(sent))
			}
			all = append(all, sent...)
		}
		if n := mostInTenSeconds(all); n > 100 {
			t.Errorf("a window of 10 s holds %d calls", n)
		}
	})
}

func TestProcessesWhoseClocksDifferShareOneBucketAndBothGetTurns(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for _, by := range []time.Duration{time.Minute, time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			setup(t, func(t *testing.T, b *bundle) {
				ahead, behind := b.clocked(by), b.clocked(0)
				behind.Observe(t.Context(), told(99))
				ahead.Observe(t.Context(), told(99))
				sent, of := b.work(time.Minute, ahead, behind)
				if n := mostInTenSeconds(sent); n > 100 {
					t.Errorf("a window of 10 s holds %d calls", n)
				}
				if len(sent) < 500 || of[0] < 100 || of[1] < 100 {
					t.Errorf("the process that is ahead sent %d calls in a minute, the other %d", of[0], of[1])
				}
			})
		})
	}
}

func TestAWaitThatHighLevelAskedForEndsInTimeAfterTheClockIsPutBack(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		setup(t, func(t *testing.T, b *bundle) {
			p := b.clocked(0)
			if known {
				p.Observe(t.Context(), told(99))
			}
			p.Observe(t.Context(), highlevel.Allowance{Interval: 10 * time.Second, Remaining: -1, DailyRemaining: -1, Refused: true, RetryAfter: 30 * time.Second})
			p.ahead -= time.Hour
			if e := b.sentAway(p.Budget, clients.Priority{}); e.RetryAfter > time.Minute {
				t.Errorf("a call is to wait %s, want some 30 s", e.RetryAfter)
			}
			time.Sleep(40 * time.Second)
			if n := b.admitted(p.Budget, 1); n != 1 {
				t.Error("40 s later a call is still held back")
			}
		})
	}
}

func TestTheDayFollowsHighLevelAndNotTheClock(t *testing.T) {
	t.Parallel()
	setup(t, func(t *testing.T, b *bundle) {
		p := b.clocked(48 * time.Hour) // simulated time begins at midnight
		p.Observe(t.Context(), told(99))
		b.work(time.Second, p)
		p.ahead = 0
		used := told(50)
		used.DailyRemaining, used.Refused = 0, true
		p.Observe(t.Context(), used)
		if e := b.sentAway(p.Budget, clients.Priority{}); e.RetryAfter > 24*time.Hour {
			t.Errorf("a call is to wait %s, want until midnight", e.RetryAfter)
		}
		time.Sleep(24 * time.Hour)
		if n := b.admitted(p.Budget, 1); n != 1 {
			t.Error("the next day a call is still held back")
		}
	})
}

func TestAWindowSeenByAClockAheadIsWaitedForOnce(t *testing.T) {
	t.Parallel()
	setup(t, func(t *testing.T, b *bundle) {
		p := b.clocked(48 * time.Hour)
		p.Observe(t.Context(), told(20))
		p.Observe(t.Context(), told(99)) // a window has begun
		p.ahead = 0
		p.Observe(t.Context(), told(0))
		if e := b.sentAway(p.Budget, clients.Priority{}); e.RetryAfter > 11*time.Second {
			t.Errorf("a call is to wait %s, want at most the 10 s of a window", e.RetryAfter)
		}
	})
}

// A clock that is ahead makes recent calls look old, so they could be forgotten too early.
func TestAClockThatIsAheadDoesNotSendASecondAllowance(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for name, another := range map[string]bool{"another process": true, "a jump": false} {
		t.Run(name, func(t *testing.T) {
			setup(t, func(t *testing.T, b *bundle) {
				p := b.clocked(0)
				p.Observe(t.Context(), told(99))
				sent, _ := b.work(2*time.Second, p)
				if len(sent) < 70 {
					t.Fatalf("%d calls were sent in the first 2 s", len(sent))
				}
				if another {
					p = b.clocked(0)
				}
				p.ahead += time.Hour
				after, _ := b.work(20*time.Second, p)
				if n := mostInTenSeconds(append(sent, after...)); n > 100 {
					t.Errorf("a window of 10 s holds %d calls", n)
				}
				if len(after) < 100 {
					t.Errorf("%d calls were sent in the 20 s after", len(after))
				}
			})
		})
	}
}
