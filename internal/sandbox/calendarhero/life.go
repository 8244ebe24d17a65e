package calendarhero

import (
	"fmt"
	"slices"
	"time"

	"milepost/internal/sandbox/fakehttp"
)

// What happens to a request after it was made: by its invitees, by the
// account's holder in CalendarHero's own pages, and by time.

// Accept books a request as an invitee's answer does: it becomes upcoming.
func (c *Server) Accept(id string) error {
	return c.withRequest("accept", id, func(r *MeetingRequest) error {
		if r.State != StateActive {
			return fmt.Errorf("it is %s", r.State)
		}
		c.book(r)
		return nil
	})
}

// Reschedule moves a request as an invitee does who picks another time: it is
// booked then. Its length stays within the new times.
func (c *Server) Reschedule(id string, start, end time.Time) error {
	return c.withRequest("reschedule", id, func(r *MeetingRequest) error {
		if !end.After(start) {
			return fmt.Errorf("the end is not after the start")
		}
		r.Start, r.End, r.DateUpdated = start.UTC(), end.UTC(), c.clock()
		r.Length = min(r.Length, end.Sub(start))
		r.State, r.Status, r.started = StateUpcoming, "rescheduled", false
		c.raise("meeting_rescheduled", r)
		c.settle()
		return nil
	})
}

// Request makes a request as the holder does by hand in CalendarHero: its
// invitees are mailed.
func (c *Server) Request(subject string, invitees []string, start, end time.Time) (MeetingRequest, error) {
	if subject == "" || len(invitees) == 0 || !end.After(start) {
		return MeetingRequest{}, fmt.Errorf("request a meeting: a subject, an invitee and a time are needed")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.newRequest(subject, start, end)
	c.inviteEmails(r, invitees)
	c.open(r)
	return r.clone(), nil
}

// BookByLink books a meeting as a person does on a scheduling link: nothing
// waits for an answer. Somebody who is no contact yet becomes one.
func (c *Server) BookByLink(contact Contact, subject string, start, end time.Time) (MeetingRequest, error) {
	if subject == "" || len(contact.Email) == 0 || !end.After(start) {
		return MeetingRequest{}, fmt.Errorf("book by link: a subject, an e-mail address and a time are needed")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	email := contact.mainEmail()
	if c.contactByEmail(email) == nil {
		made := newCalendarContact(contact.clone(), c.clock())
		c.contacts = append(c.contacts, made)
		c.tell("new_contact_added", newContactBody{made.ID, made.Name, made.Email})
	}
	r := c.newRequest(subject, start, end)
	r.Invitees = []string{email}
	c.requests = append(c.requests, r)
	c.book(r)
	c.settle()
	c.notice.Changed()
	return r.clone(), nil
}

// newRequest is an active request that fills its time, and that nobody knows of yet.
func (c *Server) newRequest(subject string, start, end time.Time) *MeetingRequest {
	now := c.clock()
	return &MeetingRequest{
		ID: fakehttp.ObjectID(), Subject: subject, Start: start.UTC(), End: end.UTC(), Length: end.Sub(start),
		State: StateActive, Status: "pending", DateAdded: now, DateUpdated: now,
	}
}

// open makes a request known, and mails its invitees.
func (c *Server) open(r *MeetingRequest) {
	c.requests = append(c.requests, r)
	c.mail(MailInvite, r)
	c.raise("new_meeting_request", r)
	if c.config.BookAtOnce && r.Length == r.End.Sub(r.Start) {
		c.book(r)
	}
	c.settle()
	c.notice.Changed()
}

// Cancel does what the holder's click in CalendarHero does: the request is
// closed and its invitees are mailed.
func (c *Server) Cancel(id string) error {
	return c.withRequest("cancel", id, func(r *MeetingRequest) error {
		c.cancel(r)
		return nil
	})
}

// Settle starts the booked requests whose start has passed, and closes those
// whose end has. Every request to the API
// and every accessor does this first.
func (c *Server) Settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
}

// SeedRequest adds a request that was there before, and mails nobody.
func (c *Server) SeedRequest(r MeetingRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	made := r.clone()
	c.requests = append(c.requests, &made)
	c.notice.Changed()
}

// Requests returns the live requests as they were made.
func (c *Server) Requests() []MeetingRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	return copies(c.requests)
}

// Closed returns the closed requests that are remembered, the last closed last.
func (c *Server) Closed() []MeetingRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	return copies(c.closed)
}

func copies(requests []*MeetingRequest) []MeetingRequest {
	out := make([]MeetingRequest, len(requests))
	for i, r := range requests {
		out[i] = r.clone()
	}
	return out
}

func (c *Server) withRequest(what, id string, do func(*MeetingRequest) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	r := c.live(id)
	if r == nil {
		return fmt.Errorf("%s meeting request %s: no such live request", what, id)
	}
	if err := do(r); err != nil {
		return fmt.Errorf("%s meeting request %s: %w", what, id, err)
	}
	c.notice.Changed()
	return nil
}

func (c *Server) book(r *MeetingRequest) {
	r.State, r.Status, r.DateUpdated = StateUpcoming, "scheduled", c.clock()
	c.raise("meeting_request_success", r)
}

func (c *Server) cancel(r *MeetingRequest) {
	c.close(r, "cancelled")
	c.mail(MailCancel, r)
	c.raise("meeting_request_cancelled", r)
	c.notice.Changed()
}

func (c *Server) settle() {
	now := c.clock()
	over := false
	for _, r := range slices.Clone(c.requests) {
		if r.State == StateUpcoming && !r.started && !now.Before(r.Start) {
			r.started = true
			c.raise("meeting_started", r)
		}
		if now.Before(r.End) {
			continue
		}
		over = true
		if r.State == StateUpcoming {
			c.close(r, "completed")
			c.raise("meeting_completed", r)
		} else {
			c.close(r, "expired")
			c.raise("meeting_request_expired", r)
		}
	}
	if over {
		c.notice.Changed()
	}
}

func (c *Server) close(r *MeetingRequest, status string) {
	r.State, r.Status, r.DateUpdated = StateClosed, status, c.clock()
	c.requests = slices.DeleteFunc(c.requests, func(other *MeetingRequest) bool { return other == r })
	c.closed = append(c.closed, r)
	if over := len(c.closed) - c.config.Log; over > 0 {
		c.closed = slices.Delete(c.closed, 0, over)
	}
}
