package handlers

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"milepost/internal/connection"
	"milepost/internal/guard"
	"milepost/internal/httpjson"
	"milepost/internal/ical"
	"milepost/internal/outage"
	"milepost/internal/peer"
	"milepost/internal/store"
	"milepost/mapping"
)

// CalendarPath is where the iCalendar feeds are; the key and ".ics" follow.
const CalendarPath = connection.CalendarPath

const (
	feedProduct = "-//Milepost//Milepost//EN"
	feedFormat  = "1" // raised where the same items are written otherwise
	feedRefresh = 15 * time.Minute
	feedPage    = 500              // items that are in memory at once
	feedStall   = 30 * time.Second // that a page may take to be sent
)

// Feed answers with the events, tasks and notes of a location, or of one
// contact or user of it, as an iCalendar object. The key in the URL says which,
// and is its only protection. A client that asks again gets 304 while nothing has
// changed, for the price of one index lookup.
type Feed struct {
	// Feed returns what a key opens and the name of its location; ok is false for one
	// that is unknown or revoked.
	Feed       func(ctx context.Context, key string) (feed store.Feed, location string, ok bool, err error)
	Store      *store.Store
	Logger     zerolog.Logger
	Rejections zerolog.Logger // of requests; may be sampled, because anyone can send them
	Now        func() time.Time
	Outages    *outage.Log // while calendars cannot be read; nil logs each failure
	// Streams has room for the calendars that are written at once: each takes a
	// megabyte, for as long as its client takes to read it. nil = any number.
	Streams chan struct{}
}

func (h *Feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	feed, location, ok, err := h.Feed(r.Context(), chi.URLParam(r, "key"))
	switch {
	case err != nil:
		h.away(w, err)
		return
	case !ok:
		h.Rejections.Warn().Int("status", http.StatusNotFound).Str("client", peer.Text(r.Context())).Msg("feed requested with an unknown key")
		httpjson.Problem(w, http.StatusNotFound, "unknown or revoked calendar URL; `milepost feed-key` creates one")
		return
	}
	guard.Proven(r.Context())
	state, err := h.Store.FeedState(r.Context(), feed)
	if err != nil {
		h.away(w, err)
		return
	}
	h.Outages.Succeeded()
	name := feedName(feed, location)
	head := w.Header()
	head.Set("Cache-Control", "private, no-cache") // ask each time whether it changed
	head.Set("Vary", "Accept-Encoding")
	head.Set("ETag", feedTag(name, state))
	// A second that is not over may see another change.
	if changed := state.ChangedAt.Truncate(time.Second); !changed.IsZero() && changed.Before(h.Now().Truncate(time.Second)) {
		head.Set("Last-Modified", changed.UTC().Format(http.TimeFormat))
	}
	if unchanged(r, head) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	head.Set("Content-Type", "text/calendar; charset=utf-8")
	head.Set("Content-Disposition", `inline; filename="milepost.ics"`)
	head.Set("X-Content-Type-Options", "nosniff")
	zipped := httpjson.AcceptsGzip(r.Header.Get("Accept-Encoding"))
	if zipped {
		head.Set("Content-Encoding", "gzip")
	}
	if r.Method == http.MethodHead {
		return
	}
	if h.Streams != nil {
		select {
		case h.Streams <- struct{}{}:
			defer func() { <-h.Streams }()
		default:
			head.Del("Content-Encoding")
			head.Del("Content-Disposition")
			head.Set("Retry-After", "30")
			httpjson.Problem(w, http.StatusServiceUnavailable, "too many calendar requests at once; retry")
			return
		}
	}
	if err := h.stream(r.Context(), w, feed, name, zipped); err != nil {
		if r.Context().Err() == nil {
			h.Logger.Error().Err(err).Str("location", feed.LocationID).Msg("calendar answer broke off")
		}
		panic(http.ErrAbortHandler) // so that nobody takes a part for the whole
	}
}

// away answers that the calendar cannot be read now.
func (h *Feed) away(w http.ResponseWriter, err error) {
	if h.Outages != nil {
		h.Outages.Failed(err)
	} else {
		h.Logger.Error().Err(err).Msg("could not read a calendar")
	}
	w.Header().Set("Retry-After", "30")
	httpjson.Problem(w, http.StatusServiceUnavailable, "Milepost cannot read the calendar now; the log says why")
}

// feedName is how calendars call the feed. A contact's or user's name is not known here.
func feedName(feed store.Feed, location string) string {
	name := "Milepost"
	if location != "" {
		name = location
	}
	switch {
	case feed.ContactID != "":
		name += ": one contact"
	case feed.AssignedTo != "":
		name += ": one user"
	}
	return name
}

// feedTag is weak: packed or not, it stands for the same calendar.
func feedTag(name string, s store.FeedState) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%d\x00%d", feedFormat, name, s.Items, s.Revisions, s.Newest.UnixMicro()))
	return `W/"` + hex.EncodeToString(sum[:12]) + `"`
}

// unchanged reports whether the client has what is there now (RFC 9110 13.2.2).
func unchanged(r *http.Request, head http.Header) bool {
	if r.Header["If-None-Match"] != nil {
		tag := strings.TrimPrefix(head.Get("ETag"), "W/")
		for _, known := range strings.Split(strings.Join(r.Header["If-None-Match"], ","), ",") {
			known = strings.TrimSpace(known)
			if known == "*" || strings.TrimPrefix(known, "W/") == tag {
				return true
			}
		}
		return false
	}
	since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	changed, changedErr := http.ParseTime(head.Get("Last-Modified"))
	return err == nil && changedErr == nil && !changed.After(since)
}

// stream writes the calendar, a page of items at a time.
func (h *Feed) stream(ctx context.Context, w http.ResponseWriter, feed store.Feed, name string, zipped bool) error {
	spans, err := h.Store.FeedZones(ctx, feed)
	if err != nil {
		return err
	}
	var out io.Writer = w
	if zipped {
		packed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil {
			return err
		}
		defer func() { _ = packed.Close() }() // of an answer that broke off
		out = packed
	}
	connection := http.NewResponseController(w)
	calendar := ical.NewWriter(out, ical.Header{Product: feedProduct, Name: name, Refresh: feedRefresh})
	zones := map[string]*time.Location{}
	for _, s := range spans {
		zone, err := mapping.LoadZone(s.Zone)
		if err != nil {
			continue // one that this machine does not know: in UTC
		}
		zones[s.Zone] = zone
		calendar.TimeZone(zone, s.From, s.To)
	}
	for after := ""; ; {
		items, err := h.Store.FeedItems(ctx, feed, after, feedPage)
		if err != nil {
			return err
		}
		_ = connection.SetWriteDeadline(time.Now().Add(feedStall)) // not everywhere there is one
		for _, i := range items {
			calendar.Component(component(i, zones[i.Zone]))
		}
		if err := calendar.Flush(); err != nil {
			return err
		}
		if len(items) < feedPage {
			break
		}
		after = items[len(items)-1].UID
	}
	if err := calendar.Close(); err != nil {
		return err
	}
	if packed, ok := out.(*gzip.Writer); ok {
		return packed.Close()
	}
	return nil
}

// component writes an item down in iCalendar's words. zone may be nil, which is UTC.
func component(i store.Item, zone *time.Location) ical.Component {
	if zone == nil {
		zone = time.UTC
	}
	c := ical.Component{
		UID: i.UID, Sequence: i.Sequence, Created: i.CreatedAt, Modified: i.UpdatedAt, Status: i.Status,
		Summary: i.Content.Title, Text: describe(i.Content), Location: i.Content.Place, Categories: i.Content.Tags,
		Start: i.Start.In(zone), End: i.End.In(zone), Alarms: i.Content.Reminders,
	}
	switch i.Kind {
	case store.ItemEvent:
		// Should CalendarHero read this calendar too, the time of what waits for an
		// answer must not be taken by itself.
		c.Kind, c.Free = ical.Event, i.Status == store.StatusTentative
	case store.ItemTask:
		c.Kind, c.DateOnly = ical.Todo, i.Content.DateOnly
		if i.Status == store.StatusCompleted {
			c.Completed = i.UpdatedAt // when that was noticed
		}
	default:
		c.Kind, c.Text = ical.Journal, i.Content.Text
		c.Summary, _, _ = strings.Cut(i.Content.Text, "\n")
	}
	if i.Status == store.StatusCancelled || i.Status == store.StatusCompleted {
		c.Alarms = nil
	}
	return c
}

// describe is the text of an event or task with the notes that it carries, newest first.
func describe(c store.Content) string {
	text := c.Description
	if len(c.Notes) == 0 {
		return text
	}
	if text != "" {
		text += "\n\n"
	}
	text += "Notes:"
	for _, n := range c.Notes {
		text += "\n- " + strings.ReplaceAll(n, "\n", "\n  ")
	}
	return text
}
