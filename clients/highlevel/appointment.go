package highlevel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"milepost/clients"
)

const (
	opAppointments = "list appointments of contact"
	opAppointment  = "get appointment"
	opEvents       = "list events of calendar"
)

// Appointment is an appointment of a contact. It keeps its times as HighLevel sent them.
// The list of a contact has times without an offset, in the location's zone ("2021-07-16
// 11:00:00"). All other answers have RFC 3339 with an offset. Start and End read both
// forms.
type Appointment struct {
	ID             string
	Title          string
	CalendarID     string
	LocationID     string
	ContactID      string
	GroupID        string
	Status         string // "new", "confirmed", "cancelled", "showed", "noshow", "invalid"; "booked" was observed
	AssignedUserID string
	UserIDs        []string
	Notes          string // named description in newer records
	Address        string
	StartTime      string
	EndTime        string
	DateAdded      string
	DateUpdated    string
}

// UnmarshalJSON reads the record with tolerance.
func (a *Appointment) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*a = Appointment{
		ID: o.Text("id"), Title: o.Text("title"), CalendarID: o.Text("calendarId"), LocationID: o.Text("locationId"),
		ContactID: o.Text("contactId"), GroupID: o.Text("groupId"), Status: o.Text("appointmentStatus"),
		AssignedUserID: o.Text("assignedUserId"), UserIDs: o.Texts("users"),
		Notes: o.Text("notes"), Address: o.Text("address"),
		StartTime: o.Text("startTime"), EndTime: o.Text("endTime"), DateAdded: o.Text("dateAdded"), DateUpdated: o.Text("dateUpdated"),
	}
	if a.Status == "" {
		a.Status = o.Text("status")
	}
	if a.Status == "" {
		a.Status = o.Text("appoinmentStatus") // HighLevel's calendar events have this spelling
	}
	if a.Notes == "" {
		a.Notes = o.Text("description")
	}
	return nil
}

// Start returns StartTime as an instant. zone is the location's (Location.Timezone), and
// applies only if the text has no offset. If the end of summer time makes the time
// ambiguous, Start returns the earlier one.
func (a Appointment) Start(zone *time.Location) (time.Time, error) {
	return localTime(a.StartTime, zone)
}

// End returns EndTime as an instant; see Start.
func (a Appointment) End(zone *time.Location) (time.Time, error) { return localTime(a.EndTime, zone) }

func localTime(s string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	for _, layout := range []string{time.DateTime, "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("HighLevel: the time %.40q of an appointment cannot be read", s)
}

// Appointments lists all appointments of a contact; the API does not page this list. The
// times have no offset.
func (c *Client) Appointments(ctx context.Context, contactID string) ([]Appointment, error) {
	var out struct{ Events *[]Appointment }
	err := c.do(ctx, route{operation: opAppointments, method: http.MethodGet, path: "/contacts/%s/appointments", ids: []string{contactID}}, &out)
	return listed(opAppointments, contactID, out.Events, func(a Appointment) string { return a.ID }, err)
}

// CalendarEvents lists the appointments of a calendar between two times; the API does not
// page this list. The times have an offset.
func (c *Client) CalendarEvents(ctx context.Context, locationID, calendarID string, from, to time.Time) ([]Appointment, error) {
	if err := errors.Join(checkID(opEvents, locationID), checkID(opEvents, calendarID)); err != nil {
		return nil, err
	}
	var out struct{ Events *[]Appointment }
	err := c.do(ctx, route{operation: opEvents, method: http.MethodGet, path: "/calendars/events", query: url.Values{
		"locationId": {locationID}, "calendarId": {calendarID},
		"startTime": {strconv.FormatInt(from.UnixMilli(), 10)}, "endTime": {strconv.FormatInt(to.UnixMilli(), 10)},
	}}, &out)
	return listed(opEvents, calendarID, out.Events, func(a Appointment) string { return a.ID }, err)
}

// Appointment fetches one appointment; NotFound if it is gone. The times have an offset.
func (c *Client) Appointment(ctx context.Context, id string) (Appointment, error) {
	var out struct{ Event, Appointment Appointment }
	err := c.do(ctx, route{operation: opAppointment, method: http.MethodGet, path: "/calendars/events/appointments/%s", ids: []string{id}}, &out)
	if out.Event.ID == "" {
		out.Event = out.Appointment // the name in API v3
	}
	if err == nil && out.Event.ID == "" {
		err = incomplete(opAppointment, id)
	}
	return out.Event, err
}
