package mapping

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"milepost/internal/testenv"
)

var sameZone = cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })

func newYork() *time.Location {
	z, err := time.LoadLocation("America/New_York")
	if err != nil {
		panic(err)
	}
	return z
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// fullFacts are the facts of a contact that has everything.
func fullFacts() Facts {
	return Facts{
		Location: Location{ID: "loc1", Name: "Main Street Realty", Zone: newYork()},
		Contact: Contact{
			ID: "c1", Tags: []string{"VIP", "buyer", "vip"},
			Fields: map[string]any{
				"id": "c1", "first_name": "Ann", "last_name": "Lee", "name": "Ann Lee", "email": "Ann@Example.com",
				"phone": "+15550100", "company_name": "Lee Ltd", "date_of_birth": "1980-05-06T00:00:00.000Z",
			},
			Custom: map[string]CustomField{
				"milestone":      {Name: "Milestone", Type: "SINGLE_OPTIONS", Value: "Closing"},
				"milestone_date": {Name: "Milestone Date", Type: "DATE", Value: 1796083200000.0},
				"renewal_date":   {Name: "Renewal Date", Type: "DATE"},
				"closing_date":   {Name: "Closing Date", Type: "DATE", Value: "2026-12-01T15:00:00Z"},
				"stages":         {Name: "Stages", Type: "MULTIPLE_OPTIONS", Value: []any{"Offer", "Closing"}},
			},
		},
		Task: Task{ID: "t1", Title: "Call Ann", Body: "<p>About the <b>offer</b></p>", AssignedTo: "u1", Due: "2026-12-01T15:00:00Z"},
		Note: Note{ID: "n1", Body: "<p>Wants a #Garden &amp; #second-bath.</p><p>Closing on Friday</p>", DateAdded: at("2026-11-01T10:00:00Z")},
		Notes: []Note{
			{ID: "n1", Body: "oldest", DateAdded: at("2026-11-01T10:00:00Z")},
			{ID: "n4", Body: " ", DateAdded: at("2026-11-05T10:00:00Z")},
			{ID: "n3", Body: "<p>newest &amp; last</p>", DateAdded: at("2026-11-03T10:00:00Z")},
			{ID: "n2", Body: "newest & first", DateAdded: at("2026-11-03T10:00:00Z")},
		},
	}
}

func recipeSet(t testing.TB) *Set {
	t.Helper()
	s, err := Load("recipes.yaml", Recipes())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheRecipesHaveStableIDs(t *testing.T) {
	var got []string
	for _, a := range recipeSet(t).Automations() {
		got = append(got, fmt.Sprintf("%s %s %v", a.ID, a.On, a.State == StateOn))
	}
	want := []string{
		"contact-to-calendarhero-contact contact.changed true",
		"milestone-to-calendar-event milestone.changed true",
		"workflow-milestone-to-calendar-event workflow.received true",
		"task-to-calendar-task task.changed true",
		"note-to-calendar-note-with-tags note.changed true",
		"rescheduled-meeting-moves-the-task calendarhero.meeting_rescheduled true",
		"scheduled-meeting-to-highlevel-note calendarhero.meeting_request_success true",
		"moved-scheduled-meeting-to-highlevel-note calendarhero.meeting_rescheduled true",
		"cancelled-scheduled-meeting-to-highlevel-note calendarhero.meeting_request_cancelled true",
		"booked-meeting-to-highlevel-note calendarhero.meeting_request_success false",
		"cancelled-meeting-to-highlevel-note calendarhero.meeting_request_cancelled false",
		"expired-meeting-to-highlevel-note calendarhero.meeting_request_expired false",
		"completed-meeting-completes-the-task calendarhero.meeting_completed false",
		"new-calendarhero-contact-to-highlevel-contact calendarhero.new_contact_added false",
		"birthday-to-highlevel-task milestone.approaching false",
		"birthday-to-calendar-event milestone.changed false",
		"customer-anniversary-to-highlevel-task milestone.approaching false",
		"approaching-milestone-to-highlevel-task milestone.approaching false",
		"follow-up-tag-to-calendar-task milestone.changed false",
		"new-contact-to-highlevel-task contact.created false",
		"do-not-disturb-to-tag contact.dnd_changed false",
		"edited-task-to-highlevel-note task.edited false",
		"deleted-task-to-highlevel-note task.deleted false",
		"appointment-to-calendar-event appointment.changed false",
		"approaching-appointment-to-highlevel-task milestone.approaching false",
		"missed-appointment-to-highlevel-task milestone.changed false",
		"opportunity-stage-to-calendar-task milestone.changed false",
		"opportunity-stage-to-highlevel-note opportunity.stage_changed false",
		"won-opportunity-to-customer-tag opportunity.status_changed false",
		"approaching-workflow-milestone-to-highlevel-note milestone.approaching false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheRecipesOnAContact(t *testing.T) {
	want := Plan{Items: []Item{
		{
			Key: "contact-to-calendarhero-contact/1", Automation: "Contact to CalendarHero contact", Kind: ItemContact, Conflict: HighLevelWins,
			Contact: ContactItem{
				Name: "Ann Lee", Emails: []string{"ann@example.com"}, Phones: []string{"+15550100"}, Organization: "Lee Ltd",
				Back: map[string]string{"name": "name", "email": "email", "phone": "phone"},
			},
		},
		{
			Key: "milestone-to-calendar-event/1", Automation: "Milestone to calendar event", Kind: ItemEvent, Conflict: NewestWins,
			Title: "Closing: Ann Lee", Start: at("2026-12-01T14:00:00Z"), End: at("2026-12-01T14:30:00Z"), Zone: newYork(),
			DateOnly: true, Invite: Invite{Who: InviteOwner}, Reminders: []time.Duration{24 * time.Hour, time.Hour},
			Notes: []string{"newest & first", "newest & last", "oldest"}, Tags: []string{"buyer", "vip"},
		},
	}}
	if diff := cmp.Diff(want, recipeSet(t).Plan(KindContact, fullFacts()), sameZone); diff != "" {
		t.Error(diff)
	}
}

func TestTheRecipesOnAnEmptyContactWantNothingAndSayWhy(t *testing.T) {
	want := Plan{Skipped: []Skipped{
		{"Contact to CalendarHero contact", "the condition is not met", "contact.email is empty", false},
		{"Milestone to calendar event", "this location has no custom field contact.milestone_date", "", false},
	}}
	if diff := cmp.Diff(want, recipeSet(t).Plan(KindContact, Facts{}), sameZone); diff != "" {
		t.Error(diff)
	}
}

func TestTheRecipesOnATask(t *testing.T) {
	want := Plan{Items: []Item{{
		Key: "task-to-calendar-task/1", Automation: "Task to calendar task", Kind: ItemTask, Conflict: NewestWins,
		Title: "Call Ann (Ann Lee)", Description: "About the offer",
		Start: at("2026-12-01T14:45:00Z"), End: at("2026-12-01T15:00:00Z"), Zone: newYork(),
		Invite: Invite{Who: InviteOwner}, Reminders: []time.Duration{24 * time.Hour, time.Hour},
		Notes: []string{"newest & first", "newest & last", "oldest"}, Tags: []string{"buyer", "vip"},
	}}}
	if diff := cmp.Diff(want, recipeSet(t).Plan(KindTask, fullFacts()), sameZone); diff != "" {
		t.Error(diff)
	}
	for name, change := range map[string]struct {
		change func(*Facts)
		title  string
		reason string
	}{
		"of a contact without a name": {func(f *Facts) { f.Contact = Contact{} }, "Call Ann", ""},
		"that is completed":           {func(f *Facts) { f.Task.Completed = true }, "", "the condition is not met"},
		"without a due date":          {func(f *Facts) { f.Task.Due = "" }, "", "the task has no due date"},
		"without a title or contact":  {func(f *Facts) { f.Task.Title, f.Contact = "", Contact{} }, "", "the title is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			f := fullFacts()
			change.change(&f)
			p := recipeSet(t).Plan(KindTask, f)
			if change.title != "" && (len(p.Items) != 1 || p.Items[0].Title != change.title) {
				t.Errorf("got %+v, want the title %q", p, change.title)
			}
			if change.reason != "" && (len(p.Items) != 0 || len(p.Skipped) != 1 || p.Skipped[0].Reason != change.reason) {
				t.Errorf("got %+v, want the reason %q", p, change.reason)
			}
		})
	}
}

func TestTheRecipesOnANote(t *testing.T) {
	want := Plan{Items: []Item{
		{
			Key: "note-to-calendar-note-with-tags/2", Automation: "Note to calendar note with tags", Kind: ItemTags,
			AddTags: []string{"garden", "second-bath"},
		},
		{
			Key: "note-to-calendar-note-with-tags/1", Automation: "Note to calendar note with tags", Kind: ItemNote,
			Text: "Wants a #Garden & #second-bath.\nClosing on Friday",
		},
	}}
	if diff := cmp.Diff(want, recipeSet(t).Plan(KindNote, fullFacts())); diff != "" {
		t.Error(diff)
	}
	f := fullFacts()
	f.Note.Body = "<p><br></p>"
	want = Plan{Skipped: []Skipped{
		{"Note to calendar note with tags", "the text is empty", "", false},
		{"Note to calendar note with tags", "there are no tags in it", "", false},
	}}
	if diff := cmp.Diff(want, recipeSet(t).Plan(KindNote, f)); diff != "" {
		t.Error(diff)
	}
}

func TestTheRecipesNeed(t *testing.T) {
	s := recipeSet(t)
	for kind, want := range map[Kind]Needs{
		KindContact:   {Any: true, Contact: true, CustomFields: true, Notes: true},
		KindTask:      {Any: true, Contact: true, Notes: true},
		KindNote:      {Any: true},
		KindWorkflow:  {Any: true, Contact: true, Notes: true},
		KindMeeting:   {Any: true, Contact: true},
		"appointment": {},
	} {
		if diff := cmp.Diff(want, s.Needs(kind)); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
	}
}

func TestNeedsNamesOnlyWhatIsRead(t *testing.T) {
	const note = "- {name: N, on: note.changed, do: [note: {}]}\n"
	for name, tt := range map[string]struct {
		source string
		want   Needs
	}{
		"a task alone":                  {"- {name: A, on: task.changed, do: [task: {title: '{{ task.title }}'}]}", Needs{Any: true}},
		"switched off":                  {"- {name: A, enabled: false, on: task.changed, do: [task: {title: '{{ contact.name }}'}]}", Needs{}},
		"the contact in the title":      {"- {name: A, on: task.changed, do: [task: {title: '{{ contact.name }}'}]}", Needs{Any: true, Contact: true}},
		"the contact in the condition":  {"- {name: A, on: task.changed, if: 'contact.email != nil', do: [task: {title: x}]}", Needs{Any: true, Contact: true}},
		"a custom field":                {"- {name: A, on: task.changed, do: [task: {title: x, place: '{{ contact.room }}'}]}", Needs{Any: true, Contact: true, CustomFields: true}},
		"attached tags":                 {"- {name: A, on: task.changed, do: [task: {title: x, attach: [tags]}]}", Needs{Any: true, Contact: true}},
		"a type by tag":                 {"- {name: A, on: task.changed, do: [task: {title: x, types: {vip: call}}]}", Needs{Any: true, Contact: true}},
		"the contact invited":           {"- {name: A, on: task.changed, do: [task: {title: x, invite: contact}]}", Needs{Any: true, Contact: true}},
		"an address invited":            {"- {name: A, on: task.changed, do: [task: {title: x, invite: a@example.com}]}", Needs{Any: true}},
		"notes that nobody writes":      {"- {name: A, on: task.changed, do: [task: {title: x, attach: [notes]}]}", Needs{Any: true}},
		"notes":                         {note + "- {name: A, on: task.changed, do: [task: {title: x, attach: [notes]}]}", Needs{Any: true, Notes: true}},
		"notes that read the contact":   {"- {name: N, on: note.changed, if: 'contact.vip != nil', do: [note: {}]}\n- {name: A, on: task.changed, do: [task: {title: x, attach: [notes]}]}", Needs{Any: true, Contact: true, CustomFields: true, Notes: true}},
		"notes whose writer makes tags": {"- {name: N, on: note.changed, do: [tags: {add: x}]}\n- {name: A, on: task.changed, do: [task: {title: x, attach: [notes]}]}", Needs{Any: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, mustLoad(t, tt.source).Needs(KindTask)); diff != "" {
				t.Error(diff)
			}
		})
	}
	var none *Set
	if none.Needs(KindTask) != (Needs{}) || none.Plan(KindTask, Facts{}).Items != nil {
		t.Error("no set at all wants something")
	}
}

func TestTheWaysPeopleModelAMilestone(t *testing.T) {
	for name, tt := range map[string]struct {
		milestone string
		title     string // of the event, or
		reason    string // why there is none, or
		problem   string
	}{
		"A, two custom fields":           {"{ name: contact.milestone, date: contact.milestone_date }", "Closing on 2026-12-01", "", ""},
		"A, a name of several options":   {"{ name: contact.stages, date: contact.milestone_date }", "Offer, Closing on 2026-12-01", "", ""},
		"A, without a name":              {"{ name: contact.renewal_date, date: contact.milestone_date }", " on 2026-12-01", "", ""},
		"A, not in this location":        {"{ name: contact.step, date: contact.milestone_date }", "", "this location has no custom field contact.step", ""},
		"B, a date field":                {"{ date: contact.closing_date }", "Closing Date on 2026-12-01 10:00", "", ""},
		"B, cleared":                     {"{ date: contact.renewal_date }", "", "there is no date", ""},
		"B, not in this location":        {"{ date: contact.other_date }", "", "this location has no custom field contact.other_date", ""},
		"B, with a name of its own":      {"{ name: Keys, date: contact.closing_date }", "Keys on 2026-12-01 10:00", "", ""},
		"B, no date":                     {"{ date: contact.milestone }", "", "", `milestone.date: "Closing" is not a date: expected a form like 2026-12-01`},
		"E, the date of birth":           {"{ name: Birthday, date: contact.date_of_birth }", "Birthday on 1980-05-06", "", ""},
		"E, of somebody who gave none":   {"{ name: Joined, date: contact.date_added }", "", "there is no date", ""},
		"a name from a standard field":   {"{ name: contact.first_name, date: contact.closing_date }", "Ann on 2026-12-01 10:00", "", ""},
		"a name with blanks is a name":   {"{ name: contact day, date: contact.closing_date }", "contact day on 2026-12-01 10:00", "", ""},
		"a date that is a list, not one": {"{ date: contact.stages }", "", "", "milestone.date: "},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustLoad(t, "name: A\non: milestone.changed\nmilestone: "+tt.milestone+"\ndo: [event: { title: '{{ milestone.name }} on {{ milestone.date }}', start: '{{ milestone.date }}' }]")
			p := s.Plan(KindContact, fullFacts())
			got := fmt.Sprint(len(p.Items), len(p.Skipped), len(p.Problems))
			switch {
			case tt.title != "":
				if got != "1 0 0" || p.Items[0].Title != strings.TrimSpace(tt.title) {
					t.Errorf("got %+v, want the title %q", p, tt.title)
				}
			case tt.reason != "":
				if got != "0 1 0" || p.Skipped[0].Reason != tt.reason {
					t.Errorf("got %+v, want the reason %q", p, tt.reason)
				}
			default:
				if got != "0 0 1" || p.Problems[0].Key != "a/1" || !strings.HasPrefix(p.Problems[0].Field+": "+p.Problems[0].Message, tt.problem) {
					t.Errorf("got %+v, want the problem %q", p, tt.problem)
				}
			}
		})
	}
}

func TestTaggedIsWantedWhileTheContactHasTheTag(t *testing.T) {
	s := mustLoad(t, "{name: A, on: contact.tagged, tag: Vip, do: [contact: {}]}")
	f := fullFacts()
	if p := s.Plan(KindContact, f); len(p.Items) != 1 {
		t.Errorf("got %+v, want the contact", p)
	}
	f.Contact.Tags = []string{"buyer"}
	want := Plan{Skipped: []Skipped{{"A", `the contact does not have the tag "vip"`, `contact.tags is "buyer"`, false}}}
	if diff := cmp.Diff(want, s.Plan(KindContact, f)); diff != "" {
		t.Error(diff)
	}
}

func TestCompletedIsWantedWhileTheTaskIsCompleted(t *testing.T) {
	s := mustLoad(t, "{name: A, on: task.completed, do: [tags: {add: 'done {{ task.title }}'}]}")
	f := fullFacts()
	want := Plan{Skipped: []Skipped{{"A", "the task is not completed", "", false}}}
	if diff := cmp.Diff(want, s.Plan(KindTask, f)); diff != "" {
		t.Error(diff)
	}
	f.Task.Completed = true
	want = Plan{Items: []Item{{Key: "a/1", Automation: "A", Kind: ItemTags, AddTags: []string{"done call ann"}}}}
	if diff := cmp.Diff(want, s.Plan(KindTask, f)); diff != "" {
		t.Error(diff)
	}
}

// A due date has a time of day, which is four in the afternoon in Los Angeles
// when HighLevel writes midnight UTC.
func TestADueDateAtMidnightUTCIsAnInstant(t *testing.T) {
	s := mustLoad(t, "{name: A, on: task.changed, do: [task: {title: x, at: '12:00'}]}")
	for due, want := range map[string]string{
		"2026-12-02T00:00:00Z":     "2026-12-02T00:00:00Z false",
		"2026-12-02T00:00:00.000Z": "2026-12-02T00:00:00Z false",
		"1796169600000":            "2026-12-02T00:00:00Z false",
		"2026-12-02":               "2026-12-02T17:00:00Z true", // noon in New York
	} {
		f := fullFacts()
		f.Task.Due = due
		p := s.Plan(KindTask, f)
		if len(p.Items) != 1 {
			t.Fatalf("%s: got %+v", due, p)
		}
		if got := fmt.Sprint(p.Items[0].End.Format(time.RFC3339), " ", p.Items[0].DateOnly); got != want {
			t.Errorf("%s: ends at %s, want %s", due, got, want)
		}
	}
}

func TestWhatCannotBeComputedIsAProblemOfItsItemAlone(t *testing.T) {
	s := mustLoadStored(t, `
- { name: Bad start, on: contact.changed, do: [event: { title: x, start: "2026-02-30" }, tags: { add: ok }] }
- { name: Bad hole, on: contact.changed, do: [event: { title: "{{ contact.none + 1 }}", start: "2026-12-01" }] }
- { name: Bad if, on: contact.changed, if: contact.none > 1, do: [contact: {}, tags: { add: x }] }
- { name: Bad invitee, on: contact.changed, do: [event: { title: x, start: "2026-12-01", invite: "{{ contact.name }}" }] }
- { name: Bad e-mail, on: contact.changed, do: [contact: { emails: ["{{ contact.phone }}"] }] }
`)
	p := s.Plan(KindContact, fullFacts())
	var got []string
	for _, problem := range p.Problems {
		got = append(got, fmt.Sprintf("%s %s: %.60s", problem.Key, problem.Field, problem.Message))
	}
	want := []string{
		`bad-start/1 start: "2026-02-30" is not a date: there is no February 30 in 2026`,
		`bad-hole/1 title: invalid operation: <nil> + int (a field without a value is n`,
		`bad-if/1 if: invalid operation: <nil> > int (a field without a value is n`,
		`bad-if/2 if: invalid operation: <nil> > int (a field without a value is n`,
		`bad-invitee/1 invite: "ann lee" is not an e-mail address`,
		`bad-e-mail/1 emails: "+15550100" is not an e-mail address`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(p.Items) != 1 || p.Items[0].Key != "bad-start/2" {
		t.Errorf("got the items %+v, want the tags alone", p.Items)
	}
	f := fullFacts()
	f.Task.Due = "tomorrow"
	if p := recipeSet(t).Plan(KindTask, f); len(p.Problems) != 1 || p.Problems[0].Field != "due" || !strings.HasPrefix(p.Problems[0].Message, `"tomorrow" is not a date`) {
		t.Errorf("got %+v, want a problem with due", p)
	}
}

func TestWhoIsInvited(t *testing.T) {
	for _, tt := range []struct {
		invite, email string
		want          Invite
		reason        string
	}{
		{"owner", "", Invite{Who: InviteOwner}, ""},
		{"contact", " Ann@Example.com ", Invite{Who: InviteContact, Address: "ann@example.com"}, ""},
		{"contact", "", Invite{}, "the contact has no e-mail address"},
		{"Team@Example.com", "", Invite{Who: InviteAddress, Address: "team@example.com"}, ""},
		{"{{ contact.broker }}", "", Invite{}, "there is nobody to invite"},
		{`{{ contact.email != "" ? "contact" : "owner" }}`, "a@example.com", Invite{Who: InviteContact, Address: "a@example.com"}, ""},
		{`{{ contact.email != "" ? "contact" : "owner" }}`, "", Invite{Who: InviteOwner}, ""},
	} {
		s := mustLoad(t, "{name: A, on: contact.changed, do: [event: {title: x, start: 2026-12-01, invite: '"+tt.invite+"'}]}")
		p := s.Plan(KindContact, Facts{Contact: Contact{Fields: map[string]any{"email": tt.email}}})
		switch {
		case tt.reason == "" && (len(p.Items) != 1 || p.Items[0].Invite != tt.want):
			t.Errorf("%s with %q: got %+v, want %+v", tt.invite, tt.email, p, tt.want)
		case tt.reason != "" && (len(p.Skipped) != 1 || p.Skipped[0].Reason != tt.reason):
			t.Errorf("%s with %q: got %+v, want the reason %q", tt.invite, tt.email, p, tt.reason)
		}
	}
}

func TestTheFirstTagInTheTableChoosesTheMeetingType(t *testing.T) {
	s := mustLoad(t, "{name: A, on: contact.changed, do: [event: {title: x, start: 2026-12-01, type: '{{ contact.kind }}', types: {VIP: call, buyer: viewing}}]}")
	for want, tags := range map[string][]string{
		"viewing": {"vip", "Buyer"}, "call": {"seller", "VIP"}, "lunch": {"seller"},
	} {
		f := fullFacts()
		f.Contact.Tags = tags
		f.Contact.Custom = map[string]CustomField{"kind": {Value: "lunch"}}
		if p := s.Plan(KindContact, f); len(p.Items) != 1 || p.Items[0].Type != want {
			t.Errorf("%q: got %+v, want the type %q", tags, p, want)
		}
	}
}

func TestTagsComeFromListsHashtagsAndKeywords(t *testing.T) {
	s := mustLoad(t, `
name: A
on: note.changed
do:
  - tags:
      add: [" Noted ", "{{ contact.stages }}", "{{ contact.none }}"]
      hashtags_of: "{{ note.body }}"
      keywords: { closing: closing-scheduled, opening: never }
      remove: ["lead", "Lead"]
  - tags: { keywords: { friday: end-of-week } }
`)
	want := []Item{
		{Key: "a/1", Automation: "A", Kind: ItemTags, AddTags: []string{"closing", "closing-scheduled", "garden", "noted", "offer", "second-bath"}, RemoveTags: []string{"lead"}},
		{Key: "a/2", Automation: "A", Kind: ItemTags, AddTags: []string{"end-of-week"}},
	}
	if diff := cmp.Diff(want, s.Plan(KindNote, fullFacts()).Items); diff != "" {
		t.Error(diff)
	}
}

func TestItemsAreInApplyingOrder(t *testing.T) {
	s := mustLoad(t, `
- { name: B, on: task.changed, do: [task: { title: x }, event: { title: x, start: "{{ task.due }}" }, contact: {}] }
- { name: A, on: task.changed, do: [note: { text: x }, tags: { add: x }, contact: {}, task: { title: x }] }
`)
	var got []string
	for _, item := range s.Plan(KindTask, fullFacts()).Items {
		got = append(got, string(item.Kind)+" "+item.Key)
	}
	want := []string{"contact b/3", "contact a/3", "tags a/2", "note a/1", "event b/2", "task b/1", "task a/4"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestANoteThatSeveralAutomationsWriteIsAttachedOnceForEachText(t *testing.T) {
	s := mustLoad(t, `
- { name: N1, on: note.changed, do: [note: {}, event: { title: x, start: 2026-12-01, attach: notes }] }
- { name: N2, on: note.changed, do: [note: {}, note: { text: "2: {{ note.body }}" }] }
- { name: Off, enabled: false, on: note.changed, do: [note: { text: off }] }
- { name: If, on: note.changed, if: note.body contains "other", do: [note: { text: other }] }
- { name: T, on: task.changed, do: [task: { title: x, attach: [notes] }] }
`)
	f := fullFacts()
	f.Notes = f.Notes[:1]
	p := s.Plan(KindTask, f)
	if len(p.Items) != 1 {
		t.Fatalf("got %+v", p)
	}
	if diff := cmp.Diff([]string{"oldest", "2: oldest"}, p.Items[0].Notes); diff != "" {
		t.Error(diff)
	}
}

// everything has an automation for every trigger and action.
const everything = `
- { name: C, on: contact.changed, do: [contact: { job_title: "{{ contact.f0 }}" }, tags: { add: ["{{ contact.f1 }}"], remove: "{{ contact.tags }}" }] }
- { name: G, on: contact.tagged, tag: t1, if: contact.f0 != nil, do: [event: { title: "{{ contact.f0 }}", start: "{{ contact.f1 }}", attach: [notes, tags], types: { t0: a, t2: b } }] }
- { name: M, on: milestone.changed, milestone: { name: contact.f0, date: contact.f1 }, do: [event: { title: "{{ milestone.name }} {{ milestone.date }}", start: "{{ milestone.date }}", invite: contact, attach: [notes, tags] }] }
- { name: B, on: milestone.changed, milestone: { date: contact.f2 }, if: milestone.date != nil, do: [task: { title: "{{ milestone.name }}", due: "{{ milestone.date }} 10:00", description: "{{ contact.f3 + 1 }}" }] }
- { name: T, on: task.changed, do: [task: { title: "{{ task.title }} {{ contact.f0 }}", attach: [notes, tags] }] }
- { name: D, on: task.completed, do: [note: { text: "{{ task.body }}" }] }
- { name: N, on: note.changed, if: "not (note.title contains 'x')", do: [note: {}, tags: { hashtags_of: "{{ note.body }}", keywords: { the word: k } }] }
- { name: Q, on: calendarhero.meeting_request_success, if: meeting.title != "x", do: [highlevel_note: { text: "{{ meeting.title }} {{ meeting.start }} {{ task.title }}" }, tags: { add: "{{ meeting.emails }}" }, complete_task: {}] }
- { name: V, on: calendarhero.meeting_rescheduled, do: [reschedule_task: {}, highlevel_task: { title: "{{ meeting.title }}", due: "{{ contact.f1 }}" }, update_contact: { fields: { f0: "{{ meeting.start }}", email: "{{ meeting.title }}" } }] }
- { name: K, on: calendarhero.new_contact_added, do: [upsert_contact: { name: "{{ calendarhero_contact.last_name }}" }] }
`

// drawFacts draws facts with what HighLevel may really hand out, and worse.
func drawFacts(t *rapid.T) Facts {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"", "a@example.com", "2026-12-01", "2026-02-30", "2026-03-08 02:30", "Nov 30th 2026", "1796083200000",
		"<p>the <b>word</b> #tag &amp; #Tag2</p>", "<script>", "#x https://x/#y", "0", "\x00",
	}))
	value := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(text, func(s string) any { return s }), rapid.Map(rapid.Float64(), func(f float64) any { return f }),
		rapid.Just[any](1796083200000.0), rapid.Just[any](true), rapid.Just[any]([]any{"a", 1.0, nil, []any{}}), rapid.Just[any](map[string]any{"k": []any{"v"}}),
	)
	note := rapid.Custom(func(t *rapid.T) Note {
		return Note{
			ID: rapid.StringMatching(`n[0-9]`).Draw(t, "id"), Body: text.Draw(t, "body"), Title: text.Draw(t, "title"),
			DateAdded: time.Unix(rapid.Int64Range(-1e10, 1e11).Draw(t, "added"), 0),
		}
	})
	f := Facts{
		Location: Location{ID: "l", Zone: rapid.SampledFrom([]*time.Location{nil, time.UTC, newYork()}).Draw(t, "zone")},
		Contact: Contact{
			ID: "c", Tags: rapid.SliceOf(rapid.SampledFrom([]string{"t0", "T1", "t1", "t2 ", "", "x"})).Draw(t, "tags"),
			Fields: map[string]any{}, Custom: map[string]CustomField{},
		},
		Task:  Task{ID: "t", Title: text.Draw(t, "title"), Body: text.Draw(t, "body"), Due: text.Draw(t, "due"), Completed: rapid.Bool().Draw(t, "completed")},
		Note:  note.Draw(t, "note"),
		Notes: rapid.SliceOfN(note, 0, 4).Draw(t, "notes"),
		CalendarContact: CalendarContact{
			Name: text.Draw(t, "calendar name"), Emails: rapid.SliceOfN(text, 0, 2).Draw(t, "emails"), Phones: rapid.SliceOfN(text, 0, 2).Draw(t, "phones"),
		},
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "meetings") {
		start := time.Unix(rapid.Int64Range(-1e10, 1e11).Draw(t, "start"), 0)
		f.Meetings = append(f.Meetings, Meeting{
			ID: fmt.Sprint("m", i), Item: []string{"", "t/1"}[i], Title: text.Draw(t, "meeting"), Start: start, End: start.Add(time.Hour),
			Emails: rapid.SliceOfN(text, 0, 2).Draw(t, "invitees"), Happened: happened(rapid.SliceOf(rapid.SampledFrom(meetingTriggers)).Draw(t, "happened")...),
		})
	}
	for _, key := range []string{"name", "email", "phone", "date_of_birth"} {
		f.Contact.Fields[key] = value.Draw(t, key)
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "fields") {
		f.Contact.Custom[fmt.Sprintf("f%d", i)] = CustomField{
			Name: text.Draw(t, "name"), Type: rapid.SampledFrom([]string{"TEXT", "DATE"}).Draw(t, "type"), Value: value.Draw(t, "value"),
		}
	}
	return f
}

func TestEqualFactsGiveEqualPlansInWhateverOrderTheyCome(t *testing.T) {
	testenv.Long(t)
	sets := []*Set{mustLoad(t, everything), recipeSet(t)}
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFacts(rt)
		shuffled := f
		shuffled.Contact.Tags = slices.Clone(f.Contact.Tags)
		random := rand.New(rand.NewSource(rapid.Int64().Draw(rt, "seed")))
		random.Shuffle(len(shuffled.Contact.Tags), func(i, j int) {
			shuffled.Contact.Tags[i], shuffled.Contact.Tags[j] = shuffled.Contact.Tags[j], shuffled.Contact.Tags[i]
		})
		for _, s := range sets {
			for _, kind := range []Kind{KindContact, KindTask, KindNote, KindMeeting, KindCalendarContact} {
				p := s.Plan(kind, f)
				if diff := cmp.Diff(p, s.Plan(kind, f), sameZone); diff != "" {
					rt.Fatalf("the same facts: %s", diff)
				}
				if diff := cmp.Diff(p, s.Plan(kind, shuffled), sameZone); diff != "" {
					rt.Fatalf("the tags in another order: %s", diff)
				}
				sound(rt, p)
			}
		}
	})
}

// sound checks what holds for every plan.
func sound(t *rapid.T, p Plan) {
	keys := map[string]bool{}
	for _, item := range p.Items {
		if keys[item.Key] {
			t.Fatalf("the key %s is there twice", item.Key)
		}
		keys[item.Key] = true
		set := func(tags []string) bool { return slices.Equal(tags, tagSet(tags)) }
		switch {
		case !set(item.AddTags), !set(item.RemoveTags), !set(item.Tags):
			t.Fatalf("tags are not in order: %+v", item)
		case item.Kind == ItemTags && len(item.AddTags)+len(item.RemoveTags) == 0,
			(item.Kind == ItemNote || item.Kind == ItemHighLevelNote) && item.Text == "",
			item.Kind == ItemHighLevelTask && (item.Title == "" || item.Due.IsZero()),
			item.Kind == ItemRescheduleTask && item.Due.IsZero(),
			item.Kind == ItemUpdateContact && len(item.ContactFields) == 0,
			(item.Kind == ItemContact || item.Kind == ItemUpsertContact) && len(item.Contact.Emails) == 0:
			t.Fatalf("an empty item: %+v", item)
		case item.Kind.twoSided() != (item.Conflict != ""), strings.Contains(item.Key, "@") && item.Meeting == "":
			t.Fatalf("got %+v", item)
		case item.Kind == ItemEvent || item.Kind == ItemTask:
			if item.Title == "" || len([]rune(item.Title)) > 200 || strings.ContainsAny(item.Title, "\r\n") {
				t.Fatalf("the title %q", item.Title)
			}
			if !item.End.After(item.Start) || item.Start.Location() != time.UTC || item.Zone == nil || item.Invite.Who == "" {
				t.Fatalf("got %+v", item)
			}
			if item.Invite.Who != InviteOwner && item.Invite.Address == "" {
				t.Fatalf("nobody to invite: %+v", item)
			}
		}
	}
	for _, problem := range p.Problems {
		if keys[problem.Key] || problem.Key == "" || problem.Field == "" || problem.Message == "" {
			t.Fatalf("got %+v beside %v", problem, keys)
		}
	}
}

// Run with -race: workers share one Set and, within a test, the same facts.
func TestASetIsSafeForConcurrentUseAndOnlyReadsItsFacts(t *testing.T) {
	s := mustLoad(t, everything+`- { name: S, on: contact.changed, do: [tags: { add: "{{ reverse(sort(contact.tags)) }}" }, note: { text: "{{ sort(contact.interests) }}" }] }`)
	f := fullFacts()
	f.Contact.Custom["interests"] = CustomField{Value: []any{"Golf", "Boats"}}
	want := s.Plan(KindContact, f)
	done := make(chan Plan)
	for range 8 {
		go func() { done <- s.Plan(KindContact, f) }()
	}
	for range 8 {
		if diff := cmp.Diff(want, <-done, sameZone); diff != "" {
			t.Error(diff)
		}
	}
	untouched := fullFacts()
	untouched.Contact.Custom["interests"] = CustomField{Value: []any{"Golf", "Boats"}}
	if diff := cmp.Diff(untouched, f, sameZone); diff != "" {
		t.Errorf("the facts were changed: %s", diff)
	}
}
