package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/internal/app"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
)

// What the histories of TestEveryHistoryEndsInStep, or thinking about them,
// once found: each as short as it can be told.

// hurried makes the waits of Milepost short.
func hurried(w *world, _ *hlfake.Config) {
	w.cfg.Clock = app.Clock{Start: time.Now(), Speed: speed}
}

func TestANoteThatWasNeverSyncedLeavesTheRequestWhenItIsDeleted(t *testing.T) {
	w := setup(t, hurried)
	id := w.contact("Jane", "Doe", "jane@example.com")
	note, err := w.hl.SeedNote(hlfake.Note{ContactID: id, Body: "Keys at the desk"}) // its NoteCreate is late
	w.must(err)
	w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
	w.settle()
	if r := w.ch.Requests(); len(r) != 1 || !strings.Contains(r[0].Description, "Keys at the desk") {
		t.Fatalf("the request says %+v", r)
	}
	w.must(w.hl.DeleteNote(note.ID))
	w.settle()
	if r := w.ch.Requests(); len(r) != 1 || strings.Contains(r[0].Description, "Keys at the desk") {
		t.Errorf("after the note was deleted the request says %+v", r)
	}
}

func TestATaskInTheMakingSeesItsContactChange(t *testing.T) {
	together(t)
	for _, c := range []struct {
		name, told, want string
		change           func(w *world, id string) error
	}{
		{"renamed", "ContactUpdate", "Call (Bea Doe)", func(w *world, id string) error {
			return w.hl.UpdateContact(id, func(c *hlfake.Contact) { c.FirstName = "Bea" })
		}},
		{"deleted", "ContactDelete", "", func(w *world, id string) error { return w.hl.DeleteContact(id) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := setup(t, hurried)
			id := w.contact("Jane", "Doe", "jane@example.com")
			hold := make(chan struct{})
			armed := w.ch.Faults().Next("POST /meeting/tasks", 1, fakehttp.HoldUntil(hold))
			_, err := w.hl.CreateTask(hlfake.Task{ContactID: id, Title: "Call", DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
			w.must(err)
			<-armed.Hit() // its contact is read; its webhook did not name it
			w.must(c.change(w, id))
			w.eventually(c.told+" is dispatched", func() bool {
				return slices.ContainsFunc(w.deliveries(), func(d store.Delivery) bool { return d.Type == c.told })
			})
			close(hold)
			w.settle()
			if got := strings.Join(w.subjects(), ", "); got != c.want {
				t.Errorf("the requests are %q, want %q", got, c.want)
			}
		})
	}
}

func TestARecordThatGoesBackAfterADeleteWithoutAnswerHasItsRequest(t *testing.T) {
	together(t)
	for _, c := range []struct{ name, milestone string }{{"moved", "Inspection"}, {"cleared", ""}} {
		t.Run(c.name, func(t *testing.T) {
			w := setup(t, hurried)
			id := w.contact("Jane", "Doe", "jane@example.com")
			set := func(name string) {
				w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": name, "contact.milestone_date": "2030-05-02"}))
			}
			set("Closing")
			w.settle()
			w.ch.Faults().Next("DELETE /meeting/tasks/{id}", 1, fakehttp.LoseAnswer())
			w.ch.Faults().Next("DELETE /meeting/tasks/{id}", -1, fakehttp.FailWith(503))
			set(c.milestone)
			w.eventually("the delete failed for now", func() bool { return w.deliveries()[0].Outcome == store.Retry })
			set("Closing")
			w.eventually("the record is back", func() bool { return len(w.deliveries()) == 3 })
			w.ch.Faults().Clear()
			w.settle()
			if got := strings.Join(w.subjects(), ", "); got != "Closing: Jane Doe" {
				t.Errorf("the requests are %q, want the one of the record as it is again", got)
			}
		})
	}
}

func TestAContactThatComesBackWhileItsOldSelfIsRemovedIsThere(t *testing.T) {
	w := setup(t) // not hurried: a lease must last for as long as the test holds the removal
	first, err := w.hl.CreateContact(hlfake.Contact{LocationID: location, FirstName: "Jane", LastName: "Doe", Email: "jane@example.com"})
	w.must(err)
	w.settle()
	hold := make(chan struct{})
	armed := w.ch.Faults().Next("DELETE /contact/{id}", 1, fakehttp.HoldUntil(hold))
	w.must(w.hl.DeleteContact(first.ID))
	<-armed.Hit()
	_, err = w.hl.CreateContact(hlfake.Contact{LocationID: location, FirstName: "Jane", LastName: "Doe", Email: "jane@example.com"})
	w.must(err)
	w.eventually("the new contact was looked at", func() bool {
		for _, d := range w.deliveries() {
			if d.Type == "ContactCreate" && d.Entity.ID != first.ID {
				return d.Outcome != store.Pending
			}
		}
		return false
	})
	close(hold)
	w.settle()
	if n := len(w.contacts("jane@example.com")); n != 1 {
		t.Errorf("%d contacts have the address of the contact that came back, want 1", n)
	}
}
