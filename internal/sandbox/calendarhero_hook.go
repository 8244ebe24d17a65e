package sandbox

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/go-chi/chi/v5"
)

// heroEvents are CalendarHero's webhook events.
var heroEvents = []string{
	"new_meeting_request", "meeting_request_success", "meeting_request_expired", "meeting_request_cancelled",
	"meeting_rescheduled", "meeting_started", "meeting_completed", "new_contact_added",
}

// Hooks returns the registered URL of each event that has one.
func (c *CalendarHero) Hooks() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]string{}
	for event, hook := range c.hooks {
		out[event] = hook.url
	}
	return out
}

func (call *heroCall) event() (string, *boom) {
	event := chi.URLParam(call.r, "event")
	if !slices.Contains(heroEvents, event) {
		return "", invalid("params", "event", "must be one of the webhook events")
	}
	return event, nil
}

// putHook registers a URL; an event has one, so a second replaces the first.
func (c *CalendarHero) putHook(call *heroCall) (int, any, *boom) {
	event, no := call.event()
	if no != nil {
		return 0, nil, no
	}
	target, no := call.text("hookUrl")
	if no != nil {
		return 0, nil, no
	}
	if u, err := url.Parse(target); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return 0, nil, invalid("payload", "hookUrl", "must be a valid uri")
	}
	id := c.hooks[event].id
	if id == "" {
		id = objectID()
	}
	c.hooks[event] = hook{id, target}
	c.notice.changed()
	return http.StatusOK, map[string]any{"id": id}, nil
}

// getHook answers an empty object where nothing is registered; the real shape is not known.
func (c *CalendarHero) getHook(call *heroCall) (int, any, *boom) {
	event, no := call.event()
	if no != nil {
		return 0, nil, no
	}
	h, ok := c.hooks[event]
	if !ok {
		return http.StatusOK, map[string]any{}, nil
	}
	return http.StatusOK, map[string]any{"id": h.id, "hookUrl": h.url}, nil
}

func (c *CalendarHero) deleteHook(call *heroCall) (int, any, *boom) {
	event, no := call.event()
	if no != nil {
		return 0, nil, no
	}
	delete(c.hooks, event)
	c.notice.changed()
	return http.StatusOK, map[string]any{}, nil
}

func (c *CalendarHero) sampleHook(call *heroCall) (int, any, *boom) {
	event, no := call.event()
	if no != nil {
		return 0, nil, no
	}
	if event == "new_contact_added" {
		return http.StatusOK, map[string]any{"id": "0123456789abcdef01234567", "name": "Jane Doe", "email": []string{"jane@example.com"}}, nil
	}
	return http.StatusOK, heroEvent{"0123456789abcdef01234567", "scheduled", "2026-12-01T15:00:00.000Z", "2026-12-01T15:30:00.000Z"}, nil
}

// heroEvent is flat, unsigned and does not name its event.
type heroEvent struct {
	ID                 string `json:"id"`
	Status             string `json:"status"`
	DateScheduledStart string `json:"dateScheduledStart"`
	DateScheduledEnd   string `json:"dateScheduledEnd"`
}

// raise sends an event to its hook, where one is registered.
func (c *CalendarHero) raise(event string, r *MeetingRequest) {
	h, ok := c.hooks[event]
	if !ok {
		return
	}
	body := plainJSON(heroEvent{r.ID, r.Status, isoMillis(r.Start), isoMillis(r.End)})
	c.sender.send(newUUID(), event, h.url, http.Header{"Content-Type": {"application/json"}}, body, c.clock())
}
