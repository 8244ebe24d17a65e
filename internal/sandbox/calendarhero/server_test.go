package calendarhero

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/sandbox/fakehttp/fakehttptest"
)

type fakeTest struct {
	*Server
	t     *testing.T
	clock *fakehttptest.Clock
	url   string
	auth  string
}

func setup(t *testing.T, changes ...func(*Config)) *fakeTest {
	t.Helper()
	clock := fakehttptest.NewClock()
	config := Config{Clock: clock.Now, Token: "hero", User: User{Name: "Dana", Email: "dana@here.example", TimeZone: "America/New_York"}}
	for _, change := range changes {
		change(&config)
	}
	c := New(config)
	server := httptest.NewServer(c)
	t.Cleanup(func() { server.Close(); c.Close() })
	return &fakeTest{c, t, clock, server.URL, "hero"}
}

func (c *fakeTest) want(status int, method, path, body string) any {
	c.t.Helper()
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	fakehttptest.Must(c.t, err)
	req.Header.Set("Authorization", c.auth)
	res, err := http.DefaultClient.Do(req)
	fakehttptest.Must(c.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	fakehttptest.Must(c.t, err)
	if res.StatusCode != status {
		c.t.Fatalf("%s %s %s answered %d %s, want %d", method, path, body, res.StatusCode, raw, status)
	}
	var answer any
	if len(raw) > 0 {
		fakehttptest.Must(c.t, json.Unmarshal(raw, &answer))
	}
	if status >= 400 {
		if boom, _ := answer.(map[string]any); boom["statusCode"] != float64(status) || boom["error"] != http.StatusText(status) || boom["message"] == "" {
			c.t.Errorf("%s %s: the error body is %s", method, path, raw)
		}
	}
	return answer
}

func (c *fakeTest) make(body string) string {
	c.t.Helper()
	return c.want(200, "POST", "/meeting/tasks", body).(map[string]any)["id"].(string)
}

const aRequest = `{"subject":"Closing","dateStart":"2026-12-01T15:00:00Z","dateEnd":"2026-12-01T15:30:00Z","meetingLength":30,"type":"meeting","contactEmails":["jane@doe.example"],"description":"Bring keys"}`

func TestCalendarHeroTakesBothFormsOfItsToken(t *testing.T) {
	c := setup(t)
	for auth, status := range map[string]int{"hero": 200, "Bearer hero": 200, "": 401, "no": 401, "Bearer no": 401, "Token hero": 401} {
		c.auth = auth
		c.want(status, "GET", "/user", "")
	}
	c.auth = "hero"
	user := c.want(200, "GET", "/user", "").(map[string]any)
	if !isObjectID(user["id"].(string)) || user["timezone"] != "America/New_York" || user["email"] != "dana@here.example" {
		t.Errorf("user is %v", user)
	}
	types := c.want(200, "GET", "/user/meeting", "").(map[string]any)
	if length := types["meeting"].(map[string]any)["meetingLength"].(map[string]any)["value"]; length != 30.0 || len(types) != 3 {
		t.Errorf("meeting types are %v", types)
	}
}

func TestCalendarHeroRefusesWhatItsDocumentsDoNotKnow(t *testing.T) {
	c := setup(t)
	unknown := fakehttp.ObjectID()
	for _, tc := range []struct {
		status             int
		method, path, body string
	}{
		{400, "POST", "/meeting/tasks", `{"dateStart":"2026-12-01T15:00:00Z","dateEnd":"2026-12-01T15:30:00Z"}`},
		{400, "POST", "/meeting/tasks", `{"subject":"","dateStart":"2026-12-01T15:00:00Z","dateEnd":"2026-12-01T15:30:00Z"}`},
		{400, "POST", "/meeting/tasks", `{"subject":"s","dateEnd":"2026-12-01T15:30:00Z"}`},
		{400, "POST", "/meeting/tasks", `{"subject":"s","dateStart":"2026-12-01T15:00:00Z"}`},
		{400, "POST", "/meeting/tasks", `{"subject":"s","dateStart":"soon","dateEnd":"2026-12-01T15:30:00Z"}`},
		{400, "POST", "/meeting/tasks", `{"subject":"s","dateStart":1796137200000,"dateEnd":"2026-12-01T15:30:00Z"}`},
		{400, "POST", "/meeting/tasks", `{"subject":"s","dateStart":"2026-12-01T15:30:00Z","dateEnd":"2026-12-01T15:00:00Z"}`},
		{400, "POST", "/meeting/tasks", `{"subject":"s","dateStart":"2026-12-01T15:00:00Z","dateEnd":"2026-12-01T15:30:00Z","meetingLength":45}`},
		{400, "POST", "/meeting/tasks", `{"subject":"s","dateStart":"2026-12-01T15:00:00Z","dateEnd":"2026-12-01T15:30:00Z","externalId":"x"}`},
		{400, "POST", "/meeting/tasks", `{"subject":"s","dateStart":"2026-12-01T15:00:00Z","dateEnd":"2026-12-01T15:30:00Z","type":"party"}`},
		{400, "POST", "/meeting/tasks", `{"subject":"s","dateStart":"2026-12-01T15:00:00Z","dateEnd":"2026-12-01T15:30:00Z","contactEmails":["jane"]}`},
		{400, "POST", "/meeting/tasks", `{"subject":"s","dateStart":"2026-12-01T15:00:00Z","dateEnd":"2026-12-01T15:30:00Z","contacts":[{"email":"a@b.example"}]}`},
		{400, "POST", "/meeting/tasks", `{"subject":"s","dateStart":"2026-12-01T15:00:00Z","dateEnd":"2026-12-01T15:30:00Z","locations":["office"]}`},
		{400, "POST", "/meeting/tasks", `{"subject":"s","dateStart":"2026-12-01T15:00:00Z","dateEnd":"2026-12-01T15:30:00Z","room":{"seats":4}}`},
		{400, "POST", "/user/directories", `{"directoryName":"d","meetingTypes":[]}`},
		{400, "POST", "/user/directories", `{"directory":{"directoryName":"d"}}`},
		{400, "POST", "/user/directories", `{"directory":{"directoryName":"d","meetingTypes":[],"tags":[]}}`},
		{404, "GET", "/user/directories/" + unknown, ""},
		{404, "DELETE", "/user/meeting/party", ""},
		{400, "POST", "/meeting/tasks", `{`},
		{400, "GET", "/meeting/tasks?state=done", ""},
		{400, "GET", "/meeting/tasks?take=all", ""},
		{400, "GET", "/meeting/tasks?page=2", ""},
		{400, "GET", "/meeting", ""},
		{404, "PUT", "/meeting/tasks/" + unknown, aRequest},
		{404, "GET", "/meeting/tasks/" + unknown, ""},
		{404, "DELETE", "/meeting/tasks/" + unknown, ""},
		{400, "DELETE", "/meeting/tasks/ABC", ""},
		{404, "PUT", "/meeting/tasks/" + unknown + "/remind", ""},
		{404, "POST", "/event", `{}`},
		{404, "POST", "/note", `{}`},
		{404, "POST", "/task", `{}`},
		{400, "POST", "/contact", `{"name":"A"}`},
		{400, "POST", "/contact", `{"email":[]}`},
		{400, "POST", "/contact", `{"email":"a@b.example"}`},
		{400, "POST", "/contact", `{"email":["a@b.example"],"tags":["x"]}`},
		{400, "POST", "/contact", `{"email":["a@b.example"],"defaultEmail":"c@d.example"}`},
		{400, "GET", "/contact?search=a&filter=a", ""},
		{400, "GET", "/contact?filter=best", ""},
		{404, "GET", "/contact/" + unknown, ""},
		{404, "DELETE", "/contact/" + unknown, ""},
		{404, "PUT", "/contact/" + unknown, `{"email":["a@b.example"]}`},
		{400, "POST", "/webhook/contact_updated", `{"hookUrl":"https://x.example"}`},
		{400, "GET", "/webhook/contact_updated/sample", ""},
		{400, "POST", "/webhook/meeting_started", `{"hookUrl":"nowhere"}`},
	} {
		t.Run(fmt.Sprintf("%s %s %s", tc.method, tc.path, tc.body), func(t *testing.T) {
			c := *c
			c.t = t
			c.want(tc.status, tc.method, tc.path, tc.body)
		})
	}
	if len(c.Requests())+len(c.Contacts())+len(c.Mails()) != 0 {
		t.Error("refused requests left something behind")
	}
}

func TestCalendarHeroMakesTwoRequestsOfTwoEqualPostsAndMailsTwice(t *testing.T) {
	c := setup(t)
	a, b := c.make(aRequest), c.make(aRequest)
	if a == b || !isObjectID(a) || len(c.Mails()) != 2 {
		t.Errorf("ids %s and %s, mails %v", a, b, c.Mails())
	}
	if got := c.Contacts(); len(got) != 1 || got[0].Email[0] != "jane@doe.example" {
		t.Errorf("an invited stranger became %v", got)
	}
}

func TestCalendarHeroListsRequestsWithoutTheirDescription(t *testing.T) {
	c := setup(t)
	id := c.make(aRequest)
	list := c.want(200, "GET", "/meeting/tasks?state=active", "").([]any)
	item := list[0].(map[string]any)
	if _, has := item["description"]; has || item["id"] != id || item["info"] != "Closing" || item["meetingLength"] != 30.0 ||
		fmt.Sprint(item["dates"]) != "[2026-12-01T15:00:00.000Z 2026-12-01T15:30:00.000Z]" {
		t.Errorf("item is %v", item)
	}
	if contacts := fmt.Sprint(item["contacts"]); contacts != "[map[contactEmails:[jane@doe.example] contactName:jane@doe.example]]" {
		t.Errorf("contacts are %s", contacts)
	}
	if c.Requests()[0].Description != "Bring keys" {
		t.Error("the description was not kept")
	}
}

func TestCalendarHeroPagesItsRequests(t *testing.T) {
	c := setup(t, func(c *Config) { c.MaxTake = 3 })
	for range 5 {
		c.make(aRequest)
	}
	for path, want := range map[string]int{"": 3, "?take=2": 2, "?take=9": 3, "?skip=3": 2, "?skip=9": 0, "?take=0": 0, "?state=upcoming": 0, "?type=call": 0} {
		if got := len(c.want(200, "GET", "/meeting/tasks"+path, "").([]any)); got != want {
			t.Errorf("%q answered %d, want %d", path, got, want)
		}
	}
}

func TestARequestIsCancelledOnceAndItsInviteesAreTold(t *testing.T) {
	c := setup(t)
	id := c.make(aRequest)
	c.want(204, "DELETE", "/meeting/tasks/"+id, "")
	c.want(404, "DELETE", "/meeting/tasks/"+id, "")
	c.want(400, "PUT", "/meeting/tasks/"+id+"/remind", "")
	closed := c.want(200, "GET", "/meeting/tasks?state=closed", "").([]any)
	if len(closed) != 1 || closed[0].(map[string]any)["taskStatus"] != "cancelled" || len(c.Closed()) != 1 || len(c.Requests()) != 0 {
		t.Errorf("closed: %v", closed)
	}
	mails := c.Mails()
	if len(mails) != 2 || mails[1] != (Mail{"jane@doe.example", MailCancel, id, "Closing", c.clock.Now()}) {
		t.Errorf("mails: %v", mails)
	}
}

func TestOnlyAnActiveRequestIsReminded(t *testing.T) {
	c := setup(t)
	id := c.make(aRequest)
	c.want(200, "PUT", "/meeting/tasks/"+id+"/remind", "")
	fakehttptest.Must(t, c.Accept(id))
	c.want(400, "PUT", "/meeting/tasks/"+id+"/remind", "")
	if got := c.want(200, "GET", "/meeting/tasks?state=upcoming", "").([]any); len(got) != 1 {
		t.Errorf("upcoming: %v", got)
	}
	if mails := c.Mails(); len(mails) != 2 || mails[1].Kind != MailRemind {
		t.Errorf("mails: %v", mails)
	}
	if c.Accept(id) == nil {
		t.Error("a booked request was accepted again")
	}
}

func TestTimeClosesRequests(t *testing.T) {
	c := setup(t)
	booked, open := c.make(aRequest), c.make(aRequest)
	fakehttptest.Must(t, c.Accept(booked))
	window := "/meeting?start=2026-12-01&end=2026-12-02"
	if got := c.want(200, "GET", window, "").([]any); len(got) != 1 || got[0].(map[string]any)["description"] != "Closing" {
		t.Errorf("the calendar holds %v", got)
	}
	c.clock.Advance(time.Date(2026, 12, 1, 15, 30, 0, 0, time.UTC).Sub(c.clock.Now()))
	status := map[string]string{}
	for _, r := range c.Closed() {
		status[r.ID] = r.Status
	}
	if status[booked] != "completed" || status[open] != "expired" || len(c.Requests()) != 0 {
		t.Errorf("closed: %v", status)
	}
	c.want(404, "DELETE", "/meeting/tasks/"+open, "")
	if got := c.want(200, "GET", window, "").([]any); len(got) != 1 {
		t.Errorf("the calendar afterwards holds %v", got)
	}
}

func TestAPinnedRequestBooksAtOnceWhenConfigured(t *testing.T) {
	c := setup(t, func(c *Config) { c.BookAtOnce, c.RequireInvitee = true, true })
	c.make(aRequest)
	if got := c.Requests()[0]; got.State != StateUpcoming {
		t.Errorf("state is %s", got.State)
	}
	c.want(400, "POST", "/meeting/tasks", `{"subject":"s","dateStart":"2026-12-01T15:00:00Z","dateEnd":"2026-12-01T15:30:00Z"}`)
}

func TestCalendarHeroKeepsDuplicateContactsAndReplacesOnUpdate(t *testing.T) {
	c := setup(t)
	body := `{"name":"Jane Doe","email":["jane@doe.example","j@doe.example"],"title":"Buyer"}`
	first := c.want(200, "POST", "/contact", body).(map[string]any)["id"].(string)
	c.want(200, "POST", "/contact", body)
	for path, want := range map[string]int{"?search=JANE@doe.example": 1, "?search=j@doe.example&all=true": 2, "?search=@doe.example": 1, "?search=Jane+Doe": 1, "?search=nobody@x.example": 0, "?filter=j": 1, "?filter=k": 0} {
		if got := len(c.want(200, "GET", "/contact"+path, "").([]any)); got != want {
			t.Errorf("%s answered %d, want %d", path, got, want)
		}
	}
	if got := c.want(200, "GET", "/contact/count", "").(map[string]any)["count"]; got != 2.0 {
		t.Errorf("count is %v", got)
	}
	if got := c.want(200, "GET", "/contact/"+first, "").(map[string]any); got["insights"] == nil {
		t.Errorf("the full contact lacks insights: %v", got)
	}
	c.want(200, "PUT", "/contact/"+first, `{"email":["jane@doe.example"],"name":"Jane Roe"}`)
	got := c.want(200, "GET", "/contact/"+first+"?basic=true", "").(map[string]any)
	if got["name"] != "Jane Roe" || got["title"] != "" || got["insights"] != nil || len(got["email"].([]any)) != 1 {
		t.Errorf("after the update: %v", got)
	}
	c.want(200, "DELETE", "/contact/"+first, "")
	if len(c.Contacts()) != 1 {
		t.Errorf("contacts: %v", c.Contacts())
	}
}

func TestCalendarHeroHasOneHookPerEvent(t *testing.T) {
	c := setup(t)
	first := c.want(200, "POST", "/webhook/meeting_started", `{"hookUrl":"https://a.example/1"}`).(map[string]any)["id"]
	second := c.want(200, "POST", "/webhook/meeting_started", `{"hookUrl":"https://a.example/2"}`).(map[string]any)["id"]
	if got := c.want(200, "GET", "/webhook/meeting_started", "").(map[string]any); got["hookUrl"] != "https://a.example/2" || first != second {
		t.Errorf("registered is %v", got)
	}
	c.want(200, "GET", "/webhook/meeting_started/sample", "")
	c.want(200, "DELETE", "/webhook/meeting_started", "")
	if len(c.Hooks()) != 0 {
		t.Errorf("hooks: %v", c.Hooks())
	}
}

func TestCalendarHeroTellsItsHooksWhatHappens(t *testing.T) {
	r := &fakehttptest.Receiver{}
	c := setup(t, func(c *Config) { c.HookClient = &http.Client{Transport: r} })
	for _, event := range events {
		c.want(200, "POST", "/webhook/"+event, `{"hookUrl":"http://hooks.example/`+event+`"}`)
	}
	a, b := c.make(aRequest), c.make(aRequest)
	fakehttptest.Must(t, c.Accept(a))
	fakehttptest.Must(t, c.Reschedule(a, c.clock.Now().Add(time.Hour), c.clock.Now().Add(2*time.Hour)))
	fakehttptest.Must(t, c.Cancel(b))
	c.clock.Advance(2 * time.Hour)
	c.Settle()
	fakehttptest.Idle(t, c)
	var got []string
	for _, s := range c.Sent() {
		got = append(got, s.Type)
	}
	want := []string{"new_meeting_request", "new_meeting_request", "meeting_request_success", "meeting_rescheduled", "meeting_request_cancelled", "meeting_started", "meeting_completed"}
	if !slices.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
	for _, event := range r.Events(t) {
		if len(event) != 4 || event["id"] == nil || event["status"] == nil || event["dateScheduledStart"] == nil {
			t.Errorf("a hook got %v", event)
		}
	}
}

func TestTheLogsOfCalendarHeroAreBounded(t *testing.T) {
	c := setup(t, func(c *Config) { c.Log = 3 })
	for range 5 {
		c.want(204, "DELETE", "/meeting/tasks/"+c.make(aRequest), "")
	}
	if len(c.Mails()) != 3 || len(c.Closed()) != 3 {
		t.Errorf("%d mails, %d closed", len(c.Mails()), len(c.Closed()))
	}
}

func TestCalendarHeroCanBeFaultyToo(t *testing.T) {
	c := setup(t)
	c.Faults().Next("POST /meeting/tasks", 1, fakehttp.FailWith(500))
	c.want(500, "POST", "/meeting/tasks", aRequest)
	c.make(aRequest)
	if got := c.Calls()["POST /meeting/tasks"]; got != 2 || len(c.Requests()) != 1 {
		t.Errorf("%d calls, %d requests", got, len(c.Requests()))
	}
}
