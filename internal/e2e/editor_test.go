package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv"
)

// Two automations are built in a real browser, one with the mouse and one by keyboard,
// previewed and made live. Then a tag in HighLevel makes both run. A plain run leaves it to
// CI, and plays TestTheFirstStepsInABrowser alone.
func TestAutomationsAreBuiltInABrowser(t *testing.T) {
	testenv.InCI(t)
	s := newStage(t, connected)
	s.world.HighLevel.SetWebhookURL(s.PublicURL() + "/webhooks/highlevel")
	contacts := s.world.HighLevel.Contacts()
	priya := contacts[slices.IndexFunc(contacts, func(c hlfake.Contact) bool { return c.FirstName == "Priya" })]
	tag := func(tags ...string) {
		t.Helper()
		if err := s.world.HighLevel.AddTags(priya.ID, tags...); err != nil {
			t.Fatal(err)
		}
	}
	tag("seen") // so that Milepost knows the contact
	start := time.Now()
	if said, err := s.play("editor.mjs", []string{"ADMIN_TOKEN=" + stageToken}, s.AdminURL(), screenshots()); err != nil || said != "built" {
		t.Fatalf("the browser found faults (%v):\n%s\nthe log: %s", err, said, &s.log)
	}
	t.Logf("built in %s", time.Since(start).Round(time.Second))

	tag("vip")
	says := func(text string) bool {
		return slices.ContainsFunc(s.world.HighLevel.Notes(priya.ID), func(n hlfake.Note) bool { return strings.Contains(n.Body, text) })
	}
	if err := s.world.WaitFor(s.limit, func() bool { return says("Call Priya today") && says("Hello Priya!") }); err != nil {
		t.Errorf("%v; the notes are %+v\nthe log: %s", err, s.world.HighLevel.Notes(priya.ID), &s.log)
	}
}
