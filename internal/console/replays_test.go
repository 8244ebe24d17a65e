package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"milepost/internal/operate"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

// planned asks for a replay, and returns the page of its dry run once it has ended.
func (d *desk) planned(form url.Values) (path, page string) {
	d.t.Helper()
	status, path := d.ask(olivia, "POST", "/console/replays", form)
	if status != http.StatusSeeOther || !strings.HasPrefix(path, "/console/replays/count/") {
		d.t.Fatalf("a replay of %v: %d %s", form, status, path)
	}
	for d.t.Context().Err() == nil {
		if page = d.page(olivia, path); !strings.Contains(page, "Milepost is counting") {
			break
		}
		runtime.Gosched()
	}
	return path, page
}

func TestManyWebhooksAreReplayedAfterADryRun(t *testing.T) {
	testenv.Long(t)
	d := setup(t, rehearsing)
	d.wants(d.page(olivia, "/console/replays"), "Nothing was replayed yet.")
	d.seed()
	d.wants(d.page(olivia, "/console/deliveries"), "all that match, but the selected", `aria-label="Select delivery 2"`)
	d.wants(d.page(victor, "/console/deliveries"), "-all that match, but", "-Select delivery")
	for _, c := range []struct {
		form url.Values
		says []string
	}{
		{url.Values{"which": {"selected"}, "id": {"2"}}, []string{"Of webhook 2.", "1 record of 1 webhook."}},
		{url.Values{"which": {"selected"}, "id": {"1", "2", "4"}}, []string{"Of 3 selected webhooks.", "2 records of 2 webhooks.", "Left out are 1 webhook about no record"}},
		{url.Values{"which": {"but"}, "id": {"1"}, "filter": {"location=loc"}}, []string{"Of all webhooks with location loc, but 1.", "2 records of 2 webhooks."}},
		{url.Values{"which": {"all"}, "filter": {"outcome=failed&within=1h&q=jane"}}, []string{"outcome retry or auth", "a search", "1 record of 1 webhook.", "-jane"}},
	} {
		path, page := d.planned(c.form)
		d.wants(page, append(c.says, "Nobody is mailed.", "Replay now")...)
		if status, _ := d.ask(victor, "GET", path, nil); status != http.StatusForbidden {
			t.Errorf("a viewer's dry run: %d", status)
		}
	}
	d.refuses("/console/replays", url.Values{"which": {"selected"}}, "Select at least one")
	d.refuses("/console/replays", url.Values{"which": {"all"}, "filter": {"type=None"}}, "othing matches that could be replayed")
	for _, nonsense := range []url.Values{{}, {"which": {"x"}}, {"which": {"all"}, "filter": {"%zz"}}} {
		if status, _ := d.ask(olivia, "POST", "/console/replays", nonsense); status != http.StatusNotFound {
			t.Errorf("%v: %d", nonsense, status)
		}
	}

	path, _ := d.planned(url.Values{"which": {"selected"}, "id": {"1", "2"}})
	status, run := d.ask(olivia, "POST", path, url.Values{})
	if status != http.StatusSeeOther || run != "/console/replays/1?said=replay-began" {
		t.Fatalf("the replay: %d %s", status, run)
	}
	d.refuses(path, url.Values{}, "counted too long ago") // it is used up
	d.wants(d.page(olivia, run), "The replay has begun.", "0 of 2 records reached", "Of 2 selected webhooks.", "Begun by olivia", "Cancel the replay")
	d.wants(d.page(victor, run), "0 of 2 records", "-Cancel the replay")
	d.wants(d.page(olivia, "/console/replays"), "Replay 1", "2 records, by olivia", "running")
	d.wants(d.page(olivia, "/console/deliveries?replayed=yes"), "/console/deliveries/1\"", "/console/deliveries/2\"", "-/console/deliveries/3\"")
	d.wants(d.page(olivia, "/console/deliveries/2"), "Replay 1")
	if status, to := d.ask(olivia, "POST", "/console/replays/1/cancel", url.Values{}); status != http.StatusSeeOther || to != "/console/replays/1?said=replay-cancelled" {
		t.Errorf("the cancel: %d %s", status, to)
	}
	d.wants(d.page(olivia, "/console/replays/1"), "cancelled", "-Cancel the replay")
	d.wants(d.page(olivia, "/console/settings/audit"), "replay 1 of 2 records", "cancelled")
	for _, path := range []string{"/console/replays/9", "/console/replays/x"} {
		if status, _ := d.ask(olivia, "GET", path, nil); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	d.wants(d.page(olivia, "/console/replays/count/nothing"), "does not hold any more")
}

func TestAReplayLeavesOutWhatNoLongerMatches(t *testing.T) {
	testenv.Long(t)
	d := setup(t, rehearsing)
	pages := d.trouble()
	key := strings.TrimPrefix(pages["invalid"], "/console/attention/")
	path, page := d.planned(url.Values{"cause": {key}})
	d.wants(page, "2 records.", "Replay now")
	x1, x3 := store.Entity{LocationID: "loc", Kind: "contact", ID: "x1"}, store.Entity{LocationID: "loc", Kind: "contact", ID: "x9"}
	d.finish(store.Finish{Entity: x1, ContactID: "x1", Outcome: store.Done}) // it is corrected
	d.deliver(store.Delivery{ID: 2000, Type: "ContactUpdate", Entity: x3, ContactID: "x9"})
	d.finish(store.Finish{Entity: x3, ContactID: "x9", Outcome: store.Invalid, Cause: causeOf(d, key)}) // it is new
	status, run := d.ask(olivia, "POST", path, url.Values{})
	if status != http.StatusSeeOther {
		t.Fatalf("the replay: %d %s", status, run)
	}
	d.wants(d.page(olivia, run), "0 of 1 record reached")
	path, _ = d.planned(url.Values{"cause": {key}})
	d.now = d.now.Add(time.Hour)
	d.refuses(path, url.Values{}, "counted too long ago")
}

func causeOf(d *desk, key string) store.Cause {
	d.t.Helper()
	for _, c := range d.attention().Concerns {
		if c.Key == key && c.Kind == operate.ConcernFailing {
			return c.Cause
		}
	}
	d.t.Fatalf("there is no cause %s", key)
	return store.Cause{}
}

func TestDeliveriesAreFilteredByAutomation(t *testing.T) {
	testenv.Long(t)
	d := setup(t)
	d.seed()
	if err := d.store.SaveLink(t.Context(), store.Link{Entity: jane, Item: "contact-to-calendarhero-contact/1", ItemKind: "contact", State: store.LinkLive}, d.now, nil); err != nil {
		t.Fatal(err)
	}
	page := d.page(olivia, "/console/deliveries?automation=contact-to-calendarhero-contact")
	if ids := regexp.MustCompile(`href="/console/deliveries/(\d+)"`).FindAllString(page, -1); len(ids) != 1 || !strings.Contains(ids[0], "/1\"") {
		t.Errorf("the automation's deliveries are %v", ids)
	}
	d.wants(d.page(olivia, "/console/deliveries?automation=no-such"), "No delivery matches all of these filters.", "no-such")
}
