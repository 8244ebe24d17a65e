package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
)

// logbook keeps the log of a Milepost.
type logbook struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote func(line string) // is called with each line, where it is set: who logged it waits
}

func (l *logbook) Write(p []byte) (int, error) {
	if l.wrote != nil {
		defer l.wrote(string(p))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// lines returns the lines that hold all of the words.
func (l *logbook) lines(words ...string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
lines:
	for line := range strings.Lines(l.text.String()) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue lines
			}
		}
		found = append(found, line)
	}
	return found
}

func logged(w *world, _ *hlfake.Config) { w.log = &logbook{} }

// wantLine fails unless the log gets a line with all of the words; it is
// written a moment after the outcome.
func (w *world) wantLine(words ...string) {
	w.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); len(w.log.lines(words...)) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Errorf("the log has no line with %q:\n%s", words, strings.Join(w.log.lines(), ""))
			return
		}
	}
}

func TestTheLogSaysWhyAThingDidNotArrive(t *testing.T) {
	w := setup(t, logged)
	noMail := w.contact("Nomail", "Secretperson", "")
	w.postSigned(event("ContactUpdate", noMail))
	w.settle()
	w.wantLine(`"synced"`, noMail, `"outcome":"skipped"`, "Contact to CalendarHero contact: the condition is not met", `"delivery":`, `"sync":"`)

	id := w.contact("Jane", "Secretperson", "jane@secret.example")
	w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
	w.settle()
	w.storeDate(id, "secret of 2030-02-31")
	w.settle()
	w.wantLine(`"synced"`, id, `"outcome":"invalid"`, "Milestone to calendar event: ", "cannot be computed")

	w.postSigned(`{"type":"ContactUpdate","id":"x","locationId":"elsewhere","webhookId":"c"}`)
	w.postSigned(`{"type":"TaskCreate","locationId":"` + location + `","webhookId":"d"}`)
	w.settle()
	w.wantLine(`"delivery skipped"`, "ContactUpdate", "location elsewhere is not connected")
	w.wantLine(`"delivery skipped"`, "TaskCreate", "names no task id")

	w.ch.Faults().Next("POST /meeting/tasks", 1, fakehttp.Say(422, `{"message":"jane@secret.example is blocked: Secretperson"}`))
	w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone_date": "2030-06-03"}))
	w.settle()
	w.wantLine(`"synced"`, id, `"outcome":"invalid"`, "create meeting request", "422")

	w.ch.Faults().Next("POST /meeting/tasks", 1, fakehttp.LoseAnswer())
	w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone_date": "2030-06-04"}))
	w.advance(10 * time.Second)
	w.settle()
	w.wantLine("unknown whether a create took effect", id)

	w.ch.Faults().Next("POST /meeting/tasks", 1, fakehttp.RateLimited(2*time.Second))
	w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone_date": "2030-06-05"}))
	w.advance(10 * time.Second)
	w.settle()
	w.wantLine("rate limited", "CalendarHero", id)

	if leaks := append(w.log.lines("ecretperson"), w.log.lines("secret")...); len(leaks) > 0 {
		t.Errorf("the log tells whom it is about:\n%s", strings.Join(leaks, ""))
	}
}

func TestAnOutageIsLoggedWhenItBeginsAndWhenItIsOverAndNotForEachRecord(t *testing.T) {
	w := setup(t, logged)
	id := w.contact("Jane", "Doe", "jane@example.com")
	w.hl.Faults().Next("GET /contacts/{contactId}", -1, fakehttp.Say(500, `{"message":"cannot load jane@example.com +15555550123"}`))
	for i := range 20 {
		w.postSigned(event("ContactUpdate", w.contact("Jane", fmt.Sprint("Roe", i), fmt.Sprintf("jane%d@example.com", i))))
	}
	w.postSigned(event("ContactUpdate", id))
	for range 4 {
		w.advance(time.Minute)
	}
	w.hl.Faults().Clear()
	w.advance(time.Minute)
	w.settle()
	for _, line := range []string{"outage began", "outage over"} {
		if n := len(w.log.lines(line, `"of":"HighLevel"`, location)); n != 1 {
			t.Errorf("%d lines %q of one outage", n, line)
		}
	}
	if n := len(w.log.lines("call failed")); n != 0 {
		t.Errorf("%d lines of single calls", n)
	}
	w.wantLine("outage began", "cannot load [e-mail] [number]")
	if leaks := append(w.log.lines("jane@"), w.log.lines("5555550123")...); len(leaks) > 0 {
		t.Errorf("the log tells whom it is about:\n%s", strings.Join(leaks, ""))
	}
}

func TestARefusedWebhookIsLogged(t *testing.T) {
	w := setup(t, logged)
	w.post(event("ContactUpdate", "x"), nil)
	w.postSigned(`{"type":`)
	w.postSigned(strings.Repeat("x", 2<<20))
	for _, status := range []string{"401", "400", "413"} {
		w.wantLine(`"webhook rejected"`, `"status":`+status, `"reason":"`, `"client":"127.0.0.1"`)
	}
}

func TestAReminderWhoseAnswerIsLostIsNotCalledSent(t *testing.T) {
	w := setup(t, logged)
	contact := w.contact("Jane", "Doe", "jane@example.com")
	_, err := w.hl.CreateTask(hlfake.Task{ContactID: contact, Title: "Call", DueDate: w.now().Add(3 * time.Hour)})
	w.must(err)
	w.settle()
	w.ch.Faults().Next("PUT /meeting/tasks/{id}/remind", 1, fakehttp.FailWith(http.StatusInternalServerError))
	w.advance(2*time.Hour + time.Minute)
	w.wantLine("unknown whether CalendarHero mailed a reminder")
	if lines := w.log.lines("reminder sent"); len(lines) > 0 {
		t.Error(lines)
	}
	if n := w.calls("PUT /meeting/tasks/{id}/remind"); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
}

func TestAnOwnerWithoutEMailIsToldOf(t *testing.T) {
	w := setup(t)
	w.ch.Faults().Next("GET /user", -1, fakehttp.Say(200, `{"id":"0123456789abcdef01234567","name":"Olivia","timezone":"UTC"}`))
	w.milestone("2030-05-02")
	if got := w.lastOutcome(); !strings.HasPrefix(got, store.Invalid) || !strings.Contains(got, "no e-mail address") {
		t.Errorf("it ended as %s", got)
	}
	w.wantDays()
}

func TestWhatCalendarHeroKnowsOfAContactIsKept(t *testing.T) {
	w := setup(t)
	there, err := w.ch.SeedContact(chfake.Contact{
		Name: "J. Doe", Email: []string{"jane@example.com"}, Title: "Buyer",
		ProviderID: []string{"google-1"}, UserID: "0123456789abcdef01234567",
	})
	w.must(err)
	id := w.contact("Jane", "Doe", "jane@example.com")
	w.postSigned(event("ContactCreate", id))
	w.settle()
	got := w.contacts("jane@example.com")
	if len(got) != 1 || got[0].Name != "Jane Doe" || got[0].Title != "Buyer" || len(got[0].ProviderID) != 1 || got[0].UserID != there.UserID {
		t.Errorf("the contact is now %+v", got)
	}
}
