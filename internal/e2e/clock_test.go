package e2e_test

import (
	"fmt"
	"testing"
	"time"
)

func TestAClockThatIsPutBackStopsNothingAndIsLogged(t *testing.T) {
	together(t)
	for _, by := range []time.Duration{time.Minute, time.Hour, 48 * time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			w := setup(t, logged, limited(100, 0))
			add := func(n int) {
				id := w.contact("Jane", fmt.Sprint("Doe", n), fmt.Sprintf("jane%d@example.com", n))
				w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
			}
			add(0)
			w.settle()
			w.ahead.Add(-int64(by))
			add(1)
			w.settle()
			w.ahead.Add(int64(by)) // and forward again, and back
			add(2)
			w.settle()
			w.ahead.Add(-int64(by))
			add(3)
			w.settle()
			if n := len(w.ch.Requests()); n != 4 {
				t.Errorf("%d meeting requests, want 4", n)
			}
			w.eventually("the jump is logged", func() bool { return len(w.log.lines("clock was put back")) > 0 })
		})
	}
}
