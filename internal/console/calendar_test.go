package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"milepost/internal/store"
	"milepost/internal/testenv"
)

// item notes an item of a contact.
func (d *desk) item(id string, i store.Item) {
	d.t.Helper()
	i.Key, i.Automation, i.Status, i.Zone = "a/1", "a", store.StatusTentative, "America/New_York"
	err := d.store.NoteItems(d.t.Context(), store.Noted{Entity: store.Entity{LocationID: "loc", Kind: "contact", ID: id}, ContactID: id, Items: []store.Item{i}, Now: d.now})
	if err != nil {
		d.t.Fatal(err)
	}
}

// dayOf is the part of a page about a day, by its name in full.
func dayOf(page, label string) string {
	_, rest, _ := strings.Cut(page, `aria-label="`+label)
	day, _, _ := strings.Cut(rest, "<h3>")
	return day
}

func TestTheCalendarShowsItemsOnTheirDaysInTheLocationsZone(t *testing.T) {
	d := setup(t)
	d.wants(d.page(olivia, "/console/calendar"), "No location is connected")
	d.connect("loc", "Northwind")
	d.wants(d.page(olivia, "/console/calendar"), "November 2026", "Nothing is on these days")
	at := func(text string) time.Time {
		zone, err := time.LoadLocation("America/New_York")
		if err != nil {
			t.Fatal(err)
		}
		when, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	event := func(id, when, title string, dateOnly bool) {
		d.item(id, store.Item{Kind: store.ItemEvent, Start: at(when), End: at(when).Add(time.Hour), Content: store.Content{Title: title, DateOnly: dateOnly}})
	}
	event("late", "2026-11-20 23:30", "Late call", false) // the 21st in UTC
	event("dated", "2026-11-20 09:00", "A date alone", true)
	event("fall", "2026-11-01 23:30", "On a day of 25 hours", false)
	event("spring", "2026-03-08 23:30", "On a day of 23 hours", false)
	d.item("task", store.Item{Kind: store.ItemTask, Start: at("2026-11-22 23:50"), End: at("2026-11-23 00:05"), Content: store.Content{Title: "Send " + hostile}})
	d.item("note", store.Item{Kind: store.ItemNote, Start: at("2026-11-20 12:00"), Content: store.Content{Text: "a note"}})

	page := d.page(olivia, "/console/calendar")
	d.wants(page, "time zone America/New_York", "-<script>alert", "-a note", "Friday 20 November 2026, today", `href="/console/contacts/loc/late"`)
	d.wants(dayOf(page, "Friday 20 November 2026"), "23:30</span> <a", "Late call", "A date alone", "-09:00")
	d.wants(dayOf(page, "Sunday 1 November 2026"), "On a day of 25 hours")
	d.wants(dayOf(page, "Monday 23 November 2026"), "00:05", "due: ")
	d.wants(dayOf(page, "Sunday 22 November 2026"), "-due: ")
	d.wants(dayOf(d.page(olivia, "/console/calendar?day=2026-03-31"), "Sunday 8 March 2026"), "23:30", "On a day of 23 hours")
	week := d.page(olivia, "/console/calendar?view=week&day=2026-03-08")
	d.wants(week, "Week of 2 March 2026", "On a day of 23 hours", "day=2026-03-01", "day=2026-03-15")
	d.wants(d.page(victor, "/console/calendar"), "-Late call", "Show personal data", "23:30")
	for _, nonsense := range []string{"day=x", "day=9999-99-99", "day=0001-01-01", "view=year", "location=nobody"} {
		d.page(olivia, "/console/calendar?"+nonsense)
	}
	if status, page := d.ask(victor, "POST", "/console/show/calendar", url.Values{}); status != http.StatusOK || !strings.Contains(page, "Late call") {
		t.Errorf("shown to a viewer who asks: %d", status)
	}
	for i := range 9 {
		event("many"+string(rune('0'+i)), "2026-11-25 10:00", "One of many", false)
	}
	d.wants(dayOf(d.page(olivia, "/console/calendar"), "Wednesday 25 November 2026"), "5 more")
	if page := d.page(olivia, "/console/calendar?view=week&day=2026-11-25"); strings.Count(page, "One of many") != 9 {
		t.Error("the week does not list all items of a day")
	}
}

func TestTheCalendarHasTheTimeZoneOfItsLocation(t *testing.T) {
	testenv.Long(t)
	configure, location := withFake(t)
	d := setup(t, configure)
	page := ""
	for range 10 { // HighLevel has two seconds to answer, which a busy machine can miss
		if page = d.page(olivia, "/console/calendar?location="+location); !strings.Contains(page, "HighLevel has not named the location's time zone yet.") {
			break
		}
		d.now = d.now.Add(time.Minute) // it is asked again
	}
	d.wants(page, "time zone America/New_York") // though there is no item yet
}

func TestTheCalendarSaysThatATimeZoneIsNotKnown(t *testing.T) {
	d := setup(t)
	d.connect("loc", "Northwind")
	d.wants(d.page(olivia, "/console/calendar?location=loc"), "HighLevel has not named the location's time zone yet. Times are in the time zone UTC.")
}
