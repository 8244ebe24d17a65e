package console_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"milepost/internal/alert"
	"milepost/internal/console"
	"milepost/internal/operate"
	"milepost/internal/testenv"
)

// channel is one that takes messages, or does not.
type channel struct {
	name, to string
	err      error
}

func (c channel) Name() string { return c.name }

func (c channel) To() string { return c.to }

func (c channel) Send(context.Context, alert.Message) error { return c.err }

func TestAlertsAreTestedAndShown(t *testing.T) {
	testenv.Long(t)
	d := setup(t, func(cfg *console.Config) {
		cfg.Desk = operate.New(operate.Config{Store: cfg.Desk.Store, Now: cfg.Now, Alerts: alert.New(alert.Config{Store: cfg.Desk.Store, Now: cfg.Now, Channels: []alert.Channel{
			channel{"webhook", "alerts.example", nil}, channel{"e-mail", "olivia@agency.example", errors.New("535 <b>wrong</b> password")},
		}})})
	})
	const path = "/console/settings/alerts"
	if page := d.page(olivia, path); !strings.Contains(page, "alerts.example") || !strings.Contains(page, "Nothing was sent.") {
		t.Errorf("before anything was sent, the page is\n%s", page)
	}
	status, page := d.ask(olivia, "POST", path+"/test", url.Values{})
	if status != http.StatusOK || !strings.Contains(page, "535 &lt;b&gt;wrong") || !strings.Contains(page, ">taken<") || !strings.Contains(page, ">not taken<") {
		t.Errorf("after a test (%d), the page is\n%s", status, page)
	}
	_ = d.operate.Alerts.Round(t.Context(), []alert.Fault{{Key: "k", Kind: "stuck", What: "Webhooks wait", Open: true}})
	if page := d.page(olivia, path); !strings.Contains(page, "Webhooks wait for too long") || !strings.Contains(page, ">sent<") || !strings.Contains(page, ">waits<") {
		t.Errorf("after a message, the page is\n%s", page)
	}
	if status, _ := d.ask(victor, "GET", path, nil); status != http.StatusForbidden {
		t.Errorf("a viewer gets %d", status)
	}
}

func TestAConsoleWithoutAChannelSaysHowToSetOne(t *testing.T) {
	testenv.Long(t)
	d := setup(t)
	if page := d.page(olivia, "/console/settings/alerts"); !strings.Contains(page, "MILEPOST_SMTP_URL") {
		t.Errorf("the page is\n%s", page)
	}
	if status, page := d.ask(olivia, "POST", "/console/settings/alerts/test", url.Values{}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "No channel for alerts is set") {
		t.Errorf("a test without a channel is %d\n%s", status, page)
	}
}
