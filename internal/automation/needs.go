package automation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/catalog"
	"milepost/mapping"
)

// Need is something that an automation needs, and whether a location or its
// CalendarHero account has it.
type Need struct {
	What  NeedKind             `json:"what"`
	Name  string               `json:"name"` // contact.milestone_date, a tag, a stage, a meeting type
	Has   string               `json:"has"`  // yes or no; or unknown, if the token may not tell
	Field *mapping.NeededField `json:"field,omitempty"`
}

// NeedKind is what sort of thing is needed.
type NeedKind string

// What automations need. Milepost can create custom fields and tags.
const (
	NeedField       NeedKind = "custom field"
	NeedTag         NeedKind = "tag"
	NeedStage       NeedKind = "stage"
	NeedMeetingType NeedKind = "meeting type"
	NeedScope       NeedKind = "scope" // of HighLevel's token
)

// The answers of Need.Has.
const (
	Yes     = "yes"
	No      = "no"
	Unknown = "unknown"
)

// Creatable reports whether CreateNeed can create it.
func (n Need) Creatable() bool { return n.What == NeedField || n.What == NeedTag }

// CheckNeeds tells of all that an automation needs whether the location has it. It
// calls only what the needs ask for.
func CheckNeeds(ctx context.Context, hl *highlevel.Client, ch *calendarhero.Client, locationID string, needed mapping.Needed) ([]Need, error) {
	fields, err := check(needed.Fields, func() ([]highlevel.CustomField, error) {
		return hl.CustomFieldsOf(ctx, locationID, highlevel.AllModels)
	}, func(f mapping.NeededField, list []highlevel.CustomField) (Need, bool) {
		return Need{What: NeedField, Name: f.Model + "." + f.Key, Field: &f}, slices.ContainsFunc(list, func(d highlevel.CustomField) bool {
			return d.Key == f.Key && (d.Model == f.Model || d.Model == "")
		})
	})
	if err != nil {
		return nil, err
	}
	tags, err := check(needed.Tags, func() ([]highlevel.LocationTag, error) {
		return hl.LocationTags(ctx, locationID)
	}, func(tag string, list []highlevel.LocationTag) (Need, bool) {
		return Need{What: NeedTag, Name: tag}, slices.ContainsFunc(list, func(t highlevel.LocationTag) bool { return strings.EqualFold(t.Name, tag) })
	})
	if err != nil {
		return nil, err
	}
	stages, err := check(needed.Stages, func() ([]highlevel.Pipeline, error) {
		return hl.Pipelines(ctx, locationID)
	}, func(stage string, list []highlevel.Pipeline) (Need, bool) {
		return Need{What: NeedStage, Name: stage}, hasStage(list, stage)
	})
	if err != nil {
		return nil, err
	}
	types, err := check(needed.MeetingTypes, func() ([]calendarhero.MeetingType, error) {
		return ch.MeetingTypes(ctx)
	}, func(name string, list []calendarhero.MeetingType) (Need, bool) {
		return Need{What: NeedMeetingType, Name: name}, slices.ContainsFunc(list, func(t calendarhero.MeetingType) bool { return t.Name == name })
	})
	return slices.Concat(fields, tags, stages, types), err
}

// check looks for each of the needed things in a list that is read once, if anything
// is needed of it. A HighLevel token that may not read the list leaves it unknown.
func check[N, L any](needed []N, read func() ([]L, error), in func(N, []L) (Need, bool)) (needs []Need, err error) {
	if len(needed) == 0 {
		return nil, nil
	}
	list, err := read()
	unknown := clients.ReasonOf(err) == clients.Forbidden
	if err != nil && !unknown {
		return nil, err
	}
	for _, n := range needed {
		need, has := in(n, list)
		switch {
		case unknown:
			need.Has = Unknown
		case has:
			need.Has = Yes
		default:
			need.Has = No
		}
		needs = append(needs, need)
	}
	return needs, nil
}

// ScopeNeeds tells of the scopes that an automation needs whether they were granted. They
// are unknown where the token does not tell: one of a Private Integration.
func ScopeNeeds(needed, granted []string, known bool) []Need {
	list := make([]Need, len(needed))
	for i, scope := range needed {
		list[i] = Need{What: NeedScope, Name: scope, Has: Unknown}
		switch {
		case known && slices.Contains(granted, scope):
			list[i].Has = Yes
		case known:
			list[i].Has = No
		}
	}
	return list
}

// hasStage reports whether one of the pipelines has a stage of that name.
func hasStage(list []highlevel.Pipeline, name string) bool {
	for _, p := range list {
		if slices.ContainsFunc(p.Stages, func(s highlevel.Stage) bool { return strings.EqualFold(s.Name, name) }) {
			return true
		}
	}
	return false
}

// CreateNeed creates a custom field or a tag in the location. It returns an
// *OtherKey if HighLevel gives the field another key than the automation uses.
func CreateNeed(ctx context.Context, hl *highlevel.Client, locationID string, n Need) error {
	switch {
	case n.What == NeedTag:
		_, err := hl.CreateLocationTag(ctx, locationID, n.Name)
		return err
	case n.What != NeedField || n.Field == nil:
		return fmt.Errorf("create the %s %q in HighLevel or CalendarHero yourself: Milepost cannot", n.What, n.Name)
	}
	const operation = "highlevel.create_custom_field"
	entry, ok := catalog.Find(operation)
	if !ok {
		return fmt.Errorf("the catalogue has no %s", operation)
	}
	answer, err := hl.Call(ctx, entry, locationID, map[string]any{"name": n.Field.Name(), "dataType": n.Field.Type, "model": n.Field.Model})
	if err != nil {
		return err
	}
	var made struct {
		CustomField highlevel.CustomField `json:"customField"`
	}
	if err := json.Unmarshal(answer, &made); err != nil {
		return fmt.Errorf("read the custom field that HighLevel created: %w", err)
	}
	if got := made.CustomField.Key; got != "" && got != n.Field.Key {
		return &OtherKey{n, got}
	}
	return nil
}

// OtherKey means that HighLevel gave a new field another key than the automation uses.
type OtherKey struct {
	Need Need
	Key  string
}

func (o *OtherKey) Error() string {
	f := o.Need.Field
	return fmt.Sprintf("HighLevel gave the new field %q the key %s.%s; write that in the automation, in place of %s", f.Name(), f.Model, o.Key, o.Need.Name)
}
