package calendarhero

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"time"

	"milepost/internal/sandbox/fakehttp"
)

// Contact is a contact in CalendarHero. It has no tags, notes or
// custom fields.
type Contact struct {
	ID, Name            string
	Email               []string
	DefaultEmail        string
	Title, Organization string
	Telephone           []string
	ProviderID          []string
	UserID              string
	DateAdded           time.Time
}

func (c *Contact) clone() Contact {
	out := *c
	out.Email, out.Telephone, out.ProviderID = slices.Clone(c.Email), slices.Clone(c.Telephone), slices.Clone(c.ProviderID)
	return out
}

func (c *Contact) mainEmail() string {
	if c.DefaultEmail != "" {
		return c.DefaultEmail
	}
	return c.Email[0]
}

func (c *Contact) has(email string) bool {
	return slices.ContainsFunc(c.Email, func(own string) bool { return strings.EqualFold(own, email) })
}

func newCalendarContact(contact Contact, now time.Time) *Contact {
	if contact.ID == "" {
		contact.ID = fakehttp.ObjectID()
	}
	contact.DateAdded = now
	return &contact
}

var contactKeys = []string{"name", "email", "defaultEmail", "title", "organization", "telephone"}

// SeedContact adds a contact that was there before.
func (c *Server) SeedContact(contact Contact) (Contact, error) {
	if len(contact.Email) == 0 {
		return Contact{}, fmt.Errorf("seed contact %q: CalendarHero keeps no contact without e-mail", contact.Name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	made := newCalendarContact(contact.clone(), c.clock())
	c.contacts = append(c.contacts, made)
	c.notice.Changed()
	return made.clone(), nil
}

// EditContact lets change edit a contact as somebody does in CalendarHero,
// which tells no one. Id and date stay, and an e-mail address must.
func (c *Server) EditContact(id string, change func(*Contact)) error {
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
	c.notice.Changed()
	return nil
}

// Contacts returns the contacts as they were made.
func (c *Server) Contacts() []Contact {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]Contact, len(c.contacts))
	for i, contact := range c.contacts {
		out[i] = contact.clone()
	}
	return out
}

func (c *Server) contact(id string) *Contact {
	for _, contact := range c.contacts {
		if contact.ID == id {
			return contact
		}
	}
	return nil
}

func (c *Server) contactByEmail(email string) *Contact {
	for _, contact := range c.contacts {
		if contact.has(email) {
			return contact
		}
	}
	return nil
}

func (c *Contact) answer() map[string]any {
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
func readContact(call *call) (contact Contact, no *boom) {
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
		if !IsAddress(email) {
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
func (c *Server) createContact(call *call) (int, any, *boom) {
	contact, no := readContact(call)
	if no != nil {
		return 0, nil, no
	}
	made := newCalendarContact(contact, c.clock())
	c.contacts = append(c.contacts, made)
	c.notice.Changed()
	return http.StatusOK, map[string]any{"id": made.ID}, nil
}

// findContacts answers each e-mail once unless all=true.
func (c *Server) findContacts(call *call) (int, any, *boom) {
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

func (c *Server) countContacts(*call) (int, any, *boom) {
	return http.StatusOK, map[string]any{"count": len(c.contacts)}, nil
}

func (c *Server) pathContact(call *call) (*Contact, *boom) {
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

func (c *Server) getContact(call *call) (int, any, *boom) {
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
func (c *Server) updateContact(call *call) (int, any, *boom) {
	contact, no := c.pathContact(call)
	if no != nil {
		return 0, nil, no
	}
	if c.config.MergeContacts {
		kept := contact.answer()
		kept["defaultEmail"] = contact.DefaultEmail
		for key, value := range kept {
			if _, sent := call.body[key]; !sent {
				call.body[key] = fakehttp.JSON(value)
			}
		}
	}
	updated, no := readContact(call)
	if no != nil {
		return 0, nil, no
	}
	updated.ID, updated.DateAdded = contact.ID, contact.DateAdded
	*contact = updated
	c.notice.Changed()
	return http.StatusOK, "OK", nil
}

func (c *Server) deleteContact(call *call) (int, any, *boom) {
	contact, no := c.pathContact(call)
	if no != nil {
		return 0, nil, no
	}
	c.contacts = slices.DeleteFunc(c.contacts, func(other *Contact) bool { return other == contact })
	c.notice.Changed()
	return http.StatusOK, map[string]any{}, nil
}

// IsAddress reports whether CalendarHero takes s as an e-mail address.
func IsAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

// strictJSON decodes and refuses unknown keys.
func strictJSON(raw []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
