package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"milepost/clients/highlevel"
	"milepost/internal/app"
	"milepost/internal/sandbox"
	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
	"milepost/mapping"
)

func TestCheckSaysOfEachTokenWhatIsWrong(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	world, err := sandbox.Start(t.Context(), sandbox.WorldConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(silent.Close)
	limited := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/"+world.Location.ID) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"location":{"id":%q,"name":"Northwind","timezone":"America/New_York"}}`, world.Location.ID)
			return
		}
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(limited.Close)
	good := app.Config{
		HighLevelBaseURL: world.HighLevelURL, HighLevelToken: world.HighLevelToken, HighLevelLocationID: world.Location.ID,
		CalendarHeroBaseURL: world.CalendarHeroURL, CalendarHeroToken: world.CalendarHeroToken, CalendarHeroAuth: "raw",
	}
	for _, c := range []struct {
		name   string
		change func(*app.Config)
		fails  int // lines that fail
		says   string
	}{
		{"all is well", func(*app.Config) {}, 0, "America/New_York"},
		{"a wrong HighLevel token", func(c *app.Config) { c.HighLevelToken = "pit-wrong" }, 1, "Invalid"},
		{"a token that is being rotated", func(c *app.Config) { c.HighLevelToken += ",pit-old" }, 1, "token 2 of 2"},
		{"a token of another location", func(c *app.Config) { c.HighLevelLocationID = "elsewhere0000000001" }, 1, "403"},
		{"a wrong CalendarHero token", func(c *app.Config) { c.CalendarHeroToken = "wrong" }, 1, "CalendarHero"},
		{"a vendor that hangs up", func(c *app.Config) { c.CalendarHeroBaseURL = silent.URL }, 1, "EOF"},
		{"a location that others call, too", func(c *app.Config) { c.HighLevelBaseURL = limited.URL }, 1, "wait ten seconds and check again"},
		{"nothing set", func(c *app.Config) { c.HighLevelToken, c.HighLevelLocationID, c.CalendarHeroToken = "", "", "" }, 2, "MILEPOST_CALENDARHERO_TOKEN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			command := checkCmd{Config: good}
			c.change(&command.Config)
			var out bytes.Buffer
			err := command.report(t.Context(), &out)
			if fails := len(regexp.MustCompile(`(?m)^FAIL`).FindAllString(out.String(), -1)); fails != c.fails || (err != nil) != (c.fails > 0) {
				t.Errorf("%d lines fail (%v), want %d:\n%s", fails, err, c.fails, &out)
			}
			if !strings.Contains(out.String(), c.says) {
				t.Errorf("no word of %q:\n%s", c.says, &out)
			}
			for _, secret := range []string{good.HighLevelToken, good.CalendarHeroToken} {
				if strings.Contains(out.String(), secret) {
					t.Errorf("the report holds a token:\n%s", &out)
				}
			}
		})
	}
}

func TestCheckFailsForAFixedTextThatIsNoDate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte("- name: A\n  on: task.changed\n  do: [task: { title: x, due: tomorrow }]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	command := checkCmd{Config: app.Config{Automations: file}}
	if err := command.report(t.Context(), &out); err == nil {
		t.Error("the check passed")
	}
	if want := file + `:3: task.due: "tomorrow" is not a date`; !regexp.MustCompile(`(?m)^FAIL  automations .*` + regexp.QuoteMeta(want)).Match(out.Bytes()) {
		t.Errorf("it does not say %s:\n%s", want, &out)
	}
}

func TestCheckWarnsOfNamesThatTheLocationDoesNotHave(t *testing.T) {
	world, err := sandbox.Start(t.Context(), sandbox.WorldConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte(`- name: A
  on: contact.changed
  if: contact.milestone_datee != nil and contact.tagss != nil
  do:
    - event: { title: "{{ contact.milestone }}", start: "{{ contact.milestone_date }}", type: cal }
    - highlevel_task: { title: x, due: "{{ contact.milestone_date }}", assigned_to: nobody }
`), 0o600); err != nil {
		t.Fatal(err)
	}
	command := checkCmd{Config: app.Config{
		HighLevelBaseURL: world.HighLevelURL, HighLevelToken: world.HighLevelToken, HighLevelLocationID: world.Location.ID, Automations: file,
		CalendarHeroBaseURL: world.CalendarHeroURL, CalendarHeroToken: world.CalendarHeroToken, CalendarHeroAuth: "raw",
	}}
	world.HighLevel.Faults().Next("GET /users/", -1, fakehttp.Say(403, `{"statusCode":403,"message":"The token does not have access to this location."}`))
	var out bytes.Buffer
	err = command.report(t.Context(), &out)
	if err == nil { // the line of the users says so, too
		t.Error("a forbidden read is no failure of the check")
	}
	for _, want := range []string{
		"mine.yaml:3: if: the location has no field contact.milestone_datee; did you mean contact.milestone_date?",
		"mine.yaml:3: if: the location has no field contact.tagss; did you mean contact.tags?",
		`mine.yaml:5: event.type: the CalendarHero account: unknown meeting type "cal"; did you mean "call"?`,
		"could not check the users in " + file,
	} {
		if !regexp.MustCompile(`(?m)^warn  .*` + regexp.QuoteMeta(want)).Match(out.Bytes()) {
			t.Errorf("it does not warn %q:\n%s", want, &out)
		}
	}
	if n := strings.Count(out.String(), "\nwarn "); n != 4 {
		t.Errorf("%d warnings, want 4:\n%s", n, &out)
	}
}

func TestTheSandboxPlaysItsScenarioOnce(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	path := filepath.Join(t.TempDir(), "addresses.json")
	command := sandboxCmd{
		Once: true, Addresses: path, LogLevel: "error", DataDir: testdb.DataDir(t),
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", HighLevelListen: "127.0.0.1:0", CalendarHeroListen: "127.0.0.1:0", PageListen: "127.0.0.1:0",
	}
	var out bytes.Buffer
	if err := command.run(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	st, err := store.OpenSQLite(t.Context(), command.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	err = st.InTx(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query(t.Context(), `SELECT kind, detail FROM entities WHERE outcome = $1`, store.Invalid)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var kind, detail string
			if err := rows.Scan(&kind, &detail); err != nil {
				return err
			}
			t.Errorf("a %s could not be synced: %s", kind, detail)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"highlevel", "calendarhero", "public", "admin", "location_id", "highlevel_token", "calendarhero_token", "client_id", "client_secret"} {
		if !strings.Contains(string(written), `"`+key+`": "`) {
			t.Errorf("%s is missing in the addresses:\n%s", key, written)
		}
	}
}

func TestCheckWarnsOfScopesThatALocationDidNotGrant(t *testing.T) {
	set, err := mapping.Load("a", []byte("- name: Start\n  on: contact.changed\n  do:\n    - request: { operation: highlevel.list_workflows }\n"+
		"- name: Paused\n  state: paused\n  on: contact.changed\n  do:\n    - request: { operation: highlevel.list_campaigns }\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		granted []string
		want    string
	}{
		{[]string{"contacts.readonly", "locations.readonly", "workflows.readonly"}, ""},
		{[]string{"contacts.readonly", "locations.readonly"}, `"Start" needs the scope workflows.readonly, which the location did not grant`},
	} {
		var out bytes.Buffer
		r := newCheckReport(&out)
		r.Scopes(append(c.granted, highlevel.NeededScopes()...), set)
		if got := out.String(); !strings.Contains(got, c.want) || c.want == "" && got != "" || r.Failed {
			t.Errorf("%v: it says %q, want %q", c.granted, got, c.want)
		}
	}
}
