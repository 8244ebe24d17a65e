package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"milepost/clients/calendarhero"
	"milepost/internal/app"
	"milepost/internal/connection"
	"milepost/internal/contract"
	"milepost/internal/store"
	"milepost/internal/version"
)

// errDiffers makes the exit status follow what was found.
var errDiffers = errors.New("CalendarHero differs from what Milepost relies on; the report says where")

var errNoAccount = errors.New("no CalendarHero account: set MILEPOST_CALENDARHERO_TOKEN, or connect a location (see `milepost connections --help`)")

// reportLive reads all that can be read of a CalendarHero account, compares it
// with what Milepost relies on, and writes what it found to the report file.
func (c *checkCmd) reportLive(ctx context.Context, out io.Writer) error {
	if err := c.Validate(); err != nil {
		return err
	}
	c.Report = cmp.Or(c.Report, "milepost-check-live.md")
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	var report contract.Report
	err := c.withAccount(ctx, func(ch *calendarhero.Client) (err error) {
		report, err = contract.Examine(ctx, ch)
		return err
	})
	if err != nil {
		return err
	}
	if err := writePrivate(c.Report, report.Markdown(version.Get().Version)); err != nil {
		return err
	}
	for _, line := range report.Differs {
		fmt.Fprintf(out, "FAIL  %s\n", line)
	}
	fmt.Fprintf(out, "%d differences that matter, %d other notes; nothing was changed.\n", len(report.Differs), len(report.Notes))
	fmt.Fprintf(out, "The report is in %s. It contains names of fields and types, and no value of the account. Please look through it, then send it to us.\n", c.Report)
	if len(report.Differs) > 0 {
		return errDiffers
	}
	return nil
}

// onlyLocation is the one location that is connected by OAuth or by command.
func onlyLocation(ctx context.Context, state *app.State) (string, error) {
	list, err := state.Store.Connections(ctx)
	if err != nil {
		return "", err
	}
	list = slices.DeleteFunc(list, func(c store.Connection) bool {
		return c.Source == connection.FromSettings || c.State == store.ConnectionRemoved
	})
	switch len(list) {
	case 0:
		return "", errNoAccount
	case 1:
		return list[0].LocationID, nil
	}
	return "", errors.New("several locations are connected: choose one with --location (`milepost connections` lists them)")
}

// withAccount finds the CalendarHero account to read: of the location that was
// named, of the settings, or of the only connected location.
func (c *checkCmd) withAccount(ctx context.Context, do func(*calendarhero.Client) error) error {
	if c.Location == "" && c.CalendarHeroToken != "" {
		return do(c.CalendarHeroClient())
	}
	if !everRan(c.Config) {
		return errNoAccount
	}
	return withState(ctx, c.Config, func(state *app.State) error {
		location := c.Location
		if location == "" {
			var err error
			if location, err = onlyLocation(ctx, state); err != nil {
				return err
			}
		}
		live, err := state.Connections.Lookup(ctx, location)
		if err != nil {
			return err
		}
		return do(live.CalendarHero)
	})
}

// writePrivate writes a file that only its owner can read, also where it was there before.
func writePrivate(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	err = errors.Join(os.Chmod(path, 0o600), func() error { _, err := io.WriteString(f, text); return err }(), f.Close())
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
