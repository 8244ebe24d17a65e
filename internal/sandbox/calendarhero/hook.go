package calendarhero

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/go-chi/chi/v5"

	"milepost/internal/sandbox/fakehttp"
)

// events are CalendarHero's webhook events.
var events = []string{
	"new_meeting_request", "meeting_request_success", "meeting_request_expired", "meeting_request_cancelled",
	"meeting_rescheduled", "meeting_started", "meeting_completed", "new_contact_added",
}

// Hooks returns the registered URL of each event that has one.
func (c *Server) Hooks() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]string{}
	for event, hook := range c.hooks {
		out[event] = hook.url
	}
	return out
}

// SetHook registers a URL as another tool does: silently, in place of what
// was there.
func (c *Server) SetHook(event, url string) error {
	if !slices.Contains(events, event) {
		return fmt.Errorf("set webhook: CalendarHero has no event %q", event)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setHook(event, url)
	return nil
}

// DropHook makes the registration of an event vanish.
func (c *Server) DropHook(event string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.hooks, event)
	c.notice.Changed()
}

func (c *Server) setHook(event, url string) (id string) {
	if id = c.hooks[event].id; id == "" {
		id = fakehttp.ObjectID()
	}
	c.hooks[event] = hook{id, url}
	c.notice.Changed()
	return id
}

func (call *call) event() (string, *boom) {
	event := chi.URLParam(call.r, "event")
	if !slices.Contains(events, event) {
		return "", invalid("params", "event", "must be one of the webhook events")
	}
	return event, nil
}

// putHook registers a URL; an event has one, so a second replaces the first.
func (c *Server) putHook(call *call) (int, any, *boom) {
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
	return http.StatusOK, map[string]any{"id": c.setHook(event, target)}, nil
}

// getHook answers an empty object where nothing is registered; the real shape is not known.
func (c *Server) getHook(call *call) (int, any, *boom) {
	event, no := call.event()
	if no != nil {
		return 0, nil, no
	}
	h, ok := c.hooks[event]
	switch {
	case ok:
	case c.config.NoHook404:
		return 0, nil, boomf(http.StatusNotFound, "Webhook not found")
	default:
		return http.StatusOK, map[string]any{}, nil
	}
	return http.StatusOK, map[string]any{"id": h.id, "hookUrl": h.url}, nil
}

func (c *Server) deleteHook(call *call) (int, any, *boom) {
	event, no := call.event()
	if no != nil {
		return 0, nil, no
	}
	delete(c.hooks, event)
	c.notice.Changed()
	return http.StatusOK, map[string]any{}, nil
}

func (c *Server) sampleHook(call *call) (int, any, *boom) {
	event, no := call.event()
	if no != nil {
		return 0, nil, no
	}
	if event == "new_contact_added" {
		return http.StatusOK, newContactBody{"0123456789abcdef01234567", "Jane Doe", []string{"jane@example.com"}}, nil
	}
	return http.StatusOK, eventBody{"0123456789abcdef01234567", c.config.Word("scheduled"), "2026-12-01T15:00:00.000Z", "2026-12-01T15:30:00.000Z"}, nil
}

// eventBody is flat, unsigned and does not name its event.
type eventBody struct {
	ID                 string `json:"id"`
	Status             string `json:"status"`
	DateScheduledStart string `json:"dateScheduledStart"`
	DateScheduledEnd   string `json:"dateScheduledEnd"`
}

// newContactBody is what a receiver must cope with; the real shape is not known.
type newContactBody struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Email []string `json:"email"`
}

// raise tells of what happened to a request.
func (c *Server) raise(event string, r *MeetingRequest) {
	c.tell(event, eventBody{r.ID, c.config.Word(r.Status), fakehttp.ISOMillis(r.Start), fakehttp.ISOMillis(r.End)})
}

// tell sends an event to its hook, where one is registered.
func (c *Server) tell(event string, body any) {
	h, ok := c.hooks[event]
	if !ok {
		return
	}
	c.sender.Send(fakehttp.UUID(), event, h.url, http.Header{"Content-Type": {"application/json"}}, fakehttp.JSON(body), c.clock())
}
