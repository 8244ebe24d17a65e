package account

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/tracing"
	"milepost/mapping"
)

const (
	// profileFresh is how long a value that rarely changes is believed.
	profileFresh = 15 * time.Minute
	// locationFresh is the same for the time zone and the custom fields of a location. They
	// rarely change, and each read counts against HighLevel's limit. If a contact has an
	// unknown field, the fields are read at once.
	locationFresh = time.Hour
)

// profile keeps what every sync of a location needs and rarely changes.
type profile struct {
	mu       sync.Mutex // held while loading: the others wait for the one answer
	location cached[locationAnswer]
	fields   cached[fieldDefinitions]
	noFields time.Time // since when the list of definitions is empty, though contacts have fields
	stated   string    // last time zone that HighLevel stated to this process; "" = none
	owner    cached[calendarhero.User]

	pipelines         cached[pipelineAnswer]
	opportunityFields cached[[]highlevel.CustomField]
	calendars         cached[[]highlevel.Calendar]
	types             cached[map[string]bool]
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

// Location returns the location with its time zone. If HighLevel states none, it is the
// last one that it stated, because another would move all meetings, and mail everybody. If
// it never stated one, it is the zone of the CalendarHero account, because the times are
// for that calendar. The remark then says so.
func (s *Session) Location(ctx context.Context) (mapping.Location, string, error) {
	now := s.cfg.Now()
	s.profile.mu.Lock()
	defer s.profile.mu.Unlock()
	fresh := locationFresh
	if s.profile.location.value.remark != "" {
		fresh = time.Minute
	}
	a, err := s.profile.location.get(now, fresh, func() (locationAnswer, error) {
		l, err := s.HighLevel.With(clients.Begun).Location(ctx, s.LocationID)
		var problem string
		switch clients.ReasonOf(err) {
		case "":
			if err != nil {
				return locationAnswer{}, err
			}
			zone, err := mapping.LoadZone(l.Timezone)
			if err == nil {
				s.profile.stated = zone.String()
				s.note(ctx, l.Name, zone.String())
				return locationAnswer{location: mapping.Location{ID: s.LocationID, Name: l.Name, Zone: zone}}, nil
			}
			s.note(ctx, l.Name, "")
			problem = fmt.Sprintf("location %s has no known time zone (%q)", s.LocationID, l.Timezone)
		case clients.Forbidden, clients.NotFound, clients.Invalid:
			problem = err.Error()
		default:
			return locationAnswer{}, err
		}
		stored, _, err := s.cfg.Store.Connection(ctx, s.LocationID)
		if err != nil {
			return locationAnswer{}, err
		}
		zone, whose, err := s.otherZone(ctx, cmp.Or(s.profile.stated, stored.Zone))
		return locationAnswer{
			location: mapping.Location{ID: s.LocationID, Name: cmp.Or(l.Name, stored.Name), Zone: zone},
			remark:   fmt.Sprintf("Milepost reads dates in %s: %s", whose, problem),
		}, err
	})
	return a.location, a.remark, err
}

// otherZone returns the zone for a location for which HighLevel states none now, and says
// whose it is. stated is the last one that it stated.
func (s *Session) otherZone(ctx context.Context, stated string) (zone *time.Location, whose string, err error) {
	if zone, err := mapping.LoadZone(stated); err == nil {
		return zone, fmt.Sprintf("%s, the last time zone that HighLevel stated", zone), nil
	}
	owner, err := s.ownerLocked(ctx)
	if err != nil {
		return nil, "", err
	}
	if zone, err := mapping.LoadZone(owner.Timezone); err == nil {
		return zone, fmt.Sprintf("%s, the time zone of the CalendarHero account", zone), nil
	}
	return time.UTC, fmt.Sprintf("UTC, because the time zone of the CalendarHero account is unknown too (%q)", owner.Timezone), nil
}

// note stores the location's name, because connections from the settings or a token come
// without one, and the time zone that HighLevel states. A failure fails no sync.
func (s *Session) note(ctx context.Context, name, zone string) {
	if err := s.cfg.Store.NoteLocation(ctx, s.LocationID, name, zone); err != nil {
		tracing.Log(ctx, s.cfg.Logger).Warn().Err(err).Str("location", s.LocationID).Msg("could not save the name and the time zone of a location")
	}
}

// CustomFields returns the location's definitions. If a contact has a field without a
// definition, it reads them again, once for each such field.
func (s *Session) CustomFields(ctx context.Context, contact highlevel.Contact) ([]highlevel.CustomField, error) {
	now := s.cfg.Now()
	s.profile.mu.Lock()
	defer s.profile.mu.Unlock()
	load := func() (fieldDefinitions, error) {
		list, err := s.HighLevel.With(clients.Begun).CustomFields(ctx, s.LocationID)
		if err == nil {
			err = s.profile.believed(list, contact, now)
		}
		known := make(map[string]bool, len(list))
		for _, d := range list {
			known[d.ID] = true
		}
		return fieldDefinitions{list, known}, err
	}
	fields, err := s.profile.fields.get(now, locationFresh, load)
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
		s.profile.fields.value, s.profile.fields.at = fields, now
		break
	}
	return fields.list, nil
}

// emptyFor is how long Milepost does not believe an empty list of definitions while
// contacts have fields.
const emptyFor = 30 * time.Minute

// believed returns nil if a list of definitions may be true. If Milepost wrongly believed
// an empty list, no contact would have a milestone, and all items for milestones would be
// removed.
func (p *profile) believed(list []highlevel.CustomField, contact highlevel.Contact, now time.Time) error {
	if len(list) > 0 {
		p.noFields = time.Time{}
	}
	if len(list) > 0 || len(contact.CustomFields) == 0 {
		return nil
	}
	if p.noFields.IsZero() || p.noFields.After(now) {
		p.noFields = now
	}
	if now.Sub(p.noFields) >= emptyFor {
		return nil
	}
	return &clients.Error{
		API: "HighLevel", Operation: "list custom fields of location", Subject: contact.LocationID, Status: http.StatusOK,
		Reason: clients.Unavailable, Foreign: true, Message: "the list is empty, though contacts have custom fields",
	}
}

// fieldDefinitions holds a location's custom fields. known says for each id that was
// searched whether there is such a field.
type fieldDefinitions struct {
	list  []highlevel.CustomField
	known map[string]bool
}

// Owner returns the holder of the CalendarHero account.
func (s *Session) Owner(ctx context.Context) (calendarhero.User, error) {
	s.profile.mu.Lock()
	defer s.profile.mu.Unlock()
	return s.ownerLocked(ctx)
}

func (s *Session) ownerLocked(ctx context.Context) (calendarhero.User, error) {
	return s.profile.owner.get(s.cfg.Now(), profileFresh, func() (calendarhero.User, error) { return s.CalendarHero.User(ctx) })
}

// HasMeetingType reports whether the account has a meeting type of that name.
func (s *Session) HasMeetingType(ctx context.Context, name string) (bool, error) {
	now := s.cfg.Now()
	s.profile.mu.Lock()
	defer s.profile.mu.Unlock()
	types, err := s.profile.types.get(now, profileFresh, func() (map[string]bool, error) {
		types, err := s.CalendarHero.MeetingTypes(ctx)
		names := map[string]bool{}
		for _, t := range types {
			names[t.Name] = true
		}
		return names, err
	})
	return types[name], err
}
