package sync

import (
	"errors"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/jobs"
	"milepost/internal/outcome"
	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

func TestALostCreateSettlesOnceThoughTheClockIsPutBack(t *testing.T) {
	testenv.Long(t)
	b := setup(t, "")
	e := b.jane("2030-06-02")
	b.must(b.store.Requeue(t.Context(), []store.Entity{e}, false))
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
	w, ok := errors.AsType[*outcome.Wait](sync())
	if !ok || w.For > outcome.UnansweredSettle {
		t.Fatalf("it waits for %v, want two minutes at most", w)
	}
	b.pass(outcome.UnansweredSettle)
	b.must(sync())
	if n := len(b.ch.Requests()); n != 1 {
		t.Errorf("%d meeting requests, want 1", n)
	}
}

// twoDaysAhead has Milepost's clock be ahead while something is done.
func (b *bundle) twoDaysAhead(do func()) {
	b.ahead.Store(int64(48 * time.Hour))
	do()
	b.ahead.Store(0)
}

func TestADateThatTheClockTookForPastIsAskedForAgain(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-05-02")
	b.do(e)
	b.must(b.ch.Accept(b.request().ID))
	b.set(time.Date(2030, 5, 3, 12, 0, 0, 0, time.UTC))
	b.settle() // it took place
	b.do(e)
	b.twoDaysAhead(func() {
		b.setDate(e, "2030-05-04")
		b.do(e)
		if n := b.posts(); n != 1 {
			t.Fatalf("%d requests were made for a date that has passed", n)
		}
	})
	b.do(e)
	if got := b.request(); got.Start.Day() != 4 {
		t.Errorf("the request is at %s", got.Start)
	}
}

func TestARequestIsNotLeftForGoodBecauseTheClockWasAhead(t *testing.T) {
	testenv.Long(t)
	for _, c := range []struct {
		name        string
		meanwhile   string // the date that the record asks for while the clock is ahead
		then        string
		open, posts int
	}{
		{"removed", "", "", 0, 1},
		{"removed and asked for again", "", "2030-05-02", 1, 1},
		{"replaced", "2030-06-02", "2030-06-02", 1, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t, toOwner)
			e := b.jane("2030-05-02")
			b.do(e)
			b.twoDaysAhead(func() {
				b.setDate(e, c.meanwhile)
				b.do(e)
				b.confirms()
			})
			b.setDate(e, c.then)
			b.do(e)
			b.confirms()
			if n := len(b.ch.Requests()); n != c.open || b.posts() != c.posts {
				t.Errorf("%d requests are open after %d were made, want %d and %d", n, b.posts(), c.open, c.posts)
			}
		})
	}
}

func TestAJobThatIsLateForItsNextTurnIsHandedOutAtOnce(t *testing.T) {
	runner := jobs.New(jobs.Config{})
	if late := new(river.JobSnoozeError); !errors.As(runner.Snooze(-time.Second), &late) || late.Duration != 0 {
		t.Errorf("it is handed out after %v", late.Duration)
	}
}
