package mapping

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestATraceSaysOfEachAutomationWhatItWantsOrWhyNot(t *testing.T) {
	set := mustLoadStored(t, `
- { name: Fits, on: contact.changed, if: 'contact.city == "Oslo" and (contact.state == "x" or contact.first_name startsWith "N")', do: [contact: { name: "{{ contact.name }}", emails: n@example.com }] }
- { name: Elsewhere, on: contact.changed, if: 'contact.city == "Oslo" and contact.country == "NO"', do: [contact: { emails: n@example.com }] }
- { name: Tagged, on: contact.tagged, tag: vip, do: [contact: { emails: n@example.com }] }
- { name: Broken, on: contact.changed, if: 'contact.city > 3', do: [contact: { emails: n@example.com }] }
- { name: Paused, state: paused, on: contact.changed, do: [contact: { emails: n@example.com }] }
- { name: Task, on: task.changed, do: [task: {title: x}] }
`)
	joined, err := Join([]Part{{set, 7}})
	if err != nil {
		t.Fatal(err)
	}
	facts := Facts{Contact: Contact{ID: "c", Fields: map[string]any{"city": "Oslo", "first_name": "Nora", "country": "SE", "name": "Nora"}}}
	plan, got := joined.Trace(KindContact, facts)
	if diff := cmp.Diff(joined.Plan(KindContact, facts), plan); diff != "" {
		t.Error("a trace plans something else:", diff)
	}
	want := []Considered{
		{ID: "fits", Name: "Fits", Version: 7, Items: plan.Items, Conditions: []Condition{
			{`contact.city == "Oslo"`, `contact.city is "Oslo"`, true},
			{`contact.state == "x" or contact.first_name startsWith "N"`, `contact.state is empty, contact.first_name is "Nora"`, true},
		}},
		{ID: "elsewhere", Name: "Elsewhere", Version: 7, Reason: "the condition is not met", Condition: `contact.country == "NO"`, Saw: `contact.country is "SE"`, Conditions: []Condition{
			{`contact.city == "Oslo"`, `contact.city is "Oslo"`, true}, {`contact.country == "NO"`, `contact.country is "SE"`, false},
		}},
		{ID: "tagged", Name: "Tagged", Version: 7, Reason: `the contact does not have the tag "vip"`, Saw: "contact.tags is empty"},
	}
	if len(got) != 4 || !got[3].Problem || got[3].Reason == "" {
		t.Errorf("of the broken one: %+v", got[3:])
	}
	if diff := cmp.Diff(want, got[:min(3, len(got))], cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}
