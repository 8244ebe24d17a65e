package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"milepost/internal/app"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv/testdb"
)

// ready asks the running Milepost for its readiness.
func (w *world) ready(url string) int {
	w.t.Helper()
	res, err := http.Get(url + "/readyz")
	w.must(err)
	w.must(res.Body.Close())
	return res.StatusCode
}

func TestASecondMilepostStopsUnlessItTakesOver(t *testing.T) {
	w := setup(t)
	w.janeAt(location)
	w.settle()
	first, stopFirst := w.app, w.stop

	own := w.cfg
	w.cfg.DataDir = testdb.DataDir(t)
	if _, err := app.New(t.Context(), w.cfg, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "another Milepost works location "+location) || !strings.Contains(err.Error(), own.DataDir) {
		t.Fatalf("a second Milepost starts on the same accounts: %v", err)
	}
	w.cfg.LockDir = t.TempDir() // another machine
	if _, err := app.New(t.Context(), w.cfg, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "seen at HighLevel") {
		t.Fatalf("a second Milepost starts on the same accounts on another machine: %v", err)
	}
	if n := w.ready(first.AdminURL()); n != http.StatusOK {
		t.Errorf("the first answers %d to /readyz", n)
	}

	w.cfg.LockDir, w.cfg.TakeOver = own.LockDir, true
	w.start()
	w.eventually("the first is not ready", func() bool { return w.ready(first.AdminURL()) == http.StatusServiceUnavailable })
	if n := w.ready(w.app.AdminURL()); n != http.StatusOK {
		t.Errorf("the second answers %d to /readyz", n)
	}
	// The first still stores what it is sent, and does nothing for it.
	second, stopSecond := w.app, w.stop
	w.app = first
	w.hl.SetWebhookURL(first.PublicURL() + "/webhooks/highlevel")
	stored, made := len(w.deliveries()), w.ch.Calls()["POST /contact"]
	for i := range 3 {
		_, err := w.hl.CreateContact(hlfake.Contact{LocationID: location, FirstName: "John", Email: fmt.Sprintf("john%d@example.com", i)})
		w.must(err)
	}
	w.must(w.hl.WaitIdle(t.Context()))
	for _, s := range w.hl.Sent() {
		if s.LastStatus != http.StatusOK {
			t.Errorf("a webhook was answered %d", s.LastStatus)
		}
	}
	w.eventually("they are dispatched, and wait", func() bool {
		return len(w.deliveries()) >= stored+3 && w.count(`SELECT count(*) FROM river_job WHERE kind = 'sync' AND state = 'scheduled'`) >= 3
	})
	if n := w.ch.Calls()["POST /contact"]; n != made {
		t.Errorf("the first made %d contacts", n-made)
	}
	w.app = second
	stopSecond()
	stopFirst()
}

func TestWithoutCustomValuesMilepostWorks(t *testing.T) {
	w := setup(t, func(w *world, _ *hlfake.Config) {
		w.before = func(rw http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/customValues") {
				return false
			}
			rw.WriteHeader(http.StatusNotFound)
			return true
		}
	})
	w.janeAt(location)
	w.settle()
	if n := len(w.contacts("jane@example.com")); n != 1 {
		t.Errorf("%d contacts, want 1", n)
	}
}
