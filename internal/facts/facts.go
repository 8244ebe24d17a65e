// Package facts turns HighLevel's and CalendarHero's records into the facts that
// automations read.
//
// Guarantees: it is pure, and loses nothing that an automation may name. It must not know
// which automations exist.
package facts

import (
	"cmp"
	"strings"
	"time"

	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/mapping"
)

// Task is a task as automations see it.
func Task(t highlevel.Task) mapping.Task {
	return mapping.Task{ID: t.ID, Title: t.Title, Body: t.Body, AssignedTo: t.AssignedTo, Due: t.DueDate, Completed: t.Completed}
}

// Note is a note as automations see it.
func Note(n highlevel.Note) mapping.Note {
	added, _ := time.Parse(time.RFC3339, n.DateAdded) // only orders the notes
	return mapping.Note{ID: n.ID, Body: n.Body, Title: n.Title, UserID: n.UserID, DateAdded: added}
}

// Contact names a contact's fields as HighLevel's merge fields do. Custom fields come
// by id alone; the location's definitions give their keys.
func Contact(c highlevel.Contact, definitions []highlevel.CustomField) mapping.Contact {
	return mapping.Contact{ID: c.ID, Tags: c.Tags, Custom: customValues(c.CustomFields, definitions), Fields: map[string]any{
		"id": c.ID, "first_name": c.FirstName, "last_name": c.LastName, "name": fullName(c),
		"email": c.Email, "phone": c.Phone, "company_name": c.CompanyName,
		"address1": c.Address1, "city": c.City, "state": c.State, "country": c.Country, "postal_code": c.PostalCode,
		"website": c.Website, "timezone": c.Timezone, "source": c.Source, "type": c.Type,
		"assigned_to": c.AssignedTo, "date_of_birth": c.DateOfBirth, "date_added": c.DateAdded, "dnd": c.DND,
	}}
}

// DND writes the do-not-disturb settings of a contact as a text.
func DND(c highlevel.Contact) string {
	all := "off"
	if c.DND {
		all = "on"
	}
	return strings.Join(append([]string{all}, c.DNDChannels...), " ")
}

// fullName prefers the parts, because HighLevel keeps their casing.
func fullName(c highlevel.Contact) string {
	return cmp.Or(strings.TrimSpace(c.FirstName+" "+c.LastName), c.Name)
}

// CalendarContact is a contact of CalendarHero as automations see it, its main address
// first.
func CalendarContact(c calendarhero.Contact) mapping.CalendarContact {
	facts := mapping.CalendarContact{ID: c.ID, Name: c.Name, Phones: c.Telephones, Organization: c.Organization, JobTitle: c.Title}
	if c.DefaultEmail != "" {
		facts.Emails = append(facts.Emails, strings.ToLower(c.DefaultEmail))
	}
	for _, email := range c.Emails {
		if email = strings.ToLower(email); email != strings.ToLower(c.DefaultEmail) {
			facts.Emails = append(facts.Emails, email)
		}
	}
	return facts
}
