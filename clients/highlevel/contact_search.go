package highlevel

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"milepost/clients"
)

const (
	opSearchContacts     = "search contacts of location"
	opFindDuplicate      = "find duplicate contact"
	opListContacts       = "list contacts of location"
	opContactsOfBusiness = "list contacts of business"
)

// ContactSearch selects contacts of a location; LocationID is required. The search index
// lags behind writes by some seconds, sometimes by a minute (HighLevel, Search Contacts).
type ContactSearch struct {
	LocationID string `json:"locationId"`
	PageLimit  int    `json:"pageLimit"`      // at most 500; 0 = 100
	Page       int    `json:"page,omitempty"` // from 1; pages reach only the first 10,000 contacts
	// SearchAfter is the SearchAfter of a row; the search continues after that row. Page
	// must then be 0.
	SearchAfter json.RawMessage `json:"searchAfter,omitempty"`
	Filters     []ContactFilter `json:"filters,omitempty"` // all of them must hold
	Sort        []ContactSort   `json:"sort,omitempty"`    // at most 2; none = HighLevel's own order
	Query       string          `json:"query,omitempty"`   // free text, at most 75 characters
}

// ContactFilter is one condition, or several with Group and Filters.
type ContactFilter struct {
	Field    string `json:"field,omitempty"`    // "dateUpdated", "tags", "customFields.<id>", …
	Operator string `json:"operator,omitempty"` // eq, not_eq, contains, not_contains, exists, not_exists, range
	// Value is what the field is compared with: for range, a map of gt, gte, lt, lte; for
	// exists and not_exists, nothing. A DATE custom field accepts only range and exists.
	Value   any             `json:"value,omitzero"`
	Group   string          `json:"group,omitempty"` // "AND" or "OR"
	Filters []ContactFilter `json:"filters,omitempty"`
}

// ContactSort orders the rows of a search.
type ContactSort struct {
	Field     string `json:"field"`
	Direction string `json:"direction"` // "asc" or "desc"
}

// ContactRow is a contact from the search index. Its names and e-mail are in lower case,
// and fields that are not indexed are "". If that matters, fetch the contact.
type ContactRow struct {
	Contact
	SearchAfter json.RawMessage // the row's place in this search
}

// UnmarshalJSON reads the row with tolerance.
func (r *ContactRow) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*r = ContactRow{SearchAfter: o.Raw("searchAfter")}
	if err := r.Contact.UnmarshalJSON(data); err != nil {
		return err
	}
	for _, missing := range []struct {
		field *string
		key   string
	}{
		{&r.FirstName, "firstNameLowerCase"},
		{&r.LastName, "lastNameLowerCase"},
		{&r.Name, "contactName"},
		{&r.Address1, "address"},
		{&r.CompanyName, "businessName"},
	} {
		if *missing.field == "" {
			*missing.field = o.Text(missing.key)
		}
	}
	return nil
}

// SearchContacts returns one page of a search, and the number of contacts that match. It is
// a POST that changes nothing, so it is retried and fails like a GET.
func (c *Client) SearchContacts(ctx context.Context, search ContactSearch) (rows []ContactRow, total int, err error) {
	if err := checkID(opSearchContacts, search.LocationID); err != nil {
		return nil, 0, err
	}
	if search.PageLimit == 0 {
		search.PageLimit = 100
	}
	var out struct {
		Contacts *[]ContactRow
		Total    int
	}
	err = c.do(ctx, route{
		operation: opSearchContacts, method: http.MethodPost, path: "/contacts/search", effect: clients.Read, body: search,
	}, &out)
	rows, err = listed(opSearchContacts, search.LocationID, out.Contacts, func(r ContactRow) string { return r.ID }, err)
	return rows, out.Total, err
}

const (
	pagedContacts = 10_000 // how far pages reach
	mostPages     = 10_000 // the limit of one iteration
)

func yieldAll(rows []ContactRow, yield func(ContactRow, error) bool) bool {
	for _, row := range rows {
		if !yield(row, nil) {
			return false
		}
	}
	return true
}

// goOn makes a search continue after a row, and reports whether that is possible.
func (search *ContactSearch) goOn(end ContactRow) bool {
	switch {
	case search.Page > 0 && (search.Page+1)*search.PageLimit <= pagedContacts:
		search.Page++
	case end.SearchAfter == nil || bytes.Equal(end.SearchAfter, search.SearchAfter):
		return false
	default:
		search.Page, search.SearchAfter = 0, end.SearchAfter
	}
	return true
}

// AllContacts yields all results of a search, from search.Page or search.SearchAfter on. It
// uses pages for the first 10,000 contacts, and searchAfter beyond. A contact that changes
// during the search may appear twice or, with pages, not at all. A search sorted by a field
// that never changes has neither problem. After an error, AllContacts yields it with a zero
// row and stops. So a loop that ends without an error has seen all contacts.
func (c *Client) AllContacts(ctx context.Context, search ContactSearch) iter.Seq2[ContactRow, error] {
	return func(yield func(ContactRow, error) bool) {
		search.PageLimit = cmp.Or(search.PageLimit, 100)
		if search.SearchAfter == nil {
			search.Page = max(search.Page, 1)
		}
		var last string // the row that ended the page before
		for range mostPages {
			rows, _, err := c.SearchContacts(ctx, search)
			if err != nil {
				yield(ContactRow{}, err)
				return
			}
			if len(rows) == 0 {
				return // a short page is not the end, because the server may cap pageLimit
			}
			end := rows[len(rows)-1]
			if end.ID == last {
				break // the server does not continue
			}
			last = end.ID
			if !yieldAll(rows, yield) {
				return
			}
			if !search.goOn(end) {
				break
			}
		}
		yield(ContactRow{}, unending(search.LocationID))
	}
}

// unending is the error of a search that must not pass for a complete one.
func unending(locationID string) error {
	return &clients.Error{
		API: "HighLevel", Operation: opSearchContacts, Subject: locationID, Status: http.StatusOK,
		Reason: clients.Unavailable, Message: "the search does not come to an end",
	}
}

// FindDuplicate looks for the location's contact with the e-mail or else the phone (E.164),
// as a create does. One of the two may be "". found is false if there is none.
func (c *Client) FindDuplicate(ctx context.Context, locationID, email, phone string) (contact Contact, found bool, err error) {
	if err := checkID(opFindDuplicate, locationID); err != nil {
		return Contact{}, false, err
	}
	query := url.Values{"locationId": {locationID}} // encodes + as %2B
	if email != "" {
		query.Set("email", email)
	}
	if phone != "" {
		query.Set("number", phone)
	}
	var out clients.Object
	err = c.do(ctx, route{operation: opFindDuplicate, method: http.MethodGet, path: "/contacts/search/duplicate", query: query}, &out)
	if err != nil {
		return Contact{}, false, err
	}
	raw, told := out["contact"]
	if !told && out != nil { // only null means none; another object must not pass for it
		return Contact{}, false, incomplete(opFindDuplicate, locationID)
	}
	if raw == nil || json.Unmarshal(raw, &contact) != nil {
		contact = Contact{}
	}
	if contact.ID == "" && out.Raw("contact") != nil {
		return Contact{}, false, incomplete(opFindDuplicate, locationID)
	}
	return contact, contact.ID != "", nil
}

// ContactList selects a page of ListContacts.
type ContactList struct {
	Query string
	Limit int    // at most 100; 0 = 20
	After Cursor // cursor of the page before; zero = the first page
}

// ListContacts returns one page of a location's contacts, and the cursor of the next page,
// which is zero after the last one. HighLevel has deprecated it in favour of
// SearchContacts, and removed it from API v3. It reads the records themselves, so it does
// not lag as the search does.
func (c *Client) ListContacts(ctx context.Context, locationID string, list ContactList) ([]Contact, Cursor, error) {
	if err := checkID(opListContacts, locationID); err != nil {
		return nil, Cursor{}, err
	}
	query := page(locationID, list.Query, list.Limit)
	if list.After != (Cursor{}) {
		query.Set("startAfterId", list.After.id)
		query.Set("startAfter", list.After.added)
	}
	var out struct {
		Contacts *[]Contact
		Meta     clients.Object
	}
	err := c.do(ctx, route{operation: opListContacts, method: http.MethodGet, path: "/contacts/", query: query}, &out)
	contacts, err := listed(opListContacts, locationID, out.Contacts, func(c Contact) string { return c.ID }, err)
	return contacts, nextPage(out.Meta), err
}

// ContactsOfBusiness returns the contacts of a business (a company record) that match query
// ("" = all). It skips the first skip, and returns at most limit (0 = 25).
func (c *Client) ContactsOfBusiness(ctx context.Context, locationID, businessID, query string, limit, skip int) ([]Contact, error) {
	if err := checkID(opContactsOfBusiness, locationID); err != nil {
		return nil, err
	}
	values := page(locationID, query, limit)
	if skip > 0 {
		values.Set("skip", strconv.Itoa(skip))
	}
	var out struct{ Contacts *[]Contact }
	err := c.do(ctx, route{
		operation: opContactsOfBusiness, method: http.MethodGet, path: "/contacts/business/%s", ids: []string{businessID}, query: values,
	}, &out)
	return listed(opContactsOfBusiness, businessID, out.Contacts, func(c Contact) string { return c.ID }, err)
}

func page(locationID, query string, limit int) url.Values {
	values := url.Values{"locationId": {locationID}}
	if query != "" {
		values.Set("query", query)
	}
	if limit > 0 {
		values.Set("limit", strconv.Itoa(limit))
	}
	return values
}
