package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"milepost/internal/operate"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

// trouble has one thing of each kind that needs attention, and returns their pages by
// outcome or kind.
func (d *desk) trouble() map[string]string {
	d.t.Helper()
	ctx := d.t.Context()
	long := strings.Repeat("Donaudampfschifffahrtsgesellschaft", 3)
	d.connect("loc", "North<b>wind")
	d.connect("loc2", long)
	fail := func(id, outcome string, cause store.Cause) store.Entity {
		e := store.Entity{LocationID: "loc", Kind: "contact", ID: id}
		d.deliver(store.Delivery{ID: int64(900 + len(id)*100 + int(id[len(id)-1])), Type: "ContactUpdate", Entity: e, ContactID: id})
		d.finish(store.Finish{Entity: e, ContactID: id, Outcome: outcome, Cause: cause, Detail: "CalendarHero: 422: " + hostile})
		return e
	}
	rejected := store.Cause{Vendor: "CalendarHero", Status: 422, Reason: "invalid", Operation: "create meeting request", Automation: "Milestone <i>to</i> " + long}
	fail("x1", store.Invalid, rejected)
	fail("x2", store.Invalid, rejected)
	fail("x3", store.Invalid, store.Cause{Automation: "Milestone to calendar event", Field: "start"})
	unclear := fail("x4", store.Unclear, store.Cause{Vendor: "HighLevel", Operation: "highlevel.create_note", Automation: "Note it"})
	call, _, err := d.store.BeginCall(ctx, store.Call{Entity: unclear, Item: "note-it/1", Generation: 1, Automation: "note-it", Operation: "highlevel.create_note"}, "x4",
		store.Link{Entity: unclear, Item: "note-it/1", ItemKind: "request", Automation: "Note it", State: store.LinkCreating, Generation: 1}, d.now)
	if err == nil {
		err = d.store.EndCall(ctx, call, store.CallUnclear, "", store.Link{Entity: unclear, Item: "note-it/1", ItemKind: "request", Automation: "Note it", State: store.LinkUnanswered, Generation: 1}, d.now)
	}
	d.deliver(store.Delivery{ID: 890, Type: "ContactUpdate", Entity: jane, ContactID: "c1"})
	if err == nil {
		err = d.store.Postpone(ctx, store.Postponed{Entity: jane, Wanted: 1, Outcome: store.Auth, Cause: store.Cause{Vendor: "HighLevel", Status: 401, Reason: "unauthorized"}, Detail: long, Now: d.now, NextTry: d.now.Add(time.Minute), Tries: 3})
	}
	for i := range 5 {
		if err == nil {
			_, err = d.store.DecideRemoval(ctx, store.Entity{LocationID: "loc", Kind: "contact", ID: fmt.Sprint("gone", i, long)}, "HighLevel", d.now)
		}
	}
	if err == nil {
		err = d.store.SaveConnection(ctx, store.Connection{LocationID: "loc2", Source: "oauth", State: store.ConnectionBroken, Problem: "HighLevel rejected the grant: connect the location again"}, d.now)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.now = d.now.Add(time.Minute)
	pages := map[string]string{}
	for _, c := range d.attention().Concerns {
		name := string(c.Kind)
		if c.Kind == operate.ConcernFailing {
			name = c.Cause.Outcome
		}
		if c.Cause.Field == "" {
			pages[name] = "/console/attention/" + c.Key
		}
	}
	return pages
}

func (d *desk) attention() operate.Attention {
	d.t.Helper()
	v, err := d.operate.Attention(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

func TestAttentionShowsEachCauseAndWhatToDo(t *testing.T) {
	testenv.Long(t)
	d := setup(t)
	d.wants(d.page(olivia, "/console/attention"), "Nothing needs you.", "leaves by itself")
	pages := d.trouble()
	d.wants(d.page(olivia, "/console/attention"), "2 records", "CalendarHero rejects what the automation Milestone &lt;i&gt;to", "cannot fill in its field start", "HighLevel rejects the token",
		"so it is not known whether it took effect", "Many records vanished at HighLevel", "The location is not served", "North&lt;b&gt;wind", "What to do:", "<code>milepost check</code> says", "Retry all", "Snooze",
		`<a href="/console/connections/loc">Open the connection</a>`, `<a href="/console/connections/loc2">Open the connection</a>`, ">6<span class=\"sr\"> open", "-<script>alert", "-<i>to")
	d.wants(d.page(olivia, "/console/attention?location=loc2"), "The location is not served", "-CalendarHero rejects")
	d.wants(d.page(victor, "/console/attention"), "CalendarHero rejects", "-alert(1)", "-Retry all", "-Acknowledge<")
	d.wants(d.page(victor, pages["invalid"]), "-alert(1)", "contact x1", "-Retry all", "-Sync now")
	d.wants(d.page(olivia, pages["invalid"]), "contact x1", "contact x2", "-contact x3", "Sync now", "-Open the connection", "Failed deliveries of the location")
	d.wants(d.page(olivia, pages["unclear"]), "-Retry all", "Settle the requests", "It took effect", "send it again", "highlevel.create_note")
	d.wants(d.page(olivia, pages["removals"]), "Records that vanished", "Allow the removal")
	d.wants(d.page(olivia, "/console/attention/nothing"), "It is over")
	for _, nonsense := range []string{"?state=nonsense", "?after=nonsense", "?location=%3Cb%3E"} {
		d.page(olivia, "/console/attention"+nonsense)
	}
}

func TestWhatNeedsAttentionIsActedOn(t *testing.T) {
	d := setup(t)
	pages := d.trouble()
	does := func(path string, form url.Values, want string) {
		t.Helper()
		if status, to := d.ask(olivia, "POST", path, form); status != http.StatusSeeOther || to != want {
			t.Errorf("%s: %d %s", path, status, to)
		}
	}
	one := pages["invalid"]
	does(one+"/retry", url.Values{}, one+"?said=retried")
	if s, err := d.store.EntityState(t.Context(), store.Entity{LocationID: "loc", Kind: "contact", ID: "x2"}); err != nil || s.Wanted != 2 {
		t.Errorf("after the retry x2 is %+v, %v", s, err)
	}
	does(one+"/acknowledge", url.Values{}, one+"?said=acknowledged")
	d.wants(d.page(olivia, one), "Acknowledged by olivia", "Open it again")
	d.wants(d.page(olivia, "/console/attention"), "-CalendarHero rejects", ">5<span class=\"sr\"> open")
	d.wants(d.page(olivia, "/console/attention?state=hushed"), "CalendarHero rejects", "Acknowledged by olivia")
	does(one+"/reopen", url.Values{}, one+"?said=reopened")
	does(one+"/snooze", url.Values{"for": {"1d"}}, one+"?said=snoozed")
	d.wants(d.page(olivia, one), "Snoozed by olivia until")
	if status, page := d.ask(olivia, "POST", one+"/snooze", url.Values{"for": {"1y"}}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "Choose for how long") {
		t.Errorf("a snooze for a year: %d", status)
	}
	does("/console/attention/nothing/acknowledge", url.Values{}, "/console/attention?said=over")
	does(pages["unclear"]+"/settle", url.Values{"id": {"1"}, "as": {"sent"}}, pages["unclear"]+"?said=settled")
	if status, page := d.ask(olivia, "POST", pages["unclear"]+"/settle", url.Values{"id": {"1"}, "as": {"again"}}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "settled this request before you") {
		t.Errorf("a request that is settled: %d", status)
	}
	if status, page := d.ask(olivia, "POST", pages["removals"]+"/retry", url.Values{}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "retry would not help") {
		t.Errorf("a retry of what did not fail: %d %s", status, page)
	}
	d.wants(d.page(olivia, pages["removals"]+"/allow"), "2 records", "cannot be undone")
	if status, _ := d.ask(victor, "GET", pages["removals"]+"/allow", nil); status != http.StatusForbidden {
		t.Errorf("a viewer: %d", status)
	}
	does(pages["removals"]+"/allow", url.Values{}, "/console/attention?said=allowed")
	d.wants(d.page(olivia, "/console/settings/audit"), "acknowledged", "snoozed for 24h0m0s", "retried", "reopened", "settled as sent", "allowed the removals of", "olivia")
}
