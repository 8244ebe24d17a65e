package facts

import (
	"time"

	"milepost/clients/highlevel"
	"milepost/internal/fingerprint"
	"milepost/mapping"
)

// AppointmentMark is by what a change of an appointment is known: the list of a
// contact's appointments may lack what a read of the one shows.
func AppointmentMark(a highlevel.Appointment, zone *time.Location) string {
	f := Appointment(a, "", zone)
	return fingerprint.Of([]any{f.Title, f.Status, f.CalendarID, f.AssignedTo, f.Address, f.Notes, f.Start.Unix(), f.End.Unix()})
}

// Appointment is an appointment as automations see it. It reads times without an offset in the zone of the location.
func Appointment(a highlevel.Appointment, calendar string, zone *time.Location) mapping.Appointment {
	start, _ := a.Start(zone) // zero if they cannot be read; the automation then says so
	end, _ := a.End(zone)
	added, err := time.Parse(time.RFC3339, a.DateAdded)
	if err != nil {
		added, _ = time.ParseInLocation(time.DateTime, a.DateAdded, zone)
	}
	return mapping.Appointment{
		ID: a.ID, Title: a.Title, Status: a.Status, CalendarID: a.CalendarID, Calendar: calendar, AssignedTo: a.AssignedUserID,
		Address: a.Address, Notes: a.Notes, Start: start.UTC(), End: end.UTC(), Added: added.UTC(),
	}
}
