package mapping

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// workflowFacts are fullFacts with a workflow's webhook about the contact.
func workflowFacts(custom map[string]any) Facts {
	f := fullFacts()
	f.Workflow = Workflow{
		ID: "w1", Name: "Closing", CustomData: custom, Tags: []string{"VIP"},
		Fields: map[string]any{"Closing Date": "Nov 30th 2026", "Milestone": "Walkthrough", "first_name": "Ann"},
	}
	return f
}

func TestTheRecipeOnAWorkflowWebhook(t *testing.T) {
	p := recipeSet(t).Plan(KindWorkflow, workflowFacts(map[string]any{"milestone_title": "Closing", "milestone_date": "12/01/2026"}))
	want := Plan{Items: []Item{{
		Key: "workflow-milestone-to-calendar-event/1", Automation: "Workflow milestone to calendar event", Kind: ItemEvent, Conflict: NewestWins,
		Title: "Closing: Ann Lee", Start: at("2026-12-01T14:00:00Z"), End: at("2026-12-01T14:30:00Z"), Zone: newYork(),
		DateOnly: true, Invite: Invite{Who: InviteOwner}, Reminders: []time.Duration{24 * time.Hour, time.Hour},
		Notes: []string{"newest & first", "newest & last", "oldest"}, Tags: []string{"buyer", "vip"},
	}}}
	if diff := cmp.Diff(want, p, sameZone); diff != "" {
		t.Error(diff)
	}
	for name, custom := range map[string]map[string]any{
		"no title": {"milestone_date": "2026-12-01"}, "no date": {"milestone_title": "Closing"}, "nothing": nil,
	} {
		if p := recipeSet(t).Plan(KindWorkflow, workflowFacts(custom)); len(p.Items)+len(p.Problems) != 0 || len(p.Skipped) != 1 {
			t.Errorf("%s: %+v, want nothing", name, p)
		}
	}
}

func TestTheWaysAWorkflowCarriesAMilestone(t *testing.T) {
	for name, tt := range map[string]struct {
		milestone, condition string
		title                string // of the event, or "" and
		problem              string // what cannot be computed, or "" for nothing wanted
	}{
		"Custom Data":               {"{ name: custom_data.title, date: custom_data.when }", "", "Keys on 2026-12-01", ""},
		"a field by display name":   {`{ name: 'workflow.fields["Milestone"]', date: 'workflow.fields["Closing Date"]' }`, "", "Walkthrough on 2026-11-30", ""},
		"one in place of another":   {`{ name: 'custom_data.name ?? workflow.fields["Milestone"]', date: custom_data.when }`, "", "Walkthrough on 2026-12-01", ""},
		"a date, day first":         {`{ name: X, date: 'join(reverse(split(custom_data.european, "/")), "-")' }`, "", "X on 2026-11-30", ""},
		"one that is not there":     {`{ name: X, date: 'join(reverse(split(custom_data.other, "/")), "-")' }`, "", "", ""},
		"a name of its own":         {"{ name: Closing day, date: custom_data.when }", "", "Closing day on 2026-12-01", ""},
		"a name with a dot":         {"{ name: No. 1, date: custom_data.when }", "", "No. 1 on 2026-12-01", ""},
		"the contact's field":       {"{ name: contact.milestone, date: contact.closing_date }", "", "Closing on 2026-12-01 10:00", ""},
		"for one workflow":          {"{ name: X, date: custom_data.when }", `workflow.name == "Closing" and "vip" in workflow.tags`, "X on 2026-12-01", ""},
		"for another":               {"{ name: X, date: custom_data.when }", `workflow.name == "Other"`, "", ""},
		"a date that is none":       {"{ name: X, date: custom_data.title }", "", "", `milestone.date: "Keys" is not a date`},
		"a date that is not there":  {"{ name: X, date: custom_data.other }", "", "", ""},
		"a name that is not there":  {"{ name: custom_data.other.deep, date: custom_data.when }", "", "", "milestone.name: "},
		"without a milestone of it": {"", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			source := "name: A\non: workflow.received\n"
			if tt.condition != "" {
				source += "if: '" + tt.condition + "'\n"
			}
			if tt.milestone == "" {
				source += "do: [event: { title: x, start: '{{ custom_data.other }}' }]"
			} else {
				source += "milestone: " + tt.milestone + "\ndo: [event: { title: '{{ milestone.name }} on {{ milestone.date }}', start: '{{ milestone.date }}' }]"
			}
			p := mustLoad(t, source).Plan(KindWorkflow, workflowFacts(map[string]any{"title": "Keys", "when": "2026-12-01T00:00:00.000Z", "european": "30/11/2026"}))
			got := fmt.Sprint(len(p.Items), len(p.Skipped), len(p.Problems))
			switch {
			case tt.title != "":
				if got != "1 0 0" || p.Items[0].Title != tt.title {
					t.Errorf("got %+v, want the title %q", p, tt.title)
				}
			case tt.problem != "":
				if got != "0 0 1" || !strings.HasPrefix(p.Problems[0].Field+": "+p.Problems[0].Message, tt.problem) {
					t.Errorf("got %+v, want the problem %q", p, tt.problem)
				}
			case got != "0 1 0":
				t.Errorf("got %+v, want nothing", p)
			}
		})
	}
}

func TestAWorkflowWithoutAContactPlansItemsThatNeedNone(t *testing.T) {
	s := mustLoad(t, `
- { name: Alone, on: workflow.received, do: [event: { title: "{{ workflow.name }}", start: "{{ custom_data.when }}" }] }
- { name: Named, on: workflow.received, do: [event: { title: "{{ contact.name }}", start: "{{ custom_data.when }}" }] }
- { name: Tags, on: workflow.received, do: [tags: { add: x }] }
`)
	f := workflowFacts(map[string]any{"when": "2026-12-01"})
	f.Contact = Contact{}
	p := s.Plan(KindWorkflow, f)
	if len(p.Items) != 1 || p.Items[0].Key != "alone/1" {
		t.Errorf("wanted is %+v, want the one that needs no contact", p.Items)
	}
	var wrong []string
	for _, problem := range p.Problems {
		wrong = append(wrong, problem.Key)
		if !strings.Contains(problem.Message, "{{contact.id}}") {
			t.Errorf("%q does not say what to add", problem.Message)
		}
	}
	if diff := cmp.Diff([]string{"named/1", "tags/1"}, wrong); diff != "" {
		t.Error(diff)
	}
	want := Needs{Any: true, Contact: true}
	if diff := cmp.Diff(want, s.Needs(KindWorkflow)); diff != "" {
		t.Error(diff)
	}
	alone := mustLoad(t, "{ name: Alone, on: workflow.received, milestone: { name: X, date: custom_data.d }, do: [event: { title: '{{ milestone.name }}', start: '{{ milestone.date }}' }] }")
	if got := alone.Needs(KindWorkflow); got != (Needs{Any: true}) {
		t.Errorf("what reads the webhook alone needs %+v", got)
	}
}
