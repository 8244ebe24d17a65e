package calendarhero

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"milepost/internal/sandbox/fakehttp"
)

// RequestState is the list in which CalendarHero shows a meeting request.
type RequestState string

const (
	StateActive   RequestState = "active"   // waits for its invitees
	StateUpcoming RequestState = "upcoming" // booked and not over
	StateClosed   RequestState = "closed"   // over or cancelled
)

// MeetingRequest is what CalendarHero calls a meeting task.
type MeetingRequest struct {
	ID, Subject, Type      string
	Description, Location  string // the API never shows them again
	Start, End             time.Time
	Length                 time.Duration
	Invitees               []string // e-mail addresses
	State                  RequestState
	Status                 string // taskStatus: pending, scheduled, rescheduled, completed, expired, cancelled (real values unknown)
	DateAdded, DateUpdated time.Time

	started bool // meeting_started was raised for Start
}

func (r *MeetingRequest) clone() MeetingRequest {
	out := *r
	out.Invitees = slices.Clone(r.Invitees)
	return out
}

var requestKeys = []string{
	"subject", "type", "dateStart", "dateEnd", "meetingLength", "contactEmails", "contacts", "description",
	"location", "locations", "capacity", "roomCapacity", "room",
}

// createRequest makes a request and mails its invitees. Nothing makes two
// equal requests one.
func (c *Server) createRequest(call *call) (int, any, *boom) {
	now := c.clock()
	r := &MeetingRequest{ID: fakehttp.ObjectID(), State: StateActive, Status: "pending", DateAdded: now, DateUpdated: now}
	for _, key := range []string{"subject", "dateStart", "dateEnd"} {
		if _, ok := call.body[key]; !ok {
			return 0, nil, invalid("payload", key, "is required")
		}
	}
	for key, target := range map[string]*string{
		"subject": &r.Subject, "type": &r.Type, "description": &r.Description, "location": &r.Location,
	} {
		var no *boom
		if *target, no = call.text(key); no != nil {
			return 0, nil, no
		}
	}
	if r.Subject == "" {
		return 0, nil, invalid("payload", "subject", "is not allowed to be empty")
	}
	length, known := c.config.MeetingTypes[r.Type]
	if r.Type != "" && !known {
		return 0, nil, invalid("payload", "type", "must be one of the meeting types of the user")
	}
	for key, target := range map[string]*time.Time{"dateStart": &r.Start, "dateEnd": &r.End} {
		s, no := call.text(key)
		if no != nil {
			return 0, nil, invalid("payload", key, "must be a valid ISO 8601 date")
		}
		at, ok := fakehttp.ParseISO(s)
		if !ok {
			return 0, nil, invalid("payload", key, "must be a valid ISO 8601 date")
		}
		*target = at.UTC()
	}
	if !r.End.After(r.Start) {
		return 0, nil, invalid("payload", "dateEnd", "must be after \"dateStart\"")
	}
	r.Length = length
	if r.Length == 0 {
		r.Length = 30 * time.Minute
	}
	for _, key := range []string{"meetingLength", "capacity", "roomCapacity"} {
		raw, ok := call.body[key]
		if !ok {
			continue
		}
		var n float64
		if json.Unmarshal(raw, &n) != nil || n < 0 || key == "meetingLength" && n == 0 {
			return 0, nil, invalid("payload", key, "must be a number")
		}
		if key == "meetingLength" {
			r.Length = time.Duration(n * float64(time.Minute))
		}
	}
	for key, form := range map[string]any{
		"locations": new([]struct {
			Name string `json:"name"`
		}),
		"room": new(struct {
			Capacity float64 `json:"capacity"`
		}),
	} {
		if raw, ok := call.body[key]; ok && strictJSON(raw, form) != nil {
			return 0, nil, invalid("payload", key, "holds a key that is not allowed")
		}
	}
	if r.Length > r.End.Sub(r.Start) {
		return 0, nil, invalid("payload", "meetingLength", "does not fit between dateStart and dateEnd")
	}
	if no := c.invite(call, r); no != nil {
		return 0, nil, no
	}
	if c.config.RequireInvitee && len(r.Invitees) == 0 {
		return 0, nil, invalid("payload", "contactEmails", "must contain at least 1 items")
	}
	c.open(r)
	return http.StatusOK, map[string]any{"id": r.ID}, nil
}

// invite resolves contactEmails and contacts. An address that is no contact
// becomes one.
func (c *Server) invite(call *call, r *MeetingRequest) *boom {
	emails, no := call.texts("contactEmails")
	if no != nil {
		return no
	}
	for i, email := range emails {
		if !IsAddress(email) {
			return invalid("payload", "contactEmails", fmt.Sprintf("at position %d must be a valid email", i))
		}
	}
	var ids []struct {
		ID string `json:"id"`
	}
	if raw, ok := call.body["contacts"]; ok {
		if err := strictJSON(raw, &ids); err != nil {
			return invalid("payload", "contacts", "must be an array of {id}")
		}
	}
	var invitees []string
	for _, ref := range ids {
		contact := c.contact(ref.ID)
		if contact == nil {
			return invalid("payload", "contacts", "names an unknown contact")
		}
		invitees = append(invitees, contact.mainEmail())
	}
	c.inviteEmails(r, append(invitees, emails...))
	return nil
}

// inviteEmails makes contacts of those who are none, each address once.
func (c *Server) inviteEmails(r *MeetingRequest, emails []string) {
	for _, email := range emails {
		if c.contactByEmail(email) == nil {
			c.contacts = append(c.contacts, newCalendarContact(Contact{Name: email, Email: []string{email}}, c.clock()))
		}
		if !slices.Contains(r.Invitees, email) {
			r.Invitees = append(r.Invitees, email)
		}
	}
}

// answer is the list's view of a request: it has no description.
func (c *Server) answer(r *MeetingRequest) map[string]any {
	contacts := []any{}
	for _, email := range r.Invitees {
		name := email
		if contact := c.contactByEmail(email); contact != nil && contact.Name != "" {
			name = contact.Name
		}
		contacts = append(contacts, map[string]any{"contactName": name, "contactEmails": []string{email}})
	}
	return map[string]any{
		"id": r.ID, "info": r.Subject, "dates": []string{fakehttp.ISOMillis(r.Start), fakehttp.ISOMillis(r.End)}, "taskStatus": c.config.Word(r.Status),
		"meetingLength": r.Length.Minutes(), "meetingType": r.Type, "contacts": contacts,
		"dateAdded": fakehttp.ISOMillis(r.DateAdded), "dateUpdated": fakehttp.ISOMillis(r.DateUpdated),
	}
}

func (c *Server) listRequests(call *call) (int, any, *boom) {
	state := RequestState(call.query.Get("state"))
	if state != "" && state != StateActive && state != StateUpcoming && state != StateClosed {
		return 0, nil, invalid("query", "state", "must be one of [active, upcoming, closed]")
	}
	page := map[string]int{"skip": 0, "take": c.config.MaxTake}
	for key := range page {
		if s := call.query.Get(key); s != "" {
			n, err := strconv.Atoi(s)
			if err != nil || n < 0 {
				return 0, nil, invalid("query", key, "must be a number")
			}
			page[key] = n
		}
	}
	var found []*MeetingRequest
	for _, r := range slices.Concat(c.requests, c.closed) {
		if r.Status == "cancelled" && c.config.ForgetDeleted {
			continue
		}
		if (state == "" || r.State == state) && (call.query.Get("type") == "" || r.Type == call.query.Get("type")) {
			found = append(found, r)
		}
	}
	if call.query.Get("tally") == "true" { // the real shape is not known
		return http.StatusOK, map[string]any{"count": len(found)}, nil
	}
	found = found[min(page["skip"], len(found)):]
	take := page["take"]
	if limit := c.config.MaxTake; limit > 0 && take > limit {
		take = limit
	}
	if call.query.Get("take") != "" || c.config.MaxTake > 0 {
		found = found[:min(take, len(found))]
	}
	items := []any{}
	for _, r := range found {
		items = append(items, c.answer(r))
	}
	return http.StatusOK, items, nil
}

func (c *Server) live(id string) *MeetingRequest {
	for _, r := range c.requests {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// deleteRequest cancels a request and mails its invitees. One that is closed is
// no longer there to delete.
func (c *Server) deleteRequest(call *call) (int, any, *boom) {
	id, no := call.id()
	if no != nil {
		return 0, nil, no
	}
	r := c.live(id)
	if r == nil {
		return 0, nil, boomf(http.StatusNotFound, "Meeting task not found")
	}
	c.cancel(r)
	return http.StatusNoContent, nil, nil
}

// remindRequest mails the invitees of an active request once more.
func (c *Server) remindRequest(call *call) (int, any, *boom) {
	id, no := call.id()
	if no != nil {
		return 0, nil, no
	}
	r := c.live(id)
	if r == nil {
		if slices.ContainsFunc(c.closed, func(r *MeetingRequest) bool { return r.ID == id }) {
			return 0, nil, boomf(http.StatusBadRequest, "Meeting task is not active")
		}
		return 0, nil, boomf(http.StatusNotFound, "Meeting task not found")
	}
	if r.State != StateActive {
		return 0, nil, boomf(http.StatusBadRequest, "Meeting task is not active")
	}
	c.mail(MailRemind, r)
	c.notice.Changed()
	return http.StatusOK, map[string]any{"message": "Reminder sent"}, nil
}

// listMeetings is the calendar: what is booked, or was.
func (c *Server) listMeetings(call *call) (int, any, *boom) {
	bounds := map[string]time.Time{}
	for _, key := range []string{"start", "end"} {
		at, ok := fakehttp.ParseISO(call.query.Get(key))
		if !ok {
			return 0, nil, invalid("query", key, "must be a valid ISO 8601 date")
		}
		bounds[key] = at
	}
	items := []any{}
	for _, r := range slices.Concat(c.closed, c.requests) {
		booked := r.State == StateUpcoming || r.Status == "completed"
		if !booked || !r.Start.Before(bounds["end"]) || !r.End.After(bounds["start"]) {
			continue
		}
		contacts := []any{}
		for _, email := range r.Invitees {
			name := email
			if contact := c.contactByEmail(email); contact != nil && contact.Name != "" {
				name = contact.Name
			}
			contacts = append(contacts, map[string]any{"name": name, "email": []string{email}})
		}
		items = append(items, map[string]any{
			"id": r.ID, "description": r.Subject, "dateStart": fakehttp.ISOMillis(r.Start), "dateEnd": fakehttp.ISOMillis(r.End),
			"dateAdded": fakehttp.ISOMillis(r.DateAdded), "dateUpdated": fakehttp.ISOMillis(r.DateUpdated), "contacts": contacts,
		})
	}
	return http.StatusOK, items, nil
}
