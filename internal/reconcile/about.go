package reconcile

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/mapping"
)

// aboutFresh is how long what rarely changes is believed.
const aboutFresh = 15 * time.Minute

// about keeps what a connection needs for every sync and rarely changes.
type about struct {
	mu       sync.Mutex // held while loading: the others wait for the one answer
	location cached[locationAnswer]
	fields   cached[fieldDefinitions]
	noFields time.Time // since when the list of definitions is empty, though contacts have fields
	owner    cached[calendarhero.User]
	types    cached[map[string]bool]
}

type locationAnswer struct {
	location mapping.Location
	remark   string
}

// cached is a value with the time at which it was read.
type cached[T any] struct {
	value T
	at    time.Time
}

func (c *cached[T]) get(now time.Time, fresh time.Duration, load func() (T, error)) (T, error) {
	if age := now.Sub(c.at); !c.at.IsZero() && 0 <= age && age < fresh { // younger than 0: the clock was put back
		return c.value, nil
	}
	v, err := load()
	if err == nil {
		c.value, c.at = v, now
	}
	return v, err
}

// location returns the location with its time zone. Where HighLevel will not
// tell it, and has not told it before, the CalendarHero account's zone stands in, and the remark says so:
// the times are for that account's calendar.
func (c *session) location(ctx context.Context, now time.Time) (mapping.Location, string, error) {
	c.about.mu.Lock()
	defer c.about.mu.Unlock()
	last, fresh := c.about.location.value, aboutFresh
	if last.remark != "" {
		fresh = time.Minute
	}
	a, err := c.about.location.get(now, fresh, func() (locationAnswer, error) {
		l, err := c.HighLevel.With(clients.Begun).Location(ctx, c.LocationID)
		var problem string
		switch clients.ReasonOf(err) {
		case "":
			if err != nil {
				return locationAnswer{}, err
			}
			if zone, err := mapping.LoadZone(l.Timezone); err == nil {
				return locationAnswer{location: mapping.Location{ID: c.LocationID, Name: l.Name, Zone: zone}}, nil
			}
			problem = fmt.Sprintf("location %s has no known time zone (%q)", c.LocationID, l.Timezone)
		case clients.Forbidden, clients.NotFound, clients.Invalid:
			problem = err.Error()
		default:
			return locationAnswer{}, err
		}
		if last.location.Zone != nil && last.remark == "" {
			return last, nil // another zone would move all meetings, and mail everybody
		}
		owner, err := c.ownerLocked(ctx, now)
		if err != nil {
			return locationAnswer{}, err
		}
		zone, err := mapping.LoadZone(owner.Timezone)
		whose := fmt.Sprintf("%s, the time zone of the CalendarHero account", zone)
		if err != nil {
			zone, whose = time.UTC, fmt.Sprintf("UTC, because the time zone of the CalendarHero account is unknown too (%q)", owner.Timezone)
		}
		return locationAnswer{
			location: mapping.Location{ID: c.LocationID, Name: l.Name, Zone: zone},
			remark:   fmt.Sprintf("Milepost reads dates in %s: %s", whose, problem),
		}, nil
	})
	return a.location, a.remark, err
}

// customFields returns the location's definitions. A contact that carries a
// field they do not know makes them be read again, once for each such field.
func (c *session) customFields(ctx context.Context, now time.Time, contact highlevel.Contact) ([]highlevel.CustomField, error) {
	c.about.mu.Lock()
	defer c.about.mu.Unlock()
	load := func() (fieldDefinitions, error) {
		list, err := c.HighLevel.With(clients.Begun).CustomFields(ctx, c.LocationID)
		if err == nil {
			err = c.about.believed(list, contact, now)
		}
		known := make(map[string]bool, len(list))
		for _, d := range list {
			known[d.ID] = true
		}
		return fieldDefinitions{list, known}, err
	}
	fields, err := c.about.fields.get(now, aboutFresh, load)
	if err != nil {
		return nil, err
	}
	for _, f := range contact.CustomFields {
		if _, looked := fields.known[f.ID]; looked {
			continue
		}
		if fields, err = load(); err != nil {
			return nil, err
		}
		for _, f := range contact.CustomFields {
			if !fields.known[f.ID] {
				fields.known[f.ID] = false // a deleted field: looked for, and not there
			}
		}
		c.about.fields.value, c.about.fields.at = fields, now
		break
	}
	return fields.list, nil
}

// emptyFor is how long an empty list of definitions is not believed while contacts
// have fields.
const emptyFor = 30 * time.Minute

// believed returns nil if a list of definitions may be true. Without definitions no
// contact has a milestone, and all that was made for milestones would be removed.
func (a *about) believed(list []highlevel.CustomField, contact highlevel.Contact, now time.Time) error {
	if len(list) > 0 {
		a.noFields = time.Time{}
	}
	if len(list) > 0 || len(contact.CustomFields) == 0 {
		return nil
	}
	if a.noFields.IsZero() || a.noFields.After(now) {
		a.noFields = now
	}
	if now.Sub(a.noFields) >= emptyFor {
		return nil
	}
	return &clients.Error{
		API: highLevelAPI, Operation: "list custom fields of location", Subject: contact.LocationID, Status: http.StatusOK,
		Reason: clients.Unavailable, Foreign: true, Message: "the list is empty, though contacts have custom fields",
	}
}

// fieldDefinitions are a location's custom fields; known tells of each id that
// was looked for whether it is one of them.
type fieldDefinitions struct {
	list  []highlevel.CustomField
	known map[string]bool
}

// owner returns the holder of the CalendarHero account.
func (c *session) owner(ctx context.Context, now time.Time) (calendarhero.User, error) {
	c.about.mu.Lock()
	defer c.about.mu.Unlock()
	return c.ownerLocked(ctx, now)
}

func (c *session) ownerLocked(ctx context.Context, now time.Time) (calendarhero.User, error) {
	return c.about.owner.get(now, aboutFresh, func() (calendarhero.User, error) { return c.CalendarHero.User(ctx) })
}

// hasMeetingType reports whether the account has a meeting type of that name.
func (c *session) hasMeetingType(ctx context.Context, now time.Time, name string) (bool, error) {
	c.about.mu.Lock()
	defer c.about.mu.Unlock()
	types, err := c.about.types.get(now, aboutFresh, func() (map[string]bool, error) {
		types, err := c.CalendarHero.MeetingTypes(ctx)
		names := map[string]bool{}
		for _, t := range types {
			names[t.Name] = true
		}
		return names, err
	})
	return types[name], err
}
