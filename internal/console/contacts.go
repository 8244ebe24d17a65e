package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/internal/operate"
	"milepost/internal/store"
)

type contactsData struct {
	Q        string
	List     []store.Contact
	Called   map[string]string // locations, by their ids
	More     bool
	First    bool
	OlderURL string
	Search   string // the same search among the deliveries
}

func (c *Console) contactsPage(r *http.Request, v *view) error {
	v.Title, v.Section = "Contacts", "contacts"
	in := r.URL.Query()
	data := contactsData{Q: in.Get("q"), First: in.Get("at") == ""}
	after := store.ContactCursor{LocationID: in.Get("location"), ID: in.Get("id")}
	if micros, err := strconv.ParseInt(in.Get("at"), 10, 64); err == nil {
		after.ChangedAt = time.UnixMicro(micros)
	}
	found, err := c.Desk.Contacts(r.Context(), data.Q, after, pageSize)
	if err != nil {
		return err
	}
	data.List, data.More = found.List, found.More
	data.Called = map[string]string{}
	for _, one := range found.List {
		if data.Called[one.LocationID] == "" {
			if data.Called[one.LocationID], err = c.called(r.Context(), one.LocationID); err != nil {
				return err
			}
		}
	}
	if next := found.Next; !next.ChangedAt.IsZero() {
		data.OlderURL = Path + "contacts?" + url.Values{
			"at": {strconv.FormatInt(next.ChangedAt.UnixMicro(), 10)}, "location": {next.LocationID}, "id": {next.ID},
		}.Encode()
	}
	data.Search = Path + "deliveries?" + url.Values{"q": {data.Q}}.Encode()
	v.Data = data
	return nil
}

// called is what a location is called: its name, or its id if that is not known.
func (c *Console) called(ctx context.Context, locationID string) (string, error) {
	l, _, err := c.Desk.Store.Connection(ctx, locationID)
	return cmp.Or(l.Name, locationID), err
}

type contactData struct {
	operate.Contact
	Path       string // of the page
	Where      string // the location
	HighLevel  string // address of the contact there; "" = not known
	Deliveries string // address of the list of its deliveries
	First      bool
	NewestURL  string
	OlderURL   string
}

// contactPath is the address of a contact's page.
func contactPath(locationID, id string) string {
	return Path + "contacts/" + url.PathEscape(locationID) + "/" + url.PathEscape(id)
}

// contactOf is the contact that an address names.
func contactOf(r *http.Request) (locationID, id string) {
	return unescape(chi.URLParam(r, "location")), unescape(chi.URLParam(r, "id"))
}

// unescape undoes what a router that matches the escaped path leaves.
func unescape(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

func (c *Console) contactPage(r *http.Request, v *view) error {
	v.Section = "contacts"
	location, id := contactOf(r)
	before := number(r, "before")
	contact, ok, err := c.Desk.Contact(r.Context(), location, id, before, pageSize)
	if err != nil {
		return err
	}
	if !ok {
		return errNotFound
	}
	v.Title = "Contact " + id
	if contact.Name != "" {
		v.Title = v.Person(contact.Name)
	}
	data := contactData{Contact: contact, Path: contactPath(location, id), First: before == 0}
	if data.Where, err = c.called(r.Context(), location); err != nil {
		return err
	}
	data.NewestURL = data.Path
	if contact.Next > 0 {
		data.OlderURL = data.Path + "?before=" + strconv.FormatInt(contact.Next, 10) + "#timeline"
	}
	data.Deliveries = Path + "deliveries?" + url.Values{"location": {location}, "contact": {id}}.Encode()
	switch {
	case c.Sandbox != "":
		data.HighLevel = c.Sandbox + "#contact-" + url.PathEscape(id)
	case c.HighLevel != "":
		data.HighLevel = c.HighLevel + "/v2/location/" + url.PathEscape(location) + "/contacts/detail/" + url.PathEscape(id)
	}
	v.Data = data
	return nil
}

func (c *Console) syncContact(r *http.Request, v *view) (string, error) {
	location, id := contactOf(r)
	err := c.Desk.SyncNow(r.Context(), v.Me.Name, location, id)
	if errors.Is(err, operate.ErrForgotten) {
		return "", problem(sentence(operate.ErrForgotten))
	}
	return contactPath(location, id) + "?said=synced", err
}

type forgetData struct {
	store.Contact
	Path     string
	Requests []store.Meeting
}

func (c *Console) forgetPage(r *http.Request, v *view) error {
	v.Section = "contacts"
	if !v.Operator() {
		return errForbidden
	}
	location, id := contactOf(r)
	contact, _, err := c.Desk.Store.ContactOf(r.Context(), location, id)
	if err != nil {
		return err
	}
	contact.LocationID, contact.ID = location, id
	v.Title = "Forget contact " + id
	if contact.Name != "" {
		v.Title = "Forget " + contact.Name
	}
	data := forgetData{Contact: contact, Path: contactPath(location, id)}
	data.Requests, err = c.Desk.Mailed(r.Context(), location, id)
	v.Data = data
	return err
}

func (c *Console) forget(r *http.Request, v *view) (string, error) {
	location, id := contactOf(r)
	return contactPath(location, id) + "?said=forgotten", c.Desk.Forget(r.Context(), v.Me.Name, location, id)
}

func (c *Console) remember(r *http.Request, v *view) (string, error) {
	location, id := contactOf(r)
	was, err := c.Desk.Remember(r.Context(), v.Me.Name, location, id)
	if err == nil && !was {
		return "", problem("This contact is not forgotten any more.")
	}
	return contactPath(location, id) + "?said=remembered", err
}
