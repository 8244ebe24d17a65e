//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/secret"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// running is a milepost that serves, and the commands an operator types beside it.
type running struct {
	*process
	hl *hlfake.Server
	ch *chfake.Server
}

const place = "commandLocation00001"

// setupCommands starts both fakes and `milepost serve`, which knows no location.
func setupCommands(t *testing.T, env ...string) *running {
	t.Helper()
	testenv.Long(t)
	r := &running{
		process: &process{t: t, addr: freeAddress(t)},
		hl:      hlfake.New(hlfake.Config{}),
		ch:      chfake.New(chfake.Config{Token: "ch-commands", User: chfake.User{Email: "owner@example.com", TimeZone: "UTC"}}),
	}
	t.Cleanup(r.hl.Close)
	t.Cleanup(r.ch.Close)
	hl, ch := httptest.NewServer(r.hl), httptest.NewServer(r.ch)
	t.Cleanup(hl.Close)
	t.Cleanup(ch.Close)
	r.hl.SeedLocation(hlfake.Location{ID: place, Name: "Commands", TimeZone: "Europe/Berlin"}, []hlfake.User{{ID: "user00000001", FirstName: "Uma", Email: "uma@example.com"}}, []hlfake.CustomField{
		{Name: "Milestone", DataType: "TEXT"}, {Name: "Milestone Date", DataType: "DATE"},
	})
	r.hl.AddToken("pit-first", place)
	r.env = append([]string{
		"MILEPOST_TEST_AS_MAIN=1", "MILEPOST_LISTEN=" + r.addr, "MILEPOST_ADMIN_LISTEN=127.0.0.1:0", "MILEPOST_DATA_DIR=" + testdb.DataDir(t),
		"MILEPOST_HIGHLEVEL_BASE_URL=" + hl.URL, "MILEPOST_HIGHLEVEL_WEBHOOK_KEYS=" + r.hl.PublicKeyPEM(),
		"MILEPOST_CALENDARHERO_BASE_URL=" + ch.URL, "MILEPOST_LOG_LEVEL=error", "MILEPOST_RECONCILE_EVERY=0", "DATABASE_URL=",
	}, env...)
	r.start()
	t.Cleanup(func() {
		if err := r.end(syscall.SIGTERM); err != nil {
			t.Errorf("milepost did not drain well: %v", err)
		}
	})
	return r
}

// run types a command and returns what it says.
func (r *running) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), soonOver), r.env...)
	out, err := cmd.CombinedOutput()
	for _, secret := range []string{"pit-first", "pit-second", "ch-commands"} {
		if strings.Contains(string(out), secret) {
			r.t.Errorf("milepost %s shows a token:\n%s", strings.Join(args, " "), out)
		}
	}
	return string(out), err
}

func (r *running) must(args ...string) string {
	r.t.Helper()
	out, err := r.run(args...)
	if err != nil {
		r.t.Fatalf("milepost %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// token writes a file that holds a token.
func (r *running) token(token string) string {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

func (r *running) connect() {
	r.t.Helper()
	r.must("connections", "set", place, "--token-file", r.token("pit-first"), "--calendarhero-file", r.token("ch-commands"))
}

// contact makes one with a milestone and a task, of which no webhook tells.
func (r *running) contact(name string) string {
	r.t.Helper()
	c, err := r.hl.SeedContact(hlfake.Contact{LocationID: place, FirstName: name, LastName: "Doe", Email: strings.ToLower(name) + "@example.com"})
	if err == nil {
		err = r.hl.SetCustomFields(c.ID, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"})
	}
	if err == nil {
		_, err = r.hl.CreateTask(hlfake.Task{ContactID: c.ID, Title: "Call " + name, DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return c.ID
}

func (r *running) subjects() (subjects []string) {
	for _, request := range r.ch.Requests() {
		subject, _, _ := strings.Cut(request.Subject, " [mp-")
		subjects = append(subjects, subject)
	}
	slices.Sort(subjects)
	return subjects
}

func TestALocationIsConnectedBackfilledAndForgottenByCommands(t *testing.T) {
	t.Parallel()
	r := setupCommands(t)
	if said := r.must("connections"); !strings.Contains(said, "No location is connected") {
		t.Errorf("before: %s", said)
	}
	if said, err := r.run("connections", "set", place); err == nil || !strings.Contains(said, "--token-file") {
		t.Errorf("set without a token: %v %s", err, said)
	}
	r.connect()
	if said := r.must("connections"); !strings.Contains(said, place) || !strings.Contains(said, "active") || !strings.Contains(said, "0 days") {
		t.Errorf("after: %s", said)
	}
	if said := r.must("check"); !strings.Contains(said, "location "+place) || strings.Count(said, "ok ") != 7 {
		t.Errorf("check says:\n%s", said)
	}
	jane := r.contact("Jane")
	if _, err := r.hl.CreateNote(hlfake.Note{ContactID: jane, Body: "Prefers mornings #vip"}); err != nil {
		t.Fatal(err)
	}
	r.contact("Joe")

	dry := r.must("backfill", "--location", place, "--since", "7d", "--dry-run")
	for _, want := range []string{`create event "Closing: Jane Doe" at Thu 2 May 2030 09:00 CEST, which mails owner@example.com`, `create task "Call Joe (Joe Doe)"`, `create contact in CalendarHero (POST /contact): {"name":"Jane Doe"`, `{"tags":["vip"]}`, "Nothing was changed"} {
		if !strings.Contains(dry, want) {
			t.Errorf("the dry run does not say %q:\n%s", want, dry)
		}
	}
	if n := len(r.ch.Requests()); n != 0 {
		t.Fatalf("a dry run made %d requests", n)
	}
	said := r.must("backfill", "--location", place, "--since", "7d", "--wait")
	if !strings.Contains(said, "checked 2 contacts and 2 open tasks, queued 5 records") || !strings.Contains(said, "everything is synced") {
		t.Errorf("the backfill says:\n%s", said)
	}
	if want := []string{"Call Jane (Jane Doe)", "Call Joe (Joe Doe)", "Closing: Jane Doe", "Closing: Joe Doe"}; !slices.Equal(r.subjects(), want) {
		t.Errorf("there are %q, want %q", r.subjects(), want)
	}
	if said := r.must("backfill", "--location", place, "--since", "all"); !strings.Contains(said, "queued 0 records") {
		t.Errorf("a second backfill says:\n%s", said)
	}
	if said, err := r.run("backfill", "--location", place, "--since", "yesterday"); err == nil || !strings.Contains(said, "2026-11-01") {
		t.Errorf("an impossible day: %v %s", err, said)
	}

	said = r.must("forget", "--location", place, "--contact", jane)
	if !strings.Contains(said, "removed 3 objects") {
		t.Errorf("the forgetting says:\n%s", said)
	}
	if want := []string{"Call Joe (Joe Doe)", "Closing: Joe Doe"}; !slices.Equal(r.subjects(), want) {
		t.Errorf("there are %q, want %q", r.subjects(), want)
	}
	r.must("forget", "--location", place, "--contact", jane, "--undo")
	if said := r.must("forget", "--location", place, "--contact", jane+"x"); !strings.Contains(said, "Milepost knows nothing about contact") {
		t.Errorf("the forgetting of nobody says:\n%s", said)
	}

	r.must("connections", "remove", place)
	if said := r.must("connections"); !strings.Contains(said, "removed") {
		t.Errorf("after the removal: %s", said)
	}
}

func TestTheKeysAreRotatedWhileMilepostRuns(t *testing.T) {
	t.Parallel()
	t.Run("of the key file", func(t *testing.T) {
		r := setupCommands(t)
		r.connect()
		if said := r.must("keys", "rotate"); !strings.Contains(said, "2 secrets are now encrypted under") || strings.Contains(said, "Restart") {
			t.Errorf("the rotation says %s", said)
		}
		r.contact("Jane")
		r.must("backfill", "--location", place, "--since", "all", "--wait") // by the process that started with the old key alone
		if n := len(r.ch.Requests()); n != 2 {
			t.Errorf("%d requests, want 2", n)
		}
	})
	t.Run("of the setting", func(t *testing.T) {
		old, young := secret.GenerateKey(), secret.GenerateKey()
		r := setupCommands(t, "MILEPOST_ENCRYPTION_KEYS="+old)
		r.connect()
		r.env = append(r.env, "MILEPOST_ENCRYPTION_KEYS="+young+","+old)
		if said := r.must("keys", "rotate"); !strings.Contains(said, "Restart every milepost serve") {
			t.Errorf("the rotation says %s", said)
		}
		if err := r.end(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		r.env = append(r.env, "MILEPOST_ENCRYPTION_KEYS="+old)
		if said, err := r.run("serve"); err == nil || !strings.Contains(said, "MILEPOST_ENCRYPTION_KEYS") || !strings.Contains(said, "milepost keys drop") {
			t.Errorf("with the old key alone it starts: %v %s", err, said)
		}
		if said := r.must("connections"); !strings.Contains(said, "put it back") {
			t.Errorf("with the old key alone: %s", said)
		}
		r.env = append(r.env, "MILEPOST_ENCRYPTION_KEYS="+young)
		if said := r.must("connections"); !strings.Contains(said, "active") {
			t.Errorf("with the new key alone: %s", said)
		}
		r.env = append(r.env, "MILEPOST_ENCRYPTION_KEYS="+secret.GenerateKey()) // all keys are lost
		if said := r.must("keys", "drop"); !strings.Contains(said, "2 stored tokens") || !strings.Contains(said, "connect again: "+place) {
			t.Errorf("the drop says %s", said)
		}
		r.connect()
		r.start()
	})
}

func TestAnInterruptedBackfillGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	r := setupCommands(t)
	r.connect()
	for i := range 230 {
		r.contact(fmt.Sprintf("C%03d", i))
	}
	// The third page does not come until the command is gone.
	through, hold := make(chan struct{}), make(chan struct{})
	close(through)
	r.hl.Faults().Next("POST /contacts/search", 2, fakehttp.HoldUntil(through))
	armed := r.hl.Faults().Next("POST /contacts/search", 1, fakehttp.HoldUntil(hold))
	cmd := exec.CommandContext(t.Context(), os.Args[0], "backfill", "--location", place, "--since", "all")
	cmd.Env = append(os.Environ(), r.env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-armed.Hit()
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	close(hold)
	r.hl.ResetCalls()
	said := r.must("backfill", "--location", place, "--since", "all", "--wait")
	if !strings.Contains(said, "checked 230 contacts and 230 open tasks") {
		t.Errorf("the second run says:\n%s", said)
	}
	if n := r.hl.Calls()["POST /contacts/search"]; n > 2 {
		t.Errorf("it searched %d pages again, want the rest only", n)
	}
	if n := len(r.ch.Requests()); n != 460 {
		t.Errorf("%d requests, want 460", n)
	}
}

func TestCheckLiveReadsTheAccountOfAConnectedLocation(t *testing.T) {
	t.Parallel()
	r := setupCommands(t)
	path := filepath.Join(t.TempDir(), "report.md")
	if out, err := r.run("check", "--live", "--report", path); err == nil || !strings.Contains(out, "no CalendarHero account: set") {
		t.Errorf("nothing is connected: %v\n%s", err, out)
	}
	r.connect()
	for _, args := range [][]string{{}, {"--location", place}} {
		if out := r.must(append([]string{"check", "--live", "--report", path}, args...)...); !strings.Contains(out, "0 differences that matter") {
			t.Errorf("says %s", out)
		}
	}
	if out, err := r.run("check", "--live", "--report", path, "--location", "elsewhere0000000001"); err == nil {
		t.Errorf("a location that is not connected: %s", out)
	}
}
