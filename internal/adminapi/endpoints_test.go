package adminapi_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"milepost/clients"
	"milepost/internal/catalog"
	"milepost/internal/operate"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

func TestEveryEndpointAnswersAsTheDocumentSays(t *testing.T) {
	testenv.Long(t)
	all := t.Run("all", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T){
			"overview": overview, "attention": attention, "deliveries": deliveries, "replays": replays, "contacts": contacts, "catalogue": catalogue, "recipes": recipes,
			"connections": connections, "people and audit": peopleAndAudit, "automations": automations, "previews": previews, "applies": applies, "alerts": alerts,
			"backfills": backfills, "links": links, "jobs and sessions": jobsAndSessions, "requests and removals": requestsAndRemovals,
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
	d.get("/deliveries/1").has("12345678901234567890", `"event created"`, `contact.name was`, `"next":[`, `"held":true`, `"took_ms":1000`, `"to":"jane@acme.example"`)
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
	testenv.Long(t)
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
	testenv.Long(t)
	d := setup(t)
	const name, detail, body = "Jane Doe", "Closing of Jane", "12345678901234567890"
	for path, personal := range map[string][]string{
		"/deliveries":   {name, "jane@acme.example", "4165550142", detail},
		"/deliveries/1": {name, "jane@acme.example", "4165550142", detail, body, "Springfield"},
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
	testenv.Long(t)
	d := setup(t)
	for _, outcome := range store.AllOutcomes {
		d.get("/deliveries?outcome=" + outcome)
	}
}

func TestPagesGoThroughAllDeliveries(t *testing.T) {
	testenv.Long(t)
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

func replays(t *testing.T) {
	there := connect(t)
	d := setup(t, there.rehearsing)
	d.ask(olivia, "POST", "/replays/plans", `{}`).is(http.StatusUnprocessableEntity).has("nothing is selected")
	d.ask(olivia, "POST", "/replays/plans", `{"ids":[4]}`).is(http.StatusUnprocessableEntity).has("nothing matches")
	d.ask(olivia, "GET", "/replays/plans/x", "").is(http.StatusConflict)
	token := d.ask(olivia, "POST", "/replays/plans", `{"matches":{"location":"loc"},"except":[3]}`).is(http.StatusOK).field("token")
	plan := d.get("/replays/plans/" + token)
	for plan.field("ended_at") == "" {
		runtime.Gosched()
		plan = d.get("/replays/plans/" + token)
	}
	plan.has(`"deliveries":2`, `"would":{`)
	d.ask(victor, "GET", "/replays/plans/"+token, "").is(http.StatusForbidden)
	d.ask(olivia, "POST", "/replays", `{"token":"x"}`).is(http.StatusConflict)
	d.ask(olivia, "POST", "/replays", `{"token":"`+token+`"}`).is(http.StatusOK).has(`"state":"running"`, `"records":2`)
	d.audited("olivia began replay 1 of 2 records")
	d.get("/replays?limit=1").has(`"id":1`, `-"next"`)
	d.get("/replays/1").has(`"outcomes":{`)
	d.ask(olivia, "GET", "/replays/9", "").is(http.StatusNotFound)
	d.ask(olivia, "DELETE", "/replays/1", "").is(http.StatusNoContent)
	d.audited("olivia cancelled replay 1")
	d.ask(olivia, "DELETE", "/replays/1", "").is(http.StatusConflict)
}

func attention(t *testing.T) {
	d := setup(t)
	d.now = d.now.Add(time.Hour)
	list := d.get("/attention?limit=1").has(`"kind":"`)
	key := regexp.MustCompile(`"key":"([^"]+)","kind":"failing"`).FindStringSubmatch(d.get("/attention").body)
	if key == nil {
		t.Fatalf("nothing fails: %s", list.body)
	}
	one := "/attention/" + key[1]
	d.get(one).has("HighLevel answered 500", `"retryable":true`, `"kind":"task"`)
	d.ask(victor, "GET", one, "").is(http.StatusOK).has("-answered 500")
	d.ask(olivia, "POST", one+"/acknowledge", "").is(http.StatusNoContent)
	d.get("/attention?state=acknowledged").has(key[1], `"hushed_by":"olivia"`)
	d.ask(olivia, "POST", one+"/snooze", `{"for":"1d"}`).is(http.StatusNoContent)
	d.get("/attention?state=snoozed").has(key[1])
	d.ask(olivia, "POST", one+"/snooze", `{"for":"ever"}`).is(http.StatusUnprocessableEntity)
	d.ask(olivia, "POST", one+"/reopen", "").is(http.StatusNoContent)
	d.get("/attention?state=snoozed").has("-" + key[1])
	d.ask(olivia, "POST", one+"/retry", "").is(http.StatusOK).has(`"records":1`)
	for _, path := range []string{"", "/acknowledge", "/reopen", "/retry"} {
		method := "POST"
		if path == "" {
			method = "GET"
		}
		d.ask(olivia, method, "/attention/no-such"+path, "").is(http.StatusNotFound)
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

func recipes(t *testing.T) {
	there := connect(t)
	d := setup(t, there.connect)
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
	there := connect(t)
	d := setup(t, there.connect)
	const path, yes = "/connections/" + location, http.StatusNoContent
	all := d.get("/connections?limit=1").has(`"name":"Northwind"`, `"served":false`)
	d.get("/connections?limit=1&cursor="+all.next()).has(location, `-"next"`)
	d.get(path).has(`"served":true`, `"state":"active"`, "-pit-test")
	d.ask(olivia, "GET", "/connections/elsewhere", "").is(http.StatusNotFound)
	d.ask(olivia, "PUT", path, `{"highlevel_token":"pit-wrong"}`).is(http.StatusUnprocessableEntity).has("-pit-wrong")
	d.ask(olivia, "PUT", path, `{}`).is(http.StatusUnprocessableEntity).has("no token")
	d.ask(olivia, "PUT", path, `{"highlevel_token":"pit-test","calendarhero_token":"ch-test"}`).is(yes)
	d.audited("olivia set the token of HighLevel and CalendarHero for location " + location)
	d.ask(olivia, "DELETE", path, "").is(http.StatusOK)
	d.audited("olivia disconnected location " + location)
	d.ask(olivia, "DELETE", "/connections/elsewhere", "").is(http.StatusNotFound)
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
	made := d.ask(olivia, "POST", "/people/victor/tokens", `{"label":"reports"}`).is(http.StatusOK).has(`"token":"mpt_`)
	d.audited("olivia created a token (reports) for victor")
	d.ask(olivia, "POST", "/people/nobody/tokens", `{"label":"reports"}`).is(http.StatusNotFound)
	d.get("/people/victor/tokens").has(`"label":"reports"`, "-"+made.field("token"))
	d.ask(victor, "GET", "/people/victor/tokens", "").is(http.StatusForbidden)
	d.ask(olivia, "DELETE", "/people/victor/tokens/1", "").is(yes)
	d.audited("olivia revoked token 1 of victor")
	d.ask(olivia, "DELETE", "/people/victor/tokens/1", "").is(http.StatusNotFound)
	d.ask(olivia, "DELETE", "/people/olivia", "").is(http.StatusConflict)
	d.ask(olivia, "DELETE", "/people/victor", "").is(yes)
	d.audited("olivia removed victor")
	log := d.get("/audit?limit=2").has("removed", "revoked token 1 of", "-gave the role")
	d.get("/audit?cursor="+log.next()).has("created a token (reports) for", "gave the role operator to", "-removed")
	for _, path := range []string{"/people", "/audit", "/recipes/x/needs?location=loc"} {
		d.ask(victor, "GET", path, "").is(http.StatusForbidden)
	}
}

const task = "task-to-calendar-task"

func automations(t *testing.T) {
	d := setup(t)
	const one, ok = "/automations/" + task, http.StatusOK
	d.get("/automations?limit=1").has(`"next"`, `-"text"`)
	text := d.get(one).has(`"text":"`, `"base":1`).field("text")
	d.ask(victor, "GET", one, "").is(ok).has("-on: task")
	d.ask(victor, "GET", one, "", show).is(ok).has("on: task")
	d.audited("victor looked at personal data on /api/v1" + one)
	d.ask(olivia, "GET", "/automations/no-such", "").is(http.StatusNotFound)

	// A draft, and what becomes of it.
	changed := strings.Replace(text, "minutes", "min", 1) + "\n# changed\n"
	d.ask(olivia, "PUT", one+"/draft", body(map[string]any{"text": changed, "base": 1, "why": "try"})).is(ok).has(`"draft":2`, `"draft_text":"`)
	d.ask(olivia, "PUT", one+"/draft", body(map[string]any{"text": changed, "base": 1})).is(http.StatusConflict).has("somebody changed this automation")
	d.ask(olivia, "DELETE", one+"/draft?why=no", "").is(ok)
	d.ask(olivia, "DELETE", one+"/draft", "").is(http.StatusUnprocessableEntity).has("has no draft")
	d.ask(olivia, "PUT", one+"/draft", body(map[string]any{"text": changed, "base": 1})).is(ok)
	d.ask(olivia, "POST", one+"/publish?why=good", "").is(ok).has(`"version":4`)
	d.audited("olivia published version 4 of the automation " + task)
	d.ask(olivia, "PUT", one, body(map[string]any{"text": text, "base": 4})).is(ok).has(`"version":5`)
	d.ask(olivia, "PUT", one, body(map[string]any{"text": "- on: nothing\n  do: x", "base": 5})).is(http.StatusUnprocessableEntity).has(`"location":"body.text line 1"`)
	d.ask(olivia, "PUT", one+"/state", `{"state":"paused","why":"holiday"}`).is(ok).has(`"state":"paused"`)
	d.ask(olivia, "PUT", one+"/state", `{"state":"gone"}`).is(http.StatusUnprocessableEntity)

	// Its history.
	versions := d.get(one+"/versions?limit=2").has("holiday", `-"text"`)
	d.get(one+"/versions?limit=2&cursor="+versions.next()).has("good", "-holiday")
	d.ask(victor, "GET", one+"/versions", "").is(ok).has("-holiday")
	d.get(one + "/versions/1").has(`"text":"`)
	d.ask(olivia, "GET", one+"/versions/99", "").is(http.StatusNotFound)
	d.get(one + "/diff?from=1&to=4").has(`{"mark":"+","text":"# changed"}`)
	d.ask(victor, "GET", one+"/diff?from=1&to=4", "").is(ok).has("-# changed")
	d.ask(olivia, "GET", one+"/diff?from=1&to=99", "").is(http.StatusUnprocessableEntity)
	d.ask(olivia, "POST", one+"/versions/4/restore?why=back", "").is(ok).has(`"what":"restored"`)
	d.audited("olivia restored version 4 as version 7 of the automation " + task)

	// Another one.
	d.ask(olivia, "POST", one+"/copy", "").is(ok).has(`"version":0`, `"draft":1`)
	d.ask(olivia, "POST", "/automations", body(map[string]any{"text": text})).is(http.StatusUnprocessableEntity).has("already")
	d.ask(olivia, "POST", "/automations", body(map[string]any{"text": "- name: Mine\n  on: contact.changed\n  do:\n    - note: { text: hello }\n", "draft": true})).is(ok).has(`"id":"mine"`)
	d.ask(olivia, "DELETE", "/automations/mine?why=over", "").is(ok).has(`"what":"deleted"`)

	// All of them as a file.
	file := d.get("/automations.yaml")
	d.ask(victor, "GET", "/automations.yaml", "").is(http.StatusForbidden)
	d.ask(olivia, "POST", "/automations.yaml", file.body, inYAML).is(ok).has(`"what":"unchanged"`, `-"added"`)
	if again := d.get("/automations.yaml"); again.body != file.body {
		t.Errorf("the file is another once it is imported: %s", again.body)
	}
	d.ask(olivia, "POST", "/automations.yaml?draft=true&replace=true", file.body, inYAML).is(http.StatusUnprocessableEntity)
	d.ask(olivia, "POST", "/automations.yaml?replace=true&why=less", text, inYAML).is(ok).has(`"what":"deleted"`)
	d.ask(olivia, "POST", "/automations.yaml", "- on: nothing", inYAML).is(http.StatusUnprocessableEntity)
}

func previews(t *testing.T) {
	there := connect(t)
	d := setup(t, there.rehearsing)
	ask := func(more string) answer {
		return d.ask(olivia, "POST", "/preview", `{"automation":"contact-to-calendarhero-contact","location":"`+location+`",`+more+`}`)
	}
	ask(`"kind":"contact","id":"`+there.jane+`"`).is(http.StatusOK).has(`"applies":true`, "jane@acme.example", `"method":"POST"`, `"mails":[]`)
	ask(`"kind":"task","id":"t9"`).is(http.StatusUnprocessableEntity).has("looks at contacts")
	ask(`"kind":"contact","id":""`).is(http.StatusUnprocessableEntity).has("body.id")
	ask(`"kind":"contact","id":"` + there.jane + `","draft":true`).is(http.StatusUnprocessableEntity).has("has no draft")
	d.ask(olivia, "POST", "/preview", `{"automation":"no-such","kind":"contact","id":"x"}`).is(http.StatusNotFound)
	d.ask(olivia, "POST", "/preview", `{"automation":"contact-to-calendarhero-contact","kind":"contact","id":"c1","location":"elsewhere"}`).is(http.StatusOK).has("not connected")
	d.ask(olivia, "POST", "/preview", `{"kind":"contact","id":"x"}`).is(http.StatusUnprocessableEntity).has("either automation or text")
	text := "- name: Mine\n  on: contact.changed\n  do:\n    - highlevel_note: { text: hello }\n"
	d.ask(olivia, "POST", "/preview", body(map[string]any{"text": text, "kind": "contact", "id": there.jane, "location": location})).is(http.StatusOK).has(`"applies":true`, "hello")
	d.ask(olivia, "POST", "/preview", body(map[string]any{"text": "- on: nothing", "kind": "contact", "id": there.jane})).is(http.StatusUnprocessableEntity).has("body.text line 1")
	d.ask(victor, "POST", "/preview", `{"automation":"x","kind":"contact","id":"x"}`).is(http.StatusForbidden)
}

func applies(t *testing.T) {
	there := connect(t)
	d := setup(t, there.rehearsing)
	const one = "/automations/contact-to-calendarhero-contact"
	d.ask(olivia, "GET", one+"/plan", "").is(http.StatusConflict)
	d.ask(olivia, "GET", one+"/apply", "").is(http.StatusNotFound)
	d.ask(olivia, "POST", one+"/plan", "").is(http.StatusOK)
	plan := d.get(one + "/plan")
	for plan.field("ended_at") == "" {
		runtime.Gosched()
		plan = d.get(one + "/plan")
	}
	plan.has(`"records":1`, `"people":{`)
	d.ask(olivia, "POST", one+"/apply", `{"counted":"1"}`).is(http.StatusConflict)
	d.ask(olivia, "POST", one+"/apply", `{"counted":"soon"}`).is(http.StatusConflict)
	d.ask(olivia, "POST", one+"/apply", body(map[string]any{"counted": plan.field("counted")})).is(http.StatusNoContent)
	d.audited("olivia applied to what exists automation contact-to-calendarhero-contact")
	d.get(one+"/apply").has(`"state":"running"`, `"records":1`)
	d.ask(olivia, "DELETE", one+"/apply", "").is(http.StatusNoContent)
	d.audited("olivia cancelled the run of automation contact-to-calendarhero-contact")
	d.ask(olivia, "DELETE", one+"/apply", "").is(http.StatusConflict)
	d.ask(victor, "GET", one+"/plan", "").is(http.StatusForbidden)
	d.ask(olivia, "PUT", one+"/state", `{"state":"paused"}`).is(http.StatusOK)
	d.ask(olivia, "POST", one+"/plan", "").is(http.StatusOK)
	for plan = d.get(one + "/plan"); plan.field("ended_at") == ""; plan = d.get(one + "/plan") {
		runtime.Gosched()
	}
	d.ask(olivia, "POST", one+"/apply", body(map[string]any{"counted": plan.field("counted")})).is(http.StatusNoContent)
	d.get(one).has(`"state":"on"`) // it catches up

	// The same in the words of its state.
	d.ask(olivia, "PUT", one+"/state", `{"state":"paused"}`).is(http.StatusOK)
	d.ask(olivia, "PUT", one+"/state", `{"state":"on"}`).is(http.StatusOK).has(`"what":"counting"`, `"state":"paused"`, `"plan":{`, `"begun_at"`)
	d.get(one).has(`"state":"paused"`)
	for plan = d.get(one + "/plan"); plan.field("ended_at") == ""; plan = d.get(one + "/plan") {
		runtime.Gosched()
	}
	d.ask(olivia, "PUT", one+"/state", `{"state":"on","counted":"1"}`).is(http.StatusConflict)
	d.ask(olivia, "PUT", one+"/state", body(map[string]any{"state": "on", "why": "back", "counted": plan.field("counted")})).is(http.StatusOK).has(`"what":"changed"`, `"state":"on"`)
}

func inYAML(r *http.Request) { r.Header.Set("Content-Type", "application/yaml") }

func body(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// field is a text of an answer.
func (a answer) field(name string) string {
	a.t.Helper()
	var all map[string]any
	must(a.t, json.Unmarshal([]byte(a.body), &all))
	text, _ := all[name].(string)
	return text
}
