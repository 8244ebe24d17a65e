package highlevel

import (
	"context"
	"net/http"
	"net/url"

	"milepost/clients"
)

const opCalendars = "list calendars of location"

// Calendar is a calendar in which contacts book appointments.
type Calendar struct {
	ID   string
	Name string
}

// UnmarshalJSON reads the record with tolerance.
func (c *Calendar) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*c = Calendar{ID: o.Text("id"), Name: o.Text("name")}
	return nil
}

// Calendars lists the calendars of a location.
func (c *Client) Calendars(ctx context.Context, locationID string) ([]Calendar, error) {
	if err := checkID(opCalendars, locationID); err != nil {
		return nil, err
	}
	var out struct{ Calendars *[]Calendar }
	err := c.do(ctx, route{operation: opCalendars, method: http.MethodGet, path: "/calendars/", query: url.Values{"locationId": {locationID}}}, &out)
	return listed(opCalendars, locationID, out.Calendars, func(c Calendar) string { return c.ID }, err)
}
