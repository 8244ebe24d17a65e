//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv"
)

// exported is a span as a receiver of OTLP sees it.
type exported struct {
	TraceID, SpanID, ParentSpanID, Name string
	StartTimeUnixNano, EndTimeUnixNano  int64 `json:",string"`
	Links                               []struct{ TraceID, SpanID string }
	Attributes                          []struct {
		Key   string
		Value struct{ StringValue, IntValue string }
	}
}

func (s exported) attribute(key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.StringValue + a.Value.IntValue
		}
	}
	return ""
}

// TestATraceLeadsFromTheWebhookToTheVendors sends one webhook, then several on one contact
// while its sync cannot begin, and reads what arrives at a receiver of OTLP.
func TestATraceLeadsFromTheWebhookToTheVendors(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	const location, app = "tracesLocation0000001", "6878cec452e7c8d29d4dd3d9"
	var mu sync.Mutex
	var spans []exported
	var resource, all string
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			ResourceSpans []struct {
				Resource   json.RawMessage
				ScopeSpans []struct{ Spans []exported }
			}
		}
		text, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(text, &body) != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Key") != "a key" {
			t.Errorf("%s %s %v is not OTLP in JSON: %s", r.Method, r.URL, r.Header, text)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		all += string(text)
		for _, rs := range body.ResourceSpans {
			resource = string(rs.Resource)
			for _, ss := range rs.ScopeSpans {
				spans = append(spans, ss.Spans...)
			}
		}
	}))
	defer receiver.Close()

	hl := hlfake.New(hlfake.Config{AppID: app, Token: "pit-crash", LocationIDs: []string{location}})
	defer hl.Close()
	hl.SeedLocation(hlfake.Location{ID: location, Name: "Traces", TimeZone: "Europe/Berlin"}, nil, nil)
	ch := chfake.New(chfake.Config{Token: "ch-crash", User: chfake.User{Email: "owner@example.com", TimeZone: "UTC"}})
	defer ch.Close()
	// The first read of the contact waits, so that what comes then is taken by one sync.
	hold, held := make(chan struct{}), make(chan struct{})
	var once sync.Once
	hlServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/contacts/") {
			once.Do(func() { close(held); <-hold })
		}
		hl.ServeHTTP(w, r)
	}))
	defer hlServer.Close()
	chServer := httptest.NewServer(ch)
	defer chServer.Close()
	contact, err := hl.SeedContact(hlfake.Contact{LocationID: location, FirstName: "Traude", LastName: "Trace", Email: "traude@example.com", Phone: "+4930123456"})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	p := &process{t: t, addr: freeAddress(t), log: &log}
	p.between(hl, hlServer.URL, chServer.URL, t.TempDir(), location, app)
	p.env = append(p.env, "MILEPOST_LOG_LEVEL=debug", "MILEPOST_RECONCILE_EVERY=0",
		"OTEL_EXPORTER_OTLP_ENDPOINT="+receiver.URL, "OTEL_EXPORTER_OTLP_HEADERS=X-Key=a%20key", "OTEL_SERVICE_NAME=milepost-test", "OTEL_BSP_SCHEDULE_DELAY=100")
	p.start()
	send := func(id string) {
		body := fmt.Sprintf(`{"type":"ContactUpdate","locationId":%q,"id":%q,"appId":%q,"webhookId":%q}`, location, contact.ID, app, id)
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+p.addr+"/webhooks/highlevel", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-GHL-Signature", hl.Sign([]byte(body)))
		res, err := http.DefaultClient.Do(req)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(res, err)
		}
		res.Body.Close()
	}
	await := func(what string, ok func(spans []exported) bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			mu.Lock()
			done := ok(spans)
			mu.Unlock()
			if done {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("after a minute %s is missing:\n%s", what, all)
			}
		}
	}
	named := func(spans []exported, name string) (found []exported) {
		for _, s := range spans {
			if s.Name == name {
				found = append(found, s)
			}
		}
		return found
	}
	send("first")
	<-held
	for _, id := range []string{"second", "third", "fourth"} {
		send(id)
	}
	await("a span of each webhook", func(s []exported) bool { return len(named(s, "webhook ContactUpdate")) == 4 })
	close(hold)
	await("the span of the second sync", func(s []exported) bool { return len(named(s, "sync contact")) == 2 })
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Errorf("milepost did not drain well: %v", err)
	}

	mu.Lock()
	defer mu.Unlock()
	webhooks, syncs := named(spans, "webhook ContactUpdate"), named(spans, "sync contact")
	slices.SortFunc(webhooks, func(a, b exported) int {
		return strings.Compare(a.attribute("milepost.delivery"), b.attribute("milepost.delivery"))
	})
	for i, s := range syncs {
		if s.TraceID != webhooks[i].TraceID || s.ParentSpanID != webhooks[i].SpanID || webhooks[i].ParentSpanID != "" {
			t.Errorf("sync %d is %+v, want a child of %+v", i, s, webhooks[i])
		}
	}
	if len(syncs[0].Links) != 0 || len(syncs[1].Links) != 2 {
		t.Fatalf("the syncs have %d and %d links, want 0 and 2", len(syncs[0].Links), len(syncs[1].Links))
	}
	for i, l := range syncs[1].Links {
		if w := webhooks[2+i]; l.TraceID != w.TraceID || l.SpanID != w.SpanID {
			t.Errorf("link %d is %+v, want %+v", i, l, w)
		}
	}
	for _, call := range []string{"highlevel.get_contact", "calendarhero.create_contact"} {
		if !slices.ContainsFunc(named(spans, call), func(s exported) bool {
			return s.TraceID == webhooks[0].TraceID && s.ParentSpanID == syncs[0].SpanID && s.attribute("http.response.status_code") != "" && s.StartTimeUnixNano < s.EndTimeUnixNano
		}) {
			t.Errorf("the trace of the webhook has no call %q:\n%s", call, all)
		}
	}
	if !strings.Contains(resource, "milepost-test") {
		t.Errorf("the resource is %s, want OTEL_SERVICE_NAME in it", resource)
	}
	for _, want := range []string{`"trace":"` + webhooks[0].TraceID, `"sync":"` + syncs[0].SpanID, `"delivery":`, `"message":"vendor called"`, `\"email\":\"text\"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log.String())
		}
	}
	for _, secret := range []string{"traude", "Traude", "4930123456", "pit-crash", "ch-crash"} {
		if strings.Contains(all, secret) || strings.Contains(log.String(), secret) {
			t.Errorf("%q is in a span or in the log:\n%s\n%s", secret, all, log.String())
		}
	}
}
