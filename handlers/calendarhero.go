package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"milepost/clients/calendarhero"
	"milepost/internal/connection"
	"milepost/internal/guard"
	"milepost/internal/httpjson"
	"milepost/internal/inbox"
	"milepost/internal/outage"
	"milepost/internal/store"
	"milepost/mapping"
)

// CalendarHeroPath is where the webhooks of CalendarHero go; the account's key, "/"
// and the event follow.
const CalendarHeroPath = connection.HookPath

// CalendarHeroWebhooks accepts the webhooks of CalendarHero. They are unsigned
// and name neither their account nor their event, so the key in the URL says
// which account may send them, and the URL's end what happened. The body is a
// hint which meeting to look at. They have no delivery id: two equal ones are
// two looks, and the second finds nothing changed.
//
// Whether CalendarHero sends a refused webhook again is not known. So what may be
// of use is stored, and one without an id is skipped later, where it is seen.
type CalendarHeroWebhooks struct {
	// Location returns the location that a key's webhooks are stored for; ok is
	// false for a key that is unknown or no longer used.
	Location   func(ctx context.Context, key string) (locationID string, ok bool, err error)
	Inbox      *inbox.Inbox
	Logger     zerolog.Logger
	Rejections zerolog.Logger // of requests; may be sampled, because anyone can send them
	Now        func() time.Time
	Outages    *outage.Log // of Location; nil logs each failure
	Guard      *guard.Guard
}

func (h *CalendarHeroWebhooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const nothing = "unknown or revoked CalendarHero webhook URL; `milepost hooks` shows what is registered"
	event := chi.URLParam(r, "event")
	if !slices.Contains(calendarhero.Events, event) {
		guard.Unread(w, r)
		reject(w, r, h.Rejections, http.StatusNotFound, nothing)
		return
	}
	location, ok, err := h.Location(r.Context(), chi.URLParam(r, "key"))
	switch {
	case err != nil:
		guard.Unread(w, r)
		notStored(w, h.Logger, h.Outages, err)
		return
	case !ok:
		h.Outages.Succeeded()
		guard.Unread(w, r)
		reject(w, r, h.Rejections, http.StatusNotFound, nothing)
		return
	}
	h.Outages.Succeeded()
	logger := h.Rejections.With().Str("location", location).Str("event", event).Logger()
	guard.Proven(r.Context())
	body, done, ok := readBody(w, r, h.Guard, logger)
	defer done()
	if !ok {
		return
	}
	id, err := calendarhero.ParseEvent(body)
	if err != nil {
		reject(w, r, logger, http.StatusBadRequest, err.Error())
		return
	}
	kind := string(mapping.KindMeeting)
	if event == calendarhero.NewContactAdded {
		kind = store.KindCalendarContact
	} else {
		// The body does not say which contact or location the meeting belongs to, so
		// an erasure could not find it. Keep only the id; nobody reads the rest.
		if body, err = json.Marshal(map[string]string{"id": id}); err != nil {
			notStored(w, h.Logger, h.Outages, err)
			return
		}
	}
	_, err = h.Inbox.Accept(r.Context(), inbox.Webhook{
		Type: "calendarhero." + event, Entity: store.Entity{LocationID: location, Kind: kind, ID: id},
		ReceivedAt: h.Now(), Body: body,
	})
	if err != nil {
		notStored(w, h.Logger, h.Outages, err)
		return
	}
	httpjson.Write(w, http.StatusOK, receipt{Status: "stored"})
}
