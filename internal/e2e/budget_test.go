package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
)

// limited turns HighLevel's rate limit on, in its harshest form.
func limited(max, daily int) func(*world, *hlfake.Config) {
	return func(_ *world, c *hlfake.Config) {
		c.RateLimit, c.RateSliding, c.RateMax, c.RateDaily = true, true, max, daily
	}
}

func TestABurstOfWebhooksOfAnIdleLocationIsWorkedAtOnce(t *testing.T) {
	w := setup(t, limited(100, 0))
	const contacts = 25
	begun := time.Now()
	for i := range contacts {
		id := w.contact("Contact", fmt.Sprint(i), fmt.Sprintf("c%d@example.com", i))
		w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
	}
	w.settle()
	if n := len(w.ch.Requests()); n != contacts {
		t.Errorf("%d meeting requests, want %d", n, contacts)
	}
	calls := 0
	for _, n := range w.hl.Calls() {
		calls += n
	}
	t.Logf("%d contacts by %d calls in %s, where the steady pace is 9.5 a second", contacts, calls, time.Since(begun).Round(time.Millisecond))
	if b := w.budget(); b.Max != 100 || !b.ParkedUntil.IsZero() || !b.Queue.IsZero() {
		t.Errorf("the location was parked, a call was sent away, or the limit is unknown: %+v", b)
	}
	if calls > 2*contacts+20 {
		t.Errorf("%d calls for %d contacts: what was read was thrown away", calls, contacts)
	}
}

func TestADayThatIsUsedUpIsToldInTheOutcome(t *testing.T) {
	w := setup(t, limited(100, 4))
	for i := range 6 {
		id := w.contact("Contact", fmt.Sprint(i), fmt.Sprintf("c%d@example.com", i))
		w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
	}
	w.eventually("a webhook waits for the next day", func() bool {
		for _, d := range w.deliveries() {
			if d.Outcome == store.Waiting && strings.Contains(d.Detail, "aily allowance") && strings.Contains(d.Detail, "is used up; work continues at 00:00 UTC") {
				return true
			}
		}
		return false
	})
	if until := w.budget().ParkedUntil; until.Hour() != 0 || until.Minute() != 0 || time.Until(until) > 24*time.Hour {
		t.Errorf("the location is parked until %s", until)
	}
}

func (w *world) budget() store.Budget {
	w.t.Helper()
	b, err := w.app.Store().Budget(context.Background(), location)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}
