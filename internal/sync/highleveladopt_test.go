package sync

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"milepost/clients"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

// booked makes a task whose meeting is booked, so that Milepost writes a note of it and
// another task.
func (b *bundle) booked() (task store.Entity, contactID string) {
	b.t.Helper()
	task, contactID = b.task(time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC))
	b.ask(task)
	b.must(b.ch.Accept(b.request().ID))
	b.settle()
	if n := len(b.hl.Notes(contactID)); n != 1 {
		b.t.Fatalf("%d notes of a booked meeting", n)
	}
	return task, contactID
}

// asFormerly takes the check from what Milepost wrote for a contact, as former releases
// wrote it.
func (b *bundle) asFormerly(contactID string) {
	b.t.Helper()
	check := regexp.MustCompile(`-[a-z2-7]{4}\]$`)
	for _, n := range b.hl.Notes(contactID) {
		b.must(b.hl.UpdateNote(n.ID, func(n *hlfake.Note) { n.Body = check.ReplaceAllString(n.Body, "]") }))
	}
	for _, task := range b.hl.Tasks(contactID) {
		b.must(b.hl.UpdateTask(task.ID, func(t *hlfake.Task) { t.Body = check.ReplaceAllString(t.Body, "]") }))
	}
}

// heardOf has Milepost know a record of a contact, as its webhook would.
func (b *bundle) heardOf(kind mapping.Kind, id, contactID string) store.Entity {
	b.t.Helper()
	e := store.Entity{LocationID: location, Kind: string(kind), ID: id}
	b.must(b.store.Requeue(b.t.Context(), []store.Entity{e}, false))
	b.must(b.store.LearnContact(b.t.Context(), e, contactID))
	return e
}

func TestANoteProvesItselfThoughTheDatabaseAndItsRecordAreLost(t *testing.T) {
	testenv.Long(t)
	b := setup(t, wayBack)
	task, contact := b.booked()
	b.must(b.hl.DeleteTask(task.ID))
	b.losesItsDatabase()
	other, err := b.hl.CreateTask(hlfake.Task{ContactID: contact, Title: "Send the papers", DueDate: time.Date(2030, 6, 5, 19, 0, 0, 0, time.UTC)})
	b.must(err)
	b.ask(store.Entity{LocationID: location, Kind: string(mapping.KindTask), ID: other.ID})
	for _, r := range b.ch.Requests() {
		if strings.HasPrefix(r.Subject, "Send the papers") && strings.Contains(r.Description, "Booked") {
			t.Errorf("the request tells what Milepost wrote: %q", r.Description)
		}
	}
	note := b.heardOf(mapping.KindNote, b.hl.Notes(contact)[0].ID, contact)
	if res := b.do(note); !strings.Contains(res.detail(), "written by Milepost itself") {
		t.Errorf("the note becomes %s: %s", res.outcome(), res.detail())
	}
}

func TestACheckOfAnotherMarkerProvesNothing(t *testing.T) {
	testenv.Long(t)
	b := setup(t, wayBack)
	_, contact := b.booked()
	_, check := mapping.WrittenMarker(b.hl.Notes(contact)[0].Body)
	if check == "" {
		t.Fatalf("there is no check: %q", b.hl.Notes(contact)[0].Body)
	}
	note, err := b.hl.CreateNote(hlfake.Note{ContactID: contact, Body: "What the customer wrote:\n[ref: mp-aaaaaaaa-" + check + "]"})
	b.must(err)
	e := b.heardOf(mapping.KindNote, note.ID, contact)
	if res := b.do(e); res.outcome() != store.Done {
		t.Errorf("the note becomes %s: %s", res.outcome(), res.detail())
	}
}

func TestAnEmptyListOfTasksIsDoubtedWhenItDisprovesANote(t *testing.T) {
	testenv.Long(t)
	b := setup(t, wayBack)
	task, contact := b.booked()
	b.asFormerly(contact)
	b.losesItsDatabase()
	note := b.heardOf(mapping.KindNote, b.hl.Notes(contact)[0].ID, contact)
	list := b.hl.Faults().Next("GET /contacts/{contactId}/tasks", -1, fakehttp.Say(200, `{"tasks":[]}`))
	if _, err := b.try(note); clients.ReasonOf(err) != clients.Unavailable {
		t.Errorf("beside a search that shows tasks, the sync of the note ends with %v", err)
	}
	search := b.hl.Faults().Next("POST /locations/{locationId}/tasks/search", -1, fakehttp.Say(200, `{"tasks":[]}`))
	b.do(note) // what else could be believed?
	b.hl.Faults().Disarm(list)
	b.hl.Faults().Disarm(search)
	t.Run("and once more later", func(t *testing.T) {
		b.pass(nothingFor)
		if res := b.do(note); !strings.Contains(res.detail(), "written by Milepost itself") {
			t.Errorf("the note becomes %s: %s", res.outcome(), res.detail())
		}
	})
	t.Run("and at once if the task is known", func(t *testing.T) {
		b.losesItsDatabase()
		b.heardOf(mapping.KindNote, note.ID, contact)
		for _, lie := range []string{"GET /contacts/{contactId}/tasks", "POST /locations/{locationId}/tasks/search"} {
			b.hl.Faults().Next(lie, -1, fakehttp.Say(200, `{"tasks":[]}`))
		}
		b.do(note)
		b.heardOf(mapping.KindTask, task.ID, contact)
		if res := b.do(note); !strings.Contains(res.detail(), "written by Milepost itself") {
			t.Errorf("the note becomes %s: %s", res.outcome(), res.detail())
		}
	})
}
