package sync

import (
	"fmt"
	"testing"
	"time"

	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv"
)

// TestWhatAReconciliationCosts counts the calls to HighLevel for a location with five
// contacts, each with four open tasks and three notes. A changed contact costs four calls,
// regardless of which of its records changed; its notes are read twice.
func TestWhatAReconciliationCosts(t *testing.T) {
	testenv.Long(t)
	b := setup(t, "")
	var contacts []string
	for i := range 5 {
		c, err := b.hl.SeedContact(hlfake.Contact{
			LocationID: location, FirstName: "Jane", LastName: fmt.Sprint("Doe", i), Email: fmt.Sprintf("jane%d@example.com", i),
			CustomFields: map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-06-02"},
		})
		b.must(err)
		contacts = append(contacts, c.ID)
		for n := range 4 {
			_, err := b.hl.CreateTask(hlfake.Task{ContactID: c.ID, Title: fmt.Sprint("Call ", n), DueDate: b.now().Add(time.Duration(n+30) * time.Hour)})
			b.must(err)
		}
		for n := range 3 {
			_, err := b.hl.CreateNote(hlfake.Note{ContactID: c.ID, Body: fmt.Sprint("Prefers mornings ", n)})
			b.must(err)
		}
	}
	cost := func(what, name string, most int) {
		t.Helper()
		b.pass(time.Minute)
		b.hl.ResetCalls()
		_, err := b.reconciler.Sweep(t.Context(), name, location, b.now().Add(-10*time.Minute), false, nil)
		b.must(err)
		swept := 0
		for _, n := range b.hl.Calls() {
			swept += n
		}
		b.workAll()
		all := 0
		for _, n := range b.hl.Calls() {
			all += n
		}
		t.Logf("%s: %d calls, %d of the sweep: %v", what, all, swept, b.hl.Calls())
		if all > most {
			t.Errorf("%s costs %d calls, want at most %d: %v", what, all, most, b.hl.Calls())
		}
	}
	cost("the first backfill", location+"/backfill", 24)
	b.pass(20 * time.Minute)
	cost("a sweep of a location in step", location, 2)
	for _, id := range contacts {
		b.must(b.hl.UpdateContact(id, func(c *hlfake.Contact) { c.FirstName = "Joan" }))
		for _, task := range b.hl.Tasks(id) {
			b.must(b.hl.UpdateTask(task.ID, func(t *hlfake.Task) { t.Title += "!" }))
		}
	}
	cost("a sweep after five contacts and their twenty tasks changed", location, 24)
}
