package connection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/store"
)

// ErrPending means that the app is installed where no authorization has
// arrived yet: INSTALL webhooks come before the code exchange (HighLevel issue
// #294). It is worth to look again soon.
var ErrPending = errors.New("the app is installed, but its authorization has not arrived yet")

// Authorized keeps the grant that a person gave in the browser, and returns the
// locations that it is for. A grant of a location connects it at once. One of
// an agency is exchanged for each of its locations that has the app, by the
// entities that are returned: to be synced. Of a grant that is of an agency
// which is not allowed nothing is kept: *OtherAgency.
func (r *Registry) Authorized(ctx context.Context, given highlevel.Grant) (locations []store.Connection, follow []store.Entity, err error) {
	if err := r.admit(ctx, given.CompanyID); err != nil {
		return nil, nil, err
	}
	if given.UserType == highlevel.UserTypeLocation {
		c, err := r.connected(ctx, given.CompanyID, given.LocationID, given)
		if err == nil {
			err = r.noteInstall(ctx, "location "+given.LocationID)
		}
		return []store.Connection{c}, nil, err
	}
	secret, err := r.seal(companyGrant(given.CompanyID), grant{Grant: given, Since: r.Now()})
	if err != nil {
		return nil, nil, err
	}
	// Its locations are connected by this too, should the process die before
	// what is returned is asked for: the code is used up.
	if err := r.Store.PutGrant(ctx, r.Now(), secret, store.Entity{Kind: store.KindInstall, ID: given.CompanyID}); err != nil {
		return nil, nil, err
	}
	r.grants.drop(companyGrant(given.CompanyID))
	if err := r.noteInstall(ctx, "agency "+given.CompanyID); err != nil {
		return nil, nil, err
	}
	return r.installedAt(ctx, given.CompanyID)
}

// noteInstall notes in the audit log that somebody authorized the app in HighLevel. Who,
// Milepost does not know: customers install it too.
func (r *Registry) noteInstall(ctx context.Context, subject string) error {
	return r.Store.Audit(ctx, store.AuditEntry{At: r.Now(), Who: "somebody in HighLevel", What: "connected by OAuth", Subject: subject})
}

// connected stores a location's grant and makes its connection active.
func (r *Registry) connected(ctx context.Context, companyID, locationID string, given highlevel.Grant) (store.Connection, error) {
	given.CompanyID, given.LocationID = cmp.Or(given.CompanyID, companyID), locationID
	secret, err := r.seal(locationGrant(locationID), grant{Grant: given, Since: r.Now()})
	if err != nil {
		return store.Connection{}, err
	}
	c := store.Connection{
		LocationID: locationID, CompanyID: companyID, Name: r.name(ctx, given), Source: FromOAuth, State: store.ConnectionActive,
	}
	err = r.Store.SaveConnection(ctx, c, r.Now(), secret)
	r.grants.drop(locationGrant(locationID))
	r.forget(locationID)
	return c, err
}

// name asks for a location's name, for people; "" if it is not told.
func (r *Registry) name(ctx context.Context, given highlevel.Grant) string {
	cfg := r.HighLevel
	cfg.Tokens = highlevel.StaticTokens(given.AccessToken)
	l, err := highlevel.New(cfg).Location(ctx, given.LocationID)
	if err != nil {
		r.Logger.Info().Err(err).Msg("could not read the name of a location")
	}
	return l.Name
}

// installedAt lists the locations of an agency that have the app, notes those
// that are not connected yet, and returns the entity by which each will be.
func (r *Registry) installedAt(ctx context.Context, companyID string) (locations []store.Connection, follow []store.Entity, err error) {
	company, err := r.company(ctx, companyID, "")
	if err != nil {
		return nil, nil, err
	}
	installed, err := r.MarketplaceApp().InstalledLocations(ctx, company.AccessToken, companyID)
	if err != nil {
		return nil, nil, err
	}
	for _, l := range installed {
		locations = append(locations, store.Connection{LocationID: l.ID, CompanyID: companyID, Name: l.Name})
		pending, err := r.pending(ctx, companyID, l.ID, l.Name)
		if err != nil {
			return nil, nil, err
		}
		if pending {
			follow = append(follow, store.Entity{LocationID: l.ID, Kind: store.KindInstall, ID: l.ID})
		}
	}
	return locations, follow, nil
}

// pending notes that the app is installed at a location; false if it is
// connected already, or was removed by the operator.
func (r *Registry) pending(ctx context.Context, companyID, locationID, name string) (bool, error) {
	return r.Store.SavePending(ctx, store.Connection{
		LocationID: locationID, CompanyID: companyID, Name: name, Source: FromOAuth, Problem: ErrPending.Error(),
	}, r.Now())
}

// Outcome is what became of an INSTALL or UNINSTALL.
type Outcome struct {
	Did    string         // what was done; "" = nothing
	Why    string         // why nothing was
	Follow []store.Entity // to be synced because of it
}

// Installed brings a location, or with it an agency's locations, in step with
// whether the app is installed there. event is the newest that was delivered of
// it; the zero Event where none was.
func (r *Registry) Installed(ctx context.Context, e store.Entity, event highlevel.Event) (Outcome, error) {
	switch {
	case r.MarketplaceApp() == nil:
		return Outcome{Why: "OAuth is not set up here (MILEPOST_HIGHLEVEL_CLIENT_ID, MILEPOST_HIGHLEVEL_CLIENT_SECRET): installing the app changes nothing"}, nil
	case event.Deleted && e.LocationID == "":
		return r.agencyRemoved(ctx, e.ID, event.Timestamp)
	case event.Deleted:
		return r.locationRemoved(ctx, e.LocationID, event.Timestamp)
	}
	if why, err := r.foreign(ctx, e, event); err != nil || why != "" {
		return Outcome{Why: why}, err
	}
	if e.LocationID == "" {
		_, follow, err := r.installedAt(ctx, e.ID)
		if errors.Is(err, errNoGrant) {
			err = ErrPending
		}
		return Outcome{Follow: follow, Why: "Milepost connects its locations one by one"}, err
	}
	return r.locationInstalled(ctx, e.LocationID, event.CompanyID)
}

// locationInstalled gets a location its grant from that of its agency.
func (r *Registry) locationInstalled(ctx context.Context, locationID, companyID string) (Outcome, error) {
	pending, err := r.pending(ctx, companyID, locationID, "")
	if err != nil || !pending {
		return Outcome{Why: "the location is already connected, or the operator removed it"}, err
	}
	c, _, err := r.Store.Connection(ctx, locationID)
	if err != nil {
		return Outcome{}, err
	}
	given, err := r.mint(ctx, c.CompanyID, locationID)
	switch reason := clients.ReasonOf(err); {
	case errors.Is(err, errNoGrant):
		return Outcome{}, ErrPending
	case reason == clients.Forbidden, reason == clients.Invalid, reason == clients.NotFound:
		problem := fmt.Sprintf("HighLevel gives no token for the location: %v; is the app installed there?", err)
		_, err := r.Store.MoveConnection(ctx, store.Move{
			LocationID: locationID, From: []store.ConnectionState{store.ConnectionPending}, To: store.ConnectionBroken, Problem: problem,
		}, r.Now())
		return Outcome{Why: problem}, err
	case err != nil:
		return Outcome{}, err
	}
	_, err = r.connected(ctx, c.CompanyID, locationID, given)
	return Outcome{Did: "location connected"}, err
}

// locationRemoved deletes a location's grant, unless it is newer than the
// uninstall: an old webhook that is sent again changes nothing.
func (r *Registry) locationRemoved(ctx context.Context, locationID string, at time.Time) (Outcome, error) {
	c, ok, err := r.Store.Connection(ctx, locationID)
	if err != nil || !ok || c.Source != FromOAuth || c.State == store.ConnectionRemoved {
		return Outcome{Why: "the location is not connected by the app"}, err
	}
	newer, err := r.givenAfter(ctx, locationGrant(locationID), at)
	if err != nil || newer {
		return Outcome{Why: "the location was connected again after this"}, err
	}
	return Outcome{Did: "location disconnected"}, r.uninstalled(ctx, locationID)
}

// agencyRemoved drops an agency's grant and those of its locations.
func (r *Registry) agencyRemoved(ctx context.Context, companyID string, at time.Time) (Outcome, error) {
	name := companyGrant(companyID)
	newer, err := r.givenAfter(ctx, name, at)
	if err != nil || newer {
		return Outcome{Why: "the agency was connected again after this"}, err
	}
	if err := r.Store.DropSecret(ctx, name); err != nil {
		return Outcome{}, err
	}
	r.grants.drop(name)
	all, err := r.Store.Connections(ctx)
	if err != nil {
		return Outcome{}, err
	}
	for _, c := range all {
		if c.CompanyID == companyID {
			if _, err := r.locationRemoved(ctx, c.LocationID, at); err != nil {
				return Outcome{}, err
			}
		}
	}
	return Outcome{Did: "agency disconnected"}, nil
}

// givenAfter reports whether a stored grant was given after a time; the zero
// time is after all of them.
func (r *Registry) givenAfter(ctx context.Context, name string, at time.Time) (bool, error) {
	var h cachedGrant
	switch err := r.reread(ctx, name, &h); {
	case errors.Is(err, errNoGrant):
		return false, nil
	case err != nil:
		return false, err
	}
	return !at.IsZero() && h.grant.Since.After(at), nil
}
