package mapping

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const taskHead, contactHead = "name: A\non: task.changed\n", "name: A\non: contact.changed\n"

func TestAFixedTextThatCannotBeRightIsAMistakeWhenItIsSaved(t *testing.T) {
	const request = "do:\n  - request:\n      operation: "
	tests := []struct{ name, source, want string }{
		{"a due date", taskHead + "do:\n  - task:\n      title: x\n      due: tomorrow\n", `f.yaml:6: task.due: "tomorrow" is not a date: expected a form like 2026-12-01, 2026-12-01T15:00:00Z, 12/01/2026 or Dec 1 2026; or write an expression like {{ task.due }}`},
		{"a start", contactHead + "do:\n  - event:\n      title: x\n      start: next week\n", `f.yaml:6: event.start: "next week" is not a date: expected a form like 2026-12-01, 2026-12-01T15:00:00Z, 12/01/2026 or Dec 1 2026; or write an expression like {{ contact.<field> }}`},
		{"a day that does not exist", taskHead + "do:\n  - task: { title: x, due: 2026-02-30 }\n", `f.yaml:4: task.due: "2026-02-30" is not a date: there is no February 30 in 2026; or write an expression like {{ task.due }}`},
		{"no date", taskHead + "do:\n  - task: { title: x, due: '' }\n", `f.yaml:4: task.due: is empty, so nothing would ever be made; expected a date, or an expression like {{ task.due }}`},
		{"a task in HighLevel", contactHead + "do:\n  - highlevel_task: { title: x, due: soon }\n", `f.yaml:4: highlevel_task.due: "soon" is not a date: `},
		{"a task that moves", "name: A\non: calendarhero.meeting_rescheduled\ndo:\n  - reschedule_task: { due: later }\n", `f.yaml:4: reschedule_task.due: "later" is not a date: `},
		{"a birthday", "name: A\non: calendarhero.meeting_completed\ndo:\n  - update_contact:\n      fields:\n        date_of_birth: his\n", `f.yaml:6: update_contact.fields.date_of_birth: "his" is not a date: `},
		{"an address of a contact", contactHead + "do:\n  - contact:\n      emails:\n        - '{{ contact.email }}'\n        - office\n", `f.yaml:7: contact.emails: "office" is not an e-mail address; expected an address, or an expression like {{ contact.email }}`},
		{"an address that is written", "name: A\non: calendarhero.meeting_completed\ndo:\n  - update_contact: { fields: { email: office } }\n", `f.yaml:4: update_contact.fields.email: "office" is not an e-mail address; `},
		{"a time zone that is written", "name: A\non: calendarhero.meeting_completed\ndo:\n  - update_contact: { fields: { timezone: America/NewYork } }\n", `f.yaml:4: update_contact.fields.timezone: "America/NewYork" is not a time zone; did you mean "America/New_York"?`},
		{"no invitee", contactHead + "do:\n  - event: { title: x, start: 2026-12-01, invite: '' }\n", "f.yaml:4: event.invite: is empty, so nothing would ever be made"},
		{"an empty title", taskHead + "do:\n  - task: { title: '' }\n", "f.yaml:4: task.title: is empty, so nothing would ever be made"},
		{"an empty note", contactHead + "do:\n  - highlevel_note: { text: '' }\n", "f.yaml:4: highlevel_note.text: is empty, so nothing would ever be made"},
		{"a date in a condition", taskHead + "if: |\n  not task.completed\n  and before(task.due, \"next week\")\ndo: [task: {title: x}]\n", `f.yaml:5: if: "next week" is not a date: `},
		{"days in a condition", taskHead + "if: within(task.due, 'a week')\ndo: [task: {title: x}]\n", `f.yaml:3: if: within takes a number of days from 0 to 3660, not the text "a week"`},
		{"a date in a hole", taskHead + "do:\n  - task: { title: '{{ after(task.due, \"noon\") ? 1 : 2 }}' }\n", `f.yaml:4: task.title: "noon" is not a date: `},
		{"a date of a request", contactHead + request + "highlevel.create_task\n      fields:\n        contactId: '{{ contact.id }}'\n        title: x\n        completed: false\n        dueDate: tomorrow\n", `f.yaml:10: request.fields.dueDate: "tomorrow" is not a date; expected a form like 2026-12-04T15:00:00Z, or an expression like {{ task.due }}`},
		{"a time zone of a request", contactHead + request + "highlevel.update_contact\n      fields:\n        contactId: '{{ contact.id }}'\n        timezone: New York\n", `f.yaml:8: request.fields.timezone: "New York" is not a time zone; expected an IANA name such as America/New_York`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load("f.yaml", []byte(tt.source))
			var all *LoadError
			if !errors.As(err, &all) || len(all.Mistakes) != 1 || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			stored, err := LoadStored("f.yaml", []byte(tt.source))
			if err != nil {
				t.Fatalf("an automation that is in use does not load any more: %v", err)
			}
			if diff := cmp.Diff(all.Mistakes, stored.Doubts()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAFixedTextThatCanBeRightIsSaved(t *testing.T) {
	for name, source := range map[string]string{
		"a day":                   taskHead + "do: [task: { title: x, due: 2026-12-01 }]\n",
		"an instant":              taskHead + "do: [task: { title: x, due: '2026-12-01T15:00:00+01:00' }]\n",
		"a zone of some location": taskHead + "do: [task: { title: x, due: '2026-12-01 15:00 CST' }]\n",
		"text around a hole":      taskHead + "do: [task: { title: x, due: '{{ task.due }} 15:00' }]\n",
		"a time zone":             "name: A\non: calendarhero.meeting_completed\ndo: [update_contact: { fields: { timezone: America/New_York } }]\n",
		"several addresses":       contactHead + "do: [contact: { emails: 'a@doe.example, b@doe.example' }]\n",
		"fixed arguments":         taskHead + "if: before(task.due, '2027-01-01') and within(task.due, 7)\ndo: [task: { title: x }]\n",
		"a cleared field":         contactHead + "do: [request: { operation: highlevel.update_contact, fields: { contactId: x, timezone: , dateOfBirth: 1990-09-25 } }]\n",
	} {
		if _, err := Load("f.yaml", []byte(source)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnAutomationThatIsOffHasNoDoubts(t *testing.T) {
	s := mustLoadStored(t, taskHead+"state: off\ndo: [task: { title: x, due: tomorrow }]\n")
	if d := s.Doubts(); len(d) > 0 {
		t.Errorf("got %v", d)
	}
}
