package reconcile

import (
	"errors"
	"testing"
	"time"

	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/store"
)

func TestWhatWasReadInTheFutureIsReadAgain(t *testing.T) {
	now := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	reads := 0
	load := func() (int, error) { reads++; return reads, nil }
	var c cached[int]
	for _, at := range []time.Time{now.Add(48 * time.Hour), now, now.Add(time.Minute)} {
		if _, err := c.get(at, aboutFresh, load); err != nil {
			t.Fatal(err)
		}
	}
	if reads != 2 {
		t.Errorf("it was read %d times, want once by each clock", reads)
	}
}

func TestAWaitThatCalendarHeroAskedForEndsThoughTheClockIsPutBack(t *testing.T) {
	now := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	var p parked
	p.set(now, now.Add(30*time.Second))
	if left := p.left(now.Add(-48 * time.Hour)); left > longestWait {
		t.Errorf("%s are left", left)
	}
	if !p.set(now.Add(-48*time.Hour), now.Add(time.Minute-48*time.Hour)) {
		t.Error("another wait does not begin")
	}
}

func TestALostCreateSettlesOnceThoughTheClockIsPutBack(t *testing.T) {
	b := setup(t, "")
	e := b.jane("2030-06-02")
	b.must(b.store.Touch(t.Context(), []store.Entity{e}, false))
	b.ch.Faults().Next("POST /meeting/tasks", 1, fakehttp.LoseAnswer())
	sync := func() error {
		state, err := b.store.EntityState(t.Context(), e)
		b.must(err)
		_, err = b.sync(t.Context(), &state)
		return err
	}
	if err := sync(); err == nil {
		t.Fatal("the create was not lost")
	}
	b.pass(-48 * time.Hour)
	w, ok := errors.AsType[*wait](sync())
	if !ok || w.d > unansweredSettle {
		t.Fatalf("it waits for %v, want two minutes at most", w)
	}
	b.pass(unansweredSettle)
	b.must(sync())
	if n := len(b.ch.Requests()); n != 1 {
		t.Errorf("%d meeting requests, want 1", n)
	}
}
