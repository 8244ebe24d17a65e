package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"milepost/internal/app"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

func TestAWorkflowKeyIsShownOnceRotatedListedAndRevoked(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	config := app.Config{
		DataDir: testdb.DataDir(t), PublicURL: "https://milepost.example.com/", CalendarHeroAuth: "raw",
		HighLevelToken: "pit-test", HighLevelLocationID: "loc1", CalendarHeroToken: "calendarhero-test",
	}
	now := time.Now().UTC().Truncate(time.Second)
	run := func(change func(*workflowKeyCmd)) (string, error) {
		t.Helper()
		command := workflowKeyCmd{Config: config, Location: "loc1"}
		change(&command)
		var out bytes.Buffer
		err := command.run(t.Context(), &out, now)
		return out.String(), err
	}
	must := func(change func(*workflowKeyCmd)) string {
		t.Helper()
		said, err := run(change)
		if err != nil {
			t.Fatal(err)
		}
		return said
	}
	location := func(key string) string {
		t.Helper()
		var found string
		if err := withState(t.Context(), config, func(state *app.State) (err error) {
			found, _, err = state.Connections.WorkflowLocation(t.Context(), key)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return found
	}
	url := regexp.MustCompile(`https://milepost\.example\.com/webhooks/highlevel/workflow/([A-Z2-7]{26})\n`)
	keyOf := func(said string) string {
		t.Helper()
		m := url.FindStringSubmatch(said)
		if m == nil || strings.Count(said, m[1]) != 1 {
			t.Fatalf("the URL to paste is not there once:\n%s", said)
		}
		return m[1]
	}
	none := func(*workflowKeyCmd) {}
	list := func(c *workflowKeyCmd) { c.List = true }

	if said := must(list); !strings.Contains(said, "no workflow keys") {
		t.Errorf("before any: %s", said)
	}
	first := keyOf(must(none))
	rotated := must(func(c *workflowKeyCmd) { c.Rotate = true })
	second := keyOf(rotated)
	if end := now.Add(7 * 24 * time.Hour).Format(time.RFC3339); !strings.Contains(rotated, "until "+end) || !strings.Contains(must(list), "until "+end) {
		t.Errorf("neither the rotation nor the list tells the end of the overlap (%s):\n%s", end, rotated)
	}
	if first == second || location(first) != "loc1" || location(second) != "loc1" {
		t.Error("within the overlap both keys are to be valid")
	}
	if said := must(list); strings.Contains(said, first) || strings.Contains(said, second) {
		t.Errorf("the list holds a key:\n%s", said)
	}

	id := strings.Fields(strings.Split(must(list), "\n")[1])[0] // the newest
	must(func(c *workflowKeyCmd) { c.Revoke = id })
	if location(first) != "loc1" || location(second) != "" {
		t.Error("revoking the newest key by its id left it valid, or ended the other")
	}
	must(func(c *workflowKeyCmd) { c.Rotate, c.Overlap = true, new(time.Duration) })
	if location(first) != "" {
		t.Error("a key is valid after a rotation without overlap")
	}
	must(func(c *workflowKeyCmd) { c.Revoke = "all" })
	if said := must(list); !strings.Contains(said, "no workflow keys") {
		t.Errorf("after all were revoked: %s", said)
	}

	for what, change := range map[string]func(*workflowKeyCmd){
		"an id that is not there":  func(c *workflowKeyCmd) { c.Revoke = "00000000" },
		"an unconnected location":  func(c *workflowKeyCmd) { c.Location = "loc2" },
		"an overlap that is past":  func(c *workflowKeyCmd) { c.Rotate, c.Overlap = true, new(-time.Hour) },
		"an id that is but a part": func(c *workflowKeyCmd) { keyOf(must(none)); c.Revoke = "0" },
	} {
		if said, err := run(change); err == nil {
			t.Errorf("%s was no error: %s", what, said)
		}
	}
	config.PublicURL = ""
	if said := must(none); !strings.Contains(said, "https://YOUR-HOST/webhooks") || !strings.Contains(said, "MILEPOST_PUBLIC_URL") {
		t.Errorf("without a public URL it says\n%s", said)
	}
}
