package highlevel_test

import (
	"errors"
	"net/http"
	"testing"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/testenv"
)

// reads are the calls that check whether a record exists.
func reads(t *testing.T) map[string]func(*highlevel.Client) error {
	return map[string]func(*highlevel.Client) error{
		"contact": func(c *highlevel.Client) error { _, err := c.Contact(t.Context(), "X1"); return err },
		"task":    func(c *highlevel.Client) error { _, err := c.Task(t.Context(), "C1", "X1"); return err },
		"note":    func(c *highlevel.Client) error { _, err := c.Note(t.Context(), "C1", "X1"); return err },
		"tasks":   func(c *highlevel.Client) error { _, err := c.Tasks(t.Context(), "X1"); return err },
		"notes":   func(c *highlevel.Client) error { _, err := c.Notes(t.Context(), "X1"); return err },
		"find":    func(c *highlevel.Client) error { _, err := c.FindTask(t.Context(), "L1", "X1", nil); return err },
		"update": func(c *highlevel.Client) error {
			_, err := c.CompleteTask(t.Context(), "C1", "X1", true)
			return err
		},
	}
}

func TestWhatIsNotHighLevelsOwnAnswerSaysNothingOfARecord(t *testing.T) {
	testenv.Long(t)
	answers := append(fakehttp.GatewayAnswers(),
		fakehttp.GatewayAnswer{Status: 404, Body: `{"message":"The requested URL /contacts/X1 was not found on this server."}`},
		fakehttp.GatewayAnswer{Status: 404, Body: `{"path":"/contacts/X1","message":"No message available","error":"Not Found","status":404}`},
		fakehttp.GatewayAnswer{Status: 404, Body: `{"message":"/contacts/X1 not found"}`},
		fakehttp.GatewayAnswer{Status: 404, Body: `{"statusCode":404,"message":"Location with id L1 not found"}`},
		fakehttp.GatewayAnswer{Status: 404, Body: `{"statusCode":503,"message":"Contact with id X1 not found"}`},
		fakehttp.GatewayAnswer{Status: 404, Body: `"Contact with id X1 not found"`},
		fakehttp.GatewayAnswer{Status: 410, Body: `{"statusCode":410,"message":"Contact with id X1 not found"}`},
		fakehttp.GatewayAnswer{Status: 400, Body: `{"statusCode":400,"message":"Bad Request"}`},
		fakehttp.GatewayAnswer{Status: 200, Body: `{"contact":{},"task":{},"note":{}}`},
		fakehttp.GatewayAnswer{Status: 200, Body: `{"contact":{"id":"X2","name":"Jane"},"task":{"id":"X2","title":"Call"},"note":{"id":"X2","body":"Tea"}}`},
	)
	onlyAnID := fakehttp.GatewayAnswer{Status: 200, Body: `{"contact":{"id":"X1"},"task":{"id":"X1"},"note":{"id":"X1"}}`}
	for name, read := range reads(t) {
		for _, a := range append(answers, onlyAnID) {
			if a == onlyAnID && name == "update" {
				continue // the call does not read what the answer says about the record
			}
			client, _ := setup(t, answer(a.Status, a.Body))
			if reason := clients.ReasonOf(read(client)); reason != clients.Unavailable {
				t.Errorf("%s: %d %s: %s, want unavailable", name, a.Status, a.Body, reason)
			}
		}
	}
}

func TestHighLevelSaysInManyWordsThatARecordDoesNotExist(t *testing.T) {
	for name, messages := range map[string][]string{
		"contact": {"Contact with id X1 not found", "Contact not found", "contact not found for the given id", "Contact with id X1 not found in this location", "The contact does not exist", "Could not find contact"},
		"task":    {"Task with id X1 not found", "Task not found", "No task found for the given id", "Contact with id C1 not found", "The task was deleted", "task X1 doesn't exist"},
		"note":    {"Note with id X1 not found", "Note not found.", "Contact not found", "Unable to find note"},
	} {
		for _, message := range messages {
			for _, status := range []int{400, 404} {
				for _, body := range []string{`{"statusCode":400,"message":"` + message + `"}`, `{"message":"` + message + `","error":"Not Found","statusCode":404}`, `{"message":["` + message + `"]}`} {
					client, _ := setup(t, answer(status, body))
					if reason := clients.ReasonOf(reads(t)[name](client)); reason != clients.NotFound {
						t.Errorf("%s: %d %s: %s, want not_found", name, status, body, reason)
					}
				}
			}
		}
	}
}

func TestACreateThatSomethingElseAnswersIsUnclear(t *testing.T) {
	for _, a := range fakehttp.GatewayAnswers() {
		client, tries := setup(t, answer(a.Status, a.Body))
		_, err := client.CreateTask(t.Context(), "C1", highlevel.NewTask{Title: "Call"})
		if clients.ReasonOf(err) != clients.Unclear || tries.Load() != 1 {
			t.Errorf("%d %s: %v after %d tries, want unclear after one", a.Status, a.Body, err, tries.Load())
		}
	}
}

func TestOnlyHighLevelsOwnWordsMakeARequestInvalid(t *testing.T) {
	for body, want := range map[string]clients.Reason{
		`{"statusCode":400,"message":"Invalid country"}`:                           clients.Invalid,
		`{"statusCode":400,"message":"Bad Request"}`:                               clients.Unavailable,
		`{"statusCode":400,"message":["dueDate must be a valid ISO 8601 date"]}`:   clients.Invalid,
		`{"statusCode":400,"message":"User with id u1 not found","error":"Error"}`: clients.Invalid,
		`Invalid country`: clients.Unavailable,
	} {
		client, _ := setup(t, answer(http.StatusBadRequest, body))
		_, err := client.UpdateTask(t.Context(), "C1", "X1", highlevel.TaskFields{})
		e, _ := errors.AsType[*clients.Error](err)
		if e.Reason != want || e.Foreign != (want == clients.Unavailable) {
			t.Errorf("%s: %v (foreign %t), want %s", body, e, e.Foreign, want)
		}
	}
}
