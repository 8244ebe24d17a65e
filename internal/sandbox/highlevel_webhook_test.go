package sandbox

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// receiver is a webhook receiver without a network: it keeps what arrives and
// answers with the statuses in turn, the last one for ever; 0 is no answer.
type receiver struct {
	mu       sync.Mutex
	statuses []int
	bodies   [][]byte
	headers  []http.Header
	at       []time.Time
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies, r.headers, r.at = append(r.bodies, body), append(r.headers, req.Header.Clone()), append(r.at, time.Now())
	status := http.StatusOK
	if len(r.statuses) > 0 {
		status = r.statuses[0]
		if len(r.statuses) > 1 {
			r.statuses = r.statuses[1:]
		}
	}
	if status == 0 {
		return nil, errors.New("connection reset")
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Header: http.Header{}, Request: req}, nil
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.bodies)
}

func (r *receiver) events(t *testing.T) (out []map[string]any) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, body := range r.bodies {
		var event map[string]any
		if err := json.Unmarshal(body, &event); err != nil {
			t.Fatal(err)
		}
		out = append(out, event)
	}
	return out
}

// into sends the webhooks of a fake to the receiver, one at a time.
func (r *receiver) into(c *HighLevelConfig) {
	c.WebhookURL, c.WebhookClient, c.WebhookLanes = "http://receiver.example/hook", &http.Client{Transport: r}, 1
}

func idle(t *testing.T, h interface{ WaitIdle(context.Context) error }) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := h.WaitIdle(ctx); err != nil {
		t.Fatalf("webhooks still wait: %v", err)
	}
}

func TestEachChangeSendsTheEventsThatHighLevelSends(t *testing.T) {
	h := setupHighLevel(t)
	me := "/contacts/" + h.contact.ID
	var task, note string
	for _, tc := range []struct {
		name string
		do   func()
		want []string
	}{
		{"an update", func() { h.want(200, "PUT", me, `{"city":"Beacon"}`) }, []string{"ContactUpdate"}},
		{"an update to the same", func() { h.want(200, "PUT", me, `{"city":"Beacon"}`) }, nil},
		{"a custom field", func() { _ = h.SetCustomField(h.contact.ID, "milestone_date", "2026-12-01") }, []string{"ContactUpdate"}},
		{"the same custom field", func() { _ = h.SetCustomField(h.contact.ID, "fieldDate", "2026-12-01") }, nil},
		{"a tag", func() { h.want(201, "POST", me+"/tags", `{"tags":["a"]}`) }, []string{"ContactTagUpdate"}},
		{"a known tag", func() { h.want(201, "POST", me+"/tags", `{"tags":["A"]}`) }, nil},
		{"a tag taken away", func() { h.want(200, "DELETE", me+"/tags", `{"tags":["a"]}`) }, []string{"ContactTagUpdate"}},
		{"tags and a field", func() { h.want(200, "PUT", me, `{"tags":["x"],"city":"Troy"}`) }, []string{"ContactUpdate", "ContactTagUpdate"}},
		{"a task", func() {
			h.want(201, "POST", me+"/tasks", `{"title":"t","dueDate":"2026-12-01","completed":false}`)
			task = h.Tasks(h.contact.ID)[0].ID
		}, []string{"TaskCreate"}},
		{"an edited task", func() { h.want(200, "PUT", me+"/tasks/"+task, `{"title":"u","dueDate":"2026-12-02"}`) }, nil},
		{"a completed task", func() { h.want(200, "PUT", me+"/tasks/"+task+"/completed", `{"completed":true}`) }, []string{"TaskComplete"}},
		{"a reopened task", func() { h.want(200, "PUT", me+"/tasks/"+task+"/completed", `{"completed":false}`) }, nil},
		{"a task completed by an edit", func() { h.want(200, "PUT", me+"/tasks/"+task, `{"completed":true}`) }, []string{"TaskComplete"}},
		{"a deleted task", func() { h.want(200, "DELETE", me+"/tasks/"+task, "") }, []string{"TaskDelete"}},
		{"a note", func() {
			h.want(201, "POST", me+"/notes", `{"body":"n"}`)
			note = h.Notes(h.contact.ID)[0].ID
		}, []string{"NoteCreate"}},
		{"an edited note", func() { h.want(200, "PUT", me+"/notes/"+note, `{"body":"m"}`) }, []string{"NoteUpdate"}},
		{"a deleted note", func() { h.want(200, "DELETE", me+"/notes/"+note, "") }, []string{"NoteDelete"}},
		{"a new contact", func() { h.want(201, "POST", "/contacts/", `{"locationId":"`+testLocation+`"}`) }, []string{"ContactCreate"}},
		{"a new contact by upsert", func() {
			h.want(201, "POST", "/contacts/upsert", `{"locationId":"`+testLocation+`","email":"new@x.example"}`)
		}, []string{"ContactCreate"}},
		{"a changed contact by upsert", func() {
			h.want(200, "POST", "/contacts/upsert", `{"locationId":"`+testLocation+`","email":"new@x.example","city":"Rye"}`)
		}, []string{"ContactUpdate"}},
		{"a deleted contact with a task", func() {
			if _, err := h.SeedTask(Task{ContactID: h.contact.ID, Title: "t"}); err != nil {
				t.Fatal(err)
			}
			h.want(200, "DELETE", me, "")
		}, []string{"ContactDelete"}},
		{"a read", func() { h.want(400, "GET", me, "") }, nil},
	} {
		before := len(h.Sent())
		tc.do()
		if got := h.types()[before:]; !slices.Equal(got, tc.want) {
			t.Errorf("%s sent %v, want %v", tc.name, got, tc.want)
		}
	}
	if tasks := h.Tasks(""); len(tasks) != 0 {
		t.Errorf("the tasks of a deleted contact are left: %v", tasks)
	}
}

func TestChangesFromGoSendTheSameEvents(t *testing.T) {
	h := setupHighLevel(t)
	c, err := h.CreateContact(Contact{FirstName: "New", CustomFields: map[string]any{"milestone": "Closing"}})
	if err != nil || c.CustomFields["fieldMilestone"] != "Closing" {
		t.Fatalf("created %v, %v", c, err)
	}
	task, err := h.CreateTask(Task{ContactID: c.ID, Title: "t"})
	must(t, err)
	note, err := h.CreateNote(Note{ContactID: c.ID, Body: "n"})
	must(t, err)
	must(t, h.UpdateContact(c.ID, func(c *Contact) { c.City = "Rye" }))
	must(t, h.AddTags(c.ID, "A", "b"))
	must(t, h.RemoveTags(c.ID, "a"))
	must(t, h.UpdateTask(task.ID, func(t *Task) { t.Title = "u" }))
	must(t, h.CompleteTask(task.ID))
	must(t, h.DeleteTask(task.ID))
	must(t, h.UpdateNote(note.ID, func(n *Note) { n.Body = "m" }))
	must(t, h.DeleteNote(note.ID))
	must(t, h.DeleteContact(c.ID))
	want := []string{
		"ContactCreate", "TaskCreate", "NoteCreate", "ContactUpdate", "ContactTagUpdate", "ContactTagUpdate",
		"TaskComplete", "TaskDelete", "NoteUpdate", "NoteDelete", "ContactDelete",
	}
	if got := h.types(); !slices.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
	for name, err := range map[string]error{
		"contact": h.DeleteContact(c.ID), "task": h.CompleteTask(task.ID), "note": h.DeleteNote(note.ID), "field": h.SetCustomField(h.contact.ID, "none", 1),
	} {
		if err == nil {
			t.Errorf("a change of a %s that is not there succeeded", name)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWebhooksAreFlatSignedAndLackWhatRealOnesLack(t *testing.T) {
	r := &receiver{}
	h := setupHighLevel(t, r.into)
	task, err := h.CreateTask(Task{ContactID: h.contact.ID, Title: "<Sign> & send", Body: "b", DueDate: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)})
	must(t, err)
	must(t, h.CompleteTask(task.ID))
	_, err = h.CreateNote(Note{ContactID: h.contact.ID, Body: "n", Title: "hidden", UserID: "user1", Pinned: true})
	must(t, err)
	must(t, h.SetCustomField(h.contact.ID, "fieldDate", "2026-12-01"))
	idle(t, h)

	block, _ := pem.Decode([]byte(h.PublicKeyPEM()))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	must(t, err)
	for i, body := range r.bodies {
		signature, err := base64.StdEncoding.DecodeString(r.headers[i].Get("X-GHL-Signature"))
		must(t, err)
		if !ed25519.Verify(key.(ed25519.PublicKey), body, signature) || r.headers[i].Get("X-GHL-Signature") != h.Sign(body) {
			t.Errorf("webhook %d is not signed over its bytes", i)
		}
		if r.headers[i].Get("X-WH-Signature") != "N/A" || r.headers[i].Get("Content-Type") != "application/json" {
			t.Errorf("webhook %d has headers %v", i, r.headers[i])
		}
	}
	if !bytes.Contains(r.bodies[0], []byte("<Sign> & send")) {
		t.Errorf("the body escapes what JSON.stringify does not: %s", r.bodies[0])
	}
	keys := func(event map[string]any) []string {
		var out []string
		for key := range event {
			if !slices.Contains([]string{"timestamp", "webhookId", "appId", "versionId", "type", "locationId", "id"}, key) {
				out = append(out, key)
			}
		}
		slices.Sort(out)
		return out
	}
	events := r.events(t)
	for i, want := range [][]string{
		{"assignedTo", "dateAdded", "dueDate", "title"},
		{"assignedTo", "body", "contactId", "dateAdded", "dueDate", "title"},
		{"body", "contactId", "dateAdded"},
		{"assignedTo", "attachments", "customFields", "dateAdded", "dnd", "email", "firstName", "lastName", "name", "phone", "tags"},
	} {
		event := events[i]
		if got := keys(event); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", event["type"], got, want)
		}
		if event["appId"] != "0123456789abcdef01234567" || event["locationId"] != testLocation || event["timestamp"] != "2026-11-23T12:00:00.000Z" || len(event["webhookId"].(string)) != 36 {
			t.Errorf("%s has the envelope %v", event["type"], event)
		}
	}
}

func TestTaskCreateIsWholeWhenConfigured(t *testing.T) {
	r := &receiver{}
	h := setupHighLevel(t, r.into, func(c *HighLevelConfig) { c.FullTaskCreate = true })
	_, err := h.CreateTask(Task{ContactID: h.contact.ID, Title: "t", Body: "b"})
	must(t, err)
	idle(t, h)
	if event := r.events(t)[0]; event["contactId"] != h.contact.ID || event["body"] != "b" {
		t.Errorf("TaskCreate is %v", event)
	}
}

// quiet makes a fake without a server, for a synctest bubble.
func quiet(r *receiver, changes ...func(*HighLevelConfig)) *HighLevel {
	config := HighLevelConfig{}
	r.into(&config)
	for _, change := range changes {
		change(&config)
	}
	h := NewHighLevel(config)
	h.SeedLocation(Location{ID: testLocation}, nil, nil)
	return h
}

func TestAFailedWebhookIsTriedTwelveTimesMoreWithTheSameBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{statuses: []int{500, 404, 302, 0, 503}}
		h := quiet(r)
		defer h.Close()
		_, err := h.CreateContact(Contact{FirstName: "A"})
		must(t, err)
		must(t, h.WaitIdle(t.Context()))
		sent := h.Sent()[0]
		if r.count() != 13 || sent.Attempts != 13 || !sent.Done || sent.LastStatus != 503 {
			t.Errorf("%d tries arrived, %+v", r.count(), sent)
		}
		for i, body := range r.bodies {
			if !bytes.Equal(body, r.bodies[0]) {
				t.Errorf("try %d has another body", i+1)
			}
			if i > 1 && r.at[i].Sub(r.at[i-1]) < 24*time.Second {
				t.Errorf("try %d came %v after the one before", i+1, r.at[i].Sub(r.at[i-1]))
			}
		}
	})
}

func TestAWebhookStopsAtTheFirstSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{statuses: []int{429, 0, 204}}
		h := quiet(r)
		defer h.Close()
		_, err := h.CreateContact(Contact{FirstName: "A"})
		must(t, err)
		synctest.Wait()
		if sent := h.Sent()[0]; sent.Attempts != 1 || sent.LastStatus != 429 || sent.Done {
			t.Errorf("after the first try: %+v", sent)
		}
		h.RetryNow()
		synctest.Wait()
		if sent := h.Sent()[0]; sent.Attempts != 2 || sent.LastError == "" || sent.Done {
			t.Errorf("after the second try: %+v", sent)
		}
		must(t, h.WaitIdle(t.Context()))
		if sent := h.Sent()[0]; sent.Attempts != 3 || sent.LastStatus != 204 || !sent.Done {
			t.Errorf("at the end: %+v", sent)
		}
	})
}

func TestResendPostsTheOriginalOnceAndEndsTheRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{statuses: []int{500, 500, 200}}
		h := quiet(r, func(c *HighLevelConfig) { c.WebhookBackoff = func(int) time.Duration { return time.Hour } })
		defer h.Close()
		_, err := h.CreateContact(Contact{FirstName: "A"})
		must(t, err)
		synctest.Wait()
		id := h.Sent()[0].ID
		must(t, h.Resend(id)) // fails: starts no cycle of its own
		synctest.Wait()
		must(t, h.Resend(id)) // succeeds: ends the cycle
		synctest.Wait()
		if sent := h.Sent()[0]; sent.Attempts != 3 || !sent.Done {
			t.Errorf("after two resends: %+v", sent)
		}
		must(t, h.WaitIdle(t.Context()))
		must(t, h.Resend(id)) // a duplicate
		must(t, h.WaitIdle(t.Context()))
		if r.count() != 4 || !bytes.Equal(r.bodies[0], r.bodies[3]) {
			t.Errorf("%d bodies arrived", r.count())
		}
		if h.Resend("unknown") == nil {
			t.Error("an unknown webhook was resent")
		}
	})
}

func TestAResendThatOverlapsARetryLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{statuses: []int{500, 500, 500, 200}}
		h := quiet(r)
		defer h.Close()
		_, err := h.CreateContact(Contact{FirstName: "A"})
		must(t, err)
		synctest.Wait()
		must(t, h.Resend(h.Sent()[0].ID))
		h.RetryNow()
		must(t, h.WaitIdle(t.Context()))
		if sent := h.Sent()[0]; !sent.Done || sent.LastStatus != 200 {
			t.Errorf("at the end: %+v", sent)
		}
	})
}

func TestWebhookMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{statuses: []int{500}}
		h := quiet(r, func(c *HighLevelConfig) { c.WebhookLog = 3 })
		defer h.Close()
		for i := range 5 {
			_, err := h.CreateContact(Contact{FirstName: fmt.Sprint(i)})
			must(t, err)
		}
		synctest.Wait()
		if len(h.Sent()) != 3 || h.LostWebhooks() != 2 {
			t.Errorf("%d remembered, %d lost; want 3 and 2", len(h.Sent()), h.LostWebhooks())
		}
		r.mu.Lock()
		r.statuses = []int{200}
		r.mu.Unlock()
		must(t, h.WaitIdle(t.Context()))
		_, err := h.CreateContact(Contact{FirstName: "last"})
		must(t, err)
		must(t, h.WaitIdle(t.Context()))
		if sent := h.Sent(); len(sent) != 3 || !strings.Contains(string(sent[2].Body), "last") {
			t.Errorf("the newest is not remembered: %v", sent)
		}
	})
}

func TestWithoutAURLWebhooksWaitForAResend(t *testing.T) {
	r := &receiver{}
	h := setupHighLevel(t, r.into, func(c *HighLevelConfig) { c.WebhookURL = "" })
	must(t, h.AddTags(h.contact.ID, "x"))
	idle(t, h)
	id := h.Sent()[0].ID
	if h.Resend(id) == nil || r.count() != 0 {
		t.Error("a webhook went out without a URL")
	}
	h.SetWebhookURL("http://receiver.example/")
	must(t, h.Resend(id))
	idle(t, h)
	if r.count() != 1 {
		t.Errorf("%d webhooks arrived", r.count())
	}
}

func TestWebhooksReachLoopbackOnly(t *testing.T) {
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got <- r.Header.Get("X-GHL-Signature") }))
	defer server.Close()
	h := setupHighLevel(t, func(c *HighLevelConfig) { c.WebhookURL, c.WebhookRetries = server.URL, -1 })
	must(t, h.AddTags(h.contact.ID, "x"))
	idle(t, h)
	if <-got == "" {
		t.Error("no signature arrived")
	}
	h.SetWebhookURL("http://192.0.2.1/")
	must(t, h.AddTags(h.contact.ID, "y"))
	idle(t, h)
	if sent := h.Sent()[1]; !strings.Contains(sent.LastError, "loopback only") {
		t.Errorf("a webhook to another machine ended with %+v", sent)
	}
}
