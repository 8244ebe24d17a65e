package highlevel

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
	"milepost/internal/testenv/reference"
)

const (
	testToken    = "pit-test"
	testLocation = "loc00000000000000001"
	otherPlace   = "loc00000000000000002"
)

type fakeTest struct {
	*Server
	t       *testing.T
	clock   *fakehttptest.Clock
	url     string
	client  *http.Client
	contact Contact
	headers map[string]string
}

func setup(t *testing.T, changes ...func(*Config)) *fakeTest {
	t.Helper()
	clock := fakehttptest.NewClock()
	config := Config{Clock: clock.Now, AppID: "0123456789abcdef01234567", Token: testToken, LocationIDs: []string{testLocation}}
	for _, change := range changes {
		change(&config)
	}
	h := New(config)
	t.Cleanup(h.Close)
	h.SeedLocation(Location{ID: testLocation, Name: "Here", TimeZone: "America/New_York"},
		[]User{{ID: "user1", FirstName: "Dana", LastName: "Whitfield", Email: "dana@here.example"}},
		[]CustomField{
			{ID: "fieldMilestone", Name: "Milestone", DataType: "SINGLE_OPTIONS", Options: []string{"Closing"}},
			{ID: "fieldDate", Name: "Milestone Date", DataType: "DATE"},
			{ID: "fieldBudget", Name: "Budget", DataType: "NUMERICAL"},
		})
	h.SeedLocation(Location{ID: otherPlace, Name: "Elsewhere"}, nil, nil)
	contact, err := h.SeedContact(Contact{FirstName: "Jane", LastName: "Doe", Email: "jane@doe.example", Phone: "+12125550199", Tags: []string{"VIP"}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return &fakeTest{
		Server: h, t: t, clock: clock, url: server.URL, client: server.Client(), contact: contact,
		headers: map[string]string{"Authorization": "Bearer " + testToken, "Version": "2021-07-28"},
	}
}

// call sends a request and returns status and body.
func (h *fakeTest) call(method, path, body string) (int, map[string]any) {
	h.t.Helper()
	status, _, answer := h.exchange(method, path, body)
	return status, answer
}

func (h *fakeTest) exchange(method, path, body string) (int, http.Header, map[string]any) {
	h.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, h.url+path, reader)
	if err != nil {
		h.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for key, value := range h.headers {
		req.Header.Set(key, value)
	}
	res, err := h.client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	return res.StatusCode, res.Header, answer
}

// want sends a request, expects the status and returns the body.
func (h *fakeTest) want(status int, method, path, body string) map[string]any {
	h.t.Helper()
	got, answer := h.call(method, path, body)
	if got != status {
		h.t.Fatalf("%s %s %s answered %d %v, want %d", method, path, body, got, answer, status)
	}
	return answer
}

func (h *fakeTest) types() []string {
	var out []string
	for _, s := range h.Sent() {
		out = append(out, s.Type)
	}
	return out
}

func TestHighLevelRefusesWhatTheRealOneRefuses(t *testing.T) {
	h := setup(t)
	foreign, err := h.SeedContact(Contact{LocationID: otherPlace, FirstName: "Far"})
	if err != nil {
		t.Fatal(err)
	}
	me := "/contacts/" + h.contact.ID
	for _, tc := range []struct {
		name, method, path, body string
		headers                  map[string]string
		status                   int
		message                  string // the message, or one of the list
	}{
		{name: "no token", method: "GET", path: me, headers: map[string]string{"Authorization": ""}, status: 401, message: "Invalid JWT"},
		{name: "a wrong token", method: "GET", path: me, headers: map[string]string{"Authorization": "Bearer no"}, status: 401, message: "Invalid token: access token is invalid"},
		{name: "a token without Bearer", method: "GET", path: me, headers: map[string]string{"Authorization": testToken}, status: 401, message: "Invalid JWT"},
		{name: "no Version", method: "GET", path: me, headers: map[string]string{"Version": ""}, status: 401, message: "version header was not found."},
		{name: "an unknown Version", method: "GET", path: me, headers: map[string]string{"Version": "2020-01-01"}, status: 401, message: "version header is invalid"},
		{name: "another tenant's contact", method: "GET", path: "/contacts/" + foreign.ID, status: 403, message: "The token does not have access to this location."},
		{name: "another tenant's location", method: "GET", path: "/locations/" + otherPlace, status: 403, message: "The token does not have access to this location."},
		{name: "another tenant's tasks", method: "POST", path: "/locations/" + otherPlace + "/tasks/search", body: `{}`, status: 403, message: "The token does not have access to this location."},
		{name: "an unknown contact", method: "GET", path: "/contacts/nobody", status: 400, message: "Contact with id nobody not found"},
		{name: "an unknown task", method: "GET", path: me + "/tasks/none", status: 404, message: "Task with id none not found"},
		{name: "an unknown note", method: "GET", path: me + "/notes/none", status: 404, message: "Note with id none not found"},
		{name: "an unknown route", method: "GET", path: "/contact/x", status: 404, message: "Cannot GET /contact/x"},
		{name: "a method that a route has not", method: "PATCH", path: me, status: 404, message: "Cannot PATCH " + me},
		{name: "the list without its slash", method: "GET", path: "/contacts?locationId=" + testLocation, status: 404, message: "Cannot GET /contacts"},
		{name: "an unknown key", method: "PUT", path: me, body: `{"nickname":"J"}`, status: 422, message: "property nickname should not exist"},
		{name: "a location on update", method: "PUT", path: me, body: `{"locationId":"x"}`, status: 422, message: "property locationId should not exist"},
		{name: "a company on update", method: "PUT", path: me, body: `{"companyName":"x"}`, status: 422, message: "property companyName should not exist"},
		{name: "a bad e-mail", method: "PUT", path: me, body: `{"email":"jane"}`, status: 422, message: "email must be an email"},
		{name: "a contact without location", method: "POST", path: "/contacts/", body: `{"firstName":"A"}`, status: 422, message: "locationId should not be empty"},
		{name: "v3's name of a field value before v3", method: "PUT", path: me, body: `{"customFields":[{"id":"fieldDate","fieldValue":"2026-12-01"}]}`, status: 422, message: "customFields.0.property fieldValue should not exist"},
		{name: "an unknown custom field", method: "PUT", path: me, body: `{"customFields":[{"id":"none","field_value":"x"}]}`, status: 400, message: "Custom field with id or key none not found"},
		{name: "a slash date", method: "PUT", path: me, body: `{"customFields":[{"id":"fieldDate","field_value":"12/01/2026"}]}`, status: 400, message: "Invalid Custom Field Value: Milestone Date takes a date YYYY-MM-DD"},
		{name: "a date in milliseconds", method: "PUT", path: me, body: `{"customFields":[{"id":"fieldDate","field_value":1796083200000}]}`, status: 400, message: "Invalid Custom Field Value: Milestone Date takes a date YYYY-MM-DD"},
		{name: "a task without title", method: "POST", path: me + "/tasks", body: `{"dueDate":"2026-12-01T10:00:00Z","completed":false}`, status: 422, message: "title should not be empty"},
		{name: "a task without due date", method: "POST", path: me + "/tasks", body: `{"title":"t","completed":false}`, status: 422, message: "dueDate must be a valid ISO 8601 date string"},
		{name: "a task without completed", method: "POST", path: me + "/tasks", body: `{"title":"t","dueDate":"2026-12-01T10:00:00Z"}`, status: 422, message: "completed must be a boolean value"},
		{name: "a task with a bad date", method: "POST", path: me + "/tasks", body: `{"title":"t","dueDate":"tomorrow","completed":false}`, status: 422, message: "dueDate must be a valid ISO 8601 date string"},
		{name: "a note without body", method: "POST", path: me + "/notes", body: `{"title":"t"}`, status: 422, message: "body should not be empty"},
		{name: "tags that are no list", method: "POST", path: me + "/tags", body: `{"tags":"a"}`, status: 422, message: "tags must be an array"},
		{name: "tags that are no text", method: "POST", path: me + "/tags", body: `{"tags":[1]}`, status: 422, message: "each value in tags must be a string"},
		{name: "task search by page", method: "POST", path: "/locations/" + testLocation + "/tasks/search", body: `{"page":1}`, status: 422, message: "property page should not exist"},
		{name: "contact search without page limit", method: "POST", path: "/contacts/search", body: `{"locationId":"` + testLocation + `"}`, status: 422, message: "pageLimit should not be empty"},
		{name: "contact search with too large pages", method: "POST", path: "/contacts/search", body: `{"locationId":"` + testLocation + `","pageLimit":501}`, status: 422, message: "pageLimit must not be greater than 500 nor less than 1"},
		{name: "contact search by an unknown field", method: "POST", path: "/contacts/search", body: `{"locationId":"` + testLocation + `","pageLimit":1,"filters":[{"field":"shoe","operator":"eq","value":1}]}`, status: 422, message: "Invalid field shoe in filters"},
		{name: "contact search beyond 10000 by page", method: "POST", path: "/contacts/search", body: `{"locationId":"` + testLocation + `","pageLimit":500,"page":21}`, status: 400, message: "only the first 10000 contacts can be reached by page; use searchAfter"},
		{name: "no JSON", method: "PUT", path: me, body: `{`, status: 400, message: "Unexpected token in JSON"},
		{name: "users without location", method: "GET", path: "/users/", status: 422, message: "locationId should not be empty"},
		{name: "fields of an unknown model", method: "GET", path: "/locations/" + testLocation + "/customFields?model=task", status: 422, message: "model must be one of the following values: contact, opportunity, all"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := *h
			h.t, h.headers = t, map[string]string{"Authorization": "Bearer " + testToken, "Version": "2021-07-28"}
			for key, value := range tc.headers {
				h.headers[key] = value
			}
			answer := h.want(tc.status, tc.method, tc.path, tc.body)
			var messages []string
			if list, ok := answer["message"].([]any); ok {
				for _, m := range list {
					messages = append(messages, fmt.Sprint(m))
				}
			} else {
				messages = []string{fmt.Sprint(answer["message"])}
			}
			if _, isList := answer["message"].([]any); isList != (tc.status == 422) {
				t.Errorf("message is %v; it is a list with 422 and only there", answer["message"])
			}
			if !slices.Contains(messages, tc.message) {
				t.Errorf("message %q, want %q", messages, tc.message)
			}
			if answer["traceId"] == "" || answer["statusCode"] != float64(tc.status) {
				t.Errorf("error body %v has no traceId or another statusCode", answer)
			}
		})
	}
	if sent := h.Sent(); len(sent) != 0 {
		t.Errorf("refused requests sent webhooks: %v", h.types())
	}
}

func TestHighLevelKeepsItsContract(t *testing.T) {
	h := setup(t)
	contract := reference.HighLevelContract(t)
	h.client = &http.Client{Transport: contract.Transport(h.client.Transport)}
	here := `"locationId":"` + testLocation + `"`

	id := func(answer map[string]any, of string) string {
		t.Helper()
		record, _ := answer[of].(map[string]any)
		s, _ := record["id"].(string)
		if s == "" {
			t.Fatalf("no %s in %v", of, answer)
		}
		return s
	}
	contact := id(h.want(201, "POST", "/contacts/", `{`+here+`,"firstName":"Ann","lastName":"Lee","email":"ann@lee.example","dateOfBirth":null,"tags":["New"],"customFields":[{"key":"milestone","field_value":"Closing"},{"id":"fieldBudget","field_value":7}]}`), "contact")
	me := "/contacts/" + contact
	h.want(200, "GET", me, "")
	h.want(200, "PUT", me, `{"phone":"+12125550123","customFields":[{"id":"fieldDate","field_value":"2026-12-01"}]}`)
	h.want(200, "POST", "/contacts/upsert", `{`+here+`,"email":"ann@lee.example","lastName":"Leigh"}`)
	h.want(201, "POST", "/contacts/upsert", `{`+here+`,"email":"bob@lee.example"}`)
	h.want(200, "POST", "/contacts/search", `{`+here+`,"pageLimit":10,"sort":[{"field":"dateUpdated","direction":"asc"}],"filters":[{"field":"dateUpdated","operator":"range","value":{"gte":1}}]}`)
	h.want(200, "GET", "/contacts/search/duplicate?locationId="+testLocation+"&email=ann%40lee.example", "")
	h.want(200, "GET", "/contacts/?locationId="+testLocation+"&limit=2", "")
	h.want(201, "POST", me+"/tags", `{"tags":["Buyer"]}`)
	h.want(200, "DELETE", me+"/tags", `{"tags":["buyer"]}`)
	task := id(h.want(201, "POST", me+"/tasks", `{"title":"t","body":"b","dueDate":"2026-12-01T10:00:00Z","completed":false,"assignedTo":"user1"}`), "task")
	h.want(200, "GET", me+"/tasks", "")
	h.want(200, "GET", me+"/tasks/"+task, "")
	h.want(200, "PUT", me+"/tasks/"+task, `{"title":"u"}`)
	h.want(200, "PUT", me+"/tasks/"+task+"/completed", `{"completed":true}`)
	h.want(200, "POST", "/locations/"+testLocation+"/tasks/search", `{"completed":true,"limit":5,"skip":0}`)
	h.want(200, "DELETE", me+"/tasks/"+task, "")
	note := id(h.want(201, "POST", me+"/notes", `{"body":"n","title":"x","pinned":true,"color":"#FFAA00"}`), "note")
	h.want(200, "GET", me+"/notes", "")
	h.want(200, "GET", me+"/notes/"+note, "")
	h.want(200, "PUT", me+"/notes/"+note, `{"body":"m"}`)
	h.want(200, "DELETE", me+"/notes/"+note, "")
	h.want(200, "GET", "/locations/"+testLocation, "")
	h.want(200, "GET", "/locations/"+testLocation+"/customFields?model=contact", "")
	h.want(201, "POST", "/locations/"+testLocation+"/customFields", `{"name":"Closing Date","dataType":"DATE","model":"contact"}`)
	h.want(200, "GET", "/locations/"+testLocation+"/tags", "")
	h.want(200, "GET", "/users/?locationId="+testLocation, "")
	h.want(200, "DELETE", me, "")

	operations := 0
	for operation := range h.Calls() {
		if operation != fakehttp.UnknownRoute {
			operations++
		}
	}
	if operations != 27 {
		t.Errorf("the contract saw %d of the 27 operations: %v", operations, h.Calls())
	}
}

func TestHighLevelAnswersADuplicateWithTheOneItHas(t *testing.T) {
	h := setup(t)
	answer := h.want(400, "POST", "/contacts/", `{"locationId":"`+testLocation+`","email":"JANE@doe.example"}`)
	meta, _ := answer["meta"].(map[string]any)
	if meta["contactId"] != h.contact.ID || meta["matchingField"] != "email" || meta["contactName"] != "Jane Doe" {
		t.Errorf("meta is %v", meta)
	}
	answer = h.want(400, "POST", "/contacts/", `{"locationId":"`+testLocation+`","phone":"+12125550199"}`)
	if meta, _ := answer["meta"].(map[string]any); meta["matchingField"] != "phone" {
		t.Errorf("meta is %v", meta)
	}
}

func TestHighLevelMakesTwoTasksOfTwoEqualPosts(t *testing.T) {
	h := setup(t)
	for range 2 {
		h.want(201, "POST", "/contacts/"+h.contact.ID+"/tasks", `{"title":"t","dueDate":"2026-12-01","completed":false}`)
	}
	if tasks := h.Tasks(h.contact.ID); len(tasks) != 2 || tasks[0].ID == tasks[1].ID {
		t.Errorf("tasks: %v", tasks)
	}
}

func TestHighLevelLowersTagsAndOverwritesThemOnUpdate(t *testing.T) {
	h := setup(t)
	if got := h.Tags(h.contact.ID); !slices.Equal(got, []string{"vip"}) {
		t.Errorf("seeded tags are %q", got)
	}
	h.want(201, "POST", "/contacts/"+h.contact.ID+"/tags", `{"tags":["Hot Lead","VIP"]}`)
	if got := h.Tags(h.contact.ID); !slices.Equal(got, []string{"vip", "hot lead"}) {
		t.Errorf("tags after adding are %q", got)
	}
	h.want(200, "PUT", "/contacts/"+h.contact.ID, `{"tags":["Only"]}`)
	if got := h.Tags(h.contact.ID); !slices.Equal(got, []string{"only"}) {
		t.Errorf("tags after an update are %q", got)
	}
}

func TestHighLevelDropsTheTimeOfDayAndReadsDatesBackInAnyForm(t *testing.T) {
	h := setup(t)
	h.want(200, "PUT", "/contacts/"+h.contact.ID, `{"customFields":[{"key":"contact.milestone_date","field_value":"2026-12-01T14:30:00.000Z"},{"id":"fieldMilestone","field_value":"Closing"}]}`)
	for _, tc := range []struct {
		form DateForm
		want any
	}{{DateOnly, "2026-12-01"}, {DateISO, "2026-12-01T00:00:00.000Z"}, {DateEpochMillis, 1796083200000.0}} {
		h.SetDateForm(tc.form)
		contact := h.want(200, "GET", "/contacts/"+h.contact.ID, "")["contact"].(map[string]any)
		got := map[any]any{}
		for _, f := range contact["customFields"].([]any) {
			f := f.(map[string]any)
			got[f["id"]] = f["value"]
		}
		if got["fieldDate"] != tc.want || got["fieldMilestone"] != "Closing" {
			t.Errorf("form %d reads back %v, want %v", tc.form, got, tc.want)
		}
	}
	h.want(200, "PUT", "/contacts/"+h.contact.ID, `{"customFields":[{"id":"fieldDate","field_value":""}]}`)
	if contact, _ := h.Contact(h.contact.ID); len(contact.CustomFields) != 1 {
		t.Errorf("an empty value did not clear the date: %v", contact.CustomFields)
	}
}

func TestHighLevelSpeaksV3WhenAsked(t *testing.T) {
	h := setup(t)
	answer := h.want(200, "PUT", "/contacts/"+h.contact.ID, `{"city":"Beacon"}`)
	if answer["succeded"] != true || answer["succeeded"] != nil {
		t.Errorf("v2 answered %v", answer)
	}
	h.headers["Version"] = "v3"
	answer = h.want(200, "PUT", "/contacts/"+h.contact.ID, `{"customFields":[{"id":"fieldDate","fieldValue":"2026-12-01"}]}`)
	if answer["succeeded"] != true || answer["succeded"] != nil {
		t.Errorf("v3 answered %v", answer)
	}
	h.want(404, "GET", "/contacts/?locationId="+testLocation, "")
}

func TestHighLevelLimitsRequestsPerLocation(t *testing.T) {
	h := setup(t, func(c *Config) { c.RateLimit, c.RateDaily = true, 102 })
	for i := range 100 {
		status, header, _ := h.exchange("GET", "/contacts/"+h.contact.ID, "")
		if status != 200 || header.Get("X-RateLimit-Remaining") != fmt.Sprint(99-i) {
			t.Fatalf("request %d answered %d with %v", i+1, status, header)
		}
	}
	status, header, _ := h.exchange("GET", "/contacts/"+h.contact.ID, "")
	for key, want := range map[string]string{
		"X-RateLimit-Max": "100", "X-RateLimit-Remaining": "0", "X-RateLimit-Interval-Milliseconds": "10000",
		"X-RateLimit-Limit-Daily": "102", "X-RateLimit-Daily-Remaining": "2",
	} {
		if header.Get(key) != want {
			t.Errorf("%s is %q, want %q", key, header.Get(key), want)
		}
	}
	if status != 429 {
		t.Errorf("request 101 answered %d", status)
	}
	h.clock.Advance(10 * time.Second)
	h.want(200, "GET", "/contacts/"+h.contact.ID, "")
	h.want(200, "GET", "/contacts/"+h.contact.ID, "")
	status, header, _ = h.exchange("GET", "/contacts/"+h.contact.ID, "")
	if status != 429 || header.Get("X-RateLimit-Daily-Remaining") != "0" {
		t.Errorf("over the daily limit answered %d with %v", status, header)
	}
	h.clock.Advance(24 * time.Hour)
	h.want(200, "GET", "/contacts/"+h.contact.ID, "")
}

func TestASlidingLimitHoldsInEveryWindow(t *testing.T) {
	h := setup(t, func(c *Config) { c.RateLimit, c.RateMax, c.RateSliding = true, 3, true })
	get := func(want int, remaining string) {
		t.Helper()
		status, header, _ := h.exchange("GET", "/contacts/"+h.contact.ID, "")
		if status != want || header.Get("X-RateLimit-Remaining") != remaining {
			t.Errorf("answered %d with %s remaining, want %d with %s", status, header.Get("X-RateLimit-Remaining"), want, remaining)
		}
	}
	get(200, "2")
	h.clock.Advance(9 * time.Second)
	get(200, "1")
	get(200, "0")
	h.clock.Advance(2 * time.Second) // a fixed window would begin anew
	get(200, "0")
	get(429, "0")
	h.clock.Advance(8 * time.Second)
	get(200, "1")
}

func TestHighLevelSearchesContactsByTheirLastChange(t *testing.T) {
	h := setup(t)
	var ids []string
	for i := range 5 {
		h.clock.Advance(time.Hour)
		c, err := h.CreateContact(Contact{FirstName: fmt.Sprintf("Contact %d", i), Tags: []string{"batch"}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, c.ID)
	}
	since := fakehttptest.NewClock().Now().Add(2 * time.Hour)
	search := func(more string) (got []string, rows []any, total any) {
		t.Helper()
		answer := h.want(200, "POST", "/contacts/search", `{"locationId":"`+testLocation+`","pageLimit":2,
			"filters":[{"field":"dateUpdated","operator":"range","value":{"gte":"`+fakehttp.ISOMillis(since)+`"}},{"group":"OR","filters":[{"field":"tags","operator":"eq","value":"batch"},{"field":"email","operator":"exists"}]}],
			"sort":[{"field":"dateUpdated","direction":"asc"}]`+more+`}`)
		rows = answer["contacts"].([]any)
		for _, row := range rows {
			got = append(got, row.(map[string]any)["id"].(string))
		}
		return got, rows, answer["total"]
	}
	got, rows, total := search("")
	if !slices.Equal(got, ids[1:3]) || total != 4.0 {
		t.Errorf("the first page is %v of %v, want %v", got, total, ids[1:3])
	}
	if row := rows[0].(map[string]any); row["firstName"] != nil || row["firstNameLowerCase"] != "contact 1" {
		t.Errorf("a row has %v", row)
	}
	if got, _, _ := search(`,"page":2`); !slices.Equal(got, ids[3:]) {
		t.Errorf("the second page is %v, want %v", got, ids[3:])
	}
	cursor, _ := json.Marshal(rows[1].(map[string]any)["searchAfter"])
	if got, _, _ := search(`,"searchAfter":` + string(cursor)); !slices.Equal(got, ids[3:]) {
		t.Errorf("after the cursor comes %v, want %v", got, ids[3:])
	}
}

func TestHighLevelSearchLagsBehindWrites(t *testing.T) {
	h := setup(t, func(c *Config) { c.SearchLag = 3 * time.Second })
	search := func() any {
		return h.want(200, "POST", "/contacts/search", `{"locationId":"`+testLocation+`","pageLimit":2}`)["total"]
	}
	if got := search(); got != 0.0 {
		t.Errorf("a fresh contact is found at once: %v", got)
	}
	h.clock.Advance(3 * time.Second)
	if got := search(); got != 1.0 {
		t.Errorf("the contact is not found after the lag: %v", got)
	}
}

func TestHighLevelAnswersTwentyFiveTasksUnlessTold(t *testing.T) {
	h := setup(t)
	for i := range 30 {
		if _, err := h.SeedTask(Task{ContactID: h.contact.ID, Title: fmt.Sprintf("Task %d", i), Completed: i%2 == 0, AssignedTo: "user1"}); err != nil {
			t.Fatal(err)
		}
	}
	for body, want := range map[string]int{
		`{}`: 25, `{"skip":25}`: 5, `{"limit":100}`: 30, `{"completed":true,"limit":100}`: 15, `{"query":"task 7"}`: 1,
		`{"contactId":["nobody"]}`: 0, `{"assignedTo":["user1"],"skip":29}`: 1,
	} {
		answer := h.want(200, "POST", "/locations/"+testLocation+"/tasks/search", body)
		if got := len(answer["tasks"].([]any)); got != want {
			t.Errorf("%s answered %d tasks, want %d", body, got, want)
		}
	}
}

func TestHighLevelListsContactsPageByPage(t *testing.T) {
	h := setup(t)
	for i := range 4 {
		h.clock.Advance(time.Minute)
		if _, err := h.SeedContact(Contact{FirstName: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	seen, path := 0, "/contacts/?limit=2&locationId="+testLocation
	for range 3 {
		answer := h.want(200, "GET", path, "")
		seen += len(answer["contacts"].([]any))
		next, _ := answer["meta"].(map[string]any)["nextPageUrl"].(string)
		path = strings.TrimPrefix(next, h.url)
	}
	if seen != 5 || path != "" {
		t.Errorf("three pages of two hold %d contacts, next %q", seen, path)
	}
}

func TestHighLevelCountsCallsByRoute(t *testing.T) {
	h := setup(t)
	h.want(200, "GET", "/contacts/"+h.contact.ID, "")
	h.want(400, "GET", "/contacts/nobody", "")
	h.want(404, "GET", "/nothing/here", "")
	if got := h.Calls(); got["GET /contacts/{contactId}"] != 2 || got[fakehttp.UnknownRoute] != 1 || len(got) != 2 {
		t.Errorf("calls: %v", got)
	}
	h.ResetCalls()
	if got := h.Calls(); len(got) != 0 {
		t.Errorf("calls after a reset: %v", got)
	}
}
