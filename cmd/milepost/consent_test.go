//go:build unix

package main

import (
	"strings"
	"testing"
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
