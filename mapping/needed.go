package mapping

import (
	"slices"
	"strings"
)

// Needed is what an automation needs from a location and its CalendarHero account.
type Needed struct {
	Fields       []NeededField `json:"fields,omitempty"`        // custom fields
	Tags         []string      `json:"tags,omitempty"`          // tags that it reads
	Stages       []string      `json:"stages,omitempty"`        // of opportunities
	MeetingTypes []string      `json:"meeting_types,omitempty"` // of CalendarHero
	Scopes       []string      `json:"scopes,omitempty"`        // of HighLevel's token
}

// NeededField is a custom field.
type NeededField struct {
	Model string `json:"model"` // contact or opportunity
	Key   string `json:"key"`   // without the model
	Type  string `json:"type"`  // HighLevel's dataType to create it with
}

// Name returns a name for the field from which HighLevel makes the right key.
func (f NeededField) Name() string {
	words := strings.FieldsFunc(f.Key, func(r rune) bool { return r == '_' || r == '-' })
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}

// field adds a custom field once. If a field is also read as a date, it is needed as a
// date.
func (n *Needed) field(model, key, kind string) {
	at := slices.IndexFunc(n.Fields, func(f NeededField) bool { return f.Model == model && f.Key == key })
	switch {
	case at < 0:
		n.Fields = append(n.Fields, NeededField{model, key, kind})
	case kind == "DATE":
		n.Fields[at].Type = kind
	}
}

// Needed returns what the automation needs, switched on or not.
func (a *Automation) Needed() (n Needed) {
	if m := a.milestone; m != nil {
		for _, at := range []struct {
			reference
			kind string
		}{{m.name, "TEXT"}, {m.date, "DATE"}} {
			switch {
			case at.record == "contact" && !standardFields[at.key], at.record == "opportunity" && !standardNames(at.record)[at.key]:
				n.field(at.record, at.key, at.kind)
			}
		}
		if m.tag != "" {
			n.Tags = append(n.Tags, m.tag)
		}
		if m.stage != "" {
			n.Stages = append(n.Stages, m.stage)
		}
	}
	if a.Tag != "" {
		n.Tags = append(n.Tags, a.Tag)
	}
	for _, name := range a.names {
		switch {
		case name.kind == contactField && !standardFields[name.text]:
			n.field("contact", name.text, "TEXT")
		case name.kind == meetingType && name.part == "" && !name.anyCase && !slices.Contains(n.MeetingTypes, name.text):
			n.MeetingTypes = append(n.MeetingTypes, name.text)
		}
	}
	n.Scopes = a.scopes()
	return n
}

// scopes returns the HighLevel scopes for the automation's calls.
func (a *Automation) scopes() []string {
	scopes := map[string]bool{"contacts.readonly": true, "locations.readonly": true}
	switch a.Kind() {
	case KindTask:
		scopes["locations/tasks.readonly"] = true
	case KindAppointment:
		scopes["calendars/events.readonly"], scopes["calendars.readonly"] = true, true
	case KindOpportunity:
		scopes["opportunities.readonly"] = true
	case KindCalendarContact:
		scopes["contacts.write"] = true
	}
	if a.reads.custom || a.reads.opportunity {
		scopes["locations/customFields.readonly"] = true
	}
	if slices.ContainsFunc(a.Actions(), ItemKind.InHighLevel) {
		scopes["contacts.write"] = true
	}
	for _, act := range a.actions {
		switch act := act.(type) {
		case *contactAction:
			if act.back != nil {
				scopes["contacts.write"] = true
			}
		case *call:
			if len(act.entry.Scopes) > 0 { // the first is the operation's own
				scopes[act.entry.Scopes[0]] = true
			}
		}
	}
	all := make([]string, 0, len(scopes))
	for s := range scopes {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}
