package highlevel

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/internal/sandbox/fakehttp/fakehttptest"
	"milepost/internal/testenv/reference"
)

// underContract holds every call of the fake against HighLevel's documents.
func (h *fakeTest) underContract() {
	h.t.Helper()
	h.client = &http.Client{Transport: reference.HighLevelContract(h.t).Transport(h.client.Transport)}
}

func (h *fakeTest) pipeline() Pipeline {
	return h.SeedPipeline(testLocation, Pipeline{Name: "Sales", Stages: []Stage{{Name: "New"}, {Name: "Offer"}, {Name: "Closed"}}})
}

func id(t *testing.T, answer map[string]any, of string) string {
	t.Helper()
	record, _ := answer[of].(map[string]any)
	s, _ := record["id"].(string)
	if s == "" {
		t.Fatalf("no %s in %v", of, answer)
	}
	return s
}

func TestOpportunitiesKeepTheirContractAndSendTheirEvents(t *testing.T) {
	h := setup(t)
	h.underContract()
	p := h.pipeline()
	if got := h.want(200, "GET", "/opportunities/pipelines?locationId="+testLocation, "")["pipelines"].([]any); len(got) != 1 {
		t.Errorf("pipelines: %v", got)
	}
	var me string
	for _, tc := range []struct {
		name string
		do   func()
		want []string
	}{
		{"a new one", func() {
			me = "/opportunities/" + id(t, h.want(201, "POST", "/opportunities/", `{"pipelineId":"`+p.ID+`","locationId":"`+testLocation+`","name":"House","status":"open","contactId":"`+h.contact.ID+`"}`), "opportunity")
		}, []string{"OpportunityCreate", "OpportunityUpdate"}},
		{"another stage", func() { h.want(200, "PUT", me, `{"pipelineStageId":"`+p.Stages[1].ID+`"}`) }, []string{"OpportunityStageUpdate", "OpportunityUpdate"}},
		{"the same stage", func() { h.want(200, "PUT", me, `{"pipelineStageId":"`+p.Stages[1].ID+`"}`) }, nil},
		{"another name", func() { h.want(200, "PUT", me, `{"name":"Flat"}`) }, []string{"OpportunityUpdate"}},
		{"a value", func() { h.want(200, "PUT", me, `{"monetaryValue":250000.5}`) }, []string{"OpportunityMonetaryValueUpdate", "OpportunityUpdate"}},
		{"a user", func() { h.want(200, "PUT", me, `{"assignedTo":"user1"}`) }, []string{"OpportunityAssignedToUpdate", "OpportunityUpdate"}},
		{"a search", func() {
			h.want(200, "GET", "/opportunities/search?getTasks=true&getNotes=true&getCalendarEvents=true&limit=5&location_id="+testLocation, "")
		}, nil},
		{"a status", func() { h.want(200, "PUT", me+"/status", `{"status":"won"}`) }, []string{"OpportunityStatusUpdate", "OpportunityUpdate"}},
		{"stage and status", func() { h.want(200, "PUT", me, `{"status":"open","pipelineStageId":"`+p.Stages[2].ID+`"}`) }, []string{"OpportunityStageUpdate", "OpportunityStatusUpdate", "OpportunityUpdate"}},
		{"a deleted one", func() { h.want(200, "DELETE", me, "") }, []string{"OpportunityDelete", "OpportunityUpdate"}},
		{"a read of it", func() { h.want(400, "GET", me, "") }, nil},
	} {
		before := len(h.Sent())
		tc.do()
		if got := h.types()[before:]; !slices.Equal(got, tc.want) {
			t.Errorf("%s sent %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestAStageChangeIsDatedAndAValueIsNamedByItsType(t *testing.T) {
	h := setup(t)
	p := h.pipeline()
	field := id(t, h.want(201, "POST", "/locations/"+testLocation+"/customFields", `{"name":"Closing Date","dataType":"DATE","model":"opportunity"}`), "customField")
	o, err := h.SeedOpportunity(Opportunity{ContactID: h.contact.ID, Name: "House", PipelineID: p.ID, CustomFields: map[string]any{"closing_date": "2026-12-01"}})
	fakehttptest.Must(t, err)
	if o.CustomFields[field] != "2026-12-01" {
		t.Fatalf("kept %v", o)
	}
	h.clock.Advance(time.Hour)
	fakehttptest.Must(t, h.UpdateOpportunity(o.ID, func(o *Opportunity) { o.StageID = p.Stages[2].ID }))
	got := h.want(200, "GET", "/opportunities/"+o.ID, "")["opportunity"].(map[string]any)
	values := got["customFields"].([]any)
	if got["createdAt"] != "2026-11-23T12:00:00.000Z" || got["lastStageChangeAt"] != "2026-11-23T13:00:00.000Z" || got["lastStatusChangeAt"] != "2026-11-23T12:00:00.000Z" {
		t.Errorf("dates of %v", got)
	}
	if len(values) != 1 || values[0].(map[string]any)["fieldValueDate"] != float64(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC).UnixMilli()) {
		t.Errorf("values %v", values)
	}
	found := h.want(200, "GET", "/opportunities/search?location_id="+testLocation+"&contact_id="+h.contact.ID+"&getTasks=true&getNotes=true&getCalendarEvents=true", "")["opportunities"].([]any)
	if len(found) != 1 || found[0].(map[string]any)["customFields"] != nil {
		t.Errorf("a search found %v", found)
	}
	if h.UpdateOpportunity(o.ID, func(o *Opportunity) { o.StageID = "none" }) == nil {
		t.Error("a stage of no pipeline was taken")
	}
	fakehttptest.Must(t, h.DeleteContact(h.contact.ID))
	if _, ok := h.Opportunity(o.ID); ok {
		t.Error("the opportunity of a deleted contact is left")
	}
}

func TestOpportunitiesAreFoundPageByPage(t *testing.T) {
	h := setup(t)
	p := h.pipeline()
	for range 5 {
		_, err := h.CreateOpportunity(Opportunity{ContactID: h.contact.ID, Name: "O", PipelineID: p.ID})
		fakehttptest.Must(t, err)
	}
	next, seen := "/opportunities/search?location_id="+testLocation+"&limit=2", 0
	for range 3 {
		answer := h.want(200, "GET", next, "")
		seen += len(answer["opportunities"].([]any))
		following, _ := answer["meta"].(map[string]any)["nextPageUrl"].(string)
		_, next, _ = strings.Cut(following, "/opportunities/search")
		next = "/opportunities/search" + next
	}
	if seen != 5 || next != "/opportunities/search" {
		t.Errorf("saw %d of 5, then %q", seen, next)
	}
}

func TestOpportunitiesAndAppointmentsRefuseWhatTheRealOnesRefuse(t *testing.T) {
	h := setup(t)
	p := h.pipeline()
	foreign, err := h.SeedContact(Contact{LocationID: otherPlace, FirstName: "Far"})
	fakehttptest.Must(t, err)
	away, err := h.SeedAppointment(Appointment{ContactID: foreign.ID, CalendarID: "cal", Start: h.clock.Now()})
	fakehttptest.Must(t, err)
	_, err = h.SeedAppointment(Appointment{ContactID: h.contact.ID, CalendarID: "cal", AssignedUserID: "user1", Start: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)})
	fakehttptest.Must(t, err)
	deal := func(contact, pipeline, more string) string {
		return `{"pipelineId":"` + pipeline + `","locationId":"` + testLocation + `","name":"House","contactId":"` + contact + `"` + more + `}`
	}
	meeting := func(contact, more string) string {
		return `{"calendarId":"cal","locationId":"` + testLocation + `","contactId":"` + contact + `"` + more + `}`
	}
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"the search in camel case", "GET", "/opportunities/search?locationId=" + testLocation, "", 422},
		{"a status that is none", "GET", "/opportunities/search?location_id=" + testLocation + "&status=closed", "", 422},
		{"another tenant's opportunities", "GET", "/opportunities/search?location_id=" + otherPlace, "", 403},
		{"another tenant's pipelines", "GET", "/opportunities/pipelines?locationId=" + otherPlace, "", 403},
		{"pipelines of no location", "GET", "/opportunities/pipelines", "", 422},
		{"an opportunity without status", "POST", "/opportunities/", deal(h.contact.ID, p.ID, ""), 422},
		{"an opportunity of an unknown pipeline", "POST", "/opportunities/", deal(h.contact.ID, "none", `,"status":"open"`), 400},
		{"an opportunity in another pipeline's stage", "POST", "/opportunities/", deal(h.contact.ID, p.ID, `,"status":"open","pipelineStageId":"none"`), 400},
		{"an opportunity of another tenant's contact", "POST", "/opportunities/", deal(foreign.ID, p.ID, `,"status":"open"`), 400},
		{"another tenant's appointment", "GET", "/calendars/events/appointments/" + away.ID, "", 403},
		{"an unknown appointment", "GET", "/calendars/events/appointments/none", "", 400},
		{"an appointment without start", "POST", "/calendars/events/appointments", meeting(h.contact.ID, ""), 422},
		{"an appointment with a status that is none", "POST", "/calendars/events/appointments", meeting(h.contact.ID, `,"startTime":"2026-12-02T10:00:00Z","appointmentStatus":"booked"`), 422},
		{"an appointment that ends first", "POST", "/calendars/events/appointments", meeting(h.contact.ID, `,"startTime":"2026-12-02T10:00:00Z","endTime":"2026-12-02T09:00:00Z"`), 400},
		{"an appointment in a slot that is taken", "POST", "/calendars/events/appointments", meeting(h.contact.ID, `,"startTime":"2026-12-01T10:15:00Z","assignedUserId":"user1"`), 400},
		{"an appointment of another tenant's contact", "POST", "/calendars/events/appointments", meeting(foreign.ID, `,"startTime":"2026-12-02T10:00:00Z"`), 400},
		{"an edit that moves it to another contact", "PUT", "/calendars/events/appointments/" + away.ID, `{"contactId":"x"}`, 422},
	} {
		if got, answer := h.call(tc.method, tc.path, tc.body); got != tc.status {
			t.Errorf("%s: answered %d %v, want %d", tc.name, got, answer, tc.status)
		}
	}
	if sent := h.types(); len(sent) != 0 {
		t.Errorf("refused requests sent %v", sent)
	}
}
