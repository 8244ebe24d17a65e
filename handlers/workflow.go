package handlers

import (
	"context"
	"mime"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"milepost/clients/highlevel"
	"milepost/internal/connection"
	"milepost/internal/guard"
	"milepost/internal/httpjson"
	"milepost/internal/inbox"
	"milepost/internal/outage"
	"milepost/internal/store"
)

// WorkflowPath is where workflow webhooks go; the key follows.
const WorkflowPath = connection.WorkflowPath

// WorkflowWebhooks accepts what the Webhook and Custom Webhook actions of
// HighLevel's workflows send. They are unsigned, so the key in the URL says
// which location may send it; whatever the body says is stored for that one.
// They have no delivery id either, and two equal bodies are two deliveries:
// what they tell of is the same record, so the second changes nothing.
//
// HighLevel documents no retry of these. A refusal is shown in the execution
// log of the workflow, where its author looks, so what can only be a mistake
// of the author's is refused rather than stored and skipped.
type WorkflowWebhooks struct {
	// Location returns the location of a key; ok is false for one that is unknown or expired.
	Location   func(ctx context.Context, key string) (locationID string, ok bool, err error)
	Inbox      *inbox.Inbox
	Logger     zerolog.Logger
	Rejections zerolog.Logger // of requests; may be sampled, because anyone can send them
	Now        func() time.Time
	Outages    *outage.Log // of Location; nil logs each failure
	Guard      *guard.Guard
}

func (h *WorkflowWebhooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	location, ok, err := h.Location(r.Context(), chi.URLParam(r, "key"))
	switch {
	case err != nil:
		guard.Unread(w, r)
		notStored(w, h.Logger, h.Outages, err)
		return
	case !ok:
		h.Outages.Succeeded()
		guard.Unread(w, r)
		reject(w, r, h.Rejections, http.StatusNotFound, "unknown or revoked workflow webhook URL; `milepost workflow-key` creates one")
		return
	}
	h.Outages.Succeeded()
	logger := h.Rejections.With().Str("location", location).Logger()
	guard.Proven(r.Context())
	body, done, ok := readBody(w, r, h.Guard, logger)
	defer done()
	if !ok {
		return
	}
	event, body, problem := parseWorkflow(r.Header.Get("Content-Type"), body)
	if problem == "" && event.LocationID != "" && event.LocationID != location {
		// A workflow that was copied to another sub-account, with the URL in it.
		problem = "this URL belongs to another location than the workflow; `milepost workflow-key " + event.LocationID + "` creates one for it"
	}
	if problem != "" {
		reject(w, r, logger, http.StatusBadRequest, problem)
		return
	}
	_, err = h.Inbox.Accept(r.Context(), inbox.Webhook{
		Type: highlevel.WorkflowEventType, ContactID: event.ContactID,
		Entity:     store.Entity{LocationID: location, Kind: store.KindWorkflow, ID: event.RecordID()},
		ReceivedAt: h.Now(), Body: body,
	})
	if err != nil {
		notStored(w, h.Logger, h.Outages, err)
		return
	}
	httpjson.Write(w, http.StatusOK, receipt{Status: "stored"})
}

// parseWorkflow reads a body of either type, and gives it back as JSON. problem
// says what is wrong with it, or is "".
func parseWorkflow(contentType string, body []byte) (_ highlevel.WorkflowEvent, object []byte, problem string) {
	if media, _, err := mime.ParseMediaType(contentType); err == nil && media == "application/x-www-form-urlencoded" {
		if body, err = highlevel.WorkflowForm(body); err != nil {
			return highlevel.WorkflowEvent{}, nil, err.Error()
		}
	} else if !jsonContent(contentType) {
		return highlevel.WorkflowEvent{}, nil, "the content type is neither application/json nor application/x-www-form-urlencoded"
	}
	event, err := highlevel.ParseWorkflowEvent(body)
	if err != nil {
		return highlevel.WorkflowEvent{}, nil, err.Error()
	}
	return event, body, ""
}
