package contract

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

	"github.com/google/go-cmp/cmp"

	"milepost/clients"
	"milepost/clients/calendarhero"
	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/testenv"
)

const token = "eyJhbGciOiJIUzI1NiJ9.secret"

// setup returns a sandbox that has something of everything, and a client of it.
func setup(t *testing.T) (*chfake.Server, *calendarhero.Client) {
	t.Helper()
	fake := chfake.New(chfake.Config{
		Token: token, User: chfake.User{Name: "Dana Whitfield", Email: "dana@here.example", TimeZone: "America/New_York"},
		MeetingTypes: map[string]time.Duration{"DivorceConsult": time.Hour}, ProviderSecret: "ya29.secret",
	})
	t.Cleanup(fake.Close)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	start := time.Now().Add(time.Hour)
	for _, name := range []string{"Jane Doe", "Bob Roe", "Kim Poe"} {
		person := chfake.Contact{Name: name, Email: []string{strings.Fields(name)[0] + "@private.example"}}
		if _, err := fake.BookByLink(person, "Viewing with "+name, start, start.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := fake.SetHook(calendarhero.MeetingStarted, "https://other.example/hook/S3cret"); err != nil {
		t.Fatal(err)
	}
	return fake, clientOf(server.URL)
}

func clientOf(url string) *calendarhero.Client {
	return calendarhero.New(calendarhero.Config{BaseURL: url, Token: token, RetryWait: func(int) time.Duration { return 0 }})
}

func examine(t *testing.T, client *calendarhero.Client) Report {
	t.Helper()
	report, err := Examine(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestTheSandboxIsAsMilepostReliesOnItAndNothingIsChanged(t *testing.T) {
	fake, client := setup(t)
	report := examine(t, client)
	if len(report.Differs)+len(report.Notes) != 0 {
		t.Errorf("differs %q, notes %q", report.Differs, report.Notes)
	}
	text := report.Markdown("v1")
	for _, want := range []string{
		"v1", "8 of 8 answered; something is registered for 1", "description in 0 of 2 items; taskStatus: `scheduled`",
		"take is kept to", "not_found (404)", "PUT needs email", "contactEmails: list of text: e-mail address",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no word of %q in\n%s", want, text)
		}
	}
	for _, secret := range []string{token, "secret", "S3cret", "other.example", "private", "Jane", "Doe@", "Viewing", "Dana", "Whitfield", "here.example", "Divorce", "New_York", fake.User().ID, fake.Requests()[0].ID} {
		if strings.Contains(text, secret) {
			t.Errorf("the report holds %q", secret)
		}
	}
	for operation := range fake.Calls() {
		if !strings.HasPrefix(operation, "GET ") {
			t.Errorf("%s was called", operation)
		}
	}
}

func TestFieldsNamedByTheAccountAreNotShown(t *testing.T) {
	fake, client := setup(t)
	fake.Faults().Next("GET /user", -1, fakehttp.Say(200, `{"id":"1","email":"dana@here.example","name":"Dana Whitfield","timezone":"UTC","Whitfield":1,"dana@here.example":2,
		"meeting":{"DivorceConsult":{}},"plan":{"Dana":1}}`))
	fake.Faults().Next("GET /webhook/{event}/sample", -1, fakehttp.Say(200, `{"id":"1","status":"Divorced","dateScheduledStart":"x","dateScheduledEnd":"x","email":"x",
		"answers":{"Favourite colour":"red","hobby":"golf"},"DivorceConsult":true,"extra":[{"id":"1","secretKey":1}]}`))
	fake.Faults().Next("GET /user/meeting", -1, fakehttp.Say(200, `{"DivorceConsult":{"meetingLength":{"value":30},"JaneDoe@x.example":{"value":1}}}`))
	text := examine(t, client).Markdown("v1")
	for _, hidden := range []string{"Whitfield", "Dana", "dana@", "Divorce", "colour", "hobby", "golf", "secretKey", "JaneDoe"} {
		if strings.Contains(text, hidden) {
			t.Errorf("the report holds %q:\n%s", hidden, text)
		}
	}
	for _, shown := range []string{"answers: {\n  (a name): text\n", "a word that Milepost does not know", "(a name): {\n    (a name): {"} {
		if !strings.Contains(strings.ReplaceAll(text, "    (a name): text", "  (a name): text"), shown) {
			t.Errorf("the report does not hold %q:\n%s", shown, text)
		}
	}
}

// description is the sandbox's own swagger.json, changed.
func description(t *testing.T, client *calendarhero.Client, change func(paths, definitions map[string]any)) string {
	t.Helper()
	raw, err := client.Get(t.Context(), "/swagger.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	change(root["paths"].(map[string]any), root["definitions"].(map[string]any))
	changed, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return string(changed)
}

func TestADifferenceFromTheDescriptionIsFound(t *testing.T) {
	testenv.Long(t)
	type m = map[string]any
	properties := func(definitions m, model string) m { return definitions[model].(m)["properties"].(m) }
	for _, tc := range []struct {
		name    string
		change  func(paths, definitions m)
		differs []string
		notes   []string
	}{
		{"a path by another id", func(p, _ m) { p["/contact/{contactId}"] = p["/contact/{id}"]; delete(p, "/contact/{id}") }, nil, nil},
		{"a call that is not there", func(p, _ m) { delete(p, "/meeting/tasks/{id}/remind") }, []string{"PUT /meeting/tasks/{id}/remind: swagger.json does not have it"}, nil},
		{"a call that is not needed and not there", func(p, _ m) { delete(p, "/provider") }, nil, []string{"GET /provider: swagger.json does not have it"}},
		{
			"a method that is not there", func(p, _ m) { delete(p["/webhook/{event}"].(m), "post") },
			[]string{"POST /webhook/{event}: swagger.json does not have it"},
			nil,
		},
		{
			"a body of which nothing is documented", func(_, d m) { delete(properties(d, "post_webhook_event"), "hookUrl") },
			nil, nil,
		},
		{
			"a field that is not there", func(_, d m) { delete(properties(d, "post_meeting_tasks"), "contactEmails") },
			[]string{"POST /meeting/tasks: contactEmails of the body is not documented"},
			nil,
		},
		{
			"a field that is not sent and not there", func(_, d m) { delete(properties(d, "post_meeting_tasks"), "roomCapacity") },
			nil,
			[]string{"POST /meeting/tasks: roomCapacity of the body is not documented"},
		},
		{
			"a field of another type", func(_, d m) { properties(d, "post_contact")["email"] = m{"type": "string"} },
			[]string{"POST /contact: email of the body is documented as string, and sent as array"},
			nil,
		},
		{
			"a number that is whole", func(_, d m) { properties(d, "post_meeting_tasks")["meetingLength"] = m{"type": "integer"} }, nil, nil,
		},
		{
			"a field that is required", func(_, d m) { d["put_contact_id"].(m)["required"] = []string{"email", "name"} },
			[]string{"PUT /contact/{id}: name of the body is required, and not always sent"},
			nil,
		},
		{
			"a required field that may be anything", func(_, d m) { d["post_contact"].(m)["required"] = []string{"jane@private.example"} },
			[]string{"POST /contact: (a name) of the body is required, and not always sent"},
			nil,
		},
		{
			"a state that is not there", func(p, _ m) {
				for _, parameter := range p["/meeting/tasks"].(m)["get"].(m)["parameters"].([]any) {
					if parameter.(m)["name"] == "state" {
						parameter.(m)["enum"] = []string{"active", "closed"}
					}
				}
			}, []string{"GET /meeting/tasks: upcoming is not a documented value of state"}, nil,
		},
		{
			"a query that is required", func(p, _ m) {
				p["/user"].(m)["get"].(m)["parameters"] = []any{m{"name": "tenant", "in": "query", "required": true}}
			}, []string{"GET /user: the query tenant is required, and not sent"}, nil,
		},
		{
			"a query that is not there", func(p, _ m) {
				p["/contact"].(m)["get"].(m)["parameters"] = []any{m{"name": "q", "in": "query"}, m{"name": "filter", "in": "query"}, m{"name": "all", "in": "query"}}
			},
			[]string{"GET /contact: the query search is not documented"},
			[]string{"GET /contact: the query includeTeams is not documented"},
		},
		{
			"OpenAPI 3, parts and all", func(p, d m) {
				p["/contact"].(m)["post"] = m{"requestBody": m{"content": m{"application/json": m{"schema": m{"allOf": []any{m{"$ref": "#/definitions/post_contact"}, m{"$ref": "#/definitions/more~1"}}}}}}}
				d["more/"] = m{"required": []string{"ssn"}, "properties": m{"ssn": m{"type": "string"}}}
			}, []string{"POST /contact: ssn of the body is required, and not always sent"}, nil,
		},
		{
			"a form", func(p, _ m) {
				p["/webhook/{event}"].(m)["post"] = m{"parameters": []any{m{"name": "url", "in": "formData", "required": true}}}
			}, []string{
				"POST /webhook/{event}: hookUrl of the body is not documented", "POST /webhook/{event}: url of the body is required, and not always sent",
			}, nil,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fake, client := setup(t)
			fake.Faults().Next("GET /swagger.json", -1, fakehttp.Say(200, description(t, client, tc.change)))
			report := examine(t, client)
			if diff := cmp.Diff([][]string{tc.differs, tc.notes}, [][]string{report.Differs, report.Notes}); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestAnAnswerThatIsOtherwiseIsFound(t *testing.T) {
	for _, tc := range []struct {
		operation string
		fault     fakehttp.Fault
		differs   string
	}{
		{"GET /user/meeting", fakehttp.Say(200, `["meeting"]`), "an object keyed by meeting type was expected, not a list"},
		{"GET /user/meeting", fakehttp.FailWith(403), "GET /user/meeting cannot be read: forbidden (403)"},
		{"GET /webhook/{event}", fakehttp.Say(200, `{"id":"1","active":true}`), "GET /webhook/meeting_started: something is registered, but no URL"},
		{"GET /webhook/{event}", fakehttp.FailWith(400), "GET /webhook/meeting_started cannot be read: invalid (400)"},
		{"GET /webhook/{event}/sample", fakehttp.Say(200, `{"id":"1"}`), "GET /webhook/meeting_completed/sample: the sample has no dateScheduledEnd"},
		{"GET /meeting/tasks", fakehttp.Say(200, `{"tasks":[]}`), "GET /meeting/tasks?state=closed: an array was expected"},
		{"GET /meeting/tasks", fakehttp.Say(200, `[{"id":"1","title":"t","dates":["x"],"taskStatus":"scheduled"}]`), "an item has no info"},
		{"GET /user", fakehttp.Say(200, `{"id":"1"}`), "no email"},
		{"GET /contact/{id}", fakehttp.Say(200, `{"id":"1"}`), "not_found (404) was expected, not unavailable (200)"},
	} {
		fake, client := setup(t)
		fake.Faults().Next(tc.operation, -1, tc.fault)
		if report := examine(t, client); !slices.ContainsFunc(report.Differs, func(line string) bool { return strings.Contains(line, tc.differs) }) {
			t.Errorf("%s: no word of %q in %q", tc.operation, tc.differs, report.Differs)
		}
	}
}

func TestWhatIsNotThereToReadIsNoDifference(t *testing.T) {
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/user":
			io.WriteString(w, `{"id":"1","email":"a@b.example","timezone":"UTC"}`)
		case "/user/meeting":
			io.WriteString(w, `{"meeting":{"meetingLength":{"value":30}}}`)
		case "/meeting/tasks":
			io.WriteString(w, `[]`)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(bare.Close)
	report := examine(t, clientOf(bare.URL))
	if want := []string{"GET /contact/{id} of a contact that does not exist: not_found (404) was expected, not unavailable (404)"}; !slices.Equal(report.Differs, want) {
		t.Errorf("differs: %q", report.Differs)
	}
	if got := fmt.Sprint(report.Notes); len(report.Notes) != 17 || !strings.Contains(got, "GET /swagger.json cannot be read") || !strings.Contains(got, "no webhook is registered") {
		t.Errorf("notes: %q", report.Notes)
	}
}

func TestATokenThatIsRefusedIsAnError(t *testing.T) {
	fake, client := setup(t)
	fake.Faults().Next("GET /user", -1, fakehttp.FailWith(401))
	if _, err := Examine(t.Context(), client); clients.ReasonOf(err) != clients.Unauthorized {
		t.Error(err)
	}
}

func TestAShapeKeepsNoValue(t *testing.T) {
	all := func(key string, _ int) string { return key }
	for raw, want := range map[string]string{
		``:                                     "nothing",
		`{`:                                    "no JSON",
		`null`:                                 "null",
		`[1,"a",null,{"a":1},{"b":[]}]`:        "list of null | number | text | {\n  a: number\n  b: []\n}",
		`["2026-12-01","2026-12-01T15:00:00"]`: "list of text: date | text: date and time without zone",
		`"2026-12-01T15:00:00+02:00"`:          "text: date and time",
		`["5",true,"",{}]`:                     "list of boolean | text: digits | text: empty | {}",
		`{"a":{"b":{"c":{"d":1}}}}`:            "{\n  a: {\n    b: object\n  }\n}",
	} {
		if got := shapeOf(json.RawMessage(raw), 2).text(all); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", raw, got, want)
		}
	}
}
