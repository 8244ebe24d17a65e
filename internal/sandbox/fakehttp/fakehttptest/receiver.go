// Package fakehttptest holds what the tests of both fakes share: a clock that
// they move, and a receiver of webhooks without a network.
package fakehttptest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Receiver is a webhook receiver without a network: it keeps what arrives and
// answers with the statuses in turn, the last one for ever; 0 is no answer.
type Receiver struct {
	mu       sync.Mutex
	Statuses []int
	Bodies   [][]byte
	Headers  []http.Header
	At       []time.Time
}

func (r *Receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Bodies, r.Headers, r.At = append(r.Bodies, body), append(r.Headers, req.Header.Clone()), append(r.At, time.Now())
	status := http.StatusOK
	if len(r.Statuses) > 0 {
		status = r.Statuses[0]
		if len(r.Statuses) > 1 {
			r.Statuses = r.Statuses[1:]
		}
	}
	if status == 0 {
		return nil, errors.New("connection reset")
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Header: http.Header{}, Request: req}, nil
}

// Answer sets the statuses of what arrives from now on.
func (r *Receiver) Answer(statuses ...int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Statuses = statuses
}

// Count returns how many webhooks arrived.
func (r *Receiver) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.Bodies)
}

// Events returns the bodies that arrived.
func (r *Receiver) Events(t *testing.T) (out []map[string]any) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, body := range r.Bodies {
		var event map[string]any
		if err := json.Unmarshal(body, &event); err != nil {
			t.Fatal(err)
		}
		out = append(out, event)
	}
	return out
}

// Idle waits until a fake has no webhook under way.
func Idle(t *testing.T, h interface{ WaitIdle(context.Context) error }) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := h.WaitIdle(ctx); err != nil {
		t.Fatalf("webhooks still wait: %v", err)
	}
}

// Must fails the test on an error.
func Must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
