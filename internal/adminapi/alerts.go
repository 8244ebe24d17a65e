package adminapi

import (
	"context"
	"net/http"
	"time"
)

// Alerting says by which channels people are told what is wrong, and what they were told.
type Alerting struct {
	Channels []AlertChannel `json:"channels"`
	Messages []AlertMessage `json:"messages" doc:"The newest 50, newest first."`
}

// AlertChannel is a way by which people are told.
type AlertChannel struct {
	Name string `json:"name" enum:"webhook,e-mail"`
	To   string `json:"to" doc:"The host of a webhook, or e-mail addresses."`
}

// AlertMessage is a message by one channel.
type AlertMessage struct {
	ID      string    `json:"id" doc:"The same in each channel; a webhook's webhook-id."`
	Channel string    `json:"channel"`
	Kind    string    `json:"kind" doc:"As in the attention endpoints."`
	Status  string    `json:"status" enum:"firing,over"`
	At      time.Time `json:"at"`
	SentAt  time.Time `json:"sent_at,omitzero" doc:"Missing if it is not sent."`
	Tries   int64     `json:"tries"`
	Problem string    `json:"problem,omitempty" doc:"Of the last try."`
}

// TestedChannel is how the test of a channel went.
type TestedChannel struct {
	AlertChannel
	Problem string `json:"problem,omitempty" doc:"Missing if the channel took the message."`
}

// TestedChannels is how a test went.
type TestedChannels struct {
	Channels []TestedChannel `json:"channels"`
}

func (a *API) alerts() {
	const tag = "alerts"
	get(a, endpoint{id: "get-alerts", path: "/alerts", tag: tag, summary: "By which channels people are told what is wrong, and what they were told", operators: true}, a.getAlerts)
	post(a, http.MethodPost, endpoint{id: "test-alerts", path: "/alerts/test", tag: tag, summary: "Send a test message by each channel at once"}, a.testAlerts)
}

func (a *API) getAlerts(ctx context.Context, _ *struct{}) (out Alerting, err error) {
	found, err := a.Desk.Alerting(ctx)
	out = Alerting{Channels: []AlertChannel{}, Messages: []AlertMessage{}}
	for _, c := range found.Channels {
		out.Channels = append(out.Channels, AlertChannel{c.Name, c.To})
	}
	for _, m := range found.Messages {
		out.Messages = append(out.Messages, AlertMessage{m.ID, m.Channel, m.Kind, m.Status, utc(m.At), utc(m.SentAt), m.Tries, m.Problem})
	}
	return out, err
}

func (a *API) testAlerts(ctx context.Context, _ *struct{}) (out TestedChannels, err error) {
	tried, err := a.Desk.TestAlerts(ctx, who(ctx))
	out.Channels = []TestedChannel{}
	for _, t := range tried {
		channel := TestedChannel{AlertChannel: AlertChannel{t.Channel, t.To}}
		if t.Err != nil {
			channel.Problem = t.Err.Error()
		}
		out.Channels = append(out.Channels, channel)
	}
	return out, err
}
