package mapping

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// happened gives the events of a meeting.
func happened(events ...Trigger) map[Trigger]time.Time {
	all := map[Trigger]time.Time{}
	for _, e := range events {
		all[e] = at("2026-11-20T10:00:00Z")
	}
	return all
}

// meetingFacts are fullFacts with a meeting for the task that was moved.
func meetingFacts() Facts {
	f := fullFacts()
	f.Meetings = []Meeting{{
		ID: "m1", Item: "task-to-calendar-task/1", Title: "Call Ann", State: MeetingRescheduled, Type: "call",
		Start: at("2026-12-03T14:45:00Z"), End: at("2026-12-03T15:00:00Z"), Emails: []string{"owner@example.com"},
		Happened: happened(NewMeetingRequest, MeetingRequestSuccess, MeetingMoved),
	}}
	return f
}

// foreignFacts are for a meeting that was booked through a scheduling link.
func foreignFacts() Facts {
	f := meetingFacts()
	f.Task, f.Note, f.Notes = Task{}, Note{}, nil
	f.Meetings[0].Item = ""
	return f
}

func TestAMeetingAsksForWhatIsInHighLevelUnderTheKeyOfItsItem(t *testing.T) {
	s := mustLoad(t, `
- name: Moved
  on: calendarhero.meeting_rescheduled
  if: meeting.ours and task.id != "" and meeting.automation == "task-to-calendar-task"
  do:
    - highlevel_note: { text: "{{ meeting.title }} ({{ meeting.type }}) {{ meeting.state }} to {{ meeting.start }}, was {{ task.due }}\n" }
    - complete_task: {}
    - reschedule_task: {}
    - tags: { add: Moved, remove: "{{ meeting.type }}" }
    - highlevel_task: { title: "Confirm with {{ contact.first_name }}", body: "{{ join(meeting.emails, ' ') }}", due: 2026-12-02, at: "12:00", assigned_to: "{{ task.assigned_to }}" }
    - update_contact: { fields: { source: "{{ location.name }}", city: "{{ contact.none }}", milestone_date: "{{ meeting.start }}" } }
- { name: Over, on: calendarhero.meeting_completed, do: [complete_task: {}] }
- { name: "Off", enabled: false, on: calendarhero.meeting_rescheduled, do: [complete_task: {}] }
`)
	item := func(n int, kind ItemKind, set func(*Item)) Item {
		i := Item{Key: fmt.Sprintf("moved/%d@task-to-calendar-task/1", n), Automation: "Moved", Kind: kind, Meeting: "m1"}
		if set != nil {
			set(&i)
		}
		return i
	}
	want := Plan{Items: []Item{
		item(4, ItemTags, func(i *Item) { i.AddTags, i.RemoveTags = []string{"moved"}, []string{"call"} }),
		item(6, ItemUpdateContact, func(i *Item) {
			i.ContactFields = map[string]string{"source": "Main Street Realty", "milestone_date": "2026-12-03"}
		}),
		item(3, ItemRescheduleTask, func(i *Item) { i.Due = at("2026-12-03T15:00:00Z") }),
		item(2, ItemCompleteTask, nil),
		item(5, ItemHighLevelTask, func(i *Item) {
			i.Title, i.Text, i.AssignedTo, i.Due = "Confirm with Ann", "owner@example.com", "u1", at("2026-12-02T17:00:00Z")
		}),
		item(1, ItemHighLevelNote, func(i *Item) {
			i.Text = "Call Ann (call) rescheduled to 2026-12-03 09:45, was 2026-12-01 10:00"
		}),
	}}
	if diff := cmp.Diff(want, s.Plan(KindTask, meetingFacts()), sameZone); diff != "" {
		t.Error(diff)
	}
}

func TestAMeetingThatMilepostDidNotMakeHasItsOwnKeys(t *testing.T) {
	s := mustLoad(t, `
- { name: Booked, on: calendarhero.meeting_request_success, if: not meeting.ours and meeting.automation == "", do: [highlevel_note: { text: "Booked: {{ meeting.title }} {{ task.title }}{{ task.due }}" }] }
- { name: T, on: task.changed, do: [task: { title: x }] }
- { name: C, on: contact.changed, do: [tags: { add: x }] }
`)
	want := Plan{Items: []Item{{Key: "booked/1", Automation: "Booked", Kind: ItemHighLevelNote, Meeting: "m1", Text: "Booked: Call Ann"}}}
	if diff := cmp.Diff(want, s.Plan(KindMeeting, foreignFacts())); diff != "" {
		t.Error(diff)
	}
}

func TestAMeetingsItemsAreAddedToItsRecordsItems(t *testing.T) {
	s := mustLoad(t, `
- { name: T, on: task.changed, conflict: calendarhero, do: [task: { title: x }, highlevel_note: { text: "seen" }] }
- { name: B, on: calendarhero.meeting_request_success, do: [tags: { add: booked }] }
`)
	f := meetingFacts()
	second := f.Meetings[0]
	second.ID, second.Item = "m2", "t/1"
	f.Meetings = append(f.Meetings, second)
	var got []string
	for _, item := range s.Plan(KindTask, f).Items {
		got = append(got, fmt.Sprint(item.Key, " ", item.Kind, " ", item.Meeting, item.Conflict))
	}
	want := []string{"b/1@task-to-calendar-task/1 tags m1", "b/1@t/1 tags m2", "t/1 task calendarhero", "t/2 highlevel_note "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhyAMeetingAsksForNothing(t *testing.T) {
	s := mustLoad(t, "{ name: A, on: calendarhero.meeting_rescheduled, if: meeting.end != nil, do: [reschedule_task: {}, complete_task: {}] }")
	for name, tt := range map[string]struct {
		kind   Kind
		change func(*Facts)
		want   []Skipped
	}{
		"it did not have the event":      {KindTask, func(f *Facts) { f.Meetings[0].Happened = happened(MeetingOver) }, nil},
		"there is none":                  {KindTask, func(f *Facts) { f.Meetings = nil }, nil},
		"its record has no contact":      {KindTask, func(f *Facts) { f.Contact = Contact{} }, []Skipped{{"A", "what the meeting was made for has no contact in HighLevel", "", true}}},
		"no contact has the address":     {KindMeeting, func(f *Facts) { f.Contact, f.Meetings[0].Item = Contact{}, "" }, []Skipped{{"A", "no contact in HighLevel has the e-mail address of an invitee", "", true}}},
		"it was not made for a task":     {KindContact, func(f *Facts) { f.Task = Task{} }, []Skipped{{"A", "the meeting was not made for a task", "", true}}},
		"its times are not known":        {KindTask, func(f *Facts) { f.Meetings[0].End = time.Time{} }, []Skipped{{"A", "the condition is not met", "meeting.end is empty", true}}},
		"its task was written by us too": {KindTask, func(f *Facts) { f.Task.Written = true }, []Skipped{{"A", "it was written by Milepost itself", "", true}}},
	} {
		t.Run(name, func(t *testing.T) {
			f := meetingFacts()
			tt.change(&f)
			p := s.Plan(tt.kind, f)
			if diff := cmp.Diff(Plan{Skipped: tt.want}, p); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAFieldThatCannotBeWrittenIsAProblem(t *testing.T) {
	for fields, want := range map[string]string{
		"{ email: '{{ meeting.title }}' }":                   `fields.email: "call ann" is not an e-mail address`,
		"{ email: ' Ann@Example.com ' }":                     `map[email:ann@example.com]`,
		"{ milestone_date: '{{ meeting.title }}' }":          `fields.milestone_date: "Call Ann" is not a date`,
		"{ milestone_date: '{{ contact.none }}' }":           `there is nothing to write`,
		"{ date_of_birth: 'May 6 1980' }":                    `map[date_of_birth:1980-05-06]`,
		"{ other: x }":                                       `this location has no custom field contact.other`,
		"{ milestone: \"one\\n two \\n\", city: ' ' }":       "map[milestone:one\n two]",
		"{ stages: '{{ contact.stages }}', name: 'A  Lee' }": `map[name:A  Lee stages:Offer, Closing]`,
	} {
		s := mustLoad(t, "name: A\non: calendarhero.meeting_rescheduled\ndo: [update_contact: { fields: "+fields+" }]")
		p := s.Plan(KindMeeting, foreignFacts())
		var got string
		switch {
		case len(p.Items) == 1:
			got = fmt.Sprint(p.Items[0].ContactFields)
		case len(p.Skipped) == 1:
			got = p.Skipped[0].Reason
		case len(p.Problems) == 1:
			got = p.Problems[0].Field + ": " + p.Problems[0].Message
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q of %+v, want %q", fields, got, p, want)
		}
	}
}

func TestTheRecipesOnMeetings(t *testing.T) {
	s := recipeSet(t)
	f := meetingFacts()
	f.Task.Completed = true // so that its own recipe wants nothing
	want := []Item{{
		Key: "rescheduled-meeting-moves-the-task/1@task-to-calendar-task/1", Automation: "Rescheduled meeting moves the task",
		Kind: ItemRescheduleTask, Meeting: "m1", Due: at("2026-12-03T15:00:00Z"),
	}}
	if diff := cmp.Diff(want, s.Plan(KindTask, f).Items); diff != "" {
		t.Error(diff)
	}
	for name, tt := range map[string]struct {
		state  MeetingState
		events []Trigger
		want   string // the text of the one note
	}{
		"asked for": {MeetingPending, []Trigger{NewMeetingRequest}, ""},
		"booked":    {MeetingBooked, []Trigger{NewMeetingRequest, MeetingRequestSuccess}, "Meeting booked: Call Ann, 2026-12-03 09:45 (America/New_York)"},
		"moved":     {MeetingRescheduled, []Trigger{NewMeetingRequest, MeetingRequestSuccess, MeetingMoved}, "Meeting moved: Call Ann, now 2026-12-03 09:45 (America/New_York)"},
		"cancelled": {MeetingCancelled, []Trigger{NewMeetingRequest, MeetingRequestSuccess, MeetingRequestCancelled}, "Meeting cancelled: Call Ann, 2026-12-03 09:45 (America/New_York)"},
		"over":      {MeetingCompleted, []Trigger{NewMeetingRequest, MeetingRequestSuccess, MeetingStarted, MeetingOver}, ""},
		"expired":   {MeetingExpired, []Trigger{NewMeetingRequest, MeetingRequestExpired}, ""},
	} {
		f := foreignFacts()
		f.Meetings[0].State, f.Meetings[0].Happened = tt.state, happened(tt.events...)
		p := s.Plan(KindMeeting, f)
		var got []string
		for _, item := range p.Items {
			got = append(got, item.Text)
		}
		if strings.Join(got, "|") != tt.want || len(p.Problems) != 0 {
			t.Errorf("%s: got %+v, want the note %q", name, p, tt.want)
		}
		f.Meetings[0].Item = "milestone-to-calendar-event/1"
		f.Contact.Custom = nil
		if p := s.Plan(KindContact, f); len(p.Problems) != 0 || slices.ContainsFunc(p.Items, func(i Item) bool { return i.Meeting != "" }) {
			t.Errorf("%s, and made by Milepost: got %+v, want nothing", name, p)
		}
	}
}

// Each of them must work when a person switches it on.
func TestTheRecipesThatAreSwitchedOffWorkToo(t *testing.T) {
	s, err := Load("recipes.yaml", []byte(strings.ReplaceAll(string(Recipes()), "enabled: false", "enabled: true")))
	if err != nil {
		t.Fatal(err)
	}
	for event, want := range map[Trigger][]ItemKind{
		MeetingRequestSuccess: {ItemHighLevelNote}, MeetingRequestCancelled: {ItemHighLevelNote},
		MeetingRequestExpired: {ItemHighLevelNote}, MeetingOver: {ItemCompleteTask},
	} {
		f := meetingFacts()
		f.Meetings[0].State, f.Meetings[0].Happened = MeetingBooked, happened(event)
		var got []ItemKind
		for _, item := range s.Plan(KindTask, f).Items {
			if item.Meeting != "" {
				got = append(got, item.Kind)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", event, diff)
		}
	}
	p := s.Plan(KindCalendarContact, Facts{CalendarContact: CalendarContact{Name: "Ann Lee", Emails: []string{"a@example.com"}}})
	if len(p.Items) != 1 || p.Items[0].Contact.Name != "Ann Lee" {
		t.Errorf("of a new contact %+v", p)
	}
}

func TestANewCalendarHeroContact(t *testing.T) {
	s := mustLoad(t, `
- { name: All, on: calendarhero.new_contact_added, if: calendarhero_contact.email != "", do: [upsert_contact: {}] }
- { name: Own, on: calendarhero.new_contact_added, do: [upsert_contact: { name: "{{ calendarhero_contact.last_name }}, {{ calendarhero_contact.first_name }}", phones: [], organization: "{{ calendarhero_contact.job_title }}" }] }
`)
	f := Facts{CalendarContact: CalendarContact{
		ID: "k1", Name: "Ann Maria Lee", Emails: []string{"Ann@Example.com", "a@example.com"}, Phones: []string{"+15550100"}, Organization: "Lee Ltd", JobTitle: "Broker",
	}}
	emails := []string{"ann@example.com", "a@example.com"}
	want := Plan{Items: []Item{
		{Key: "all/1", Automation: "All", Kind: ItemUpsertContact, Contact: ContactItem{Name: "Ann Maria Lee", Emails: emails, Phones: []string{"+15550100"}, Organization: "Lee Ltd"}},
		{Key: "own/1", Automation: "Own", Kind: ItemUpsertContact, Contact: ContactItem{Name: "Maria Lee, Ann", Emails: emails, Organization: "Broker"}},
	}}
	if diff := cmp.Diff(want, s.Plan(KindCalendarContact, f)); diff != "" {
		t.Error(diff)
	}
	if got := s.Needs(KindCalendarContact); got != (Needs{Any: true}) {
		t.Errorf("it needs %+v", got)
	}
	want = Plan{Skipped: []Skipped{{"All", "the condition is not met", "calendarhero_contact.email is empty", false}, {"Own", "the contact has no e-mail address", "", false}}}
	if diff := cmp.Diff(want, s.Plan(KindCalendarContact, Facts{})); diff != "" {
		t.Error(diff)
	}
}

func TestMeetingsNeed(t *testing.T) {
	for name, tt := range map[string]struct {
		source string
		want   Needs
	}{
		"nothing at all":        {"{name: A, on: task.changed, do: [task: {title: x}]}", Needs{}},
		"switched off":          {"{name: A, enabled: false, on: calendarhero.meeting_started, do: [complete_task: {}]}", Needs{}},
		"a contact to write to": {"{name: A, on: calendarhero.meeting_started, do: [complete_task: {}]}", Needs{Any: true, Contact: true}},
		"a custom field":        {"{name: A, on: calendarhero.meeting_started, if: contact.x != nil, do: [complete_task: {}]}", Needs{Any: true, Contact: true, CustomFields: true}},
		"a custom field's type": {"{name: A, on: calendarhero.meeting_started, do: [update_contact: {fields: {x: y}}]}", Needs{Any: true, Contact: true, CustomFields: true}},
		"no custom field":       {"{name: A, on: calendarhero.meeting_started, do: [update_contact: {fields: {city: y}}]}", Needs{Any: true, Contact: true}},
	} {
		s := mustLoad(t, tt.source)
		if got := s.NeedsOfMeetings(); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
		if got := s.Needs(KindMeeting); got != tt.want {
			t.Errorf("%s: of a meeting %+v, want %+v", name, got, tt.want)
		}
		if name != "nothing at all" && s.Needs(KindTask) != (Needs{}) {
			t.Errorf("%s: a task needs %+v", name, s.Needs(KindTask))
		}
	}
	var none *Set
	if none.NeedsOfMeetings() != (Needs{}) {
		t.Error("no set at all needs something")
	}
	if got := (Needs{Any: true, Notes: true}).And(Needs{Contact: true, CustomFields: true}); got != (Needs{Any: true, Contact: true, CustomFields: true, Notes: true}) {
		t.Errorf("together they need %+v", got)
	}
}

func TestATextThatMilepostWroteIsRecognisedByItsEnd(t *testing.T) {
	for body, want := range map[string]bool{
		"Booked\n\n[ref: mp-abcdefg2]":                        true,
		"[ref: mp-abcdefg2]":                                  true,
		"Booked\r\n[ref: mp-abcdefg2] \r\n\r\n":               true,
		"<p>Booked</p><p>[ref: mp-abcdefg2]</p>":              true,
		"<p>Booked<br>[ref:&nbsp;mp-abcdefg2]<br></p>":        true,
		"<div>Booked</div>\n<div>[ref: mp-abcdefg2]</div>\n ": true,
		"":                                        false,
		"Booked":                                  false,
		"Hello <title>\n\n[ref: mp-abcdefg2]":     true,
		"<style> <!-- \n\n[ref: mp-abcdefg2]":     true,
		"Booked [ref: mp-abcdefg2]":               true,
		"Booked\n[ref: mp-abcdefg2]\nand more":    false,
		"Booked\n[ref: mp-abcdefg]":               false,
		"Booked\n[ref: mp-abcdefg1]":              false,
		"Booked\n[ref: mp-ABCDEFG2]":              false,
		"Booked\n[ref: xx-abcdefg2]":              false,
		"<p>Booked <b>[ref: mp-abcdefg2]</b></p>": true,
		"Booked\n[ref: mp-abcdefg2-23ab]":         true,
		"Booked\n[ref: mp-abcdefg2-23a]":          false,
		"Booked\n[ref: mp-abcdefg2-23abc]":        false,
	} {
		if got, _ := WrittenMarker(body); got != map[bool]string{true: "mp-abcdefg2"}[want] {
			t.Errorf("WrittenMarker(%q) = %q, want one: %v", body, got, want)
		}
	}
	if _, check := WrittenMarker("<p>Booked</p><p>[ref:&nbsp;mp-abcdefg2-23ab]</p>"); check != "23ab" {
		t.Errorf("the check is %q", check)
	}
}

func TestATextThatMilepostWrotePlansNothing(t *testing.T) {
	s := recipeSet(t)
	f := fullFacts()
	f.Task.Written, f.Note.Written = true, true
	for kind, name := range map[Kind]string{KindTask: "Task to calendar task", KindNote: "Note to calendar note with tags"} {
		want := Plan{Skipped: []Skipped{{name, "it was written by Milepost itself", "", false}}}
		if diff := cmp.Diff(want, s.Plan(kind, f)); diff != "" {
			t.Error(diff)
		}
	}
	f = fullFacts()
	f.Notes[0].Written = true
	p := s.Plan(KindTask, f)
	if len(p.Items) != 1 {
		t.Fatalf("got %+v", p)
	}
	if diff := cmp.Diff([]string{"newest & first", "newest & last"}, p.Items[0].Notes); diff != "" {
		t.Errorf("attached: %s", diff)
	}
}

func TestAContactSyncedBothWaysHasItsWayBack(t *testing.T) {
	for fields, want := range map[string]map[string]string{
		"":               nil,
		"two_way: false": nil,
		"two_way: true":  {"name": "name", "email": "email", "phone": "phone"},
		"two_way: true, phones: ['{{ contact.mobile }}', '{{ contact.phone }} x'], job_title: '{{contact.role }}'": {"name": "name", "email": "email", "phone": "mobile", "job_title": "role"},
		"two_way: true, name: '', phones: [], organization: ' {{ contact.firm }} '":                                {"email": "email", "organization": "firm"},
	} {
		s := mustLoad(t, "{name: A, on: contact.changed, conflict: highlevel, do: [contact: {"+fields+"}]}")
		p := s.Plan(KindContact, fullFacts())
		if len(p.Items) != 1 || p.Items[0].Conflict != HighLevelWins {
			t.Fatalf("%s: got %+v", fields, p)
		}
		if diff := cmp.Diff(want, p.Items[0].Contact.Back); diff != "" {
			t.Errorf("%s: %s", fields, diff)
		}
		if p.Items[0].Contact.Back != nil {
			p.Items[0].Contact.Back["name"] = "changed"
			if again := s.Plan(KindContact, fullFacts()); again.Items[0].Contact.Back["name"] == "changed" {
				t.Errorf("%s: the set was changed through its plan", fields)
			}
		}
	}
}

func TestEveryTriggerLooksAtItsKindOfRecords(t *testing.T) {
	for _, trigger := range triggers {
		want := map[string]Kind{"task": KindTask, "note": KindNote, "workflow": KindWorkflow, "appointment": KindAppointment, "opportunity": KindOpportunity, "calendarhero": KindMeeting}[string(trigger[:strings.IndexByte(string(trigger), '.')])]
		switch {
		case trigger == NewContactAdded:
			want = KindCalendarContact
		case want == "":
			want = KindContact
		}
		if trigger.Kind() != want {
			t.Errorf("%s looks at %s, want %s", trigger, trigger.Kind(), want)
		}
	}
	var named []string
	for name, kind := range actionTypes {
		named = append(named, name)
		if len(kind.on.triggers) == 0 {
			t.Errorf("%s goes with nothing", name)
		}
	}
	slices.Sort(named)
	if diff := cmp.Diff(named, slices.Sorted(slices.Values(actionNames))); diff != "" {
		t.Error(diff)
	}
}
