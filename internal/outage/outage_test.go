package outage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// bundle is a Log with a clock that a test sets.
type bundle struct {
	*Log
	written bytes.Buffer
	time    time.Time
}

func setup(*testing.T) *bundle {
	b := &bundle{time: time.Unix(1_000_000, 0)}
	b.Log = New(zerolog.New(&b.written), "webhook storage", func() time.Time { return b.time })
	return b
}

// lines returns what was logged since the last call, as "message failures duration".
func (b *bundle) lines(t *testing.T) (out []string) {
	t.Helper()
	for line := range strings.Lines(b.written.String()) {
		var l struct {
			Message, Of, For, Lasted string
			Failures                 int
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.Of != "webhook storage" {
			t.Errorf("a line does not say what fails: %s", line)
		}
		out = append(out, strings.TrimSpace(fmt.Sprint(l.Message, " ", l.Failures, " ", l.For, l.Lasted)))
	}
	b.written.Reset()
	return out
}

func (b *bundle) want(t *testing.T, want ...string) {
	t.Helper()
	if got := b.lines(t); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("logged %q, want %q", got, want)
	}
}

var errFull = errors.New("disk full")

func TestAnOutageIsLoggedWhenItBeginsAndWhenItEnds(t *testing.T) {
	b := setup(t)
	b.Succeeded()
	b.want(t)
	for range 850 {
		b.Failed(errFull)
		b.time = b.time.Add(100 * time.Millisecond)
	}
	b.want(t, "outage began 1")
	b.Succeeded()
	b.Succeeded()
	b.want(t, "outage over 850 1m25s")
}

func TestALongOutageIsLoggedEveryFiveMinutes(t *testing.T) {
	b := setup(t)
	for range 11 * 60 {
		b.Failed(errFull)
		b.time = b.time.Add(time.Second)
	}
	b.want(t, "outage began 1", "outage continues 301 5m0s", "outage continues 601 10m0s")
}

func TestFailuresBetweenSuccessesLogTwoLinesAMinute(t *testing.T) {
	b := setup(t)
	for range 600 { // a minute
		b.Failed(errFull)
		b.Succeeded()
		b.time = b.time.Add(100 * time.Millisecond)
	}
	b.want(t, "outage began 1", "outage over 1 0s")
	for range 3 {
		b.Failed(errFull)
	}
	b.want(t, "outage began 1")
}

func TestAnOutageThatReturnsIsLoggedWithinAMinute(t *testing.T) {
	b := setup(t)
	b.Failed(errFull)
	b.Succeeded()
	b.lines(t)
	for range 62 {
		b.Failed(errFull)
		b.time = b.time.Add(time.Second)
	}
	b.want(t, "outage began 61")
	b.Succeeded()
	b.want(t, "outage over 62 1m2s")
}

func TestAClockThatIsPutBackDoesNotSilenceTheLog(t *testing.T) {
	b := setup(t)
	b.Failed(errFull)
	b.Succeeded()
	b.lines(t)
	b.time = b.time.Add(-time.Hour)
	b.Failed(errFull)
	b.want(t, "outage began 1")
	b.time = b.time.Add(-time.Hour)
	b.Succeeded()
	b.want(t, "outage over 1 0s")
}

func TestANilLogReportsNothing(*testing.T) {
	var l *Log
	l.Failed(errFull)
	l.Succeeded()
}

func TestConcurrentFailuresBeginOneOutage(t *testing.T) {
	b := setup(t)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 100 {
				b.Failed(errFull)
			}
		})
	}
	wg.Wait()
	b.Succeeded()
	b.want(t, "outage began 1", "outage over 3200 0s")
}
