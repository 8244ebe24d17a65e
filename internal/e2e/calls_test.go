package e2e_test

import (
	"testing"

	"milepost/internal/bench/changes"
	"milepost/internal/sandbox/fakehttp"
)

// TestWhatABurstOnAContactCosts counts the calls to HighLevel for what happens to a
// contact with ten open tasks and three notes, of which HighLevel allows 100 in 10 s.
func TestWhatABurstOnAContactCosts(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		id := w.contact("Jane", "Doe", "jane@example.com")
		for _, c := range changes.All() {
			w.hl.ResetCalls()
			dispatched := make(chan struct{}) // however slow the machine, the burst comes during the first call
			for _, first := range []string{"GET /contacts/{contactId}", "POST /locations/{locationId}/tasks/search"} {
				w.hl.Faults().Next(first, 1, fakehttp.HoldUntil(dispatched))
			}
			w.must(c.Happens(w.hl, id))
			w.must(w.hl.WaitIdle(t.Context()))
			w.eventually("the burst is dispatched", func() bool { return len(w.deliveries()) >= w.accepted() })
			close(dispatched)
			w.settle()
			w.hl.Faults().Clear()
			n := changes.Calls(w.hl)
			t.Logf("%s: %d calls", c.Name, n)
			if n > c.Most {
				t.Errorf("%s: %d calls, want at most %d: %v", c.Name, n, c.Most, w.hl.Calls())
			}
		}
	})
}
