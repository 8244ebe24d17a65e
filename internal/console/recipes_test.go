package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/automation"
	"milepost/internal/console"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv"
	"milepost/mapping"
)

// withFake serves a HighLevel in which a location has nothing yet.
func withFake(t *testing.T, fields ...hlfake.CustomField) (configure func(*console.Config), location string) {
	t.Helper()
	location = "ve9EPM428h8vShlRW1KT"
	fake := hlfake.New(hlfake.Config{Token: "pit-test", LocationIDs: []string{location}})
	t.Cleanup(fake.Close)
	fake.SeedLocation(hlfake.Location{ID: location, TimeZone: "America/New_York"}, nil, fields)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return func(cfg *console.Config) {
		r := cfg.Desk.Connections
		at := func(int) time.Duration { return 0 }
		r.HighLevel, r.CalendarHero = highlevel.Config{BaseURL: server.URL, RetryWait: at}, calendarhero.Config{BaseURL: server.URL, RetryWait: at}
		if err := r.Set(t.Context(), location, "pit-test", "test-calendarhero"); err != nil {
			t.Fatal(err)
		}
	}, location
}

func TestEachRecipeHasAPage(t *testing.T) {
	testenv.Long(t)
	d := setup(t)
	gallery := d.page(victor, "/console/recipes")
	d.wants(d.page(olivia, "/console/recipes/milestone-to-calendar-event"), "contact.milestone_date", "No location is connected")
	for _, r := range mapping.RecipeBook() {
		d.wants(gallery, r.Name, `href="/console/recipes/`+r.ID+`"`)
		d.wants(d.page(victor, "/console/recipes/"+r.ID), "What it needs", "-ZgotmplZ", "-Add it, on")
	}
	if status, _ := d.ask(olivia, "GET", "/console/recipes/no-such", nil); status != http.StatusNotFound {
		t.Errorf("a recipe that there is not: %d", status)
	}
}

func TestARecipeIsAdded(t *testing.T) {
	testenv.Long(t)
	const on, off = "/console/recipes/birthday-to-calendar-event", "/console/recipes/birthday-to-highlevel-task"
	d, _ := setupConsole(t)
	d.wants(d.page(olivia, on), "Add it, on", "Add it, off", "the owner of the CalendarHero account")
	d.wants(d.page(olivia, "/console/recipes/contact-to-calendarhero-contact"), "It was added already.", "-Add it, on")
	if status, page := d.ask(olivia, "POST", on+"/add", url.Values{"state": {"paused"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("in a state that is none of both: %d %s", status, page)
	}
	for path, state := range map[string]string{on: "on", off: "off"} {
		if status, to := d.ask(olivia, "POST", path+"/add", url.Values{"state": {state}}); status != http.StatusSeeOther || to != path+"?said=recipe-"+state {
			t.Fatalf("%s: %d %s", path, status, to)
		}
		d.wants(d.page(olivia, path), "It was added already.", `">`+state+"</span>")
		if status, page := d.ask(olivia, "POST", path+"/add", url.Values{"state": {state}}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "was added already") {
			t.Errorf("%s again: %d", path, status)
		}
	}
	d.wants(d.page(olivia, "/console/settings/audit"), "olivia", "added, switched off,", "recipe birthday-to-highlevel-task")
	if status, _ := d.ask(olivia, "POST", "/console/recipes/no-such/add", url.Values{"state": {"on"}}); status != http.StatusNotFound {
		t.Errorf("a recipe that there is not: %d", status)
	}
}

func TestAFileOfAutomationsIsTheirOnlySource(t *testing.T) {
	testenv.Long(t)
	file, err := automation.ReadFile("mine.yaml", []byte("- {id: mine, name: Mine, on: contact.changed, do: [contact: {}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := setup(t, func(cfg *console.Config) {
		cfg.Desk.Automations, err = automation.Open(t.Context(), automation.Config{Store: cfg.Desk.Store, File: file, Logger: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
	})
	const path = "/console/recipes/birthday-to-calendar-event"
	d.wants(d.page(olivia, "/console/recipes"), "mine.yaml, which is their only source")
	d.wants(d.page(olivia, path), "Copy the YAML below into the file", "-Add it, on")
	if status, page := d.ask(olivia, "POST", path+"/add", url.Values{"state": {"on"}}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "MILEPOST_AUTOMATIONS") {
		t.Errorf("adding it all the same: %d", status)
	}
}

func TestWhatARecipeNeedsIsCheckedAndCreated(t *testing.T) {
	testenv.Long(t)
	fake, location := withFake(t)
	d := setup(t, fake)
	const path = "/console/recipes/milestone-to-calendar-event"
	d.connect(location, hostile)
	d.wants(d.page(olivia, path), "Check whether the location has them", "-<script>alert", "-The location lacks it")
	checked := path + "?location=" + location
	d.wants(d.page(olivia, checked), "The location lacks it", "Create it in HighLevel")
	if status, _ := d.ask(victor, "GET", checked, nil); status != http.StatusForbidden {
		t.Errorf("a viewer's check: %d", status)
	}
	d.wants(d.page(olivia, path+"?location=other"), "Milepost could not find out", "Location other is not connected", "-The location")
	for _, name := range []string{"contact.milestone", "contact.milestone_date", "contact.milestone"} { // the first by two people at once
		status, to := d.ask(olivia, "POST", path+"/create", url.Values{"location": {location}, "what": {"custom field"}, "name": {name}})
		if status != http.StatusSeeOther || to != checked+"&said=need-created" {
			t.Fatalf("%s: %d %s", name, status, to)
		}
	}
	d.wants(d.page(olivia, checked), "The location has it", "-The location lacks it")
	d.wants(d.page(olivia, "/console/settings/audit"), "asked to create", "custom field contact.milestone_date in location "+location)
	for _, form := range []url.Values{{"location": {location}, "what": {"tag"}, "name": {"x"}}, {"location": {"other"}, "what": {"custom field"}, "name": {"contact.milestone"}}} {
		if status, _ := d.ask(olivia, "POST", path+"/create", form); status != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d", form, status)
		}
	}
}
