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

// Appointment is an appointment of a contact. Its times are kept as they came:
// the list of a contact gives them without an offset, in the zone of the
// location ("2021-07-16 11:00:00"), all else as RFC 3339 with one. Start and
// End read both.
type Appointment struct {
	ID             string
	Title          string
	CalendarID     string
	LocationID     string
	ContactID      string
	GroupID        string
	Status         string // "new", "confirmed", "cancelled", "showed", "noshow", "invalid"; "booked" was seen
	AssignedUserID string
	UserIDs        []string
	Notes          string // the description of newer records
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
		a.Status = o.Text("appoinmentStatus") // sic: seen in HighLevel's own calendar events
	}
	if a.Notes == "" {
		a.Notes = o.Text("description")
	}
	return nil
}

// Start is StartTime as an instant; zone is the location's (Location.Timezone)
// and counts only where the text has no offset of its own. In the hour that
// the end of summer time repeats, the earlier one is taken.
func (a Appointment) Start(zone *time.Location) (time.Time, error) {
	return localTime(a.StartTime, zone)
}

// End is EndTime as an instant, read as Start is.
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

// Appointments lists all appointments of a contact; the API has no pages
// here. The times have no offset.
func (c *Client) Appointments(ctx context.Context, contactID string) ([]Appointment, error) {
	var out struct{ Events *[]Appointment }
	err := c.do(ctx, route{operation: opAppointments, method: http.MethodGet, path: "/contacts/%s/appointments", ids: []string{contactID}}, &out)
	return listed(opAppointments, contactID, out.Events, func(a Appointment) string { return a.ID }, err)
}

// CalendarEvents lists the appointments of a calendar between two times; the API has no
// pages here. The times have an offset.
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
		out.Event = out.Appointment // as API v3 may name it
	}
	if err == nil && out.Event.ID == "" {
		err = incomplete(opAppointment, id)
	}
	return out.Event, err
}
