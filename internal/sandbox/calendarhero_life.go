package sandbox

import (
	"fmt"
	"slices"
	"time"
)

// What happens to a request after it was made: by its invitees, by the
// account's holder in CalendarHero's own pages, and by time.

// Accept books a request as an invitee's answer does: it becomes upcoming.
func (c *CalendarHero) Accept(id string) error {
	return c.withRequest("accept", id, func(r *MeetingRequest) error {
		if r.State != StateActive {
			return fmt.Errorf("it is %s", r.State)
		}
		c.book(r)
		return nil
	})
}

// Reschedule moves a request; its length stays within the new times.
func (c *CalendarHero) Reschedule(id string, start, end time.Time) error {
	return c.withRequest("reschedule", id, func(r *MeetingRequest) error {
		if !end.After(start) {
			return fmt.Errorf("the end is not after the start")
		}
		r.Start, r.End, r.DateUpdated = start.UTC(), end.UTC(), c.clock()
		r.Length = min(r.Length, end.Sub(start))
		r.Status = "rescheduled"
		c.raise("meeting_rescheduled", r)
		return nil
	})
}

// Cancel does what the holder's click in CalendarHero does: the request is
// closed and its invitees are mailed.
func (c *CalendarHero) Cancel(id string) error {
	return c.withRequest("cancel", id, func(r *MeetingRequest) error {
		c.cancel(r)
		return nil
	})
}

// Settle closes the requests whose end has passed. Every request to the API
// and every accessor does this first.
func (c *CalendarHero) Settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
}

// Requests returns the live requests as they were made.
func (c *CalendarHero) Requests() []MeetingRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	return copies(c.requests)
}

// Closed returns the closed requests that are remembered, the last closed last.
func (c *CalendarHero) Closed() []MeetingRequest {
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

func (c *CalendarHero) withRequest(what, id string, do func(*MeetingRequest) error) error {
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
	c.notice.changed()
	return nil
}

func (c *CalendarHero) book(r *MeetingRequest) {
	r.State, r.Status, r.DateUpdated = StateUpcoming, "scheduled", c.clock()
	c.raise("meeting_request_success", r)
}

func (c *CalendarHero) cancel(r *MeetingRequest) {
	c.close(r, "cancelled")
	c.mail(MailCancel, r)
	c.raise("meeting_request_cancelled", r)
	c.notice.changed()
}

func (c *CalendarHero) settle() {
	now := c.clock()
	over := false
	for _, r := range slices.Clone(c.requests) {
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
		c.notice.changed()
	}
}

func (c *CalendarHero) close(r *MeetingRequest, status string) {
	r.State, r.Status, r.DateUpdated = StateClosed, status, c.clock()
	c.requests = slices.DeleteFunc(c.requests, func(other *MeetingRequest) bool { return other == r })
	c.closed = append(c.closed, r)
	if over := len(c.closed) - c.config.Log; over > 0 {
		c.closed = slices.Delete(c.closed, 0, over)
	}
}
