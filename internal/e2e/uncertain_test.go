package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
)

// What is not certain: answers that are lost, reads that lag behind writes,
// events that say what HighLevel does not show. In the end CalendarHero equals
// HighLevel, and nothing was made twice.

// milestone makes Jane with a milestone at a day, and waits for its request.
func (w *world) milestone(day string) (contactID string) {
	w.t.Helper()
	id := w.contact("Jane", "Doe", "jane@example.com")
	w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": day}))
	w.settle()
	return id
}

// days lists the days of the live requests.
func (w *world) days() (days []string) {
	for _, r := range w.ch.Requests() {
		days = append(days, r.Start.Format(time.DateOnly))
	}
	return days
}

// wantDays fails unless there are requests at just these days.
func (w *world) wantDays(days ...string) {
	w.t.Helper()
	if got := w.days(); !slices.Equal(got, days) {
		w.t.Errorf("requests at %v, want %v", got, days)
	}
}

// lastOutcome is what became of the newest delivery.
func (w *world) lastOutcome() string {
	d := w.deliveries()[0]
	return d.Outcome + ": " + d.Detail
}

func TestADeleteWhoseAnswerIsLostIsFinishedWhereTheDateMovesBack(t *testing.T) {
	together(t)
	for name, first := range map[string]fakehttp.Fault{
		"it took effect": fakehttp.LoseAnswer(), "it did not": fakehttp.DropBefore(),
	} {
		t.Run(name, func(t *testing.T) {
			onEachBackend(t, func(t *testing.T, w *world) {
				id := w.milestone("2030-05-02")
				// CalendarHero answers nothing from the first DELETE on.
				w.ch.Faults().Next("DELETE /meeting/tasks/{id}", 1, first)
				w.ch.Faults().Next("*", -1, fakehttp.DropBefore())
				w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone_date": "2030-06-03"}))
				w.eventually("the delete is given up for now", func() bool {
					state, err := w.app.Store().EntityState(t.Context(), store.Entity{LocationID: location, Kind: "contact", ID: id})
					return err == nil && state.Outcome == store.Retry
				})
				w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone_date": "2030-05-02"}))
				w.ch.Faults().Clear()
				w.settle()
				w.wantDays("2030-05-02")
			})
		})
	}
}

func TestALateCreateIsWaitedForAfterATimeout(t *testing.T) {
	w := setup(t)
	late := make(chan struct{})
	w.ch.Faults().Next("POST /meeting/tasks", 1, fakehttp.LateEffect(http.StatusGatewayTimeout, late))
	id := w.contact("Jane", "Doe", "jane@example.com")
	w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
	w.advance(30 * time.Second)
	close(late)
	w.eventually("the first create took effect", func() bool { return len(w.ch.Requests()) == 1 })
	w.advance(2 * time.Minute)
	w.settle()
	if posts, mails := w.calls("POST /meeting/tasks"), len(w.ch.Mails()); posts != 1 || mails != 1 {
		t.Errorf("%d POSTs and %d mails, want one each: %+v", posts, mails, w.ch.Mails())
	}
}

func TestACreateThatTakesEffectMuchTooLateIsRemoved(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		late := make(chan struct{})
		w.ch.Faults().Next("POST /meeting/tasks", 1, fakehttp.LateEffect(http.StatusBadGateway, late))
		w.milestone("2030-05-02")
		w.wantDays("2030-05-02") // by a second create
		w.advance(20 * time.Second)
		close(late)
		w.eventually("the first create took effect, too", func() bool { return len(w.ch.Requests()) == 2 })
		w.advance(time.Minute)
		w.wantDays("2030-05-02")
		w.settle()
		w.advance(time.Hour)
		w.wantDays("2030-05-02")
	})
}

// quietly changes HighLevel without an event.
func (w *world) quietly(change func()) {
	w.hl.SetWebhookURL("")
	change()
	w.hl.SetWebhookURL(w.app.PublicURL() + "/webhooks/highlevel")
}

func TestADeleteEventIsBelievedThoughTheReadLags(t *testing.T) {
	together(t)
	for _, kind := range []string{"contact", "task", "note"} {
		t.Run(kind, func(t *testing.T) {
			w := setup(t)
			contact := w.milestone("2030-05-02")
			task, err := w.hl.CreateTask(hlfake.Task{ContactID: contact, Title: "Call", DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
			w.must(err)
			note, err := w.hl.CreateNote(hlfake.Note{ContactID: contact, Body: "Prefers mornings"})
			w.must(err)
			w.settle()
			say := map[string]string{
				"contact": event("ContactDelete", contact),
				"task":    event("TaskDelete", task.ID, "contactId", contact),
				"note":    event("NoteDelete", note.ID, "contactId", contact),
			}
			w.postSigned(say[kind]) // HighLevel still shows the record
			w.pause()
			if got := w.lastOutcome(); !strings.Contains(got, "still shows it") {
				t.Errorf("meanwhile: %s", got)
			}
			w.quietly(func() {
				w.must(map[string]func() error{
					"contact": func() error { return w.hl.DeleteContact(contact) },
					"task":    func() error { return w.hl.DeleteTask(task.ID) },
					"note":    func() error { return w.hl.DeleteNote(note.ID) },
				}[kind]())
			})
			for range 3 { // of a contact its tasks follow, and again because its notes do
				w.advance(70 * time.Second)
			}
			w.settle()
			if state, err := w.app.Store().EntityState(t.Context(), w.deliveries()[0].Entity); err != nil || state.Outcome != store.Gone {
				t.Errorf("it ended as %q (%s), %v", state.Outcome, state.Detail, err)
			}
			requests := w.ch.Requests()
			switch kind {
			case "contact":
				if len(requests) != 0 || len(w.contacts("jane@example.com")) != 0 {
					t.Errorf("left of a deleted contact: %+v", requests)
				}
			case "task":
				w.wantDays("2030-05-02")
			case "note":
				for _, r := range requests {
					if strings.Contains(r.Description, "mornings") {
						t.Errorf("the deleted note is still in %q", r.Description)
					}
				}
			}
		})
	}
}

func TestAReplayedDeleteEventOfALivingContactChangesNothing(t *testing.T) {
	w := setup(t)
	id := w.milestone("2030-05-02")
	w.ch.ResetCalls()
	w.postSigned(event("ContactDelete", id))
	w.advance(70 * time.Second)
	w.settle() // it does not go round
	if got := w.lastOutcome(); !strings.HasPrefix(got, store.Unchanged) {
		t.Errorf("it ended as %s", got)
	}
	if calls := w.ch.Calls(); calls["DELETE /meeting/tasks/{id}"]+calls["POST /meeting/tasks"] != 0 {
		t.Errorf("it wrote: %v", calls)
	}
}

func TestATaskThatTheSearchDoesNotKnowYetArrives(t *testing.T) {
	w := setup(t, func(_ *world, c *hlfake.Config) { c.TaskSearchLag = 5 * time.Minute })
	id := w.contact("Jane", "Doe", "jane@example.com")
	_, err := w.hl.CreateTask(hlfake.Task{ContactID: id, Title: "Call", DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
	w.must(err) // its event names no contact
	for range 4 {
		w.advance(time.Minute)
	}
	w.wantDays() // not to be found yet
	for range 4 {
		w.advance(time.Minute)
	}
	w.settle()
	w.wantDays("2030-05-02")
	if calls := w.hl.Calls()["POST /locations/{locationId}/tasks/search"]; calls > 25 {
		t.Errorf("it cost %d searches", calls)
	}
}

func TestANewTaskThatIsNeverFoundIsGivenUpAfterTenMinutes(t *testing.T) {
	w := setup(t)
	w.postSigned(event("TaskCreate", "neverthere0000000000"))
	for range 12 {
		w.advance(time.Minute)
	}
	w.settle()
	if got := w.lastOutcome(); !strings.Contains(got, "gone") || !strings.Contains(got, "ten minutes") {
		t.Errorf("it ended as %s", got)
	}
}

func TestATaskDeleteIsBelievedHoweverHighLevelSaysNotFound(t *testing.T) {
	together(t)
	for i, c := range []struct {
		status  int
		message string
	}{
		{400, "No task found for the given id"}, {400, "Invalid task id"}, {422, "task id must be valid"}, {404, "Not Found"},
	} {
		t.Run(c.message, func(t *testing.T) {
			w := setup(t)
			contact := w.contact("Jane", "Doe", "jane@example.com")
			task, err := w.hl.CreateTask(hlfake.Task{ContactID: contact, Title: fmt.Sprint("Call ", i), DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
			w.must(err)
			w.settle()
			w.wantDays("2030-05-02")
			armed := w.hl.Faults().Next("GET /contacts/{contactId}/tasks/{taskId}", -1, fakehttp.Say(c.status, fmt.Sprintf(`{"statusCode":%d,"message":%q}`, c.status, c.message)))
			w.must(w.hl.DeleteTask(task.ID))
			w.settle()
			if w.wantDays(); armed.Hits() == 0 {
				t.Error("the task was not asked for")
			}
		})
	}
}

func TestAnInvalidTaskWithoutADeleteEventLeavesItsRequest(t *testing.T) {
	w := setup(t)
	contact := w.contact("Jane", "Doe", "jane@example.com")
	task, err := w.hl.CreateTask(hlfake.Task{ContactID: contact, Title: "Call", DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
	w.must(err)
	w.settle()
	w.hl.Faults().Next("GET /contacts/{contactId}/tasks/{taskId}", -1, fakehttp.Say(400, `{"statusCode":400,"message":"Invalid task id"}`))
	w.postSigned(event("TaskComplete", task.ID, "contactId", contact))
	w.settle()
	w.wantDays("2030-05-02")
}

func TestATaskKeepsItsRequestWhereItsContactIsMergedIntoAnother(t *testing.T) {
	w := setup(t)
	from, into := w.contact("Jane", "Doe", "jane@example.com"), w.contact("Jane", "Roe", "roe@example.com")
	task, err := w.hl.CreateTask(hlfake.Task{ContactID: from, Title: "Call", DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
	w.must(err)
	w.settle()
	w.must(w.hl.MergeContact(from, into))
	w.advance(2 * time.Minute)
	w.settle()
	w.wantDays("2030-05-02")
	w.must(w.hl.DeleteTask(task.ID))
	w.settle()
	w.wantDays()
}

func TestAMeetingThatIsOverIsNotDeleted(t *testing.T) {
	w := setup(t)
	contact := w.contact("Jane", "Doe", "jane@example.com")
	due := w.now().Add(time.Hour).Truncate(time.Second)
	task, err := w.hl.CreateTask(hlfake.Task{ContactID: contact, Title: "Call", DueDate: due})
	w.must(err)
	w.settle()
	w.ch.Faults().Next("DELETE /meeting/tasks/{id}", -1, fakehttp.FailWith(400))
	w.advance(2 * time.Hour)
	w.ch.ResetCalls()
	w.must(w.hl.UpdateTask(task.ID, func(t *hlfake.Task) { t.DueDate = due.Add(48 * time.Hour) }))
	w.postSigned(event("TaskCreate", task.ID))
	w.settle()
	w.wantDays(due.Add(48*time.Hour - 15*time.Minute).UTC().Format(time.DateOnly)) // the day it starts on
	w.advance(72 * time.Hour)
	w.must(w.hl.CompleteTask(task.ID))
	w.settle()
	if n := w.calls("DELETE /meeting/tasks/{id}"); n != 0 {
		t.Errorf("%d DELETEs of meetings that were over, which mail their invitees", n)
	}
}

func TestADeleteThatIsRefusedOfWhatIsNotListedIsDone(t *testing.T) {
	w := setup(t)
	id := w.milestone("2030-05-02")
	w.must(w.ch.Cancel(w.ch.Requests()[0].ID)) // by hand, in CalendarHero
	w.ch.Faults().Next("DELETE /meeting/tasks/{id}", 1, fakehttp.FailWith(400))
	w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone_date": "2030-06-03"}))
	w.settle()
	w.wantDays("2030-06-03")
}

func TestADeleteThatIsRefusedHoldsUpNothingElse(t *testing.T) {
	w := setup(t)
	id := w.milestone("2030-05-02")
	w.ch.Faults().Next("DELETE /meeting/tasks/{id}", -1, fakehttp.FailWith(400))
	w.must(w.hl.UpdateContact(id, func(c *hlfake.Contact) { c.CompanyName, c.CustomFields = "Acme", nil }))
	w.eventually("the contact is updated", func() bool { return w.contacts("jane@example.com")[0].Organization == "Acme" })
	w.wantDays("2030-05-02")
	w.ch.Faults().Clear()
	w.advance(15 * time.Minute)
	w.settle()
	w.wantDays()
}

func TestASharedContactGoesWithTheLastWhoHasIt(t *testing.T) {
	w := setup(t)
	first := w.contact("Jane", "Doe", "jane@example.com")
	w.postSigned(event("ContactCreate", first))
	w.settle()
	second := w.contact("Janet", "Doe", "janet@example.com")
	w.must(w.hl.UpdateContact(second, func(c *hlfake.Contact) { c.Email = "JANE@example.com" }))
	w.settle()
	if n := len(w.contacts("jane@example.com")); n != 1 {
		t.Fatalf("%d contacts, want the one that both share", n)
	}
	for i, id := range []string{first, second} {
		w.must(w.hl.DeleteContact(id))
		w.settle()
		if n := len(w.contacts("jane@example.com")); n != 1-i {
			t.Errorf("%d contacts after %d of 2 were deleted", n, i+1)
		}
	}
}

func TestADeleteEventEndsTheWaitForARecordThatIsNotFound(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		id := w.milestone("2030-05-02")
		w.quietly(func() { w.must(w.hl.DeleteContact(id)) })
		w.postSigned(event("ContactUpdate", id))
		w.pause()
		w.wantDays("2030-05-02") // it waits for a minute
		w.postSigned(event("ContactDelete", id))
		w.settle()
		w.wantDays()
	})
}
