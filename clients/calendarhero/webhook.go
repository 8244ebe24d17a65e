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

// These are the events for which CalendarHero has webhooks. It has none for a changed or
// deleted contact.
const (
	NewMeetingRequest       = "new_meeting_request"       // the holder made a meeting request
	MeetingRequestSuccess   = "meeting_request_success"   // an invitee accepted, a meeting is booked
	MeetingRequestExpired   = "meeting_request_expired"   // nobody accepted in time
	MeetingRequestCancelled = "meeting_request_cancelled" // the holder cancelled it
	MeetingRescheduled      = "meeting_rescheduled"
	MeetingStarted          = "meeting_started"   // its start time has come
	MeetingCompleted        = "meeting_completed" // its end time has come
	NewContactAdded         = "new_contact_added" // a new person used a scheduling link
)

// Events lists all of them.
var Events = []string{
	NewMeetingRequest, MeetingRequestSuccess, MeetingRequestExpired, MeetingRequestCancelled,
	MeetingRescheduled, MeetingStarted, MeetingCompleted, NewContactAdded,
}

// Hook is where CalendarHero sends an event. Each event has one Hook for the whole account,
// regardless of who registered it.
type Hook struct {
	ID  string // may be ""
	URL string // a secret: it may hold a key
}

// Hook reads where CalendarHero sends an event; registered is false if nobody has
// registered for it. The answer is undocumented: an empty answer, a 404 and a server
// without this call (405) mean no registration. An answer without a URL that says something
// is a registration with URL "", by somebody unknown.
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

// SetHook makes CalendarHero send an event to a URL from now on. It replaces any other
// registration, and whoever made that one gets no more events; so read Hook first. It
// returns the registration's id, "" if there is none in the answer. It may be retried,
// because registering the same URL twice changes nothing.
func (c *Client) SetHook(ctx context.Context, event, hookURL string) (id string, err error) {
	var out json.RawMessage
	err = c.do(ctx, route{
		operation: "set webhook", method: http.MethodPost, path: "/webhook/%s", ids: []string{event},
		effect: clients.Idempotent, body: hookBody{hookURL}, secrets: hookSecrets(hookURL),
	}, &out)
	o, _ := clients.ParseObject(out)
	return o.Text("id"), err
}

// hookSecrets returns the parts of a hook's URL that an answer might repeat.
func hookSecrets(hookURL string) []string {
	secrets := []string{hookURL}
	if u, err := url.Parse(hookURL); err == nil {
		secrets = append(secrets, u.EscapedPath(), u.RawQuery)
	}
	return secrets
}

// DeleteHook deletes the registration of an event, regardless of who made it.
func (c *Client) DeleteHook(ctx context.Context, event string) error {
	return c.do(ctx, route{
		operation: "delete webhook", method: http.MethodDelete, path: "/webhook/%s", ids: []string{event}, effect: clients.Idempotent,
	}, nil)
}

// HookSample fetches CalendarHero's sample body of an event; nil if there is none. The
// sample may contain personal data of the account.
func (c *Client) HookSample(ctx context.Context, event string) (json.RawMessage, error) {
	var out json.RawMessage
	err := c.do(ctx, route{operation: "get sample of webhook", method: http.MethodGet, path: "/webhook/%s/sample", ids: []string{event}}, &out)
	return out, err
}
