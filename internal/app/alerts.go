package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"milepost/internal/alert"
	"milepost/internal/operate"
	"milepost/internal/store"
)

// alertChannels are the channels that are set. The error names everything that is wrong
// with them.
func (c *Config) alertChannels() (channels []alert.Channel, err error) {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.AlertWebhook != "" {
		to, err := url.Parse(strings.TrimSpace(c.AlertWebhook))
		if err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" || to.Fragment != "" {
			problem("MILEPOST_ALERT_WEBHOOK is not an address such as https://example.com/alerts")
		} else if to.Scheme == "http" && !c.InsecureHTTP && !isLoopback(to.Hostname()) {
			problem("MILEPOST_ALERT_WEBHOOK would send alerts to %s unencrypted: use https, or set MILEPOST_INSECURE_HTTP=true if you trust the network between", to.Host)
		}
		secret, secretErr := alert.ParseSecret(c.AlertWebhookSecret)
		switch {
		case secretErr != nil:
			problem("MILEPOST_ALERT_WEBHOOK_SECRET: %w", secretErr)
		case len(secret) == 0:
			problem("MILEPOST_ALERT_WEBHOOK_SECRET is missing: it signs what is sent to MILEPOST_ALERT_WEBHOOK; `milepost alerts secret` makes one")
		}
		if len(problems) == 0 {
			channels = append(channels, alert.NewWebhook(to, secret, c.AlertPrivateNetworks, c.Clock.Now))
		}
	}
	if (c.AlertEmail == "") != (c.SMTPURL == "") {
		problem("MILEPOST_ALERT_EMAIL and MILEPOST_SMTP_URL belong together: set both or none")
	} else if c.AlertEmail != "" {
		first, _, _ := strings.Cut(c.AlertEmail, ",")
		mail, err := alert.NewMail(strings.TrimSpace(c.SMTPURL), cmp.Or(c.AlertEmailFrom, first), c.AlertEmail)
		if err != nil {
			problem("MILEPOST_SMTP_URL, MILEPOST_ALERT_EMAIL, MILEPOST_ALERT_EMAIL_FROM: %w", err)
		} else {
			channels = append(channels, mail)
		}
	}
	return channels, errors.Join(problems...)
}

// checkAlerts checks what is about alerts.
func (c *Config) checkAlerts() error {
	_, err := c.alertChannels()
	switch {
	case c.BackupAge < 0:
		err = errors.Join(err, errors.New("MILEPOST_BACKUP_AGE must not be negative"))
	case c.BackupAge > 0 && c.DatabaseURL != "":
		err = errors.Join(err, errors.New("MILEPOST_BACKUP_AGE is about `milepost backup`, which is for SQLite: with DATABASE_URL, watch your backups of PostgreSQL"))
	}
	return err
}

// Alerter is what tells people.
func (c *Config) Alerter(st *store.Store) (*alert.Alerter, error) {
	channels, err := c.alertChannels()
	if err != nil {
		return nil, err
	}
	return alert.New(alert.Config{Store: st, Channels: channels, Console: strings.TrimSuffix(c.AdminURL, "/"), Now: c.Clock.Now}), nil
}

const (
	// alertEvery is how often Milepost looks whether there is something to tell.
	alertEvery = 30 * time.Second
	// signaturesEvery is how often it writes down how many webhooks had a valid signature.
	signaturesEvery = time.Minute
)

// tell is a task that tells people what is wrong.
func (a *App) tell(alerter *alert.Alerter, desk *operate.Desk) func(context.Context) (next time.Duration) {
	return func(ctx context.Context) (next time.Duration) {
		faults, err := desk.Faults(ctx)
		if err == nil {
			err = alerter.Round(ctx, faults)
		}
		report(ctx, a.alerting, err)
		return max(a.clock.Real(alertEvery), 50*time.Millisecond)
	}
}

// countSignatures is a task that writes down how many of HighLevel's webhooks had a valid
// signature since it did so last. What it could not write, it writes the next time.
func (a *App) countSignatures(read func() (accepted, rejected int64)) func(context.Context) (next time.Duration) {
	var accepted, rejected int64
	return func(ctx context.Context) (next time.Duration) {
		good, bad := read()
		var err error
		if good != accepted || bad != rejected {
			if err = a.store.CountSignatures(ctx, a.clock.Now(), good-accepted, bad-rejected); err == nil {
				accepted, rejected = good, bad
			}
		}
		report(ctx, a.countingSignatures, err)
		return max(a.clock.Real(signaturesEvery), 50*time.Millisecond)
	}
}
