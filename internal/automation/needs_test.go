package automation

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/mapping"
)

const location = "ve9EPM428h8vShlRW1KT"

// vendors returns the sandbox of HighLevel, and clients of both vendors.
func vendors(t *testing.T) (*hlfake.Server, *highlevel.Client, *calendarhero.Client) {
	t.Helper()
	fake, other := hlfake.New(hlfake.Config{Token: "pit-test", LocationIDs: []string{location}}), chfake.New(chfake.Config{Token: "ch-test"})
	t.Cleanup(fake.Close)
	t.Cleanup(other.Close)
	hlServer, chServer := httptest.NewServer(fake), httptest.NewServer(other)
	t.Cleanup(hlServer.Close)
	t.Cleanup(chServer.Close)
	noWait := func(int) time.Duration { return 0 }
	return fake, highlevel.New(highlevel.Config{BaseURL: hlServer.URL, Tokens: highlevel.StaticTokens("pit-test"), RetryWait: noWait}),
		calendarhero.New(calendarhero.Config{BaseURL: chServer.URL, Token: "ch-test", RetryWait: noWait})
}

func TestIDsAndOptionsAreComparedWithThoseOfTheLocation(t *testing.T) {
	fake, hl, ch := vendors(t)
	fake.SeedLocation(hlfake.Location{ID: location, TimeZone: "America/New_York"}, []hlfake.User{{ID: "u1", FirstName: "Dana", LastName: "Whitfield"}},
		[]hlfake.CustomField{{Name: "Milestone", DataType: "SINGLE_OPTIONS", Options: []string{"Closing"}}})
	fake.SeedPipeline(location, hlfake.Pipeline{ID: "p1", Name: "Sales", Stages: []hlfake.Stage{{ID: "s1", Name: "Viewing"}}})
	fake.SeedCalendar(location, hlfake.Calendar{ID: "c1", Name: "Viewings"})
	const text = `- name: %s
  on: opportunity.changed
  if: opportunity.pipeline_id == "%s" and contact.milestone == "%s"
  do:
    - request: { operation: highlevel.update_opportunity, fields: { id: "{{ opportunity.id }}", pipelineId: %s, pipelineStageId: %s, assignedTo: %s } }
    - request: { operation: highlevel.update_appointment, fields: { eventId: e, calendarId: %s } }
`
	source := fmt.Sprintf(text, "Right", "p1", "Closing", "p1", "s1", "u1", "c1") + fmt.Sprintf(text, "Wrong", "Sales", "Closng", "Sales", "Viewing", "Dana", "Viewings")
	f, err := ReadFile("mine.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	found, unread := UnknownNames(t.Context(), f.Named(), hl, ch, location)
	var got []string
	for _, m := range found {
		got = append(got, fmt.Sprint(m.Line, m.Field))
	}
	if text := strings.Join(got, " "); len(unread) > 0 || text != "9if 9if 11request.fields.pipelineId 11request.fields.pipelineStageId 11request.fields.assignedTo 12request.fields.calendarId" {
		t.Errorf("it finds %v, and could not read %v", found, unread)
	}
}

func TestWhatALocationLacksCanBeCreated(t *testing.T) {
	fake, hl, ch := vendors(t)
	fake.SeedLocation(hlfake.Location{ID: location, TimeZone: "America/New_York"}, nil, []hlfake.CustomField{{Name: "Milestone", DataType: "TEXT"}})
	fake.SeedPipeline(location, hlfake.Pipeline{Name: "Sales", Stages: []hlfake.Stage{{Name: "Proposal Sent"}}})
	needed := mapping.Needed{
		Fields: []mapping.NeededField{{Model: "contact", Key: "milestone", Type: "TEXT"}, {Model: "contact", Key: "milestone_date", Type: "DATE"}, {Model: "opportunity", Key: "closing_date", Type: "DATE"}},
		Tags:   []string{"follow-up"}, Stages: []string{"Proposal sent", "Signed"}, MeetingTypes: []string{"no such type"},
	}
	check := func(want string) []Need {
		t.Helper()
		needs, err := CheckNeeds(t.Context(), hl, ch, location, needed)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range needs {
			got = append(got, fmt.Sprintf("%s %s: %s", n.What, n.Name, n.Has))
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("it has\n%s\nwant\n%s", text, want)
		}
		return needs
	}
	needs := check("custom field contact.milestone: yes, custom field contact.milestone_date: no, custom field opportunity.closing_date: no, " +
		"tag follow-up: no, stage Proposal sent: yes, stage Signed: no, meeting type no such type: no")
	for _, n := range needs {
		err := error(nil)
		if n.Has == No {
			err = CreateNeed(t.Context(), hl, location, n)
		}
		if (err != nil) == n.Creatable() && n.Has == No {
			t.Errorf("create %s: %v", n.Name, err)
		}
	}
	check("custom field contact.milestone: yes, custom field contact.milestone_date: yes, custom field opportunity.closing_date: yes, " +
		"tag follow-up: yes, stage Proposal sent: yes, stage Signed: no, meeting type no such type: no")
}

func TestTheScopesThatAreMissingAreNamed(t *testing.T) {
	needed := []string{"contacts.readonly", "opportunities.readonly"}
	for _, c := range []struct {
		known bool
		want  string
	}{
		{true, "scope contacts.readonly: yes, scope opportunities.readonly: no, "},
		{false, "scope contacts.readonly: unknown, scope opportunities.readonly: unknown, "},
	} {
		got := ""
		for _, n := range ScopeNeeds(needed, []string{"contacts.readonly", "contacts.write"}, c.known) {
			got += fmt.Sprintf("%s %s: %s, ", n.What, n.Name, n.Has)
		}
		if got != c.want {
			t.Errorf("known %v: %s", c.known, got)
		}
	}
}
