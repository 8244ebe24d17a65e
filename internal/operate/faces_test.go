package operate_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The faces over a Desk. A person finds each of its functions in each face, apart from what
// without lists.
var faces = map[string]string{
	"the console": "../console/*.go", "the admin API": "../adminapi/*.go", "the commands": "../../cmd/milepost/*.go",
}

// Reasons why a function is not in a face.
const (
	inside     = "it is a part of other functions"
	counts     = "one command counts, asks and does it"
	editor     = "it fills a form of the console"
	firstSteps = "it is for the first steps, which are pages"
	page       = "it is a page to look at, whose parts the other faces list"
	another    = "the face does the same by another function"
	backfill   = "milepost backfill counts and works in its own process"
	files      = "an automation is a file for the commands: import and export"
	agency     = "an agency agrees in a browser"
)

// without says which functions a face does not have, and why.
var without = map[string]map[string][]string{
	"the console": {
		inside:  {"Faults"},
		counts:  {"Apply", "NoteBackfill", "PlanReplay"},
		another: {"Backfills", "FeedLinks", "KnowsContact", "KnowsLocation", "LocationOf", "NewestDeliveries", "OpenCalls", "PreviewAutomation", "Publish", "SetState", "Timeline", "WorkflowLinks", "WouldAllow"},
	},
	"the admin API": {
		inside:     {"AutomationID", "Faults", "Mailed", "Synced", "ZoneOf"},
		counts:     {"Apply", "NoteBackfill", "PlanReplay"},
		editor:     {"Choices", "Example", "FindInHighLevel"},
		firstSteps: {"Begin", "FirstRecipes", "FirstRun", "SetApp", "TryOut"},
		page:       {"Activity", "Calendar", "WouldDisconnect"},
		another:    {"FeedLinks", "KnowsContact", "KnowsLocation", "NewestDeliveries", "Requests", "SetState", "SyncRecordNow", "Timeline", "WorkflowLinks"},
		agency:     {"AllowAgency", "Install", "WouldAllow"},
	},
	"the commands": {
		inside:     {"AutomationID", "Faults", "LocationOf", "RemovalsOf", "Synced", "ZoneOf"},
		counts:     {"ApplyCounted", "Plan", "Replay", "ReplayPlan", "ReplayPreview", "StartPlan", "StartReplayPlan", "SwitchState"},
		editor:     {"Choices", "Example", "FindInHighLevel"},
		firstSteps: {"Begin", "CreateNeed", "FirstRecipes", "FirstRun", "SetApp", "TryOut"},
		page:       {"Activity", "Calendar", "Jobs", "Overview"},
		another:    {"Concern", "Connection", "Contact", "ContactsOf", "Deliveries", "Delivery", "PreviewAutomation", "PreviewText", "RotateFeedLink", "RunJobNow", "SyncNow", "SyncRecordNow"},
		backfill:   {"BackfillCount", "BackfillOf", "Backfills", "CancelBackfill", "CountBackfill", "StartBackfill"},
		files:      {"Create", "Save"},
		agency:     {"Install"},
	},
}

var (
	function = regexp.MustCompile(`(?m)^func \(d \*Desk\) ([A-Z]\w*)\(`)
	calls    = regexp.MustCompile(`\.([A-Z]\w*)\(`)
)

// source is the text of Go files, without tests.
func source(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files are %s: %v", pattern, err)
	}
	var b strings.Builder
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}

func TestEachFaceHasWhatTheOthersHave(t *testing.T) {
	var all []string
	for _, m := range function.FindAllStringSubmatch(source(t, "*.go"), -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	for face, pattern := range faces {
		called := map[string]bool{}
		for _, m := range calls.FindAllStringSubmatch(source(t, pattern), -1) {
			called[m[1]] = true
		}
		excepted := map[string]bool{}
		for _, list := range without[face] {
			for _, name := range list {
				excepted[name] = true
			}
		}
		for _, name := range all {
			if !called[name] && !excepted[name] {
				t.Errorf("%s does not have %s; add it, or say in without why not", face, name)
			}
			if called[name] && excepted[name] {
				t.Errorf("%s has %s, which without excepts", face, name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(excepted)) {
			if !slices.Contains(all, name) {
				t.Errorf("without excepts %s, which is no function of a Desk any more", name)
			}
		}
	}
}
