package adminapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"milepost/internal/adminapi"
	"milepost/internal/automation"
	"milepost/internal/operate"
	"milepost/internal/people"
	"milepost/internal/store"
	"milepost/internal/testenv/testdb"
)

// desk is the API on a store, without the gate before it. Each request and each answer
// is held against the OpenAPI document.
type desk struct {
	t       *testing.T
	store   *store.Store
	library *automation.Library
	people  *people.Registry
	handler http.Handler
	now     time.Time
	log     *strings.Builder
	routes  routers.Router
	preview *preview
}

type bodies map[int64]string

func (b bodies) Body(_ context.Context, id int64) ([]byte, bool, error) {
	body, ok := b[id]
	return []byte(body), ok, nil
}

func (b bodies) Find(_ context.Context, webhookID string) (id int64, ok bool, err error) {
	_, err = fmt.Sscanf(webhookID, "w-%d", &id)
	return id, err == nil, nil
}

// preview is a dry run that was made before.
type preview struct {
	lines []string
	err   error
}

func (p *preview) Changes(context.Context, store.Entity, string) ([]string, error) {
	return p.lines, p.err
}

func setup(t *testing.T, configure ...func(*operate.Config)) *desk {
	t.Helper()
	t.Parallel()
	st, err := store.OpenSQLite(t.Context(), testdb.DataDir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if _, err := st.NewQueue(store.QueueConfig{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	d := &desk{
		t: t, store: st, now: time.Date(2026, 11, 20, 12, 30, 0, 0, time.UTC), log: &strings.Builder{},
		preview: &preview{lines: []string{`create event "Closing", which mails ann@example.com`}},
	}
	now := func() time.Time { return d.now }
	if d.library, err = automation.Open(t.Context(), automation.Config{Store: st, Logger: zerolog.Nop(), Now: now}); err != nil {
		t.Fatal(err)
	}
	d.people = people.Open(people.Config{Store: st, Now: now})
	cfg := operate.Config{
		Store: st, Automations: d.library, Now: now, Preview: d.preview,
		Bodies: bodies{1: `{"name":"Jane","n":12345678901234567890}`},
	}
	for _, c := range configure {
		c(&cfg)
	}
	d.handler = handler(t, cfg, d)
	if d.routes, err = legacy.NewRouter(document(t, d.handler)); err != nil {
		t.Fatal(err)
	}
	d.seed()
	return d
}

// handler is the API. d may be nil, if only the document is asked for.
func handler(t *testing.T, cfg operate.Config, d *desk) http.Handler {
	t.Helper()
	c := adminapi.Config{Desk: operate.New(cfg)}
	if d != nil {
		c.People, c.Logger = d.people, zerolog.New(d.log)
	}
	mux := chi.NewRouter()
	mux.Mount("/api/v1", adminapi.New(c).Router())
	return mux
}

// called are the operations that were answered as they promise.
var called sync.Map

var (
	olivia = people.Identity{Name: "olivia", Person: "olivia", Role: people.Operator}
	victor = people.Identity{Name: "victor", Person: "victor", Role: people.Viewer}
)

var (
	jane  = store.Entity{LocationID: "loc", Kind: "contact", ID: "c1"}
	task1 = store.Entity{LocationID: "loc", Kind: "task", ID: "t1"}
)

// seed has some webhooks: done, failed, and skipped.
func (d *desk) seed() {
	d.t.Helper()
	ctx := d.t.Context()
	must(d.t, d.store.SaveConnection(ctx, store.Connection{LocationID: "loc", Name: "Northwind", Source: "token", State: store.ConnectionActive}, d.now))
	list := []store.Delivery{
		{ID: 1, WebhookID: "w-1", Type: "ContactUpdate", Entity: jane, ContactID: "c1"},
		{ID: 2, WebhookID: "w-2", Type: "TaskCreate", Entity: task1, ContactID: "c1"},
		{ID: 3, WebhookID: "w-3", Type: "NoteCreate", Entity: store.Entity{LocationID: "loc", Kind: "note", ID: "n1"}, ContactID: "c1", Skip: "no automation asks for it"},
		{ID: 4, Type: "Nonsense", Skip: "unknown type Nonsense"},
	}
	for i := range list {
		list[i].ReceivedAt = d.now.Add(time.Duration(i-len(list)) * time.Minute)
	}
	_, err := d.store.Dispatch(ctx, func(context.Context, *store.Tx) ([]store.Delivery, error) { return list, nil })
	must(d.t, err)
	_, err = d.store.FinishSync(ctx, nil, store.Finish{
		Entity: jane, Wanted: 1, Now: d.now, ContactID: "c1", Outcome: store.Done, Detail: "event created: Closing of Jane",
		Contact:    &store.Contact{LocationID: "loc", ID: "c1", Name: "Jane Doe", Email: "jane@acme.example", Phone: "+14165550142", ChangedAt: d.now},
		Timeline:   []store.TimelineEntry{{At: d.now, Entity: jane, ContactID: "c1", What: "event created", Detail: "Closing of Jane"}},
		Considered: []store.Considered{{Automation: "a", Version: 2, Wants: 1}, {Automation: "b", Condition: `contact.name == "x"`, Saw: `contact.name was "Jane Doe"`, Conditions: []store.Condition{{Text: "true", Saw: "Jane Doe", Held: true}}}},
		Calls: store.SyncCalls{
			Calls:  []store.SyncCall{{API: "HighLevel", Operation: "get contact", Method: "GET", Path: "/contacts/c1", Began: d.now, Took: time.Second, Status: 200, Answer: `{"name":"Jane Doe","city":"Springfield"}`}},
			Mailed: []store.Mailed{{To: "jane@acme.example", What: "invitation"}},
		}.Packed(),
	})
	must(d.t, err)
	must(d.t, d.store.Postpone(ctx, store.Postponed{
		Entity: task1, Wanted: 1, Outcome: store.Retry, Detail: "HighLevel answered 500", Now: d.now.Add(-time.Minute), NextTry: d.now.Add(time.Minute), Tries: 3,
	}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// document is the OpenAPI document that the API serves, which must be valid.
func document(t *testing.T, api http.Handler) *openapi3.T {
	t.Helper()
	w := httptest.NewRecorder()
	api.ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/openapi.json", http.NoBody))
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	must(t, err)
	must(t, doc.Validate(t.Context()))
	return doc
}

// answer is what the API answered.
type answer struct {
	status int
	body   string
	t      *testing.T
}

// ask sends a request. Both it and its answer must be as the document says, unless the
// request is one that the API rejects.
func (d *desk) ask(who people.Identity, method, path, body string, change ...func(*http.Request)) answer {
	d.t.Helper()
	request := func() *http.Request {
		r := httptest.NewRequest(method, "/api/v1"+path, strings.NewReader(body))
		if body != "" {
			r.Header.Set("Content-Type", "application/json") // unless change says another
		} else {
			r.Body = http.NoBody
		}
		for _, c := range change {
			c(r)
		}
		return r.WithContext(people.With(r.Context(), who))
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, request())
	a := answer{w.Code, w.Body.String(), d.t}
	route, params, err := d.routes.FindRoute(request())
	if err != nil {
		d.t.Fatalf("%s %s is not in the document: %v (%d %s)", method, path, err, a.status, a.body)
	}
	options := &openapi3filter.Options{
		ExcludeRequestBody:  request().Header.Get("Content-Type") == "application/yaml", // which is a text here, and no object
		ExcludeResponseBody: w.Header().Get("Content-Type") == "application/yaml", MultiError: true, IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	}
	in := &openapi3filter.RequestValidationInput{Request: request(), PathParams: params, Route: route, Options: options}
	if err := openapi3filter.ValidateRequest(d.t.Context(), in); (err != nil) && a.status < 300 {
		d.t.Errorf("%s %s was accepted, and is not as the document says: %v", method, path, err)
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())), Options: options,
	}
	if err := openapi3filter.ValidateResponse(d.t.Context(), out); err != nil {
		d.t.Errorf("%s %s: the answer is not as the document says: %v\n%d %s", method, path, err, a.status, a.body)
	}
	if a.status < 300 {
		called.Store(route.Operation.OperationID, true)
	} else if kind := w.Header().Get("Content-Type"); kind != "application/problem+json" {
		d.t.Errorf("%s %s: %d as %s", method, path, a.status, kind)
	}
	return a
}

func (d *desk) get(path string) answer {
	d.t.Helper()
	return d.ask(olivia, "GET", path, "").is(http.StatusOK)
}

// is fails the test unless the status is this.
func (a answer) is(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// has fails the test unless the answer holds these texts, and none of those that begin
// with a minus.
func (a answer) has(texts ...string) answer {
	a.t.Helper()
	for _, text := range texts {
		if not, ok := strings.CutPrefix(text, "-"); ok == strings.Contains(a.body, not) {
			a.t.Errorf("%q in %s", text, a.body)
		}
	}
	return a
}

// next is the cursor of the next page.
func (a answer) next() string {
	a.t.Helper()
	var page struct{ Next string }
	must(a.t, json.Unmarshal([]byte(a.body), &page))
	return page.Next
}

// audited fails the test unless the audit log's newest entry reads so.
func (d *desk) audited(want string) {
	d.t.Helper()
	list, err := d.people.AuditPage(d.t.Context(), 0, 1)
	must(d.t, err)
	got := ""
	if len(list) > 0 {
		got = strings.TrimSpace(list[0].Who + " " + list[0].What + " " + list[0].Subject)
	}
	if got != want {
		d.t.Errorf("the audit log says %q, want %q", got, want)
	}
}

// entries counts the audit log.
func (d *desk) entries() int {
	d.t.Helper()
	list, err := d.people.AuditPage(d.t.Context(), 0, 1000)
	must(d.t, err)
	return len(list)
}

func show(r *http.Request) { r.Header.Set("Milepost-Show", "personal-data") }
