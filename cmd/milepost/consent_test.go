//go:build unix

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

func TestOnlyYesIsYes(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]bool{"y\n": true, "YES\n": true, " yes ": true, "\n": false, "": false, "no\n": false, "yep\n": false} {
		if got, err := (consent{}).answer(strings.NewReader(said)); got != want || (err != nil) == want {
			t.Errorf("%q: %v, %v", said, got, err)
		}
	}
}

func TestWhatRemovesSomethingFirstSaysWhatAndWhoIsMailed(t *testing.T) {
	t.Parallel()
	r := setupCommands(t)
	r.connect()
	id := r.contact("Jane")
	r.must("backfill", "--location", place, "--since", "all", "--wait")
	said := r.must("forget", "--location", place, "--contact", id, "--dry-run")
	for _, want := range []string{"Closing: Jane Doe", "CalendarHero mails owner@example.com", "Nothing was changed"} {
		if !strings.Contains(said, want) {
			t.Errorf("forget --dry-run does not say %q:\n%s", want, said)
		}
	}
	for _, args := range [][]string{{"connections", "remove", place, "--dry-run"}, {"connections", "allow", "company", "--dry-run"}} {
		if said := r.must(args...); !strings.Contains(said, " mail") || !strings.Contains(said, "Nothing was changed") {
			t.Errorf("%v does not say who would get mail:\n%s", args, said)
		}
	}
	if said := r.must("connections", "--json"); !strings.Contains(said, `"agencies": []`) || !strings.Contains(said, `"state": "active"`) {
		t.Errorf("a dry run changed something:\n%s", said)
	}
	if n := len(r.subjects()); n != 2 {
		t.Errorf("%d requests after dry runs, want 2", n)
	}
}

func TestWhatEndsSomethingHasADryRun(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	env := []string{"MILEPOST_DATA_DIR=" + testdb.DataDir(t)}
	mine := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(mine, []byte("- { id: mine, name: Mine, on: note.changed, do: [note: {}] }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"people", "add", "dana"}, 0, "dana can sign in"},
		{[]string{"people", "token", "dana", "--label", "ci"}, 0, "token of dana"},
		{[]string{"people", "token", "dana", "--revoke", "1", "--dry-run"}, 0, "(ci) would stop working now"},
		{[]string{"people", "token", "dana", "--revoke", "99"}, 1, "dana has no token 99"},
		{[]string{"people", "token", "dana", "--list"}, 0, "ci"},
		{[]string{"people", "token", "dana", "--list", "--dry-run"}, 2, "--dry-run goes with --revoke"},
		{[]string{"people", "token", "dana", "--revoke", "1", "--yes"}, 0, "token 1 of dana is revoked"},
		{[]string{"automations", "import", mine, "--dry-run"}, 2, "--dry-run goes with --replace"},
		{[]string{"automations", "import", mine}, 0, "added"},
		{[]string{"automations", "import", mine, "--replace", "--dry-run"}, 0, "These automations would be deleted: contact-to-calendarhero-contact, "},
		{[]string{"automations", "show", "milestone-to-calendar-event"}, 0, "milestone"},
		{[]string{"automations", "import", mine, "--replace", "-y"}, 0, "deleted"},
		{[]string{"automations", "import", mine, "--replace", "--dry-run"}, 0, "No automation would be deleted."},
		{[]string{"automations", "delete", "mine", "--dry-run"}, 0, "These automations would be deleted: mine."},
		{[]string{"automations", "show", "mine"}, 0, "mine"},
		{[]string{"automations", "delete", "nobodys", "--dry-run"}, 1, "nobodys"},
		{[]string{"automations", "delete", "mine", "-y"}, 0, "mine is deleted"},
	} {
		if out, status := milepost(t, env, c.args...); status != c.status || !strings.Contains(out, c.says) || slices.Contains(c.args, "--dry-run") && status == 0 && !strings.Contains(out, "Nothing was changed.") {
			t.Errorf("milepost %s: status %d, want %d with %q:\n%s", strings.Join(c.args, " "), status, c.status, c.says, out)
		}
	}
}

func TestAnImportWarnsOfNamesThatTheLocationLacks(t *testing.T) {
	t.Parallel()
	r := setupCommands(t)
	r.connect()
	imports := func(field string, flags ...string) string {
		path := filepath.Join(t.TempDir(), "mine.yaml")
		if err := os.WriteFile(path, []byte("- { id: mine, name: Mine, on: contact.changed, do: [event: { title: x, start: '{{ contact."+field+" }}' }] }\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return r.must(append([]string{"automations", "import", path}, flags...)...)
	}
	warns := func(said string, want bool) {
		t.Helper()
		if strings.Contains(said, "milepost: location "+place+": automation mine:1: event.start: the location has no field contact.milestone_dat") != want {
			t.Errorf("it warns: %t, want %t:\n%s", !want, want, said)
		}
	}
	said := imports("milestone_datee")
	if warns(said, true); !strings.Contains(said, "did you mean contact.milestone_date?") {
		t.Errorf("it does not say which field was meant:\n%s", said)
	}
	warns(imports("milestone_datee"), false) // unchanged
	warns(imports("milestone_date"), false)
	warns(imports("milestone_dat", "--draft"), false)
	warns(r.must("automations", "publish", "mine"), true)
	r.hl.Faults().Next("*", 20, fakehttp.FailWith(503)) // an import does not need HighLevel
	warns(imports("milestone_datx"), false)
}

func TestWhatCannotWorkIsRefusedUnlessForced(t *testing.T) {
	t.Parallel()
	r := setupCommands(t)
	r.connect()
	id := r.contact("Jane")
	for _, c := range []struct {
		args  []string
		works bool
		says  string
	}{
		{[]string{"feed-key", place, "--contact", "nobody00000000000001"}, false, "nobody00000000000001"},
		{[]string{"feed-key", place, "--user", "nobody"}, false, "has no user with the id nobody"},
		{[]string{"feed-key", place, "--contact", "nobody00000000000001", "--force"}, true, "/calendars/"},
		{[]string{"feed-key", place, "--contact", id}, true, "/calendars/"},
		{[]string{"timeline", "nowhere"}, false, "these are: " + place},
		{[]string{"timeline", place, "--contact", "nobody00000000000001"}, false, "knows nothing about contact nobody00000000000001"},
		{[]string{"timeline", place, "--contact", "nobody00000000000001", "--json"}, false, "knows nothing about"},
		{[]string{"automations", "test", "milestone-to-calendar-event", "--contact", "nobody"}, false, "nobody"},
		{[]string{"automations", "test", "milestone-to-calendar-event", "--contact", "nobody", "--json"}, false, "nobody"},
		{[]string{"connections", "set", otherPlace, "--token-file", r.token("pit-wrong"), "--calendarhero-file", r.token("ch-commands"), "--force"}, true, "is connected"},
		{[]string{"connections", "set", otherPlace, "--token-file", r.token("pit-first"), "--force"}, true, "the tokens do not work now; --force stores them anyway: HighLevel: get location " + otherPlace},
		{[]string{"connections", "remove", otherPlace}, true, "is removed"},
		{[]string{"automations", "test", "milestone-to-calendar-event", "--contact", id, "--location", otherPlace}, false, "the record could not be read"},
		{[]string{"automations", "test", "task-to-calendar-task", "--task", "task0000000000000001", "--location", otherPlace, "--json"}, false, "the record could not be read"},
		{[]string{"automations", "test", "milestone-to-calendar-event", "--contact", id}, true, "Nothing was sent."},
		{[]string{"connections", "set", place, "--token-file", r.token("pit-wrong")}, false, "--force"},
		{[]string{"connections", "set", place, "--calendarhero-file", r.token("ch-wrong")}, false, "CalendarHero"},
		{[]string{"connections", "set", place, "--calendarhero-file", r.token("ch-wrong"), "--force"}, true, "is connected"},
	} {
		said, err := r.run(c.args...)
		if (err == nil) != c.works || !strings.Contains(said, c.says) {
			t.Errorf("milepost %s: %v, want %q:\n%s", strings.Join(c.args, " "), err, c.says, said)
		}
	}
}
