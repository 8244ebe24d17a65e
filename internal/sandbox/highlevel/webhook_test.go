package highlevel

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"milepost/internal/sandbox/fakehttp/fakehttptest"
)

// into sends the webhooks of a fake to the receiver, one at a time.
func into(r *fakehttptest.Receiver) func(*Config) {
	return func(c *Config) {
		c.WebhookURL, c.WebhookClient, c.WebhookLanes = "http://receiver.example/hook", &http.Client{Transport: r}, 1
	}
}

func TestEachChangeSendsTheEventsThatHighLevelSends(t *testing.T) {
	h := setup(t)
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
	h := setup(t)
	c, err := h.CreateContact(Contact{FirstName: "New", CustomFields: map[string]any{"milestone": "Closing"}})
	if err != nil || c.CustomFields["fieldMilestone"] != "Closing" {
		t.Fatalf("created %v, %v", c, err)
	}
	task, err := h.CreateTask(Task{ContactID: c.ID, Title: "t"})
	fakehttptest.Must(t, err)
	note, err := h.CreateNote(Note{ContactID: c.ID, Body: "n"})
	fakehttptest.Must(t, err)
	fakehttptest.Must(t, h.UpdateContact(c.ID, func(c *Contact) { c.City = "Rye" }))
	fakehttptest.Must(t, h.AddTags(c.ID, "A", "b"))
	fakehttptest.Must(t, h.RemoveTags(c.ID, "a"))
	fakehttptest.Must(t, h.UpdateTask(task.ID, func(t *Task) { t.Title = "u" }))
	fakehttptest.Must(t, h.CompleteTask(task.ID))
	fakehttptest.Must(t, h.DeleteTask(task.ID))
	fakehttptest.Must(t, h.UpdateNote(note.ID, func(n *Note) { n.Body = "m" }))
	fakehttptest.Must(t, h.DeleteNote(note.ID))
	fakehttptest.Must(t, h.DeleteContact(c.ID))
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

func TestWebhooksAreFlatSignedAndLackWhatRealOnesLack(t *testing.T) {
	r := &fakehttptest.Receiver{}
	h := setup(t, into(r))
	task, err := h.CreateTask(Task{ContactID: h.contact.ID, Title: "<Sign> & send", Body: "b", DueDate: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)})
	fakehttptest.Must(t, err)
	fakehttptest.Must(t, h.CompleteTask(task.ID))
	_, err = h.CreateNote(Note{ContactID: h.contact.ID, Body: "n", Title: "hidden", UserID: "user1", Pinned: true})
	fakehttptest.Must(t, err)
	fakehttptest.Must(t, h.SetCustomField(h.contact.ID, "fieldDate", "2026-12-01"))
	fakehttptest.Idle(t, h)

	block, _ := pem.Decode([]byte(h.PublicKeyPEM()))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	fakehttptest.Must(t, err)
	for i, body := range r.Bodies {
		signature, err := base64.StdEncoding.DecodeString(r.Headers[i].Get("X-GHL-Signature"))
		fakehttptest.Must(t, err)
		if !ed25519.Verify(key.(ed25519.PublicKey), body, signature) || r.Headers[i].Get("X-GHL-Signature") != h.Sign(body) {
			t.Errorf("webhook %d is not signed over its bytes", i)
		}
		if r.Headers[i].Get("X-WH-Signature") != "N/A" || r.Headers[i].Get("Content-Type") != "application/json" {
			t.Errorf("webhook %d has headers %v", i, r.Headers[i])
		}
	}
	if !bytes.Contains(r.Bodies[0], []byte("<Sign> & send")) {
		t.Errorf("the body escapes what JSON.stringify does not: %s", r.Bodies[0])
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
	events := r.Events(t)
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
	r := &fakehttptest.Receiver{}
	h := setup(t, into(r), func(c *Config) { c.FullTaskCreate = true })
	_, err := h.CreateTask(Task{ContactID: h.contact.ID, Title: "t", Body: "b"})
	fakehttptest.Must(t, err)
	fakehttptest.Idle(t, h)
	if event := r.Events(t)[0]; event["contactId"] != h.contact.ID || event["body"] != "b" {
		t.Errorf("TaskCreate is %v", event)
	}
}

// quiet makes a fake without a server, for a synctest bubble.
func quiet(r *fakehttptest.Receiver, changes ...func(*Config)) *Server {
	config := Config{}
	into(r)(&config)
	for _, change := range changes {
		change(&config)
	}
	h := New(config)
	h.SeedLocation(Location{ID: testLocation}, nil, nil)
	return h
}

func TestAFailedWebhookIsTriedTwelveTimesMoreWithTheSameBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakehttptest.Receiver{Statuses: []int{500, 404, 302, 0, 503}}
		h := quiet(r)
		defer h.Close()
		_, err := h.CreateContact(Contact{FirstName: "A"})
		fakehttptest.Must(t, err)
		fakehttptest.Must(t, h.WaitIdle(t.Context()))
		sent := h.Sent()[0]
		if r.Count() != 13 || sent.Attempts != 13 || !sent.Done || sent.LastStatus != 503 {
			t.Errorf("%d tries arrived, %+v", r.Count(), sent)
		}
		for i, body := range r.Bodies {
			if !bytes.Equal(body, r.Bodies[0]) {
				t.Errorf("try %d has another body", i+1)
			}
			if i > 1 && r.At[i].Sub(r.At[i-1]) < 24*time.Second {
				t.Errorf("try %d came %v after the one before", i+1, r.At[i].Sub(r.At[i-1]))
			}
		}
	})
}

func TestAWebhookStopsAtTheFirstSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakehttptest.Receiver{Statuses: []int{429, 0, 204}}
		h := quiet(r)
		defer h.Close()
		_, err := h.CreateContact(Contact{FirstName: "A"})
		fakehttptest.Must(t, err)
		synctest.Wait()
		if sent := h.Sent()[0]; sent.Attempts != 1 || sent.LastStatus != 429 || sent.Done {
			t.Errorf("after the first try: %+v", sent)
		}
		h.RetryNow()
		synctest.Wait()
		if sent := h.Sent()[0]; sent.Attempts != 2 || sent.LastError == "" || sent.Done {
			t.Errorf("after the second try: %+v", sent)
		}
		fakehttptest.Must(t, h.WaitIdle(t.Context()))
		if sent := h.Sent()[0]; sent.Attempts != 3 || sent.LastStatus != 204 || !sent.Done {
			t.Errorf("at the end: %+v", sent)
		}
	})
}

func TestResendPostsTheOriginalOnceAndEndsTheRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakehttptest.Receiver{Statuses: []int{500, 500, 200}}
		h := quiet(r, func(c *Config) { c.WebhookBackoff = func(int) time.Duration { return time.Hour } })
		defer h.Close()
		_, err := h.CreateContact(Contact{FirstName: "A"})
		fakehttptest.Must(t, err)
		synctest.Wait()
		id := h.Sent()[0].ID
		fakehttptest.Must(t, h.Resend(id)) // fails: starts no cycle of its own
		synctest.Wait()
		fakehttptest.Must(t, h.Resend(id)) // succeeds: ends the cycle
		synctest.Wait()
		if sent := h.Sent()[0]; sent.Attempts != 3 || !sent.Done {
			t.Errorf("after two resends: %+v", sent)
		}
		fakehttptest.Must(t, h.WaitIdle(t.Context()))
		fakehttptest.Must(t, h.Resend(id)) // a duplicate
		fakehttptest.Must(t, h.WaitIdle(t.Context()))
		if r.Count() != 4 || !bytes.Equal(r.Bodies[0], r.Bodies[3]) {
			t.Errorf("%d bodies arrived", r.Count())
		}
		if h.Resend("unknown") == nil {
			t.Error("an unknown webhook was resent")
		}
	})
}

func TestAResendThatOverlapsARetryLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakehttptest.Receiver{Statuses: []int{500, 500, 500, 200}}
		h := quiet(r)
		defer h.Close()
		_, err := h.CreateContact(Contact{FirstName: "A"})
		fakehttptest.Must(t, err)
		synctest.Wait()
		fakehttptest.Must(t, h.Resend(h.Sent()[0].ID))
		h.RetryNow()
		fakehttptest.Must(t, h.WaitIdle(t.Context()))
		if sent := h.Sent()[0]; !sent.Done || sent.LastStatus != 200 {
			t.Errorf("at the end: %+v", sent)
		}
	})
}

func TestWebhookMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakehttptest.Receiver{Statuses: []int{500}}
		h := quiet(r, func(c *Config) { c.WebhookLog = 3 })
		defer h.Close()
		for i := range 5 {
			_, err := h.CreateContact(Contact{FirstName: fmt.Sprint(i)})
			fakehttptest.Must(t, err)
		}
		synctest.Wait()
		if len(h.Sent()) != 3 || h.LostWebhooks() != 2 {
			t.Errorf("%d remembered, %d lost; want 3 and 2", len(h.Sent()), h.LostWebhooks())
		}
		r.Answer(200)
		fakehttptest.Must(t, h.WaitIdle(t.Context()))
		_, err := h.CreateContact(Contact{FirstName: "last"})
		fakehttptest.Must(t, err)
		fakehttptest.Must(t, h.WaitIdle(t.Context()))
		if sent := h.Sent(); len(sent) != 3 || !strings.Contains(string(sent[2].Body), "last") {
			t.Errorf("the newest is not remembered: %v", sent)
		}
	})
}

func TestWithoutAURLWebhooksWaitForAResend(t *testing.T) {
	r := &fakehttptest.Receiver{}
	h := setup(t, into(r), func(c *Config) { c.WebhookURL = "" })
	fakehttptest.Must(t, h.AddTags(h.contact.ID, "x"))
	fakehttptest.Idle(t, h)
	id := h.Sent()[0].ID
	if h.Resend(id) == nil || r.Count() != 0 {
		t.Error("a webhook went out without a URL")
	}
	h.SetWebhookURL("http://receiver.example/")
	fakehttptest.Must(t, h.Resend(id))
	fakehttptest.Idle(t, h)
	if r.Count() != 1 {
		t.Errorf("%d webhooks arrived", r.Count())
	}
}

func TestWebhooksReachLoopbackOnly(t *testing.T) {
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got <- r.Header.Get("X-GHL-Signature") }))
	defer server.Close()
	h := setup(t, func(c *Config) { c.WebhookURL, c.WebhookRetries = server.URL, -1 })
	fakehttptest.Must(t, h.AddTags(h.contact.ID, "x"))
	fakehttptest.Idle(t, h)
	if <-got == "" {
		t.Error("no signature arrived")
	}
	h.SetWebhookURL("http://192.0.2.1/")
	fakehttptest.Must(t, h.AddTags(h.contact.ID, "y"))
	fakehttptest.Idle(t, h)
	if sent := h.Sent()[1]; !strings.Contains(sent.LastError, "loopback only") {
		t.Errorf("a webhook to another machine ended with %+v", sent)
	}
}
