package sync

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"milepost/clients"
	"milepost/internal/outcome"
	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

const wayBack = `
- name: Task
  on: task.changed
  if: not task.completed
  do:
    - task: { title: "{{ task.title }}", due: "{{ task.due }}", attach: [notes] }
- name: Note
  on: note.changed
  do:
    - note: {}
- name: Moved
  on: calendarhero.meeting_rescheduled
  if: task.id != ""
  do:
    - reschedule_task: {}
- name: Completed
  on: calendarhero.meeting_completed
  if: task.id != ""
  do:
    - complete_task: {}
- name: Booked
  on: calendarhero.meeting_request_success
  do:
    - highlevel_note: { text: "Booked: {{ meeting.title }} at {{ meeting.start }}" }
    - highlevel_task: { title: "Prepare {{ meeting.title }}", due: "{{ meeting.start }}" }
    - tags: { add: booked }
`

// task makes a task of a new contact.
func (b *bundle) task(due time.Time) (e store.Entity, contactID string) {
	b.t.Helper()
	contact := b.jane("")
	task, err := b.hl.CreateTask(hlfake.Task{ContactID: contact.ID, Title: "Call Jane", DueDate: due})
	b.must(err)
	return store.Entity{LocationID: location, Kind: string(mapping.KindTask), ID: task.ID}, contact.ID
}

// all has all that HighLevel has synced, as its webhooks would.
func (b *bundle) all() {
	b.t.Helper()
	for _, c := range b.hl.Contacts() {
		b.must(b.store.LearnContact(b.t.Context(), store.Entity{LocationID: location, Kind: "contact", ID: c.ID}, c.ID))
		b.ask(store.Entity{LocationID: location, Kind: "contact", ID: c.ID})
		for _, n := range b.hl.Notes(c.ID) {
			e := store.Entity{LocationID: location, Kind: "note", ID: n.ID}
			b.must(b.store.Requeue(b.t.Context(), []store.Entity{e}, false))
			b.must(b.store.LearnContact(b.t.Context(), e, c.ID))
			b.settle()
		}
		for _, t := range b.hl.Tasks(c.ID) {
			b.ask(store.Entity{LocationID: location, Kind: "task", ID: t.ID})
		}
	}
}

func TestAMovedMeetingMovesItsTask(t *testing.T) {
	testenv.Long(t)
	b := setup(t, wayBack)
	due := time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC)
	e, contact := b.task(due)
	b.ask(e)
	r := b.request()
	// Another length too: the end is what counts.
	b.must(b.ch.Reschedule(r.ID, movedTo, movedTo.Add(45*time.Minute)))
	b.settle()
	if got := b.hl.Tasks(contact)[0].DueDate; !got.Equal(movedTo.Add(45 * time.Minute)) {
		t.Errorf("the task is due at %s", got)
	}
	// And once more, before HighLevel's record is read again.
	again := movedTo.Add(24 * time.Hour)
	b.must(b.ch.Reschedule(r.ID, again, again.Add(45*time.Minute)))
	b.settle()
	if got := b.hl.Tasks(contact)[0].DueDate; !got.Equal(again.Add(45 * time.Minute)) {
		t.Errorf("after the second move the task is due at %s", got)
	}
	b.ask(e)
	b.ask(e)
	if got := b.request(); got.ID != r.ID || b.posts() != 1 {
		t.Errorf("the echo made it again: %d posts", b.posts())
	}
	if n := b.hl.Calls()["PUT /contacts/{contactId}/tasks/{taskId}"]; n != 3 {
		t.Errorf("%d writes of tasks, want two of this one and one of that to prepare it: %v", n, b.hl.Calls())
	}
}

func TestAMeetingThatIsMovedWhileItIsReplacedMovesItsTask(t *testing.T) {
	testenv.Long(t)
	b := setup(t, wayBack)
	e, contact := b.task(time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC))
	b.ask(e)
	r := b.request()
	b.must(b.ch.Accept(r.ID))
	b.settle()
	b.must(b.hl.UpdateTask(e.ID, func(t *hlfake.Task) { t.Title = "Call Jane back" }))
	b.ch.Faults().Next("DELETE /meeting/tasks/{id}", -1, fakehttp.FailWith(503))
	if _, err := b.try(e); err == nil || b.link(e).State != store.LinkDeleting {
		t.Fatalf("the delete did not fail: %v, the link is %q", err, b.link(e).State)
	}
	b.ch.Faults().Clear()
	b.must(b.ch.Reschedule(r.ID, movedTo, movedTo.Add(15*time.Minute)))
	b.ask(e)
	due := b.hl.Tasks(contact)[0].DueDate
	if got := b.request(); !due.Equal(movedTo.Add(15*time.Minute)) || !got.End.Equal(due) || !strings.HasPrefix(got.Subject, "Call Jane back") {
		t.Errorf("the task is due at %s, its request is %q and ends at %s; want %s", due, got.Subject, got.End, movedTo.Add(15*time.Minute))
	}
}

func TestWhatIsWrittenInHighLevelIsWrittenOnceAndComesNotBack(t *testing.T) {
	b := setup(t, wayBack)
	due := time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC)
	e, contact := b.task(due)
	b.ask(e)
	b.must(b.ch.Accept(b.request().ID))
	b.settle()
	for range 3 {
		b.all()
	}
	notes, tasks := b.hl.Notes(contact), b.hl.Tasks(contact)
	if len(notes) != 1 || !strings.HasPrefix(notes[0].Body, "Booked: Call Jane at 2030-06-03 14:45") {
		t.Errorf("the notes are %+v", notes)
	}
	if len(tasks) != 2 || tasks[1].Title != "Prepare Call Jane" {
		t.Errorf("the tasks are %+v", tasks)
	}
	if b.posts() != 1 {
		t.Errorf("%d requests were made: what Milepost wrote came back", b.posts())
	}
	if c, _ := b.hl.Contact(contact); !strings.Contains(strings.Join(c.Tags, " "), "booked") {
		t.Errorf("the tags are %q", c.Tags)
	}
	// A person deletes the note and takes the tag away: they stay away.
	b.must(b.hl.DeleteNote(notes[0].ID))
	b.all()
	if n := len(b.hl.Notes(contact)); n != 0 {
		t.Errorf("%d notes after it was deleted", n)
	}
	// It moves: the note says so, where there is one.
	b.set(due.Add(time.Minute))
	b.settle()
	if !b.hl.Tasks(contact)[0].Completed {
		t.Error("the task is not completed with its meeting")
	}
}

func TestALostAnswerOfANoteMakesNoSecondOne(t *testing.T) {
	testenv.Long(t)
	b := setup(t, wayBack)
	e, contact := b.task(time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC))
	b.ask(e)
	b.must(b.ch.Accept(b.request().ID))
	b.hl.Faults().Next("POST /contacts/{contactId}/notes", 1, fakehttp.LoseAnswer())
	b.hl.Faults().Next("POST /contacts/{contactId}/tasks", 1, fakehttp.LoseAnswer())
	b.settle()
	if n, m := len(b.hl.Notes(contact)), len(b.hl.Tasks(contact)); n != 1 || m != 2 {
		t.Errorf("%d notes and %d tasks, want 1 and 2", n, m)
	}
}

func TestALostNoteIsNotMadeAgainWhileAGatewayShowsNone(t *testing.T) {
	testenv.Long(t)
	b := setup(t, wayBack)
	e, contact := b.task(time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC))
	b.ask(e)
	b.must(b.ch.Accept(b.request().ID))
	b.hl.Faults().Next("POST /contacts/{contactId}/notes", 1, fakehttp.LoseAnswer())
	lie := b.hl.Faults().Next("GET /contacts/{contactId}/notes", -1, fakehttp.Say(200, `{"notes":[]}`))
	b.pass(time.Second)
	b.polls()
	_, err := b.run(e)
	if clients.ReasonOf(err) != clients.Unclear {
		t.Fatalf("the sync ends with %v, want a lost answer", err)
	}
	b.pass(outcome.UnclearSettle)
	if _, err := b.run(e); err == nil || len(b.hl.Notes(contact)) != 1 {
		t.Fatalf("the next sync ends with %v, and there are %d notes", err, len(b.hl.Notes(contact)))
	}
	note := store.Entity{LocationID: location, Kind: "note", ID: b.hl.Notes(contact)[0].ID}
	b.must(b.store.Requeue(t.Context(), []store.Entity{note}, false))
	b.must(b.store.LearnContact(t.Context(), note, contact)) // as its webhook says
	b.known(note)
	b.pass(time.Minute)
	if _, err := b.run(e); err == nil || len(b.hl.Notes(contact)) != 1 {
		t.Errorf("after the webhook the sync ends with %v, and there are %d notes", err, len(b.hl.Notes(contact)))
	}
	b.hl.Faults().Disarm(lie)
	b.ask(e)
	if n := len(b.hl.Notes(contact)); n != 1 {
		t.Errorf("%d notes, want one", n)
	}
}

func TestALostNoteIsNotMadeAgainIfItsWebhookWaits(t *testing.T) {
	testenv.Long(t)
	b := setup(t, wayBack)
	e, contact := b.task(time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC))
	b.ask(e)
	b.must(b.ch.Accept(b.request().ID))
	b.hl.Faults().Next("POST /contacts/{contactId}/notes", 1, fakehttp.LoseAnswer())
	lie := b.hl.Faults().Next("GET /contacts/{contactId}/notes", -1, fakehttp.Say(200, `{"notes":[]}`))
	b.pass(time.Second)
	b.polls()
	if _, err := b.run(e); clients.ReasonOf(err) != clients.Unclear {
		t.Fatalf("the sync ends with %v, want a lost answer", err)
	}
	b.heardOf(mapping.KindNote, b.hl.Notes(contact)[0].ID, contact)
	b.pass(time.Minute) // after which one look is believed
	if _, err := b.run(e); clients.ReasonOf(err) != clients.Unavailable {
		t.Errorf("the sync ends with %v", err)
	}
	b.hl.Faults().Disarm(lie)
	b.ask(e)
	if n := len(b.hl.Notes(contact)); n != 1 {
		t.Errorf("%d notes, want one", n)
	}
}

func TestAMeetingThatPeopleMadeIsNotedAtItsContact(t *testing.T) {
	testenv.Long(t)
	b := setup(t, "")
	jane := b.jane("")
	_, err := b.ch.Request("Before", []string{"jane@example.com"}, movedTo, movedTo.Add(time.Hour))
	b.must(err)
	b.settle()
	r, err := b.ch.BookByLink(chfake.Contact{Name: "Jane Doe", Email: []string{"jane@example.com"}}, "Consultation", movedTo, movedTo.Add(time.Hour))
	b.must(err)
	b.settle()
	b.settle()
	notes := b.hl.Notes(jane.ID)
	if len(notes) != 1 || !strings.HasPrefix(notes[0].Body, "Meeting booked: Consultation, 2030-06-04 15:00") {
		t.Fatalf("the notes are %+v", notes)
	}
	b.must(b.ch.Reschedule(r.ID, movedTo.AddDate(0, 0, 1), movedTo.AddDate(0, 0, 1).Add(time.Hour)))
	b.settle()
	b.must(b.ch.Cancel(r.ID))
	b.settle()
	b.all()
	if n := len(b.hl.Notes(jane.ID)); n != 3 || b.posts() != 0 {
		t.Errorf("%d notes, %d requests made here: %+v", n, b.posts(), b.hl.Notes(jane.ID))
	}
}

func TestWhoBooksBeforeTheyAreAContactHasItInTheirNotes(t *testing.T) {
	testenv.Long(t)
	b := setup(t, "")
	b.settle()
	_, err := b.ch.BookByLink(chfake.Contact{Name: "Jane Doe", Email: []string{"jane@example.com"}}, "Consultation", movedTo, movedTo.Add(time.Hour))
	b.must(err)
	b.settle()
	jane := b.jane("")
	b.ask(jane)
	if n := len(b.hl.Notes(jane.ID)); n != 1 {
		t.Errorf("%d notes", n)
	}
}

func TestAMilestoneFollowsItsMeetingHoweverOftenItMoves(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner+`
- name: Follow
  on: calendarhero.meeting_rescheduled
  do:
    - update_contact: { fields: { milestone_date: "{{ meeting.start }}" } }
`)
	e := b.jane("2030-06-03")
	b.ask(e)
	r := b.request()
	for days := range 3 {
		to := movedTo.AddDate(0, 0, days)
		b.must(b.ch.Reschedule(r.ID, to, to.Add(30*time.Minute)))
		b.settle() // the record is read with what was written of the move before
	}
	b.ask(e)
	b.ask(e)
	c, _ := b.hl.Contact(e.ID)
	if got := b.request(); got.ID != r.ID || b.posts() != 1 || !strings.Contains(fmt.Sprint(c.CustomFields), "2030-06-06") {
		t.Errorf("%d posts; the contact says %v", b.posts(), c.CustomFields)
	}
	// What a person says afterwards is a change.
	b.setDate(e, "2030-06-20")
	b.ask(e)
	if got := b.request(); got.Start.Day() != 20 {
		t.Errorf("it is at %s", got.Start)
	}
}

func TestAMeetingThatNoListShowsAfterItsEndDidNotTakePlace(t *testing.T) {
	testenv.Long(t)
	b := setup(t, wayBack, func(c *chfake.Config) { c.ForgetDeleted = true })
	due := time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC)
	e, contact := b.task(due)
	other, err := b.ch.BookByLink(chfake.Contact{Name: "X", Email: []string{"x@example.com"}}, "Before", due.Add(-2*time.Hour), due.Add(-time.Hour))
	b.must(err)
	b.ask(e)
	for _, r := range b.ch.Requests() {
		if r.ID != other.ID {
			b.must(b.ch.Accept(r.ID))
			b.settle()
			conn, err := b.session(t.Context(), location)
			b.must(err)
			b.must(conn.CalendarHero.DeleteMeetingRequest(t.Context(), r.ID)) // while Milepost is down
		}
	}
	b.set(due.Add(time.Hour))
	b.settle()
	if b.hl.Tasks(contact)[0].Completed || b.link(e).Meeting != "gone" {
		t.Errorf("the task is completed: %v; the meeting is %s", b.hl.Tasks(contact)[0].Completed, b.link(e).Meeting)
	}
}
