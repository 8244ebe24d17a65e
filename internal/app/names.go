package app

import (
	"context"
	"fmt"

	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/store"
	"milepost/mapping"
)

// named is the automations whose names are compared with what locations have. The
// recipes are not: a location without their fields is simply not concerned.
type named struct {
	file string
	set  *mapping.Set // nil = the recipes
}

func (c *Config) named(s settings) named {
	if c.Automations == "" {
		return named{}
	}
	return named{c.Automations, s.automations}
}

// UnknownNames lists the names in the file of automations that neither a location
// nor its CalendarHero account has, and what could not be read to tell.
func (c *Config) UnknownNames(ctx context.Context, hl *highlevel.Client, ch *calendarhero.Client, locationID string) (found []mapping.Mistake, unread []error) {
	s, err := c.parse()
	if err != nil {
		return nil, []error{err}
	}
	return c.named(s).unknown(ctx, hl, ch, locationID)
}

// unknown reads only what the automations refer to.
func (n named) unknown(ctx context.Context, hl *highlevel.Client, ch *calendarhero.Client, locationID string) (found []mapping.Mistake, unread []error) {
	if n.set == nil {
		return nil, nil
	}
	var known mapping.Known
	failed := func(what string, err error) {
		unread = append(unread, fmt.Errorf("could not check the %s in %s: %w", what, n.file, err))
	}
	fields, types, users := n.set.Refers()
	if fields {
		list, err := hl.CustomFields(ctx, locationID)
		if err != nil {
			failed("contact fields", err)
		} else {
			known.ContactFields = make([]string, len(list))
			for i, f := range list {
				known.ContactFields[i] = f.Key
			}
		}
	}
	if users {
		list, err := hl.Users(ctx, locationID)
		if err != nil {
			failed("users", err)
		} else {
			known.Users = make([]mapping.User, len(list))
			for i, u := range list {
				known.Users[i] = mapping.User{ID: u.ID, Name: u.Name, Email: u.Email}
			}
		}
	}
	if types {
		list, err := ch.MeetingTypes(ctx)
		if err != nil {
			failed("meeting types", err)
		} else {
			known.MeetingTypes = make([]string, len(list))
			for i, t := range list {
				known.MeetingTypes[i] = t.Name
			}
		}
	}
	return n.set.Unknown(n.file, known), unread
}

// warnOfNames logs, once at the start, the names in the automations that a
// connected location does not have. It stops nothing.
func (a *App) warnOfNames(ctx context.Context) {
	if a.named.set == nil {
		return
	}
	list, err := a.store.Connections(ctx)
	if err != nil {
		a.logger.Warn().Err(err).Msg("could not check the names in the automations")
		return
	}
	for _, c := range list {
		if c.State != store.ConnectionActive {
			continue
		}
		conn, err := a.connections.Lookup(ctx, c.LocationID)
		if err != nil || ctx.Err() != nil {
			continue // it is said already that it is not served
		}
		found, unread := a.named.unknown(ctx, conn.HighLevel, conn.CalendarHero, c.LocationID)
		for _, m := range found {
			a.logger.Warn().Str("location", c.LocationID).Str("file", m.File).Int("line", m.Line).Str("field", m.Field).Msg(m.Message)
		}
		for _, err := range unread {
			if ctx.Err() == nil {
				a.logger.Warn().Str("location", c.LocationID).Msg(err.Error())
			}
		}
	}
}
