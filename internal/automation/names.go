package automation

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/catalog"
	"milepost/mapping"
)

// read reads a list, if it is needed. It is nil if it could not be read, which is not empty.
func read[T any](needed bool, what string, failed func(string, error), list func() ([]T, error)) []T {
	if !needed {
		return nil
	}
	all, err := list()
	if err != nil {
		failed(what, err)
		return nil
	}
	return append([]T{}, all...)
}

// each converts a list. One that was not read stays nil.
func each[From, To any](list []From, convert func(From) To) []To {
	if list == nil {
		return nil
	}
	out := make([]To, len(list))
	for i, v := range list {
		out[i] = convert(v)
	}
	return out
}

// UnknownNames lists the names in automations that neither a location nor its
// CalendarHero account has, and what could not be read to tell. It reads only what
// the automations refer to. named are the automations as Library gives
// them.
func UnknownNames(ctx context.Context, named Named, hl *highlevel.Client, ch *calendarhero.Client, locationID string) (found []mapping.Mistake, unread []error) {
	known, in := mapping.Known{Automations: named.IDs}, "the automations"
	if len(named.Sets) == 1 {
		in = slices.Collect(maps.Keys(named.Sets))[0]
	}
	failed := func(what string, err error) {
		unread = append(unread, fmt.Errorf("could not check the %s in %s: %w", what, in, err))
	}
	var needs mapping.Referred
	for _, set := range named.Sets {
		set.Refers(&needs)
	}
	if list := read(needs.ContactFields || needs.OpportunityFields, "custom fields", failed, func() ([]highlevel.CustomField, error) {
		return hl.CustomFieldsOf(ctx, locationID, highlevel.AllModels)
	}); list != nil {
		known.ContactFields, known.OpportunityFields = fieldsOf(list, highlevel.ContactModel), fieldsOf(list, highlevel.OpportunityModel)
	}
	known.Pipelines = each(read(needs.Pipelines, "pipelines", failed, func() ([]highlevel.Pipeline, error) {
		return hl.Pipelines(ctx, locationID)
	}), func(p highlevel.Pipeline) catalog.Option {
		return catalog.Option{ID: p.ID, Name: p.Name, Options: each(p.Stages, func(s highlevel.Stage) catalog.Option {
			return catalog.Option{ID: s.ID, Name: s.Name}
		})}
	})
	known.Calendars = each(read(needs.Calendars, "calendars", failed, func() ([]highlevel.Calendar, error) {
		return hl.Calendars(ctx, locationID)
	}), func(c highlevel.Calendar) catalog.Option { return catalog.Option{ID: c.ID, Name: c.Name} })
	known.Tags = each(read(needs.Tags, "tags", func(what string, err error) {
		if clients.ReasonOf(err) != clients.Forbidden { // nothing else needs that scope
			failed(what, err)
		}
	}, func() ([]highlevel.LocationTag, error) {
		return hl.LocationTags(ctx, locationID)
	}), func(t highlevel.LocationTag) string { return t.Name })
	known.Users = each(read(needs.Users, "users", failed, func() ([]highlevel.User, error) {
		return hl.Users(ctx, locationID)
	}), func(u highlevel.User) mapping.User { return mapping.User{ID: u.ID, Name: u.Name, Email: u.Email} })
	known.MeetingTypes = each(read(needs.MeetingTypes, "meeting types", failed, func() ([]calendarhero.MeetingType, error) {
		return ch.MeetingTypes(ctx)
	}), func(t calendarhero.MeetingType) string { return t.Name })
	for _, file := range slices.Sorted(maps.Keys(named.Sets)) {
		found = append(found, named.Sets[file].Unknown(file, known)...)
	}
	return found, unread
}

// fieldsOf returns the fields of a model; old definitions without a model, too.
func fieldsOf(list []highlevel.CustomField, model string) []mapping.CustomDefinition {
	fields := []mapping.CustomDefinition{}
	for _, f := range list {
		if f.Model == model || f.Model == "" {
			fields = append(fields, mapping.CustomDefinition{Key: f.Key, Type: f.Type, Options: f.Options})
		}
	}
	return fields
}
