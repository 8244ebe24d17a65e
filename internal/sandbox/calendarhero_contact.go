package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"time"
)

// CalendarContact is a contact in CalendarHero. It has no tags, notes or
// custom fields.
type CalendarContact struct {
	ID, Name            string
	Email               []string
	DefaultEmail        string
	Title, Organization string
	Telephone           []string
	ProviderID          []string
	UserID              string
	DateAdded           time.Time
}

func (c *CalendarContact) clone() CalendarContact {
	out := *c
	out.Email, out.Telephone, out.ProviderID = slices.Clone(c.Email), slices.Clone(c.Telephone), slices.Clone(c.ProviderID)
	return out
}

func (c *CalendarContact) mainEmail() string {
	if c.DefaultEmail != "" {
		return c.DefaultEmail
	}
	return c.Email[0]
}

func (c *CalendarContact) has(email string) bool {
	return slices.ContainsFunc(c.Email, func(own string) bool { return strings.EqualFold(own, email) })
}

func newCalendarContact(contact CalendarContact, now time.Time) *CalendarContact {
	if contact.ID == "" {
		contact.ID = objectID()
	}
	contact.DateAdded = now
	return &contact
}

var contactKeys = []string{"name", "email", "defaultEmail", "title", "organization", "telephone"}

// SeedContact adds a contact that was there before.
func (c *CalendarHero) SeedContact(contact CalendarContact) (CalendarContact, error) {
	if len(contact.Email) == 0 {
		return CalendarContact{}, fmt.Errorf("seed contact %q: CalendarHero keeps no contact without e-mail", contact.Name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	made := newCalendarContact(contact.clone(), c.clock())
	c.contacts = append(c.contacts, made)
	c.notice.changed()
	return made.clone(), nil
}

// EditContact lets change edit a contact as somebody does in CalendarHero,
// which tells no one. Id and date stay, and an e-mail address must.
func (c *CalendarHero) EditContact(id string, change func(*CalendarContact)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	contact := c.contact(id)
	if contact == nil {
		return fmt.Errorf("edit contact %s: no such contact", id)
	}
	edited := contact.clone()
	change(&edited)
	if len(edited.Email) == 0 {
		return fmt.Errorf("edit contact %s: CalendarHero keeps no contact without e-mail", id)
	}
	edited.ID, edited.DateAdded = contact.ID, contact.DateAdded
	*contact = edited
	c.notice.changed()
	return nil
}

// Contacts returns the contacts as they were made.
func (c *CalendarHero) Contacts() []CalendarContact {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]CalendarContact, len(c.contacts))
	for i, contact := range c.contacts {
		out[i] = contact.clone()
	}
	return out
}

func (c *CalendarHero) contact(id string) *CalendarContact {
	for _, contact := range c.contacts {
		if contact.ID == id {
			return contact
		}
	}
	return nil
}

func (c *CalendarHero) contactByEmail(email string) *CalendarContact {
	for _, contact := range c.contacts {
		if contact.has(email) {
			return contact
		}
	}
	return nil
}

func (c *CalendarContact) answer() map[string]any {
	list := func(s []string) []string {
		if s == nil {
			return []string{}
		}
		return s
	}
	return map[string]any{
		"id": c.ID, "name": c.Name, "email": list(c.Email), "defaultEmail": c.mainEmail(), "title": c.Title,
		"organization": c.Organization, "telephone": list(c.Telephone), "providerId": list(c.ProviderID), "userId": c.UserID,
	}
}

// readContact takes a whole contact from the body: what is absent becomes empty.
func readContact(call *heroCall) (contact CalendarContact, no *boom) {
	if _, ok := call.body["email"]; !ok {
		return contact, invalid("payload", "email", "is required")
	}
	for key, target := range map[string]*string{
		"name": &contact.Name, "defaultEmail": &contact.DefaultEmail, "title": &contact.Title,
		"organization": &contact.Organization, "userId": &contact.UserID,
	} {
		if *target, no = call.text(key); no != nil {
			return contact, no
		}
	}
	for key, target := range map[string]*[]string{
		"email": &contact.Email, "telephone": &contact.Telephone, "providerId": &contact.ProviderID,
	} {
		if *target, no = call.texts(key); no != nil {
			return contact, no
		}
	}
	if len(contact.Email) == 0 {
		return contact, invalid("payload", "email", "must contain at least 1 items")
	}
	for i, email := range contact.Email {
		if !isAddress(email) {
			return contact, invalid("payload", "email", fmt.Sprintf("at position %d must be a valid email", i))
		}
	}
	if contact.DefaultEmail != "" && !contact.has(contact.DefaultEmail) {
		return contact, invalid("payload", "defaultEmail", "must be one of email")
	}
	return contact, nil
}

// createContact makes a contact, a second one where the e-mail is known:
// CalendarHero keeps duplicates.
func (c *CalendarHero) createContact(call *heroCall) (int, any, *boom) {
	contact, no := readContact(call)
	if no != nil {
		return 0, nil, no
	}
	made := newCalendarContact(contact, c.clock())
	c.contacts = append(c.contacts, made)
	c.notice.changed()
	return http.StatusOK, map[string]any{"id": made.ID}, nil
}

// findContacts answers each e-mail once unless all=true.
func (c *CalendarHero) findContacts(call *heroCall) (int, any, *boom) {
	search, letter := call.query.Get("search"), call.query.Get("filter")
	if search != "" && letter != "" {
		return 0, nil, boomf(http.StatusBadRequest, "\"search\" conflict with forbidden peer \"filter\"")
	}
	search = strings.ToLower(strings.TrimSpace(search))
	if letter != "" && letter != "popular" && letter != "recent" && (len(letter) != 1 || letter < "a" || letter > "z") {
		return 0, nil, invalid("query", "filter", "must be one of [popular, recent, a..z]")
	}
	items := []any{}
	seen := map[string]bool{}
	for _, contact := range c.contacts {
		name := strings.ToLower(contact.Name)
		match := true
		switch {
		case strings.HasPrefix(search, "@"):
			match = slices.ContainsFunc(contact.Email, func(e string) bool { return strings.HasSuffix(strings.ToLower(e), search) })
		case strings.Contains(search, "@"):
			match = contact.has(search)
		case search != "":
			match = strings.Contains(name, search)
		case len(letter) == 1:
			match = strings.HasPrefix(name, letter)
		}
		key := strings.ToLower(contact.mainEmail())
		if !match || seen[key] && call.query.Get("all") != "true" {
			continue
		}
		seen[key] = true
		items = append(items, contact.answer())
	}
	return http.StatusOK, items, nil
}

func (c *CalendarHero) countContacts(*heroCall) (int, any, *boom) {
	return http.StatusOK, map[string]any{"count": len(c.contacts)}, nil
}

func (c *CalendarHero) pathContact(call *heroCall) (*CalendarContact, *boom) {
	id, no := call.id()
	if no != nil {
		return nil, no
	}
	contact := c.contact(id)
	if contact == nil {
		return nil, boomf(http.StatusNotFound, "Contact not found")
	}
	return contact, nil
}

func (c *CalendarHero) getContact(call *heroCall) (int, any, *boom) {
	contact, no := c.pathContact(call)
	if no != nil {
		return 0, nil, no
	}
	answer := contact.answer()
	if call.query.Get("basic") != "true" {
		answer["insights"] = map[string]any{"jobs": []any{}, "social": []any{}, "photos": []any{}}
	}
	return http.StatusOK, answer, nil
}

// updateContact replaces the contact: whether CalendarHero merges is not
// known, so what a caller leaves out is lost here, but with MergeContacts.
func (c *CalendarHero) updateContact(call *heroCall) (int, any, *boom) {
	contact, no := c.pathContact(call)
	if no != nil {
		return 0, nil, no
	}
	if c.config.MergeContacts {
		kept := contact.answer()
		kept["defaultEmail"] = contact.DefaultEmail
		for key, value := range kept {
			if _, sent := call.body[key]; !sent {
				call.body[key] = plainJSON(value)
			}
		}
	}
	updated, no := readContact(call)
	if no != nil {
		return 0, nil, no
	}
	updated.ID, updated.DateAdded = contact.ID, contact.DateAdded
	*contact = updated
	c.notice.changed()
	return http.StatusOK, "OK", nil
}

func (c *CalendarHero) deleteContact(call *heroCall) (int, any, *boom) {
	contact, no := c.pathContact(call)
	if no != nil {
		return 0, nil, no
	}
	c.contacts = slices.DeleteFunc(c.contacts, func(other *CalendarContact) bool { return other == contact })
	c.notice.changed()
	return http.StatusOK, map[string]any{}, nil
}

func isAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

// strictJSON decodes and refuses unknown keys.
func strictJSON(raw []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
