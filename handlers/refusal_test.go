package handlers_test

import (
	"bytes"
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/handlers"
)

func TestAFloodOfRefusalsFillsNoLog(t *testing.T) {
	var log bytes.Buffer
	h := &handlers.WorkflowWebhooks{
		Location: func(context.Context, string) (string, bool, error) { return "", false, nil },
		Refusals: zerolog.New(&log).Sample(&zerolog.BurstSampler{Burst: 3, Period: time.Hour}),
	}
	for range 50 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", handlers.WorkflowPath+"x", nil))
		if w.Code != 404 {
			t.Fatalf("answered %d", w.Code)
		}
	}
	if n := strings.Count(log.String(), "webhook refused"); n != 3 {
		t.Errorf("%d lines, want 3", n)
	}
}
