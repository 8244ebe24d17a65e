package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/internal/app"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

func TestAFeedKeyIsShownOnceListedAndRevoked(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	config := app.Config{
		DataDir: testdb.DataDir(t), PublicURL: "https://milepost.example.com", CalendarHeroAuth: "raw",
		HighLevelToken: "pit-test", HighLevelLocationID: "loc1", CalendarHeroToken: "calendarhero-test",
	}
	run := func(change func(*feedKeyCmd)) (string, error) {
		t.Helper()
		command := feedKeyCmd{Config: config, Location: "loc1"}
		change(&command)
		var out bytes.Buffer
		err := command.run(t.Context(), &out)
		return out.String(), err
	}
	url := regexp.MustCompile(`https://milepost\.example\.com/calendars/([A-Z2-7]{26})\.ics\n`)
	opens := func(change func(*feedKeyCmd)) (key string, feed func() (store.Feed, bool)) {
		t.Helper()
		said, err := run(change)
		m := url.FindStringSubmatch(said)
		if err != nil || m == nil {
			t.Fatalf("%v: %s", err, said)
		}
		return m[1], func() (feed store.Feed, ok bool) {
			t.Helper()
			if err := withState(t.Context(), config, func(state *app.State) (err error) {
				feed, _, ok, err = state.Connections.Feed(t.Context(), m[1])
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return feed, ok
		}
	}
	list := func() string {
		t.Helper()
		said, err := run(func(c *feedKeyCmd) { c.List = true })
		if err != nil {
			t.Fatal(err)
		}
		return said
	}
	if said := list(); !strings.Contains(said, "no feed keys") {
		t.Errorf("before any: %s", said)
	}
	key, all := opens(func(*feedKeyCmd) {})
	_, contact := opens(func(c *feedKeyCmd) { c.Contact, c.Force = "c1", true })
	_, user := opens(func(c *feedKeyCmd) { c.User, c.Force = "u1", true })
	for want, feed := range map[store.Feed]func() (store.Feed, bool){
		{LocationID: "loc1"}: all, {LocationID: "loc1", ContactID: "c1"}: contact, {LocationID: "loc1", AssignedTo: "u1"}: user,
	} {
		if got, ok := feed(); !ok || got != want {
			t.Errorf("the key opens %+v, %v; want %+v", got, ok, want)
		}
	}
	said := list()
	if strings.Contains(said, key) || !strings.Contains(said, "everything") || !strings.Contains(said, "contact c1") || !strings.Contains(said, "user u1") {
		t.Errorf("the list is\n%s", said)
	}
	for line := range strings.SplitSeq(said, "\n") {
		if strings.Contains(line, "contact c1") {
			if _, err := run(func(c *feedKeyCmd) { c.Revoke = strings.Fields(line)[0] }); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, ok := contact(); ok {
		t.Error("a revoked key still opens its feed")
	}
	if _, ok := all(); !ok {
		t.Error("another key was revoked with it")
	}
	said, err := run(func(c *feedKeyCmd) { c.JSON, c.User, c.Force = true, "u1", true })
	if made := (newURL{}); json.Unmarshal([]byte(said), &made) != nil || !url.MatchString(made.URL+"\n") || made.User != "u1" {
		t.Errorf("%v, for programs: %s", err, said)
	}
	lines := strings.Fields(list())
	id := lines[slices.Index(lines, "user")-2]
	if said, err := run(func(c *feedKeyCmd) { c.JSON, c.Revoke = true, id }); err != nil || said != "{\n  \"revoked\": 1\n}\n" {
		t.Errorf("%v, a revocation for programs: %s", err, said)
	}
	for what, change := range map[string]func(*feedKeyCmd){
		"an id that is not there":  func(c *feedKeyCmd) { c.Revoke = "00000000" },
		"an unconnected location":  func(c *feedKeyCmd) { c.Location = "loc2" },
		"an id that is but a part": func(c *feedKeyCmd) { c.Revoke = "0" },
	} {
		if said, err := run(change); err == nil {
			t.Errorf("%s was no error: %s", what, said)
		}
	}
	if err := withState(t.Context(), config, func(state *app.State) error { // a workflow's key opens no calendar
		key, err := state.Connections.NewWorkflowKey(t.Context(), "loc1", time.Time{})
		if err != nil {
			return err
		}
		if _, _, ok, err := state.Connections.Feed(t.Context(), key); ok || err != nil {
			t.Errorf("the key of a workflow opens a calendar: %v", err)
		}
		_, err = state.Connections.Remove(t.Context(), "loc1")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, ok := all(); ok {
		t.Error("a key outlived its connection")
	}
}
