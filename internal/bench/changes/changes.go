// Package changes is what happens to a contact, and how many calls to HighLevel each may
// cost. The benchmark and the tests count them.
//
// It knows nothing of Milepost.
package changes

import (
	"fmt"
	"time"

	"milepost/internal/sandbox/highlevel"
)

// Change is something that happens to a contact.
type Change struct {
	Name    string
	Most    int // calls to HighLevel that may follow
	Happens func(hl *highlevel.Server, contact string) error
}

// All returns the changes in their order. The contact is known to nobody before the
// first, and has ten open tasks and three notes before the last.
func All() []Change {
	return []Change{
		{"first contact event", 8, func(hl *highlevel.Server, contact string) error {
			return hl.SetCustomFields(contact, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-09"})
		}},
		{"ten TaskCreate", 6, func(hl *highlevel.Server, contact string) error {
			return times(10, func(i int) error {
				_, err := hl.CreateTask(highlevel.Task{ContactID: contact, Title: fmt.Sprint("Call ", i), DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
				return err
			})
		}},
		{"three NoteCreate", 6, func(hl *highlevel.Server, contact string) error {
			return times(3, func(i int) error {
				_, err := hl.CreateNote(highlevel.Note{ContactID: contact, Body: fmt.Sprint("Prefers mornings ", i)})
				return err
			})
		}},
		{"name change", 6, func(hl *highlevel.Server, contact string) error {
			return hl.UpdateContact(contact, func(c *highlevel.Contact) { c.FirstName = "Joan" })
		}},
	}
}

func times(n int, do func(i int) error) error {
	for i := range n {
		if err := do(i); err != nil {
			return err
		}
	}
	return nil
}

// Calls counts the calls that a fake answered.
func Calls(hl *highlevel.Server) (n int) {
	for _, calls := range hl.Calls() {
		n += calls
	}
	return n
}
