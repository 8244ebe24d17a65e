package alert_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"milepost/internal/alert"
)

// The vector is that of the libraries of Standard Webhooks.
func TestTheSignatureIsThatOfStandardWebhooks(t *testing.T) {
	t.Parallel()
	secret, err := alert.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := secret.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("the signature is %s, want %s", got, want)
	}
	both, err := alert.ParseSecret(alert.NewSecret() + ", whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	if list := strings.Fields(both.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))); len(list) != 2 || list[1] != got {
		t.Errorf("while it is rotated, the signatures are %q", list)
	}
}

func TestASecretMustBeOne(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"hunter2hunter2hunter2hunter2hunter2", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64 at all, really not!"} {
		if _, err := alert.ParseSecret(bad); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q is %v", bad, err)
		}
	}
}

func TestAnAlertReachesNoPrivateNetworkAndItsErrorHidesTheAddress(t *testing.T) {
	t.Parallel()
	asked := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = true
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer server.Close()
	to, _ := url.Parse(server.URL + "/services/HUSH?token=HUSH")
	secret, _ := alert.ParseSecret(alert.NewSecret())
	for _, private := range []bool{false, true} {
		err := alert.NewWebhook(to, secret, private, time.Now).Send(t.Context(), alert.Message{})
		want := map[bool]string{false: "MILEPOST_ALERT_PRIVATE_NETWORKS", true: "answers 302"}[private]
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "HUSH") || asked != private {
			t.Errorf("with private networks %v it is %v, and the server was asked: %v", private, err, asked)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := alert.NewWebhook(to, secret, true, time.Now).Send(ended, alert.Message{}); err == nil || strings.Contains(err.Error(), "HUSH") {
		t.Errorf("a call that is canceled is %v", err)
	}
}
