package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"milepost/internal/alert"
	"milepost/internal/app"
)

func TestAMisspeltSettingNamesTheOneThatWasMeant(t *testing.T) {
	parser, err := kong.New(&app.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for wrong, meant := range map[string]string{
		"MILEPOST_HIGHLVL_TOKN":     "MILEPOST_HIGHLEVEL_TOKEN?",
		"MILEPOST_CALENDARHERO_TOK": "MILEPOST_CALENDARHERO_TOKEN?",
		"MILEPOST_HIGHLEVELTOKEN":   "MILEPOST_HIGHLEVEL_TOKEN?",
		"MILEPOST_LISTN":            "MILEPOST_LISTEN?",
		"MILEPOST_LOCATION_ID":      "MILEPOST_HIGHLEVEL_LOCATION_ID?",
	} {
		err := app.CheckEnvironment(parser.Model, []string{wrong + "=x"})
		if err == nil || !strings.HasSuffix(err.Error(), "did you mean "+meant) {
			t.Errorf("%s: %v, want %s", wrong, err, meant)
		}
	}
}

func TestASettingThatIsCopiedWithTooMuchSaysSo(t *testing.T) {
	parser, err := kong.New(&app.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := app.CheckEnvironment(parser.Model, []string{`MILEPOST_HIGHLEVEL_TOKEN="pit-1"`}); err == nil || !strings.Contains(err.Error(), "MILEPOST_HIGHLEVEL_TOKEN is in quotes") || strings.Contains(err.Error(), "pit-1") {
		t.Errorf("a token in quotes: %v", err)
	}
	for name, change := range map[string]func(*app.Config){
		"MILEPOST_HIGHLEVEL_TOKEN":       func(c *app.Config) { c.HighLevelToken = "Bearer pit-1" },
		"MILEPOST_CALENDARHERO_TOKEN":    func(c *app.Config) { c.CalendarHeroToken = "bearer secret-2" },
		"MILEPOST_HIGHLEVEL_BASE_URL":    func(c *app.Config) { c.HighLevelBaseURL = "https://user:secret-2@vendor.example" },
		"MILEPOST_CALENDARHERO_BASE_URL": func(c *app.Config) { c.CalendarHeroBaseURL = "https://vendor.example/?key=secret-2" },
		"MILEPOST_ALERT_WEBHOOK ": func(c *app.Config) {
			c.AlertWebhook, c.AlertWebhookSecret = "http://alerts.example/secret-2", alert.NewSecret()
		},
		"MILEPOST_ALERT_WEBHOOK_SECRET": func(c *app.Config) { c.AlertWebhook, c.AlertWebhookSecret = "https://alerts.example", "secret-2" },
		"MILEPOST_SMTP_URL":             func(c *app.Config) { c.SMTPURL, c.AlertEmail = "mail.example.com/secret-2", "olivia@agency.example" },
		"MILEPOST_ALERT_EMAIL":          func(c *app.Config) { c.SMTPURL = "smtps://olivia:secret-2@mail.example.com" },
		"MILEPOST_BACKUP_AGE":           func(c *app.Config) { c.BackupAge, c.DatabaseURL = time.Hour, "postgres://secret-2@db" },
		"MILEPOST_PUBLIC_URL":           func(c *app.Config) { c.PublicURL = "https://milepost.example/#secret-2" },
	} {
		c := app.Config{HighLevelToken: "pit-1", HighLevelLocationID: " loc ", CalendarHeroToken: "ch"}
		if err := c.Validate(); err != nil || c.HighLevelLocationID != "loc" {
			t.Fatalf("%q: %v", c.HighLevelLocationID, err)
		}
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "pit-1") || strings.Contains(err.Error(), "secret-2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
