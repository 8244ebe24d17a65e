package e2e_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	hlfake "milepost/internal/sandbox/highlevel"
)

// console asks for a page of the console, or sends it a form, with the admin token.
func (w *world) console(path string, form url.Values) string {
	w.t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.app.AdminURL()+"/console"+path, strings.NewReader(form.Encode()))
	w.must(err)
	req.Header.Set("Authorization", "Bearer "+w.cfg.AdminToken)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	w.must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	w.must(err)
	if res.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %d\n%s", path, res.StatusCode, body)
	}
	return string(body)
}

func TestABackfillIsCountedFirstAndGoesOnAfterARestart(t *testing.T) {
	w := setup(t, func(w *world, _ *hlfake.Config) { w.cfg.AdminToken = "admin-token-of-a-test" })
	const page = "/connections/" + location + "/backfill"
	w.deaf()
	id := w.contact("Jane", "Doe", "jane@example.com")
	w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
	w.console(page+"/count", url.Values{"days": {"90"}})
	var counted []string
	w.eventually("it is counted", func() bool {
		counted = regexp.MustCompile(`name="counted" value="(\d+)"`).FindStringSubmatch(w.console(page, nil))
		return counted != nil
	})
	if said := w.console(page, nil); !strings.Contains(said, "create event") || !strings.Contains(said, "which mails "+ownerMail) {
		t.Errorf("the count says\n%s", said)
	}
	if n := len(w.ch.Requests()); n != 0 {
		t.Errorf("the count made %d requests", n)
	}
	w.console(page, url.Values{"counted": {counted[1]}})
	w.stop()
	w.start()
	w.eventually("it has ended", func() bool { return strings.Contains(w.console(page, nil), "The last backfill has ended") })
	w.eventually("what it found is synced", func() bool { return len(w.ch.Requests()) == 1 })
	w.settle() // the count is not made again: what it finds must be stored by then

	w.console(page+"/count", url.Values{"days": {"0"}})
	w.eventually("it is counted again", func() bool {
		return strings.Contains(w.console(page, nil), "<strong>0 records differ from what Milepost last saw.")
	})
}
