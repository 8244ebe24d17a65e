package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/console"
	"milepost/internal/sandbox"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

// withWorld lets a desk call the fakes of both vendors.
func withWorld(t *testing.T) (*sandbox.World, func(*console.Config)) {
	t.Helper()
	world, err := sandbox.Start(t.Context(), sandbox.WorldConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	return world, func(cfg *console.Config) {
		r := cfg.Desk.Connections
		at := func(int) time.Duration { return 0 }
		r.HighLevel, r.CalendarHero = highlevel.Config{BaseURL: world.HighLevelURL, RetryWait: at}, calendarhero.Config{BaseURL: world.CalendarHeroURL, RetryWait: at}
		r.PublicURL = "https://milepost.example.com"
		r.NewApp = func(id, secret string) *highlevel.App {
			return highlevel.NewApp(highlevel.AppConfig{ClientID: id, ClientSecret: secret, BaseURL: world.HighLevelURL})
		}
	}
}

func TestALocationIsConnectedByTokensOnlyIfTheyWork(t *testing.T) {
	world, configure := withWorld(t)
	d := setup(t, configure)
	d.wants(d.page(olivia, "/console/connections"), "No location is connected", `href="/console/connect"`)
	d.wants(d.page(victor, "/console/connections"), "An operator can connect one", "-/console/connect\"")
	if status, _ := d.ask(victor, "GET", "/console/connect", nil); status != http.StatusForbidden {
		t.Errorf("a viewer's page to connect: %d", status)
	}
	form := func(location, hl, ch string) url.Values {
		return url.Values{"location": {location}, "highlevel": {hl}, "calendarhero": {ch}}
	}
	d.refuses("/console/connect", form(world.Location.ID, "", ""), "Paste at least one token")
	d.refuses("/console/connect", form("no id", "pit-x", ""), "This is no location id")
	d.refuses("/console/connect", form(world.Location.ID, "pit x", ""), "no spaces")
	d.refuses("/console/connect", form(world.Location.ID, "pit-wrong", "wrong"), "Nothing was stored", "CalendarHero", "-pit-wrong")
	d.refuses("/console/connect", form(world.Location.ID, "", world.CalendarHeroToken), "add its HighLevel token")
	d.wants(d.page(olivia, "/console/connections"), "No location is connected")

	path := "/console/connections/" + world.Location.ID
	d.does("/console/connect", form("https://app.example.com/v2/location/"+world.Location.ID+"/dashboard", "Bearer "+world.HighLevelToken, world.CalendarHeroToken), path+"?said=connected")
	d.wants(d.page(olivia, "/console/connections"), world.Location.Name, "Works", "By Private Integration Token", "less than a day old")
	page := d.page(olivia, path)
	d.wants(page, "Milepost keeps it in step", "Its own", "no other location", "Check it now", "Disconnect this location")
	d.refuses("/console/connect/agency", url.Values{"agency": {world.Location.ID}}, "is the id of a location")
	for _, secret := range []string{world.HighLevelToken, world.CalendarHeroToken} {
		if strings.Contains(page, secret) || strings.Contains(d.log.String(), secret) {
			t.Errorf("a token can be read")
		}
	}
	d.wants(d.page(victor, path), "-Check it now", "-Disconnect", "-Paste new tokens")
	d.wants(d.page(olivia, "/console/settings/audit"), "set the token of HighLevel and CalendarHero for", "location "+world.Location.ID, "olivia")

	status, checked := d.ask(olivia, "POST", path+"/check", url.Values{})
	if status != http.StatusOK {
		t.Fatalf("the check: %d", status)
	}
	d.wants(checked, "HighLevel task search", "CalendarHero meeting types", "Good", "-Failed", "Check again")
	d.refuses(path+"/tokens", form("", "pit-wrong", ""), "Nothing was stored")
	d.does(path+"/tokens", form("", "", world.CalendarHeroToken), path+"?said=connected")

	d.wants(d.page(olivia, path+"/disconnect"), "would be deleted", "nobody would get mail", "It is the last location of its CalendarHero account")
	d.does(path+"/disconnect", url.Values{}, path+"?said=disconnected")
	d.now = d.now.Add(time.Minute)
	d.wants(d.page(olivia, path), "Disconnected", "-Disconnect this location")
	if status, _ := d.ask(olivia, "GET", "/console/connections/nobody", nil); status != http.StatusNotFound {
		t.Errorf("a location that was never connected: %d", status)
	}
}

func TestAConnectionWhoseTokenIsRejectedDoesNotSayThatItWorks(t *testing.T) {
	testenv.Long(t)
	world, configure := withWorld(t)
	d := setup(t, configure)
	connect := func() {
		d.does("/console/connect", url.Values{"location": {world.Location.ID}, "highlevel": {world.HighLevelToken}, "calendarhero": {world.CalendarHeroToken}}, "/console/connections/"+world.Location.ID+"?said=connected")
	}
	connect()
	e := store.Entity{LocationID: world.Location.ID, Kind: "contact", ID: "c9"}
	d.deliver(store.Delivery{ID: 900, Type: "ContactUpdate", Entity: e, ContactID: "c9"})
	d.now = d.now.Add(time.Minute)
	if err := d.store.Postpone(t.Context(), store.Postponed{Entity: e, Wanted: 1, Outcome: store.Auth, Cause: store.Cause{Vendor: "HighLevel", Status: 401, Reason: "unauthorized"}, Now: d.now, NextTry: d.now.Add(time.Minute), Tries: 1}); err != nil {
		t.Fatal(err)
	}
	paths := []string{"/console/connections", "/console/connections/" + world.Location.ID}
	for _, path := range paths {
		d.wants(d.page(olivia, path), ">Rejected", "HighLevel rejects the token", "-keeps it in step")
	}
	d.now = d.now.Add(time.Minute)
	connect()
	for _, path := range paths {
		d.wants(d.page(olivia, path), "Milepost keeps it in step", "-rejects the token")
	}
}

func TestTheLinksOfALocationAreShownOnce(t *testing.T) {
	testenv.Long(t)
	world, configure := withWorld(t)
	d := setup(t, configure)
	path := "/console/connections/" + world.Location.ID
	d.does("/console/connect", url.Values{"location": {world.Location.ID}, "highlevel": {world.HighLevelToken}, "calendarhero": {world.CalendarHeroToken}}, path+"?said=connected")
	made := func(at string, form url.Values, link string) (key string) {
		t.Helper()
		status, page := d.ask(olivia, "POST", path+"/links/"+at, form)
		found := regexp.MustCompile(`value="https://milepost\.example\.com` + link + `"`).FindStringSubmatch(page)
		if status != http.StatusOK || found == nil {
			t.Fatalf("%s: %d\n%s", at, status, page)
		}
		if d.wants(d.page(olivia, path+"/links"), "-"+found[1]); strings.Contains(d.log.String(), found[1]) {
			t.Error("the log holds a key")
		}
		return found[1]
	}
	ids := func() (ids []string) {
		for _, found := range regexp.MustCompile(`name="id" value="([0-9a-f]+)"`).FindAllStringSubmatch(d.page(olivia, path+"/links"), -1) {
			ids = append(ids, found[1])
		}
		return ids
	}
	r := d.registry
	const calendar, workflow = `/calendars/([A-Z2-7]{26})\.ics`, `/webhooks/highlevel/workflow/([A-Z2-7]{26})`
	first := made("calendar", url.Values{"of": {"all"}}, calendar)
	d.refuses(path+"/links/calendar", url.Values{"of": {"contact"}, "id": {"nobody"}}, "HighLevel: get contact nobody", "-The new")
	d.refuses(path+"/links/calendar", url.Values{"of": {"user"}, "id": {""}}, "Give the id of the user")
	second := made("calendar/rotate", url.Values{"id": {ids()[0]}}, calendar)
	if _, _, ok, _ := r.Feed(t.Context(), first); ok {
		t.Error("a link that was rotated still opens the calendar")
	}
	if _, _, ok, _ := r.Feed(t.Context(), second); !ok {
		t.Error("the link that came in its place opens nothing")
	}
	d.does(path+"/links/calendar/end", url.Values{"id": {ids()[0]}}, path+"/links?said=link-ended")
	d.refuses(path+"/links/calendar/end", url.Values{"id": {"00000000"}}, "has ended already")

	old := made("workflow", url.Values{}, workflow)
	d.refuses(path+"/links/workflow", url.Values{"overlap": {"99"}}, "Choose what becomes")
	made("workflow", url.Values{"overlap": {"7"}}, workflow)
	if _, ok, _ := r.WorkflowLocation(t.Context(), old); !ok {
		t.Error("a link that was rotated ended before its time")
	}
	d.now = d.now.Add(7 * 24 * time.Hour)
	if _, ok, _ := r.WorkflowLocation(t.Context(), old); ok {
		t.Error("a link that was rotated works after its time")
	}
	for _, id := range ids() {
		d.does(path+"/links/workflow/end", url.Values{"id": {id}}, path+"/links?said=link-ended")
	}
	d.wants(d.page(olivia, "/console/settings/audit"), "created a calendar link for", "rotated the calendar link", "ended the workflow link", "-"+first, "-"+old)
	d.wants(d.page(victor, path+"/links"), "-Create a", "There is none")
}

func TestTheWebhooksOfAnAccountAreRegisteredAndReleased(t *testing.T) {
	testenv.Long(t)
	world, configure := withWorld(t)
	d := setup(t, configure)
	path := "/console/connections/" + world.Location.ID
	d.does("/console/connect", url.Values{"location": {world.Location.ID}, "highlevel": {world.HighLevelToken}, "calendarhero": {world.CalendarHeroToken}}, path+"?said=connected")
	hooks := path + "/webhooks"
	d.wants(d.page(olivia, hooks), "new_meeting_request", "Not checked yet", "Register or repair all")
	d.does(hooks+"/take", url.Values{}, hooks+"?said=hooks-taken")
	if page := d.page(olivia, hooks); strings.Count(page, `badge good">Milepost`) != 8 {
		t.Errorf("not all are registered:\n%s", page)
	}
	d.does(hooks+"/release", url.Values{}, hooks+"?said=hooks-released")
	d.wants(d.page(olivia, hooks), "Nobody: released", "-badge good")
	if err := world.CalendarHero.SetHook("meeting_started", "https://hooks.zapier.example/abc"); err != nil {
		t.Fatal(err)
	}
	status, page := d.ask(olivia, "POST", hooks+"/take", url.Values{})
	d.wants(page, "Another tool would stop receiving", "hooks.zapier.example", "Nothing was changed yet", "-/abc")
	if status != http.StatusOK {
		t.Errorf("asking first: %d", status)
	}
	d.does(hooks+"/take", url.Values{"event": {"meeting_started"}, "replace": {"yes"}}, hooks+"?said=hooks-taken")
	if page := d.page(olivia, hooks); strings.Count(page, `badge good">Milepost`) != 1 {
		t.Errorf("not only the one is registered:\n%s", page)
	}
}
