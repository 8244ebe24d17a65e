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
	"milepost/internal/operate"
	"milepost/internal/sandbox"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

// CalendarHero rejects what it is sent: a person finds the cause under Attention. Once that is
// put right, its records are replayed after a dry run, and it closes by itself.
func TestWhatBreaksIsFoundRetriedAndCloses(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	chromium, dir := testenv.Browser(t), testenv.NodePackage(t, "../sandbox/testdata/axe")
	script, err := os.ReadFile("testdata/attention.mjs")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "attention.mjs"), script, 0o600)
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
	data := testenv.DataDir(t)
	a, err := app.New(t.Context(), app.Config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", DataDir: data, LockDir: t.TempDir(), AdminToken: "admin-token-of-the-test",
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
	st, err := store.OpenSQLite(limit, data)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	open := func() (list []operate.Concern) {
		found, err := operate.New(operate.Config{Store: st}).Attention(limit)
		if err != nil && limit.Err() == nil {
			t.Error(err)
		}
		return slices.DeleteFunc(found.Concerns, func(c operate.Concern) bool { return c.Cause.Vendor != "CalendarHero" })
	}
	browse := func(step string) {
		t.Helper()
		cmd := exec.CommandContext(limit, "node", filepath.Join(dir, "attention.mjs"), chromium, a.AdminURL(), step)
		cmd.Env = append(os.Environ(), "ADMIN_TOKEN=admin-token-of-the-test")
		cmd.WaitDelay = 10 * time.Second
		if said, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(said)) != step {
			t.Fatalf("%s: the browser found faults (%v):\n%s\nopen are %+v", step, err, said, open())
		}
	}

	world.CalendarHero.Faults().Next("POST /*", -1, fakehttp.Say(422, `{"message":"the name is blocked"}`))
	if _, err := world.HighLevel.CreateContact(hlfake.Contact{LocationID: world.Location.ID, FirstName: "Nora", Email: "nora@example.com"}); err != nil {
		t.Fatal(err)
	}
	becomes := func(what string, holds func() bool) {
		t.Helper()
		for ; !holds(); time.Sleep(50 * time.Millisecond) { // between looks
			if limit.Err() != nil {
				t.Fatalf("it never came that %s\nthe log: %s", what, &log)
			}
		}
	}
	becomes("something needs attention", func() bool { return len(open()) > 0 })
	browse("found")
	world.CalendarHero.Faults().Clear()
	browse("retried")
	becomes("it closes", func() bool { return len(open()) == 0 })
}
