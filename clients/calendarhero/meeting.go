package calendarhero

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"milepost/clients"
)

// Meeting is an event of the holder's calendar. The calendar can be read only:
// a meeting is made by a meeting request.
type Meeting struct {
	ID                     string
	Title                  string    // the API calls it description
	Start, End             time.Time // UTC; zero where not said
	Names, Emails          []string  // of all its contacts
	DateAdded, DateUpdated time.Time
}

// UnmarshalJSON reads the record with tolerance.
func (m *Meeting) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*m = Meeting{
		ID: o.Text("id"), Title: o.Text("description"), Start: moment(o.Text("dateStart")), End: moment(o.Text("dateEnd")),
		DateAdded: moment(o.Text("dateAdded")), DateUpdated: moment(o.Text("dateUpdated")),
	}
	for _, contact := range o.Objects("contacts") {
		m.Emails = append(m.Emails, contact.Texts("email")...)
		if name := contact.Text("name"); name != "" {
			m.Names = append(m.Names, name)
		}
	}
	return nil
}

// Meetings lists what the calendar holds between two times, with the events
// that CalendarHero did not make. A span over a year is taken as well.
func (c *Client) Meetings(ctx context.Context, start, end time.Time) ([]Meeting, error) {
	query := url.Values{"start": {start.UTC().Format(timeFormat)}, "end": {end.UTC().Format(timeFormat)}}
	return list(ctx, c, route{operation: "list meetings", method: http.MethodGet, path: "/meeting", query: query}, func(m Meeting) bool { return m.ID != "" })
}

// MeetingCategories fetches the statistics of meetings by category, as they
// are: their shape is not documented.
func (c *Client) MeetingCategories(ctx context.Context) (json.RawMessage, error) {
	return c.get(ctx, "count meetings by category", "/meeting/categories", nil)
}
