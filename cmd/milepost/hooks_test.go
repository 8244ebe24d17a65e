//go:build unix

package main

import (
	"strings"
	"testing"

	"milepost/clients/calendarhero"
	"milepost/internal/sandbox/fakehttp"
)

// ours counts the events that go to this Milepost.
func (r *running) ours() (n int) {
	for _, url := range r.ch.Hooks() {
		if strings.HasPrefix(url, "https://milepost.example.com/webhooks/calendarhero/") {
			n++
		}
	}
	return n
}

func TestWebhooksOfCalendarHeroAreShownTakenAndReleasedByCommands(t *testing.T) {
	t.Parallel()
	const zapier = "https://hooks.zapier.example/hooks/catch/secret-part?key=secret-query"
	r := setupCommands(t)
	r.env = append(r.env, "MILEPOST_PUBLIC_URL=https://milepost.example.com") // of the commands alone: what is registered is by them
	if said := r.must("hooks"); !strings.Contains(said, "No location") {
		t.Errorf("before: %s", said)
	}
	if err := r.ch.SetHook("meeting_started", zapier); err != nil {
		t.Fatal(err)
	}
	r.connect()
	account := r.must("hooks")
	if !strings.Contains(account, "account of "+place) || strings.Count(account, "never") != len(calendarhero.Events) {
		t.Errorf("before they are checked: %s", account)
	}
	if said, err := r.run("hooks", "take", place); err == nil || !strings.Contains(said, "meeting_started: another tool (hooks.zapier.example)") || !strings.Contains(said, "--yes") {
		t.Errorf("take without --yes: %v %s", err, said)
	}
	if hooks := r.ch.Hooks(); hooks["meeting_started"] != zapier || len(hooks) != 1 {
		t.Errorf("it changed %v", hooks)
	}
	for _, args := range [][]string{{"hooks", "take", place, "--event", "contact_updated"}, {"hooks", "take", "elsewhere"}, {"hooks", "release", "elsewhere"}} {
		if said, err := r.run(args...); err == nil {
			t.Errorf("%v: %s", args, said)
		}
	}
	said := r.must("hooks", "take", place, "--event", "new_contact_added") // which is nobody's
	if r.ours() != 7 || strings.Count(said, "Milepost") != 7+2 || !strings.Contains(said, "another tool is registered (hooks.zapier.example)") {
		t.Errorf("what is taken besides: %s", said)
	}
	if said := r.must("hooks"); !strings.Contains(said, "milepost hooks take "+place+" --event meeting_started") {
		t.Errorf("the list says %s", said)
	}
	if said := r.must("hooks", "take", place, "--yes"); r.ours() != 8 || !strings.Contains(said, "(hooks.zapier.example) no longer receives it") || strings.Contains(said, "secret-") {
		t.Errorf("with --yes: %s", said)
	}
	key := strings.Split(r.ch.Hooks()["meeting_started"], "/")[5]
	if said := r.must("hooks"); strings.Contains(said, key) || strings.Count(said, "Milepost") != 8 {
		t.Errorf("the list says %s", said)
	}
	if said := r.must("hooks", "release", place); !strings.Contains(said, "until `milepost hooks take "+place+"`") || len(r.ch.Hooks()) != 0 {
		t.Errorf("the release says %s, and leaves %v", said, r.ch.Hooks())
	}
	if said := r.must("hooks", "take", place); r.ours() != 8 {
		t.Errorf("taken again: %s", said)
	}
	if said := r.must("connections", "remove", place); !strings.Contains(said, "deleted the 8 webhooks of its CalendarHero account") || len(r.ch.Hooks()) != 0 {
		t.Errorf("the removal says %s, and leaves %v", said, r.ch.Hooks())
	}
	r.env = append(r.env, "MILEPOST_PUBLIC_URL=")
	if said, err := r.run("hooks", "take", place); err == nil || !strings.Contains(said, "MILEPOST_PUBLIC_URL") {
		t.Errorf("without a public URL: %v %s", err, said)
	}
}

func TestWhatCannotBeReadIsSaidSoAndReleasedOnlyWithYes(t *testing.T) {
	t.Parallel()
	const zapier = "https://hooks.zapier.example/hooks/catch/1"
	r := setupCommands(t)
	r.env = append(r.env, "MILEPOST_PUBLIC_URL=https://milepost.example.com")
	r.connect()
	r.ch.Faults().Next("GET /webhook/{event}", -1, fakehttp.FailWith(405))
	r.must("hooks", "take", place)
	if err := r.ch.SetHook("meeting_rescheduled", zapier); err != nil { // which cannot be noticed
		t.Fatal(err)
	}
	if said := r.must("hooks"); strings.Count(said, "cannot be read  ") != 8 || strings.Count(said, "Milepost was registered last 20") != 8 {
		t.Errorf("the list says %s", said)
	}
	for _, command := range []string{"take", "release"} {
		said, err := r.run("hooks", command, place)
		if err == nil || !strings.Contains(said, "meeting_rescheduled: Milepost cannot ") || !strings.Contains(said, "--yes") || r.ch.Hooks()["meeting_rescheduled"] != zapier || r.ours() != 7 {
			t.Errorf("%s without --yes: %v %s\n%v", command, err, said, r.ch.Hooks())
		}
	}
	if said := r.must("hooks", "release", place, "--yes"); len(r.ch.Hooks()) != 0 || strings.Count(said, "receives nothing more") != 8 {
		t.Errorf("the release says %s, and leaves %v", said, r.ch.Hooks())
	}
}
