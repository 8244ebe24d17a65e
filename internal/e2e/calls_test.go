package e2e_test

import (
	"testing"

	"milepost/internal/bench/changes"
)

// TestWhatABurstOnAContactCosts counts the calls to HighLevel for what happens to a
// contact with ten open tasks and three notes, of which HighLevel allows 100 in 10 s.
func TestWhatABurstOnAContactCosts(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		id := w.contact("Jane", "Doe", "jane@example.com")
		for _, c := range changes.All() {
			w.hl.ResetCalls()
			w.must(c.Happens(w.hl, id))
			w.settle()
			n := changes.Calls(w.hl)
			t.Logf("%s: %d calls", c.Name, n)
			if n > c.Most {
				t.Errorf("%s: %d calls, want at most %d: %v", c.Name, n, c.Most, w.hl.Calls())
			}
		}
	})
}
