package calendarhero

import (
	"context"
	"net/http"
	"net/url"

	"milepost/clients"
)

// Contact is a contact of the account. CalendarHero has no tags, notes or custom fields on it.
type Contact struct {
	ID           string   // 24 hex digits; ignored by create and update
	Name         string   // "First Last"
	Emails       []string // at least one for create and update
	DefaultEmail string   // one of Emails
	Title        string   // job title
	Organization string
	Telephones   []string
	ProviderIDs  []string // where CalendarHero found the contact; ignored by create
	UserID       string   // ignored by create and update
}

// contactBody is the body of create and update. Empty fields are left out, except email,
// which the API requires.
type contactBody struct {
	Name         string   `json:"name,omitempty"`
	Email        []string `json:"email"`
	DefaultEmail string   `json:"defaultEmail,omitempty"`
	Title        string   `json:"title,omitempty"`
	Organization string   `json:"organization,omitempty"`
	Telephone    []string `json:"telephone,omitempty"`
	ProviderID   []string `json:"providerId,omitempty"`
	UserID       string   `json:"userId,omitempty"`
}

func (c Contact) body() contactBody {
	return contactBody{
		Name: c.Name, Email: append([]string{}, c.Emails...), DefaultEmail: c.DefaultEmail,
		Title: c.Title, Organization: c.Organization, Telephone: c.Telephones,
	}
}

// UnmarshalJSON reads the record with tolerance: email and telephone may be a text or an
// array.
func (c *Contact) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*c = Contact{
		ID: o.Text("id"), Name: o.Text("name"), Emails: o.Texts("email"), DefaultEmail: o.Text("defaultEmail"),
		Title: o.Text("title"), Organization: o.Text("organization"), Telephones: o.Texts("telephone"),
		ProviderIDs: o.Texts("providerId"), UserID: o.Text("userId"),
	}
	return nil
}

// ContactQuery selects contacts. Search and Filter exclude each other.
type ContactQuery struct {
	Search       string // e-mail address, "@domain" or "First Last"
	Filter       string // "popular", "recent", or one letter a to z
	All          bool   // includes contacts that CalendarHero considers duplicates
	IncludeTeams bool
}

// Contacts lists contacts. If it finds none, the list is empty.
func (c *Client) Contacts(ctx context.Context, q ContactQuery) ([]Contact, error) {
	const operation = "search contacts"
	if q.Search != "" && q.Filter != "" {
		return nil, &clients.Error{API: API, Operation: operation, Reason: clients.Invalid, Message: "either a search or a filter can be given"}
	}
	query := url.Values{}
	for key, value := range map[string]string{"search": q.Search, "filter": q.Filter} {
		if value != "" {
			query.Set(key, value)
		}
	}
	for key, wanted := range map[string]bool{"all": q.All, "includeTeams": q.IncludeTeams} {
		if wanted {
			query.Set(key, "true")
		}
	}
	return list(ctx, c, route{operation: operation, method: http.MethodGet, path: "/contact", query: query}, func(c Contact) bool { return c.ID != "" })
}

// SearchContacts finds contacts by e-mail address, "@domain" or "First Last". The API does
// not document what counts as a match, so compare Emails before you use a contact as the
// right one.
func (c *Client) SearchContacts(ctx context.Context, search string) ([]Contact, error) {
	return c.Contacts(ctx, ContactQuery{Search: search})
}

// ContactCount returns how many contacts the account has.
func (c *Client) ContactCount(ctx context.Context) (int, error) {
	const operation = "count contacts"
	out, err := c.get(ctx, operation, "/contact/count", nil)
	if err != nil {
		return 0, err
	}
	n, ok := number(out)
	if !ok {
		return 0, unreadable(operation, "")
	}
	return n, nil
}

// Contact fetches one contact, without the insights that CalendarHero gathers about people.
func (c *Client) Contact(ctx context.Context, id string) (Contact, error) {
	const operation = "get contact"
	var contact Contact
	err := c.do(ctx, route{
		operation: operation, method: http.MethodGet, path: "/contact/%s", ids: []string{id},
		query: url.Values{"basic": {"true"}},
	}, &contact)
	if err == nil && contact.ID != id { // no contact, or another one
		err = unreadable(operation, id)
	}
	return contact, err
}

// CreateContact adds a contact and returns its id. CalendarHero accepts duplicates, so
// search first. If the answer is lost or has no id, the error is Unclear.
func (c *Client) CreateContact(ctx context.Context, contact Contact) (string, error) {
	return c.create(ctx, "create contact", "/contact", contact.body())
}

// UpdateContact writes the non-empty fields of a contact. It is unknown whether the API
// keeps fields that are not sent, and UpdateContact does not preserve them. So fetch the
// record, merge, and write all of it.
func (c *Client) UpdateContact(ctx context.Context, id string, contact Contact) error {
	body := contact.body()
	body.ProviderID, body.UserID = contact.ProviderIDs, contact.UserID
	return c.do(ctx, route{
		operation: "update contact", method: http.MethodPut, path: "/contact/%s", ids: []string{id},
		effect: clients.Idempotent, body: body,
	}, nil)
}

// DeleteContact deletes a contact for good; NotFound if it is already gone. A retry after a
// lost answer may return NotFound for a contact that the first try deleted.
func (c *Client) DeleteContact(ctx context.Context, id string) error {
	return c.do(ctx, route{
		operation: "delete contact", method: http.MethodDelete, path: "/contact/%s", ids: []string{id}, effect: clients.Idempotent,
	}, nil)
}
