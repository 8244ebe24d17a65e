package mapping

import (
	"errors"
	"strings"
	"testing"
)

// Each file has one slip, which is said once, with what to write.
func TestASlipIsSaidOnceWithWhatToWrite(t *testing.T) {
	const contact = "name: A\non: contact.changed\n"
	const event = contact + "do:\n  - event: { title: a, start: 2026-12-01, "
	const do = "do: [tags: {add: x}]\n"
	for name, c := range map[string]struct{ source, want string }{
		"a number sign in a text":        {contact + "do:\n  - highlevel_note:\n      text: Order #5 is here\n", `f.yaml:5: highlevel_note.text: YAML reads what follows a # after a blank as a comment; put all of it in quotes: text: 'Order #5 is here'. If it is a comment, write a blank after the #`},
		"a number sign in a name":        {"name: Deal #1\non: contact.changed\n" + do, `f.yaml:1: name: YAML reads what follows a # after a blank as a comment; put all of it in quotes: name: 'Deal #1'. If`},
		"a tag with a number sign":       {contact + "do:\n  - tags:\n      add: #vip\n", `f.yaml:5: tags.add: YAML reads what follows a # after a blank as a comment; put all of it in quotes: add: '#vip'`},
		"an anchor in a text":            {contact + "do:\n  - highlevel_note:\n      text: &Co offer\n", `f.yaml:5: highlevel_note.text: YAML leaves out a first word that begins with &; put all of it in quotes: text: '&Co offer'`},
		"an anchor in a list":            {contact + "do:\n  - tags: { add: [a, &b c] }\n", `f.yaml:4: tags.add: YAML leaves out a first word that begins with &; put all of it in quotes: '&b c'`},
		"an anchor in a name":            {"name: &Co deals\non: contact.changed\n" + do, `f.yaml:1: name: YAML leaves out a first word that begins with &; put all of it in quotes: name: '&Co deals'`},
		"an alias":                       {contact + "do:\n  - tags: { add: &b c, remove: *b }\n", `f.yaml:4: tags.remove: must be a list, this is a reference (*b), which is not supported`},
		"a text that begins with a star": {contact + "do:\n  - highlevel_note:\n      text: *New* offer\n", `f.yaml:5: YAML cannot read this value as it is written; put all of it in quotes: text: '*New* offer'`},
		"the same in braces":             {contact + "do:\n  - tags: { add: #vip }\n", `f.yaml:4: YAML cannot read this value as it is written; put all of it in quotes: add: '#vip'`},
		"a quote without end":            {contact + "if: \"contact.dnd\n" + do, `f.yaml:3: the quote that begins this value has no end; write if: "contact.dnd"`},
		"another one":                    {contact + "do:\n  - highlevel_note:\n      text: 'Hello\n", `f.yaml:5: the quote that begins this value has no end; write text: 'Hello'`},
		"a line too far to the right":    {contact + "do:\n  - event:\n     title: a\n      start: 2026-12-01\n", `f.yaml:6: this is not YAML: this line begins further to the right than the one above`},
		"a line too far to the left":     {contact + "do:\n  - event:\n      title: a\n     start: 2026-12-01\n", `f.yaml:6: this is not YAML: this line begins in a column in which no line above it begins`},
		"fields beside their action":     {contact + "do:\n  - event:\n    title: a\n    start: 2026-12-01\n", `f.yaml:5: do: "title" belongs to event; indent it by two more blanks than event`},
		"a bracket without end":          {contact + "do: [tags: {add: x}\nif: contact.dnd\n", `f.yaml:3: this is not YAML: a [ or { has no end, or a comma is missing`},
		"a list without brackets":        {event + "reminders: 1d, 1h }\n", `f.yaml:4: event: "1h" is no field; put a list in brackets: reminders: [1d, 1h]`},
		"a comma in braces":              {contact + "do:\n  - highlevel_note: { text: Hello, dear }\n", `f.yaml:4: highlevel_note: "dear" is no field; a text with a comma needs quotes: text: 'Hello, dear'`},
		"a list in a line":               {contact + "do:\n  - event:\n      title: a\n      start: 2026-12-01\n      reminders: 1d, 1h\n", `f.yaml:7: event.reminders: "1d, 1h" is not a duration; put a list in brackets: [1d, 1h]`},
		"an id in words":                 {"name: A\nid: My Automation_2\non: contact.changed\n" + do, `f.yaml:2: id: "My Automation_2" is not an id; expected lower-case letters and digits with single hyphens between, at most 100 characters; did you mean my-automation-2?`},
		"a condition behind a #":         {contact + "if: any(contact.tags, # == \"VIP\")\n" + do, `f.yaml:3: if: YAML reads what follows a # after a blank as a comment; put all of it in quotes: if: 'any(contact.tags, # == "VIP")'`},
		"a field for an address":         {contact + "do: [contact: {emails: contact.email}]\n", `f.yaml:3: contact.emails: is the text "contact.email" itself, not the field; write {{ contact.email }}`},
		"an action without braces":       {"name: A\non: calendarhero.meeting_completed\ndo: [complete_task]\n", `f.yaml:3: do: must be a list of fields (name: value); write complete_task: {}`},
		"tags alone":                     {contact + "do: [tags: vip]\n", `f.yaml:3: tags: must be a list of fields; did you mean { add: vip }?`},
		"a list of tags alone":           {contact + "do: [tags: [vip, gold]]\n", `f.yaml:3: tags: must be a list of fields; did you mean { add: [vip, gold] }?`},
		"an empty tag":                   {contact + "do: [tags: {add: ''}]\n", `f.yaml:3: tags.add: is empty; write a tag, or remove the line`},
		"a tag added and removed":        {contact + "do: [tags: {add: VIP, remove: [vip, Vip]}]\n", `f.yaml:3: tags.remove: the tag "vip" is also added`},
		"a list for a tag":               {"name: A\non: contact.tagged\ntag: [vip]\n" + do, `f.yaml:3: tag: must be text, this is a list`},

		"a field for a title":                       {contact + "do: [event: {title: contact.name, start: 2026-12-01}]\n", `f.yaml:3: event.title: is the text "contact.name" itself, not the field; write {{ contact.name }}`},
		"a field for a date":                        {contact + "do: [event: {title: a, start: contact.closing_date}]\n", `f.yaml:3: event.start: is the text "contact.closing_date" itself, not the field; write {{ contact.closing_date }}`},
		"a field of a request":                      {contact + "do: [request: {operation: highlevel.add_contact_to_workflow, fields: {contactId: contact.id, workflowId: w}}]\n", `f.yaml:3: request.fields.contactId: is the text "contact.id" itself, not the field; write {{ contact.id }}`},
		"a hole of another tool":                    {contact + "do: [highlevel_note: {text: 'Dear [[contact.name]]'}]\n", `f.yaml:3: highlevel_note.text: [[contact.name]] is not filled in; write {{ contact.name }}`},
		"per cent signs":                            {contact + "do: [highlevel_note: {text: 'Dear %contact.name%'}]\n", `f.yaml:3: highlevel_note.text: %contact.name% is not filled in; write {{ contact.name }}`},
		"an address without a dot":                  {event + "invite: ana@example }\n", `f.yaml:4: event.invite: "ana@example" is not an e-mail address: behind the @ a part such as .com is missing`},
		"the customer":                              {event + "invite: customer }\n", `f.yaml:4: event.invite: unknown invitee "customer"; did you mean "contact"? (or an e-mail address)`},
		"an hour alone":                             {event + "at: 9 }\n", `f.yaml:4: event.at: "9" is not a time of day; expected one from 00:00 to 23:59; did you mean "09:00"?`},
		"when":                                      {contact + "when: contact.dnd\n" + do, `f.yaml:3: unknown field "when"; did you mean "if"?`},
		"a trigger field":                           {"name: A\ntrigger: contact.changed\n" + do, `f.yaml:2: unknown field "trigger"; did you mean "on"?`},
		"date for start":                            {contact + "do: [event: {title: a, date: 2026-12-01}]\n", `f.yaml:3: event: unknown field "date"; did you mean "start"?`},
		"location for place":                        {event + "location: Office }\n", `f.yaml:4: event: unknown field "location"; did you mean "place"?`},
		"a slip in a field":                         {contact + "do: [event: {titel: a, start: 2026-12-01}]\n", `f.yaml:3: event: unknown field "titel"; did you mean "title"?`},
		"a slip in a request":                       {contact + "do: [request: {operation: highlevel.add_contact_to_workflow, fields: {contactID: c, workflowId: w}}]\n", `f.yaml:3: request.fields.contactID: unknown field "contactID"; did you mean "contactId"?`},
		"a milestone's slip":                        {"name: A\non: milestone.changed\nmilestone: {name: X, dat: contact.x}\n" + do, `f.yaml:3: milestone: unknown field "dat"; did you mean "date"?`},
		"a field with a slip and a block":           {"name: A\non: milestone.changed\nmilestones:\n  date: contact.x\n" + do, `f.yaml:3: unknown field "milestones"; did you mean "milestone"?`},
		"a block that does not go with it":          {contact + "milestone:\n  date: contact.x\n" + do, `f.yaml:3: milestone: goes with on: milestone.changed, `},
		"another name and a block":                  {contact + "then:\n  - tags: {add: x}\n", `f.yaml:3: unknown field "then"; did you mean "do"?`},
		"an action's field with a slip and a block": {contact + "do:\n  - event:\n      title: a\n      start: 2026-12-01\n      remindr:\n        - 1d\n", `f.yaml:7: event: unknown field "remindr"; did you mean "reminders"?`},
		"a milestone's key alone":                   {"name: A\non: milestone.changed\nmilestone: {date: closing_date}\n" + do, `f.yaml:3: milestone.date: "closing_date" is not a field of the contact; did you mean contact.closing_date?`},
		"a milestone that is text":                  {"name: A\non: milestone.changed\nmilestone: contact.closing_date\n" + do, `f.yaml:3: milestone: must be a list of fields; did you mean { date: contact.closing_date }?`},
		"yes for a trigger":                         {"name: A\non: yes\n" + do, `f.yaml:2: on: "yes" is no trigger; on names what starts the automation, such as contact.changed (to switch it, write state: on, paused or off)`},
		"an event of HighLevel":                     {"name: A\non: ContactUpdate\n" + do, `f.yaml:2: on: unknown trigger "ContactUpdate"; did you mean "contact.changed"?`},
		"a tag event of HighLevel":                  {"name: A\non: ContactTagUpdate\n" + do, `f.yaml:2: on: unknown trigger "ContactTagUpdate"; did you mean "contact.tagged"?`},
		"a stage event":                             {"name: A\non: OpportunityStageUpdate\n" + do, `f.yaml:2: on: unknown trigger "OpportunityStageUpdate"; did you mean "opportunity.stage_changed"?`},
		"updated for changed":                       {"name: A\non: contact.updated\n" + do, `f.yaml:2: on: unknown trigger "contact.updated"; did you mean "contact.changed"?`},
		"a created task":                            {"name: A\non: task.created\n" + do, `f.yaml:2: on: unknown trigger "task.created"; did you mean "task.changed"?`},
		"bytes that are not UTF-8":                  {contact + "do: [highlevel_note: {text: 'Caf\xe9'}]\n", `f.yaml:3: this is not YAML: a character is not in UTF-8; save the file as UTF-8`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load("f.yaml", []byte(c.source))
			var all *LoadError
			if !errors.As(err, &all) || len(all.Mistakes) != 1 || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestWhatOnlyLooksLikeASlipIsNone(t *testing.T) {
	const contact = "name: A\non: contact.changed\ndo:\n  - "
	for _, source := range []string{
		contact + "highlevel_note: { text: 'Order #5' }\n",
		contact + "highlevel_note:\n      text: Call them # as agreed\n",
		contact + "event: { title: example.com, start: 2026-12-01 } #comment\n",
		contact + "highlevel_note: { text: 'Up 5% contact.name is 100% sure, see contact.name' }\n",
		contact + "highlevel_note: { text: 'a < b, x > y and {curly} [[link]]' }\n",
		contact + "event: { title: a, start: 2026-12-01, at: 9am, duration: 90m, reminders: [1d, 1h30m], invite: ana@example.com }\n",
		contact + "tags: { add: [a, b], remove: c }\n",
		contact + "tags:\n      add: [\n        a, b]\n",
		contact + "event:\n      title: See http://x.example:80 at\n        once\n      start: 2026-12-01\n",
		contact + "highlevel_note: { text: 'Bring Tom & Co', }\n",
		contact + "highlevel_note: &note { text: '&Co offer' }\n",
		"\ufeffname: A\r\non: contact.changed\r\ndo:\r\n  - tags: { add: x }\r\n",
	} {
		if _, err := Load("f.yaml", []byte(source)); err != nil {
			t.Errorf("%v\n%s", err, source)
		}
	}
}
