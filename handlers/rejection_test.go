package handlers_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"milepost/handlers"
)

func TestAFloodOfRejectionsFillsNoLog(t *testing.T) {
	var log bytes.Buffer
	h := &handlers.WorkflowWebhooks{
		Location:   func(context.Context, string) (string, bool, error) { return "", false, nil },
		Rejections: zerolog.New(&log).Sample(&zerolog.BurstSampler{Burst: 3, Period: time.Hour}),
	}
	for range 50 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", handlers.WorkflowPath+"x", nil))
		if w.Code != 404 {
			t.Fatalf("answered %d", w.Code)
		}
	}
	if n := strings.Count(log.String(), "webhook rejected"); n != 3 {
		t.Errorf("%d lines, want 3", n)
	}
}

// untouched is a body that must not be read.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestWhatTheHeaderOrThePathShowsToBeNoWebhookIsRefusedUnread(t *testing.T) {
	b := setup(t)
	unknown := func(context.Context, string) (string, bool, error) { return "", false, nil }
	away := func(context.Context, string) (string, bool, error) { return "", false, errors.New("the disk is away") }
	for name, c := range map[string]struct {
		handler http.Handler
		header  string
		event   string
		length  int64
		status  int
	}{
		"no signature":                  {b, "", "", 1000, 401},
		"N/A for a signature":           {b, "N/A", "", 1000, 401},
		"a signature that is too short": {b, "AAAA", "", 1000, 401},
		"no base64":                     {b, strings.Repeat("!", 88), "", 1000, 401},
		"an endless signature":          {b, strings.Repeat("A", 8000), "", 1000, 401},
		"a body that is too large":      {b, b.hl.Sign([]byte(update)), "", handlers.MaxWebhookBody + 1, 413},
		"an unknown workflow key":       {&handlers.WorkflowWebhooks{Location: unknown}, "", "", 1000, 404},
		"no look at workflow keys":      {&handlers.WorkflowWebhooks{Location: away}, "", "", 1000, 429},
		"an unknown account's key":      {&handlers.CalendarHeroWebhooks{Location: unknown}, "", "meeting_started", 1000, 404},
		"no look at accounts' keys":     {&handlers.CalendarHeroWebhooks{Location: away}, "", "meeting_started", 1000, 429},
		"an unknown event":              {&handlers.CalendarHeroWebhooks{Location: unknown}, "", "x", 1000, 404},
	} {
		req := httptest.NewRequestWithContext(t.Context(), "POST", "/webhooks/calendarhero/key/"+c.event, untouched{t})
		req.ContentLength = c.length
		req.Header.Set("X-GHL-Signature", c.header)
		mux := chi.NewRouter()
		mux.Handle("/webhooks/calendarhero/{key}/{event}", c.handler)
		mux.Handle("/webhooks/calendarhero/{key}/", c.handler)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, req)
		if w.Code != c.status {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, c.status)
		}
	}
}
