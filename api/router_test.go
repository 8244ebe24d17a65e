package api_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"milepost/api"
	"milepost/handlers"
	"milepost/internal/store"
)

func TestTheKeyInTheURLOfAWebhookIsNeverLogged(t *testing.T) {
	const key = "SECRETSECRETSECRETSECRET26"
	var log bytes.Buffer
	logger := zerolog.New(&log).Level(zerolog.DebugLevel)
	for _, c := range []struct {
		name, method, path, body string
		location                 func(context.Context, string) (string, bool, error)
		status                   int
		retryAfter               string
	}{
		{"an unknown key", "POST", key, "{}", func(context.Context, string) (string, bool, error) { return "", false, nil }, 404, ""},
		{"a known key with a bad body", "POST", key, "[", func(context.Context, string) (string, bool, error) { return "loc", true, nil }, 400, ""},
		{"a key that cannot be looked up", "POST", key, "{}", func(context.Context, string) (string, bool, error) { return "", false, errors.New("the disk is away") }, 429, "30"},
		{"a panic", "POST", key, "{}", func(context.Context, string) (string, bool, error) { panic("a defect") }, 500, ""},
		{"another method", "GET", key, "", nil, 405, ""},
		{"a longer path", "POST", key + "/x/y", "{}", nil, 404, ""},
	} {
		for of, path := range map[string]string{
			"a workflow": handlers.WorkflowPath + c.path, "CalendarHero": handlers.CalendarHeroPath + strings.Replace(c.path, key, key+"/meeting_started", 1),
		} {
			t.Run(c.name+" of "+of, func(t *testing.T) {
				log.Reset()
				handler := api.Public(api.Routes{
					HighLevelWebhooks: http.NotFoundHandler(), Ready: func(context.Context) error { return nil }, Logger: logger,
					WorkflowWebhooks: &handlers.WorkflowWebhooks{Location: c.location, Logger: logger, Rejections: logger},
					CalendarHero:     &handlers.CalendarHeroWebhooks{Location: c.location, Logger: logger, Rejections: logger},
				})
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, httptest.NewRequest(c.method, path, strings.NewReader(c.body)))
				if w.Code != c.status || w.Header().Get("Retry-After") != c.retryAfter {
					t.Errorf("%d, Retry-After %q; want %d and %q", w.Code, w.Header().Get("Retry-After"), c.status, c.retryAfter)
				}
				if said := log.String() + w.Body.String(); strings.Contains(said, "SECRET") || log.Len() == 0 {
					t.Errorf("the log or the answer holds the key, or nothing was logged:\n%s", said)
				}
			})
		}
	}
}

func TestAnAddressWithASlashTooManyIsThatOfTheWebhooks(t *testing.T) {
	handler := api.Public(api.Routes{HighLevelWebhooks: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })})
	for path, status := range map[string]int{
		"/webhooks/highlevel/": 200, "//webhooks/highlevel": 200, "/webhooks//highlevel/?a=b": 200, "/webhooks/highlevel%2F": 404, "/webhooks/": 404,
	} {
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://milepost.example"+path, nil)); w.Code != status {
			t.Errorf("%s is answered %d, want %d", path, w.Code, status)
		}
	}
}

func TestTheKeyInACalendarsURLIsNeverLogged(t *testing.T) {
	const key = "SECRETSECRETSECRETSECRET26"
	var log bytes.Buffer
	logger := zerolog.New(&log).Level(zerolog.DebugLevel)
	for _, c := range []struct {
		name, method, path string
		feed               func(context.Context, string) (store.Feed, string, bool, error)
		status             int
	}{
		{"an unknown key", "GET", key + ".ics", func(context.Context, string) (store.Feed, string, bool, error) { return store.Feed{}, "", false, nil }, 404},
		{"the same by HEAD", "HEAD", key + ".ics", func(context.Context, string) (store.Feed, string, bool, error) { return store.Feed{}, "", false, nil }, 404},
		{"a key that cannot be looked up", "GET", key + ".ics", func(context.Context, string) (store.Feed, string, bool, error) {
			return store.Feed{}, "", false, errors.New("the disk is away")
		}, 503},
		{"a panic", "GET", key + ".ics", func(context.Context, string) (store.Feed, string, bool, error) { panic("a defect") }, 500},
		{"another method", "POST", key + ".ics", nil, 405},
		{"without its ending", "GET", key, nil, 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			log.Reset()
			handler := api.Public(api.Routes{
				HighLevelWebhooks: http.NotFoundHandler(), WorkflowWebhooks: http.NotFoundHandler(), Ready: func(context.Context) error { return nil }, Logger: logger,
				Calendars: &handlers.Feed{Feed: c.feed, Logger: logger, Rejections: logger},
			})
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(c.method, handlers.CalendarPath+c.path, nil))
			if w.Code != c.status || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s, want the problem %d", w.Code, w.Header().Get("Content-Type"), c.status)
			}
			if said := log.String() + w.Body.String(); strings.Contains(said, "SECRET") || log.Len() == 0 {
				t.Errorf("the log or the answer holds the key, or nothing was logged:\n%s", said)
			}
		})
	}
}

func TestThePublicAddressSaysWhatItIsForAndNoVersion(t *testing.T) {
	handler := api.Public(api.Routes{
		HighLevelWebhooks: http.NotFoundHandler(), WorkflowWebhooks: http.NotFoundHandler(), CalendarHero: http.NotFoundHandler(),
		Calendars: http.NotFoundHandler(), Ready: func(context.Context) error { return nil }, Logger: zerolog.Nop(),
	})
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if said := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(said, "register the path /webhooks/highlevel") || strings.ContainsAny(said, "0123456789") {
		t.Errorf("%d: %q", w.Code, said)
	}
}
