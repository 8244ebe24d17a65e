package calendarhero

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"milepost/clients"
)

// The events that CalendarHero tells of. There is none of a contact that is
// changed or deleted.
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

// Hook reads where an event is sent; false where no one has registered for it.
// What the API answers is not documented: an answer of nothing, a 404 and a
// server without this call (405) are no registration. An answer that says
// something but no URL is a registration with URL "": whose it is cannot be known.
func (c *Client) Hook(ctx context.Context, event string) (hook Hook, registered bool, err error) {
	var out json.RawMessage
	err = c.do(ctx, route{operation: "get webhook", method: http.MethodGet, path: "/webhook/%s", ids: []string{event}}, &out)
	if e, ok := errors.AsType[*clients.Error](err); ok && slices.Contains(noHook, e.Status) {
		return Hook{}, false, nil
	}
	if err != nil || blank(out) {
		return Hook{}, false, err
	}
	hook, _ = findHook(clients.Object{"url": out}, 4) // it may be the bare URL
	return hook, true, nil
}

var noHook = []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented}

// blank reports whether JSON says nothing: it is null, false, an empty text,
// or holds nothing else; or it is an object whose URL is empty.
func blank(raw json.RawMessage) bool {
	var list []json.RawMessage
	if o, err := clients.ParseObject(raw); err == nil {
		for _, key := range hookKeys {
			if url, has := o[key]; has {
				return blank(url)
			}
		}
		list = slices.Collect(maps.Values(o))
	} else if json.Unmarshal(raw, &list) != nil {
		return slices.Contains([]string{"", "false", `""`}, string(bytes.TrimSpace(raw)))
	}
	return !slices.ContainsFunc(list, func(item json.RawMessage) bool { return !blank(item) })
}

var hookKeys = []string{"hookUrl", "hookURL", "url"}

// findHook looks for a URL in an object and, that far down, in what it holds.
func findHook(o clients.Object, depth int) (hook Hook, found bool) {
	for _, key := range hookKeys {
		if urls := o.Texts(key); len(urls) > 0 {
			return Hook{ID: o.Text("id"), URL: urls[0]}, true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(o)) {
		held := o.Objects(key)
		if one, err := clients.ParseObject(o[key]); err == nil {
			held = []clients.Object{one}
		}
		for _, inner := range held {
			if depth == 0 {
				return Hook{}, false
			}
			if hook, found = findHook(inner, depth-1); found {
				return hook, found
			}
		}
	}
	return Hook{}, false
}

// SetHook sends an event to a URL from now on, in place of wherever it went
// before: whoever had registered hears no more of it, so read Hook first. It
// returns the registration's id, "" where none is told. It is tried again, for
// the same URL twice is one registration.
func (c *Client) SetHook(ctx context.Context, event, hookURL string) (id string, err error) {
	body := struct {
		HookURL string `json:"hookUrl"`
	}{hookURL}
	var out json.RawMessage
	err = c.do(ctx, route{
		operation: "set webhook", method: http.MethodPost, path: "/webhook/%s", ids: []string{event},
		effect: clients.Idempotent, body: body, secrets: hookSecrets(hookURL),
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

// DeleteHook ends the sending of an event, whoever registered for it.
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
