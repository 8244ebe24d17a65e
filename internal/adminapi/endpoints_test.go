package adminapi_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/catalog"
	"milepost/internal/connection"
	"milepost/internal/operate"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/secret"
	"milepost/internal/store"
)

func TestEveryEndpointAnswersAsTheDocumentSays(t *testing.T) {
	all := t.Run("all", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T){
			"overview": overview, "deliveries": deliveries, "contacts": contacts, "catalogue": catalogue, "recipes": recipes,
			"connections": connections, "people and audit": peopleAndAudit,
		} {
			t.Run(name, test)
		}
	})
	if !all || flag.Lookup("test.run").Value.String() != "" {
		return
	}
	for path, item := range document(t, handler(t, operate.Config{}, nil)).Paths.Map() {
		for method, operation := range item.Operations() {
			if _, ok := called.Load(operation.OperationID); !ok {
				t.Errorf("no test has %s %s answered: %s", method, path, operation.OperationID)
			}
		}
	}
}

func overview(t *testing.T) {
	d := setup(t)
	d.get("/overview").has(`"standing":"failing"`, `"open":1`, `"name":"Northwind"`)
}

func deliveries(t *testing.T) {
	d := setup(t)
	all := d.get("/deliveries?limit=3")
	all.has(`"id":4`, `"id":2`, `-"id":1,`, `"name":"Jane Doe"`)
	if rest := d.get("/deliveries?limit=3&cursor="+all.next()).has(`"id":1,`, `-"id":4`); rest.next() != "" {
		t.Errorf("the last page has a next one: %s", rest.body)
	}
	d.get("/deliveries?outcome=failed").has(`"id":2,`, `-"id":1,`, `"Will be retried"`)
	d.get("/deliveries?q=jane").has(`"id":2,`, `"about":[{`, `-"id":4`)
	d.get("/deliveries?q=nobody").has(`"no_such":true`, `"items":[]`)
	d.get("/deliveries?contact=c1").has(`"id":1,`, `-"id":4,`)
	d.get("/deliveries?contact=c1&location=loc&type=TaskCreate").has(`"id":2,`, `-"id":1,`)
	d.get("/deliveries?since=2026-11-20T12:28:00Z&until=2026-11-20T12:29:00Z").has(`"id":3,`, `-"id":2,`, `-"id":4,`)
	d.get("/deliveries/1").has("12345678901234567890", `"event created"`, `contact.name was`, `"next":[`)
	d.ask(olivia, "GET", "/deliveries/99", "").is(http.StatusNotFound)

	d.ask(olivia, "POST", "/deliveries/1/replay", `{"dry_run":true}`).is(http.StatusOK).has("ann@example.com", `"queued":false`)
	d.ask(olivia, "POST", "/deliveries/1/replay", `{"dry_run":false}`).is(http.StatusOK).has(`"queued":true`)
	d.audited("olivia replayed delivery 1")
	d.ask(olivia, "POST", "/deliveries/4/replay", `{"dry_run":false}`).is(http.StatusUnprocessableEntity).has("no record that Milepost syncs")
	d.ask(olivia, "POST", "/deliveries/99/replay", `{"dry_run":false}`).is(http.StatusNotFound)
	d.preview.err = &clients.Error{API: "HighLevel", Operation: "get contact", Status: 503, Reason: clients.Unavailable}
	d.ask(olivia, "POST", "/deliveries/1/replay", `{"dry_run":true}`).is(http.StatusBadGateway).has("HighLevel: get contact: 503")
	d.preview.err = errors.New("broken: jane@acme.example")
	d.ask(olivia, "POST", "/deliveries/1/replay", `{"dry_run":true}`).is(http.StatusInternalServerError).has("-broken", "the log says what")
}

func TestWhatIsNotInTheDocumentIsRejectedWithItsPlace(t *testing.T) {
	d := setup(t)
	for name, c := range map[string]struct{ method, path, body, place string }{
		"an unknown parameter": {"GET", "/deliveries?outcom=failed", "", "query.outcom"},
		"an unknown field":     {"POST", "/deliveries/1/replay", `{"dry_run":true,"dryrun":true}`, "body.dryrun"},
		"a missing field":      {"POST", "/deliveries/1/replay", `{}`, "body"},
		"a wrong type":         {"POST", "/deliveries/1/replay", `{"dry_run":"yes"}`, "body.dry_run"},
		"another value":        {"GET", "/deliveries?outcome=lost", "", "query.outcome"},
		"a wrong time":         {"GET", "/deliveries?since=yesterday", "", "query.since"},
		"a wrong id":           {"GET", "/deliveries/x", "", "path.id"},
		"a large page":         {"GET", "/deliveries?limit=1000", "", "query.limit"},
		"a made-up cursor":     {"GET", "/deliveries?cursor=!", "", "query.cursor"},
		"another's cursor":     {"GET", "/deliveries?cursor=ImEi", "", "query.cursor"},
		"another header":       {"GET", "/deliveries/1", "", "header.Milepost-Show"},
	} {
		a := d.ask(olivia, c.method, c.path, c.body, func(r *http.Request) {
			if c.place == "header.Milepost-Show" {
				r.Header.Set("Milepost-Show", "everything")
			}
		})
		if a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, a.status)
		}
		a.has(`"location":"`+c.place+`"`, `-"value"`)
	}
	d.ask(olivia, "POST", "/deliveries/1/replay", `{`).is(http.StatusBadRequest)
	d.ask(olivia, "POST", "/deliveries/1/replay", `{"dry_run":true,"\u0000":1}`).is(http.StatusBadRequest)
	d.ask(olivia, "GET", "/deliveries?q=%00", "").is(http.StatusBadRequest)
	d.ask(olivia, "GET", "/deliveries?q=%ff", "").is(http.StatusBadRequest)
}

func TestViewersSeePersonalDataOnceTheyAskAndTheAuditLogSaysSo(t *testing.T) {
	d := setup(t)
	const name, detail, body = "Jane Doe", "Closing of Jane", "12345678901234567890"
	for path, personal := range map[string][]string{
		"/deliveries":   {name, "jane@acme.example", "4165550142", detail},
		"/deliveries/1": {name, "jane@acme.example", "4165550142", detail, body},
	} {
		before := d.entries()
		masked := d.ask(victor, "GET", path, "").is(http.StatusOK)
		d.get(path).has(name)
		if n := d.entries(); n != before {
			t.Errorf("%s: the audit log has %d entries more before anybody asked", path, n-before)
		}
		shown := d.ask(victor, "GET", path, "", show).is(http.StatusOK)
		d.audited("victor looked at personal data on /api/v1" + path)
		for _, text := range personal {
			masked.has("-" + text)
			shown.has(text)
		}
	}
}

func TestEveryOutcomeCanBeAskedFor(t *testing.T) {
	d := setup(t)
	for _, outcome := range store.AllOutcomes {
		d.get("/deliveries?outcome=" + outcome)
	}
}

func TestPagesGoThroughAllDeliveries(t *testing.T) {
	d := setup(t)
	seen := map[string]bool{}
	for next, pages := "", 0; ; pages++ {
		a := d.get("/deliveries?limit=1&cursor=" + next)
		for id := range 5 {
			if field := fmt.Sprintf(`"id":%d,`, id); strings.Contains(a.body, field) {
				seen[field] = true
			}
		}
		if next = a.next(); next == "" {
			break
		}
		if pages > 10 {
			t.Fatal("the pages have no end")
		}
	}
	if len(seen) != 4 {
		t.Errorf("seen: %v", seen)
	}
}

func contacts(t *testing.T) {
	d := setup(t)
	for i := range 3 {
		must(t, d.store.SaveConnection(t.Context(), store.Connection{LocationID: fmt.Sprint("loc", i), Source: "token", State: store.ConnectionActive}, d.now))
	}
	d.contact("loc", "c2", "Rita Moss")
	d.contact("loc1", "c2", "Rita Elsewhere")
	first := d.get("/contacts?limit=2")
	if rest := d.get("/contacts?limit=2&cursor=" + first.next()); rest.next() != "" || strings.Count(first.body+rest.body, `"id":`) != 3 {
		t.Errorf("all contacts: %s %s", first.body, rest.body)
	}
	d.get("/contacts?q=jan").has("Jane Doe", "-Rita")
	d.get("/contacts?q=rita&limit=1").has(`"more":true`)
	d.get("/contacts/c1").has(`"kind":"task"`, "HighLevel answered 500", `"in_step":false`, `"requests":[]`)
	d.ask(olivia, "GET", "/contacts/c2", "").is(http.StatusUnprocessableEntity).has("2 locations have it")
	d.get("/contacts/c2?location=loc1").has("Rita Elsewhere")
	d.ask(olivia, "GET", "/contacts/nobody", "").is(http.StatusNotFound)
	d.get("/contacts/c1/timeline").has("event created", "Closing of Jane")
	d.ask(victor, "GET", "/contacts/c1/timeline?limit=1", "").is(http.StatusOK).has("event created", "-Closing")
	d.ask(victor, "GET", "/contacts/c1", "").is(http.StatusOK).has("-Doe", "-acme", "-answered 500")

	const yes = http.StatusNoContent
	d.ask(olivia, "POST", "/contacts/c1/sync", "").is(yes)
	d.audited("olivia asked for a sync of contact c1 of location loc")
	d.ask(olivia, "POST", "/contacts/c1/forget", "").is(yes)
	d.audited("olivia forgot contact c1 of location loc")
	d.get("/contacts/c1").has(`"forgotten":true`)
	d.ask(olivia, "POST", "/contacts/c1/sync", "").is(http.StatusConflict).has("was forgotten")
	d.ask(olivia, "DELETE", "/contacts/c1/forget", "").is(yes)
	d.audited("olivia let be synced again contact c1 of location loc")
	d.ask(olivia, "DELETE", "/contacts/c1/forget", "").is(http.StatusNotFound)
}

// contact has been read once.
func (d *desk) contact(location, id, name string) {
	d.t.Helper()
	e := store.Entity{LocationID: location, Kind: "contact", ID: id}
	must(d.t, d.store.Requeue(d.t.Context(), []store.Entity{e}, false))
	d.now = d.now.Add(time.Minute)
	_, err := d.store.FinishSync(d.t.Context(), nil, store.Finish{
		Entity: e, Wanted: 1, Now: d.now, ContactID: id, Outcome: store.Unchanged,
		Contact: &store.Contact{LocationID: location, ID: id, Name: name, ChangedAt: d.now},
	})
	must(d.t, err)
}

func catalogue(t *testing.T) {
	d := setup(t)
	n := 0
	for next, pages := "", 0; pages < 10; pages++ {
		a := d.get("/catalog?limit=50&cursor=" + next)
		var page struct{ Items []catalog.Entry }
		must(t, json.Unmarshal([]byte(a.body), &page))
		n += len(page.Items)
		if next = a.next(); next == "" {
			break
		}
	}
	if n != len(catalog.Entries()) {
		t.Errorf("%d entries, want %d", n, len(catalog.Entries()))
	}
	d.get("/catalog?q=tags&kind=operation&vendor=highlevel&group=contacts").has("highlevel.", "-calendarhero.")
	d.get("/catalog/highlevel.search_contacts").has(`"name":"highlevel.search_contacts"`, `"fields":[{`)
	d.get("/catalog/milestone.changed").has(`"kind":"trigger"`)
	d.ask(olivia, "GET", "/catalog/no-such", "").is(http.StatusNotFound)
}

// connect serves a HighLevel in which a location has nothing yet.
func connect(t *testing.T) (location string, configure func(*operate.Config)) {
	location = "ve9EPM428h8vShlRW1KT"
	fake := hlfake.New(hlfake.Config{Token: "pit-test", LocationIDs: []string{location}})
	t.Cleanup(fake.Close)
	fake.SeedLocation(hlfake.Location{ID: location, TimeZone: "America/New_York"}, nil, nil)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return location, func(c *operate.Config) {
		ring, err := secret.OpenRing(filepath.Join(t.TempDir(), "keys"))
		must(t, err)
		wait := func(int) time.Duration { return 0 }
		c.Connections = connection.Open(connection.Config{
			Store: c.Store, Ring: ring, Logger: zerolog.Nop(),
			HighLevel: highlevel.Config{BaseURL: server.URL, RetryWait: wait}, CalendarHero: calendarhero.Config{BaseURL: server.URL, RetryWait: wait},
		})
		must(t, c.Connections.Set(t.Context(), location, "pit-test", "test-calendarhero"))
	}
}

func recipes(t *testing.T) {
	location, configure := connect(t)
	d := setup(t, configure)
	needs := "/recipes/milestone-to-calendar-event/needs?location=" + location
	d.get(needs).has(`"name":"contact.milestone_date","has":"no"`, `"field":{`)
	d.ask(olivia, "POST", "/recipes/milestone-to-calendar-event/create",
		`{"location":"`+location+`","what":"custom field","name":"contact.milestone_date"}`).is(http.StatusNoContent)
	d.audited("olivia asked to create custom field contact.milestone_date in location " + location)
	d.get(needs).has(`"name":"contact.milestone_date","has":"yes"`)
	d.ask(olivia, "GET", "/recipes/milestone-to-calendar-event/needs?location=elsewhere", "").is(http.StatusConflict).has("elsewhere is not connected")
	d.get("/recipes").has("birthday-to-calendar-event", `"state":"on"`)
	const birthday = "/recipes/birthday-to-calendar-event"
	d.get(birthday).has("the owner of the CalendarHero account", `-"state"`)
	d.ask(olivia, "POST", birthday+"/add", `{"state":"off"}`).is(http.StatusOK).has(`"what":"added"`)
	d.audited("olivia added, switched off, recipe birthday-to-calendar-event")
	d.get(birthday).has(`"state":"off"`)
	d.ask(olivia, "POST", birthday+"/add", `{"state":"off"}`).is(http.StatusUnprocessableEntity).has("there already")
	for _, path := range []string{"", "/add", "/create"} {
		method, body := "POST", map[string]string{"": "", "/add": `{"state":"on"}`, "/create": `{"location":"loc","what":"tag","name":"x"}`}[path]
		if path == "" {
			method = "GET"
		}
		d.ask(olivia, method, "/recipes/no-such"+path, body).is(http.StatusNotFound)
	}
}

func connections(t *testing.T) {
	d := setup(t)
	d.get("/connections").has(`"location":"loc"`, `"name":"Northwind"`, `"state":"active"`)
}

func peopleAndAudit(t *testing.T) {
	d := setup(t)
	const yes = http.StatusNoContent
	d.ask(olivia, "POST", "/people", `{"name":"Olivia","password":"correct horse","role":"operator"}`).is(yes)
	d.ask(olivia, "POST", "/people", `{"name":"victor","password":"correct horse","role":"viewer"}`).is(yes)
	d.audited("olivia added the viewer victor")
	d.ask(olivia, "POST", "/people", `{"name":"victor","password":"correct horse","role":"viewer"}`).is(http.StatusConflict)
	d.ask(olivia, "POST", "/people", `{"name":"../x","password":"correct horse","role":"viewer"}`).is(http.StatusUnprocessableEntity).has("-not allowed:")
	d.ask(olivia, "POST", "/people", `{"name":"x","password":"secret","role":"viewer"}`).is(http.StatusUnprocessableEntity).has("body.password", "-secret")
	d.get("/people?limit=1").has(`"name":"olivia"`, "-victor", "-argon2id", `"next"`)
	d.ask(olivia, "PUT", "/people/victor/role", `{"role":"operator"}`).is(yes)
	d.ask(olivia, "PUT", "/people/victor/password", `{"password":"another horse"}`).is(yes)
	d.ask(olivia, "PUT", "/people/nobody/password", `{"password":"another horse"}`).is(http.StatusNotFound)
	d.ask(olivia, "PUT", "/people/olivia/role", `{"role":"viewer"}`).is(http.StatusConflict)
	d.ask(olivia, "DELETE", "/people/olivia", "").is(http.StatusConflict)
	d.ask(olivia, "DELETE", "/people/victor", "").is(yes)
	d.audited("olivia removed victor")
	log := d.get("/audit?limit=2").has("removed", "changed the password of", "-gave the role")
	d.get("/audit?cursor="+log.next()).has("gave the role operator to", "-removed")
	for _, path := range []string{"/people", "/audit", "/recipes/x/needs?location=loc"} {
		d.ask(victor, "GET", path, "").is(http.StatusForbidden)
	}
}
