package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"milepost/internal/alert"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv"
)

// told are the alerts that came by webhook, such as "backup firing".
type told struct {
	mu   sync.Mutex
	list []string
}

func (t *told) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var m struct{ Data alert.Message }
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		panic(err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, m.Data.Kind+" "+m.Data.Status)
}

func (t *told) of(message string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Contains(t.list, message)
}

// Each thing is broken for real, one after the other, and mended where that is quick.
func TestWhatBreaksIsToldAndWhenItIsOver(t *testing.T) {
	if testenv.Raced {
		t.Skip("skipped: a day takes 144 seconds here, in which SQLite must use up its calls, and it cannot under the race detector; .ci/run plays it without it")
	}
	var got told
	receiver := httptest.NewServer(&got)
	t.Cleanup(receiver.Close)
	w := setup(t, func(w *world, hl *hlfake.Config) {
		w.cfg.Clock.Start, w.cfg.Clock.Speed = time.Now(), 600
		w.cfg.AlertWebhook, w.cfg.AlertWebhookSecret, w.cfg.AlertPrivateNetworks = receiver.URL, alert.NewSecret(), true
		w.cfg.BackupAge = 10 * time.Minute
		hl.RateLimit, hl.RateDaily = true, 150
	})
	comes := func(message string) {
		t.Helper()
		w.eventually("an alert comes: "+message, func() bool { return got.of(message) })
	}

	comes("backup firing") // nobody makes one
	w.must(w.app.Store().NoteBackup(t.Context(), w.now().Add(24*time.Hour), 1))
	comes("backup over")

	w.eventually("an alert comes: signatures firing", func() bool { // it looks at half an hour, which is 3 seconds here
		for range 5 {
			if status, _ := w.post(event("ContactUpdate", "stranger"), nil); status != http.StatusUnauthorized {
				t.Fatalf("a webhook without a signature is answered %d", status)
			}
		}
		return got.of("signatures firing")
	})

	n := 0
	milestone := func() {
		n++
		id := w.contact("Ann", fmt.Sprint("Number", n), fmt.Sprintf("ann%d@example.com", n))
		w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
	}
	w.hl.RevokeToken(hlToken)
	milestone()
	comes("connection firing")
	w.hl.AddToken(hlToken, location)
	comes("connection over")

	for _, message := range []string{"quota firing", "stuck firing"} { // the calls of the day run out
		w.eventually("an alert comes: "+message, func() bool {
			if got.of(message) {
				return true
			}
			milestone()
			return false
		})
	}
}
