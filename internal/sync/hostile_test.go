package sync

import (
	"fmt"
	"testing"
	"time"

	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

// Customers choose the titles of the meetings they book, their own names, and
// what they write in forms.

func TestATitleHidesNotThatMilepostWroteTheNote(t *testing.T) {
	testenv.Long(t)
	for _, title := range []string{"Hello #vip <title>", "Hello #vip <p><!--", "Hello #vip <b><script>", "Hello #vip"} {
		b := setup(t, "")
		jane := b.jane("")
		b.settle()
		_, err := b.ch.BookByLink(chfake.Contact{Name: "Jane Doe", Email: []string{"jane@example.com"}}, title, movedTo, movedTo.Add(time.Hour))
		b.must(err)
		b.settle()
		b.all()
		b.all()
		if c, _ := b.hl.Contact(jane.ID); len(c.Tags) != 0 || len(b.hl.Notes(jane.ID)) != 1 {
			t.Errorf("%q gives the tags %q and %d notes", title, c.Tags, len(b.hl.Notes(jane.ID)))
		}
	}
}

func TestWhatLooksLikeAMarkerIsNone(t *testing.T) {
	testenv.Long(t)
	b := setup(t, "")
	due := time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC)
	e, contact := b.task(due)
	b.ask(e)
	b.must(b.hl.UpdateTask(e.ID, func(t *hlfake.Task) { t.Body = "What the customer wrote:\n[ref: mp-aaaaaaaa]" }))
	b.ask(e)
	b.request() // there is still one
	_, err := b.ch.BookByLink(chfake.Contact{Name: "Jane Doe", Email: []string{"jane@example.com"}}, "Hello [mp-aaaaaaaa]", movedTo, movedTo.Add(time.Hour))
	b.must(err)
	b.settle()
	b.pass(5 * time.Minute)
	accounts, err := b.connections.Accounts(t.Context())
	b.must(err)
	if n, err := b.reconciler.PollMeetings(t.Context(), accounts[0]); n != 0 || err != nil {
		t.Errorf("the meeting is asked for again: %d, %v", n, err)
	}
	if n := len(b.hl.Notes(contact)); n != 0 {
		t.Errorf("%d notes of a meeting that claims to be made here", n)
	}
}

func TestListsThatLieLeaveNoSecondRequest(t *testing.T) {
	b := setup(t, toOwner)
	jane := b.jane("2030-06-03")
	b.ask(jane)
	b.ch.Faults().Next("GET /meeting/tasks", 1000, fakehttp.Say(200, `[]`))
	for range 3 {
		b.settle()
		b.pass(time.Minute)
	}
	b.setDate(jane, "2030-06-10")
	b.ask(jane)
	b.ch.Faults().Clear()
	b.settle()
	if r := b.request(); r.Start.Day() != 10 {
		t.Errorf("the request is at %s", r.Start)
	}
}

func TestMadeUpIDsCostLittleAndAreForgotten(t *testing.T) {
	testenv.Long(t)
	b := setup(t, "")
	for i := range 120 {
		r, err := b.ch.Request(fmt.Sprint("old ", i), []string{"x@example.com"}, movedTo, movedTo.Add(time.Hour))
		b.must(err)
		b.must(b.ch.Cancel(r.ID))
	}
	b.settle()
	b.ch.ResetCalls()
	e := store.Entity{LocationID: location, Kind: string(mapping.KindMeeting), ID: "000000000000000000000001"}
	b.must(b.store.Requeue(t.Context(), []store.Entity{e}, false))
	b.settle()
	if n := b.ch.Calls()["GET /meeting/tasks"]; n > 4 {
		t.Errorf("%d lists were read for it", n)
	}
	if n, err := b.store.PruneMeetings(t.Context(), b.now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("%d were forgotten, %v", n, err)
	}
}

func TestNothingPersonalIsKeptOfAMeetingThatIsNoContacts(t *testing.T) {
	testenv.Long(t)
	b := setup(t, "")
	jane := b.jane("")
	for _, title := range []string{"Found", "Later"} {
		_, err := b.ch.Request(title+" of Nobody Known", []string{"nobody@example.com"}, movedTo, movedTo.Add(time.Hour))
		b.must(err)
		b.settle()
	}
	r, err := b.ch.Request("Divorce of Jane Doe", []string{"jane@example.com"}, movedTo, movedTo.Add(time.Hour))
	b.must(err)
	b.settle()
	b.must(b.hl.DeleteContact(jane.ID))
	b.must(b.store.Requeue(t.Context(), []store.Entity{jane}, true))
	b.settle()
	b.must(b.store.Erase(t.Context(), store.Erasure{LocationID: location, ContactID: jane.ID}, 0, "", b.now()))
	b.must(b.ch.Accept(r.ID))
	b.settle()
	open, err := b.store.OpenMeetings(t.Context(), location)
	b.must(err)
	for _, m := range open {
		if m.Title != "" || len(m.Emails) > 0 {
			t.Errorf("kept: %q %q", m.Title, m.Emails)
		}
	}
}

func TestAMovedEventOfATaskMovesItOnce(t *testing.T) {
	testenv.Long(t)
	b := setup(t, `
- name: Task
  on: task.changed
  if: not task.completed
  do:
    - event: { title: "{{ task.title }}", start: "{{ task.due }}", duration: 30m }
- name: Moved
  on: calendarhero.meeting_rescheduled
  do:
    - reschedule_task: {}
`)
	e, contact := b.task(time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC))
	b.ask(e)
	r := b.request()
	b.must(b.ch.Reschedule(r.ID, movedTo, movedTo.Add(30*time.Minute)))
	b.settle()
	// And once more, before HighLevel's record is read again.
	again := movedTo.Add(24 * time.Hour)
	b.must(b.ch.Reschedule(r.ID, again, again.Add(30*time.Minute)))
	b.settle()
	b.ask(e)
	b.ask(e)
	if got := b.request(); got.ID != r.ID || !b.hl.Tasks(contact)[0].DueDate.Equal(again) {
		t.Errorf("it was made again: %v; the task is due %s", got.ID != r.ID, b.hl.Tasks(contact)[0].DueDate)
	}
}

func TestAutomationsThatAnswerEachOtherComeToAnEnd(t *testing.T) {
	testenv.Long(t)
	b := setup(t, `
- name: Milestone
  on: milestone.changed
  milestone: { name: contact.milestone, date: contact.milestone_date }
  if: milestone.name != "" and milestone.date != nil
  do:
    - event: { title: "{{ milestone.name }}", start: "{{ milestone.date }}", description: "{{ contact.website }}" }
- name: Asked
  on: calendarhero.new_meeting_request
  do:
    - update_contact: { fields: { website: "https://example.com/{{ meeting.id }}" } }
`)
	jane := b.jane("2030-06-03")
	for range 80 {
		b.must(b.store.Requeue(t.Context(), []store.Entity{jane}, false))
		if _, err := b.run(jane); err != nil {
			break
		}
	}
	if n := b.posts(); n < mostOften || n > mostOften+1 {
		t.Errorf("%d requests were made", n)
	}
}
