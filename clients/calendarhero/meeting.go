package calendarhero

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"milepost/clients"
)

// Meeting is an event in the holder's calendar. The calendar is read-only: only a meeting
// request creates a meeting.
type Meeting struct {
	ID                     string
	Title                  string    // named description in the API
	Start, End             time.Time // UTC; zero = unknown
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

// Meetings lists the calendar's events between two times, including events that
// CalendarHero did not create. A span of more than a year is accepted.
func (c *Client) Meetings(ctx context.Context, start, end time.Time) ([]Meeting, error) {
	query := url.Values{"start": {start.UTC().Format(timeFormat)}, "end": {end.UTC().Format(timeFormat)}}
	return list(ctx, c, route{operation: "list meetings", method: http.MethodGet, path: "/meeting", query: query}, func(m Meeting) bool { return m.ID != "" })
}

// MeetingCategories fetches the statistics of meetings by category, unchanged, because
// their shape is undocumented.
func (c *Client) MeetingCategories(ctx context.Context) (json.RawMessage, error) {
	return c.get(ctx, "count meetings by category", "/meeting/categories", nil)
}
