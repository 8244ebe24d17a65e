package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/handlers"
	"milepost/internal/app"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv/reference"
)

// workflowKey makes a key as `milepost workflow-key` does beside a running Milepost.
func (w *world) workflowKey(locationID string, othersUntil time.Time) string {
	w.t.Helper()
	state, err := app.OpenState(w.t.Context(), w.cfg, zerolog.Nop())
	w.must(err)
	defer func() { w.must(state.Store.Close()) }()
	key, err := state.Connections.NewWorkflowKey(w.t.Context(), locationID, othersUntil)
	w.must(err)
	return key
}

// runWorkflow lets HighLevel run a workflow for a contact; pairs are Custom
// Data. It waits until what that brings is worked.
func (w *world) runWorkflow(key, contactID string, pairs ...string) {
	w.t.Helper()
	custom := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		custom[pairs[i]] = pairs[i+1]
	}
	w.must(w.hl.RunWorkflow(contactID, hlfake.WorkflowAction{
		URL: w.app.PublicURL() + handlers.WorkflowPath + key, WorkflowID: "wf-closing", WorkflowName: "Closing", CustomData: custom,
	}))
	w.settle()
	if sent := w.hl.Sent(); sent[len(sent)-1].Type != "workflow" || sent[len(sent)-1].LastStatus != http.StatusOK {
		w.t.Fatalf("the workflow's webhook got %d", sent[len(sent)-1].LastStatus)
	}
}

// postWorkflow sends a body of one's own.
func (w *world) postWorkflow(key, contentType, body string) (int, string) {
	w.t.Helper()
	res, err := http.Post(w.app.PublicURL()+handlers.WorkflowPath+key, contentType, strings.NewReader(body))
	w.must(err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	w.must(err)
	if strings.Contains(string(answer), `"stored"`) {
		w.posted.Add(1)
	}
	return res.StatusCode, string(answer)
}

// planned lists the subjects, without their markers, and days of the meeting requests.
func (w *world) planned() (list []string) {
	for _, r := range w.ch.Requests() {
		subject, _, _ := strings.Cut(r.Subject, " [mp-")
		list = append(list, subject+" on "+r.Start.Format(time.DateOnly))
	}
	slices.Sort(list)
	return list
}

func (w *world) wantPlanned(when string, want ...string) {
	w.t.Helper()
	if got := w.planned(); !slices.Equal(got, want) {
		w.t.Errorf("%s: planned is %q, want %q", when, got, want)
	}
}

func TestWhatAWorkflowSaidLastIsPlanned(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		id, key := w.contact("Jane", "Doe", "jane@example.com"), w.workflowKey(location, time.Time{})
		a := []string{"milestone_title", "Closing", "milestone_date", "05/02/2030"}
		b := []string{"Milestone Title", "Walkthrough", "milestone_date", "June 3rd 2030"}
		w.runWorkflow(key, id, a...)
		w.wantPlanned("made", "Closing: Jane Doe on 2030-05-02")
		if r := w.ch.Requests()[0]; !r.Start.Equal(time.Date(2030, 5, 2, 13, 0, 0, 0, time.UTC)) || !slices.Equal(r.Invitees, []string{ownerMail}) {
			t.Errorf("it is at %v for %v, want 09:00 in New York for the owner alone", r.Start, r.Invitees)
		}

		w.ch.ResetCalls()
		w.runWorkflow(key, id, a...)
		w.runWorkflow(key, id, a...)
		if del, post := w.calls("DELETE /meeting/tasks/{id}"), w.calls("POST /meeting/tasks"); del+post != 0 {
			t.Errorf("the same again made %d DELETE and %d POST", del, post)
		}

		w.runWorkflow(key, id, b...)
		w.wantPlanned("B after A", "Walkthrough: Jane Doe on 2030-06-03")
		w.runWorkflow(key, id, a...)
		w.wantPlanned("A after B", "Closing: Jane Doe on 2030-05-02")
		w.runWorkflow(key, id, "milestone_title", "Closing", "milestone_date", "2030-07-04")
		w.wantPlanned("moved", "Closing: Jane Doe on 2030-07-04")

		w.stop()
		w.start()
		w.settle()
		w.runWorkflow(key, id, "milestone_title", "Closing", "milestone_date", "2030-07-04T00:00:00.000Z")
		w.wantPlanned("the same after a restart", "Closing: Jane Doe on 2030-07-04")

		w.runWorkflow(key, id, "milestone_title", "Closing", "milestone_date", "some day")
		w.wantPlanned("a date that is none leaves what there is", "Closing: Jane Doe on 2030-07-04")
		if d := w.deliveries()[0]; d.Outcome != store.Invalid || !strings.Contains(d.Detail, "is not a date") {
			t.Errorf("it ended as %s: %s", d.Outcome, d.Detail)
		}
		w.must(w.hl.UpdateContact(id, func(c *hlfake.Contact) { c.LastName = "Roe" }))
		w.runWorkflow(key, id, a...)
		w.wantPlanned("the contact as it is now", "Closing: Jane Roe on 2030-05-02")

		w.runWorkflow(key, id, "milestone_title", "Closing", "milestone_date", "")
		w.wantPlanned("an empty date takes it away")
		w.runWorkflow(key, id, a...)
		w.runWorkflow(key, id, "milestone_title", "null", "milestone_date", "2030-05-02")
		w.wantPlanned("so does an empty title")
	})
}

func TestAWorkflowKeepsSeveralMilestonesByTheirID(t *testing.T) {
	w := setup(t)
	jane, john, key := w.contact("Jane", "Doe", "jane@example.com"), w.contact("John", "Roe", "john@example.com"), w.workflowKey(location, time.Time{})
	say := func(contact, id, title, date string) {
		w.runWorkflow(key, contact, "milestone_id", id, "milestone_title", title, "milestone_date", date)
	}
	say(jane, "inspection", "Inspection", "2030-05-01")
	say(jane, "closing", "Closing", "2030-05-02")
	say(john, "closing", "Closing", "2030-05-03")
	w.wantPlanned("three of them", "Closing: Jane Doe on 2030-05-02", "Closing: John Roe on 2030-05-03", "Inspection: Jane Doe on 2030-05-01")
	say(jane, "closing", "Closing", "2030-05-09")
	say(jane, "inspection", "", "")
	w.wantPlanned("one moved, one taken away", "Closing: Jane Doe on 2030-05-09", "Closing: John Roe on 2030-05-03")
}

func TestADeletedContactTakesAlongWhatAWorkflowSaid(t *testing.T) {
	together(t)
	for name, automations := range map[string]string{
		"by the recipes": "",
		"by an automation that reads no contact, the only one": `
- { name: W, on: workflow.received, do: [event: { title: "{{ custom_data.milestone_title }}", start: "{{ custom_data.milestone_date }}" }] }`,
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, func(w *world, _ *hlfake.Config) {
				if automations != "" {
					w.cfg.Automations = filepath.Join(t.TempDir(), "automations.yaml")
					w.must(os.WriteFile(w.cfg.Automations, []byte(automations), 0o600))
				}
			})
			id := w.contact("Jane", "Doe", "jane@example.com")
			w.runWorkflow(w.workflowKey(location, time.Time{}), id, "milestone_title", "Closing", "milestone_date", "2030-05-02")
			if n := len(w.ch.Requests()); n != 1 {
				t.Fatalf("%d requests, want 1", n)
			}
			if fetched := w.hl.Calls()["GET /contacts/{contactId}"]; automations != "" && fetched != 0 {
				t.Errorf("the contact was fetched %d times, and nobody reads it", fetched)
			}
			w.must(w.hl.DeleteContact(id))
			w.settle()
			w.eventually("the item is gone", func() bool { return len(w.ch.Requests()) == 0 })
		})
	}
}

func TestAWorkflowOfAContactThatIsGoneUntoldIsBelievedAfterAMinute(t *testing.T) {
	w := setup(t)
	id, key := w.contact("Jane", "Doe", "jane@example.com"), w.workflowKey(location, time.Time{})
	w.runWorkflow(key, id, "milestone_title", "Closing", "milestone_date", "2030-05-02")
	w.hl.SetWebhookURL("")
	w.must(w.hl.DeleteContact(id))
	body := fmt.Sprintf(`{"contact_id":%q,"workflow":{"id":"wf-closing"},"customData":{"milestone_title":"Closing","milestone_date":"2030-05-09"}}`, id)
	if status, answer := w.postWorkflow(key, "application/json", body); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	w.pause()
	w.wantPlanned("found missing once", "Closing: Jane Doe on 2030-05-02")
	w.advance(time.Minute + 10*time.Second)
	w.settle()
	w.wantPlanned("and a minute later")
}

func TestAWorkflowKeyLetsInItsLocationUntilTheOverlapIsOver(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		id := w.contact("Jane", "Doe", "jane@example.com")
		body := func(date string) string {
			return fmt.Sprintf(`{"contact_id":%q,"milestone_title":"Closing","milestone_date":%q}`, id, date)
		}
		status := func(key string) int {
			t.Helper()
			got, _ := w.postWorkflow(key, "application/json", body("2030-05-02"))
			return got
		}
		first := w.workflowKey(location, time.Time{})
		second := w.workflowKey(location, time.Now().Add(time.Hour))
		if a, b := status(first), status(second); a != 200 || b != 200 {
			t.Errorf("within the overlap the old key got %d, the new one %d", a, b)
		}
		third := w.workflowKey(location, time.Now())
		if a, b, c := status(first), status(second), status(third); a != 404 || b != 404 || c != 200 {
			t.Errorf("after the overlap the old keys got %d and %d, the new one %d", a, b, c)
		}
		w.settle()
		w.wantPlanned("through both", "Closing: Jane Doe on 2030-05-02")

		_, expired := w.postWorkflow(first, "application/json", body("2031-01-01"))
		for _, key := range []string{"AAAAAAAAAAAAAAAAAAAAAAAAAA", "x", "%2e%2e", "a%2fb", strings.ToLower(third)} {
			if got, unknown := w.postWorkflow(key, "application/json", body("2031-01-01")); got != 404 || unknown != expired {
				t.Errorf("the key %q got %d %s, an expired one %s; want one 404 for both", key, got, unknown, expired)
			}
		}
		w.settle()
		w.wantPlanned("nobody else got in", "Closing: Jane Doe on 2030-05-02")
		if n := len(w.deliveries()); n != 3 {
			t.Errorf("%d deliveries, want the three that were let in", n)
		}
	})
}

func TestAWorkflowBodyThatCanOnlyBeAMistakeIsRefused(t *testing.T) {
	together(t)
	w := setup(t)
	id, key := w.contact("Jane", "Doe", "jane@example.com"), w.workflowKey(location, time.Time{})
	good := fmt.Sprintf(`{"contact_id":%q,"customData":{"milestone_title":"Closing","milestone_date":"2030-05-02"}}`, id)
	for _, c := range []struct {
		name, contentType, body string
		status                  int
		says                    string
	}{
		{"no JSON", "application/json", `{"contact_id":`, 400, "JSON"},
		{"a list", "application/json", `[` + good + `]`, 400, "JSON"},
		{"an empty body", "application/json", ``, 400, "empty"},
		{"an empty form", "application/x-www-form-urlencoded", ``, 400, "empty"},
		{"plain text", "text/plain", good, 400, "application/x-www-form-urlencoded"},
		{"a copy in another sub-account", "application/json", strings.Replace(good, `{`, `{"location":{"id":"elsewhere0000000001"},`, 1), 400, "workflow-key elsewhere0000000001"},
		{"2 MiB", "application/json", `{"x":"` + strings.Repeat("x", 2<<20) + `"}`, 413, "1 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, answer := w.postWorkflow(key, c.contentType, c.body)
			if status != c.status || !strings.Contains(answer, c.says) || !strings.Contains(answer, `"detail"`) {
				t.Errorf("%d %s; want %d and a word of %q", status, answer, c.status, c.says)
			}
		})
	}
	res, err := http.Get(w.app.PublicURL() + handlers.WorkflowPath + key)
	w.must(err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET answered %d, want 405", res.StatusCode)
	}
	if n := len(w.deliveries()); n != 0 {
		t.Errorf("%d deliveries were stored", n)
	}
}

func TestAWorkflowMaySendAFormOrABodyOfItsOwn(t *testing.T) {
	w := setup(t)
	id, key := w.contact("Jane", "Doe", "jane@example.com"), w.workflowKey(location, time.Time{})
	send := func(contentType, body string) {
		t.Helper()
		if status, answer := w.postWorkflow(key, contentType, body); status != 200 {
			t.Fatalf("%d %s", status, answer)
		}
		w.settle()
	}
	form := url.Values{"contact_id": {id}, "location_id": {location}, "Milestone Title": {"Closing & keys"}, "milestone_date": {"2030-05-02"}, "milestone_id": {"m"}}
	send("application/x-www-form-urlencoded; charset=utf-8", form.Encode())
	w.wantPlanned("a form", "Closing & keys: Jane Doe on 2030-05-02")
	send("application/json", fmt.Sprintf(`{"contact":{"id":%q},"milestone_title":"Closing & keys","milestone_date":"2030-05-02 10:00 AM","milestone_id":"m"}`, id))
	w.wantPlanned("the same milestone as JSON", "Closing & keys: Jane Doe on 2030-05-02")
	if r := w.ch.Requests()[0]; r.Start.UTC().Hour() != 14 {
		t.Errorf("it is at %v, want 10 o'clock in New York", r.Start)
	}

	send("application/json", `{"id":"of-something-else","milestone_title":"Lost","milestone_date":"2030-05-02"}`)
	send("application/json", `{"milestone_id":"nobody","milestone_title":"Lost","milestone_date":"2030-05-02"}`)
	w.wantPlanned("without a contact", "Closing & keys: Jane Doe on 2030-05-02")
	for i, outcome := range []string{store.Invalid, store.Skipped} {
		if d := w.deliveries()[i]; d.Outcome != outcome || !strings.Contains(d.Detail, "{{contact.id}}") {
			t.Errorf("a webhook without contact ended as %s: %s; want %s and what to add", d.Outcome, d.Detail, outcome)
		}
	}
}

func TestThePublishedWorkflowBodiesAreAccepted(t *testing.T) {
	const theirs = "CDR4h44AJ3Ic84nDuigS"
	file, err := os.Open(filepath.Join(reference.Shared(t, "highlevel-webhooks"), "workflow-actions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := setup(t, func(w *world, c *hlfake.Config) {
		c.LocationIDs, w.cfg.HighLevelLocationID = []string{theirs}, theirs
	})
	w.hl.SeedLocation(hlfake.Location{ID: theirs, Name: "Example LLC", TimeZone: "America/Chicago"}, nil, nil)
	_, err = w.hl.SeedContact(hlfake.Contact{ID: "bxoY65VIdH7laJEOHB4Y", LocationID: theirs, FirstName: "Jane", LastName: "Doe", Email: "jane.doe@example.com"})
	w.must(err)
	key := w.workflowKey(theirs, time.Time{})
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var example struct{ Payload json.RawMessage }
		w.must(json.Unmarshal(lines.Bytes(), &example))
		body := strings.ReplaceAll(string(example.Payload), "2026-12-01", "2030-12-01") // which is to come
		if status, answer := w.postWorkflow(key, "application/json", body); status != 200 {
			t.Errorf("%d %s", status, answer)
		}
		w.settle()
	}
	w.wantPlanned("the one with a milestone", "Closing scheduled: Jane Doe on 2030-12-01")
	var outcomes []string
	for _, d := range w.deliveries() {
		outcomes = append(outcomes, d.Type+" "+d.Outcome)
	}
	// The one whose Custom Data is empty comes from the same workflow of the same contact, and before.
	if want := []string{"WorkflowWebhook skipped", "WorkflowWebhook done", "WorkflowWebhook skipped"}; !slices.Equal(outcomes, want) {
		t.Errorf("they ended as %q, newest first; want %q", outcomes, want)
	}
}
