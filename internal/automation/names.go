package automation

import (
	"context"
	"fmt"
	"maps"
	"slices"

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
	var fields, types, users bool
	for _, set := range named.Sets {
		f, t, u := set.Refers()
		fields, types, users = fields || f, types || t, users || u
	}
	var err error
	if fields {
		list, listErr := hl.CustomFields(ctx, locationID)
		if known.ContactFields, err = each(list, listErr, func(f highlevel.CustomField) string { return f.Key }); err != nil {
			failed("contact fields", err)
		}
	}
	if users {
		list, listErr := hl.Users(ctx, locationID)
		user := func(u highlevel.User) mapping.User { return mapping.User{ID: u.ID, Name: u.Name, Email: u.Email} }
		if known.Users, err = each(list, listErr, user); err != nil {
			failed("users", err)
		}
	}
	if types {
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
