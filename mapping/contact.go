package mapping

import (
	"maps"
	"strings"
)

// contactAction makes a contact: in CalendarHero (contact), or in HighLevel for a contact
// from a scheduling link (upsert_contact).
type contactAction struct {
	what                         ItemKind
	name, organization, jobTitle *template
	emails, phones               []*template
	back                         map[string]string // nil: one way only
}

func loadContact(f *fields) action {
	f.fixedEmails("emails")
	a := &contactAction{
		what:         ItemContact,
		name:         f.template("name", "{{ contact.name }}"),
		emails:       f.templates("emails", "{{ contact.email }}"),
		phones:       f.templates("phones", "{{ contact.phone }}"),
		organization: f.template("organization", "{{ contact.company_name }}"),
		jobTitle:     f.template("job_title", ""),
	}
	if f.flag("two_way", false) {
		a.back = a.wayBack(f)
	}
	return a
}

func loadUpsertContact(f *fields) action {
	f.fixedEmails("emails")
	return &contactAction{
		what:         ItemUpsertContact,
		name:         f.template("name", "{{ calendarhero_contact.name }}"),
		emails:       f.templates("emails", "{{ calendarhero_contact.emails }}"),
		phones:       f.templates("phones", "{{ calendarhero_contact.phones }}"),
		organization: f.template("organization", "{{ calendarhero_contact.company_name }}"),
		jobTitle:     &template{}, // HighLevel has no field for it
	}
}

// wayBack returns the field to which each part is written back. A part without a template
// has none, and in a list only the first entry has one. The company's name is not written
// back, because HighLevel sets it only when it creates the contact.
func (a *contactAction) wayBack(f *fields) map[string]string {
	back, taken := map[string]string{}, map[string]string{}
	for _, part := range []struct {
		name, field, like string
		from              []*template
	}{
		{"name", "name", "name", []*template{a.name}},
		{"email", "emails", "email", a.emails},
		{"phone", "phones", "phone", a.phones},
		{"organization", "organization", "company_name", []*template{a.organization}},
		{"job_title", "job_title", "job_title", []*template{a.jobTitle}},
	} {
		if len(part.from) == 0 || strings.TrimSpace(part.from[0].source) == "" {
			continue
		}
		key, ok := part.from[0].contactField()
		if !ok {
			f.wrong(part.field, "with two_way it must be one field of the contact and nothing else, such as {{ contact.%s }}", part.like)
			continue
		}
		if part.name == "organization" && key == "company_name" {
			continue
		}
		if err := writable(key); err != nil {
			f.wrong(part.field, "with two_way it must be a field that can be written back: %v", err)
		} else if other := taken[key]; other != "" {
			f.wrong(part.field, "with two_way no two may be the same field; contact.%s is that of %s already", key, other)
		}
		back[part.name], taken[key] = key, part.field
	}
	return back
}

func (a *contactAction) kind() ItemKind { return a.what }

func (a *contactAction) reads() reads {
	return readsOf(append(append([]*template{a.name, a.organization, a.jobTitle}, a.emails...), a.phones...)...)
}

func (a *contactAction) item(_ *run, env map[string]any) (Item, error) {
	c := ContactItem{Back: maps.Clone(a.back)}
	if err := fillEach(env,
		textField{"name", a.name, &c.Name, oneLine},
		textField{"organization", a.organization, &c.Organization, oneLine},
		textField{"job_title", a.jobTitle, &c.JobTitle, oneLine},
	); err != nil {
		return Item{}, err
	}
	emails, err := fillAll("emails", a.emails, env)
	if err != nil {
		return Item{}, err
	}
	for _, list := range emails {
		for _, e := range splitEmails(list) {
			address, err := emailAddress(e)
			if err != nil {
				return Item{}, fieldProblem{"emails", err.Error()}
			}
			c.Emails = appendNew(c.Emails, address)
		}
	}
	phones, err := fillAll("phones", a.phones, env)
	if err != nil {
		return Item{}, err
	}
	for _, p := range phones {
		c.Phones = appendNew(c.Phones, oneLine(p))
	}
	if len(c.Emails) == 0 {
		return Item{}, noEmail
	}
	return Item{Contact: c}, nil
}

// splitEmails splits a text into its addresses.
func splitEmails(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(",; \t\n", r) })
}

// updateContact writes fields of the contact in HighLevel.
type updateContact struct {
	keys   []string
	values map[string]*template
}

func loadUpdateContact(f *fields) action {
	a := &updateContact{values: map[string]*template{}}
	f.required("fields")
	if !f.has("fields") {
		return a
	}
	list := openFields(f.mistakes, f.prefix+"fields.", f.values["fields"])
	if list == nil {
		return a
	}
	list.scope, a.keys = f.scope, list.keys
	if len(list.keys) == 0 {
		f.wrong("fields", "is empty; expected { <field of the contact>: <text>, … }")
	}
	for _, key := range list.keys {
		a.values[key] = &template{}
		if err := writable(key); err != nil {
			list.wrong(key, "%v", err)
		} else if isNull(list.values[key]) {
			list.wrong(key, "is empty; a field cannot be cleared")
		} else {
			a.values[key] = list.template(key, "")
			list.refer(key, list.values[key], []mention{{kind: contactField, text: key, Line: 1}})
			if text, ok := fixedText(list.values[key]); ok && !standardFields[key] && strings.TrimSpace(text) != "" {
				list.refer(key, list.values[key], []mention{{kind: writtenValue, text: strings.TrimSpace(text), within: "contact." + key, Line: 1}})
			}
			switch key {
			case "assigned_to":
				list.referTo(key, highLevelUser)
			case "date_of_birth":
				list.fixedDate(key, exampleDate(f))
			case "timezone":
				list.fixedZone(key)
			case "email":
				list.fixedEmail(key)
			}
		}
	}
	return a
}

func (a *updateContact) kind() ItemKind { return ItemUpdateContact }

func (a *updateContact) reads() (r reads) {
	for key, t := range a.values {
		r.addContactField(key)
		r.add(t.reads)
	}
	return r
}

func (a *updateContact) item(r *run, env map[string]any) (Item, error) {
	written := map[string]string{}
	for _, key := range a.keys {
		text, err := a.field(key, r, env)
		if err != nil {
			return Item{}, err
		}
		if text != "" {
			written[key] = text
		}
	}
	if len(written) == 0 {
		return Item{}, skip("there is nothing to write")
	}
	return Item{ContactFields: written}, nil
}

// field returns the text for one field, in the form that HighLevel accepts for the field's
// type.
func (a *updateContact) field(key string, r *run, env map[string]any) (string, error) {
	custom, ok := r.facts.Contact.Custom[key]
	if !ok && !standardFields[key] {
		return "", noField(key)
	}
	name := "fields." + key
	if key == "date_of_birth" || ok && strings.EqualFold(custom.Type, "DATE") {
		date, err := fillDate(name, a.values[key], r, env)
		return date.day(), err
	}
	text, err := fill(name, a.values[key], env)
	if text = strings.TrimSpace(r.rules.tidy(text)); err != nil || text == "" || key != "email" {
		return text, err
	}
	if text, err = emailAddress(text); err != nil {
		return "", fieldProblem{name, err.Error()}
	}
	return text, nil
}
