package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/handlers"
	"milepost/internal/app"
	"milepost/internal/automation"
	"milepost/internal/connection"
	"milepost/internal/inbox"
	"milepost/internal/store"
	"milepost/mapping"
)

type checkCmd struct {
	Contact  string `help:"Id of a contact to read. Without it, the check asks for a contact that does not exist, which shows the same." placeholder:"ID"`
	Live     bool   `help:"Read CalendarHero's API, compare it with what Milepost relies on, and write a report without any value of the account. Changes nothing."`
	Report   string `help:"With --live: the file for the report." default:"milepost-check-live.md" placeholder:"FILE"`
	Location string `help:"With --live: read the CalendarHero account of this connected location." placeholder:"ID"`
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Run tries what a running Milepost needs of both vendors, and changes nothing.
func (c *checkCmd) Run(ctx context.Context) error {
	if c.Live {
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
	r := &checkReport{out: out}
	if c.JSON {
		r.rows = []checkRow{}
		defer func(to io.Writer) { err = errors.Join(printJSON(to, r.rows), err) }(out)
		out = io.Discard
		r.out = out
	}
	tokens := c.HighLevelTokens()
	for i, token := range tokens {
		if len(tokens) > 1 { // one is being rotated
			r.of("HighLevel token %d of %d", i+1, len(tokens))
		}
		r.highLevel(ctx, c.HighLevelClient(token), c.HighLevelLocationID, c.Contact)
	}
	if c.CalendarHeroToken != "" {
		r.calendarHero(ctx, c.CalendarHeroClient())
	}
	if len(tokens) > 0 && c.CalendarHeroToken != "" {
		named, err := c.named(ctx)
		if err != nil {
			return err
		}
		r.names(ctx, named, c.HighLevelClient(tokens[0]), c.CalendarHeroClient(), c.HighLevelLocationID)
	}
	stored, err := c.stored(ctx, r)
	if err != nil {
		return err
	}
	if stored == 0 && len(tokens) == 0 {
		r.line("HighLevel token", unset("MILEPOST_HIGHLEVEL_TOKEN and MILEPOST_HIGHLEVEL_LOCATION_ID, or connect a location (see `milepost connections --help`)"))
	}
	if stored == 0 && c.CalendarHeroToken == "" {
		r.line("CalendarHero token", unset("MILEPOST_CALENDARHERO_TOKEN"))
	}
	if c.PublicURL != "" {
		base := strings.TrimSuffix(c.PublicURL, "/")
		fmt.Fprintf(out, "\nWebhook URL for the HighLevel app: %s/webhooks/highlevel\n", base)
		if c.HighLevelClientSecret != "" {
			fmt.Fprintf(out, "Redirect URL for the HighLevel app: %s%s\nConnect a location at:              %s%s\n", base, handlers.CallbackPath, base, handlers.InstallPath)
		}
	}
	if r.failed {
		return errCheckFailed
	}
	return nil
}

// stored tries the locations that were connected by OAuth or by command, and
// returns how many there are. Where Milepost never ran there are none.
func (c *checkCmd) stored(ctx context.Context, r *checkReport) (n int, err error) {
	if !c.everRan() {
		return 0, nil // nothing is stored yet, and this makes nothing
	}
	return n, withState(ctx, c.Config, func(state *app.State) error {
		if c.DatabaseURL == "" {
			if note, err := inbox.Status(ctx, c.DataDir, state.Store); err != nil {
				r.line("stored webhooks", func() (string, error) { return "", err })
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
		r.line("connection", func() (string, error) {
			return "", fmt.Errorf("location %s was removed with `milepost connections remove`, and the settings do not bring it back; use `milepost connections set`", conn.LocationID)
		})
	}
	if conn.Source == connection.FromSettings || conn.State == store.ConnectionRemoved {
		return false
	}
	r.of("location %s %s", conn.LocationID, conn.Name)
	live, err := state.Connections.Lookup(ctx, conn.LocationID)
	if err != nil {
		r.line("connection", func() (string, error) { return "", err })
		return true
	}
	r.highLevel(ctx, live.HighLevel, conn.LocationID, "")
	r.calendarHero(ctx, live.CalendarHero)
	r.names(ctx, state.Automations.Named(), live.HighLevel, live.CalendarHero, conn.LocationID)
	switch granted, err := state.Connections.Scopes(ctx, conn.LocationID); {
	case err != nil:
		r.warn("scopes", err.Error())
	default:
		r.scopes(granted, state.Automations.Set())
	}
	return true
}

// named lists the automations whose names are compared with what a location has.
func (c *checkCmd) named(ctx context.Context) (named automation.Named, err error) {
	switch file, err := c.AutomationFile(); {
	case file != nil:
		return file.Named(), err
	case err != nil, !c.everRan():
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
		r.warn("invites", fmt.Sprintf("location %s: %d open requests of %q stay with the account's owner; to invite, and mail, up to %d people, run: milepost invites allow %s",
			row.Location, row.Requests, row.Name, row.Requests, row.Automation))
	}
	return err
}

// everRan reports whether there is a database to look into.
func (c *checkCmd) everRan() bool {
	_, err := os.Stat(filepath.Join(c.DataDir, "milepost.db"))
	return err == nil || c.DatabaseURL != ""
}

// checkReport prints what was tried, a line each, and keeps it if rows is not nil.
type checkReport struct {
	out    io.Writer
	about  string
	failed bool
	rows   []checkRow
}

// checkRow is one thing that was tried, for programs.
type checkRow struct {
	About string `json:"about,omitempty"` // the token or location, if there are several
	What  string `json:"what"`
	OK    bool   `json:"ok"`
	// Warning says that it may be a mistake; nothing failed.
	Warning bool   `json:"warning,omitempty"`
	Detail  string `json:"detail"`
}

// of begins the part about a token or location.
func (r *checkReport) of(format string, args ...any) {
	r.about = strings.TrimSpace(fmt.Sprintf(format, args...))
	fmt.Fprintf(r.out, "\n%s\n", r.about)
}

// line tries one thing and reports it. If it failed for a reason that makes every
// other call with the same token fail as well, there is no point in trying more.
func (r *checkReport) line(what string, try func() (string, error)) (pointless bool) {
	said, err := try()
	word := "ok"
	if err != nil {
		r.failed, word, said = true, "FAIL", err.Error()
	}
	r.print(word, checkRow{About: r.about, What: what, OK: err == nil, Detail: said})
	return hopeless(err)
}

func (r *checkReport) print(word string, row checkRow) {
	fmt.Fprintf(r.out, "%-5s %-34s %s\n", word, row.What, row.Detail)
	if r.rows != nil {
		r.rows = append(r.rows, row)
	}
}

// warn reports what may be a mistake, without a failure.
func (r *checkReport) warn(what, said string) {
	r.print("warn", checkRow{About: r.about, What: what, OK: true, Warning: true, Detail: said})
}

// names warns of names in the automations that a location does not have.
func (r *checkReport) names(ctx context.Context, named automation.Named, hl *highlevel.Client, ch *calendarhero.Client, location string) {
	found, unread := app.UnknownNames(ctx, named, hl, ch, location)
	for _, m := range found {
		r.warn("automations", m.String())
	}
	for _, err := range unread {
		if clients.ReasonOf(err) == clients.Forbidden || !hopeless(err) { // else it is reported already
			r.warn("automations", err.Error())
		}
	}
}

// scopes warns of automations that need scopes which a location did not grant; nil = it
// is not known which it did.
func (r *checkReport) scopes(granted []string, automations *mapping.Set) {
	for _, a := range automations.Automations() {
		if granted == nil || a.State != mapping.StateOn {
			continue
		}
		missing := slices.DeleteFunc(a.Needed().Scopes, func(scope string) bool { return slices.Contains(granted, scope) })
		if len(missing) > 0 {
			r.warn("scopes", fmt.Sprintf("%q needs the scope %s, which the location did not grant; add it to the HighLevel app, and connect the location again", a.Name, strings.Join(missing, " and ")))
		}
	}
}

// hopeless reports whether every other call with the same token fails for the
// same reason: the token is wrong, of another location, or the vendor is away.
func hopeless(err error) bool {
	failed, ok := errors.AsType[*clients.Error](err)
	if !ok {
		return false
	}
	switch failed.Reason {
	case clients.Unauthorized, clients.Unavailable, clients.Inactive:
		return true
	case clients.Forbidden:
		return failed.Status == http.StatusForbidden
	}
	return false
}

// highLevel tries what is needed of a location; contact may be "".
func (r *checkReport) highLevel(ctx context.Context, hl *highlevel.Client, location, contact string) {
	if r.line("HighLevel location", func() (string, error) { return checkLocation(ctx, hl, location) }) {
		return
	}
	r.line("HighLevel users", func() (string, error) {
		users, err := hl.Users(ctx, location)
		return fmt.Sprintf("%d users", len(users)), err
	})
	r.line("HighLevel contacts", func() (string, error) { return checkContact(ctx, hl, contact) })
	r.line("HighLevel custom fields", func() (string, error) { return checkFields(ctx, hl, location) })
	r.line("HighLevel task search", func() (string, error) {
		_, err := hl.SearchTasks(ctx, location, highlevel.TaskSearch{Limit: 1})
		return "tasks can be searched", err
	})
}

// calendarHero tries what is needed of an account.
func (r *checkReport) calendarHero(ctx context.Context, ch *calendarhero.Client) {
	if r.line("CalendarHero account", func() (string, error) { return checkAccount(ctx, ch) }) {
		return
	}
	r.line("CalendarHero meeting types", func() (string, error) {
		types, err := ch.MeetingTypes(ctx)
		names := make([]string, len(types))
		for i, t := range types {
			names[i] = t.Name
		}
		return strings.Join(names, ", "), err
	})
}

func unset(names string) func() (string, error) {
	return func() (string, error) { return "", fmt.Errorf("not set: set %s", names) }
}

func checkLocation(ctx context.Context, hl *highlevel.Client, id string) (string, error) {
	l, err := hl.Location(ctx, id)
	if err != nil {
		return "", err
	}
	if _, err := mapping.LoadZone(l.Timezone); err != nil {
		return "", fmt.Errorf("location %s: %w; set its time zone in HighLevel under Settings, Business Profile", l.Name, err)
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
		said += "; without contact.milestone and contact.milestone_date, the milestone recipe does nothing"
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
