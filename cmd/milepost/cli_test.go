package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// soonOver spares a command that is soon over the collection of its garbage, a quarter of
// its processor time.
const soonOver = "GOGC=off"

// milepost runs the program and returns its output and exit status.
func milepost(t *testing.T, env []string, args ...string) (out string, status int) {
	t.Helper()
	testenv.Long(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), "MILEPOST_TEST_AS_MAIN=1", "MILEPOST_DATA_DIR="+testdb.DataDir(t), "DATABASE_URL=", soonOver), env...)
	b, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(b), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b), 0
}

func TestTheExitStatusSaysWhetherTheUsageWasWrong(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("- name: X\n  on: nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		env    []string
		status int
		says   string
		silent string // does not say
	}{
		{args: nil, status: 0, says: "backfill"},
		{args: []string{"help"}, status: 0, says: "backfill"},
		{args: []string{"help", "feed-key"}, status: 0, says: "--revoke"},
		{args: []string{"help", "connections", "set"}, status: 0, says: "--token-file"},
		{args: []string{"--version"}, status: 0, says: "milepost "},
		{args: []string{"nonsense"}, status: 2, says: "milepost help"},
		{args: []string{"-v"}, status: 0, says: "milepost "},
		{args: []string{"deliveries", "nowhere"}, status: 1, says: "location nowhere is not connected"},
		{args: []string{"deliveries", "--outcome", "dropped"}, status: 2, says: "did you mean stopped?"},
		{args: []string{"feed-key", "nowhere", "--list"}, status: 1, says: "location nowhere is not connected"},
		{args: []string{"workflow-key", "nowhere", "--list"}, status: 1, says: "location nowhere is not connected"},
		{args: []string{"workflow-key", "loc", "--dry-run"}, status: 2, says: "--dry-run goes with --revoke"},
		{args: []string{"workflow-key", "loc", "--overlap", "1h"}, status: 2, says: "--overlap goes with --rotate"},
		{args: []string{"feed-key", "loc", "--list", "--user", "x"}, status: 2, says: "--user and --list can't be used together"},
		{args: []string{"feed-key", "loc", "--contact", "c1", "--user", "x"}, status: 2, says: "--contact and --user can't be used together"},
		{args: []string{"sandbox", "--fakes-only", "--listen", "127.0.0.1:7000"}, status: 2, says: "leave out --listen"},
		{args: []string{"sandbox", "--fakes-only", "--description-after", "1s"}, status: 2, says: "leave out --listen, --admin-listen and --description-after"},
		{args: []string{"sandbox", "--fakes-only", "--once"}, status: 2, says: "leave out --once"},
		{args: []string{"deliveries", "replay", "abc"}, status: 2, says: `<number> is a whole number, not "abc"`},
		{args: []string{"deliveries", "replay", "--location", "nowhere", "--dry-run"}, status: 1, says: "location nowhere is not connected"},
		{args: []string{"hooks", "release", "nowhere"}, status: 1, says: "location nowhere is not connected"},
		{args: []string{"hooks", "take", "loc", "--event", "meeting_start"}, status: 2, says: "did you mean meeting_started?"},
		{args: []string{"forget", "--contact", "c1", "--location", "nowhere"}, status: 1, says: "location nowhere is not connected"},
		{args: []string{"backfill", "--since", "all", "--location", "nowhere"}, status: 1, says: "location nowhere is not connected"},
		{args: []string{"recipes", "show", "milestone-to-calendar-evnt"}, status: 1, says: "did you mean milestone-to-calendar-event?"},
		{args: []string{"automations", "show", "task-to-calendar-tsk"}, status: 1, says: "did you mean task-to-calendar-task?"},
		{args: []string{"people", "token", "ann", "--list"}, status: 1, says: `no person is called "ann"`},
		{args: []string{"deliveries", ""}, status: 2, says: "the argument <location> is empty; perhaps a variable of the shell is not set"},
		{args: []string{"timeline", "loc", ""}, status: 2, says: "an argument is empty"},
		{args: []string{"feed-key", "loc", "--user", ""}, status: 2, says: "--user is empty; perhaps a variable of the shell is not set"},
		{args: []string{"feed-key", "loc", "--contact="}, status: 2, says: "--contact is empty"},
		{args: []string{"workflow-key", "loc", "--revoke", ""}, status: 2, says: "--revoke is empty"},
		{args: []string{"forget", "--location", "loc", "--contact", ""}, status: 2, says: "--contact is empty"},
		{args: []string{"timeline", "loc", "--contact", ""}, status: 2, says: "--contact is empty"},
		{args: []string{"connections", "set", "loc", "--token-file", ""}, status: 2, says: "--token-file"},
		{args: []string{"connections", "--calendarhero-token", "", "--public-url="}, status: 0, says: "No location"},
		{args: []string{"people", "remove", "ann"}, status: 1, says: `no person is called "ann"`},
		{args: []string{"keys", "drop", "--dry-run"}, status: 0, says: "Nothing was changed."},
		{args: []string{"backup", broken}, status: 1, says: "is no archive of `milepost backup`"},
		{args: []string{"chekc"}, status: 2, says: "unknown command \"chekc\"; did you mean `milepost check`?"},
		{args: []string{"connections", "remov", "loc"}, status: 2, says: "did you mean `milepost connections remove`?"},
		{args: []string{"connections", "bogus"}, status: 2, says: "`milepost connections` has list, set, allow, remove"},
		{args: []string{"help", "keys", "rotat"}, status: 2, says: "did you mean `milepost keys rotate`?"},
		{args: []string{"export"}, status: 2, says: "did you mean `milepost automations export`?"},
		{args: []string{"check", "mine.yaml"}, status: 2, says: "did you mean --automations mine.yaml?"},
		{args: []string{"check", "--automations"}, status: 2, says: "--automations needs a value", silent: "EOL"},
		{args: []string{"forget", "c1"}, status: 2, says: "did you mean --contact c1?"},
		{args: []string{"feed-key"}, status: 2, says: "the argument <location> is missing"},
		{args: []string{"backfill"}, status: 2, says: "--since=DAY is missing"},
		{args: []string{"requests", "settle", "first", "--sent"}, status: 2, says: `<id> is a whole number, not "first"`},
		{args: []string{"timeline", "loc", "--limit", "-1"}, status: 2, says: "written as --limit=-1"},
		{args: []string{"serve"}, env: []string{"MILEPOST_RECONCILE_EVERY=15"}, status: 2, says: `a length of time such as 15m or 1h30m, not "15" (from MILEPOST_RECONCILE_EVERY)`},
		{args: []string{"serve"}, env: []string{"MILEPOST_RECONCILE_EVERY=-3m"}, status: 2, says: "must not be negative"},
		{args: []string{"serve"}, env: []string{"MILEPOST_MCP=maybe"}, status: 2, says: `--mcp is true or false, not "maybe"`},
		{args: []string{"version"}, env: []string{"MILEPOST_QQQ=1"}, status: 2, says: "docs/configuration.md lists them", silent: "did you mean"},
		{args: []string{"serve", "--nope"}, status: 2, says: "serve --help", silent: "Usage:"},
		{args: []string{"timeline"}, status: 2, says: "<location>"},
		{args: []string{"timeline", "loc", "--limit", "many"}, status: 2, says: "--limit"},
		{args: []string{"serve"}, env: []string{"MILEPOST_DESCRIPTION_AFTER=48h"}, status: 2, says: "up to 24h such as 5m, 0 or never"},
		{args: []string{"removals"}, env: []string{"MILEPOST_DESCRIPTION_AFTER=never"}, status: 0, says: "Nothing waits"},
		{args: []string{"serve"}, env: []string{"MILEPOST_MAX_CONNECTIONS=0"}, status: 2, says: "at least 1"},
		{args: []string{"serve"}, env: []string{"MILEPOST_MAX_CONNECTIONS=-1"}, status: 2, says: "at least 1"},
		{args: []string{"serve"}, env: []string{"MILEPOST_MAX_CONNECTIONS=many"}, status: 2, says: `--max-connections: "many" is not valid; expected a whole number of at least 1`},
		{args: []string{"check"}, env: []string{"MILEPOST_PUBLIC_URL=https://milepost.example.com/webhooks/highlevel/"}, status: 2, says: "leave /webhooks/highlevel out"},
		{args: []string{"check"}, env: []string{"MILEPOST_DATA_DIR=" + broken}, status: 2, says: "broken.yaml is no folder"},
		{args: []string{"timeline", "loc"}, env: []string{"MILEPOST_DATA_DIR=" + broken}, status: 2, says: "broken.yaml is no folder"},
		{args: []string{"version"}, env: []string{"MILEPOST_LISTENN=:1"}, status: 2, says: "MILEPOST_LISTEN"},
		{args: []string{"serve"}, env: []string{"MILEPOST_HIGHLEVEL_TOKEN=t"}, status: 2, says: "belong together"},
		{args: []string{"serve"}, env: []string{"MILEPOST_AUTOMATIONS=" + missing}, status: 1, says: "missing.yaml", silent: "--help"},
		{args: []string{"check"}, env: []string{"MILEPOST_AUTOMATIONS=" + broken}, status: 1, says: "broken.yaml", silent: "--help"},
		{args: []string{"serve"}, env: []string{"MILEPOST_CALENDARHERO_BASE_URL=http://calendarhero.internal"}, status: 2, says: "MILEPOST_INSECURE_HTTP"},
		{args: []string{"serve"}, env: []string{"MILEPOST_HIGHLEVEL_BASE_URL=http://10.1.2.3:80"}, status: 2, says: "unencrypted"},
		{args: []string{"connections"}, env: []string{"MILEPOST_HIGHLEVEL_BASE_URL=http://10.1.2.3:80", "MILEPOST_INSECURE_HTTP=true"}, status: 0, says: "No location"},
		{args: []string{"connections"}, env: []string{"MILEPOST_HIGHLEVEL_BASE_URL=http://[::1]:80", "MILEPOST_CALENDARHERO_BASE_URL=http://localhost"}, status: 0, says: "No location"},
		{args: []string{"connections", "--calendarhero-token=s3cret"}, status: 0, says: "MILEPOST_CALENDARHERO_TOKEN_FILE", silent: "s3cret"},
		{args: []string{"connections"}, env: []string{"MILEPOST_CALENDARHERO_TOKEN=s3cret"}, status: 0, says: "No location", silent: "list of processes"},
		{args: []string{"connections", "remove", "nowhere"}, status: 1, says: "not connected"},
		{args: []string{"check", "--location", "nowhere"}, status: 2, says: "--report and --location go with --live"},
		{args: []string{"check", "--report", missing}, status: 2, says: "--report and --location go with --live"},
		{args: []string{"check", "--live", "--json"}, status: 2, says: "--json and --contact do not go with --live"},
		{args: []string{"check"}, status: 1, says: "MILEPOST_CALENDARHERO_TOKEN"},
		{args: []string{"version", "--licences", "--json"}, status: 2, says: "--json does not go with --licences"},
		{args: []string{"removals"}, status: 0, says: "Nothing waits to be removed."},
		{args: []string{"invites"}, status: 0, says: "No request waits for you to agree."},
		{args: []string{"invites", "allow", "nonsense", "--yes"}, status: 1, says: `no switched-on automation "nonsense"`},
		{args: []string{"requests"}, status: 0, says: "No request waits for you."},
		{args: []string{"requests", "settle", "1", "--sent"}, status: 1, says: "no request 1 is unclear"},
		{args: []string{"requests", "settle", "1"}, status: 2, says: "--sent"},
		{args: []string{"requests", "settle", "1", "--sent", "--again"}, status: 2, says: "--again"},
		{args: []string{"requests", "release", "1"}, status: 1, says: "no request 1 is stopped"},
		{args: []string{"alerts"}, status: 0, says: "no channel is set"},
		{args: []string{"alerts", "test"}, status: 1, says: "MILEPOST_ALERT_WEBHOOK"},
		{args: []string{"alerts", "secret"}, status: 0, says: "whsec_"},
		{args: []string{"serve"}, env: []string{"MILEPOST_ALERT_WEBHOOK=https://alerts.example/hush"}, status: 2, says: "MILEPOST_ALERT_WEBHOOK_SECRET is missing", silent: "hush"},
		{args: []string{"alerts"}, env: []string{"MILEPOST_ALERT_EMAIL=olivia@agency.example"}, status: 2, says: "MILEPOST_SMTP_URL belong together"},
		{args: []string{"removals", "--help"}, status: 0, says: "milepost removals allow LOCATION"},
		{args: []string{"removals", "allow", "nowhere", "--yes"}, status: 1, says: "nothing waits to be removed at location nowhere"},
		{args: []string{"backfill", "--since", "yesterday"}, status: 2, says: "backfill --help"},
		{args: []string{"backfill", "--since", "all"}, status: 2, says: "--location"},
		{args: []string{"forget", "--contact", "c1"}, status: 2, says: "--location"},
		{args: []string{"automations", "test", "task-to-calendar-task"}, status: 2, says: "no record: give --contact"},
		{args: []string{"automations", "test", "task-to-calendar-task", "--task", "t1", "--note", "n1"}, status: 2, says: "--task and --note can't be used together"},
		{args: []string{"automations", "test", "task-to-calendar-task", "--task", "t1", "--location", "nowhere"}, status: 1, says: "location nowhere is not connected"},
		{args: []string{"recipes", "check", "milestone-to-calendar-event"}, status: 2, says: "--location"},
		{args: []string{"deliveries", "replay"}, status: 2, says: "replay --help"},
		{args: []string{"deliveries", "replay", "--outcome", "great"}, status: 2, says: "there is no outcome"},
		{args: []string{"timeline", "loc", "--limit", "0"}, status: 2, says: "at least 1"},
		{args: []string{"connections", "set", "loc"}, status: 2, says: "--token-file"},
		{args: []string{"people", "token", "ann"}, status: 2, says: "--label"},
		{args: []string{"move"}, status: 2, says: "--to"},
		{args: []string{"backup", os.TempDir()}, status: 2, says: "is a folder"},
		{args: []string{"serve", "--listen", "8080"}, status: 2, says: "such as :8080"},
		{args: []string{"serve", "--admin-listen", ":99999"}, status: 2, says: "MILEPOST_ADMIN_LISTEN"},
		{args: []string{"connections"}, env: []string{"DATABASE_URL=mysql://ann:s3cret@db/x"}, status: 2, says: "postgres://", silent: "s3cret"},
		{args: []string{"connections"}, env: []string{"MILEPOST_LOG_LEVEL=", "MILEPOST_MCP=", "MILEPOST_LISTEN=", "MILEPOST_RECONCILE_EVERY=", "MILEPOST_AUTOMATIONS="}, status: 0, says: "No location"},
	} {
		t.Run(strings.Join(append([]string{"milepost"}, c.args...), " "), func(t *testing.T) {
			out, status := milepost(t, c.env, c.args...)
			if status != c.status || !strings.Contains(out, c.says) || c.silent != "" && strings.Contains(out, c.silent) {
				t.Errorf("status %d, want %d with %q and without %q:\n%s", status, c.status, c.says, c.silent, out)
			}
		})
	}
	if out, _ := milepost(t, []string{"MILEPOST_AUTOMATIONS=" + missing}, "serve"); strings.Count(out, "missing.yaml") != 1 {
		t.Errorf("a missing file gives more than one error:\n%s", out)
	}
}

func TestAFolderWithoutDataIsSaidAndStaysEmpty(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	mine := filepath.Join(t.TempDir(), "mine.yaml")
	for path, text := range map[string]string{token: "ch-token", mine: "- name: Mine\n  on: task.changed\n  do:\n    - task:\n        title: X\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args  string
		first bool // it may come before the first `milepost serve`
	}{
		{args: "attention"},
		{args: "invites"},
		{args: "timeline loc"},
		{args: "automations pause task-to-calendar-task"},
		{args: "backfill --since all --location loc"},
		{args: "automations"},
		{args: "deliveries"},
		{args: "people"},
		{args: "keys rotate"},
		{args: "connections"},
		{args: "recover --skip"},
		{args: "people add ann", first: true},
		{args: "connections set loc --force --calendarhero-file " + token, first: true},
		{args: "connections allow company", first: true},
		{args: "recipes add milestone-to-calendar-event", first: true},
		{args: "automations import " + mine, first: true},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		out, status := milepost(t, []string{"MILEPOST_DATA_DIR=" + dir}, strings.Fields(c.args)...)
		_, err := os.Stat(dir)
		none := strings.Contains(out, "there is no Milepost data in "+dir) && strings.Contains(out, "set MILEPOST_DATA_DIR")
		if c.first && (none || err != nil) || !c.first && (status != 1 || !none || err == nil) {
			t.Errorf("milepost %s in a folder without data: status %d, the folder: %v\n%s", c.args, status, err, out)
		}
	}
	dir := filepath.Join(t.TempDir(), "data")
	out, status := milepost(t, []string{"MILEPOST_DATA_DIR=" + dir}, "recipes") // people look there first
	if _, err := os.Stat(dir); err == nil || status != 0 || !strings.Contains(out, "milestone-to-calendar-event ") {
		t.Errorf("recipes in a folder without data: status %d, the folder: %v\n%s", status, err, out)
	}
}

func TestEverythingThatListsPrintsJSON(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for _, args := range []string{
		"connections --json", "connections list --json", "removals --json", "alerts --json", "invites --json", "requests --json", "hooks --json", "workflow-key loc --list --json --highlevel-location-id loc --highlevel-token t --calendarhero-token t", "feed-key loc --list --json --highlevel-location-id loc --highlevel-token t --calendarhero-token t", "timeline loc --json --highlevel-location-id loc --highlevel-token t --calendarhero-token t", "check --json", "version --json",
		"alerts --channels --json", "workflow-key loc --json --highlevel-location-id loc --highlevel-token t --calendarhero-token t", "feed-key loc --json --highlevel-location-id loc --highlevel-token t --calendarhero-token t",
	} {
		t.Run(args, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], strings.Fields(args)...)
			cmd.Env = append(os.Environ(), "MILEPOST_TEST_AS_MAIN=1", "MILEPOST_DATA_DIR="+testdb.DataDir(t), "DATABASE_URL=", soonOver)
			out, _ := cmd.Output() // check fails: nothing is configured
			var v any
			if err := json.Unmarshal(out, &v); err != nil || v == nil {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

func TestEachCommandShowsItsOwnFlagsBeforeTheSettings(t *testing.T) {
	t.Parallel()
	for command, flag := range map[string]string{
		"connections set": "--token-file", "hooks take": "--event", "backfill": "--since", "forget": "--undo", "workflow-key": "--rotate", "feed-key": "--contact", "timeline": "--limit", "check": "--live",
	} {
		out, status := milepost(t, nil, append(strings.Fields(command), "--help")...)
		own, settings, apart := strings.Cut(out, "\nSettings:\n")
		if status != 0 || !apart || !strings.Contains(own, flag) || strings.Contains(own, "--data-dir") || strings.Contains(settings, flag) {
			t.Errorf("milepost %s --help does not keep %s apart from the settings:\n%s", command, flag, out)
		}
	}
}

// A disk may be full, or the reader of a pipe gone.
func TestWhatIsShownOnceIsNotLostInSilence(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no file here refuses every write:", err)
	}
	defer full.Close()
	dir := testdb.DataDir(t)
	for _, args := range []string{"keys generate", "people add ann", "people password ann", "people token ann --label ci", "version", "backup -"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], strings.Fields(args)...)
		cmd.Env = append(os.Environ(), "MILEPOST_TEST_AS_MAIN=1", "MILEPOST_DATA_DIR="+dir, "DATABASE_URL=")
		cmd.Stdout = full
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("milepost %s > /dev/full: %v, want exit status 1", args, err)
		}
	}
	st, err := store.OpenSQLite(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if at, err := st.LastBackup(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("a backup that could not be written counts as made at %s (error %v)", at, err)
	}
}
