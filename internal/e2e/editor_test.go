package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/app"
	"milepost/internal/sandbox"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv"
)

// Two automations are built in a real browser, one with the mouse and one by keyboard,
// previewed and made live. Then a tag in HighLevel makes both run.
func TestAutomationsAreBuiltInABrowser(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	chromium, dir := testenv.Browser(t), testenv.NodePackage(t, "../sandbox/testdata/axe")
	script, err := os.ReadFile("testdata/editor.mjs")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "editor.mjs"), script, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	world, err := sandbox.Start(t.Context(), sandbox.WorldConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	priya := world.HighLevel.Contacts()[slices.IndexFunc(world.HighLevel.Contacts(), func(c hlfake.Contact) bool { return c.FirstName == "Priya" })]
	var log strings.Builder
	a, err := app.New(t.Context(), app.Config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", DataDir: testenv.DataDir(t), LockDir: t.TempDir(), AdminToken: "admin-token-of-the-test",
		HighLevelBaseURL: world.HighLevelURL, HighLevelToken: world.HighLevelToken, HighLevelLocationID: world.Location.ID, HighLevelWebhookKeys: world.HighLevel.PublicKeyPEM(),
		CalendarHeroBaseURL: world.CalendarHeroURL, CalendarHeroToken: world.CalendarHeroToken, CalendarHeroAuth: "raw",
	}, zerolog.New(zerolog.SyncWriter(&log)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if err := a.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	world.HighLevel.SetWebhookURL(a.PublicURL() + "/webhooks/highlevel")
	limit, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	tag := func(tags ...string) {
		t.Helper()
		if err := world.HighLevel.AddTags(priya.ID, tags...); err != nil {
			t.Fatal(err)
		}
	}
	tag("seen")                                      // so that Milepost knows the contact
	folder := os.Getenv("MILEPOST_TEST_SCREENSHOTS") // an existing one
	if folder == "" {
		folder = "-"
	}
	cmd := exec.CommandContext(limit, "node", filepath.Join(dir, "editor.mjs"), chromium, a.AdminURL(), folder)
	cmd.Env = append(os.Environ(), "ADMIN_TOKEN=admin-token-of-the-test")
	cmd.WaitDelay = 10 * time.Second
	start := time.Now()
	if said, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(said)) != "built" {
		t.Fatalf("the browser found faults (%v):\n%s\nthe log: %s", err, said, &log)
	}
	t.Logf("built in %s", time.Since(start).Round(time.Second))

	tag("vip")
	says := func(text string) bool {
		return slices.ContainsFunc(world.HighLevel.Notes(priya.ID), func(n hlfake.Note) bool { return strings.Contains(n.Body, text) })
	}
	if err := world.WaitFor(limit, func() bool { return says("Call Priya today") && says("Hello Priya!") }); err != nil {
		t.Errorf("%v; the notes are %+v\nthe log: %s", err, world.HighLevel.Notes(priya.ID), &log)
	}
}
