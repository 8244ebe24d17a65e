package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"milepost/internal/app"
	"milepost/internal/sandbox"
	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/testenv/testdb"
)

func TestCheckLiveWritesAReportAndChangesNothing(t *testing.T) {
	t.Parallel()
	world, err := sandbox.Start(t.Context(), sandbox.WorldConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	if err := world.CalendarHero.SetHook("meeting_started", "https://other.example/hook/S3cret"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "report.md")
	if err := os.WriteFile(path, []byte("an older and much longer report"), 0o644); err != nil {
		t.Fatal(err)
	}
	command := checkCmd{Live: true, Report: path, Config: app.Config{
		HighLevelBaseURL: world.HighLevelURL, HighLevelToken: world.HighLevelToken, HighLevelLocationID: world.Location.ID,
		CalendarHeroBaseURL: world.CalendarHeroURL, CalendarHeroToken: world.CalendarHeroToken, CalendarHeroAuth: "raw",
	}}
	var out bytes.Buffer
	if err := command.reportLive(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the report's mode is %v, %v", info.Mode(), err)
	}
	user := world.CalendarHero.User()
	for _, secret := range []string{world.CalendarHeroToken, user.Email, user.Name, user.ID, "S3cret", "other.example"} {
		if strings.Contains(string(written)+out.String(), secret) {
			t.Errorf("the report holds %q", secret)
		}
	}
	for operation, n := range world.CalendarHero.Calls() {
		if !strings.HasPrefix(operation, "GET ") {
			t.Errorf("%s was called %d times", operation, n)
		}
	}
	if len(world.HighLevel.Calls()) != 0 {
		t.Errorf("HighLevel was asked: %v", world.HighLevel.Calls())
	}

	world.CalendarHero.Faults().Next("GET /webhook/{event}/sample", -1, fakehttp.Say(200, `{"data":{"id":"1"}}`))
	out.Reset()
	if err := command.reportLive(t.Context(), &out); err == nil || !strings.Contains(out.String(), "FAIL  GET /webhook/meeting_started/sample: the sample has no status") {
		t.Errorf("samples of another shape are well: %v\n%s", err, &out)
	}
	command.CalendarHeroToken = "wrong"
	if err := command.reportLive(t.Context(), &out); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("a wrong token: %v", err)
	}
	command.CalendarHeroToken, command.DataDir = "", testdb.DataDir(t)
	if err := command.reportLive(t.Context(), &out); err == nil || !strings.Contains(err.Error(), "MILEPOST_CALENDARHERO_TOKEN") {
		t.Errorf("no token: %v", err)
	}
}
