package sync

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/contactmerge"
	"milepost/internal/facts"
	"milepost/internal/fingerprint"
	"milepost/internal/jobs"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

// contactFields writes single fields of one HighLevel contact.
type contactFields struct {
	contact     highlevel.Contact
	definitions []highlevel.CustomField
}

// readFields reads the contact, and the definitions of custom fields if one of the fields
// needs them.
func (s *entitySync) readFields(ctx context.Context, fields []string) (f contactFields, err error) {
	if f.contact, err = s.followUpClient.Contact(ctx, s.contactID); err != nil {
		return f, err
	}
	if slices.ContainsFunc(fields, func(field string) bool { return f.standard(&highlevel.ContactFields{}, field) == nil }) {
		f.definitions, err = s.conn.CustomFields(ctx, f.contact)
	}
	return f, outcome.NonRecord(err)
}

// value returns the value of a field as text; "" = none.
func (f contactFields) value(contact highlevel.Contact, field string) string {
	facts := facts.Contact(contact, f.definitions)
	v, ok := facts.Fields[field]
	if !ok {
		v = facts.Custom[field].Value
	}
	return fieldText(v)
}

func fieldText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		parts := make([]string, len(v))
		for i, entry := range v {
			parts[i] = fieldText(entry)
		}
		return strings.Join(parts, ", ")
	}
	return fmt.Sprint(v)
}

// standard returns a function that sets a standard text field of a write; nil for others.
func (contactFields) standard(w *highlevel.ContactFields, field string) func(string) {
	text := func(t *highlevel.Text) func(string) { return func(v string) { *t = highlevel.Set(v) } }
	plain := func(t **string) func(string) { return func(v string) { *t = &v } }
	switch field {
	case "name":
		return text(&w.Name)
	case "first_name":
		return text(&w.FirstName)
	case "last_name":
		return text(&w.LastName)
	case "email":
		return text(&w.Email)
	case "phone":
		return text(&w.Phone)
	case "address1":
		return text(&w.Address1)
	case "city":
		return text(&w.City)
	case "state":
		return text(&w.State)
	case "postal_code":
		return plain(&w.PostalCode)
	case "country":
		return plain(&w.Country)
	case "website":
		return text(&w.Website)
	case "timezone":
		return text(&w.Timezone)
	case "source":
		return text(&w.Source)
	case "assigned_to":
		return text(&w.AssignedTo)
	case "date_of_birth":
		return text(&w.DateOfBirth)
	}
	return nil
}

// set adds a field to a write. If HighLevel has no such field to write, it fails with
// clients.Invalid.
func (f contactFields) set(w *highlevel.ContactFields, field, value string) error {
	if field == "name" {
		first, last := contactmerge.SplitName(value, f.contact.FirstName, f.contact.LastName)
		if first != f.contact.FirstName {
			w.FirstName = highlevel.Set(first)
		}
		switch {
		case last == "" && f.contact.LastName != "":
			w.LastName = highlevel.Clear()
		case last != f.contact.LastName:
			w.LastName = highlevel.Set(last)
		}
		return nil
	}
	if set := f.standard(w, field); set != nil {
		set(value)
		return nil
	}
	i := slices.IndexFunc(f.definitions, func(d highlevel.CustomField) bool { return d.Key == field })
	if i < 0 {
		return &clients.Error{
			API: "HighLevel", Operation: "update contact", Subject: f.contact.ID, Reason: clients.Invalid,
			Message: fmt.Sprintf("contacts have no field %q that can be written", field),
			Todo:    "create a custom field of that name in the location, or use another field in the automation",
		}
	}
	write := highlevel.CustomFieldWrite{ID: f.definitions[i].ID, Value: value}
	switch f.definitions[i].Type {
	case "NUMERICAL", "MONETORY":
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			write.Value = n
		}
	case "CHECKBOX", "MULTIPLE_OPTIONS":
		var list []string
		for entry := range strings.SplitSeq(value, ",") {
			list = append(list, strings.TrimSpace(entry))
		}
		write.Value = list
	}
	w.CustomFields = append(w.CustomFields, write)
	return nil
}

// holds reports whether a field already has a value.
func (f contactFields) holds(field, value string) bool {
	have := f.value(f.contact, field)
	switch field {
	case "email":
		return strings.EqualFold(have, value)
	case "phone":
		return contactmerge.SamePhone(have, value)
	case "date_of_birth":
		have, _, _ = strings.Cut(have, "T")
	}
	return have == value
}

// contactUpdates are the fields of HighLevel's contacts that automations write.
type contactUpdates struct{ highLevelWrites }

func (contactUpdates) texts(item mapping.Item) any { return item.ContactFields }

// apply writes only these fields of the HighLevel contact, and only once for each change of
// the item. What a person changes afterwards stays.
func (s contactUpdates) apply(ctx context.Context, item mapping.Item) error {
	link := s.links[item.Key]
	content := fingerprint.OfText(s.texts(item))
	if link.State == store.LinkLive && link.Content == content {
		return nil
	}
	names := slices.Sorted(maps.Keys(item.ContactFields))
	fields, err := s.readFields(ctx, names)
	if err != nil {
		return err
	}
	var write highlevel.ContactFields
	var written []string
	for _, field := range names {
		if v := item.ContactFields[field]; v != "" && !fields.holds(field, v) {
			if err := fields.set(&write, field, v); err != nil {
				return err
			}
			written = append(written, field+": "+v)
		}
	}
	var told []store.TimelineEntry
	if len(written) > 0 {
		if err := s.toFollow(ctx, item.Meeting); err != nil {
			return err
		}
		if _, err := s.writing().UpdateContact(ctx, s.contactID, write); err != nil {
			return err
		}
		told = append(told, s.tell("contact updated in HighLevel", strings.Join(written, "\n")))
	}
	ctx, cancel := jobs.Detached(ctx)
	defer cancel()
	return s.store.SaveLink(ctx, store.Link{
		Entity: s.entity, Item: item.Key, ItemKind: string(item.Kind), Automation: item.Automation,
		State: store.LinkLive, ObjectID: s.contactID, Generation: link.Generation + 1, Content: content,
	}, s.now(), nil, told...)
}
