package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/account"
	"milepost/internal/automation"
	"milepost/internal/connection"
	"milepost/internal/console"
	"milepost/internal/jobs"
	"milepost/internal/store"
	"milepost/internal/sync"
	"milepost/internal/testenv"
	"milepost/mapping"
)

const toContact = "/console/automations/contact-to-calendarhero-contact"

// does sends a form that must lead to a page.
func (d *desk) does(path string, form url.Values, next string) {
	d.t.Helper()
	if status, to := d.ask(olivia, "POST", path, form); status != http.StatusSeeOther || to != next {
		d.t.Fatalf("%s: %d to %s, want %s", path, status, to, next)
	}
}

// refuses sends a form that a person must put right.
func (d *desk) refuses(path string, form url.Values, why ...string) {
	d.t.Helper()
	status, page := d.ask(olivia, "POST", path, form)
	if status != http.StatusUnprocessableEntity {
		d.t.Fatalf("%s: %d %s", path, status, page)
	}
	d.wants(page, why...)
}

func TestAutomationsAreSwitched(t *testing.T) {
	d := setup(t)
	d.wants(d.page(victor, "/console/automations"), `href="`+toContact+`"`, "A contact was created or changed", "Changed by milepost", "-Export all")
	d.wants(d.page(olivia, toContact), "Switch off", "Pause", "-Switch on", "mails <strong>nobody", "two_way: true")
	d.wants(d.page(victor, toContact), "-Switch off", "-two_way: true", "Hidden, because it may name people", "-/edit")
	for _, state := range []string{"off", "on", "paused"} {
		d.does(toContact+"/state", url.Values{"state": {state}, "why": {hostile}}, toContact+"?said=switched-"+state)
		d.wants(d.page(olivia, toContact+"?said=switched-"+state), `">`+state+"</span>", "Last change")
	}
	d.refuses(toContact+"/state", url.Values{"state": {"exploded"}}, "Choose on, paused or off.")
	d.wants(d.page(olivia, toContact+"/history"), "olivia", "&lt;script&gt;", "-<script>alert", "Version 4")
	d.wants(d.page(olivia, "/console/settings/audit"), "switched to paused", "version 4 of the automation contact-to-calendarhero-contact")
	for _, path := range []string{"/console/automations/no-such", "/console/automations/%2e%2e%2f", toContact + "/history?from=1&to=99"} {
		if status, _ := d.ask(olivia, "GET", path, nil); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, text := d.ask(olivia, "GET", "/console/automations.yaml", nil); status != http.StatusOK || !strings.Contains(text, "id: contact-to-calendarhero-contact") {
		t.Errorf("the export: %d %s", status, text)
	}
	if status, text := d.ask(olivia, "GET", toContact+"/export", nil); status != http.StatusOK || !strings.Contains(text, "two_way: true") || strings.Contains(text, "id: task") {
		t.Errorf("the export of one: %d %s", status, text)
	}
	for _, path := range []string{"/console/automations.yaml", toContact + "/export"} {
		if status, _ := d.ask(victor, "GET", path, nil); status != http.StatusForbidden {
			t.Errorf("a viewer's %s: %d", path, status)
		}
	}
}

// text is the live text of an automation.
func (d *desk) text(l *automation.Library, id string) automation.Entry {
	d.t.Helper()
	e, err := l.Show(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return e
}

// An automation that an earlier version of Milepost saved may have a mistake that nobody
// would find on its page otherwise.
func TestAnAutomationShowsTheMistakeThatEveryRecordMeets(t *testing.T) {
	testenv.Long(t)
	d := setup(t)
	n, err := d.store.AutomationChanges(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = d.store.EditAutomations(t.Context(), store.AutomationEdit{
		Expect:      n,
		Automations: []store.Automation{{ID: "mine", Position: 1, State: string(mapping.StateOn), Live: 1}},
		Versions:    []store.AutomationVersion{{ID: "mine", Version: 1, Text: "- id: mine\n  name: Mine\n  on: task.changed\n  do:\n    - task: { title: x, due: tomorrow }\n", By: "olivia"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.wants(d.page(olivia, "/console/automations/mine"), "It has a mistake that every record meets.", "Line 5, <code>task.due</code>", "&#34;tomorrow&#34; is not a date")
	d.wants(d.page(victor, "/console/automations/mine"), "-every record", "-tomorrow")
	d.wants(d.page(olivia, toContact), "-every record")
}

func TestAnAutomationIsEditedComparedAndRestored(t *testing.T) {
	var l *automation.Library
	d := setup(t, func(cfg *console.Config) { l = cfg.Desk.Automations })
	const id = "contact-to-calendarhero-contact"
	was := d.text(l, id).Text
	changed := strings.Replace(was, "two_way: true", "two_way: false", 1)
	save := func(text, as, base string) url.Values {
		return url.Values{"text": {strings.ReplaceAll(text, "\n", "\r\n")}, "as": {as}, "base": {base}, "why": {"one way only"}}
	}
	d.wants(d.page(olivia, toContact+"/yaml"), "two_way: true", "Save as a draft", `name="base" value="1"`)
	if status, _ := d.ask(victor, "GET", toContact+"/yaml", nil); status != http.StatusForbidden {
		t.Errorf("a viewer's edit: %d", status)
	}
	d.refuses(toContact+"/yaml", save(strings.Replace(was, "two_way: true", "tow_way: </textarea><script>alert(1)</script>", 1), "live", "1"),
		"Nothing was saved: 1 mistake.</p>", "What is wrong", "tow_way", "Line ", "one way only", "-<script>alert")
	d.refuses(toContact+"/yaml", save(strings.Replace(was, "id: "+id, "id: other", 1), "live", "1"), "The id of the automation would change")
	d.refuses(toContact+"/yaml", save(strings.Replace(was, "id: "+id, "id: other", 1), "draft", "1"), "The id of the automation would change")
	d.refuses(toContact+"/yaml", save("", "draft", "1"), "Nothing was saved")

	d.does(toContact+"/yaml", save(changed, "draft", "1"), toContact+"?said=draft-saved")
	d.wants(d.page(olivia, toContact), "There is a draft, version 2", "two_way: true")
	d.wants(d.page(olivia, toContact+"/yaml"), "two_way: false", "This is the draft", "mails <strong>nobody")
	d.wants(d.page(olivia, toContact+"/history?from=1&to=2"), "-Restore version 2")
	d.does(toContact+"/discard", url.Values{}, toContact+"?said=discarded")
	d.refuses(toContact+"/discard", url.Values{}, "has no draft")
	d.refuses(toContact+"/yaml", save(changed, "live", "0"), "somebody changed this automation", "two_way: false")
	d.does(toContact+"/yaml", save(changed, "live", "1"), toContact+"?said=saved")
	if e := d.text(l, id); e.Text != changed || e.State != mapping.StateOn || e.Draft != 0 || e.Version != 3 {
		t.Errorf("after saving it is %+v", e)
	}
	compare := toContact + "/history?from=3&to=1"
	d.wants(d.page(olivia, compare), "Restore version 1", "−         two_way: false", "&#43;         two_way: true", "one way only")
	d.wants(d.page(victor, compare), "-Restore version 1", "-two_way", "-one way only")
	d.refuses(toContact+"/restore", url.Values{"version": {"9"}}, "has no version 9")
	d.does(toContact+"/restore", url.Values{"version": {"1"}}, toContact+"?said=restored")
	if e := d.text(l, id); e.Text != was || e.Version != 4 {
		t.Errorf("after restoring it is %+v", e)
	}
	d.wants(d.page(olivia, "/console/settings/audit"), "saved", "a draft of the automation "+id, "version 3 of the automation", "discarded", "restored version 1 as")
}

// rehearsing lets a desk count what applying would do. Nothing is connected.
func rehearsing(cfg *console.Config) {
	st, set := cfg.Desk.Store, cfg.Desk.Automations.Set
	registry := connection.Open(connection.Config{Store: st, Logger: zerolog.Nop(), Now: cfg.Now})
	runner := jobs.New(jobs.Config{Connections: registry, Logger: zerolog.Nop(), Now: cfg.Now})
	sessions := account.New(account.Config{Store: st, Automations: set, Connections: registry, Logger: zerolog.Nop(), Now: cfg.Now})
	cfg.Desk.Rehearsals = sync.New(sync.Config{Store: st, Automations: set, Connections: registry, Sessions: sessions, Jobs: runner})
}

// counted looks at the page of a count until it has ended.
func (d *desk) counted(path string) (page, token string) {
	d.t.Helper()
	for d.t.Context().Err() == nil {
		page = d.page(olivia, path+"/apply")
		if !strings.Contains(page, "Milepost is counting") {
			break
		}
		runtime.Gosched()
	}
	if found := regexp.MustCompile(`name="counted" value="(\d+)"`).FindStringSubmatch(page); found != nil {
		token = found[1]
	}
	return page, token
}

func TestAnAutomationIsAppliedAfterACount(t *testing.T) {
	testenv.Long(t)
	d := setup(t, rehearsing)
	d.seed()
	d.wants(d.page(olivia, toContact), "Count what applying it would do", "-A run is under way")
	d.wants(d.page(olivia, toContact+"/apply"), "It is not counted yet", "-Apply it now")
	if status, _ := d.ask(victor, "GET", toContact+"/apply", nil); status != http.StatusForbidden {
		t.Errorf("a viewer's count: %d", status)
	}
	d.does(toContact+"/count", url.Values{}, toContact+"/apply")
	page, token := d.counted(toContact)
	d.wants(page, "1 record. Records that stay unchanged: 1.", "Nobody is mailed.", "Apply it now")
	d.refuses(toContact+"/apply", url.Values{"counted": {"17"}}, "Nothing was applied")
	d.refuses(toContact+"/apply", url.Values{}, "Nothing was applied")

	d.does(toContact+"/state", url.Values{"state": {"off"}}, toContact+"?said=switched-off")
	d.refuses(toContact+"/apply", url.Values{"counted": {token}}, "Nothing was applied") // it was counted for another state
	d.wants(d.page(olivia, toContact), "Count what would be removed")
	d.does(toContact+"/state", url.Values{"state": {"paused"}}, toContact+"?said=switched-paused")
	d.wants(d.page(olivia, toContact), "Switch on: first see what that changes")
	d.does(toContact+"/state", url.Values{"state": {"on"}}, toContact+"/apply")
	page, token = d.counted(toContact)
	d.wants(page, "it catches up with all records", "1 record. Records that stay unchanged: 1.", "Nobody is mailed.", "Switch it on and catch up")
	d.wants(d.page(olivia, toContact), `">paused</span>`) // nothing has happened yet
	d.does(toContact+"/apply", url.Values{"counted": {token}}, toContact+"?said=switched-on")
	d.does(toContact+"/apply/cancel", url.Values{}, toContact+"?said=apply-cancelled") // it caught up

	d.does(toContact+"/count", url.Values{}, toContact+"/apply")
	_, token = d.counted(toContact)
	d.now = d.now.Add(time.Hour)
	d.refuses(toContact+"/apply", url.Values{"counted": {token}}, "Nothing was applied") // too long ago
	d.does(toContact+"/count", url.Values{}, toContact+"/apply")
	_, token = d.counted(toContact)
	d.does(toContact+"/apply", url.Values{"counted": {token}}, toContact+"?said=applied")
	d.wants(d.page(olivia, toContact), "A run is under way: 0 of 1 record reached.", "Cancel the run")
	d.wants(d.page(victor, toContact), "A run is under way", "-Cancel the run")
	d.does(toContact+"/apply/cancel", url.Values{}, toContact+"?said=apply-cancelled")
	d.refuses(toContact+"/apply/cancel", url.Values{}, "No run is under way any more.")
	d.wants(d.page(olivia, "/console/settings/audit"), "applied to what exists", "cancelled the run of")
}
