package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/app"
)

type checkCmd struct {
	app.Config `embed:""`
	Contact    string `help:"Id of a contact to read; without it a contact that does not exist is asked for, which tells as much." placeholder:"ID"`
}

// Run tries what a running Milepost needs of both vendors, and changes nothing.
func (c *checkCmd) Run(ctx context.Context) error {
	return c.report(ctx, os.Stdout)
}

// errCheckFailed makes the exit status follow the report.
var errCheckFailed = errors.New("not all is well; what to do stands behind each failure")

func (c *checkCmd) report(ctx context.Context, out io.Writer) error {
	if err := c.Validate(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	failed := false
	line := func(what string, try func() (string, error)) {
		said, err := try()
		if err != nil {
			failed = true
			fmt.Fprintf(out, "FAIL  %-34s %v\n", what, err)
			return
		}
		fmt.Fprintf(out, "ok    %-34s %s\n", what, said)
	}
	hl, ch := c.Clients()
	location := c.HighLevelLocationID
	if c.HighLevelToken == "" {
		line("HighLevel token", unset("MILEPOST_HIGHLEVEL_TOKEN and MILEPOST_HIGHLEVEL_LOCATION_ID"))
	} else {
		line("HighLevel location", func() (string, error) { return checkLocation(ctx, hl, location) })
		line("HighLevel users", func() (string, error) {
			users, err := hl.Users(ctx, location)
			return fmt.Sprintf("%d users", len(users)), err
		})
		line("HighLevel contacts", func() (string, error) { return checkContact(ctx, hl, c.Contact) })
		line("HighLevel custom fields", func() (string, error) { return checkFields(ctx, hl, location) })
		line("HighLevel task search", func() (string, error) {
			_, err := hl.SearchTasks(ctx, location, highlevel.TaskSearch{Limit: 1})
			return "tasks can be found", err
		})
	}
	if c.CalendarHeroToken == "" {
		line("CalendarHero token", unset("MILEPOST_CALENDARHERO_TOKEN"))
	} else {
		line("CalendarHero account", func() (string, error) { return checkAccount(ctx, ch) })
		line("CalendarHero meeting types", func() (string, error) {
			types, err := ch.MeetingTypes(ctx)
			names := make([]string, len(types))
			for i, t := range types {
				names[i] = t.Name
			}
			return strings.Join(names, ", "), err
		})
	}
	if c.PublicURL != "" {
		fmt.Fprintf(out, "\nWebhook URL for the HighLevel app: %s/webhooks/highlevel\n", strings.TrimSuffix(c.PublicURL, "/"))
	}
	if failed {
		return errCheckFailed
	}
	return nil
}

func unset(names string) func() (string, error) {
	return func() (string, error) { return "", fmt.Errorf("not set: give %s", names) }
}

func checkLocation(ctx context.Context, hl *highlevel.Client, id string) (string, error) {
	l, err := hl.Location(ctx, id)
	if err != nil {
		return "", err
	}
	if _, err := time.LoadLocation(l.Timezone); err != nil || l.Timezone == "" {
		return "", fmt.Errorf("location %s has the time zone %q, which is none; set it in HighLevel under Settings, Business Profile", l.Name, l.Timezone)
	}
	return l.Name + ", " + l.Timezone, nil
}

// checkContact reads a contact. One that does not exist proves the token, the
// scope and the Version header just as well: HighLevel looks at those first.
func checkContact(ctx context.Context, hl *highlevel.Client, id string) (string, error) {
	if id != "" {
		_, err := hl.Contact(ctx, id)
		return "contact " + id + " can be read", err
	}
	_, err := hl.Contact(ctx, "milepostcheckdoesnotexist")
	if clients.ReasonOf(err) == clients.NotFound {
		err = nil
	}
	return "contacts can be read", err
}

// checkFields tells whether the milestone recipe concerns this location.
func checkFields(ctx context.Context, hl *highlevel.Client, location string) (string, error) {
	fields, err := hl.CustomFields(ctx, location)
	have := map[string]bool{}
	for _, f := range fields {
		have[f.Key] = true
	}
	said := fmt.Sprintf("%d fields", len(fields))
	if !have["milestone"] || !have["milestone_date"] {
		said += "; without contact.milestone and contact.milestone_date the milestone recipe has nothing to do"
	}
	return said, err
}

func checkAccount(ctx context.Context, ch *calendarhero.Client) (string, error) {
	u, err := ch.User(ctx)
	if err == nil && u.Email == "" {
		return "", errors.New("the account has no e-mail address, so its owner cannot be invited; give it one in CalendarHero, My Profile Settings")
	}
	return "signed in, time zone " + u.Timezone, err
}
