package lane_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"milepost/internal/lane"
)

var (
	one = lane.Key{Name: "one", Most: 2}
	two = lane.Key{Name: "two", Most: 2}
)

// in takes a place, which must be free at once.
func in(t *testing.T, l *lane.Lanes, keys ...lane.Key) (leave func()) {
	t.Helper()
	leave, wait := l.Enter(t.Context(), lane.Live, true, keys...)
	if leave == nil {
		t.Fatalf("a job is handed back for %s", wait)
	}
	return leave
}

// out expects the lane to hand the job back, and returns the wait.
func out(t *testing.T, l *lane.Lanes, keys ...lane.Key) time.Duration {
	t.Helper()
	leave, wait := l.Enter(t.Context(), lane.Live, true, keys...)
	if leave != nil {
		t.Fatal("a job is let in")
	}
	return wait
}

func TestAStuckLaneHandsEachJobBackWithItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lane.New(lane.Config{})
		in(t, l, one)
		in(t, l, one)
		began := time.Now()
		out(t, l, one) // after a wait in place
		if took := time.Since(began); took > time.Second {
			t.Errorf("a job waited %s with its worker", took)
		}
		time.Sleep(time.Second)
		began = time.Now()
		last := time.Duration(0)
		for range 300 {
			wait := out(t, l, one)
			if wait <= last || wait < 2*time.Second {
				t.Fatalf("a job is to come back after %s, the one before it after %s", wait, last)
			}
			last = wait
		}
		if time.Since(began) > 0 {
			t.Error("jobs of a lane that makes no progress keep their workers waiting")
		}
		if last > time.Minute {
			t.Errorf("the last of 300 jobs is to come back after %s", last)
		}
		in(t, l, two)
	})
}

func TestAFastLaneKeepsItsJobsWaitingInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lane.New(lane.Config{})
		back := 0
		for range 30 {
			go func() {
				leave, _ := l.Enter(t.Context(), lane.Live, true, one)
				if leave == nil {
					back++
					return
				}
				time.Sleep(20 * time.Millisecond)
				leave()
			}()
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
		if back > 0 {
			t.Errorf("%d of 30 short jobs were handed back", back)
		}
	})
}

func TestAJobThatSomebodyWaitsForIsAdmittedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lane.New(lane.Config{})
		leave := in(t, l, one)
		in(t, l, one)
		var order []bool
		for _, first := range []bool{false, false, true} {
			go func() {
				leave, _ := l.Enter(t.Context(), lane.Live, first, one)
				if leave != nil {
					order = append(order, first)
				}
			}()
			synctest.Wait()
		}
		leave()
		synctest.Wait()
		if len(order) != 1 || !order[0] {
			t.Errorf("let in were %v, want the one that goes first alone", order)
		}
		time.Sleep(2 * time.Second)
	})
}

func TestALaneWhoseVendorFailsRestsAndOneJobProbesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []bool
		l := lane.New(lane.Config{Rests: func(_ string, resting bool) { told = append(told, resting) }})
		for range 3 {
			l.Ended(one.Name, true)
		}
		for rest := 2 * time.Second; rest < 5*time.Minute; rest *= 2 {
			want := min(rest, 30*time.Second)
			if wait := out(t, l, two, one); wait < want || wait > want+6*time.Second { // a job that came during the probe returns 5 s later
				t.Fatalf("a job is to come back after %s, want about %s", wait, want)
			}
			time.Sleep(want)
			probe := in(t, l, one)
			out(t, l, one)
			l.Ended(one.Name, true)
			probe()
		}
		time.Sleep(30 * time.Second)
		probe := in(t, l, one)
		l.Ended(one.Name, false)
		in(t, l, one)
		probe()
		if len(told) != 2 || !told[0] || told[1] {
			t.Errorf("it was told of %v, want once each that it rests and that it is healed", told)
		}
	})
}

func TestSingleFailuresDoNotMakeALaneRest(t *testing.T) {
	l := lane.New(lane.Config{})
	for range 20 {
		l.Ended(one.Name, true)
		l.Ended(one.Name, true)
		l.Ended(one.Name, false)
	}
	in(t, l, one)
}

func TestAProbeWithoutACallLeavesTheProbeToTheNextJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lane.New(lane.Config{})
		for range 3 {
			l.Ended(one.Name, true)
		}
		time.Sleep(2 * time.Second)
		in(t, l, one)()
		in(t, l, one)()
	})
}

func TestAWaitInPlaceEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lane.New(lane.Config{})
		in(t, l, one)
		in(t, l, one)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if leave, _ := l.Enter(ctx, lane.Live, true, one); leave != nil {
			t.Error("a job is let in")
		}
		if leave, _ := l.Enter(t.Context(), lane.Background, true, one); leave == nil {
			t.Error("the background's jobs have no place of their own")
		}
	})
}
