package mapping_test

import (
	"fmt"
	"time"

	"milepost/mapping"
)

// An automation turns a record into the items that should exist for it.
func ExampleSet_Plan() {
	set, err := mapping.Load("closing.yaml", []byte(`
- name: Closing day
  on: milestone.changed
  milestone: { name: Closing, date: contact.closing_date }
  if: '"buyer" in contact.tags'
  do:
    - event:
        title: "{{ milestone.name }}: {{ contact.name }}"
        start: "{{ milestone.date }}"
        at: "10:00"
        duration: 1h
        reminders: [1d]
        invite: owner
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	zone, err := mapping.LoadZone("America/New_York")
	if err != nil {
		fmt.Println(err)
		return
	}
	facts := mapping.Facts{
		Location: mapping.Location{ID: "loc", Zone: zone},
		Contact: mapping.Contact{
			ID: "nora", Tags: []string{"buyer"},
			Fields: map[string]any{"name": "Nora Quist"},
			Custom: map[string]mapping.CustomField{"closing_date": {Name: "Closing Date", Type: "DATE", Value: "2026-12-03"}},
		},
		Now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC),
	}
	for _, item := range set.Plan(mapping.KindContact, facts).Items {
		fmt.Println(item.Key, item.Kind, item.Title, item.Start.In(zone).Format(time.RFC3339), item.Reminders)
	}
	facts.Contact.Tags = nil
	for _, skipped := range set.Plan(mapping.KindContact, facts).Skipped {
		fmt.Printf("%s: %s: %s\n", skipped.Automation, skipped.Reason, skipped.Saw)
	}
	// Output:
	// closing-day/1 event Closing: Nora Quist 2026-12-03T10:00:00-05:00 [24h0m0s]
	// Closing day: the condition is not met: contact.tags is empty
}

// A mistake names its line, its field and what was expected.
func ExampleLoad() {
	_, err := mapping.Load("mine.yaml", []byte("- name: Mine\n  on: contact.chnged\n  do:\n    - note: { text: hello }\n"))
	fmt.Println(err)
	// Output:
	// mine.yaml:2: on: unknown trigger "contact.chnged"; did you mean "contact.changed"?
}
