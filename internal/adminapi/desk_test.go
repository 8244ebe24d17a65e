package adminapi_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"runtime"
	"testing"
	"time"

	"milepost/internal/operate"
	"milepost/internal/people"
	"milepost/internal/store"
)

// searcher finds one record that differs.
type searcher struct{}

func (searcher) Sweep(_ context.Context, name, locationID string, _ time.Time, _ bool, progress func(store.Reconciliation, []store.Found)) (store.Reconciliation, error) {
	done := store.Reconciliation{Name: name, LocationID: locationID, Contacts: 1, ContactsTotal: 1}
	progress(done, []store.Found{{Entity: jane, ContactID: "c1", Differs: true}})
	return done, nil
}

func backfills(t *testing.T) {
	there := connect(t)
	d := setup(t, there.connect, func(c *operate.Config) { c.Search, c.Counting = searcher{}, c.Preview })
	const one = "/backfills/" + location
	d.ask(olivia, "GET", one, "").is(http.StatusNotFound)
	d.ask(olivia, "GET", one+"/count", "").is(http.StatusConflict).has("was not counted")
	d.ask(olivia, "POST", one+"/count", `{"since":"tomorrow"}`).is(http.StatusUnprocessableEntity).has("a day of the past")
	d.ask(olivia, "POST", "/backfills/elsewhere/count", `{"since":"all"}`).is(http.StatusConflict).has("not connected")
	d.ask(olivia, "POST", one+"/count", `{"since":"2026-11-01"}`).is(http.StatusOK)
	count := d.get(one + "/count")
	for count.field("ended_at") == "" {
		runtime.Gosched()
		count = d.get(one + "/count")
	}
	count.has(`"differ":1`, `"changes":1`, "ann@example.com")
	d.ask(victor, "GET", one+"/count", "").is(http.StatusForbidden)
	d.ask(olivia, "POST", one, `{"counted":"1"}`).is(http.StatusConflict)
	d.ask(olivia, "POST", one, `{"counted":"soon"}`).is(http.StatusConflict)
	d.ask(olivia, "POST", one, body(map[string]any{"counted": count.field("counted")})).is(http.StatusNoContent)
	d.audited("olivia began a backfill (2026-11-01) of location " + location)
	d.get(one).has(`"state":"running"`, `"since":"2026-11-01"`, `"by":"olivia"`)
	d.get("/backfills?limit=1").has(location, `-"next"`)
	d.ask(olivia, "DELETE", one, "").is(http.StatusNoContent)
	d.audited("olivia cancelled the backfill of location " + location)
	d.ask(olivia, "DELETE", one, "").is(http.StatusConflict)
}

func links(t *testing.T) {
	there := connect(t)
	d := setup(t, there.connect)
	const one = "/connections/" + location
	d.ask(olivia, "POST", one+"/check", "").is(http.StatusOK).has(`"ok":true`, "HighLevel contacts", "CalendarHero account")
	d.ask(olivia, "POST", "/connections/elsewhere/check", "").is(http.StatusOK).has(`"ok":false`)

	d.ask(olivia, "POST", one+"/webhooks", `{"event":"made.up"}`).is(http.StatusUnprocessableEntity)
	d.ask(olivia, "POST", one+"/webhooks", `{}`).is(http.StatusOK).has(`"state":"ours"`)
	d.audited("olivia registered the webhooks of CalendarHero of location " + location)
	d.get(one+"/webhooks").has(`"state":"ours"`, "-/webhooks/calendarhero/")
	d.ask(olivia, "DELETE", one+"/webhooks?anyway=true", "").is(http.StatusOK).has(`"state":"off"`)
	d.audited("olivia released the webhooks of CalendarHero of location " + location)
	d.ask(olivia, "GET", "/connections/elsewhere/webhooks", "").is(http.StatusNotFound)
	d.ask(olivia, "GET", "/connections/loc/webhooks", "").is(http.StatusConflict)

	made := d.ask(olivia, "POST", one+"/links", `{"kind":"workflow"}`).is(http.StatusOK).has("https://milepost.example/webhooks/")
	d.audited("olivia created a workflow link for location " + location)
	d.ask(olivia, "POST", one+"/links", `{"kind":"calendar","contact":"`+there.jane+`"}`).is(http.StatusOK).has(".ics")
	d.ask(olivia, "POST", one+"/links", `{"kind":"workflow","user":"u1"}`).is(http.StatusUnprocessableEntity)
	d.ask(olivia, "POST", one+"/links", `{"kind":"calendar","contact":"nobody"}`).is(http.StatusBadGateway)
	list := d.get(one+"/links").has(`"kind":"calendar"`, `"kind":"workflow"`, `"contact":"`+there.jane+`"`, "-"+made.field("url"))
	first := d.get(one + "/links?limit=1")
	d.get(one+"/links?cursor="+first.next()).has(`"kind":"workflow"`, `-"calendar"`)
	ids := map[string]string{}
	for _, m := range regexp.MustCompile(`"id":"([^"]+)","kind":"([^"]+)"`).FindAllStringSubmatch(list.body, -1) {
		ids[m[2]] = m[1]
	}
	calendar, workflow := one+"/links/calendar/"+ids["calendar"], one+"/links/workflow/"+ids["workflow"]
	d.ask(olivia, "POST", workflow+"/rotate", "").is(http.StatusUnprocessableEntity).has("others_until")
	d.ask(olivia, "POST", calendar+"/rotate", "").is(http.StatusOK).has(".ics")
	d.ask(olivia, "POST", calendar+"/rotate", "").is(http.StatusNotFound)
	d.ask(olivia, "DELETE", workflow, "").is(http.StatusNoContent)
	d.audited("olivia ended the workflow link " + ids["workflow"] + " of location " + location)
	d.ask(olivia, "DELETE", workflow, "").is(http.StatusNotFound)
	d.ask(olivia, "GET", "/connections/elsewhere/links", "").is(http.StatusNotFound)
}

func jobsAndSessions(t *testing.T) {
	d := setup(t)
	d.get("/jobs?group=queued").has(`"kind":"sync"`, `"counts":{`, `"location":"loc"`)
	if page := d.get("/jobs?group=queued&limit=1"); page.next() != "" {
		d.get("/jobs?group=queued&limit=1&cursor=" + page.next())
	}
	d.ask(olivia, "GET", "/jobs?cursor=Ing"+"i", "").is(http.StatusUnprocessableEntity)
	d.ask(olivia, "POST", "/jobs/1/run", "").is(http.StatusConflict)
	must(t, d.store.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE river_job SET state = 'discarded', finalized_at = '2026-11-20 12:00:00', errors = '[{"at":"2026-11-20T12:00:00Z","attempt":1,"error":"Jane Doe","trace":""}]' WHERE id = 1`)
		return err
	}))
	d.get("/jobs?group=failed").has("Jane Doe")
	d.ask(victor, "GET", "/jobs?group=failed", "").is(http.StatusOK).has("-Jane Doe", `"id":1`)
	d.ask(olivia, "POST", "/jobs/1/run", "").is(http.StatusNoContent)
	d.audited("olivia ran at once job 1")

	must(t, d.people.Add(t.Context(), "test", "rita", "correct horse", people.Viewer))
	_, err := d.people.SignIn(t.Context(), people.Browser{Agent: "a browser"}, "rita", "correct horse")
	must(t, err)
	id := regexp.MustCompile(`"id":"([^"]+)"`).FindStringSubmatch(d.get("/sessions").has(`"person":"rita"`, "a browser").body)[1]
	d.ask(victor, "GET", "/sessions", "").is(http.StatusForbidden)
	d.ask(olivia, "DELETE", "/sessions/"+id, "").is(http.StatusNoContent)
	d.audited("olivia ended the session " + id[:8])
	d.ask(olivia, "DELETE", "/sessions/"+id, "").is(http.StatusUnprocessableEntity)
}

func requestsAndRemovals(t *testing.T) {
	d := setup(t)
	ctx := t.Context()
	for i := range 5 {
		_, err := d.store.DecideRemoval(ctx, store.Entity{LocationID: "loc", Kind: "contact", ID: fmt.Sprint("gone", i)}, "HighLevel", d.now)
		must(t, err)
	}
	begin := func(n int64) store.Call {
		link := store.Link{Entity: jane, Item: "note-it/1", ItemKind: "request", Automation: "Note it", State: store.LinkCreating, Generation: n}
		call, _, err := d.store.BeginCall(ctx, store.Call{Entity: jane, Item: link.Item, Generation: n, Automation: "note-it", Operation: "highlevel.create_note"}, "c1", link, d.now)
		must(t, err)
		return call
	}
	first := begin(1)
	must(t, d.store.EndCall(ctx, first, store.CallUnclear, "", store.Link{Entity: jane, Item: "note-it/1", ItemKind: "request", State: store.LinkUnanswered, Generation: 1}, d.now))
	d.get("/requests?limit=1").has(`"state":"unclear"`, `"operation":"highlevel.create_note"`, `"automation":"note-it"`)
	settle := fmt.Sprintf("/requests/%d/settle", first.ID)
	d.ask(olivia, "POST", settle, `{"sent":true}`).is(http.StatusOK)
	d.ask(olivia, "POST", settle, `{"sent":true}`).is(http.StatusNotFound)
	var stopped store.Call
	for n := int64(2); stopped.State != store.CallStopped && n < 100; n++ {
		stopped = begin(n)
	}
	d.ask(olivia, "POST", fmt.Sprintf("/requests/%d/release", stopped.ID), "").is(http.StatusOK).has(`"records":1`)
	d.ask(olivia, "POST", "/requests/999/release", "").is(http.StatusNotFound)

	key := regexp.MustCompile(`"key":"([^"]+)","kind":"removals"`).FindStringSubmatch(d.get("/attention").body)
	if key == nil {
		t.Fatal("no removal waits")
	}
	one := "/attention/" + key[1]
	page := d.get(one+"/removals?limit=1").has(`"vendor":"HighLevel"`, `"next"`)
	d.get(one+"/removals?cursor="+page.next()).has(`"id":"gone`, `-"next"`)
	d.ask(victor, "POST", one+"/allow", "").is(http.StatusForbidden)
	d.ask(olivia, "POST", one+"/allow", "").is(http.StatusOK).has(`"records":2`)
	d.audited("olivia allowed the removals of location loc")
	d.ask(olivia, "POST", one+"/allow", "").is(http.StatusNotFound)
	failing := regexp.MustCompile(`"key":"([^"]+)","kind":"failing"`).FindStringSubmatch(d.get("/attention").body)
	d.ask(olivia, "POST", "/attention/"+failing[1]+"/allow", "").is(http.StatusNotFound)
}
