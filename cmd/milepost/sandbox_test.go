package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"milepost/internal/testenv"
)

// runSandbox runs the command until its output holds a text, and returns the output.
func runSandbox(t *testing.T, command *sandboxCmd, until string) string {
	t.Helper()
	command.Listen, command.AdminListen, command.HighLevelListen, command.CalendarHeroListen, command.PageListen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	command.LogLevel = "error"
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	out := &stopper{text: until, stop: cancel}
	if err := command.run(ctx, out); err != nil {
		t.Fatalf("%v\n%s", err, &out.Buffer)
	}
	if !strings.Contains(out.String(), until) {
		t.Fatalf("the sandbox never says %q:\n%s", until, &out.Buffer)
	}
	return out.String()
}

// stopper stops the sandbox once a text was written.
type stopper struct {
	bytes.Buffer
	text string
	stop func()
}

func (u *stopper) Write(p []byte) (int, error) {
	n, err := u.Buffer.Write(p)
	if strings.Contains(u.String(), u.text) {
		u.stop()
	}
	return n, err
}

func TestTheFakesAloneNeedNoOtherFlag(t *testing.T) {
	t.Parallel()
	var c cli
	if _, err := kong.Must(&c, kong.Name("milepost")).Parse([]string{"sandbox", "--fakes-only"}); err != nil || c.Sandbox.usable() != nil {
		t.Errorf("%v, %v", err, c.Sandbox.usable())
	}
}

func TestTheFakesRunAloneForAMilepostOfOnesOwn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "addresses.json")
	out := runSandbox(t, &sandboxCmd{FakesOnly: true, Addresses: path, WebhookURL: "http://127.0.0.1:1/webhooks/highlevel"}, "Press Ctrl-C to stop")
	for _, name := range []string{"MILEPOST_HIGHLEVEL_BASE_URL", "MILEPOST_HIGHLEVEL_WEBHOOK_KEYS", "MILEPOST_CALENDARHERO_TOKEN", "MILEPOST_RECONCILE_EVERY"} {
		if !strings.Contains(out, "export "+name+"=") {
			t.Errorf("%s is not printed:\n%s", name, out)
		}
	}
}

func TestTheSandboxTriesAutomationsOfOnesOwn(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	file := filepath.Join(t.TempDir(), "automations.yaml")
	yaml := "- id: mine\n  name: Mine\n  on: task.changed\n  do:\n    - task: { title: \"{{ task.title }}\", due: \"{{ task.due }}\" }\n"
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "addresses.json")
	out := runSandbox(t, &sandboxCmd{Automations: file, Addresses: path, Once: true}, "The page shows beside each record")
	if !strings.Contains(out, "CalendarHero  + Confirm the inspector [") || !strings.Contains(out, "HighLevel: 6. Contacts: 1.") || strings.Contains(out, "Home inspection") {
		t.Errorf("it does not show what the automations make:\n%s", out)
	}
	b, err := os.ReadFile(path)
	var addresses map[string]string
	if err == nil {
		err = json.Unmarshal(b, &addresses)
	}
	if err != nil || addresses["public"] == "" || addresses["webhook_keys"] == "" || addresses["admin_token"] == "" ||
		!strings.HasPrefix(addresses["console"], addresses["admin"]+"/console/sign-in/") || !strings.Contains(out, addresses["console"]) {
		t.Errorf("the addresses are %v, %v", addresses, err)
	}
}

func TestStoppingTheSandboxIsNoFailure(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	runSandbox(t, &sandboxCmd{}, "1. Milepost looks once") // in the middle of the scenario
}

func TestFlagsOfTheSandboxThatWouldDoNothingAreWrongUsage(t *testing.T) {
	testenv.Long(t)
	for _, args := range [][]string{
		{"--fakes-only", "--once"},
		{"--fakes-only", "--automations", "a.yaml"},
		{"--fakes-only", "--data-dir", "d"},
		{"--fakes-only", "--webhook-url", "localhost:8080/webhooks"},
		{"--webhook-url", "http://127.0.0.1:9/webhooks"},
	} {
		if status := run(append([]string{"sandbox"}, args...)); status != exitUsage {
			t.Errorf("milepost sandbox %s exits with %d", strings.Join(args, " "), status)
		}
	}
}
