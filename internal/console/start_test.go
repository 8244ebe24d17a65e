package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/account"
	"milepost/internal/console"
	"milepost/internal/jobs"
	"milepost/internal/people"
	"milepost/internal/store"
	"milepost/internal/sync"
	"milepost/internal/testenv"
)

var firstRun = people.Identity{Name: people.FirstRunName, Role: people.Operator}

func TestTheFirstStepsLeadFromNothingToAContact(t *testing.T) {
	testenv.Long(t)
	world, configure := withWorld(t)
	d := setup(t, configure, func(cfg *console.Config) {
		st, set := cfg.Desk.Store, cfg.Desk.Automations.Set
		runner := jobs.New(jobs.Config{Connections: cfg.Desk.Connections, Logger: zerolog.Nop(), Now: cfg.Now})
		sessions := account.New(account.Config{Store: st, Automations: set, Connections: cfg.Desk.Connections, Logger: zerolog.Nop(), Now: cfg.Now})
		cfg.Desk.Rehearsals = sync.New(sync.Config{Store: st, Automations: set, Connections: cfg.Desk.Connections, Sessions: sessions, Jobs: runner})
	})
	leads := func(who people.Identity, step string) {
		t.Helper()
		if status, to := d.ask(who, "GET", "/console/start", nil); status != http.StatusSeeOther || !strings.HasPrefix(to, "/console/start/"+step+"?") {
			t.Errorf("the first steps lead to %d %s, want %s", status, to, step)
		}
	}
	d.wants(d.page(firstRun, "/console/"), "No contact was synced yet", `href="/console/start"`)
	if status, _ := d.ask(victor, "GET", "/console/start", nil); status != http.StatusForbidden {
		t.Errorf("a viewer's first steps: %d", status)
	}
	for _, step := range []string{"account", "highlevel", "calendarhero", "recipe", "preview", "on"} {
		d.page(firstRun, "/console/start/"+step) // each says what is missing
	}
	leads(firstRun, "account")
	status, to := d.ask(firstRun, "POST", "/console/start/account", url.Values{"name": {"olivia"}, "password": {"correct horse"}, "again": {"correct horse"}})
	if status != http.StatusSeeOther || to != "/console/start/highlevel?said=account" {
		t.Fatalf("the account: %d %s", status, to)
	}
	leads(olivia, "highlevel")
	d.refuses("/console/start/highlevel", url.Values{"typed": {world.Location.ID}}, "Paste the Private Integration Token")
	d.does("/console/start/highlevel", url.Values{"typed": {world.Location.ID}, "highlevel": {world.HighLevelToken}}, "/console/start/calendarhero?location="+world.Location.ID+"&said=connected")
	leads(olivia, "calendarhero")
	d.wants(d.page(olivia, "/console/start/calendarhero"), "the automations that are on act on each record that changes from then on")
	d.refuses("/console/start/calendarhero", url.Values{"location": {world.Location.ID}, "calendarhero": {"wrong"}}, "Nothing was stored", "-wrong\"")
	d.does("/console/start/calendarhero", url.Values{"location": {world.Location.ID}, "calendarhero": {world.CalendarHeroToken}}, "/console/start/recipe?location="+world.Location.ID+"&said=connected")
	leads(olivia, "recipe")
	d.wants(d.page(olivia, "/console/start/recipe"), `Milestone to calendar event</strong> <span class="badge good">on</span>`, "the owner of the CalendarHero account")
	const milestone = "milestone-to-calendar-event"
	choice := url.Values{"location": {world.Location.ID}, "recipe": {milestone}}
	d.wants(d.page(olivia, "/console/start/recipe?"+choice.Encode()), "contact.milestone_date", "The location has it", "Unknown: the token does not tell", "Go on to the preview")
	d.does("/console/start/choose", choice, "/console/start/preview?"+choice.Encode())
	list := d.page(olivia, "/console/start/preview?"+choice.Encode())
	contact := regexp.MustCompile(`contact=([A-Za-z0-9]+)&amp;location`).FindStringSubmatch(list)
	if contact == nil {
		t.Fatalf("no contact to choose:\n%s", list)
	}
	d.wants(list, "José Álvarez-Montenegro")
	choice.Set("contact", contact[1])
	d.wants(d.page(olivia, "/console/start/preview?"+choice.Encode()), "This is what “Milestone to calendar event” would do", ">Sync this contact<")
	other := url.Values{"location": {world.Location.ID}, "recipe": {"birthday-to-calendar-event"}}
	d.does("/console/start/choose", other, "/console/start/preview?"+other.Encode())
	other.Set("contact", contact[1])
	d.wants(d.page(olivia, "/console/start/preview?"+other.Encode()), "Switch it on and sync this contact")
	if state, err := d.store.EntityState(t.Context(), store.Entity{LocationID: world.Location.ID, Kind: "contact", ID: contact[1]}); err != nil || state.Wanted != 0 {
		t.Errorf("the preview asked for a sync: %+v, %v", state, err)
	}
	d.does("/console/start/on", choice, "/console/start/on?"+choice.Encode())
	d.wants(d.page(olivia, "/console/start/on?"+choice.Encode()), "The first contact is being synced")
	e := store.Entity{LocationID: world.Location.ID, Kind: "contact", ID: contact[1]}
	d.finish(store.Finish{Entity: e, ContactID: e.ID, Outcome: store.Done, Detail: "event created", Contact: &store.Contact{LocationID: e.LocationID, ID: e.ID, Name: "Ada", ChangedAt: d.now}})
	d.wants(d.page(olivia, "/console/start/on?"+choice.Encode()), "The first contact is in step", "What to do next")
	d.wants(d.page(olivia, "/console/"), "-No contact was synced yet")
	leads(olivia, "on")
}

func TestTheAppIsSetInTheConsole(t *testing.T) {
	_, configure := withWorld(t)
	d := setup(t, configure, func(cfg *console.Config) { cfg.Desk.Connections.PublicURL = "" })
	const app = "/console/start/app"
	d.wants(d.page(olivia, "/console/start/highlevel"), "First tell Milepost the address", "Client secret")
	d.refuses(app, url.Values{}, "Fill in at least one field")
	d.refuses(app, url.Values{"url": {"http://milepost.example.com"}}, "must begin with https://")
	d.refuses(app, url.Values{"url": {"https://x:y@milepost.example.com"}}, "must look like")
	d.refuses(app, url.Values{"client": {"6878cec452e7c8d29d4dd3d9-x"}}, "needs both the client id and the client secret")
	d.does(app, url.Values{"url": {"https://milepost.example.com/"}}, "/console/start/highlevel?said=app-set")
	d.does(app, url.Values{"client": {"6878cec452e7c8d29d4dd3d9-x"}, "secret": {"shh-secret"}}, "/console/start/highlevel?said=app-set")
	page := d.page(olivia, "/console/start/highlevel")
	d.wants(page, "https://milepost.example.com/oauth/highlevel/callback", "https://milepost.example.com/webhooks/highlevel", "(set)", "-shh-secret")
	if d.registry.Address() != "https://milepost.example.com" {
		t.Errorf("the address is %q", d.registry.Address())
	}
	d.wants(d.page(olivia, "/console/settings/audit"), "the public address and the HighLevel app", "-shh-secret")
	d.now = d.now.Add(time.Second)
}
