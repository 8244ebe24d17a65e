package highlevel

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"milepost/internal/sandbox/fakehttp/fakehttptest"
)

// place fills HERE and THERE with the two locations, JANE with the contact.
func (h *fakeTest) place(text string) string {
	return strings.NewReplacer("HERE", testLocation, "THERE", otherPlace, "JANE", h.contact.ID).Replace(text)
}

func TestTheListsOfALocationRefuseWhatHighLevelDoes(t *testing.T) {
	h := setup(t)
	for _, path := range []string{
		"/calendars/?", "/calendars/groups?", "/workflows/?", "/campaigns/?", "/businesses/?", "/opportunities/lost-reason?", "/users/?",
		"/calendars/events?calendarId=c&startTime=1&endTime=2&", "/calendars/blocked-slots?userId=u&startTime=1&endTime=2&",
	} {
		h.want(200, "GET", h.place(path+"locationId=HERE"), "")
		h.want(403, "GET", h.place(path+"locationId=THERE"), "")
		h.want(422, "GET", h.place(path+"locationId=HERE&location_id=HERE"), "")
		h.want(422, "GET", strings.TrimSuffix(path, "?"), "")
	}
	for _, path := range []string{"/locations/THERE/timezones", "/locations/THERE/templates?originId=THERE"} {
		h.want(403, "GET", h.place(path), "")
	}
	h.want(422, "GET", h.place("/locations/HERE/templates"), "")
	h.want(422, "GET", h.place("/locations/HERE/templates?originId=HERE&type=fax"), "")
}

func TestABlockedSlotIsNoAppointmentAndTakesItsTime(t *testing.T) {
	h := setup(t)
	day := h.clock.Now().AddDate(0, 0, 3)
	for day.Weekday() != time.Wednesday {
		day = day.AddDate(0, 0, 1)
	}
	zone, err := time.LoadLocation("America/New_York")
	fakehttptest.Must(t, err)
	nine := time.Date(day.Year(), day.Month(), day.Day(), 9, 0, 0, 0, zone)
	calendar := h.SeedCalendar(testLocation, Calendar{Name: "Viewings"})
	span := fmt.Sprintf("startDate=%d&endDate=%d", nine.UnixMilli(), nine.Add(2*time.Hour).UnixMilli())
	free := func() string {
		t.Helper()
		return fmt.Sprint(h.want(200, "GET", "/calendars/"+calendar.ID+"/free-slots?"+span, "")[nine.Format(time.DateOnly)])
	}
	if got := free(); strings.Count(got, "T") != 4 || !strings.Contains(got, "T09:00:00-0") {
		t.Errorf("free: %s", got)
	}
	slot := func(status int, method, path, more string) map[string]any {
		t.Helper()
		return h.want(status, method, path, h.place(`{"locationId":"HERE","calendarId":"`+calendar.ID+`"`+more+`}`))
	}
	made := slot(201, "POST", "/calendars/events/block-slots", fmt.Sprintf(`,"title":"Holiday","startTime":%q,"endTime":%q`, nine.Format(time.RFC3339), nine.Add(time.Hour).Format(time.RFC3339)))
	if got := free(); strings.Count(got, "T") != 2 || strings.Contains(got, "T09:") {
		t.Errorf("free beside a blocked slot: %s", got)
	}
	id := fmt.Sprint(made["id"])
	h.want(400, "GET", "/calendars/events/appointments/"+id, "")
	listed := fmt.Sprintf("locationId=%s&calendarId=%s&startTime=%d&endTime=%d", testLocation, calendar.ID, nine.UnixMilli(), nine.Add(time.Hour).UnixMilli())
	if got := h.want(200, "GET", "/calendars/blocked-slots?"+listed, "")["events"].([]any); len(got) != 1 {
		t.Errorf("blocked: %v", got)
	}
	if got := h.want(200, "GET", "/calendars/events?"+listed, "")["events"].([]any); len(got) != 0 {
		t.Errorf("events: %v", got)
	}
	slot(201, "PUT", "/calendars/events/block-slots/"+id, `,"title":"Leave"`)
	slot(400, "PUT", "/calendars/events/block-slots/none", ``)
	slot(400, "POST", "/calendars/events/block-slots", `,"assignedUserId":"user1"`)
	slot(422, "POST", "/calendars/events/block-slots", `,"contactId":"x"`)
	h.want(201, "DELETE", "/calendars/events/"+id, `{}`)
	if got := free(); strings.Count(got, "T") != 4 {
		t.Errorf("free after the slot was deleted: %s", got)
	}
	if sent := h.types(); len(sent) != 0 {
		t.Errorf("sent %v", sent)
	}
	h.want(400, "GET", fmt.Sprintf("/calendars/%s/free-slots?startDate=%d&endDate=%d", calendar.ID, nine.UnixMilli(), nine.AddDate(0, 0, 40).UnixMilli()), "")
	h.want(400, "GET", h.place("/calendars/events?locationId=HERE&startTime=1&endTime=2"), "")
}

func TestTheNotesOfAnAppointmentComeByPages(t *testing.T) {
	h := setup(t)
	meeting, err := h.SeedAppointment(Appointment{ContactID: h.contact.ID, CalendarID: "c", Start: h.clock.Now()})
	fakehttptest.Must(t, err)
	notes := "/calendars/appointments/" + meeting.ID + "/notes"
	var last string
	for range 3 {
		last = fmt.Sprint(h.want(201, "POST", notes, `{"body":"n","userId":"user1"}`)["note"].(map[string]any)["id"])
	}
	page := h.want(200, "GET", notes+"?limit=2&offset=0", "")
	if len(page["notes"].([]any)) != 2 || page["hasMore"] != true {
		t.Errorf("the first page: %v", page)
	}
	page = h.want(200, "GET", notes+"?limit=2&offset=2", "")
	if len(page["notes"].([]any)) != 1 || page["hasMore"] != false {
		t.Errorf("the last page: %v", page)
	}
	h.want(422, "GET", notes, "")
	h.want(400, "GET", notes+"?limit=99&offset=0", "")
	h.want(400, "POST", notes, `{"body":"`+strings.Repeat("x", 5001)+`"}`)
	h.want(422, "PUT", notes+"/"+last, `{}`)
	h.want(200, "DELETE", notes+"/"+last, "")
	h.want(400, "DELETE", notes+"/"+last, "")
}

func TestUsersAreFoundWithinTheReachOfTheToken(t *testing.T) {
	h := setup(t)
	h.SeedLocation(Location{ID: "loc00000000000000003", CompanyID: "company1", Name: "North"}, []User{{ID: "user3", FirstName: "Ann", Email: "ann@north.example"}}, nil)
	h.want(403, "GET", "/users/search?companyId=company1", "")
	h.want(400, "GET", "/users/user3", "")
	h.want(401, "POST", "/users/search/filter-by-email", `{"companyId":"company1","emails":"ann@north.example"}`)
	h.AddAgencyToken("pit-agency", "company1")
	h.headers["Authorization"] = "Bearer pit-agency"
	if got := h.want(200, "POST", "/users/search/filter-by-email", `{"companyId":"company1","emails":"x@y.example,ANN@north.example"}`)["count"]; got != 1.0 {
		t.Errorf("found %v", got)
	}
	if got := h.want(200, "GET", "/users/search?companyId=company1&query=ann&limit=1", "")["count"]; got != 1.0 {
		t.Errorf("found %v", got)
	}
	h.want(401, "GET", h.place("/contacts/JANE"), "") // an agency's token
}

func TestAnUpsertOfAnOpportunityMakesNone(t *testing.T) {
	h := setup(t)
	pipeline := h.SeedPipeline(testLocation, Pipeline{Name: "Sales", Stages: []Stage{{Name: "New"}}})
	deal, err := h.SeedOpportunity(Opportunity{ContactID: h.contact.ID, Name: "House", PipelineID: pipeline.ID})
	fakehttptest.Must(t, err)
	body := func(id string) string {
		return h.place(`{"id":"` + id + `","pipelineId":"` + pipeline.ID + `","locationId":"HERE","followers":["user1"],"isRemoveAllFollowers":false,"followersActionType":"add","name":"Flat"}`)
	}
	answer := h.want(200, "POST", "/opportunities/upsert", body(deal.ID))
	if got := answer["opportunity"].(map[string]any); answer["new"] != false || got["name"] != "Flat" || fmt.Sprint(got["followers"]) != "[user1]" {
		t.Errorf("upserted %v", answer)
	}
	h.want(400, "POST", "/opportunities/upsert", body("none"))
	h.want(422, "POST", "/opportunities/upsert", h.place(`{"id":"`+deal.ID+`","pipelineId":"x","locationId":"HERE"}`))
	h.want(400, "POST", "/opportunities/"+deal.ID+"/followers", `{"followers":["nobody"]}`)
	if got := h.want(200, "DELETE", "/opportunities/"+deal.ID+"/followers?isRemoveAllFollowers=true", `{"followers":[]}`)["followersRemoved"]; fmt.Sprint(got) != "[user1]" {
		t.Errorf("removed %v", got)
	}
	h.want(422, "DELETE", "/opportunities/"+deal.ID+"/followers?all=true", `{"followers":[]}`)
}

func TestACustomFieldTakesItsValuesWithIt(t *testing.T) {
	h := setup(t)
	fakehttptest.Must(t, h.UpdateContact(h.contact.ID, func(c *Contact) { c.CustomFields = map[string]any{"fieldBudget": 7.0} }))
	fields := h.place("/locations/HERE/customFields/")
	h.want(200, "PUT", fields+"fieldBudget", `{"name":"Budget in USD"}`)
	h.want(422, "PUT", fields+"fieldBudget", `{"name":"Budget","dataType":"TEXT"}`)
	h.want(400, "PUT", fields+"fieldBudget", `{"name":"Budget","model":"opportunity"}`)
	h.want(200, "DELETE", fields+"fieldBudget", "")
	h.want(400, "DELETE", fields+"fieldBudget", "")
	contact, _ := h.Contact(h.contact.ID)
	if len(contact.CustomFields) != 0 {
		t.Errorf("left: %v", contact.CustomFields)
	}
}

func TestARecurringTaskNeedsAWholeRule(t *testing.T) {
	h := setup(t)
	tasks := h.place("/locations/HERE/recurring-tasks")
	rule := `{"intervalType":"weekly","interval":1,"startDate":"2026-12-04T15:00:00.000Z","dueAfterSeconds":86400}`
	made := h.want(201, "POST", tasks, h.place(`{"title":"Ring","contactIds":["JANE"],"rruleOptions":`+rule+`}`))["recurringTask"].(map[string]any)
	h.want(422, "POST", tasks, `{"title":"Ring","rruleOptions":{"intervalType":"weekly"}}`)
	h.want(422, "POST", tasks, `{"title":"Ring","rruleOptions":`+strings.Replace(rule, "weekly", "often", 1)+`}`)
	h.want(400, "POST", tasks, `{"title":"Ring","contactIds":["nobody"],"rruleOptions":`+rule+`}`)
	one := tasks + "/" + fmt.Sprint(made["id"])
	if got := h.want(200, "PUT", one, `{"title":"Call"}`)["recurringTask"].(map[string]any); got["title"] != "Call" || got["contactId"] != h.contact.ID {
		t.Errorf("updated: %v", got)
	}
	h.want(200, "DELETE", one, "")
	h.want(400, "GET", one, "")
}
