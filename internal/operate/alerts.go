package operate

import (
	"cmp"
	"context"
	"errors"
	"time"

	"milepost/internal/alert"
	"milepost/internal/store"
)

// failingFor is how long syncs must fail before somebody is told, as in
// deploy/prometheus/rules.yml. Most failures are of one record, and nobody is to be woken.
const failingFor = 30 * time.Minute

// Faults are what needs attention, as people are told of it.
func (d *Desk) Faults(ctx context.Context) ([]alert.Fault, error) {
	v, err := d.Attention(ctx)
	if err != nil {
		return nil, err
	}
	faults := make([]alert.Fault, len(v.Concerns))
	for i, c := range v.Concerns {
		f := alert.Fault{
			Key: c.Key, Kind: string(c.Kind), What: c.What, Todo: c.Todo, Location: cmp.Or(c.Location, c.LocationID), Count: c.Count, Since: c.FirstAt,
			Open: c.State == ConcernOpen,
		}
		switch {
		case c.Kind != ConcernFailing:
		case c.Cause.Outcome == store.Auth: // a connection that does not work, whoever noticed it
			f.Kind = string(ConcernConnection)
		case v.At.Sub(c.FirstAt) < failingFor:
			f.Open = false
		}
		faults[i] = f
	}
	return faults, nil
}

// AlertChannel is a way by which people are told.
type AlertChannel struct {
	Name string `json:"name"`
	To   string `json:"to"`
}

// Alerting says by which channels people are told, and what they were told of late.
type Alerting struct {
	Channels []AlertChannel
	Messages []store.AlertMessage // newest first
}

// mostMessages is how many messages an Alerting shows.
const mostMessages = 50

// Alerting reads how people are told.
func (d *Desk) Alerting(ctx context.Context) (a Alerting, err error) {
	if d.Alerts != nil {
		for _, c := range d.Alerts.Channels {
			a.Channels = append(a.Channels, AlertChannel{c.Name(), c.To()})
		}
	}
	a.Messages, err = d.Store.AlertMessages(ctx, mostMessages)
	return a, err
}

// ErrNoChannel means that there is no way to tell people.
var ErrNoChannel = errors.New("no channel for alerts is set: set MILEPOST_ALERT_WEBHOOK or MILEPOST_ALERT_EMAIL")

// TestAlerts sends a test message by each channel at once.
func (d *Desk) TestAlerts(ctx context.Context, who string) ([]alert.Tried, error) {
	if d.Alerts == nil || len(d.Alerts.Channels) == 0 {
		return nil, ErrNoChannel
	}
	tried := d.Alerts.Test(ctx)
	return tried, d.note(ctx, who, "sent a test alert", "")
}
