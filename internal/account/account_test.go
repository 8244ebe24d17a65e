package account

import (
	"testing"
	"time"

	"milepost/internal/outcome"
)

func TestWhatWasReadInTheFutureIsReadAgain(t *testing.T) {
	now := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	reads := 0
	load := func() (int, error) { reads++; return reads, nil }
	var c cached[int]
	for _, at := range []time.Time{now.Add(48 * time.Hour), now, now.Add(time.Minute)} {
		if _, err := c.get(at, profileFresh, load); err != nil {
			t.Fatal(err)
		}
	}
	if reads != 2 {
		t.Errorf("it was read %d times, want once by each clock", reads)
	}
}

func TestAWaitThatCalendarHeroAskedForEndsThoughTheClockIsPutBack(t *testing.T) {
	now := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	var p Cooldown
	p.Begin(now, now.Add(30*time.Second))
	if left := p.Left(now.Add(-48 * time.Hour)); left > outcome.LongestWait {
		t.Errorf("%s are left", left)
	}
	if !p.Begin(now.Add(-48*time.Hour), now.Add(time.Minute-48*time.Hour)) {
		t.Error("another wait does not begin")
	}
}
