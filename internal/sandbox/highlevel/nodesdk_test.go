package highlevel

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"milepost/internal/testenv"
)

// HighLevel's own Node SDK knows the real service, so what it can do with the
// sandbox is proof that the sandbox is like it. testdata/nodesdk/check.mjs
// does it; what only the sandbox can do it asks of the control server here.
func TestHighLevelsOwnSDKWorksWithTheSandbox(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	const source = "testdata/nodesdk"
	lock, err := os.ReadFile(source + "/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(lock), `"resolved"`) {
		t.Error("package-lock.json names download addresses; make it with npm's omit-lockfile-registry-resolved")
	}
	dir := testenv.NodePackage(t, source)

	// Time moves only when the script says so, and so do the rate limits.
	o := setupOAuth(t, func(c *Config) {
		c.RateLimit, c.RateMax, c.RateDaily = true, 40, 200
		c.WebhookBackoff = func(int) time.Duration { return time.Millisecond }
	})
	o.app = o.AddApp(OAuthApp{ClientSecret: "sdk-secret"}) // public: the SDK's authorization URL has no version_id
	var freeAfter429 atomic.Bool
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := &statusOf{ResponseWriter: w}
		o.ServeHTTP(status, r)
		if status.code == http.StatusTooManyRequests && freeAfter429.Load() {
			o.clock.Advance(limitInterval)
		}
	}))
	t.Cleanup(api.Close)
	control := http.NewServeMux()
	do := func(name string, do func(r *http.Request) error) {
		control.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) {
			if err := do(r); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	do("expire", func(r *http.Request) error { o.ExpireToken(r.FormValue("token")); return nil })
	do("advance", func(r *http.Request) error {
		d, err := time.ParseDuration(r.FormValue("by"))
		o.clock.Advance(d)
		return err
	})
	do("free-after-429", func(*http.Request) error { freeAfter429.Store(true); return nil })
	do("webhooks", func(r *http.Request) error { o.SetWebhookURL(r.FormValue("to")); return nil })
	do("uninstall", func(r *http.Request) error { return o.Uninstall(o.app.ClientID, r.FormValue("place")) })
	control.HandleFunc("POST /add-location", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, o.AddLocation(Location{CompanyID: agency, Name: "Later"}, nil, nil).ID)
	})
	control.HandleFunc("POST /delivered", func(w http.ResponseWriter, r *http.Request) {
		if err := o.WaitIdle(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, len(o.Sent()))
	})
	controlServer := httptest.NewServer(control)
	t.Cleanup(controlServer.Close)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "check.mjs")
	node.Dir, node.WaitDelay = dir, 10*time.Second
	node.Env = []string{
		"PATH=" + os.Getenv("PATH"), // and no proxy: all is on loopback
		"SANDBOX=" + api.URL, "CONTROL=" + controlServer.URL, "CLIENT_ID=" + o.app.ClientID, "CLIENT_SECRET=" + o.app.ClientSecret,
		"COMPANY=" + agency, "LOCATION=" + north, "PUBLIC_KEY=" + o.PublicKeyPEM(),
	}
	out, err := node.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("the SDK and the sandbox do not agree: %v", err)
	}
	if got, want := o.Refreshes(north), (RefreshCount{Rotated: 2, Repeated: 1, Refused: 1}); got != want {
		t.Errorf("the SDK's refreshes were %+v, want %+v", got, want)
	}
	for _, sent := range o.Sent() {
		if sent.Attempts != 1 || sent.LastStatus != http.StatusOK {
			t.Errorf("%s was taken with %d after %d tries", sent.Type, sent.LastStatus, sent.Attempts)
		}
	}
}

type statusOf struct {
	http.ResponseWriter
	code int
}

func (s *statusOf) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}
