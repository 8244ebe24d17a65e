package console

import (
	"errors"
	"net/http"

	"milepost/internal/alert"
	"milepost/internal/operate"
	"milepost/internal/store"
)

type alertsData struct {
	Channels []operate.AlertChannel
	Messages []alertRow
	Tried    []alert.Tried // how a test just went
}

// alertRow is one message by one channel.
type alertRow struct {
	store.AlertMessage
	Subject string
}

// Waiting reports whether the message is still to be sent.
func (r alertRow) Waiting() bool { return r.SentAt.IsZero() && !r.NextAt.IsZero() }

func (c *Console) alertsPage(r *http.Request, v *view) error {
	if err := c.settings(v, "Alerts"); err != nil {
		return err
	}
	found, err := c.Desk.Alerting(r.Context())
	data := alertsData{Channels: found.Channels}
	for _, m := range found.Messages {
		data.Messages = append(data.Messages, alertRow{m, alert.Subject(m.Kind, m.Status)})
	}
	data.Tried, _ = v.Result.([]alert.Tried)
	v.Data = data
	return err
}

func (c *Console) testAlerts(r *http.Request, v *view) (string, error) {
	tried, err := c.Desk.TestAlerts(r.Context(), v.Me.Name)
	if errors.Is(err, operate.ErrNoChannel) {
		return "", problem(sentence(err))
	}
	v.Result = tried
	return "", err
}
