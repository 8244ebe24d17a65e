package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"milepost/handlers"
	"milepost/internal/app"
	"milepost/internal/automation"
	"milepost/internal/connection"
	"milepost/internal/inbox"
	"milepost/internal/operate"
	"milepost/internal/store"
)

type checkCmd struct {
	Contact  string `help:"Id of a contact to read. Without it, the check asks for a contact that does not exist, which shows the same." placeholder:"ID"`
	Live     bool   `help:"Read CalendarHero's API, compare it with what Milepost relies on, and write a report without any value of the account. Changes nothing."`
	Report   string `help:"With --live: the file for the report; milepost-check-live.md by default." placeholder:"FILE"`
	Location string `help:"With --live: read the CalendarHero account of this connected location." placeholder:"ID"`
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Run tries what a running Milepost needs of both vendors, and changes nothing.
func (c *checkCmd) Run(ctx context.Context) error {
	switch {
	case !c.Live && (c.Report != "" || c.Location != ""):
		return usageError("--report and --location go with --live; without it, the check tests all locations")
	case c.Live && (c.JSON || c.Contact != ""):
		return usageError("--json and --contact do not go with --live, which writes a report to a file")
	case c.Live:
		return c.reportLive(ctx, os.Stdout)
	}
	return c.report(ctx, os.Stdout)
}

// errCheckFailed makes the exit status follow the report.
var errCheckFailed = errors.New("some checks failed; each failure says what to do")

func (c *checkCmd) report(ctx context.Context, out io.Writer) (err error) {
	if err := c.Validate(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	r := newCheckReport(out)
	if c.JSON {
		r.rows = []operate.CheckLine{}
		defer func(to io.Writer) { err = errors.Join(printJSON(to, r.rows), err) }(out)
		out = io.Discard
		r.out = out
	}
	tokens := c.HighLevelTokens()
	for i, token := range tokens {
		if len(tokens) > 1 { // one is being rotated
			r.of("HighLevel token %d of %d", i+1, len(tokens))
		}
		r.HighLevel(ctx, c.HighLevelClient(token), c.HighLevelLocationID, c.Contact)
	}
	if c.CalendarHeroToken != "" {
		r.CalendarHero(ctx, c.CalendarHeroClient())
	}
	named, err := c.named(ctx)
	if err != nil {
		return err
	}
	r.Doubts(named)
	if len(tokens) > 0 && c.CalendarHeroToken != "" {
		r.Names(ctx, named, c.HighLevelClient(tokens[0]), c.CalendarHeroClient(), c.HighLevelLocationID)
	}
	stored, err := c.stored(ctx, r)
	if err != nil {
		return err
	}
	if stored == 0 && len(tokens) == 0 {
		r.Line("HighLevel token", unset("MILEPOST_HIGHLEVEL_TOKEN and MILEPOST_HIGHLEVEL_LOCATION_ID, or connect a location (see `milepost connections --help`)"))
	}
	if stored == 0 && c.CalendarHeroToken == "" {
		r.Line("CalendarHero token", unset("MILEPOST_CALENDARHERO_TOKEN"))
	}
	if c.PublicURL != "" {
		base := strings.TrimSuffix(c.PublicURL, "/")
		fmt.Fprintf(out, "\nWebhook URL for the HighLevel app: %s/webhooks/highlevel\n", base)
		if c.HighLevelClientSecret != "" {
			fmt.Fprintf(out, "Redirect URL for the HighLevel app: %s%s\nConnect a location at:              %s%s\n", base, handlers.CallbackPath, base, handlers.InstallPath)
		}
	}
	if r.Failed {
		return errCheckFailed
	}
	return nil
}

// stored tries the locations that were connected by OAuth or by command, and
// returns how many there are. Where Milepost never ran there are none.
func (c *checkCmd) stored(ctx context.Context, r *checkReport) (n int, err error) {
	if !everRan(c.Config) {
		return 0, nil // nothing is stored yet, and this makes nothing
	}
	return n, withState(ctx, c.Config, func(state *app.State) error {
		if c.DatabaseURL == "" {
			if note, err := inbox.Status(ctx, c.DataDir, state.Store); err != nil {
				r.Line("stored webhooks", func() (string, error) { return "", err })
			} else if note != "" {
				fmt.Fprintf(r.out, "note  %-34s %s\n", "stored webhooks", note)
			}
		}
		if err := c.heldInvites(ctx, state, r); err != nil {
			return err
		}
		list, err := state.Store.Connections(ctx)
		if err != nil {
			return err
		}
		for _, conn := range list {
			if c.location(ctx, state, r, conn) {
				n++
			}
		}
		return nil
	})
}

// location tries one location, and reports whether it is connected by OAuth or by command.
func (c *checkCmd) location(ctx context.Context, state *app.State, r *checkReport, conn store.Connection) bool {
	if conn.ByOperator && conn.LocationID == c.HighLevelLocationID {
		r.Line("connection", func() (string, error) {
			return "", fmt.Errorf("location %s was removed with `milepost connections remove`, and the settings do not bring it back; use `milepost connections set`", conn.LocationID)
		})
	}
	if conn.Source == connection.FromSettings || conn.State == store.ConnectionRemoved {
		return false
	}
	r.of("location %s %s", conn.LocationID, conn.Name)
	deskOf(state).CheckLocation(ctx, &r.Check, conn.LocationID)
	return true
}

// named lists the automations whose names are compared with what a location has.
func (c *checkCmd) named(ctx context.Context) (named automation.Named, err error) {
	switch file, err := c.AutomationFile(); {
	case file != nil:
		return file.Named(), err
	case err != nil, !everRan(c.Config):
		return named, err
	}
	return named, withState(ctx, c.Config, func(state *app.State) error {
		named = state.Automations.Named()
		return nil
	})
}

// heldInvites warns of open requests that stay with the owner until a person agrees.
func (c *checkCmd) heldInvites(ctx context.Context, state *app.State, r *checkReport) error {
	rows, err := heldInvites(ctx, state, state.Automations.Set().InvitesOthers())
	for _, row := range rows {
		r.Warn("invites", fmt.Sprintf("location %s: %d open requests of %q stay with the account's owner; to invite, and mail, up to %d people, run: milepost invites allow %s",
			row.Location, row.Requests, row.Name, row.Requests, row.Automation))
	}
	return err
}

// checkReport prints what was tried, a line each, and keeps it if rows is not nil.
type checkReport struct {
	operate.Check
	out  io.Writer
	rows []operate.CheckLine
}

func newCheckReport(out io.Writer) *checkReport {
	r := &checkReport{out: out}
	r.Say = r.print
	return r
}

// of begins the part about a token or location.
func (r *checkReport) of(format string, args ...any) {
	r.About = strings.TrimSpace(fmt.Sprintf(format, args...))
	fmt.Fprintf(r.out, "\n%s\n", r.About)
}

func (r *checkReport) print(line operate.CheckLine) {
	word := "ok"
	switch {
	case !line.OK:
		word = "FAIL"
	case line.Warning:
		word = "warn"
	}
	fmt.Fprintf(r.out, "%-5s %-34s %s\n", word, line.What, line.Detail)
	if r.rows != nil {
		r.rows = append(r.rows, line)
	}
}

func unset(names string) func() (string, error) {
	return func() (string, error) { return "", fmt.Errorf("not set: set %s", names) }
}
