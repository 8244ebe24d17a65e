package sync

import (
	"strings"
	"testing"

	"milepost/internal/store"
	"milepost/mapping"
)

func TestTheReasonsOfARecordLeaveOutItsMeetings(t *testing.T) {
	plan := mapping.Plan{Skipped: []mapping.Skipped{
		{Automation: "Task", Reason: "the task is completed"},
		{Automation: "Booked", Reason: "the condition is not met", Meeting: true},
		{Automation: "Moved", Reason: "the condition is not met", Meeting: true},
		{Automation: "Moved", Reason: "another meeting", Meeting: true},
	}}
	reasons := func(kind mapping.Kind) string {
		s := &entitySync{result: &result{}, entity: store.Entity{Kind: string(kind)}}
		s.explain(plan)
		return strings.Join(s.skipped, "; ")
	}
	if got, want := reasons(mapping.KindTask), "Task: the task is completed; 2 automations about meetings do not apply to its meetings"; got != want {
		t.Errorf("the reasons are %q, want %q", got, want)
	}
	if got := reasons(mapping.KindMeeting); !strings.Contains(got, "Booked: the condition is not met") {
		t.Errorf("the reasons of a meeting are %q", got)
	}
}
