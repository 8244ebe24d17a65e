package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"milepost/internal/app"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv/reference"
)

func TestARefusedWebhookChangesNothing(t *testing.T) {
	together(t)
	w := setup(t)
	id := w.contact("Jane", "Doe", "jane@example.com")
	good := event("ContactUpdate", id, "webhookId", "w1")
	signed := map[string]string{"X-GHL-Signature": w.hl.Sign([]byte(good))}
	for _, c := range []struct {
		name    string
		body    string
		headers map[string]string
		status  int
		says    string
	}{
		{"no signature", good, nil, 401, "sign"},
		{"N/A in the signature headers", good, map[string]string{"X-GHL-Signature": "N/A", "X-WH-Signature": "N/A"}, 401, "sign"},
		{"a signature that is no base64", good, map[string]string{"X-GHL-Signature": "%%%"}, 401, "sign"},
		{"a signature of the wrong length", good, map[string]string{"X-GHL-Signature": "c2hvcnQ="}, 401, "sign"},
		{"the signature of another body", event("ContactUpdate", "other"), signed, 401, "sign"},
		{"an empty body without signature", "", nil, 401, "sign"},
		{"a body of 2 MiB", strings.Repeat("x", 2<<20), signed, 413, "1 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := w.post(c.body, c.headers)
			if status != c.status || !strings.Contains(body, c.says) {
				t.Errorf("%d %s; want %d and a word of %q", status, body, c.status, c.says)
			}
		})
	}
	for _, c := range []struct {
		name, body string
	}{
		{"invalid JSON", `{"type":`},
		{"a JSON array", `[{"type":"ContactUpdate"}]`},
		{"a JSON text", `"ContactUpdate"`},
		{"an empty body", ``},
		{"JSON with something behind it", `{"type":"ContactUpdate"} {"type":"x"}`},
	} {
		t.Run(c.name+", well signed", func(t *testing.T) {
			if status, body := w.postSigned(c.body); status != 400 || !strings.Contains(body, `"detail"`) {
				t.Errorf("%d %s; want 400 with a problem document", status, body)
			}
		})
	}
	t.Run("a wrong content type", func(t *testing.T) {
		headers := map[string]string{"X-GHL-Signature": signed["X-GHL-Signature"], "Content-Type": "text/plain"}
		if status, body := w.post(good, headers); status != 400 || !strings.Contains(body, "application/json") {
			t.Errorf("%d %s; want 400", status, body)
		}
	})
	t.Run("another method", func(t *testing.T) {
		res, err := http.Get(w.app.PublicURL() + "/webhooks/highlevel")
		w.must(err)
		defer res.Body.Close()
		if res.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("GET answered %d, want 405", res.StatusCode)
		}
	})
	if n := len(w.deliveries()); n != 0 {
		t.Errorf("%d deliveries were stored", n)
	}
}

func TestAnAcceptedWebhookThatAsksForNothingSaysWhy(t *testing.T) {
	together(t)
	w := setup(t)
	noMail := w.contact("Nomail", "Person", "")
	for _, c := range []struct {
		name, body, outcome, says string
	}{
		{"an unknown type", `{"type":"Sunrise","webhookId":"a"}`, store.Skipped, "Sunrise"},
		{"no type at all", `{"webhookId":"b"}`, store.Skipped, "not named"},
		{"an unknown location", `{"type":"ContactUpdate","id":"x","locationId":"elsewhere","webhookId":"c"}`, store.Skipped, "location elsewhere is not connected"},
		{"a contact event without id", `{"type":"ContactUpdate","locationId":"` + location + `","webhookId":"d"}`, store.Skipped, "names no contact id"},
		{"null fields", `{"type":"ContactUpdate","locationId":null,"id":null,"webhookId":"e"}`, store.Skipped, ""},
		{"a contact without e-mail", event("ContactUpdate", noMail, "webhookId", "f"), store.Skipped, "Contact to CalendarHero contact"},
		{"a note without contact", event("NoteCreate", "n1", "webhookId", "g"), store.Invalid, "names no contact"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status, body := w.postSigned(c.body); status != 200 || !strings.Contains(body, "stored") {
				t.Fatalf("%d %s", status, body)
			}
			w.settle()
			d := w.deliveries()[0]
			if d.Outcome != c.outcome || !strings.Contains(d.Detail, c.says) {
				t.Errorf("outcome %q (%s), want %q with a word of %q", d.Outcome, d.Detail, c.outcome, c.says)
			}
		})
	}
	if calls := w.ch.Calls(); len(w.ch.Contacts()) != 0 || len(w.ch.Requests()) != 0 {
		t.Errorf("something was written to CalendarHero: %v", calls)
	}
}

func TestTheEventOfAnotherAppIsIgnored(t *testing.T) {
	w := setup(t)
	id := w.contact("Jane", "Doe", "jane@example.com")
	body := strings.Replace(event("ContactUpdate", id), "6878cec452e7c8d29d4dd3d9", "ffffffffffffffffffffffff", 1)
	if status, answer := w.postSigned(body); status != 200 || !strings.Contains(answer, "another app") {
		t.Errorf("%d %s; want 200, ignored", status, answer)
	}
	if n := len(w.deliveries()); n != 0 {
		t.Errorf("it was stored")
	}
}

func TestAnImpossibleDateLeavesWhatIsThere(t *testing.T) {
	w := setup(t)
	id := w.contact("Jane", "Doe", "jane@example.com")
	w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
	w.settle()
	w.storeDate(id, "2030-02-31")
	w.settle()
	d := w.deliveries()[0]
	if d.Outcome != store.Invalid || !strings.Contains(d.Detail, "2030-02-31") {
		t.Errorf("outcome %q (%s), want invalid with the date that was read", d.Outcome, d.Detail)
	}
	if n := len(w.ch.Requests()); n != 1 {
		t.Errorf("%d requests, want the old one left alone", n)
	}
}

func TestASecondProcessOnOneDataDirectoryIsRefused(t *testing.T) {
	w := setup(t)
	_, err := app.New(context.Background(), w.cfg, zerolog.Nop())
	if err == nil || !strings.Contains(err.Error(), "another milepost is running on the data directory") {
		t.Errorf("a second process got %v", err)
	}
}

// TestEveryPublishedEventIsAccepted sends each of HighLevel's own examples.
func TestEveryPublishedEventIsAccepted(t *testing.T) {
	folder := reference.Shared(t, "highlevel-webhooks")
	w := setup(t, func(w *world, _ *hlfake.Config) { w.cfg.HighLevelAppID = "" })
	sent := 0
	for _, name := range []string{"events.jsonl", "events-enveloped.jsonl"} {
		f, err := os.Open(filepath.Join(folder, name))
		w.must(err)
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); sent++ {
			// At a location that is connected, so that the example is really worked.
			var body map[string]any
			w.must(json.Unmarshal(lines.Bytes(), &body))
			if _, ok := body["locationId"]; ok {
				body["locationId"] = location
			}
			b, err := json.Marshal(body)
			w.must(err)
			if status, answer := w.postSigned(string(b)); status != 200 {
				t.Errorf("%v: %d %s", body["type"], status, answer)
			}
		}
	}
	if sent < 50 {
		t.Fatalf("only %d examples were found", sent)
	}
	// A record that is not found is asked for again in a minute. What comes for
	// it meanwhile waits with it, so "waiting" is as far as this test goes.
	outcome := func(d store.Delivery) (string, string) {
		if d.Outcome != store.Pending {
			return d.Outcome, d.Detail
		}
		state, err := w.app.Store().EntityState(t.Context(), d.Entity)
		w.must(err)
		return state.Outcome, state.Detail
	}
	w.eventually("every example has an outcome", func() bool {
		list := w.deliveries()
		for _, d := range list {
			if is, _ := outcome(d); is == "" {
				return false
			}
		}
		return len(list) >= int(w.posted.Load())
	})
	for _, d := range w.deliveries() {
		is, why := outcome(d)
		switch is {
		case store.Skipped, store.Gone, store.Waiting:
		default:
			t.Errorf("%s ended as %q: %s", d.Type, is, why)
		}
		if why == "" && is != store.Gone {
			t.Errorf("%s ended as %q without a word why", d.Type, is)
		}
	}
}
