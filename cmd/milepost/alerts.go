package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"milepost/internal/alert"
	"milepost/internal/app"
	"milepost/internal/operate"
)

type alertsCmd struct {
	List   listAlertsCmd  `cmd:"" default:"withargs" help:"Show the channels, and the messages of the last 30 days."`
	Test   testAlertsCmd  `cmd:"" help:"Send a test message by each channel."`
	Secret alertSecretCmd `cmd:"" help:"Make a secret that signs alert webhooks (MILEPOST_ALERT_WEBHOOK_SECRET)."`
}

// Help explains the command.
func (alertsCmd) Help() string {
	return `Milepost tells you by webhook and e-mail what is under Attention, once a channel is set: MILEPOST_ALERT_WEBHOOK, or MILEPOST_ALERT_EMAIL
with MILEPOST_SMTP_URL. Of each kind of fault it sends at most one message an hour, and one when it is over. docs/alerts.md says more.`
}

// withAlerts opens the state for a command about alerts.
func withAlerts(ctx context.Context, cfg app.Config, do func(*operate.Desk) error) error {
	return withState(ctx, cfg, func(state *app.State) error {
		alerter, err := cfg.Alerter(state.Store)
		if err != nil {
			return err
		}
		return do(operate.New(operate.Config{Store: state.Store, Alerts: alerter, BackupAge: cfg.BackupAge}))
	})
}

type listAlertsCmd struct {
	Channels bool `help:"Show only the channels."`
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// alertRow is one message by one channel.
type alertRow struct {
	At      time.Time  `json:"at"`
	Kind    string     `json:"kind"`
	Status  string     `json:"status"`
	Channel string     `json:"channel"`
	Sent    *time.Time `json:"sent_at"` // null = not sent
	Tries   int64      `json:"tries"`
	Problem string     `json:"problem,omitempty"`
}

// Run lists the messages.
func (c *listAlertsCmd) Run(ctx context.Context) error { return c.list(ctx, os.Stdout) }

func (c *listAlertsCmd) list(ctx context.Context, out io.Writer) error {
	return withAlerts(ctx, c.Config, func(desk *operate.Desk) error {
		found, err := desk.Alerting(ctx)
		if err != nil {
			return err
		}
		if c.Channels {
			return printList(out, c.asJSON, found.Channels,
				column[operate.AlertChannel]{"CHANNEL", func(c operate.AlertChannel) string { return c.Name }},
				column[operate.AlertChannel]{"TO", func(c operate.AlertChannel) string { return c.To }})
		}
		var rows []alertRow
		for _, m := range found.Messages {
			rows = append(rows, alertRow{m.At.UTC(), m.Kind, m.Status, m.Channel, moment(m.SentAt), m.Tries, m.Problem})
		}
		if !c.JSON {
			for _, channel := range found.Channels {
				fmt.Fprintf(out, "%s to %s\n", channel.Name, channel.To)
			}
			if len(found.Channels) == 0 {
				fmt.Fprintln(out, "no channel is set: see `milepost alerts --help`")
			}
			if len(rows) == 0 {
				_, err = fmt.Fprintln(out, "nothing was sent in the last 30 days")
				return err
			}
		}
		return printList(out, c.asJSON, rows,
			column[alertRow]{"TIME", func(r alertRow) string { return r.At.Format(time.RFC3339) }},
			column[alertRow]{"KIND", func(r alertRow) string { return r.Kind }},
			column[alertRow]{"STATUS", func(r alertRow) string { return r.Status }},
			column[alertRow]{"CHANNEL", func(r alertRow) string { return r.Channel }},
			column[alertRow]{"SENT", func(r alertRow) string {
				if r.Sent == nil {
					return "no: " + inOneLine(r.Problem)
				}
				return r.Sent.Format(time.RFC3339)
			}})
	})
}

type testAlertsCmd struct {
	app.Config `embed:"" group:"Settings"`
}

// Run sends a test message.
func (c *testAlertsCmd) Run(ctx context.Context) error { return c.test(ctx, os.Stdout) }

func (c *testAlertsCmd) test(ctx context.Context, out io.Writer) error {
	return withAlerts(ctx, c.Config, func(desk *operate.Desk) error {
		tried, err := desk.TestAlerts(ctx, byUser())
		for _, t := range tried {
			result := "taken"
			if t.Err != nil {
				result = inOneLine(t.Err.Error())
				err = errors.Join(err, fmt.Errorf("the %s was not taken", t.Channel))
			}
			fmt.Fprintf(out, "%s to %s: %s\n", t.Channel, t.To, result)
		}
		return err
	})
}

type alertSecretCmd struct{}

// Run prints a new secret.
func (c *alertSecretCmd) Run() error {
	_, err := fmt.Println(alert.NewSecret())
	return err
}
