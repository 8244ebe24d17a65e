package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients/calendarhero"
	"milepost/handlers"
	"milepost/internal/app"
	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
)

// setupReachable is setup with a Milepost that CalendarHero reaches, through a
// proxy; it returns when all webhooks are registered.
func setupReachable(t *testing.T, configure ...func(*world, *hlfake.Config)) *world {
	t.Helper()
	var behind atomic.Pointer[url.URL]
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind.Load()) }})
	t.Cleanup(proxy.Close)
	w := setup(t, append(configure, func(w *world, _ *hlfake.Config) { w.cfg.PublicURL = proxy.URL })...)
	target, err := url.Parse(w.app.PublicURL())
	w.must(err)
	behind.Store(target)
	w.eventually("the webhooks are registered", func() bool { return len(w.ch.Hooks()) == len(calendarhero.Events) })
	return w
}

// hookURL is where an event is registered to go.
func (w *world) hookURL(event string) string { return w.ch.Hooks()[event] }

// postHook sends a body to the URL of an event and returns status and answer.
func (w *world) postHook(to, body string) (int, string) {
	w.t.Helper()
	res, err := http.Post(to, "application/json", strings.NewReader(body))
	w.must(err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	w.must(err)
	if strings.Contains(string(answer), `"stored"`) {
		w.posted.Add(1)
	}
	return res.StatusCode, string(answer)
}

func TestWhatHappensInCalendarHeroArrives(t *testing.T) {
	together(t)
	for name, configure := range map[string]func(*world, *hlfake.Config){
		"SQLite": func(*world, *hlfake.Config) {}, "PostgreSQL": onPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			w := setupReachable(t, configure)
			start := w.now().Add(48 * time.Hour)
			_, err := w.ch.BookByLink(chfake.Contact{Name: "Nina New", Email: []string{"nina@example.com"}}, "Tour", start, start.Add(time.Hour))
			w.must(err)
			r := w.ch.Requests()[0]
			var nina string
			for _, c := range w.contacts("nina@example.com") {
				nina = c.ID
			}
			has := func(kind, event, id string) bool {
				return slices.ContainsFunc(w.deliveries(), func(d store.Delivery) bool {
					return d.Type == "calendarhero."+event && d.Entity == store.Entity{LocationID: location, Kind: kind, ID: id}
				})
			}
			w.eventually("the booking and the new contact arrived", func() bool {
				return has("meeting", calendarhero.MeetingRequestSuccess, r.ID) && has("calendarhero_contact", calendarhero.NewContactAdded, nina)
			})
			w.must(w.ch.Cancel(r.ID))
			w.eventually("the cancellation arrived", func() bool { return has("meeting", calendarhero.MeetingRequestCancelled, r.ID) })
		})
	}
}

func TestAWebhookOfCalendarHeroIsAHintAndHostileOnesChangeNothing(t *testing.T) {
	w := setupReachable(t, logged)
	good := `{"id":"0123456789abcdef01234567","status":"scheduled"}`
	to, contact := w.hookURL("meeting_started"), w.hookURL("new_contact_added")
	key := strings.Split(to, "/")[5]
	w.ch.ResetCalls()
	w.hl.ResetCalls()
	for _, c := range []struct {
		name, to, body string
		status         int
	}{
		{"a wrong key", strings.Replace(to, key, "AAAAAAAAAAAAAAAAAAAAAAAAAA", 1), good, 404},
		{"a key that is none", strings.Replace(to, key, "..%2f..%00", 1), good, 404},
		{"the key in lower case", strings.Replace(to, key, strings.ToLower(key), 1), good, 404},
		{"another event", strings.Replace(to, "meeting_started", "contact_updated", 1), good, 404},
		{"no event", strings.TrimSuffix(to, "meeting_started"), good, 404},
		{"2 MiB", to, `{"id":"` + strings.Repeat("x", 2<<20) + `"}`, 413},
		{"no JSON", to, `{"id":`, 400},
		{"nothing", to, ``, 400},
		{"null", to, `null`, 400},
		{"a list", to, `[` + good + `]`, 400},
		{"no UTF-8", to, "{\"id\":\"\xff\"}", 400},
	} {
		if status, answer := w.postHook(c.to, c.body); status != c.status || strings.Contains(answer, key) {
			t.Errorf("%s: %d %s; want %d", c.name, status, answer, c.status)
		}
	}
	if res, err := http.Get(to); err != nil || res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v %v", res, err)
	} else {
		res.Body.Close()
	}
	if n := len(w.deliveries()); n != 0 {
		t.Fatalf("%d of what is refused were stored", n)
	}

	for i, c := range []struct{ name, to, body, kind, id string }{
		{"a text", to, good, "meeting", "0123456789abcdef01234567"},
		{"a number", to, `{"id":12345}`, "meeting", "12345"},
		{"none", to, `{"status":"scheduled"}`, "meeting", ""},
		{"null", to, `{"id":null}`, "meeting", ""},
		{"an object", to, `{"id":{"$oid":"0123456789abcdef01234567"}}`, "meeting", ""},
		{"a boolean", to, `{"id":true}`, "meeting", ""},
		{"65 bytes", to, `{"id":"` + strings.Repeat("x", 65) + `"}`, "meeting", ""},
		{"a path", to, `{"id":"../user"}`, "meeting", ""},
		{"a control character", to, `{"id":"a\u0000b"}`, "meeting", ""},
		{"another one", to, `{"id":"a\u009bb"}`, "meeting", ""},
		{"what turns the text around", to, `{"id":"a\u202eb"}`, "meeting", ""},
		{"a contact without one", contact, `{"name":"Jane Doe"}`, "calendarhero_contact", ""},
	} {
		if status, answer := w.postHook(c.to, c.body); status != 200 {
			t.Errorf("an id that is %s: %d %s", c.name, status, answer)
		}
		var d store.Delivery
		w.eventually("it is handed on", func() bool {
			list := w.deliveries()
			if len(list) == i+1 {
				d = list[0]
			}
			return len(list) == i+1
		})
		if d.Entity.Kind != c.kind || d.Entity.ID != c.id || d.Entity.LocationID != location {
			t.Errorf("an id that is %s is stored as %+v", c.name, d.Entity)
		}
		if c.id == "" && (d.Outcome != store.Skipped || !strings.Contains(d.Detail, "names no")) {
			t.Errorf("an id that is %s ended as %s: %s", c.name, d.Outcome, d.Detail)
		}
	}
	for operation, n := range w.ch.Calls() {
		if !strings.HasPrefix(operation, "GET ") {
			t.Errorf("they caused %d %s", n, operation)
		}
	}
	for operation, n := range w.hl.Calls() {
		if !strings.HasPrefix(operation, "GET ") && !strings.HasSuffix(operation, "/search") {
			t.Errorf("they caused %d %s", n, operation)
		}
	}
	if lines := w.log.lines(key); len(lines) > 0 {
		t.Errorf("the log holds the key: %s", lines)
	}
}

func TestWebhooksOfCalendarHeroAreRepairedAtTheStart(t *testing.T) {
	w := setupReachable(t, logged)
	before := w.hookURL("meeting_started")
	w.stop()
	w.ch.DropHook("meeting_started")
	w.start()
	w.eventually("it is there again", func() bool { return w.hookURL("meeting_started") == before })
	w.wantLine("repaired", "meeting_started", location)
	if lines := w.log.lines(strings.Split(before, "/")[5]); len(lines) > 0 {
		t.Errorf("the log holds the key: %s", lines)
	}
}

func TestWithoutAPublicURLThatIsSaidOnce(t *testing.T) {
	w := setup(t, logged)
	w.wantLine("MILEPOST_PUBLIC_URL is not set", "polls")
	if n := len(w.ch.Hooks()); n != 0 {
		t.Errorf("%d are registered", n)
	}
}

// With the account's last location its webhooks go, and what still comes is refused.
func TestAKeyOfAnAccountThatIsUsedNoMoreLetsNothingIn(t *testing.T) {
	w := setupReachable(t)
	to := w.hookURL("meeting_started")
	state, err := app.OpenState(t.Context(), w.cfg, zerolog.Nop())
	w.must(err)
	said, err := state.Connections.Remove(t.Context(), location)
	w.must(err)
	w.must(state.Store.Close())
	if !strings.Contains(said, "8 webhooks") || len(w.ch.Hooks()) != 0 {
		t.Errorf("%q; left are %v", said, w.ch.Hooks())
	}
	w.eventually("the running Milepost knows", func() bool {
		status, _ := w.postHook(to, `{"id":"0123456789abcdef01234567"}`)
		return status == http.StatusNotFound
	})
	if !strings.Contains(to, handlers.CalendarHeroPath) {
		t.Errorf("the URL was %s", to)
	}
}
