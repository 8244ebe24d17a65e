package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/app"
	"milepost/internal/sandbox"
	"milepost/internal/testenv"
)

// From an empty data directory to a synced contact, and then to a connection by OAuth,
// by keyboard in a real browser. Nothing but the addresses of the fakes is set.
func TestTheFirstStepsInABrowser(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	chromium, dir := testenv.Browser(t), testenv.NodePackage(t, "../sandbox/testdata/axe")
	script, err := os.ReadFile("testdata/firstrun.mjs")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "firstrun.mjs"), script, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	world, err := sandbox.Start(t.Context(), sandbox.WorldConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	var log strings.Builder
	a, err := app.New(t.Context(), app.Config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", DataDir: testenv.DataDir(t), LockDir: t.TempDir(), CalendarHeroAuth: "raw",
		HighLevelBaseURL: world.HighLevelURL, HighLevelWebhookKeys: world.HighLevel.PublicKeyPEM(),
		HighLevelAuthorizeURL: world.HighLevelURL + "/v2/oauth/chooselocation", CalendarHeroBaseURL: world.CalendarHeroURL,
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
	link, err := a.FirstRunLink(t.Context())
	if err != nil || link == "" {
		t.Fatalf("no link to begin with: %q, %v", link, err)
	}
	folder := os.Getenv("MILEPOST_TEST_SCREENSHOTS") // an existing one
	if folder == "" {
		folder = "-"
	}
	limit, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(limit, "node", filepath.Join(dir, "firstrun.mjs"), chromium, link, folder)
	cmd.Env = append(os.Environ(), "HL_TOKEN="+world.HighLevelToken, "CH_TOKEN="+world.CalendarHeroToken, "LOCATION="+world.Location.ID,
		"CLIENT_ID="+world.App.ClientID, "CLIENT_SECRET="+world.App.ClientSecret, "PUBLIC_URL="+a.PublicURL())
	cmd.WaitDelay = 10 * time.Second
	start := time.Now()
	said, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(said)) != "walked" {
		t.Errorf("the walk found faults (%v):\n%s\nthe log: %s", err, said, &log)
	}
	t.Logf("walked in %s", time.Since(start).Round(time.Second))
	for _, secret := range []string{world.HighLevelToken, world.CalendarHeroToken, world.App.ClientSecret} {
		if strings.Contains(log.String(), secret) {
			t.Error("the log holds a secret")
		}
	}
}
