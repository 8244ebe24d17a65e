//go:build unix

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// webhook sends one, signed, and expects that it is stored.
func (r *running) webhook(body string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, "http://"+r.addr+"/webhooks/highlevel", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GHL-Signature", r.hl.Sign([]byte(body)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		r.t.Fatalf("the webhook was answered %s", res.Status)
	}
}

func TestAfterTheStateIsLostAPersonSaysWhatBecomesOfTheWebhooks(t *testing.T) {
	t.Parallel()
	for _, choice := range []string{"--replay", "--skip"} {
		t.Run(choice, func(t *testing.T) {
			r := setupCommands(t)
			r.connect()
			r.webhook(`{"type":"ContactUpdate","locationId":"` + place + `","id":"` + r.contact("Nora") + `","webhookId":"w1"}`)
			if err := r.end(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			var dir string
			for _, kv := range r.env {
				if value, ok := strings.CutPrefix(kv, "MILEPOST_DATA_DIR="); ok {
					dir = value
				}
			}
			for _, suffix := range []string{"", "-wal", "-shm"} {
				if err := os.Remove(filepath.Join(dir, "milepost.db"+suffix)); err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
			}
			if out, err := r.run("serve"); err == nil || !strings.Contains(out, "milepost recover --replay") {
				t.Fatalf("it started, or did not say what to do (%v):\n%s", err, out)
			}
			if out, _ := r.run("check"); !strings.Contains(out, "milepost.db is empty, but inbox.db holds") {
				t.Errorf("check does not say that the state is lost:\n%s", out)
			}
			if out, err := r.run("recover"); err == nil {
				t.Errorf("recover decided by itself:\n%s", out)
			}
			if out := r.must("recover", choice, "--dry-run"); !strings.Contains(out, "1 webhooks in inbox.db would be ") || !strings.Contains(out, "Nothing was changed.") {
				t.Errorf("recover --dry-run said %q", out)
			}
			if out := r.must("recover", choice); !strings.Contains(out, "webhooks in inbox.db") {
				t.Errorf("recover said %q", out)
			}
			r.start()
			if out, err := r.run("recover", choice); err == nil || !strings.Contains(out, "another milepost is running") {
				t.Errorf("recover worked beside a running Milepost (%v):\n%s", err, out)
			}
			r.connect()
			if out := r.must("check"); strings.Contains(out, "stored webhooks") {
				t.Errorf("check finds something strange after the decision:\n%s", out)
			}
		})
	}
}
