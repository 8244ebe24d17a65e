package operate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"milepost/clients/highlevel"
	"milepost/internal/automation"
	"milepost/internal/connection"
	"milepost/internal/store"
	"milepost/mapping"
)

// FirstRun says how far a new Milepost is on its way to the first synced contact.
type FirstRun struct {
	Synced    bool              // a contact was synced
	Locations []FirstLocation   // that are connected to HighLevel, by id
	On        []mapping.Trigger // of the automations that are on
}

// FirstLocation is a location of a new Milepost.
type FirstLocation struct {
	ID, Name string
	Served   bool   // CalendarHero is connected too
	Why      string // it is not served
}

// Synced reports whether a contact was ever synced.
func (d *Desk) Synced(ctx context.Context) (bool, error) {
	if d.synced.Load() {
		return true, nil
	}
	list, err := d.Store.ChangedContacts(ctx, store.ContactCursor{}, 1)
	if err == nil && len(list) > 0 {
		d.synced.Store(true)
	}
	return len(list) > 0, err
}

// FirstRun says how far a new Milepost is.
func (d *Desk) FirstRun(ctx context.Context) (run FirstRun, err error) {
	if run.Synced, err = d.Synced(ctx); err != nil {
		return run, err
	}
	all, err := d.Store.Connections(ctx)
	if err != nil {
		return run, err
	}
	for _, c := range all {
		if c.State != store.ConnectionActive {
			continue
		}
		l := FirstLocation{ID: c.LocationID, Name: c.Name}
		if _, err := d.Connections.Lookup(ctx, c.LocationID); err == nil {
			l.Served = true
		} else if absent, ok := errors.AsType[*connection.NotConnected](err); ok {
			l.Why = absent.Why
		} else {
			return run, err
		}
		run.Locations = append(run.Locations, l)
	}
	for _, a := range d.Automations.Set().Automations() {
		if a.State == mapping.StateOn {
			run.On = append(run.On, a.On)
		}
	}
	return run, nil
}

// BadAddress means that a text is no address at which a vendor could reach Milepost.
type BadAddress struct{ Why string }

func (b *BadAddress) Error() string { return b.Why }

// checkAddress says what is wrong with a public address, or nil.
func checkAddress(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http":
		return &BadAddress{"the public address must look like https://milepost.example.com"}
	case connection.OwnPath(u.Path) != "":
		return &BadAddress{"leave " + connection.OwnPath(u.Path) + " out of the public address: Milepost adds it"}
	case u.Scheme == "http" && !isHere(u.Hostname()):
		return &BadAddress{"the public address must begin with https://, because the vendors send personal data to it"}
	}
	return nil
}

// isHere reports whether a host is this machine.
func isHere(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.IsLoopback()
}

// SetApp stores how the vendors reach this Milepost, and the app by which locations are
// connected by OAuth. An empty field keeps what there is. What the environment sets
// goes before it.
func (d *Desk) SetApp(ctx context.Context, who string, s connection.AppSettings) error {
	if s.PublicURL != "" {
		if err := checkAddress(s.PublicURL); err != nil {
			return err
		}
	}
	if err := d.Connections.SaveSettings(ctx, s); err != nil {
		return err
	}
	return d.note(ctx, who, "set", "the public address and the HighLevel app")
}

// mostFound bounds how many contacts a search in HighLevel shows.
const mostFound = 10

// FindInHighLevel searches the contacts of a location in HighLevel: by a text, or those
// that changed last.
func (d *Desk) FindInHighLevel(ctx context.Context, locationID, text string) ([]highlevel.ContactRow, error) {
	c, err := d.Connections.Lookup(ctx, locationID)
	if err != nil {
		return nil, err
	}
	const longest = 75 // HighLevel's own limit
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest])
	}
	rows, _, err := c.HighLevel.SearchContacts(ctx, highlevel.ContactSearch{
		LocationID: locationID, PageLimit: mostFound, Page: 1, Query: text, Sort: []highlevel.ContactSort{{Field: "dateUpdated", Direction: "desc"}},
	})
	return rows, err
}

// TryOut says what an automation would do with a contact if it were on. It reads the
// contact, and changes nothing.
func (d *Desk) TryOut(ctx context.Context, id, locationID, contactID string) (*automation.Preview, error) {
	if d.Rehearsals == nil {
		return nil, errors.New("this process cannot rehearse a sync")
	}
	return d.Automations.Preview(ctx, d.Rehearsals, id, false, automation.Target{Location: locationID, Contact: contactID})
}

// FirstRecipes lists the recipes that a first contact can show: those that look at contacts.
func (d *Desk) FirstRecipes(ctx context.Context) (list []Recipe, err error) {
	all, err := d.Recipes(ctx)
	for _, r := range all {
		set, loadErr := mapping.Load(r.ID, []byte(r.YAML))
		if loadErr != nil {
			return nil, fmt.Errorf("read the recipe %s: %w", r.ID, loadErr)
		}
		if a := set.Automations(); len(a) == 1 && a[0].Kind() == mapping.KindContact {
			list = append(list, r)
		}
	}
	return list, err
}

// Begin switches a recipe on, adding it if need be, and has a contact synced.
func (d *Desk) Begin(ctx context.Context, who, recipe, locationID, contactID string) error {
	r, err := d.Recipe(ctx, recipe)
	if err != nil {
		return err
	}
	const why = "first steps"
	switch {
	case r.Added == nil:
		_, err = d.AddRecipe(ctx, who, recipe, mapping.StateOn, why)
	case r.Added.State != mapping.StateOn:
		_, err = d.SetState(ctx, who, recipe, mapping.StateOn, why)
	}
	if err != nil {
		return err
	}
	return d.SyncNow(ctx, who, locationID, contactID)
}
