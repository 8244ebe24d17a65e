package highlevel_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/testenv"
	"milepost/internal/testenv/reference"
)

const token = "pit-secret-0123456789"

var now = time.Date(2026, 12, 1, 22, 30, 0, 0, time.UTC)

// setup starts a server, and returns a client for it and the number of its requests.
func setup(t *testing.T, handler http.HandlerFunc) (*highlevel.Client, *atomic.Int32) {
	t.Helper()
	var tries atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tries.Add(1)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	return highlevel.New(config(server.URL)), &tries
}

func config(base string) highlevel.Config {
	return highlevel.Config{
		BaseURL: base, Tokens: highlevel.StaticTokens(token),
		RetryWait: func(int) time.Duration { return 0 }, Now: func() time.Time { return now },
	}
}

func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestHighLevelsErrorsMeanWhatTheySay(t *testing.T) {
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		reason  clients.Reason
		say     string // part of the error's text
		after   time.Duration
		tries   int32 // 0 = 1
	}{
		{name: "a contact that is gone", handler: answer(400, `{"statusCode":400,"message":"Contact with id c1 not found","traceId":"tr-1"}`), reason: clients.NotFound, say: "trace tr-1"},
		{name: "a contact that is gone, in capitals", handler: answer(400, `{"message":"CONTACT NOT FOUND"}`), reason: clients.NotFound},
		{name: "a location that is not found is not the contact", handler: answer(400, `{"message":"Location not found"}`), reason: clients.Unavailable},
		{name: "a bad request", handler: answer(400, `{"message":"Invalid contact id"}`), reason: clients.Invalid, say: "Invalid contact id"},
		{name: "404 that names nothing", handler: answer(404, `{"statusCode":404,"message":"Not Found"}`), reason: clients.Unavailable, say: "check the base URL"},
		{name: "404 without a body", handler: answer(404, ``), reason: clients.Unavailable, say: "check the base URL"},
		{name: "404 of API v3", handler: answer(404, `{"error":{"code":"RESOURCE_NOT_FOUND","message":"no such contact"}}`), reason: clients.NotFound, say: "no such contact"},
		{name: "a wrong path", handler: answer(404, `{"message":"Cannot GET /contacts/c1","error":"Not Found"}`), reason: clients.Unavailable, say: "check the base URL and the API version"},
		{name: "a wrong path, as a page", handler: answer(404, `<pre>Cannot GET /contacts/c1</pre>`), reason: clients.Unavailable, say: "API version"},
		{name: "somebody else's page", handler: answer(404, `<html>nginx</html>`), reason: clients.Unavailable, say: "check the base URL"},
		{name: "a 400 that is cut off", handler: answer(400, `{"message":"Contact with id`), reason: clients.Unavailable, say: "check the base URL"},
		{name: "an expired token", handler: answer(401, `{"message":"Invalid JWT"}`), reason: clients.Unauthorized, say: "Invalid JWT"},
		{name: "a wrong token that is echoed", handler: answer(401, `{"message":"Invalid token: `+token+`"}`), reason: clients.Unauthorized, say: "[token]"},
		{name: "no Version header", handler: answer(401, `{"message":"version header was not found."}`), reason: clients.Forbidden, say: "2021-07-28"},
		{name: "an unknown version", handler: answer(401, `{"message":"version header is invalid"}`), reason: clients.Forbidden, say: "2021-07-28"},
		{name: "a missing scope", handler: answer(401, `{"message":"The token is not authorized for this scope."}`), reason: clients.Forbidden, say: "scope contacts.readonly"},
		{name: "an agency's token", handler: answer(401, `{"message":"This authClass type is not allowed to access this scope."}`), reason: clients.Forbidden, say: "sub-account"},
		{name: "a token of another user type", handler: answer(401, `{"message":"Token's user type mismatch!"}`), reason: clients.Forbidden, say: "sub-account"},
		{name: "another tenant", handler: answer(403, `{"message":"The token does not have access to this location."}`), reason: clients.Forbidden, say: "is this token of the right location?"},
		{name: "422 with a list", handler: answer(422, `{"message":["property x should not exist","y must be a string"]}`), reason: clients.Invalid, say: "property x should not exist; y must be a string"},
		{name: "a burst", handler: answer(429, `{}`, "X-RateLimit-Daily-Remaining", "1500", "X-RateLimit-Interval-Milliseconds", "20000"), reason: clients.RateLimited, after: 20 * time.Second},
		{name: "a burst without headers", handler: answer(429, `Too Many Requests`), reason: clients.RateLimited, after: 10 * time.Second},
		{name: "the day is used up", handler: answer(429, `{}`, "X-RateLimit-Daily-Remaining", "0", "X-RateLimit-Interval-Milliseconds", "10000"), reason: clients.RateLimited, after: 90 * time.Minute},
		{name: "Retry-After goes first", handler: answer(429, `{}`, "Retry-After", "7", "X-RateLimit-Daily-Remaining", "0"), reason: clients.RateLimited, after: 7 * time.Second},
		{name: "500", handler: answer(500, `{"message":"oops"}`), reason: clients.Unavailable, say: "oops", tries: 3},
		{name: "a success without a record", handler: answer(200, `{"contact":null}`), reason: clients.Unavailable, say: "no record"},
		{name: "a success that is no JSON", handler: answer(200, `<html>`), reason: clients.Unavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, tries := setup(t, tc.handler)
			_, err := client.Contact(t.Context(), "c1")
			e, ok := errors.AsType[*clients.Error](err)
			if !ok {
				t.Fatalf("got %v, want a *clients.Error", err)
			}
			if e.Reason != tc.reason || e.RetryAfter != tc.after || !strings.Contains(err.Error(), tc.say) {
				t.Errorf("got %s after %v, %q; want %s after %v with %q", e.Reason, e.RetryAfter, err, tc.reason, tc.after, tc.say)
			}
			if tries.Load() != max(tc.tries, 1) {
				t.Errorf("%d tries, want %d", tries.Load(), max(tc.tries, 1))
			}
			if strings.Contains(err.Error(), token) {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
}

func TestAWrongTenantNamesTheLocation(t *testing.T) {
	client, _ := setup(t, answer(403, `{"message":"The token does not have access to this location."}`))
	_, err := client.Location(t.Context(), "loc1")
	if clients.ReasonOf(err) != clients.Forbidden || !strings.Contains(err.Error(), "is this token of location loc1?") {
		t.Error(err)
	}
}

func TestALocationThatIsGoneIsNotFound(t *testing.T) {
	client, _ := setup(t, answer(400, `{"message":"Location with id loc1 not found"}`))
	if _, err := client.Location(t.Context(), "loc1"); clients.ReasonOf(err) != clients.NotFound {
		t.Error(err)
	}
}

func TestATokenThatCannotBeHadKeepsItsReason(t *testing.T) {
	for _, tc := range []struct {
		err    error
		reason clients.Reason
	}{
		{&clients.Error{API: "HighLevel", Operation: "refresh token", Reason: clients.Forbidden}, clients.Forbidden},
		{errors.New("no network"), clients.Unavailable},
	} {
		cfg := config("http://127.0.0.1:1")
		cfg.Tokens = failing{tc.err}
		_, err := highlevel.New(cfg).Contact(t.Context(), "c1")
		if clients.ReasonOf(err) != tc.reason {
			t.Errorf("got %v, want %s", err, tc.reason)
		}
	}
	if _, err := highlevel.New(highlevel.Config{}).Contact(t.Context(), "c1"); clients.ReasonOf(err) != clients.Unauthorized {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Token(context.Context, string) (string, error) { return "", f.err }

func TestTheOtherTokenOfARotationIsUsedWhileTheFirstIsRefused(t *testing.T) {
	var tries atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tries.Add(1)
		if r.Header.Get("Authorization") != "Bearer old" {
			answer(401, `{"message":"Invalid token: access token is invalid"}`)(w, r)
			return
		}
		answer(200, `{"contact":{"id":"c1","name":"Jane"}}`)(w, r)
	}))
	defer server.Close()
	cfg := config(server.URL)
	cfg.Tokens = highlevel.StaticTokens("new", "old")
	if _, err := highlevel.New(cfg).Contact(t.Context(), "c1"); err != nil || tries.Load() != 2 {
		t.Errorf("%v after %d tries", err, tries.Load())
	}
}

func TestABadIDMakesNoCall(t *testing.T) {
	client, tries := setup(t, answer(200, `{}`))
	ctx := t.Context()
	for _, id := range []string{"", ".", "..", "a/b", strings.Repeat("x", 200)} {
		_, err1 := client.Contact(ctx, id)
		_, err2 := client.Task(ctx, "c1", id)
		_, err3 := client.AddTags(ctx, id, []string{"a"})
		_, err4 := client.Users(ctx, id)
		_, err5 := client.FindTask(ctx, "loc1", id, nil)
		for _, err := range []error{err1, err2, err3, err4, err5} {
			if clients.ReasonOf(err) != clients.Invalid {
				t.Errorf("%q: %v", id, err)
			}
		}
	}
	if tries.Load() != 0 {
		t.Errorf("%d calls", tries.Load())
	}
}

func TestAContactIsReadWithTolerance(t *testing.T) {
	client, _ := setup(t, answer(200, `{"contact":{"id":42,"name":null,"firstName":"jane","firstNameRaw":"Jane","email":"j@example.com",
		"phone":null,"tags":["vip",null,7],"dateUpdated":"2026-11-01T00:00:00.000Z","dnd":"true","assignedTo":null,"unknown":{"x":[]},
		"customFields":[{"id":"a","value":"2026-12-01"},{"id":"b","value":1764547200000},{"id":"c","value":["x","y"]},{"id":"d","value":null},{"id":"e"},{"value":"lost"},null]}}`))
	got, err := client.Contact(t.Context(), "42")
	if err != nil {
		t.Fatal(err)
	}
	want := highlevel.Contact{
		ID: "42", FirstName: "Jane", Email: "j@example.com", DND: true, Tags: []string{"vip", "7"}, DateUpdated: "2026-11-01T00:00:00.000Z",
		CustomFields: []highlevel.CustomFieldValue{
			{ID: "a", Value: json.RawMessage(`"2026-12-01"`)},
			{ID: "b", Value: json.RawMessage(`1764547200000`)},
			{ID: "c", Value: json.RawMessage(`["x","y"]`)},
			{ID: "d"},
			{ID: "e"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnAnswerWithoutAListIsNoEmptyList(t *testing.T) {
	client, _ := setup(t, answer(200, `{}`))
	ctx := t.Context()
	_, err1 := client.Tasks(ctx, "c1")
	_, err2 := client.Notes(ctx, "c1")
	_, err3 := client.SearchTasks(ctx, "l1", highlevel.TaskSearch{})
	_, err4 := client.CustomFields(ctx, "l1")
	_, err5 := client.Users(ctx, "l1")
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if clients.ReasonOf(err) != clients.Unavailable {
			t.Errorf("got %v, want unavailable", err)
		}
	}
}

func TestSearchingTasksIsRetriedAsTheReadItIs(t *testing.T) {
	client, tries := setup(t, answer(500, ``))
	_, err := client.SearchTasks(t.Context(), "l1", highlevel.TaskSearch{})
	if clients.ReasonOf(err) != clients.Unavailable || tries.Load() != 3 {
		t.Errorf("got %v after %d tries", err, tries.Load())
	}
}

func TestAListDropsWhatIsNoRecord(t *testing.T) {
	client, _ := setup(t, answer(200, `{"tasks":[null,{},{"id":"t1"}]}`))
	check(t, "Tasks", []highlevel.Task{{ID: "t1"}})(client.Tasks(t.Context(), "c1"))
}

// taskPages serves n tasks like the task search. capped limits a page; with ignoreSkip, the
// server does not know skip.
func taskPages(n, capped int, ignoreSkip bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Limit, Skip int }
		json.NewDecoder(r.Body).Decode(&in)
		if ignoreSkip {
			in.Skip = 0
		}
		tasks := []map[string]any{}
		for i := in.Skip; i < n && len(tasks) < min(in.Limit, capped); i++ {
			tasks = append(tasks, map[string]any{"id": "t" + strings.Repeat("x", i), "contactId": "c1"})
		}
		json.NewEncoder(w).Encode(map[string]any{"tasks": tasks})
	}
}

func TestFindTaskGoesThroughAllPages(t *testing.T) {
	last := "t" + strings.Repeat("x", 99)
	for _, capped := range []int{7, 25, 100} {
		client, _ := setup(t, taskPages(100, capped, false))
		if task, err := client.FindTask(t.Context(), "l1", last, nil); err != nil || task.ID != last || task.ContactID != "c1" {
			t.Errorf("pages of %d: got %v, %v", capped, task, err)
		}
		if _, err := client.FindTask(t.Context(), "l1", "absent", nil); clients.ReasonOf(err) != clients.NotFound {
			t.Errorf("pages of %d: got %v, want not found", capped, err)
		}
	}
	client, tries := setup(t, taskPages(100, 25, true))
	if _, err := client.FindTask(t.Context(), "l1", last, nil); clients.ReasonOf(err) != clients.NotFound || tries.Load() != 2 {
		t.Errorf("a server that ignores skip: got %v after %d calls", err, tries.Load())
	}
}

func TestNoTagsAreNoCall(t *testing.T) {
	client, tries := setup(t, answer(500, ``))
	if got, err := client.AddTags(t.Context(), "c1", nil); got != nil || err != nil || tries.Load() != 0 {
		t.Error(got, err, tries.Load())
	}
}

// TestEveryCallKeepsHighLevelsContract answers as HighLevel documents, and checks requests
// and answers against its OpenAPI.
func TestEveryCallKeepsHighLevelsContract(t *testing.T) {
	testenv.Long(t)
	contract := reference.HighLevelContract(t)
	mux := http.NewServeMux()
	serve := func(pattern string, status int, body string) { mux.HandleFunc(pattern, answer(status, body)) }
	const task = `{"id":"t1","title":"Call","body":"b","assignedTo":"u1","dueDate":"2026-12-02T10:00:00.000Z","completed":false,"contactId":"c1"}`
	const note = `{"id":"n1","body":"<p>x</p>","userId":"u1","dateAdded":"2026-11-01T00:00:00.000Z","contactId":"c1","pinned":true}`
	serve("GET /contacts/c1", 200, `{"contact":{"id":"c1","locationId":"l1","firstName":"Jane","tags":["vip"],"customFields":[{"id":"f1","value":3}],"assignedTo":null}}`)
	serve("POST /contacts/c1/tags", 201, `{"tags":["vip","new"]}`)
	serve("DELETE /contacts/c1/tags", 200, `{"tags":["vip"]}`)
	serve("GET /contacts/c1/tasks", 200, `{"tasks":[`+task+`]}`)
	serve("GET /contacts/c1/tasks/t1", 200, `{"task":`+task+`}`)
	serve("GET /contacts/c1/notes", 200, `{"notes":[`+note+`]}`)
	serve("GET /contacts/c1/notes/n1", 200, `{"note":`+note+`}`)
	serve("POST /locations/l1/tasks/search", 200, `{"tasks":[`+task+`]}`)
	serve("GET /locations/l1", 200, `{"location":{"id":"l1","name":"Mark Shoes","timezone":"America/Chicago"}}`)
	serve("GET /locations/l1/customFields", 200, `{"customFields":[{"id":"f1","name":"Milestone Date","fieldKey":"contact.milestone_date","dataType":"DATE","model":"contact"}]}`)
	serve("GET /users/", 200, `{"users":[{"id":"u1","firstName":"Ann","lastName":"Example","email":"ann@example.com"}]}`)
	server := httptest.NewServer(mux)
	defer server.Close()

	cfg := config(server.URL)
	cfg.HTTP = &http.Client{Transport: contract.Transport(nil)}
	client, ctx := highlevel.New(cfg), t.Context()
	wantTask := highlevel.Task{ID: "t1", Title: "Call", Body: "b", AssignedTo: "u1", DueDate: "2026-12-02T10:00:00.000Z", ContactID: "c1"}
	wantNote := highlevel.Note{ID: "n1", Body: "<p>x</p>", UserID: "u1", ContactID: "c1", DateAdded: "2026-11-01T00:00:00.000Z", Pinned: true}
	open := false

	check(t, "Contact", highlevel.Contact{
		ID: "c1", LocationID: "l1", FirstName: "Jane", Tags: []string{"vip"},
		CustomFields: []highlevel.CustomFieldValue{{ID: "f1", Value: json.RawMessage("3")}},
	})(client.Contact(ctx, "c1"))
	check(t, "AddTags", []string{"vip", "new"})(client.AddTags(ctx, "c1", []string{"new"}))
	check(t, "RemoveTags", []string{"vip"})(client.RemoveTags(ctx, "c1", []string{"new"}))
	check(t, "Tasks", []highlevel.Task{wantTask})(client.Tasks(ctx, "c1"))
	check(t, "Task", wantTask)(client.Task(ctx, "c1", "t1"))
	check(t, "SearchTasks", []highlevel.Task{wantTask})(client.SearchTasks(ctx, "l1", highlevel.TaskSearch{
		ContactIDs: []string{"c1"}, AssignedTo: []string{"u1"}, Completed: &open, Query: "Call", Limit: 10, Skip: 5,
	}))
	check(t, "FindTask", wantTask)(client.FindTask(ctx, "l1", "t1", nil))
	check(t, "Notes", []highlevel.Note{wantNote})(client.Notes(ctx, "c1"))
	check(t, "Note", wantNote)(client.Note(ctx, "c1", "n1"))
	check(t, "Location", highlevel.Location{ID: "l1", Name: "Mark Shoes", Timezone: "America/Chicago"})(client.Location(ctx, "l1"))
	check(t, "CustomFields", []highlevel.CustomField{{ID: "f1", Name: "Milestone Date", Key: "milestone_date", Type: "DATE", Model: "contact"}})(client.CustomFields(ctx, "l1"))
	check(t, "Users", []highlevel.User{{ID: "u1", Name: "Ann Example", FirstName: "Ann", LastName: "Example", Email: "ann@example.com"}})(client.Users(ctx, "l1"))
	if calls := contract.Calls(); len(calls) != 11 {
		t.Errorf("%d operations were called, want 11: %v", len(calls), calls)
	}
}

func check[T any](t *testing.T, name string, want T) func(T, error) {
	t.Helper()
	return func(got T, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}
