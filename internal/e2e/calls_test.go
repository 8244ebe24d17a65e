package e2e_test

import (
	"fmt"
	"testing"
	"time"

	hlfake "milepost/internal/sandbox/highlevel"
)

// TestWhatABurstOnAContactCosts counts the calls to HighLevel for what happens to a
// contact with ten open tasks and three notes, of which HighLevel allows 100 in 10 s.
func TestWhatABurstOnAContactCosts(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		id := ""
		for _, c := range []struct {
			name string
			do   func()
			most int
		}{
			{"first contact event", func() {
				id = w.milestone("2030-05-09")
			}, 8},
			{"ten tasks", func() {
				for i := range 10 {
					_, err := w.hl.CreateTask(hlfake.Task{ContactID: id, Title: fmt.Sprint("Call ", i), DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
					w.must(err)
				}
			}, 6},
			{"three notes", func() {
				for i := range 3 {
					_, err := w.hl.CreateNote(hlfake.Note{ContactID: id, Body: fmt.Sprint("Prefers mornings ", i)})
					w.must(err)
				}
			}, 6},
			{"another name", func() { w.must(w.hl.UpdateContact(id, func(c *hlfake.Contact) { c.FirstName = "Joan" })) }, 6},
		} {
			w.hl.ResetCalls()
			c.do()
			w.settle()
			n, calls := 0, w.hl.Calls()
			for _, k := range calls {
				n += k
			}
			t.Logf("%s: %d calls", c.name, n)
			if n > c.most {
				t.Errorf("%s: %d calls, want at most %d: %v", c.name, n, c.most, calls)
			}
		}
	})
}
