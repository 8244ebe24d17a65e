package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients/highlevel"
	"milepost/handlers"
	"milepost/internal/inbox"
	hlfake "milepost/internal/sandbox/highlevel"
)

// bundle is the webhook handler before a real inbox.
type bundle struct {
	*handlers.HighLevelWebhooks
	hl    *hlfake.Server
	log   *strings.Builder
	close func() error // of the inbox
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{hl: hlfake.New(hlfake.Config{}), log: &strings.Builder{}}
	t.Cleanup(b.hl.Close)
	keys, err := highlevel.ParseKeys(b.hl.PublicKeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	in, err := inbox.OpenSQLite(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b.close = sync.OnceValue(in.Close)
	t.Cleanup(func() { _ = b.close() })
	b.HighLevelWebhooks = &handlers.HighLevelWebhooks{
		Keys: keys, Inbox: in, Logger: zerolog.New(zerolog.SyncWriter(b.log)), Now: time.Now,
	}
	return b
}

// post sends a signed body; change may spoil the request.
func (b *bundle) post(body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, "/webhooks/highlevel", strings.NewReader(body))
	req.Header.Set("X-GHL-Signature", b.hl.Sign([]byte(body)))
	req.Header.Set("Content-Type", "application/json")
	for _, c := range change {
		c(req)
	}
	rec := httptest.NewRecorder()
	b.ServeHTTP(rec, req)
	return rec
}

const update = `{"type":"ContactUpdate","locationId":"loc","id":"c1","webhookId":"w1","email":"jane@example.com"}`

func contentType(s string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Del("Content-Type")
		if s != "" {
			r.Header.Set("Content-Type", s)
		}
	}
}

func TestAContentTypeMayBeMissingOrSayMoreThanJSON(t *testing.T) {
	for ct, status := range map[string]int{
		"": 200, "application/json": 200, "Application/JSON; charset=utf-8": 200, "application/cloudevents+json": 200,
		"text/json": 400, "application/json, text/plain": 400, ";": 400,
	} {
		if got := setup(t).post(update, contentType(ct)); got.Code != status {
			t.Errorf("%q is answered %d, want %d", ct, got.Code, status)
		}
	}
}

// broken is a body that ends too early.
type broken struct{ io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestABodyThatIsCutOffIsNotStored(t *testing.T) {
	b := setup(t)
	got := b.post(update, func(r *http.Request) { r.Body = io.NopCloser(broken{strings.NewReader(update)}) })
	if got.Code != 400 || !strings.Contains(got.Body.String(), "the body is incomplete") {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	if got := b.post(update); !strings.Contains(got.Body.String(), "stored") {
		t.Errorf("the whole body then is %s", got.Body)
	}
}

func TestABodyOfExactlyTheLimitIsRead(t *testing.T) {
	b := setup(t)
	for size, status := range map[int]int{handlers.MaxWebhookBody: 200, handlers.MaxWebhookBody + 1: 413} {
		body := strings.Replace(update, "jane@", strings.Repeat("j", size-len(update)+len("jane"))+"@", 1)
		if len(body) != size {
			t.Fatalf("the test made %d bytes of %d", len(body), size)
		}
		if got := b.post(body); got.Code != status {
			t.Errorf("%d bytes are answered %d, want %d", size, got.Code, status)
		}
	}
}

func TestWhatCannotBeStoredIsAskedForAgain(t *testing.T) {
	b := setup(t)
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	got := b.post(update)
	if got.Code != http.StatusTooManyRequests || got.Header().Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q; want 429, the one status that HighLevel always sends again", got.Code, got.Header().Get("Retry-After"))
	}
	if log := b.log.String(); log == "" || strings.Contains(log+got.Body.String(), "jane@") {
		t.Errorf("the log must say so, without personal data: %s", log)
	}
}

func TestASenderThatGaveUpIsNotToldThatItIsStored(t *testing.T) {
	b := setup(t)
	got := b.post(update, func(r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		*r = *r.WithContext(ctx)
	})
	// Whether it was stored is a race that either may win; what matters is that nothing else is said.
	if s := got.Body.String(); got.Code != 429 && !strings.Contains(s, "stored") {
		t.Errorf("%d %s", got.Code, s)
	}
	// The webhook comes again, and either is there or is stored now.
	if got := b.post(update); got.Code != 200 {
		t.Errorf("sent again it is answered %d %s", got.Code, got.Body)
	}
}

func TestOfEqualWebhooksAtOnceOneIsStored(t *testing.T) {
	b := setup(t)
	var stored, duplicate atomic.Int64
	var senders sync.WaitGroup
	for range 64 {
		senders.Go(func() {
			got := b.post(update)
			switch body := got.Body.String(); {
			case strings.Contains(body, `"stored"`):
				stored.Add(1)
			case strings.Contains(body, `"duplicate"`):
				duplicate.Add(1)
			default:
				t.Errorf("%d %s", got.Code, body)
			}
		})
	}
	senders.Wait()
	if stored.Load() != 1 || duplicate.Load() != 63 {
		t.Errorf("%d are stored and %d duplicates, want 1 and 63", stored.Load(), duplicate.Load())
	}
}

func TestWithoutAWebhookIDNothingIsADuplicate(t *testing.T) {
	b := setup(t)
	body := strings.Replace(update, `"webhookId":"w1",`, "", 1)
	for i := range 2 {
		if got := b.post(body); !strings.Contains(got.Body.String(), `"stored"`) {
			t.Errorf("time %d: %s", i+1, got.Body)
		}
	}
}

func TestOnlyAnotherAppsEventIsIgnored(t *testing.T) {
	for _, c := range []struct{ own, event, status string }{
		{"", "a", "stored"},
		{"a", "", "stored"}, // some events name no app
		{"a", "a", "stored"},
		{"a", "b", "ignored"},
	} {
		b := setup(t)
		b.AppID = func() string { return c.own }
		body := strings.Replace(update, "{", fmt.Sprintf(`{"appId":%q,`, c.event), 1)
		if got := b.post(body); got.Code != 200 || !strings.Contains(got.Body.String(), c.status) {
			t.Errorf("an event of app %q at app %q is answered %d %s, want %s", c.event, c.own, got.Code, got.Body, c.status)
		}
	}
}
