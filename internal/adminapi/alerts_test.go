package adminapi_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"milepost/internal/alert"
	"milepost/internal/operate"
)

// channel is one that takes messages, or does not.
type channel struct{ err error }

func (channel) Name() string { return "webhook" }

func (channel) To() string { return "alerts.example" }

func (c channel) Send(context.Context, alert.Message) error { return c.err }

func alerts(t *testing.T) {
	t.Run("without a channel", func(t *testing.T) {
		d := setup(t)
		d.get("/alerts").has(`"channels":[]`, `"messages":[]`)
		d.ask(olivia, "POST", "/alerts/test", "").is(http.StatusConflict).has("MILEPOST_ALERT_WEBHOOK")
		d.ask(victor, "GET", "/alerts", "").is(http.StatusForbidden)
	})
	d := setup(t, func(cfg *operate.Config) {
		cfg.Alerts = alert.New(alert.Config{Store: cfg.Store, Channels: []alert.Channel{channel{}, channel{errors.New("alerts.example answers 503")}}, Now: cfg.Now})
	})
	fault := alert.Fault{Key: "k", Kind: "stuck", What: "Webhooks wait", Since: d.now, Open: true}
	alerter := alert.New(alert.Config{Store: d.store, Channels: []alert.Channel{channel{}}, Now: func() time.Time { return d.now }})
	must(t, alerter.Round(t.Context(), []alert.Fault{fault}))
	d.get("/alerts").has(`"to":"alerts.example"`, `"kind":"stuck"`, `"status":"firing"`, `"sent_at":"2026-`)
	d.ask(olivia, "POST", "/alerts/test", "").is(http.StatusOK).has(`"problem":"alerts.example answers 503"`)
	d.audited("olivia sent a test alert")
	d.ask(victor, "POST", "/alerts/test", "").is(http.StatusForbidden)
}
