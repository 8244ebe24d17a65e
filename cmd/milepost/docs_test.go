//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv"
)

// shellBlock is a block of commands on a page. The words after `sh` say why it is not
// run, if it is not: ```sh not run: it needs Docker
type shellBlock struct {
	page, notRun, text string
}

var (
	fence         = regexp.MustCompile("(?ms)^ *```(\\S*)([^\\n]*)\\n(.*?)^ *```")
	inlineCommand = regexp.MustCompile("`(milepost [a-z][^`]*)`")
	word          = regexp.MustCompile(`"[^"]*"|\S+`)
	comment       = regexp.MustCompile(`(^|\s)#( .*)?$`)
)

// documentation is the text of each page for users, by path from the root.
func documentation(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(paths) < 10 {
		t.Fatalf("found %d pages, %v", len(paths), err)
	}
	list := map[string]string{}
	for _, path := range append(paths, "../../README.md") {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		list[strings.TrimPrefix(path, "../../")] = string(b)
	}
	return list
}

// shellBlocks are those of all pages, in the order of the pages.
func shellBlocks(t *testing.T) (list []shellBlock) {
	t.Helper()
	all := documentation(t)
	for _, path := range slices.Sorted(func(yield func(string) bool) {
		for path := range all {
			if !yield(path) {
				return
			}
		}
	}) {
		for _, match := range fence.FindAllStringSubmatch(all[path], -1) {
			if slices.Contains([]string{"sh", "bash", "console", "shell"}, match[1]) {
				why, ok := strings.CutPrefix(strings.TrimSpace(match[2]), "not run: ")
				if !ok && why != "" {
					t.Errorf("%s: a block begins with %q; write `sh`, or `sh not run: ` and why", path, match[0][:40])
				}
				list = append(list, shellBlock{page: path, notRun: why, text: match[3]})
			}
		}
	}
	return list
}

// TestTheCommandsOfTheDocumentationExist parses each command that a page names, in a
// block or in a sentence, without running it.
func TestTheCommandsOfTheDocumentationExist(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	seen := 0
	parser := kong.Must(&cli{}, kong.Name("milepost"), kong.BindTo(t.Context(), (*context.Context)(nil)))
	parse := func(page, line string) {
		words := word.FindAllString(comment.ReplaceAllString(line, ""), -1)
		if end := slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w[:1], "|>&") }); end >= 0 {
			words = words[:end]
		}
		if words[1] == "help" || slices.Contains(words, "--help") {
			return
		}
		seen++
		_, err := parser.Parse(words[1:]) // a file that is missing here, or an argument that a sentence leaves out, is no mistake
		if err != nil && (strings.Contains(err.Error(), "unexpected argument") || strings.Contains(err.Error(), "unknown flag")) {
			t.Errorf("%s: %s: %v", page, line, err)
		}
	}
	for page, text := range documentation(t) {
		for _, match := range inlineCommand.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			parse(page, strings.Join(strings.Fields(match[1]), " "))
		}
	}
	for _, block := range shellBlocks(t) {
		for line := range strings.Lines(block.text) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "milepost ") {
				parse(block.page, placeholders.Replace(line))
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d commands were found", seen)
	}
}

// placeholders are the words of the pages for what only the reader knows.
var placeholders = strings.NewReplacer(
	"LOCATION_ID=…", "LOCATION_ID="+place, "HIGHLEVEL_TOKEN=…", "HIGHLEVEL_TOKEN=pit-first", "CALENDARHERO_TOKEN=…", "CALENDARHERO_TOKEN=ch-commands",
	"connections set LOCATION", "connections set "+otherPlace, "connections remove LOCATION", "connections remove "+otherPlace,
	"$MILEPOST_HIGHLEVEL_LOCATION_ID", place, "--revoke ID", "--revoke all", "--contact ID", "--contact $CONTACT", "--user ID", "--user user00000001",
	"--contact CONTACT", "--contact $CONTACT", "LOCATION_ID", place, "LOCATION", place, "--event E", "--event meeting_request_success",
	"--token-file FILE", "--token-file $OTHER_TOKEN", "--calendarhero-file FILE", "--calendarhero-file $CALENDARHERO", "[", "", "]", "", " KEY", " key",
	"$(date +%F)", "today", "2026-11-30.tar.gz", "today.tar.gz", "/backups/", "", "hooks take "+place, "hooks take "+place+" --yes",
)

// otherPlace is a second location.
const otherPlace = "commandLocation00002"

// TestTheCommandsOfTheDocumentationRun types each block of each page into a shell, beside
// a `milepost serve` between the fakes.
func TestTheCommandsOfTheDocumentationRun(t *testing.T) {
	t.Parallel()
	admin := freeAddress(t)
	r := setupCommands(t, "MILEPOST_HIGHLEVEL_TOKEN=pit-first", "MILEPOST_HIGHLEVEL_LOCATION_ID="+place, "MILEPOST_CALENDARHERO_TOKEN=ch-commands",
		"MILEPOST_ADMIN_LISTEN="+admin, "MILEPOST_ADMIN_TOKEN=docs-admin-token", "MILEPOST_PUBLIC_URL=https://milepost.example.com")
	r.hl.SeedLocation(hlfake.Location{ID: otherPlace, Name: "Other", TimeZone: "Europe/Berlin"}, nil, nil)
	r.hl.AddToken("pit-second", otherPlace)

	jane := r.contact("Jane")
	r.must("backfill", "--since", "all", "--wait") // so that Milepost knows her

	alerts := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(alerts.Close)
	dir := t.TempDir()
	// In the shell, `milepost serve` runs already, nothing waits for `removals allow`, a
	// restore has an empty folder, and age is cat.
	prelude := fmt.Sprintf(`set -eu -o pipefail
milepost() {
	if [ "$1" = serve ]; then return; fi
	if [ "$1 ${2-}" = "removals allow" ]; then ! %[2]q "$@"; return; fi
	if [ "$1" = restore ]; then MILEPOST_DATA_DIR=%[1]s/empty %[2]q "$@"; else %[2]q "$@"; fi
}
age() { cat; }
CONTACT=%[3]s OTHER_TOKEN=%[4]s CALENDARHERO=%[5]s
`, dir, os.Args[0], jane, r.token("pit-second"), r.token("ch-commands"))
	env := append(r.env, "MILEPOST_ALERT_WEBHOOK="+alerts.URL, "MILEPOST_ALERT_WEBHOOK_SECRET=whsec_"+strings.Repeat("c2Vj", 8), "MILEPOST_ALERT_PRIVATE_NETWORKS=true", "MILEPOST_INSECURE_HTTP=true")
	ran := 0
	for _, block := range shellBlocks(t) {
		if block.notRun != "" {
			continue
		}
		ran++
		script := prelude + strings.ReplaceAll(placeholders.Replace(block.text), "127.0.0.1:8081", admin)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		cmd := exec.CommandContext(ctx, "bash", "-c", script)
		cmd.Dir, cmd.Env, cmd.WaitDelay = dir, append(append(os.Environ(), soonOver), env...), 10*time.Second
		begun := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s:\n%s%v\n%s", block.page, block.text, err, out)
		}
		t.Logf("%s: %v", block.page, time.Since(begun).Round(time.Millisecond))
		cancel()
	}
	if ran < 10 {
		t.Errorf("only %d blocks were run", ran)
	}
}
