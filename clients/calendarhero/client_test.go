package calendarhero_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/testenv"
)

const (
	token = "eyJhbGciOiJIUzI1NiJ9.secret"
	id1   = "0123456789abcdef01234567"
)

// request is a request as the server saw it.
type request struct{ Line, Auth, Body string }

// record keeps all requests. The server writes it while the test may read it.
type record struct {
	mu       sync.Mutex
	requests []request
}

func (r *record) add(one request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, one)
}

func (r *record) all() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// setup starts a server, and returns a client for it and the record of its requests.
func setup(t *testing.T, handler http.HandlerFunc) (*calendarhero.Client, *record) {
	t.Helper()
	seen := &record{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen.add(request{r.Method + " " + r.URL.RequestURI(), r.Header.Get("Authorization"), string(body)})
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	return calendarhero.New(config(server.URL)), seen
}

func config(base string) calendarhero.Config {
	return calendarhero.Config{BaseURL: base, Token: token, RetryWait: func(int) time.Duration { return 0 }}
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

var pinned = calendarhero.MeetingRequest{
	Subject: "Closing: Jane", Type: "meeting", Description: "a\nb <c>",
	Start:  time.Date(2026, 12, 1, 16, 0, 0, 5e8, time.FixedZone("", 3600)),
	End:    time.Date(2026, 12, 1, 15, 30, 0, 0, time.UTC),
	Length: 30 * time.Minute, ContactEmails: []string{"jane@example.com"},
}

func TestRequestsAreAsDocumented(t *testing.T) {
	type call func(*calendarhero.Client) error
	for _, tc := range []struct {
		name, line, body string
		answer           http.HandlerFunc
		call             call
	}{
		{
			"user", "GET /user", "", answer(200, `{"id":"`+id1+`","email":"a@b.c"}`),
			func(c *calendarhero.Client) error { _, err := c.User(t.Context()); return err },
		},
		{
			"search", "GET /contact?search=jane%2Bx%40example.com", "", answer(200, `[]`),
			func(c *calendarhero.Client) error {
				_, err := c.SearchContacts(t.Context(), "jane+x@example.com")
				return err
			},
		},
		{
			"contact", "GET /contact/" + id1 + "?basic=true", "", answer(200, `{"id":"`+id1+`"}`),
			func(c *calendarhero.Client) error { _, err := c.Contact(t.Context(), id1); return err },
		},
		{
			"create contact", "POST /contact", `{"name":"Jane","email":["j@x.y"],"telephone":["1"]}`, answer(200, `{"id":"`+id1+`"}`),
			func(c *calendarhero.Client) error {
				_, err := c.CreateContact(t.Context(), calendarhero.Contact{ID: "ignored", Name: "Jane", Emails: []string{"j@x.y"}, Telephones: []string{"1"}})
				return err
			},
		},
		{
			"update contact", "PUT /contact/" + id1, `{"email":["j@x.y"],"defaultEmail":"j@x.y","title":"CEO","organization":"X"}`, answer(200, `"OK"`),
			func(c *calendarhero.Client) error {
				return c.UpdateContact(t.Context(), id1, calendarhero.Contact{Emails: []string{"j@x.y"}, DefaultEmail: "j@x.y", Title: "CEO", Organization: "X"})
			},
		},
		{
			"delete contact", "DELETE /contact/" + id1, "", answer(200, ``),
			func(c *calendarhero.Client) error { return c.DeleteContact(t.Context(), id1) },
		},
		{
			"create meeting request", "POST /meeting/tasks",
			`{"subject":"Closing: Jane","type":"meeting","dateStart":"2026-12-01T15:00:00Z","dateEnd":"2026-12-01T15:30:00Z","meetingLength":30,"contactEmails":["jane@example.com"],"description":"a\nb <c>"}`,
			answer(200, `{"id":"`+id1+`"}`),
			func(c *calendarhero.Client) error { _, err := c.CreateMeetingRequest(t.Context(), pinned); return err },
		},
		{
			"delete meeting request", "DELETE /meeting/tasks/" + id1, "", answer(204, ``),
			func(c *calendarhero.Client) error { return c.DeleteMeetingRequest(t.Context(), id1) },
		},
		{
			"remind", "PUT /meeting/tasks/" + id1 + "/remind", "", answer(200, `{"message":"sent"}`),
			func(c *calendarhero.Client) error { return c.Remind(t.Context(), id1) },
		},
	} {
		client, seen := setup(t, tc.answer)
		if err := tc.call(client); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if diff := cmp.Diff([]request{{tc.line, token, tc.body}}, seen.all()); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tc.name, diff)
		}
	}
}

func TestTheTokenIsSentAsConfigured(t *testing.T) {
	seen := &record{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.add(request{Auth: r.Header.Get("Authorization")})
		io.WriteString(w, `{"id":"1"}`)
	}))
	defer server.Close()
	cfg := config(server.URL)
	cfg.Auth = calendarhero.AuthBearer
	if _, err := calendarhero.New(cfg).User(t.Context()); err != nil || seen.all()[0].Auth != "Bearer "+token {
		t.Error(err, seen.all())
	}
	cfg.Auth = "basic"
	if _, err := calendarhero.New(cfg).User(t.Context()); clients.ReasonOf(err) != clients.Invalid {
		t.Error(err)
	}
	cfg.Token = ""
	if _, err := calendarhero.New(cfg).User(t.Context()); clients.ReasonOf(err) != clients.Unauthorized {
		t.Error(err)
	}
}

func TestFailuresSayWhatBecameOfTheCall(t *testing.T) {
	type call = func(*calendarhero.Client) error
	get := func(c *calendarhero.Client) error { _, err := c.Contact(t.Context(), id1); return err }
	create := func(c *calendarhero.Client) error { _, err := c.CreateMeetingRequest(t.Context(), pinned); return err }
	update := func(c *calendarhero.Client) error {
		return c.UpdateContact(t.Context(), id1, calendarhero.Contact{Emails: []string{"j@x.y"}})
	}
	remove := func(c *calendarhero.Client) error { return c.DeleteMeetingRequest(t.Context(), id1) }
	remind := func(c *calendarhero.Client) error { return c.Remind(t.Context(), id1) }
	boom := func(status int, message string) http.HandlerFunc {
		return answer(status, fmt.Sprintf(`{"statusCode":%d,"error":"E","message":%q}`, status, message))
	}
	abort := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	for _, tc := range []struct {
		name    string
		call    call
		answer  http.HandlerFunc
		reason  clients.Reason
		message string
		tries   int
	}{
		{"a bad token", get, boom(401, "Invalid token "+token), clients.Unauthorized, "Invalid token [token]", 1},
		{"an unknown id", get, boom(404, "Not Found"), clients.NotFound, "Not Found", 1},
		{"an unknown id of a delete", remove, boom(404, "Meeting task not found"), clients.NotFound, "Meeting task not found", 1},
		{"a gateway's answer to a delete", remove, answer(404, ""), clients.Unavailable, "", 1},
		{"a page of another server", remove, answer(404, "<html>"), clients.Unavailable, "", 1},
		{"a create that another server refused", create, answer(400, "<html>"), clients.Unclear, "", 1},
		{"a refused key", create, boom(400, `"x" is not allowed`), clients.Invalid, `"x" is not allowed`, 1},
		{"a read on a broken server", get, boom(500, "x"), clients.Unavailable, "x", 3},
		{"an update on a broken server", update, boom(502, ""), clients.Unavailable, "E", 3},
		{"a delete on a broken server", remove, abort, clients.Unavailable, "", 3},
		{"a create on a broken server", create, boom(500, "x"), clients.Unclear, "x", 1},
		{"a create whose answer is lost", create, abort, clients.Unclear, "", 1},
		{"a create that was limited", create, boom(429, "slow"), clients.RateLimited, "slow", 1},
		{"a create without an id", create, answer(200, `{"ok":true}`), clients.Unclear, "the answer holds no usable id", 1},
		{"a create with a strange id", create, answer(200, `{"id":"../1"}`), clients.Unclear, "the answer holds no usable id", 1},
		{"a create with an empty answer", create, answer(200, ``), clients.Unclear, "", 1},
		{"a create with an array", create, answer(200, `[]`), clients.Unclear, "", 1},
		{"a reminder whose answer is lost", remind, abort, clients.Unclear, "", 1},
		{"a record without an id", get, answer(200, `{}`), clients.Unavailable, "the answer holds no record", 1},
	} {
		client, seen := setup(t, tc.answer)
		err := tc.call(client)
		e, ok := errors.AsType[*clients.Error](err)
		if !ok {
			t.Errorf("%s: got %v, want a *clients.Error", tc.name, err)
			continue
		}
		if e.Reason != tc.reason || e.Message != tc.message || len(seen.all()) != tc.tries {
			t.Errorf("%s: got %s %q after %d tries, want %s %q after %d (%v)", tc.name, e.Reason, e.Message, len(seen.all()), tc.reason, tc.message, tc.tries, err)
		}
		for _, secret := range []string{token, "jane@example.com", "Closing: Jane"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error shows %q: %v", tc.name, secret, err)
			}
		}
	}
}

func TestAMeetingRequestWithoutATimeIsNotSent(t *testing.T) {
	client, seen := setup(t, answer(200, `{"id":"1"}`))
	for _, r := range []calendarhero.MeetingRequest{{}, {Subject: "x"}, {Subject: "x", Start: pinned.End, End: pinned.Start}} {
		if _, err := client.CreateMeetingRequest(t.Context(), r); clients.ReasonOf(err) != clients.Invalid {
			t.Error(err)
		}
	}
	if len(seen.all()) != 0 {
		t.Error(seen.all())
	}
}

func TestADigestOfAMeetingRequestOutlivesNewFields(t *testing.T) {
	got, err := json.Marshal(calendarhero.MeetingRequest{Subject: "s"})
	want := `{"Subject":"s","Start":"0001-01-01T00:00:00Z","End":"0001-01-01T00:00:00Z","Length":0,"Type":"","ContactEmails":null,"ContactIDs":null,"Description":"","Location":""}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestRecordsAreReadWithTolerance(t *testing.T) {
	client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/user":
			io.WriteString(w, `{"id":1,"email":"a@b.c","name":null,"timezone":"America/Toronto","plan":{}}`)
		case "/contact":
			io.WriteString(w, `[{"id":"1","name":"Jane","email":"j@x.y","telephone":[5,null]},null,{"name":"no id"},"x",{"id":"2","email":["a@b.c",null,"c@d.e"],"title":null}]`)
		case "/user/meeting":
			io.WriteString(w, `{"phone":{},"meeting":{"meetingLength":{"value":30}},"odd":null,"short":{"meetingLength":"15"},"bad":{"meetingLength":{"value":-1}}}`)
		}
	})
	user, err := client.User(t.Context())
	if want := (calendarhero.User{ID: "1", Email: "a@b.c", Timezone: "America/Toronto"}); err != nil || !cmp.Equal(user, want) {
		t.Errorf("got %+v, %v", user, err)
	}
	contacts, err := client.SearchContacts(t.Context(), "x")
	if diff := cmp.Diff([]calendarhero.Contact{
		{ID: "1", Name: "Jane", Emails: []string{"j@x.y"}, Telephones: []string{"5"}}, {ID: "2", Emails: []string{"a@b.c", "c@d.e"}},
	}, contacts); err != nil || diff != "" {
		t.Error(err, diff)
	}
	types, err := client.MeetingTypes(t.Context())
	if diff := cmp.Diff([]calendarhero.MeetingType{
		{Name: "bad"}, {Name: "meeting", Length: 30 * time.Minute}, {Name: "odd"}, {Name: "phone"}, {Name: "short", Length: 15 * time.Minute},
	}, types); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestMeetingTypesMayComeAsAnArray(t *testing.T) {
	client, _ := setup(t, answer(200, `["b",{"name":"a","meetingLength":45}]`))
	types, err := client.MeetingTypes(t.Context())
	if diff := cmp.Diff([]calendarhero.MeetingType{{Name: "a", Length: 45 * time.Minute}, {Name: "b"}}, types); err != nil || diff != "" {
		t.Error(err, diff)
	}
	client, _ = setup(t, answer(200, `"x"`))
	if _, err := client.MeetingTypes(t.Context()); clients.ReasonOf(err) != clients.Unavailable {
		t.Error(err)
	}
}

func TestAListedRequestIsReadWhole(t *testing.T) {
	var served atomic.Bool
	client, seen := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if served.Swap(true) {
			io.WriteString(w, `[]`)
			return
		}
		io.WriteString(w, `[{"id":"`+id1+`","info":"Closing [x7]","dates":["2026-12-01T15:00:00.000Z","2026-12-01T15:30:00"],"taskStatus":"scheduled","meetingLength":"30","meetingType":"meeting",
			"contacts":[{"contactName":"Jane","contactEmails":["j@x.y"]},{"contactName":null,"contactEmails":"k@x.y"},null],"dateAdded":"2026-11-01","dateUpdated":null},{"info":"no id"}]`)
	})
	got, err := client.MeetingRequests(t.Context(), calendarhero.StateUpcoming)
	if diff := cmp.Diff([]calendarhero.ListedRequest{{
		ID: id1, Title: "Closing [x7]", Status: "scheduled", Start: time.Date(2026, 12, 1, 15, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 15, 30, 0, 0, time.UTC),
		Length: 30 * time.Minute, Type: "meeting", Emails: []string{"j@x.y", "k@x.y"}, ContactNames: []string{"Jane"}, DateAdded: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
	}}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if seen.all()[0].Line != "GET /meeting/tasks?skip=0&state=upcoming&take=100" {
		t.Error(seen.all()[0].Line)
	}
}

// requestPages lists n requests. capped limits a page; ignoring serves the same page again
// and again.
func requestPages(n, capped int, ignoring bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		skip, _ := strconv.Atoi(r.URL.Query().Get("skip"))
		take, _ := strconv.Atoi(r.URL.Query().Get("take"))
		if ignoring {
			skip, take = 0, n
		}
		list := []map[string]any{}
		for i := skip; i < n && len(list) < min(take, capped); i++ {
			list = append(list, map[string]any{"id": strconv.Itoa(i)})
		}
		json.NewEncoder(w).Encode(list)
	}
}

func TestAllPagesAreListedOnce(t *testing.T) {
	testenv.Long(t)
	for _, n := range []int{0, 1, 9, 10, 11, 25, 100, 101, 250, 900} {
		for _, capped := range []int{10, 15, 100} {
			client, _ := setup(t, requestPages(n, capped, false))
			got, err := client.MeetingRequests(t.Context(), calendarhero.StateActive)
			if err != nil || len(got) != n {
				t.Errorf("%d in pages of %d: got %d, %v", n, capped, len(got), err)
			}
		}
	}
	client, seen := setup(t, requestPages(30, 1000, true))
	if got, err := client.MeetingRequests(t.Context(), calendarhero.StateActive); err != nil || len(got) != 30 || len(seen.all()) != 2 {
		t.Errorf("a server that ignores skip: got %d, %v after %d calls", len(got), err, len(seen.all()))
	}
}

func TestAServerThatRefusesALongPageIsAskedForAShorterOne(t *testing.T) {
	for limit, calls := range map[int]int{50: 6, 20: 9, 0: 4} { // for 60 requests, including rejected calls
		whole := requestPages(60, 1000, limit == 0)
		client, seen := setup(t, func(w http.ResponseWriter, r *http.Request) {
			if take, _ := strconv.Atoi(r.URL.Query().Get("take")); take > limit {
				answer(400, `{"statusCode":400,"error":"Bad Request","message":"take is too large"}`)(w, r)
				return
			}
			whole(w, r)
		})
		got, err := client.MeetingRequests(t.Context(), calendarhero.StateActive)
		if err != nil || len(got) != 60 || len(seen.all()) > calls {
			t.Errorf("at most %d at once: got %d, %v after %d calls", limit, len(got), err, len(seen.all()))
		}
		before := len(seen.all())
		if _, err := client.MeetingRequests(t.Context(), calendarhero.StateUpcoming); err != nil || len(seen.all())-before >= calls {
			t.Errorf("at most %d at once: it did not learn: %v, %d calls more", limit, err, len(seen.all())-before)
		}
	}
}

func TestAListIsWholeOrAnError(t *testing.T) {
	for _, body := range []string{`null`, `{}`, `{"tasks":[]}`, `<html>`} {
		client, _ := setup(t, answer(200, body))
		if got, err := client.MeetingRequests(t.Context(), calendarhero.StateActive); clients.ReasonOf(err) != clients.Unavailable || got != nil {
			t.Errorf("%s: got %v, %v", body, got, err)
		}
	}
	endless := 0
	client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
		endless++
		fmt.Fprintf(w, `[{"id":"%d"}]`, endless)
	})
	if got, err := client.MeetingRequests(t.Context(), calendarhero.StateActive); clients.ReasonOf(err) != clients.Unavailable || got != nil {
		t.Errorf("endless: got %v, %v", got, err)
	}
}
