package automation

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/mapping"
)

// each converts a list, unless it could not be read: then it is nil, which is not empty.
func each[From, To any](list []From, err error, convert func(From) To) ([]To, error) {
	if err != nil {
		return nil, err
	}
	out := make([]To, len(list))
	for i, v := range list {
		out[i] = convert(v)
	}
	return out, nil
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
	var err error
	if needs.ContactFields || needs.OpportunityFields {
		list, err := hl.CustomFieldsOf(ctx, locationID, highlevel.AllModels)
		if err != nil {
			failed("custom fields", err)
		} else {
			known.ContactFields, known.OpportunityFields = keysOf(list, highlevel.ContactModel), keysOf(list, highlevel.OpportunityModel)
		}
	}
	if needs.Pipelines {
		list, listErr := hl.Pipelines(ctx, locationID)
		if known.Pipelines, err = each(list, listErr, pipelineOf); err != nil {
			failed("pipelines", err)
		}
	}
	if needs.Calendars {
		list, listErr := hl.Calendars(ctx, locationID)
		if known.Calendars, err = each(list, listErr, func(c highlevel.Calendar) string { return c.Name }); err != nil {
			failed("calendars", err)
		}
	}
	if needs.Tags { // nothing but this check reads them, so the scope may be missing
		list, listErr := hl.LocationTags(ctx, locationID)
		if known.Tags, err = each(list, listErr, func(t highlevel.LocationTag) string { return t.Name }); err != nil && clients.ReasonOf(err) != clients.Forbidden {
			failed("tags", err)
		}
	}
	if needs.Users {
		list, listErr := hl.Users(ctx, locationID)
		user := func(u highlevel.User) mapping.User { return mapping.User{ID: u.ID, Name: u.Name, Email: u.Email} }
		if known.Users, err = each(list, listErr, user); err != nil {
			failed("users", err)
		}
	}
	if needs.MeetingTypes {
		list, listErr := ch.MeetingTypes(ctx)
		if known.MeetingTypes, err = each(list, listErr, func(t calendarhero.MeetingType) string { return t.Name }); err != nil {
			failed("meeting types", err)
		}
	}
	for _, file := range slices.Sorted(maps.Keys(named.Sets)) {
		found = append(found, named.Sets[file].Unknown(file, known)...)
	}
	return found, unread
}

// keysOf returns the keys of the fields of a model; of old definitions without a model, too.
func keysOf(list []highlevel.CustomField, model string) []string {
	keys := []string{}
	for _, f := range list {
		if f.Model == model || f.Model == "" {
			keys = append(keys, f.Key)
		}
	}
	return keys
}

func pipelineOf(p highlevel.Pipeline) mapping.Pipeline {
	out := mapping.Pipeline{Name: p.Name}
	for _, s := range p.Stages {
		out.Stages = append(out.Stages, s.Name)
	}
	return out
}
