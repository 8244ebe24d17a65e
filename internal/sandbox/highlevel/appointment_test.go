package highlevel

import (
	"slices"
	"testing"
	"time"

	"milepost/internal/sandbox/fakehttp/fakehttptest"
	"milepost/internal/testenv"
)

func TestAppointmentsKeepTheirContractAndSendTheirEvents(t *testing.T) {
	testenv.Long(t)
	r := &fakehttptest.Receiver{}
	h := setup(t, into(r))
	h.underContract()
	calendars := func(status int, method, path, body string) map[string]any {
		t.Helper()
		h.headers["Version"] = "2021-04-15"
		defer func() { h.headers["Version"] = "2021-07-28" }()
		return h.want(status, method, path, body)
	}
	made := calendars(200, "POST", "/calendars/events/appointments", `{"calendarId":"cal","locationId":"`+testLocation+`","contactId":"`+h.contact.ID+`","startTime":"2026-12-01T10:00:00Z","title":"Viewing","assignedUserId":"user1","description":"Bring the keys","toNotify":false}`)
	if made["dateAdded"] != nil || made["endTime"] != "2026-12-01T05:30:00-05:00" {
		t.Errorf("made %v", made)
	}
	appointment := made["id"].(string)
	path := "/calendars/events/appointments/" + appointment

	event := calendars(200, "GET", path, "")["event"].(map[string]any)
	if event["startTime"] != "2026-12-01T05:00:00-05:00" || event["notes"] != "Bring the keys" || event["appointmentStatus"] != "confirmed" {
		t.Errorf("read by id: %v", event)
	}
	listed := h.want(200, "GET", "/contacts/"+h.contact.ID+"/appointments", "")["events"].([]any)
	if got := listed[0].(map[string]any); len(listed) != 1 || got["startTime"] != "2026-12-01 05:00:00" {
		t.Errorf("listed without an offset: %v", listed)
	}
	calendars(200, "PUT", path, `{"startTime":"2026-12-01T05:00:00-05:00"}`) // the same instant
	calendars(200, "PUT", path, `{"startTime":"2026-12-01T11:00:00Z"}`)
	if got, _ := h.Appointment(appointment); got.End.Sub(got.Start) != 30*time.Minute {
		t.Errorf("moved to %v", got)
	}
	calendars(201, "DELETE", "/calendars/events/"+appointment, `{}`)
	calendars(400, "GET", path, "")
	if got := h.types(); !slices.Equal(got, []string{"AppointmentCreate", "AppointmentUpdate", "AppointmentDelete"}) {
		t.Errorf("sent %v", got)
	}
	fakehttptest.Idle(t, h)
	for _, event := range r.Events(t) {
		nested, _ := event["appointment"].(map[string]any)
		if event["id"] != nil || event["locationId"] != testLocation || nested["id"] != appointment || nested["contactId"] != h.contact.ID {
			t.Errorf("%s is not nested: %v", event["type"], event)
		}
	}
}

func TestAppointmentsFromGoSendTheSameEvents(t *testing.T) {
	h := setup(t)
	a, err := h.CreateAppointment(Appointment{ContactID: h.contact.ID, CalendarID: "cal", Title: "Viewing", Start: h.clock.Now()})
	fakehttptest.Must(t, err)
	fakehttptest.Must(t, h.UpdateAppointment(a.ID, func(a *Appointment) { a.Status = "showed" }))
	fakehttptest.Must(t, h.UpdateAppointment(a.ID, func(a *Appointment) { a.Status = "showed" }))
	fakehttptest.Must(t, h.DeleteAppointment(a.ID))
	if got := h.types(); !slices.Equal(got, []string{"AppointmentCreate", "AppointmentUpdate", "AppointmentDelete"}) {
		t.Errorf("sent %v", got)
	}
	if h.DeleteAppointment(a.ID) == nil {
		t.Error("a deleted appointment was deleted again")
	}
}
