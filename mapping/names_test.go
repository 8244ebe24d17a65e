package mapping

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"milepost/internal/catalog"
)

func TestNamesThatAreWrongInEveryLocationAreErrors(t *testing.T) {
	const contact = "name: A\non: contact.changed\nif: %s\ndo: [contact: {}]\n"
	const meeting = "name: A\non: calendarhero.meeting_started\nif: %s\ndo: [highlevel_note: {text: x}]\n"
	for _, c := range []struct{ source, condition, want string }{
		{contact, `'"VIP" in contact.tags'`, `f.yaml:3: if: no tag is written "VIP", since HighLevel's are in lower case; did you mean "vip"?`},
		{contact, `'"Hot Lead" not in contact.tags'`, `f.yaml:3: if: no tag is written "Hot Lead", since HighLevel's are in lower case; did you mean "hot lead"?`},
		{contact, `contact.dnd and any(contact.tags, {# == "VIP"})`, `f.yaml:3: if: no tag is written "VIP", since HighLevel's are in lower case; did you mean "vip"?`},
		{contact, `'any(contact.tags, # in ["buyer", "VIP"])'`, `f.yaml:3: if: no tag is written "VIP", since HighLevel's are in lower case; did you mean "vip"?`},
		{contact, `any(contact.tags, # startsWith "buy")`, `f.yaml:3: if: YAML reads what follows a # after a blank as a comment; put all of it in quotes: if: 'any(contact.tags, # startsWith "buy")'`},
		{contact, `'any(contact.tags, # startsWith "Buy")'`, `f.yaml:3: if: no tag is written "Buy", since HighLevel's are in lower case; did you mean "buy"?`},
		{contact, `contact.tags == ["VIP"]`, `f.yaml:3: if: no tag is written "VIP", since HighLevel's are in lower case; did you mean "vip"?`},
		{contact, "|\n  contact.dnd\n  and 'VIP' in contact.tags", `f.yaml:5: if: no tag is written "VIP", since HighLevel's are in lower case; did you mean "vip"?`},
		{contact, `task.title == "x"`, `f.yaml:3: if: task is not there with "contact.changed"; known are contact, location`},
		{contact, `opportunity.name == "x"`, `f.yaml:3: if: opportunity is not there with "contact.changed"; known are contact, location`},
		{meeting, `meeting.state == "bookd"`, `f.yaml:3: if: unknown state of a meeting "bookd"; did you mean "booked"?`},
		{meeting, `meeting.state in ["booked", "canceled"]`, `f.yaml:3: if: unknown state of a meeting "canceled"; did you mean "cancelled"?`},
	} {
		t.Run(c.condition, func(t *testing.T) {
			_, err := Load("f.yaml", []byte(strings.Replace(c.source, "%s", c.condition, 1)))
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
	for _, right := range []string{`'"vip" in contact.tags'`, `"'Éa' != contact.city"`, `any(contact.tags, upper(#) == "VIP")`, `contact.city in ["Boston"]`} {
		mustLoad(t, strings.Replace(contact, "%s", right, 1))
	}
}

func TestNamesThatALocationDoesNotHaveAreFoundWithTheNearest(t *testing.T) {
	s := mustLoad(t, `
- name: A
  on: milestone.changed
  milestone: { name: contact.milestone, date: contact.closing_datee }
  if: contact.tagss != nil and contact["first name"] != "x"
  do:
    - event:
        title: |
          Closing
          {{ contact.full_name }} {{ contact.milestone }}
        start: "{{ milestone.date }}"
        type: Shwoing
        types: { vip: showing, cold: Call }
    - highlevel_task: { title: x, due: "{{ milestone.date }}", assigned_to: Dana Reyes }
- name: B
  on: calendarhero.meeting_completed
  if: meeting.automation != "aa" and meeting.type != "Showin" and contact.assigned_to in ["u1", "u22222222"]
  do:
    - update_contact: { fields: { last_meetin: x, city: y } }
- name: Off
  enabled: false
  on: contact.changed
  if: contact.nothing == "x"
  do: [contact: {}]
`)
	known := Known{
		ContactFields: []CustomDefinition{{Key: "milestone"}, {Key: "closing_date"}, {Key: "last_meeting"}}, MeetingTypes: []string{"Showing", "Call"},
		Users: []User{{"u1", "Dana Reyes", "dana@example.com"}, {"u22222221", "Lee", "lee@example.com"}},
	}
	var got []string
	for _, m := range s.Unknown("f.yaml", known) {
		got = append(got, m.String())
	}
	want := []string{
		"f.yaml:4: milestone.date: the location has no field contact.closing_datee; did you mean contact.closing_date?",
		"f.yaml:5: if: the location has no field contact.tagss; did you mean contact.tags?",
		"f.yaml:5: if: the location has no field contact.first name; did you mean contact.first_name?",
		"f.yaml:10: event.title: the location has no field contact.full_name; did you mean contact.name?",
		`f.yaml:12: event.type: the CalendarHero account: unknown meeting type "Shwoing"; did you mean "Showing"?`,
		`f.yaml:13: event.types: the CalendarHero account: unknown meeting type "showing"; did you mean "Showing"?`,
		`f.yaml:14: highlevel_task.assigned_to: the location has no user with this id; did you mean "u1"?`,
		`f.yaml:17: if: unknown id of an automation "aa"; did you mean "a"?`,
		`f.yaml:17: if: the CalendarHero account: unknown meeting type "Showin"; did you mean "Showing"?`,
		`f.yaml:17: if: the location has no user with this id; did you mean "u22222221"?`,
		"f.yaml:19: update_contact.fields.last_meetin: the location has no field contact.last_meetin; did you mean contact.last_meeting?",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if found := s.Unknown("f.yaml", Known{}); len(found) != 1 { // the id of an automation
		t.Errorf("of what was not read it says %v", found)
	}
	var referred Referred
	if recipeSet(t).Refers(&referred); referred != (Referred{ContactFields: true}) {
		t.Errorf("the recipes refer to %+v", referred)
	}
}

// wantUnknown compares what is said of names in a location, a line each. Nothing is said of
// names that were not read.
func wantUnknown(t *testing.T, s *Set, known Known, want string) {
	t.Helper()
	var got []string
	for _, m := range s.Unknown("f.yaml", known) {
		got = append(got, m.String())
	}
	if strings.Join(got, "\n") != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
	if found := s.Unknown("f.yaml", Known{}); len(found) > 0 {
		t.Errorf("of what was not read it says %v", found)
	}
}

func TestPipelinesStagesCalendarsAndTagsAreFoundWithTheNearest(t *testing.T) {
	known := Known{
		ContactFields: []CustomDefinition{{Key: "milestone_date"}}, OpportunityFields: []CustomDefinition{{Key: "closing_date"}},
		Pipelines: []catalog.Option{
			{ID: "p1", Name: "Sales", Options: []catalog.Option{{ID: "s1", Name: "Viewing"}, {ID: "s2", Name: "Proposal sent"}}},
			{ID: "p2", Name: "Rent", Options: []catalog.Option{{ID: "s3", Name: "Asked"}}},
		},
		Calendars: []catalog.Option{{ID: "BqTwX8QF", Name: "Viewings"}}, Tags: []string{"vip", "buyer"}, Users: []User{{"u1", "Dana Whitfield", "dana@example.com"}},
	}
	const stage, deal, visit = "on: milestone.changed\nmilestone: %s", "on: opportunity.changed\nif: %s", "on: appointment.changed\nif: %s"
	for _, c := range []struct{ form, text, want string }{
		{stage, "{ stage: proposal  Sent, pipeline: sales }", ""},
		{stage, "{ stage: Propsal sent }", `f.yaml:3: milestone.stage: the location: unknown stage "Propsal sent"; did you mean "Proposal sent"?`},
		{stage, "{ stage: Asked, pipeline: Sales }", `f.yaml:3: milestone.stage: the pipeline "Sales": unknown stage "Asked"; known are Viewing, Proposal sent`},
		{stage, "{ stage: Asked, pipeline: Sale }", `f.yaml:3: milestone.pipeline: the location: unknown pipeline "Sale"; did you mean "Sales"?`},
		{stage, "{ tag: byuer }", `f.yaml:3: milestone.tag: the location has no tag "byuer" yet; did you mean "buyer"?`},
		{stage, "{ tag: Something new }", ""},
		{stage, "{ date: opportunity.closing_dat }", "f.yaml:3: milestone.date: the location has no field opportunity.closing_dat; did you mean opportunity.closing_date?"},
		{stage, "{ date: contact.customer_since }", "f.yaml:3: milestone.date: the location has no field contact.customer_since; its custom contact fields are milestone_date"},
		{deal, `opportunity.stage == "Viewing" and opportunity.closing_date != nil`, ""},
		{deal, `opportunity.stage in ["viewing"]`, `f.yaml:3: if: the location: unknown stage "viewing"; did you mean "Viewing"?`},
		{deal, `opportunity.pipeline == "sales"`, `f.yaml:3: if: the location: unknown pipeline "sales"; did you mean "Sales"?`},
		{deal, `opportunity.pipeline == "Sales" and opportunity.stage in ["Viewing", "Proposal sent"]`, ""},
		{deal, `opportunity.pipeline == "Sales" and opportunity.stage == "Asked"`, `f.yaml:3: if: the pipeline "Sales": unknown stage "Asked"; known are Viewing, Proposal sent`},
		{deal, `opportunity.stage_id == "s3" and "p1" == opportunity.pipeline_id`, `f.yaml:3: if: the pipeline "Sales" has no stage with the id "s3"; did you mean "s1"?`},
		{deal, `opportunity.pipeline == "Sales" or opportunity.stage == "Asked"`, ""},
		{deal, `opportunity.pipeline != "Sales" and opportunity.stage == "Asked"`, ""},
		{deal, `opportunity.stage contains "Propsal"`, `f.yaml:3: if: the location: no stage contains "Propsal"; did you mean "Proposal"?`},
		{deal, `opportunity.stage startsWith "sent"`, `f.yaml:3: if: the location: no stage startsWith "sent"; known are Viewing, Proposal sent, Asked`},
		{deal, `lower(opportunity.stage) == "vewing"`, `f.yaml:3: if: the location: unknown stage "vewing"; did you mean "Viewing"?`},
		{deal, `opportunity.stage contains "Prop" and lower(opportunity.stage) == "proposal sent" and upper(opportunity.stage) contains "SENT" and opportunity.assigned_to startsWith "u"`, ""},
		{deal, `opportunity.assigned_to == "Dana Whitfeld"`, `f.yaml:3: if: the location has no user with this id; did you mean "u1"?`},
		{deal, `opportunity.closing != nil`, "f.yaml:3: if: the location has no field opportunity.closing; its custom opportunity fields are closing_date"},
		{visit, `appointment.calendar == "Viewing"`, `f.yaml:3: if: the location: unknown calendar "Viewing"; did you mean "Viewings"?`},
		{visit, `appointment.assigned_to == "x"`, "f.yaml:3: if: the location has no user with this id; write the id of a user, not a name"},
		{visit, `'"vipp" in contact.tags'`, `f.yaml:3: if: the location has no tag "vipp" yet; did you mean "vip"?`},
		{deal, `opportunity.pipeline_id == "p1" and opportunity.stage_id in ["s1", "s2"]`, ""},
		{deal, `opportunity.pipeline_id == "Sales"`, `f.yaml:3: if: the location has no pipeline with the id "Sales"; did you mean opportunity.pipeline, which holds the name?`},
		{deal, `opportunity.stage_id != "nope"`, `f.yaml:3: if: the location has no stage with the id "nope"; known are s1 (Viewing), s2 (Proposal sent), s3 (Asked)`},
		{visit, `appointment.calendar_id == "BqTwX8QF"`, ""},
		{visit, `appointment.calendar_id == "BqTwX8Qf"`, `f.yaml:3: if: the location has no calendar with the id "BqTwX8Qf"; did you mean "BqTwX8QF"?`},
		{visit, `first(contact.tags) == "vipp"`, `f.yaml:3: if: the location has no tag "vipp" yet; did you mean "vip"?`},
		{visit, `'any(contact.tags, # startsWith "buye") or join(contact.tags) == "vipp"'`, ""},
		{deal, ">\n  contact.dnd and\n  opportunity.closing != nil", "f.yaml:5: if: the location has no field opportunity.closing; its custom opportunity fields are closing_date"},
		{deal, "contact.dnd and\n    opportunity.stage ==\n    'Vewing'", `f.yaml:5: if: the location: unknown stage "Vewing"; did you mean "Viewing"?`},
		{deal, "\"contact.dnd and\n    opportunity.stage == 'V\\x65wing'\"", `f.yaml:3: if: the location: unknown stage "Vewing"; did you mean "Viewing"?`},
		{visit, `contact.milestoneDate != nil`, "f.yaml:3: if: the location has no field contact.milestoneDate; did you mean contact.milestone_date?"},
		{visit, `contact["Milestone Date"] != nil`, "f.yaml:3: if: the location has no field contact.Milestone Date; did you mean contact.milestone_date?"},
	} {
		t.Run(c.text, func(t *testing.T) {
			s := mustLoad(t, "name: A\n"+strings.Replace(c.form, "%s", c.text, 1)+"\ndo: [tags: {add: new}]\n")
			wantUnknown(t, s, known, c.want)
		})
	}
}

func TestIDsInARequestThatALocationDoesNotHaveAreFoundWithTheNearest(t *testing.T) {
	known := Known{
		Pipelines: []catalog.Option{
			{ID: "p1", Name: "Sales", Options: []catalog.Option{{ID: "s1", Name: "Viewing"}}},
			{ID: "p2", Name: "Rent", Options: []catalog.Option{{ID: "s2", Name: "Asked"}}},
		},
		Calendars: []catalog.Option{{ID: "BqTwX8QF", Name: "Viewings"}}, Users: []User{{"u1", "Dana Whitfield", "dana@example.com"}},
	}
	const update, follow = "update_opportunity, fields: { id: o, ", "upsert_opportunity, fields: { pipelineId: p1, isRemoveAllFollowers: false, followersActionType: add, "
	const appointment = `create_appointment, fields: { contactId: c, startTime: "2026-12-04T10:00:00Z", `
	for _, c := range []struct{ request, want string }{
		{update + "pipelineId: p1, pipelineStageId: s1, assignedTo: u1", ""},
		{update + "pipelineId: '{{ contact.pipeline }}', pipelineStageId: s2, assignedTo: '{{ contact.assigned_to }}'", ""},
		{update + "pipelineId: Sales", `pipelineId: the location has no pipeline with the id "Sales"; did you mean "p1"?`},
		{update + "pipelineStageId: nope", `pipelineStageId: the location has no stage with the id "nope"; known are s1 (Viewing), s2 (Asked)`},
		{update + "pipelineId: p1, pipelineStageId: s2", `pipelineStageId: the pipeline "Sales" has no stage with the id "s2"; did you mean "s1"?`},
		{update + "assignedTo: Dana", `assignedTo: the location has no user with this id; did you mean "u1"?`},
		{follow + "followers: [u1, '{{ contact.assigned_to }}']", ""},
		{follow + "followers: [u1, nobody]", `followers: the location has no user with this id; write the id of a user, not a name`},
		{appointment + "calendarId: BqTwX8QF, assignedUserId: u1", ""},
		{appointment + "calendarId: viewings", `calendarId: the location has no calendar with the id "viewings"; did you mean "BqTwX8QF"?`},
	} {
		t.Run(c.request, func(t *testing.T) {
			s := mustLoad(t, "name: A\non: contact.changed\ndo:\n  - request: { operation: highlevel."+c.request+" } }\n")
			want := ""
			if c.want != "" {
				want = "f.yaml:4: request.fields." + c.want
			}
			var got []string
			for _, m := range s.Unknown("f.yaml", known) {
				if !strings.Contains(m.Message, "contact.pipeline") {
					got = append(got, m.String())
				}
			}
			if strings.Join(got, "\n") != want {
				t.Errorf("got  %v\nwant %s", got, want)
			}
			if found := s.Unknown("f.yaml", Known{}); len(found) > 0 {
				t.Errorf("of what was not read it says %v", found)
			}
		})
	}
}

func TestAUseThatDoesNotGoWithACustomFieldIsFound(t *testing.T) {
	known := Known{
		ContactFields: []CustomDefinition{
			{"milestone", "SINGLE_OPTIONS", []string{"Closing", "Inspection"}},
			{"extras", "MULTIPLE_OPTIONS", []string{"Pool", "Garage"}},
			{"slot", "RADIO", []string{"2026-12-01", "2026-12-08"}},
			{"milestone_date", "DATE", nil},
			{"remarks", "TEXT", nil},
			{"plan", "FILE_UPLOAD", []string{".pdf"}},
		},
		OpportunityFields: []CustomDefinition{{"level", "RADIO", []string{"Gold"}}},
	}
	const condition = "on: opportunity.changed\nif: %s\ndo: [tags: {add: new}]\n"
	const written = "on: calendarhero.meeting_completed\ndo: [update_contact: {fields: {%s}}]\n"
	const milestone = "on: milestone.changed\nmilestone: {name: M, date: %s}\ndo: [tags: {add: new}]\n"
	const event = "on: contact.changed\ndo: [event: {title: a, start: '%s'}]\n"
	const dates = "; the custom fields with dates are contact.milestone_date"
	for _, c := range []struct{ form, text, want string }{
		{condition, `contact.milestone in ["Closing", "Inspection"] or contact.milestone != ""`, ""},
		{condition, `contact.milestone == "Closng"`, `f.yaml:3: if: contact.milestone has no option "Closng"; did you mean "Closing"?`},
		{condition, `contact.milestone in ["closing"]`, `f.yaml:3: if: contact.milestone has no option "closing"; did you mean "Closing"?`},
		{condition, `lower(contact.milestone) == "closing" and contact.milestone contains "Clos"`, ""},
		{condition, `contact.milestone == "Something else"`, ""}, // HighLevel may allow other values
		{condition, `'"Poool" in contact.extras'`, `f.yaml:3: if: contact.extras has no option "Poool"; did you mean "Pool"?`},
		{condition, `'"Pool" in contact.extras and contact.plan == ".pdg" and contact.remarks == "Pol"'`, ""},
		{condition, `opportunity.level == "gold"`, `f.yaml:3: if: opportunity.level has no option "gold"; did you mean "Gold"?`},
		{condition, `within(contact.milestone, 7)`, `f.yaml:3: if: contact.milestone holds no date, since its type is SINGLE_OPTIONS` + dates},
		{condition, `before(opportunity.level, contact.milestone_date)`, `f.yaml:3: if: opportunity.level holds no date, since its type is RADIO`},
		{condition, `within(contact.milestone_date, 7) and after(contact.slot, contact.remarks)`, ""},
		{written, "milestone: Closing, milestone_date: 2026-12-01, remarks: tomorrow, extras: '{{ contact.city }}'", ""},
		{written, "milestone: Closng", `f.yaml:3: update_contact.fields.milestone: contact.milestone has no option "Closng"; did you mean "Closing"?`},
		{written, "milestone_date: tomorrow", `f.yaml:3: update_contact.fields.milestone_date: contact.milestone_date holds a date, and "tomorrow" is not a date: expected a form like 2026-12-01, 2026-12-01T15:00:00Z, 12/01/2026 or Dec 1 2026`},
		{milestone, "contact.milestone", "f.yaml:3: milestone.date: contact.milestone holds no date, since its type is SINGLE_OPTIONS" + dates},
		{milestone, "contact.remarks", ""},
		{event, "{{ contact.milestone }}", "f.yaml:3: event.start: contact.milestone holds no date, since its type is SINGLE_OPTIONS" + dates},
		{event, "{{ contact.milestone_date }}", ""},
	} {
		t.Run(c.text, func(t *testing.T) {
			s := mustLoad(t, "name: A\n"+strings.Replace(c.form, "%s", c.text, 1))
			wantUnknown(t, s, known, c.want)
		})
	}
}

func TestAPartOfAMeetingTypeIsNotNeeded(t *testing.T) {
	s := mustLoad(t, "name: A\non: calendarhero.meeting_completed\nif: meeting.type == 'Call' or lower(meeting.type) == 'showing' or meeting.type contains 'How'\ndo: [tags: {add: new}]\n")
	if needed := s.Automations()[0].Needed().MeetingTypes; len(needed) != 1 || needed[0] != "Call" {
		t.Errorf("it needs %q", needed)
	}
}

func TestAStatusThatDoesNotExistIsAMistake(t *testing.T) {
	for condition, want := range map[string]string{
		`opportunity.status == "Won"`:             `f.yaml:3: if: unknown value of opportunity.status "Won"; did you mean "won"?`,
		`opportunity.status in ["open", "close"]`: `f.yaml:3: if: unknown value of opportunity.status "close"; known are open, won, lost, abandoned`,
		`"lots" != opportunity.status`:            `f.yaml:3: if: unknown value of opportunity.status "lots"; did you mean "lost"?`,
	} {
		source := fmt.Sprintf("name: A\non: opportunity.changed\nif: %s\ndo: [tags: {add: new}]\n", inQuotes(condition))
		if _, err := Load("f.yaml", []byte(source)); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		mustLoadStored(t, source)
	}
}

func TestAConditionThatIsNotMetSaysWhatItSaw(t *testing.T) {
	for condition, want := range map[string]string{
		`contact.city == "Boston"`:                                   `contact.city is "Springfield"`,
		`contact.city == "Springfield" and "seller" in contact.tags`: `contact.tags is "buyer, vip"`,
		`contact.milestone != "Closing" && contact.city == "x"`:      `contact.milestone is "Closing"`,
		`contact.website != nil`:                                     `contact.website is empty`,
		`contact.city == "x" or contact.nothing == "y"`:              `contact.city is "Springfield", contact.nothing is empty`,
		`not (contact.city startsWith "Spring")`:                     `contact.city is "Springfield"`,
		`len(contact.tags) > 2`:                                      `contact.tags is "buyer, vip"`,
		`any(contact.tags, # == "seller")`:                           `contact.tags is "buyer, vip"`,
		`contact?.city == "x"`:                                       `contact.city is "Springfield"`,
		`location.timezone == "UTC"`:                                 `location.timezone is "America/New_York"`,
		`1 > 2`:                                                      ``,
	} {
		t.Run(condition, func(t *testing.T) {
			s := mustLoadStored(t, "name: A\non: contact.changed\nif: |\n  "+condition+"\ndo: [contact: {}]\n")
			f := fullFacts()
			f.Contact.Fields["city"] = "Springfield"
			p := s.Plan(KindContact, f)
			if len(p.Skipped) != 1 || p.Skipped[0] != (Skipped{"A", "the condition is not met", want, false}) {
				t.Errorf("got %+v, want %q", p, want)
			}
		})
	}
}
