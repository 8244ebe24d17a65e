package automation

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"milepost/mapping"
)

// many are n automations of which each looks at contacts of another city.
func many(n int) string {
	var file strings.Builder
	for i := range n {
		fmt.Fprintf(&file, "- name: Automation %d\n  on: contact.changed\n  if: contact.city == \"City %d\" and contact.email != \"\"\n  do:\n"+
			"    - event: { title: \"{{ contact.name }} in {{ contact.city }}\", start: \"2030-05-02\", at: \"09:00\", reminders: [1d, 1h], attach: [notes, tags] }\n", i, i)
	}
	return file.String()
}

// TestAThousandAutomations measures what an edit costs beside a thousand others:
//
//	MILEPOST_TEST_MEASURE=1 go test -v -run TestAThousandAutomations ./internal/automation
func TestAThousandAutomations(t *testing.T) {
	if os.Getenv("MILEPOST_TEST_MEASURE") == "" {
		t.Skip("measures only with MILEPOST_TEST_MEASURE=1")
	}
	b := setup(t)
	step := func(what string, limit time.Duration, do func()) {
		start := time.Now()
		do()
		took := time.Since(start)
		t.Logf("%-40s %s", what, took.Round(10*time.Microsecond))
		if took > limit {
			t.Errorf("%s took %s", what, took)
		}
	}
	step("import of 1,000", time.Minute, func() { b.only(t, many(1000)) })
	var other *Library
	step("start of a process", 20*time.Second, func() { other = b.again(t) })
	step("a look at whether anything changed", 100*time.Millisecond, func() { must(other.Watch(t.Context()))(t) })
	step("an edit, checked and saved", time.Second, func() {
		must(b.SetState(t.Context(), "automation-7", mapping.StateOff, dana))(t)
	})
	step("its load in another process", time.Second, func() {
		if !must(other.Watch(t.Context()))(t) || other.Set().Find("automation-7").State != mapping.StateOff {
			t.Error("the edit is not live")
		}
	})
	facts := mapping.Facts{Contact: mapping.Contact{ID: "c", Fields: map[string]any{"city": "City 5", "email": "a@example.com", "name": "A"}}}
	step("a plan with all of them", 300*time.Millisecond, func() {
		if plan, _ := other.Set().Trace(mapping.KindContact, facts); len(plan.Items) != 1 {
			t.Errorf("%d items", len(plan.Items))
		}
	})
}
