package calendarhero

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"milepost/clients"
)

// The events that CalendarHero has webhooks for. There is none for a changed or
// deleted contact.
const (
	NewMeetingRequest       = "new_meeting_request"       // the holder made a meeting request
	MeetingRequestSuccess   = "meeting_request_success"   // an invitee accepted, a meeting is booked
	MeetingRequestExpired   = "meeting_request_expired"   // nobody accepted in time
	MeetingRequestCancelled = "meeting_request_cancelled" // the holder cancelled it
	MeetingRescheduled      = "meeting_rescheduled"
	MeetingStarted          = "meeting_started"   // its start is reached
	MeetingCompleted        = "meeting_completed" // its end is reached
	NewContactAdded         = "new_contact_added" // somebody new came by a scheduling link
)

// Events are all of them.
var Events = []string{
	NewMeetingRequest, MeetingRequestSuccess, MeetingRequestExpired, MeetingRequestCancelled,
	MeetingRescheduled, MeetingStarted, MeetingCompleted, NewContactAdded,
}

// Hook is where an event is sent. An event has one for the whole account,
// whoever registered it.
type Hook struct {
	ID  string // may be ""
	URL string // a secret: it may hold a key
}

// Hook reads where an event is sent; false if no one has registered for it.
// What the API answers is not documented: an answer of nothing, a 404 and a
// server without this call (405) are no registration. An answer that says
// something but no URL is a registration with URL "": whose it is cannot be known.
func (c *Client) Hook(ctx context.Context, event string) (hook Hook, registered bool, err error) {
	var out json.RawMessage
	err = c.do(ctx, route{operation: "get webhook", method: http.MethodGet, path: "/webhook/%s", ids: []string{event}}, &out)
	if e, ok := errors.AsType[*clients.Error](err); ok && slices.Contains(noHook, e.Status) {
		return Hook{}, false, nil
	}
	if err != nil {
		return Hook{}, false, err
	}
	hook, registered = registration(out)
	return hook, registered, nil
}

var noHook = []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented}

type hookBody struct {
	HookURL string `json:"hookUrl"`
}

// SetHook sends an event to a URL from now on, in place of wherever it went
// before: whoever had registered hears no more of it, so read Hook first. It
// returns the registration's id, "" if none is told. It is tried again, for
// the same URL twice is one registration.
func (c *Client) SetHook(ctx context.Context, event, hookURL string) (id string, err error) {
	var out json.RawMessage
	err = c.do(ctx, route{
		operation: "set webhook", method: http.MethodPost, path: "/webhook/%s", ids: []string{event},
		effect: clients.Idempotent, body: hookBody{hookURL}, secrets: hookSecrets(hookURL),
	}, &out)
	o, _ := clients.ParseObject(out)
	return o.Text("id"), err
}

// hookSecrets are the parts of a hook's URL that an answer might repeat.
func hookSecrets(hookURL string) []string {
	secrets := []string{hookURL}
	if u, err := url.Parse(hookURL); err == nil {
		secrets = append(secrets, u.EscapedPath(), u.RawQuery)
	}
	return secrets
}

// DeleteHook deletes the registration of an event, no matter who made it.
func (c *Client) DeleteHook(ctx context.Context, event string) error {
	return c.do(ctx, route{
		operation: "delete webhook", method: http.MethodDelete, path: "/webhook/%s", ids: []string{event}, effect: clients.Idempotent,
	}, nil)
}

// HookSample fetches what CalendarHero shows as a body of the event; nil where
// it shows none. It may be made of the account's own data: personal.
func (c *Client) HookSample(ctx context.Context, event string) (json.RawMessage, error) {
	var out json.RawMessage
	err := c.do(ctx, route{operation: "get sample of webhook", method: http.MethodGet, path: "/webhook/%s/sample", ids: []string{event}}, &out)
	return out, err
}
