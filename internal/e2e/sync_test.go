package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"milepost/internal/app"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv/reference"
)

// onEachBackend runs a test of the whole on SQLite and on PostgreSQL.
func onEachBackend(t *testing.T, test func(t *testing.T, w *world)) {
	together(t)
	t.Run("SQLite", func(t *testing.T) { test(t, setup(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, setup(t, onPostgres)) })
}

func TestAMilestoneBecomesOneMeetingRequestHoweverOftenItIsTold(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		id := w.contact("Jane", "Doe", "jane@example.com")
		w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
		w.settle()
		for i := range 10 {
			if status, body := w.postSigned(event("ContactUpdate", id, "webhookId", fmt.Sprint("again-", i))); status != 200 {
				t.Fatalf("%d %s", status, body)
			}
		}
		w.settle()
		requests := w.ch.Requests()
		if len(requests) != 1 {
			t.Fatalf("%d meeting requests, want 1: %+v", len(requests), requests)
		}
		r := requests[0]
		if !strings.HasPrefix(r.Subject, "Closing: Jane Doe [mp-") {
			t.Errorf("subject = %q", r.Subject)
		}
		if want := time.Date(2030, 5, 2, 13, 0, 0, 0, time.UTC); !r.Start.Equal(want) || r.End.Sub(r.Start) != 30*time.Minute {
			t.Errorf("it is at %v for %v, want 09:00 in New York (%v) for 30m", r.Start, r.End.Sub(r.Start), want)
		}
		if !slices.Equal(r.Invitees, []string{ownerMail}) {
			t.Errorf("invited %v; a customer must never be by default", r.Invitees)
		}
		if contacts := w.contacts("jane@example.com"); len(contacts) != 1 {
			t.Errorf("%d contacts in CalendarHero, want 1: %+v", len(contacts), contacts)
		}
	})
}

func TestADateThatMovesReplacesItsRequestAndAClearedOneRemovesIt(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		id := w.contact("Jane", "Doe", "jane@example.com")
		w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
		w.settle()
		w.ch.ResetCalls()
		w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone_date": "2030-06-03"}))
		w.settle()
		if del, post := w.calls("DELETE /meeting/tasks/{id}"), w.calls("POST /meeting/tasks"); del != 1 || post != 1 {
			t.Errorf("a moved date made %d DELETE and %d POST, want one each: %v", del, post, w.ch.Calls())
		}
		if requests := w.ch.Requests(); len(requests) != 1 || requests[0].Start.Day() != 3 {
			t.Errorf("after the move: %+v", requests)
		}
		w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone_date": nil}))
		w.settle()
		if requests := w.ch.Requests(); len(requests) != 0 {
			t.Errorf("a cleared date left %+v", requests)
		}
	})
}

func TestATaskFollowsFromMadeToCompleted(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		contact := w.contact("Jane", "Doe", "jane@example.com")
		due := time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)
		task, err := w.hl.CreateTask(hlfake.Task{ContactID: contact, Title: "Call the bank", Body: "Ask for the letter", DueDate: due})
		w.must(err) // its webhook names no contact
		w.settle()
		requests := w.ch.Requests()
		if len(requests) != 1 || !requests[0].End.Equal(due) || requests[0].End.Sub(requests[0].Start) != 15*time.Minute {
			t.Fatalf("want one request of 15 minutes that ends at %v: %+v", due, requests)
		}
		if !strings.Contains(requests[0].Subject, "Call the bank") || !strings.Contains(requests[0].Description, "Ask for the letter") {
			t.Errorf("subject %q, description %q", requests[0].Subject, requests[0].Description)
		}
		w.must(w.hl.UpdateTask(task.ID, func(t *hlfake.Task) { t.DueDate = due.Add(time.Hour) }))
		// HighLevel tells nobody of the edit; any event of the task does.
		w.postSigned(event("TaskCreate", task.ID))
		w.settle()
		if requests := w.ch.Requests(); len(requests) != 1 || !requests[0].End.Equal(due.Add(time.Hour)) {
			t.Errorf("after the edit: %+v", requests)
		}
		w.must(w.hl.CompleteTask(task.ID))
		w.settle()
		if requests := w.ch.Requests(); len(requests) != 0 {
			t.Errorf("a completed task left %+v", requests)
		}
	})
}

func TestANoteReachesTheOpenRequestAndItsHashtagsTheContact(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		id := w.contact("Jane", "Doe", "jane@example.com")
		w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
		w.settle()
		note, err := w.hl.CreateNote(hlfake.Note{ContactID: id, Body: "<p>Keys at the desk &amp; alarm off. #Keys</p>"})
		w.must(err)
		w.settle()
		if tags := w.hl.Tags(id); !slices.Equal(tags, []string{"keys"}) {
			t.Errorf("tags in HighLevel = %v, want keys", tags)
		}
		requests := w.ch.Requests()
		if len(requests) != 1 || !strings.Contains(requests[0].Description, "Keys at the desk & alarm off.") || !strings.Contains(requests[0].Description, "Tags: keys") {
			t.Fatalf("the open request says %+v", requests)
		}
		w.must(w.hl.DeleteNote(note.ID))
		w.settle()
		if requests := w.ch.Requests(); len(requests) != 1 || strings.Contains(requests[0].Description, "Keys at the desk") {
			t.Errorf("after the note was deleted: %+v", requests)
		}
		timeline, err := w.app.Store().Timeline(t.Context(), location, id)
		w.must(err)
		var told []string
		for _, e := range timeline {
			told = append(told, e.What)
		}
		for _, want := range []string{"event created", "note added", "tags written", "note no longer kept in step"} {
			if !slices.Contains(told, want) {
				t.Errorf("the timeline %q does not tell %q", told, want)
			}
		}
	})
}

func TestADeletedContactTakesItsItemsAlong(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		id := w.contact("Jane", "Doe", "jane@example.com")
		w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
		_, err := w.hl.CreateTask(hlfake.Task{ContactID: id, Title: "Call", DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
		w.must(err)
		w.settle()
		if n := len(w.ch.Requests()); n != 2 {
			t.Fatalf("%d requests, want the milestone and the task", n)
		}
		if status, _ := w.postSigned(event("ContactDelete", id, "webhookId", "replayed")); status != 200 {
			t.Fatal(status)
		}
		w.advance(61 * time.Second) // it is asked for once more, in case a read lags behind the delete
		w.settle()
		if n := len(w.ch.Requests()); n != 2 {
			t.Fatalf("a ContactDelete for a contact that exists removed items: %d left", n)
		}
		w.must(w.hl.DeleteContact(id))
		w.advance(time.Minute + 10*time.Second) // a task of a contact that is gone may have moved
		w.settle()
		w.eventually("all items of the deleted contact are gone", func() bool {
			return len(w.ch.Requests()) == 0 && len(w.contacts("jane@example.com")) == 0
		})
	})
}

func TestALostAnswerMakesNoSecondMeetingRequest(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		id := w.contact("Jane", "Doe", "jane@example.com")
		w.ch.Faults().Next("POST /meeting/tasks", 1, fakehttp.LoseAnswer())
		w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
		w.settle()
		if requests := w.ch.Requests(); len(requests) != 1 {
			t.Errorf("%d requests after a lost answer, want the one that was made", len(requests))
		}
		if n := w.calls("POST /meeting/tasks"); n != 1 {
			t.Errorf("%d POSTs, want 1: the lost one was to be found by its marker", n)
		}
	})
}

func TestWhatFailsForNowIsTriedAgain(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		id := w.contact("Jane", "Doe", "jane@example.com")
		w.hl.Faults().Next("GET /contacts/{contactId}", 3, fakehttp.FailWith(503))
		w.ch.Faults().Next("POST /meeting/tasks", 1, fakehttp.RateLimited(time.Second))
		w.ch.Faults().Next("POST /contact", 1, fakehttp.DropBefore())
		w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
		w.settle()
		if r, c := len(w.ch.Requests()), len(w.contacts("jane@example.com")); r != 1 || c != 1 {
			t.Errorf("%d requests and %d contacts, want one each", r, c)
		}
	})
}

func TestAThousandWebhooksOnOneContactCostFewFetches(t *testing.T) {
	w := setup(t)
	id := w.contact("Jane", "Doe", "jane@example.com")
	bodies := make(chan string, 1000)
	for i := range 1000 {
		bodies <- event("ContactUpdate", id, "webhookId", fmt.Sprint("w", i))
	}
	close(bodies)
	done := make(chan struct{})
	for range 32 {
		go func() {
			defer func() { done <- struct{}{} }()
			for b := range bodies {
				if status, body := w.postSigned(b); status != 200 {
					t.Errorf("%d %s", status, body)
				}
			}
		}()
	}
	for range 32 {
		<-done
	}
	w.settle()
	if n := len(w.deliveries()); n != 1000 {
		t.Errorf("%d deliveries, want 1000", n)
	}
	if n := w.hl.Calls()["GET /contacts/{contactId}"]; n > 20 {
		t.Errorf("1000 webhooks cost %d fetches", n)
	} else {
		t.Logf("1000 webhooks cost %d fetches", n)
	}
	for _, d := range w.deliveries() {
		if d.Outcome != store.Done && d.Outcome != store.Unchanged && d.Outcome != store.Skipped {
			t.Fatalf("delivery %d ended as %q: %s", d.ID, d.Outcome, d.Detail)
		}
	}
}

func TestEveryRequestKeepsHighLevelsContract(t *testing.T) {
	together(t)
	w := setup(t, func(w *world, _ *hlfake.Config) { w.contract = reference.HighLevelContract(w.t) })
	id := w.contact("Jane", "Doe", "jane@example.com")
	w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
	_, err := w.hl.CreateTask(hlfake.Task{ContactID: id, Title: "Call", DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
	w.must(err)
	_, err = w.hl.CreateNote(hlfake.Note{ContactID: id, Body: "Prefers mornings #vip"})
	w.must(err)
	w.settle()
	if n := len(w.ch.Requests()); n != 2 {
		t.Errorf("%d requests, want the milestone and the task", n)
	}
	if calls := w.contract.Calls(); len(calls) < 6 {
		t.Errorf("only %v went past the contract", calls)
	}
}

// TestTwoProcessesShareOnePostgreSQL sends a burst to two of them in turn.
func TestTwoProcessesShareOnePostgreSQL(t *testing.T) {
	w := setup(t, onPostgres)
	first := w.app
	w.start() // a second one, with the same settings
	second := w.app
	const contacts, webhooks = 20, 400
	var ids []string
	for i := range contacts {
		id := w.contact("Jane", fmt.Sprint("Doe", i), fmt.Sprintf("jane%d@example.com", i))
		w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
		ids = append(ids, id)
	}
	for i := range webhooks {
		w.app = []*app.App{first, second}[i%2]
		// Every webhook goes to both: one stores it, the other calls it a duplicate.
		body := event("ContactUpdate", ids[i%contacts], "webhookId", fmt.Sprint("w", i/2))
		if status, answer := w.postSigned(body); status != 200 {
			t.Fatalf("%d %s", status, answer)
		}
	}
	w.settle()
	if n := w.posted.Load(); n != webhooks/2 {
		t.Errorf("%d of %d were stored, want each id once", n, webhooks)
	}
	bySubject := map[string]int{}
	for _, r := range w.ch.Requests() {
		name, _, _ := strings.Cut(r.Subject, " [mp-")
		bySubject[name]++
	}
	for name, n := range bySubject {
		if n != 1 {
			t.Errorf("%q exists %d times", name, n)
		}
	}
	if len(bySubject) != contacts {
		t.Errorf("%d contacts have a request, want %d", len(bySubject), contacts)
	}
}

func TestDrainingFailsReadinessFirstAndKeepsWhatIsAccepted(t *testing.T) {
	draining, posted := make(chan struct{}), make(chan struct{})
	w := setup(t, func(w *world, _ *hlfake.Config) {
		var once sync.Once
		w.log = &logbook{wrote: func(line string) {
			if strings.Contains(line, `"draining"`) { // Milepost waits here, however busy the machine is
				once.Do(func() { close(draining); <-posted })
			}
		}}
	})
	goOn := sync.OnceFunc(func() { close(posted) })
	t.Cleanup(goOn)
	id := w.contact("Jane", "Doe", "jane@example.com")
	hold := make(chan struct{})
	armed := w.hl.Faults().Next("GET /contacts/{contactId}", 1, fakehttp.HoldUntil(hold))
	w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
	<-armed.Hit() // a job is under way
	stopped := make(chan struct{})
	go func() { defer close(stopped); w.stop() }()
	<-draining
	res, err := http.Get(w.app.PublicURL() + "/readyz")
	w.must(err)
	res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d while draining", res.StatusCode)
	}
	if status, answer := w.postSigned(event("ContactUpdate", id, "webhookId", "while-draining")); status != 200 {
		t.Errorf("a webhook while draining got %d %s, want it stored", status, answer)
	}
	goOn()
	close(hold)
	<-stopped
	w.start()
	w.settle()
	if n := len(w.ch.Requests()); n != 1 {
		t.Errorf("%d requests after the restart, want 1", n)
	}
	if d := w.deliveries()[0]; d.WebhookID != "while-draining" || d.FinishedAt.IsZero() {
		t.Errorf("what was accepted while draining became %+v", d)
	}
}
