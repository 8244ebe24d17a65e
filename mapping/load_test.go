package mapping

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mustLoad loads automations that have no mistakes.
func mustLoad(t testing.TB, source string) *Set {
	t.Helper()
	s, err := Load("test.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mustLoadStored loads automations as a version before this one may have saved them.
func mustLoadStored(t testing.TB, source string) *Set {
	t.Helper()
	s, err := LoadStored("test.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAFileOfAutomationsHasOneOfThreeShapes(t *testing.T) {
	const one = "name: One\non: note.changed\ndo: [note: {}]\n"
	const two = "name: Two\non: note.changed\ndo: [note: {}]\n"
	indent := func(s string) string {
		return "  - " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n    ") + "\n"
	}
	for shape, source := range map[string]string{
		"a list":             indent(one) + indent(two),
		"several documents":  "---\n" + one + "---\n# nothing\n---\n" + two,
		"documents of lists": indent(one) + "---\n" + indent(two),
		"a mapping":          "automations:\n" + indent(one) + indent(two),
	} {
		t.Run(shape, func(t *testing.T) {
			var ids []string
			for _, a := range mustLoad(t, source).Automations() {
				ids = append(ids, a.ID)
			}
			if diff := cmp.Diff([]string{"one", "two"}, ids); diff != "" {
				t.Error(diff)
			}
		})
	}
	if n := len(mustLoad(t, "[]").Automations()); n != 0 {
		t.Errorf("an empty list has %d automations", n)
	}
}

func TestAnIDIsASlugOfTheNameUnlessGiven(t *testing.T) {
	s := mustLoad(t, `
- { name: "Task → Kalender (Größe 2)!", on: task.changed, do: [task: { title: x }] }
- { name: Other, id: task-2, enabled: false, on: contact.tagged, tag: " VIP ", do: [contact: , tags: { add: a }] }
`)
	a, b := s.Automations()[0], s.Automations()[1]
	if a.ID != "task-kalender-größe-2" || a.State != StateOn || a.On != TaskChanged {
		t.Errorf("got %+v", a)
	}
	if b.ID != "task-2" || b.State != StateOff || b.Tag != "vip" {
		t.Errorf("got %+v", b)
	}
	if diff := cmp.Diff([]ItemKind{ItemContact, ItemTags}, b.Actions()); diff != "" {
		t.Error(diff)
	}
}

func TestEveryMistakeIsNamedWithItsPlace(t *testing.T) {
	const head = "name: A\non: task.changed\n"
	const contact = "name: A\non: contact.changed\n"
	const workflow = "name: A\non: workflow.received\n"
	const meeting = "name: A\non: calendarhero.meeting_started\n"
	const arrived = "name: A\non: calendarhero.new_contact_added\n"
	const milestone = "name: A\non: milestone.changed\n"
	tests := []struct{ name, source, want string }{
		{"no YAML", "name: [", "f.yaml:1: this is not YAML: did not find expected node content"},
		{"no YAML further down", "name: A\n  on: x\n", "f.yaml:2: this is not YAML: this line begins further to the right than the one above"},
		{"nothing", "# only a comment\n", "f.yaml:1: there is no automation in it (for none at all, write [])"},
		{"text", "hello", "f.yaml:1: must be a list of fields (name: value), this is the value \"hello\""},
		{"an empty entry", "-\n", "f.yaml:1: an automation must be a list of fields (name: value), this is empty"},
		{"an alias", "- &a {name: A, on: note.changed, do: [note: {}]}\n- *a\n", "f.yaml:2: must be a list of fields (name: value), this is a reference (*a), which is not supported"},
		{"more beside the list", "automations: []\nversion: 1\n", `f.yaml:2: unknown field "version"; known are automations`},

		{"no name", "on: note.changed\ndo: [note: {}]\n", "f.yaml:1: name: is required"},
		{"a name without letters", "name: '!'\non: note.changed\ndo: [note: {}]\n", "f.yaml:1: id: is required, for the name has no letters or digits"},
		{"a bad id", "name: A\nid: A B\non: note.changed\ndo: [note: {}]\n", `f.yaml:2: id: "A B" is not an id; expected lower-case letters and digits with single hyphens between, at most 100 characters`},
		{"the same name", "- {name: A, on: note.changed, do: [note: {}]}\n- {name: a, id: b, on: note.changed, do: [note: {}]}\n", `f.yaml:2: name: "a" is the name of the automation in line 1 already`},
		{"the same id", "- {name: A b, on: note.changed, do: [note: {}]}\n- {name: A-B, on: note.changed, do: [note: {}]}\n", `f.yaml:2: id: "a-b" is the id of the automation in line 1 already`},
		{"an unknown field", "name: A\nonn: x\non: note.changed\ndo: [note: {}]\n", `f.yaml:2: unknown field "onn"; did you mean "on"?`},
		{"a field twice", "name: A\nname: B\non: note.changed\ndo: [note: {}]\n", "f.yaml:2: name: is there twice"},
		{"enabled is text", "name: A\nenabled: maybe\non: note.changed\ndo: [note: {}]\n", `f.yaml:2: enabled: must be true or false, this is the value "maybe"`},

		{"no trigger", "name: A\ndo: [note: {}]\n", "f.yaml:1: on: is required"},
		{"an unknown trigger", "name: A\non: task.chagned\ndo: [note: {}]\n", `f.yaml:2: on: unknown trigger "task.chagned"; did you mean "task.changed"?`},
		{"no event of CalendarHero", "name: A\non: calendarhero.meeting_completd\ndo: [note: {}]\n", `f.yaml:2: on: unknown trigger "calendarhero.meeting_completd"; did you mean "calendarhero.meeting_completed"?`},
		{"no tag", "name: A\non: contact.tagged\ndo: [contact: {}]\n", "f.yaml:1: tag: is required"},
		{"a tag too many", contact + "tag: vip\ndo: [contact: {}]\n", "f.yaml:3: tag: goes with on: contact.tagged only"},

		{"no milestone", milestone + "do: [contact: {}]\n", "f.yaml:1: milestone: is required with on: milestone.changed; expected { name: contact.<field>, date: contact.<field> }"},
		{"a milestone too many", contact + "milestone: {date: contact.x}\ndo: [contact: {}]\n", "f.yaml:3: milestone: goes with on: milestone.changed, milestone.approaching and workflow.received only"},
		{"a milestone without date", milestone + "milestone: {name: Birthday}\ndo: [contact: {}]\n", "f.yaml:3: milestone.date: is required"},
		{"a milestone with an unknown field", milestone + "milestone:\n  date: contact.x\n  nam: y\ndo: [contact: {}]\n", `f.yaml:5: milestone: unknown field "nam"; did you mean "name"?`},
		{"a milestone date in braces", milestone + "milestone: {date: '{{ contact.x }}'}\ndo: [contact: {}]\n", `f.yaml:3: milestone.date: "{{ contact.x }}" is not a field of the contact; did you mean contact.x, without braces?`},
		{"a milestone date that is none", milestone + "milestone: {date: contact.email}\ndo: [contact: {}]\n", "f.yaml:3: milestone.date: contact.email holds no date; expected a custom field or date_of_birth, date_added, date_updated"},
		{"a milestone name in braces", milestone + "milestone: {date: contact.x, name: '{{ contact.y }}'}\ndo: [contact: {}]\n", `f.yaml:3: milestone.name: "{{ contact.y }}" is neither a field of the contact (contact.<field>, without braces) nor a plain name`},
		{"a birthday without name", milestone + "milestone: {date: contact.date_of_birth}\ndo: [contact: {}]\n", "f.yaml:3: milestone.name: is required with the date contact.date_of_birth; expected a name such as Birthday"},

		{"a workflow milestone without name", workflow + "milestone: {date: custom_data.x}\ndo: [event: {title: x, start: 2026-12-01}]\n", "f.yaml:3: milestone.name: is required"},
		{"a workflow milestone without date", workflow + "milestone: {name: Closing}\ndo: [event: {title: x, start: 2026-12-01}]\n", "f.yaml:3: milestone.date: is required"},
		{"a workflow milestone date in braces", workflow + "milestone: {name: Closing, date: '{{ custom_data.x }}'}\ndo: [event: {title: x, start: 2026-12-01}]\n", `f.yaml:3: milestone.date: "{{ custom_data.x }}" is an expression already, write it without braces`},
		{"a workflow milestone name in braces", workflow + "milestone: {name: '{{ custom_data.x }}', date: custom_data.x}\ndo: [event: {title: x, start: 2026-12-01}]\n", `f.yaml:3: milestone.name: "{{ custom_data.x }}" is neither an expression without braces (custom_data.milestone_title) nor a plain name`},
		{"a slip in a workflow milestone", workflow + "milestone:\n  name: customdata.title\n  date: custom_data.x\ndo: [event: {title: x, start: 2026-12-01}]\n", `f.yaml:4: milestone.name: unknown name "customdata"; did you mean "custom_data"?`},
		{"a slip in a workflow's field", workflow + "if: workflow.nam == 'x'\ndo: [event: {title: x, start: 2026-12-01}]\n", `f.yaml:3: if: unknown workflow field "nam"; did you mean "name"?`},
		{"a milestone of a workflow without one", workflow + "do:\n  - event: {title: '{{ milestone.name }}', start: 2026-12-01}\n", `f.yaml:4: event.title: milestone is not there with "workflow.received"; known are contact, custom_data, location, workflow`},
		{"Custom Data elsewhere", head + "if: custom_data.x == 1\ndo: [task: {title: x}]\n", `f.yaml:3: if: custom_data is not there with "task.changed"; known are contact, location, task`},

		{"a condition that is text", head + "if: task.title\ndo: [task: {title: x}]\n", "f.yaml:3: if: a condition must be true or false, this gives a text"},
		{"a slip in a condition", head + "if: task.titel == ''\ndo: [task: {title: x}]\n", `f.yaml:3: if: unknown task field "titel"; did you mean "title"?`},
		{"a slip in a block", head + "if: |\n  task.completed\n  and task.titel == ''\ndo: [task: {title: x}]\n", `f.yaml:5: if: unknown task field "titel"; did you mean "title"?`},
		{"a condition that is a list", head + "if: []\ndo: [task: {title: x}]\n", "f.yaml:3: if: must be an expression, this is a list"},
		{"half a condition", head + "if: task.completed and\ndo: [task: {title: x}]\n", "f.yaml:3: if: the expression ends too early; a value is missing behind \"and\""},

		{"no actions", head, "f.yaml:1: do: there is no action; known are event, task, note, contact, tags"},
		{"an empty list of actions", head + "do: []\n", "f.yaml:3: do: there is no action"},
		{"actions that are no list", head + "do:\n  task: {title: x}\n", "f.yaml:3: do: must be a list of actions (- event: …), this is a list of fields"},
		{"an unknown action", head + "do:\n  - tsak: {title: x}\n", `f.yaml:4: do: unknown action "tsak"; did you mean "task"?`},
		{"two actions in one entry", head + "do:\n  - task: {title: x}\n    tags: {add: x}\n", "f.yaml:4: do: must have one action in each entry, this has 2"},
		{"an action that is text", head + "do:\n  - task\n", `f.yaml:4: do: must be a list of fields (name: value); write task: {}`},

		{"no title", head + "do:\n  - task: {at: '10:00'}\n", "f.yaml:4: task.title: is required"},
		{"no start", head + "do:\n  - event: {title: x}\n", "f.yaml:4: event.start: is required"},
		{"no due date on a note", "name: A\non: note.changed\ndo:\n  - task: {title: x}\n", "f.yaml:4: task.due: is required with on: note.changed"},
		{"no text on a task", head + "do:\n  - note: {}\n", "f.yaml:4: note.text: is required with on: task.changed"},
		{"the other's field", head + "do:\n  - task:\n      title: x\n      start: 2026-12-01\n", `f.yaml:6: task: unknown field "start"; did you mean "due"?`},
		{"a slip in a template", head + "do:\n  - task:\n      title: 'T: {{ task.titel }}'\n", `f.yaml:5: task.title: unknown task field "titel"; did you mean "title"?`},
		{"a slip in a block template", head + "do:\n  - task:\n      title: x\n      description: |\n        Hello\n        {{ task.bdy }}\n", `f.yaml:8: task.description: unknown task field "bdy"; did you mean "body"?`},
		{"a title that is a list", head + "do:\n  - task: {title: [x]}\n", "f.yaml:4: task.title: must be text, this is a list"},
		{"no such hour", head + "do:\n  - task:\n      title: x\n      at: '25:00'\n", `f.yaml:6: task.at: "25:00" is not a time of day; expected one from 00:00 to 23:59`},
		{"a duration without unit", head + "do:\n  - task:\n      title: x\n      duration: 30\n", `f.yaml:6: task.duration: "30" is not a duration; did you mean 30m?`},
		{"no duration", head + "do:\n  - task:\n      title: x\n      duration: 0m\n", `f.yaml:6: task.duration: "0m" is out of range; expected at least 1m and at most two years`},
		{"a bad reminder", head + "do:\n  - task:\n      title: x\n      reminders:\n        - 1d\n        - soon\n", `f.yaml:8: task.reminders: "soon" is not a duration`},
		{"reminders in a mapping", head + "do:\n  - task: {title: x, reminders: {a: b}}\n", "f.yaml:4: task.reminders: must be a list, this is a list of fields"},
		{"an unknown invitee", head + "do:\n  - task: {title: x, invite: onwer}\n", `f.yaml:4: task.invite: unknown invitee "onwer"; did you mean "owner"? (or an e-mail address)`},
		{"an unknown attachment", head + "do:\n  - task: {title: x, attach: [notes, tag]}\n", `f.yaml:4: task.attach: unknown attachment "tag"; did you mean "tags"?`},
		{"an empty type", head + "do:\n  - task:\n      title: x\n      types:\n        vip:\n", "f.yaml:7: task.types.vip: is empty"},
		{"a tag twice", head + "do:\n  - task:\n      title: x\n      types:\n        vip: a\n        VIP: b\n", "f.yaml:8: task.types.VIP: is there twice (upper and lower case are the same)"},
		{"a note in CalendarHero from CalendarHero", meeting + "do:\n  - note: {text: x}\n", `f.yaml:4: do: "note" does not go with on: calendarhero.meeting_started; it goes with HighLevel's triggers but note.created and those of deleted records`},
		{"an event in CalendarHero from CalendarHero", meeting + "do:\n  - event: {title: x}\n", `f.yaml:4: do: "event" does not go with on: calendarhero.meeting_started; it goes with HighLevel's triggers`},
		{"tags of a contact that is not there yet", arrived + "do:\n  - tags: {add: x}\n", `f.yaml:4: do: "tags" does not go with on: calendarhero.new_contact_added; it goes with HighLevel's triggers but contact.deleted, and the triggers of meetings`},
		{"a task to complete without a meeting", head + "do:\n  - complete_task: {}\n", `f.yaml:4: do: "complete_task" does not go with on: task.changed; it goes with the triggers of meetings`},
		{"an upsert of a meeting", meeting + "do:\n  - upsert_contact: {}\n", `f.yaml:4: do: "upsert_contact" does not go with on: calendarhero.meeting_started; it goes with calendarhero.new_contact_added`},
		{"a milestone of a meeting", meeting + "if: milestone.name == 'x'\ndo: [complete_task: {}]\n", `f.yaml:3: if: milestone is not there with "calendarhero.meeting_started"; known are contact, location, meeting, task`},
		{"a slip in a meeting's field", meeting + "if: meeting.our\ndo: [complete_task: {}]\n", `f.yaml:3: if: unknown meeting field "our"; did you mean "ours"?`},
		{"a meeting elsewhere", head + "if: meeting.ours\ndo: [task: {title: x}]\n", `f.yaml:3: if: meeting is not there with "task.changed"; known are contact, location, task`},
		{"HighLevel's contact where there is none", arrived + "if: contact.email != nil\ndo: [upsert_contact: {}]\n", `f.yaml:3: if: contact is not there with "calendarhero.new_contact_added"; known are calendarhero_contact, location`},
		{"a HighLevel note without text", meeting + "do:\n  - highlevel_note: {}\n", "f.yaml:4: highlevel_note.text: is required"},
		{"a HighLevel task without due date", meeting + "do:\n  - highlevel_task: {title: x}\n", "f.yaml:4: highlevel_task.due: is required"},
		{"a HighLevel task without title", meeting + "do:\n  - highlevel_task: {due: 2026-12-01}\n", "f.yaml:4: highlevel_task.title: is required"},
		{"a field of complete_task", meeting + "do:\n  - complete_task:\n      task: x\n", `f.yaml:5: complete_task: unknown field "task"; there are none`},
		{"a slip in what a task moves to", meeting + "do:\n  - reschedule_task:\n      due: '{{ meeting.ends }}'\n", `f.yaml:5: reschedule_task.due: unknown meeting field "ends"; did you mean "end"?`},

		{"no fields to write", meeting + "do:\n  - update_contact: {}\n", "f.yaml:4: update_contact.fields: is required"},
		{"an empty list of fields to write", meeting + "do:\n  - update_contact: {fields: {}}\n", "f.yaml:4: update_contact.fields: is empty; expected { <field of the contact>: <text>, … }"},
		{"fields that are a list", meeting + "do:\n  - update_contact: {fields: [a]}\n", "f.yaml:4: update_contact.fields: must be a list of fields (name: value), this is a list"},
		{"tags among the fields", meeting + "do:\n  - update_contact:\n      fields:\n        city: x\n        tags: x\n", "f.yaml:7: update_contact.fields.tags: tags are written by an action of their own: tags: { add: […], remove: […] }"},
		{"a company to write", meeting + "do:\n  - update_contact: {fields: {company_name: x}}\n", "f.yaml:4: update_contact.fields.company_name: contact.company_name cannot be written; HighLevel sets it only when it makes the contact"},
		{"a field that nobody can write", meeting + "do:\n  - update_contact: {fields: {date_added: x}}\n", "f.yaml:4: update_contact.fields.date_added: contact.date_added cannot be written; expected a custom field or name, first_name, "},
		{"a field with contact. in front", meeting + "do:\n  - update_contact: {fields: {contact.city: x}}\n", `f.yaml:4: update_contact.fields.contact.city: "contact.city" is not the key of a field; expected one such as last_meeting, without "contact." in front`},
		{"a field without value", meeting + "do:\n  - update_contact:\n      fields:\n        city:\n", "f.yaml:6: update_contact.fields.city: is empty; a field cannot be cleared"},
		{"a slip in a field to write", meeting + "do:\n  - update_contact:\n      fields:\n        city: '{{ meting.type }}'\n", `f.yaml:6: update_contact.fields.city: unknown name "meting"; did you mean "meeting"?`},

		{"an unknown conflict rule", head + "conflict: newst\ndo: [task: {title: x}]\n", `f.yaml:3: conflict: unknown rule "newst"; did you mean "newest"?`},
		{"a conflict of one side", head + "do: [tags: {add: x}]\nconflict: newest\n", "f.yaml:4: conflict: goes with the actions contact, event and task only"},
		{"two ways in text", contact + "do:\n  - contact: {two_way: both}\n", `f.yaml:4: contact.two_way: must be true or false, this is the value "both"`},
		{"two ways of two fields", contact + "do:\n  - contact:\n      two_way: true\n      name: '{{ contact.first_name }} {{ contact.last_name }}'\n", "f.yaml:6: contact.name: with two_way it must be one field of the contact and nothing else, such as {{ contact.name }}"},
		{"two ways of an expression", contact + "do:\n  - contact:\n      two_way: true\n      emails: ['{{ lower(string(contact.email)) }}', '{{ contact.other }}']\n", "f.yaml:6: contact.emails: with two_way it must be one field of the contact and nothing else, such as {{ contact.email }}"},
		{"two ways of a plain text", contact + "do:\n  - contact: {two_way: true, organization: Lee Ltd}\n", "f.yaml:4: contact.organization: with two_way it must be one field of the contact and nothing else, such as {{ contact.company_name }}"},
		{"two ways of what cannot be written", contact + "do:\n  - contact: {two_way: true, job_title: '{{ contact.type }}'}\n", "f.yaml:4: contact.job_title: with two_way it must be a field that can be written back: contact.type cannot be written; expected a custom field or name, "},
		{"two ways of a company as a name", contact + "do:\n  - contact: {two_way: true, name: '{{ contact.company_name }}'}\n", "f.yaml:4: contact.name: with two_way it must be a field that can be written back: contact.company_name cannot be written; "},
		{"two ways of one field twice", contact + "do:\n  - contact: {two_way: true, job_title: '{{contact.name}}'}\n", "f.yaml:4: contact.job_title: with two_way no two may be the same field; contact.name is that of name already"},

		{"no tags", head + "do:\n  - tags: {}\n", "f.yaml:4: tags: there is nothing to add or remove; expected one of add, hashtags_of, keywords, remove"},
		{"keywords of nothing", head + "do:\n  - tags: {keywords: {a: b}}\n", "f.yaml:4: tags.keywords_of: is required with on: task.changed"},
		{"a text but no keywords", head + "do:\n  - tags: {add: x, keywords_of: y}\n", "f.yaml:4: tags.keywords_of: needs keywords: { word: tag }"},
		{"a list in a list", head + "do:\n  - tags: {add: [[x]]}\n", "f.yaml:4: tags.add: must be a list of texts, in it is a list"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, err := Load("f.yaml", []byte(tt.source))
			var all *LoadError
			if !errors.As(err, &all) || set != nil {
				t.Fatalf("got a set %v, error %v; want a LoadError", set, err)
			}
			if len(all.Mistakes) != 1 || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestAllMistakesOfAFileAreNamedAtOnce(t *testing.T) {
	_, err := Load("my.yaml", []byte(`
- name: One
  on: task.changed
  if: task.titel == ""
  do:
    - task: { title: "{{ x", at: "99:99", duration: long }
    - tasks: {}
- name: one
  on: nothing
`))
	want := `my.yaml:4: if: unknown task field "titel"; did you mean "title"?
my.yaml:6: task.at: "99:99" is not a time of day; expected one from 00:00 to 23:59
my.yaml:6: task.duration: "long" is not a duration; expected a form like 30m, 1h30m, 1d or 2w
my.yaml:6: task.title: there is a "{{" without its "}}"
my.yaml:7: do: unknown action "tasks"; did you mean "task"?
my.yaml:8: name: "one" is the name of the automation in line 2 already
my.yaml:9: on: unknown trigger "nothing"; known are contact.created, contact.changed, contact.deleted, contact.tagged, contact.dnd_changed, task.changed, task.completed, task.edited, task.deleted, note.created, note.changed, note.deleted, appointment.created, appointment.changed, appointment.deleted, opportunity.created, opportunity.changed, opportunity.deleted, opportunity.stage_changed, opportunity.status_changed, opportunity.value_changed, opportunity.assignee_changed, workflow.received, milestone.changed, milestone.approaching, calendarhero.new_meeting_request, calendarhero.meeting_request_success, calendarhero.meeting_request_expired, calendarhero.meeting_request_cancelled, calendarhero.meeting_rescheduled, calendarhero.meeting_started, calendarhero.meeting_completed, calendarhero.new_contact_added`
	if err == nil {
		t.Fatal("there was no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestATooLargeFileIsRejected(t *testing.T) {
	_, err := Load("f.yaml", []byte(strings.Repeat("# x\n", 1<<19)))
	if err == nil || err.Error() != "f.yaml:1: the file is larger than 1048576 bytes" {
		t.Errorf("got %v", err)
	}
}

func TestDurations(t *testing.T) {
	for text, minutes := range map[string]int{
		"30m": 30, "90m": 90, "1h30m": 90, "1h": 60, "1d": 24 * 60, "2w": 14 * 24 * 60, "1w1d1h1m": 8*24*60 + 61,
	} {
		if d, err := parseDuration(text); err != nil || int(d.Minutes()) != minutes {
			t.Errorf("%s = %v, error %v; want %d minutes", text, d, err, minutes)
		}
	}
	for _, text := range []string{"", "m", "1", "-1h", "1s", "1h ", "30m1h", "1.5h", "9999w", "999999d"} {
		if d, err := parseDuration(text); err == nil {
			t.Errorf("%q was read as %v", text, d)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(Recipes())
	f.Add([]byte("automations: [{name: A, on: contact.tagged, tag: x, do: [contact: , tags: {add: [a], keywords: {b: c}, keywords_of: d}]}]"))
	f.Add([]byte("{name: A, on: workflow.received, milestone: {name: custom_data.a, date: workflow.fields['B']}, if: workflow.tags == [], do: [event: {title: x, start: '{{ milestone.date }}'}]}"))
	f.Add([]byte("- &a {name: A, on: note.changed, do: [note: {text: |\n {{ note.body }}}]}\n- *a\n"))
	f.Add([]byte(everything))
	f.Add([]byte("{name: A, on: calendarhero.meeting_rescheduled, if: meeting.ours, do: [reschedule_task: , update_contact: {fields: {a: '{{ meeting.end }}'}}, highlevel_note: {text: x}]}"))
	f.Add([]byte("{name: A, on: contact.changed, conflict: highlevel, do: [contact: {two_way: true, emails: ['{{ contact.email }}']}]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := Load("f.yaml", data)
		if err != nil {
			var all *LoadError
			if !errors.As(err, &all) || len(all.Mistakes) == 0 || set != nil {
				t.Fatalf("got %v, error %v", set, err)
			}
			for _, m := range all.Mistakes {
				if m.Line < 1 || m.Line > 2+strings.Count(string(data), "\n")+strings.Count(string(data), "\r") || m.Message == "" {
					t.Errorf("the mistake %+v has no place", m)
				}
			}
			return
		}
		ids := map[string]bool{}
		for _, a := range set.Automations() {
			if a.ID == "" || a.Name == "" || ids[a.ID] || len(a.Actions()) == 0 {
				t.Errorf("%+v got through", a)
			}
			ids[a.ID] = true
		}
		for _, kind := range []Kind{KindContact, KindTask, KindNote, KindWorkflow, KindMeeting, KindCalendarContact} {
			set.Needs(kind)
			set.Plan(kind, meetingFacts())
		}
	})
}
