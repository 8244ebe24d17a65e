package e2e_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	parser "github.com/emersion/go-ical"
	"github.com/rs/zerolog"

	"milepost/internal/app"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
)

// subscribe makes a feed as `milepost feed-key` does beside a running Milepost,
// and returns what reads it.
func (w *world) subscribe(feed store.Feed) (read func() map[string][]*parser.Component) {
	w.t.Helper()
	state, err := app.OpenState(w.t.Context(), w.cfg, zerolog.Nop())
	w.must(err)
	feed.LocationID = location
	key, err := state.Connections.NewFeedKey(w.t.Context(), feed)
	w.must(err)
	w.must(state.Store.Close())
	return func() map[string][]*parser.Component {
		w.t.Helper()
		req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.app.PublicURL()+"/calendars/"+key+".ics", nil)
		w.must(err)
		res, err := http.DefaultClient.Do(req)
		w.must(err)
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			body, _ := io.ReadAll(res.Body)
			w.t.Fatalf("the calendar is answered %d: %s", res.StatusCode, body)
		}
		calendar, err := parser.NewDecoder(res.Body).Decode()
		w.must(err)
		out := map[string][]*parser.Component{}
		for _, c := range calendar.Children {
			out[c.Name] = append(out[c.Name], c)
		}
		return out
	}
}

// property is the value of a component's property, "" where it has none.
func property(c *parser.Component, name string) string {
	text, err := c.Props.Text(name)
	if err != nil || text == "" {
		if p := c.Props.Get(name); p != nil {
			return p.Value
		}
	}
	return text
}

func TestASubscribedCalendarFollowsHighLevel(t *testing.T) {
	together(t)
	for name, configure := range map[string][]func(*world, *hlfake.Config){"SQLite": {hurried}, "PostgreSQL": {hurried, onPostgres}} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, configure...)
			id := w.fullContact()
			everything, janes, nobodys := w.subscribe(store.Feed{}), w.subscribe(store.Feed{ContactID: id}), w.subscribe(store.Feed{AssignedTo: "nobody"})

			calendar := everything()
			if len(calendar["VEVENT"]) != 1 || len(calendar["VTODO"]) != 1 || len(calendar["VJOURNAL"]) != 1 || len(calendar["VTIMEZONE"]) != 1 {
				t.Fatalf("the calendar has %v", calendar)
			}
			event, todo, journal := calendar["VEVENT"][0], calendar["VTODO"][0], calendar["VJOURNAL"][0]
			start, err := event.Props.DateTime("DTSTART", time.UTC)
			w.must(err)
			if !start.Equal(time.Date(2030, 5, 2, 13, 0, 0, 0, time.UTC)) || property(event, "SUMMARY") != "Closing: Jane Verysecretname" ||
				!strings.Contains(property(event, "DESCRIPTION"), "prefers mornings") || property(event, "CATEGORIES") != "vip" || property(event, "TRANSP") != "TRANSPARENT" || len(event.Children) != 2 {
				t.Errorf("the milestone is at %v, %+v", start, event.Props)
			}
			if due, err := todo.Props.DateTime("DUE", time.UTC); err != nil || !due.Equal(time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)) || property(todo, "STATUS") != "NEEDS-ACTION" {
				t.Errorf("the task is due %v, %+v", due, todo.Props)
			}
			if property(journal, "DESCRIPTION") != "Verysecretname prefers mornings #vip" || property(journal, "CATEGORIES") != "vip" {
				t.Errorf("the note is %+v", journal.Props)
			}
			if c := janes(); len(c["VEVENT"])+len(c["VTODO"])+len(c["VJOURNAL"]) != 3 || len(nobodys()["VEVENT"]) != 0 {
				t.Errorf("the contact's calendar has %v", c)
			}

			w.must(w.hl.SetCustomField(id, "contact.milestone_date", "2030-05-03"))
			w.settle()
			moved := everything()["VEVENT"][0]
			if property(moved, "UID") != property(event, "UID") || property(moved, "SEQUENCE") == property(event, "SEQUENCE") || !strings.HasPrefix(property(moved, "DTSTART"), "20300503T09") {
				t.Errorf("moved it is %+v", moved.Props)
			}

			w.must(w.hl.DeleteContact(id))
			if e := w.erased(id); e.Items != 2 { // the note went with its removal
				t.Errorf("%d items are erased, want 2", e.Items)
			}
			for kind, list := range everything() {
				for _, c := range list {
					if kind != "VTIMEZONE" && (property(c, "STATUS") != "CANCELLED" || property(c, "SUMMARY")+property(c, "DESCRIPTION") != "") {
						t.Errorf("of the deleted contact is left %+v", c.Props)
					}
				}
			}
		})
	}
}
