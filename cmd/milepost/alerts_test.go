package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"milepost/internal/alert"
)

func TestATestMessageIsSentByTheChannelsThatAreSet(t *testing.T) {
	t.Parallel()
	secret := alert.NewSecret()
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		key, _ := alert.ParseSecret(secret)
		if r.Header.Get("webhook-signature") == key.Sign(r.Header.Get("webhook-id"), unix(r.Header.Get("webhook-timestamp")), body) {
			got <- string(body)
		}
	}))
	defer server.Close()
	env := []string{"MILEPOST_ALERT_WEBHOOK=" + server.URL + "/hush", "MILEPOST_ALERT_WEBHOOK_SECRET=" + secret}
	if out, status := milepost(t, env, "alerts", "test"); status != 1 || !strings.Contains(out, "MILEPOST_ALERT_PRIVATE_NETWORKS") || strings.Contains(out, "hush") {
		t.Errorf("to this machine, it ends with %d:\n%s", status, out)
	}
	if out, _ := milepost(t, env, "alerts", "--channels", "--json"); !strings.Contains(out, `"name": "webhook"`) || strings.Contains(out, "hush") {
		t.Errorf("for programs, the channels are:\n%s", out)
	}
	if out, status := milepost(t, append(env, "MILEPOST_ALERT_PRIVATE_NETWORKS=true"), "alerts", "test"); status != 0 || !strings.Contains(out, "taken") || strings.Contains(out, "hush") {
		t.Fatalf("where it is allowed, it ends with %d:\n%s", status, out)
	}
	if body := <-got; !strings.Contains(body, `"type":"alert.test"`) {
		t.Errorf("the message is %s", body)
	}
}

func unix(s string) time.Time {
	seconds, _ := strconv.ParseInt(s, 10, 64)
	return time.Unix(seconds, 0)
}
