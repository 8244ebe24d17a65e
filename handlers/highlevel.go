// Package handlers answers the HTTP endpoints, one file for each group.
//
// Guarantee: a webhook is answered 200 only after it is stored, or if there is
// nothing to do for it.
//
// A handler decides what to answer. It does not know what is synced.
package handlers

import (
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients/highlevel"
	"milepost/internal/guard"
	"milepost/internal/httpjson"
	"milepost/internal/inbox"
	"milepost/internal/outage"
	"milepost/internal/peer"
	"milepost/internal/store"
)

// MaxWebhookBody is the largest webhook accepted, in bytes. HighLevel's are a
// few kilobytes.
const MaxWebhookBody = 1 << 20

// HighLevelWebhooks accepts the events of a HighLevel Marketplace app:
// verified, stored, answered. What is answered decides what HighLevel sends
// again: any status but 2xx is retried (429 alone under its older policy), so
// only what may succeed later is refused with 429.
type HighLevelWebhooks struct {
	Keys   highlevel.Keys
	AppID  func() string // the app's own id; nil, or "", accepts the events of any app
	Inbox  *inbox.Inbox
	Logger zerolog.Logger
	// Rejections logs rejected requests. It may be sampled, because anyone can send them.
	Rejections zerolog.Logger
	Now        func() time.Time
	// Outages logs why webhooks cannot be stored, where the inbox does not; nil logs each of them.
	Outages *outage.Log
	Guard   *guard.Guard
}

func (h *HighLevelWebhooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.Keys.Check(r.Header); err != nil {
		guard.Unread(w, r)
		reject(w, r, h.Rejections, http.StatusUnauthorized, err.Error())
		return
	}
	body, done, ok := readBody(w, r, h.Guard, h.Rejections)
	defer done()
	if !ok {
		return
	}
	turn := h.Guard.Turn(r.Context())
	err := h.Keys.Verify(r.Header, body)
	turn()
	if err != nil {
		reject(w, r, h.Rejections, http.StatusUnauthorized, err.Error())
		return
	}
	guard.Proven(r.Context())
	if !jsonContent(r.Header.Get("Content-Type")) {
		reject(w, r, h.Rejections, http.StatusBadRequest, "the content type is not application/json")
		return
	}
	event, err := highlevel.ParseEvent(body)
	if err != nil {
		reject(w, r, h.Rejections, http.StatusBadRequest, err.Error())
		return
	}
	if h.AppID != nil && event.AppID != "" && h.AppID() != "" && event.AppID != h.AppID() {
		// One key signs for every app: this event is genuine, and not ours.
		h.Logger.Warn().Str("app", event.AppID).Str("type", event.Type).Msg("webhook of another app ignored")
		httpjson.Write(w, http.StatusOK, receipt{Status: "ignored", Reason: "the event belongs to another app"})
		return
	}
	duplicate, err := h.Inbox.Accept(r.Context(), inbox.Webhook{
		WebhookID: event.WebhookID, Type: event.Type, ContactID: event.ContactID, Deleted: event.Deleted,
		Entity:     store.Entity{LocationID: event.LocationID, Kind: event.Kind, ID: event.EntityID},
		ReceivedAt: h.Now(), Body: body,
	})
	switch {
	case err != nil:
		notStored(w, h.Logger, h.Outages, err)
	case duplicate:
		httpjson.Write(w, http.StatusOK, receipt{Status: "duplicate"})
	default:
		httpjson.Write(w, http.StatusOK, receipt{Status: "stored"})
	}
}

// readBody reads a webhook's body; where that fails it answers, and ok is false.
// done is to be called when the request is answered.
func readBody(w http.ResponseWriter, r *http.Request, g *guard.Guard, logger zerolog.Logger) (body []byte, done func(), ok bool) {
	body, done, err := g.ReadBody(w, r, MaxWebhookBody)
	switch _, tooLarge := errors.AsType[*http.MaxBytesError](err); {
	case tooLarge:
		reject(w, r, logger, http.StatusRequestEntityTooLarge, "the body is larger than 1 MiB")
	case errors.Is(err, guard.ErrBusy):
		w.Header().Set("Retry-After", "30")
		reject(w, r, logger, http.StatusTooManyRequests, err.Error()+"; send it again")
	case err != nil:
		reject(w, r, logger, http.StatusBadRequest, "the body is incomplete")
	}
	return body, done, err == nil
}

// notStored asks for the webhook to be sent again. The inbox logs its own outages.
func notStored(w http.ResponseWriter, logger zerolog.Logger, outages *outage.Log, err error) {
	switch {
	case outages == nil:
		logger.Error().Err(err).Msg("webhook not stored; answered 429")
	case !errors.Is(err, inbox.ErrNotStored):
		outages.Failed(err)
	}
	w.Header().Set("Retry-After", "30")
	httpjson.Problem(w, http.StatusTooManyRequests, "the webhook could not be stored; send it again")
}

// reject rejects a webhook and logs it, so that anyone who misses an event finds
// the reason in the log.
func reject(w http.ResponseWriter, r *http.Request, logger zerolog.Logger, status int, reason string) {
	logger.Warn().Int("status", status).Str("reason", reason).Str("client", peer.Text(r.Context())).Msg("webhook rejected")
	httpjson.Problem(w, status, reason)
}

// receipt is the body of a 200.
type receipt struct {
	Status string `json:"status"` // stored, duplicate or ignored
	Reason string `json:"reason,omitempty"`
}

// jsonContent reports whether a Content-Type is JSON; one that is missing may be.
func jsonContent(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}
