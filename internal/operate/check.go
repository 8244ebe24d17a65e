package operate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/automation"
	"milepost/mapping"
)

// CheckLine is one thing that was tried.
type CheckLine struct {
	About string `json:"about,omitempty"` // the token or location, if there are several
	What  string `json:"what"`
	OK    bool   `json:"ok"`
	// Warning says that it may be a mistake; nothing failed.
	Warning bool   `json:"warning,omitempty"`
	Detail  string `json:"detail"` // what was found; of a failure also what to do
}

// Check tries what Milepost needs of both vendors, and changes nothing. It says each
// result as soon as it is known.
type Check struct {
	Say    func(CheckLine)
	About  string // what is tried: see CheckLine
	Failed bool   // something did

	doubted bool // Doubts was called: it is the same for all locations
}

// CheckLocation tries everything that Milepost needs of a connected location.
func (d *Desk) CheckLocation(ctx context.Context, c *Check, locationID string) {
	live, err := d.Connections.Lookup(ctx, locationID)
	if err != nil {
		c.Line("connection", func() (string, error) { return "", err })
		return
	}
	c.HighLevel(ctx, live.HighLevel, locationID, "")
	c.CalendarHero(ctx, live.CalendarHero)
	c.Names(ctx, d.Automations.Named(), live.HighLevel, live.CalendarHero, locationID)
	granted, ok, err := d.Connections.Granted(ctx, locationID)
	switch {
	case err != nil:
		c.Warn("scopes", err.Error())
	case ok:
		c.Scopes(granted.Scopes, d.Automations.Set())
	}
}

// Line tries one thing and says how it went. It reports whether it failed for a reason
// that makes every other call with the same token fail as well.
func (c *Check) Line(what string, try func() (string, error)) (pointless bool) {
	said, err := try()
	if err != nil {
		c.Failed, said = true, err.Error()
	}
	if clients.ReasonOf(err) == clients.RateLimited {
		said += ": something else calls for this location, too; wait ten seconds and check again"
	}
	c.Say(CheckLine{About: c.About, What: what, OK: err == nil, Detail: said})
	return hopeless(err)
}

// Warn says what may be a mistake, without a failure.
func (c *Check) Warn(what, said string) {
	c.Say(CheckLine{About: c.About, What: what, OK: true, Warning: true, Detail: said})
}

// Doubts fails for fixed texts in the automations that cannot be what their fields need.
func (c *Check) Doubts(named automation.Named) {
	if c.doubted {
		return
	}
	c.doubted = true
	for _, m := range named.Doubts() {
		c.Line("automations", func() (string, error) { return "", errors.New(m.String()) })
	}
}

// Names warns of names in the automations that a location does not have.
func (c *Check) Names(ctx context.Context, named automation.Named, hl *highlevel.Client, ch *calendarhero.Client, location string) {
	c.Doubts(named)
	found, unread := automation.UnknownNames(ctx, named, hl, ch, location)
	for _, m := range found {
		c.Warn("automations", m.String())
	}
	for _, err := range unread {
		if clients.ReasonOf(err) == clients.Forbidden || !hopeless(err) { // else it is said already
			c.Warn("automations", err.Error())
		}
	}
}

// MissingScopes are scopes that somebody needs and a location did not grant.
type MissingScopes struct {
	Scopes     []string
	Automation string // the name of the one that needs them; "" = Milepost itself
}

// missingScopes lists what a location did not grant, of what Milepost needs of any
// location and of what the automations that are on need.
func missingScopes(granted []string, automations *mapping.Set) (missing []MissingScopes) {
	ungranted := func(scope string) bool { return slices.Contains(granted, scope) }
	own := slices.DeleteFunc(highlevel.NeededScopes(), func(scope string) bool { return strings.HasPrefix(scope, "oauth.") }) // those are an agency's
	if own = slices.DeleteFunc(own, ungranted); len(own) > 0 {
		missing = append(missing, MissingScopes{Scopes: own})
	}
	for _, a := range automations.Automations() {
		if a.State != mapping.StateOn {
			continue
		}
		of := slices.DeleteFunc(a.Needed().Scopes, func(scope string) bool { return ungranted(scope) || slices.Contains(own, scope) })
		if len(of) > 0 {
			missing = append(missing, MissingScopes{of, a.Name})
		}
	}
	return missing
}

// Scopes warns of scopes that a location did not grant.
func (c *Check) Scopes(granted []string, automations *mapping.Set) {
	for _, m := range missingScopes(granted, automations) {
		who := "Milepost"
		if m.Automation != "" {
			who = fmt.Sprintf("%q", m.Automation)
		}
		c.Warn("scopes", fmt.Sprintf("%s needs the scope %s, which the location did not grant; add it to the HighLevel app, and connect the location again", who, strings.Join(m.Scopes, " and ")))
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
	case clients.Unauthorized, clients.Unavailable, clients.Inactive, clients.RateLimited:
		return true
	case clients.Forbidden:
		return failed.Status == http.StatusForbidden
	}
	return false
}

// HighLevel tries what is needed of a location; contact may be "".
func (c *Check) HighLevel(ctx context.Context, hl *highlevel.Client, location, contact string) {
	if c.Line("HighLevel location", func() (string, error) { return checkLocation(ctx, hl, location) }) {
		return
	}
	limited := false
	line := func(what string, try func() (string, error)) {
		if !limited {
			c.Line(what, func() (string, error) {
				said, err := try()
				limited = clients.ReasonOf(err) == clients.RateLimited
				return said, err
			})
		}
	}
	line("HighLevel users", func() (string, error) {
		users, err := hl.Users(ctx, location)
		return fmt.Sprintf("%d users", len(users)), err
	})
	line("HighLevel contacts", func() (string, error) { return checkContact(ctx, hl, contact) })
	line("HighLevel custom fields", func() (string, error) { return checkFields(ctx, hl, location) })
	line("HighLevel task search", func() (string, error) {
		_, err := hl.SearchTasks(ctx, location, highlevel.TaskSearch{Limit: 1})
		return "tasks can be searched", err
	})
}

// CalendarHero tries what is needed of an account.
func (c *Check) CalendarHero(ctx context.Context, ch *calendarhero.Client) {
	if c.Line("CalendarHero account", func() (string, error) { return checkAccount(ctx, ch) }) {
		return
	}
	c.Line("CalendarHero meeting types", func() (string, error) {
		types, err := ch.MeetingTypes(ctx)
		names := make([]string, len(types))
		for i, t := range types {
			names[i] = t.Name
		}
		return strings.Join(names, ", "), err
	})
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
