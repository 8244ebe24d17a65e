package clients_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"milepost/clients"
)

func TestEveryTryAsksForItsTurnAndTellsItsAnswer(t *testing.T) {
	var asked []clients.Priority
	var told []int
	status := []int{503, 503, 200}
	var tries atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status[tries.Add(1)-1])
	}))
	defer server.Close()
	cfg := config(server.URL)
	cfg.Admit = func(_ context.Context, priority clients.Priority) error { asked = append(asked, priority); return nil }
	cfg.Observe = func(_ context.Context, status int, _ http.Header) { told = append(told, status) }
	priority := clients.Priority{Backfill: true, Claim: clients.Waited}
	if err := clients.NewTransport(cfg).Do(t.Context(), clients.Call{Operation: "get", Method: "GET", Path: "/x", Priority: priority}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(asked, []clients.Priority{priority, priority, priority}) {
		t.Errorf("asked for %v", asked)
	}
	if !slices.Equal(told, status) {
		t.Errorf("told %v, want %v", told, status)
	}
}

func TestACallThatGetsNoTurnIsNotSent(t *testing.T) {
	broken := errors.New("the database is broken")
	for name, tc := range map[string]struct {
		err    error
		reason clients.Reason
		text   string
	}{
		"sent away":  {&clients.Error{API: "Vendor", Reason: clients.RateLimited, RetryAfter: time.Minute, Message: "used up"}, clients.RateLimited, "Vendor: create thing x1: used up"},
		"by a fault": {broken, clients.Unavailable, "Vendor: create thing x1: the database is broken"},
	} {
		t.Run(name, func(t *testing.T) {
			var tries atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { tries.Add(1) }))
			defer server.Close()
			asked := 0
			cfg := config(server.URL)
			cfg.Admit = func(context.Context, clients.Priority) error { asked++; return tc.err }
			// Even for a create, nothing is unclear, because it was certainly not sent.
			err := clients.NewTransport(cfg).Do(t.Context(), clients.Call{
				Operation: "create thing", Subject: "x1", Effect: clients.Once, Method: "POST", Path: "/x", Body: strings.Repeat("x", 1000),
			})
			failed, ok := errors.AsType[*clients.Error](err)
			if !ok || failed.Reason != tc.reason || failed.Error() != tc.text {
				t.Fatalf("failed with %v", err)
			}
			if failed.Reason == clients.RateLimited && failed.RetryAfter != time.Minute {
				t.Errorf("RetryAfter is %s", failed.RetryAfter)
			}
			if asked != 1 || tries.Load() != 0 {
				t.Errorf("asked %d times and sent %d", asked, tries.Load())
			}
		})
	}
}

func TestWhatIsNoReadIsSentWithPermissionAlone(t *testing.T) {
	var sent atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { sent.Add(1) }))
	defer server.Close()
	cfg := config(server.URL)
	cfg.Permit = func(context.Context) error {
		return &clients.Error{API: "Vendor", Reason: clients.RateLimited, RetryAfter: time.Minute, Message: "not ours"}
	}
	transport := clients.NewTransport(cfg)
	if err := transport.Do(t.Context(), clients.Call{Operation: "get", Method: "GET", Path: "/x", Effect: clients.Read}); err != nil {
		t.Errorf("a read: %v", err)
	}
	for _, effect := range []clients.Effect{clients.Idempotent, clients.Once} {
		err := transport.Do(t.Context(), clients.Call{Operation: "write", Method: "POST", Path: "/x", Effect: effect})
		if e, ok := errors.AsType[*clients.Error](err); !ok || e.Reason != clients.RateLimited || e.RetryAfter != time.Minute {
			t.Errorf("a write of effect %d: %v", effect, err)
		}
	}
	if n := sent.Load(); n != 1 {
		t.Errorf("%d calls were sent, want the read alone", n)
	}
}
