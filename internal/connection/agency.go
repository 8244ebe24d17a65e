package connection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/store"
)

// OtherAgency means that an agency, or a location of it, may not be connected here. Otherwise
// anyone who finds the install link could use the operator's calendar.
type OtherAgency struct{ CompanyID string }

func (o *OtherAgency) Error() string {
	return fmt.Sprintf("this Milepost serves another agency than %s; its operator can allow it: milepost connections allow %s, then install again", o.CompanyID, o.CompanyID)
}

// admit returns nil for an agency whose locations may be connected, and *OtherAgency for
// another one. If none is allowed yet, it allows the first one.
func (r *Registry) admit(ctx context.Context, companyID string) error {
	list, err := r.agencies(ctx)
	switch {
	case err != nil:
		return err
	case companyID == "" && len(list) > 0:
		return errors.New("HighLevel does not say which agency the authorization belongs to, and this Milepost serves only certain agencies")
	case companyID == "":
		return nil // there is nothing that it could differ from
	}
	admitted, err := r.Store.AdmitAgency(ctx, companyID, r.Now())
	if err == nil && !admitted {
		err = &OtherAgency{companyID}
	}
	return err
}

// agencies lists the allowed agencies. If there are none, it lists those of the locations
// that the operator connected by token, as far as HighLevel says.
func (r *Registry) agencies(ctx context.Context) ([]string, error) {
	list, err := r.Store.Agencies(ctx)
	if err != nil || len(list) > 0 {
		return list, err
	}
	all, err := r.Store.Connections(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.Source == FromOAuth || c.State != store.ConnectionActive {
			continue
		}
		companyID, err := r.companyOf(ctx, c)
		if err == nil && companyID != "" {
			err = r.Store.AllowAgency(ctx, companyID, r.Now())
		}
		if err != nil {
			return nil, err
		}
	}
	return r.Store.Agencies(ctx)
}

// companyOf finds out the agency of a location that a token connects; "" if HighLevel does
// not say. An error means that it may say so later.
func (r *Registry) companyOf(ctx context.Context, c store.Connection) (string, error) {
	if c.CompanyID != "" {
		return c.CompanyID, nil
	}
	conn, err := r.Lookup(ctx, c.LocationID)
	if errors.As(err, new(*NotConnected)) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	l, err := conn.HighLevel.Location(ctx, c.LocationID)
	switch clients.ReasonOf(err) {
	case clients.Unauthorized, clients.Forbidden, clients.NotFound, clients.Invalid:
		return "", nil
	}
	return l.CompanyID, err
}

// foreign returns why an INSTALL of an agency that is not allowed changes nothing, or "".
// While no agency is allowed, that is not known. It undoes what was stored of the location
// in the meantime.
func (r *Registry) foreign(ctx context.Context, e store.Entity, event highlevel.Event) (why string, err error) {
	list, err := r.agencies(ctx)
	if err != nil || len(list) == 0 {
		return "", err
	}
	c, _, err := r.Store.Connection(ctx, e.LocationID)
	if err != nil {
		return "", err
	}
	companyID := cmp.Or(event.CompanyID, c.CompanyID)
	if e.LocationID == "" {
		companyID = e.ID
	}
	if companyID == "" || slices.Contains(list, companyID) {
		return "", nil
	}
	why = (&OtherAgency{companyID}).Error()
	if c.State == store.ConnectionPending && c.CompanyID == companyID {
		err = r.Store.SetConnectionState(ctx, e.LocationID, store.ConnectionRemoved, why, r.Now())
		r.forget(e.LocationID)
	}
	return why, err
}
