package calendarhero

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"milepost/clients"
)

// MeetingRequest is what CreateMeetingRequest takes. CalendarHero looks for a slot between
// Start and End. A span exactly as long as Length fixes the time of the meeting.
type MeetingRequest struct {
	Subject       string        // becomes the title
	Start, End    time.Time     // sent in UTC, whole seconds
	Length        time.Duration // sent in whole minutes; 0 = the meeting type's
	Type          string        // name of a MeetingType; "" = CalendarHero's choice
	ContactEmails []string      // invitees, who get mail
	ContactIDs    []string      // the same, by contact id
	Description   string        // plain text with line breaks; invitees read it
	Location      string
	// Callers keep digests of this type's JSON. So new fields must be left out of the JSON
	// if they are not set; otherwise stored requests would look changed.
	Locations []string `json:",omitempty"` // preferred locations, by name
	// Capacity is the number of seats of the room to book; 0 = no room, nil = not set. The
	// API has three names for it, and does not document which one counts.
	Capacity     *int  `json:",omitempty"`
	RoomCapacity *int  `json:",omitempty"`
	Room         *Room `json:",omitempty"`
}

// Room is a meeting request's choice of a room.
type Room struct {
	Capacity int `json:"capacity"`
}

type meetingRequestBody struct {
	Subject       string       `json:"subject"`
	Type          string       `json:"type,omitempty"`
	DateStart     string       `json:"dateStart"`
	DateEnd       string       `json:"dateEnd"`
	MeetingLength int          `json:"meetingLength,omitempty"`
	ContactEmails []string     `json:"contactEmails,omitempty"`
	Contacts      []contactRef `json:"contacts,omitempty"`
	Description   string       `json:"description,omitempty"`
	Location      string       `json:"location,omitempty"`
	Locations     []nameRef    `json:"locations,omitempty"`
	Capacity      *int         `json:"capacity,omitempty"`
	RoomCapacity  *int         `json:"roomCapacity,omitempty"`
	Room          *Room        `json:"room,omitempty"`
}

type nameRef struct {
	Name string `json:"name"`
}

type contactRef struct {
	ID string `json:"id"`
}

// timeFormat is the format that CalendarHero accepts: "2026-12-01T15:00:00Z".
const timeFormat = "2006-01-02T15:04:05Z"

// CreateMeetingRequest creates a meeting request and returns its id. CalendarHero mails the
// invitees. The request is sent only once; if the answer is lost or has no id, the error is
// Unclear.
func (c *Client) CreateMeetingRequest(ctx context.Context, r MeetingRequest) (string, error) {
	const operation = "create meeting request"
	if r.Subject == "" || r.Start.IsZero() || !r.End.After(r.Start) {
		return "", &clients.Error{
			API: API, Operation: operation, Reason: clients.Invalid,
			Message: "a subject, a start and a later end are needed",
		}
	}
	body := meetingRequestBody{
		Subject: r.Subject, Type: r.Type,
		DateStart: r.Start.UTC().Format(timeFormat), DateEnd: r.End.UTC().Format(timeFormat),
		MeetingLength: int(r.Length / time.Minute), ContactEmails: r.ContactEmails,
		Description: r.Description, Location: r.Location, Capacity: r.Capacity, RoomCapacity: r.RoomCapacity, Room: r.Room,
	}
	for _, name := range r.Locations {
		body.Locations = append(body.Locations, nameRef{name})
	}
	for _, id := range r.ContactIDs {
		body.Contacts = append(body.Contacts, contactRef{id})
	}
	return c.create(ctx, operation, "/meeting/tasks", body)
}

// The states by which meeting requests are listed.
const (
	StateActive   = "active"   // waits for the invitees' answer
	StateUpcoming = "upcoming" // booked, in the future
	StateClosed   = "closed"   // took place or was cancelled
)

// ListedRequest is a meeting request as the list shows it. The list holds no description.
type ListedRequest struct {
	ID           string
	Title        string        // the subject given at its creation
	Status       string        // CalendarHero's own word; its values are not documented
	Start, End   time.Time     // UTC; zero = unknown
	Length       time.Duration // 0 = unknown
	Type         string        // name of a MeetingType
	Emails       []string      // of all its contacts
	DateAdded    time.Time
	DateUpdated  time.Time
	ContactNames []string
}

// UnmarshalJSON reads the record with tolerance.
func (r *ListedRequest) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*r = ListedRequest{
		ID: o.Text("id"), Title: o.Text("info"), Status: o.Text("taskStatus"),
		Length: minutes(o.Text("meetingLength")), Type: o.Text("meetingType"),
		DateAdded: moment(o.Text("dateAdded")), DateUpdated: moment(o.Text("dateUpdated")),
	}
	dates := o.Texts("dates")
	if len(dates) > 0 {
		r.Start = moment(dates[0])
	}
	if len(dates) > 1 {
		r.End = moment(dates[1])
	}
	for _, contact := range o.Objects("contacts") {
		r.Emails = append(r.Emails, contact.Texts("contactEmails")...)
		if name := contact.Text("contactName"); name != "" {
			r.ContactNames = append(r.ContactNames, name)
		}
	}
	return nil
}

// moment reads a time from CalendarHero: RFC 3339, or the same without a zone, which means
// UTC.
func moment(text string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

// MeetingRequests lists all meeting requests of a state. It never returns a part of the
// list, because callers search it before they create a request again. If the server ignores
// skip and take, which is possible, the list costs one more call and is read as one page.
func (c *Client) MeetingRequests(ctx context.Context, state string) ([]ListedRequest, error) {
	return c.MeetingRequestsOfType(ctx, state, "")
}

// newRequests returns the requests of a page that were not seen before.
func newRequests(page []json.RawMessage, seen map[string]bool) (fresh []ListedRequest) {
	for _, raw := range page {
		var r ListedRequest
		if json.Unmarshal(raw, &r) == nil && r.ID != "" && !seen[r.ID] {
			seen[r.ID] = true
			fresh = append(fresh, r)
		}
	}
	return fresh
}

// MeetingRequestsOfType is MeetingRequests for one meeting type; "" = all types.
func (c *Client) MeetingRequestsOfType(ctx context.Context, state, meetingType string) ([]ListedRequest, error) {
	const operation = "list meeting requests"
	var all []ListedRequest
	seen := map[string]bool{}
	for skip, page := 0, 0; page < requestPages; page++ {
		var out *[]json.RawMessage
		query := url.Values{"state": {state}}
		choice := c.take.Load()
		take := requestTakes[choice]
		if take > 0 {
			query.Set("skip", strconv.Itoa(skip))
			query.Set("take", strconv.Itoa(take))
		}
		if meetingType != "" {
			query.Set("type", meetingType)
		}
		err := c.do(ctx, route{operation: operation, method: http.MethodGet, path: "/meeting/tasks", query: query}, &out)
		if clients.ReasonOf(err) == clients.Invalid && take > 0 {
			c.take.CompareAndSwap(choice, choice+1)
			continue
		}
		if err != nil {
			return nil, err
		}
		if out == nil {
			return nil, unreadable(operation, state)
		}
		fresh := newRequests(*out, seen)
		all = append(all, fresh...)
		if len(fresh) == 0 || take == 0 {
			return all, nil
		}
		skip += len(*out) - min(requestOverlap, len(*out)/4)
	}
	return nil, &clients.Error{
		API: API, Operation: operation, Subject: state, Status: http.StatusOK,
		Reason: clients.Unavailable, Message: "the list does not end",
	}
}

// MeetingRequestTally fetches the count of the meeting requests of a state, unchanged,
// because its shape is undocumented.
func (c *Client) MeetingRequestTally(ctx context.Context, state string) (json.RawMessage, error) {
	return c.get(ctx, "tally meeting requests", "/meeting/tasks", url.Values{"state": {state}, "tally": {"true"}})
}

// DeleteMeetingRequest cancels a meeting request, and CalendarHero mails its invitees. It
// returns NotFound if the request is already gone; a retry after a lost answer may return
// this for a request that the first try deleted. Only a 204 means success, because a
// gateway may answer another success, or NotFound. Only MeetingRequests proves that the
// request is gone.
func (c *Client) DeleteMeetingRequest(ctx context.Context, id string) error {
	return c.do(ctx, route{
		operation: "delete meeting request", method: http.MethodDelete, path: "/meeting/tasks/%s", ids: []string{id},
		effect: clients.Idempotent, noContent: true,
	}, nil)
}

// Remind mails the invitees who have not answered, at once. Two calls mail twice, so it is
// not retried, and a lost answer is Unclear.
func (c *Client) Remind(ctx context.Context, id string) error {
	return c.do(ctx, route{
		operation: "remind of meeting request", method: http.MethodPut, path: "/meeting/tasks/%s/remind", ids: []string{id}, effect: clients.Once,
	}, nil)
}
