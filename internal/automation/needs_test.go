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

func TestWhatALocationLacksCanBeCreated(t *testing.T) {
	const location = "ve9EPM428h8vShlRW1KT"
	fake := hlfake.New(hlfake.Config{Token: "pit-test", LocationIDs: []string{location}})
	t.Cleanup(fake.Close)
	fake.SeedLocation(hlfake.Location{ID: location, TimeZone: "America/New_York"}, nil, []hlfake.CustomField{{Name: "Milestone", DataType: "TEXT"}})
	fake.SeedPipeline(location, hlfake.Pipeline{Name: "Sales", Stages: []hlfake.Stage{{Name: "Proposal Sent"}}})
	other := chfake.New(chfake.Config{Token: "ch-test"})
	t.Cleanup(other.Close)
	hlServer, chServer := httptest.NewServer(fake), httptest.NewServer(other)
	t.Cleanup(hlServer.Close)
	t.Cleanup(chServer.Close)
	noWait := func(int) time.Duration { return 0 }
	hl := highlevel.New(highlevel.Config{BaseURL: hlServer.URL, Tokens: highlevel.StaticTokens("pit-test"), RetryWait: noWait})
	ch := calendarhero.New(calendarhero.Config{BaseURL: chServer.URL, Token: "ch-test", RetryWait: noWait})
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
