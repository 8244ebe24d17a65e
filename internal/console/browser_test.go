package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"milepost/api"
	"milepost/internal/adminapi"
	"milepost/internal/automation"
	"milepost/internal/console"
	"milepost/internal/people"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

// serve serves the whole admin listener on the desk's store.
func (d *desk) serve(c *console.Console) string {
	d.t.Helper()
	endpoints := adminapi.New(adminapi.Config{People: d.people, Logger: zerolog.Nop()})
	handler, err := api.Admin(api.Routes{People: d.people, Console: c, API: endpoints, Logger: zerolog.Nop(), Ready: func(context.Context) error { return nil }})
	if err != nil {
		d.t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	d.t.Cleanup(server.Close)
	return server.URL
}

// crowd adds enough for long pages, with long names.
func (d *desk) crowd() {
	d.t.Helper()
	long := strings.Repeat("Donaudampfschifffahrtsgesellschaft", 6)
	var list []store.Delivery
	for i := range 60 {
		e := store.Entity{LocationID: "loc", Kind: "contact", ID: fmt.Sprintf("contact%020d", i)}
		list = append(list, store.Delivery{ID: int64(100 + i), Type: "ContactUpdate", Entity: e, ContactID: e.ID})
	}
	d.deliver(list...)
	for i, delivery := range list {
		e := delivery.Entity
		if i < 20 { // they stay in the queue
			continue
		}
		d.finish(store.Finish{
			Entity: e, ContactID: e.ID, Outcome: store.AllOutcomes[i%4], Detail: long,
			Contact: &store.Contact{LocationID: "loc", ID: e.ID, Name: long, Email: strings.ToLower(long) + "@mail.example", Phone: "+14165550199", ChangedAt: d.now},
		})
	}
	for i := range 9 {
		d.item(fmt.Sprint("item", i), store.Item{Kind: []string{store.ItemEvent, store.ItemTask}[i%2], Start: d.now.Add(time.Duration(i) * 7 * time.Hour), End: d.now.Add(time.Duration(i) * 7 * time.Hour), Content: store.Content{Title: long}})
	}
	if err := d.store.SaveConnection(d.t.Context(), store.Connection{LocationID: strings.Repeat("m", 60), Name: long, Source: "oauth", State: store.ConnectionBroken, Problem: "HighLevel rejected the renewal: " + long}, d.now); err != nil {
		d.t.Fatal(err)
	}
	for i := range 60 {
		if err := d.people.Note(d.t.Context(), strings.Repeat("w", 64), "looked at personal data on", fmt.Sprintf("/console/contacts/loc/%s%d", strings.Repeat("c", 100), i)); err != nil {
			d.t.Fatal(err)
		}
	}
	if err := d.people.Add(d.t.Context(), "test", strings.Repeat("w", 64), "correct horse", people.Viewer); err != nil {
		d.t.Fatal(err)
	}
}

// automate has an automation with a history, a draft, a count and a run under way.
func (d *desk) automate() {
	d.t.Helper()
	l, err := automation.Open(d.t.Context(), automation.Config{Store: d.store, Logger: zerolog.Nop()})
	if err != nil {
		d.t.Fatal(err)
	}
	long := strings.Repeat("Donaudampfschifffahrtsgesellschaft", 3)
	for _, state := range []string{"off", "on"} {
		d.does(toContact+"/state", url.Values{"state": {state}, "why": {long}}, toContact+"?said=switched-"+state)
	}
	draft := strings.Replace(d.text(l, "contact-to-calendarhero-contact").Text, "two_way: true", "two_way: false # "+long, 1)
	d.does(toContact+"/yaml", url.Values{"text": {draft}, "as": {"draft"}, "base": {"3"}}, toContact+"?said=draft-saved")
	d.does(toContact+"/count", url.Values{}, toContact+"/apply")
	d.counted(toContact)
}

// unvisited lists the pages of the router that none of the paths leads to.
func unvisited(c *console.Console, paths []string) (pages []string) {
	router := c.Router()
	visited := map[string]bool{}
	for _, path := range paths {
		route := chi.NewRouteContext()
		path, _, _ = strings.Cut(path, "?")
		if router.Match(route, http.MethodGet, strings.TrimPrefix(path, "/console")) {
			visited[route.RoutePattern()] = true
		}
	}
	_ = chi.Walk(router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		page, ok := strings.CutPrefix(route, "/show") // every page has this twin
		if ok && method == http.MethodPost && !visited[page] && !visited[strings.TrimSuffix(page, "/")] {
			pages = append(pages, page)
		}
		return nil
	})
	return pages
}

// TestTheConsoleInABrowser opens every twelfth page in light. In a thorough run it opens all of them in light and dark, and those of an empty database.
func TestTheConsoleInABrowser(t *testing.T) {
	testenv.Long(t)
	chromium, dir := testenv.Browser(t), testenv.NodePackage(t, "../sandbox/testdata/axe")
	script, err := os.ReadFile("testdata/walk.mjs")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "walk.mjs"), script, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	folder := os.Getenv("MILEPOST_TEST_SCREENSHOTS") // an existing one
	if folder == "" {
		folder = "-"
	}
	lists := []string{
		"/console/", "/console/deliveries", "/console/deliveries?q=nobody", "/console/contacts", "/console/jobs", "/console/calendar?location=loc", "/console/calendar?location=loc&view=week", "/console/connections", "/console/connections/loc", "/console/connections/loc/links", "/console/connections/loc/backfill", "/console/connections/loc/disconnect", "/console/jobs?group=queued", "/console/attention", "/console/attention?state=retrying", "/console/attention?state=hushed",
		"/console/automations", "/console/automations/contact-to-calendarhero-contact", "/console/automations/contact-to-calendarhero-contact/history?from=3&to=4",
		"/console/automations/contact-to-calendarhero-contact/edit", "/console/automations/contact-to-calendarhero-contact/apply",
		"/console/recipes", "/console/recipes/milestone-to-calendar-event", "/console/recipes/birthday-to-calendar-event",
		"/console/catalog", "/console/catalog?q=nothing+matches", "/console/catalog/highlevel.create_contact", "/console/catalog/contact.tagged",
		"/console/settings/people", "/console/settings/sessions", "/console/settings/audit", "/console/settings/alerts",
		"/console/connect", "/console/connections/loc/webhooks", "/console/replays",
		"/console/automations/import", "/console/automations/new", "/console/automations/new/yaml", toContact + "/yaml", toContact + "/delete",
		"/console/start/account", "/console/start/highlevel", "/console/start/calendarhero", "/console/start/recipe", "/console/start/preview", "/console/start/on",
	}
	walk := func(t *testing.T, d *desk, c *console.Console, paths ...string) {
		t.Helper()
		if err := d.people.Add(t.Context(), "test", "olivia", "correct horse", people.Operator); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "node", append([]string{filepath.Join(dir, "walk.mjs"), chromium, d.serve(c), "olivia", "correct horse", folder}, paths...)...)
		cmd.WaitDelay = 10 * time.Second
		said, err := cmd.CombinedOutput()
		if err != nil || !strings.HasSuffix(string(said), "rules passed\n") {
			t.Errorf("the walk found faults (%v):\n%s\nthe log: %s", err, said, d.log)
		}
	}
	t.Run("empty", func(t *testing.T) {
		if !testenv.Thorough() {
			t.Skip("it takes long: set MILEPOST_TEST_THOROUGH=1")
		}
		d, c := setupConsole(t)
		walk(t, d, c, "/console/", "/console/attention", "/console/deliveries", "/console/contacts", "/console/jobs", "/console/calendar", "/console/connections", "/console/connect", "/console/automations", "/console/recipes", "/console/recipes/birthday-to-calendar-event", "/console/settings/people")
	})
	t.Run("full", func(t *testing.T) {
		d, c := setupConsole(t, rehearsing)
		d.seed()
		d.crowd()
		d.automate()
		concerns := d.trouble()
		run, _ := d.planned(url.Values{"which": {"selected"}, "id": {"1", "2"}})
		if status, to := d.ask(olivia, "POST", run, url.Values{}); status != http.StatusSeeOther {
			t.Fatalf("the replay: %d %s", status, to)
		}
		count, _ := d.planned(url.Values{"which": {"selected"}, "id": {"2"}})
		paths := append(lists, "/console/replays/1", count, "/console/deliveries/1", "/console/deliveries/2", "/console/deliveries/2/replay", "/console/deliveries?q=jane",
			"/console/contacts/loc/c1", fmt.Sprintf("/console/contacts/loc/contact%020d", 59), "/console/contacts/loc/c1/forget", "/console/settings/people/olivia",
			concerns["invalid"], concerns["unclear"], concerns["removals"], concerns["removals"]+"/allow", "/console/attention/over")
		for _, page := range unvisited(c, paths) {
			t.Errorf("the walk leaves out the page %s: add its address", page)
		}
		if !testenv.Thorough() {
			paths = sample(paths)
		}
		walk(t, d, c, paths...)
	})
}

// sample returns every twelfth path, and an editor, in which the walk makes a mistake.
func sample(paths []string) (some []string) {
	for i, path := range paths {
		if i%12 == 0 || path == toContact+"/yaml" {
			some = append(some, path)
		}
	}
	return some
}
