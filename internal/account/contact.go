package account

import (
	"context"
	"slices"
	"strings"

	"milepost/clients"
	"milepost/clients/calendarhero"
)

// Contact returns the CalendarHero contact with an id. If CalendarHero does not find the
// id, Milepost searches for the contact by name, because a server may support only the
// search (calendarhero.md §5.6).
func (s *Session) Contact(ctx context.Context, id, name string) (calendarhero.Contact, error) {
	have, missing := s.CalendarHero.Contact(ctx, id)
	if clients.ReasonOf(missing) != clients.NotFound || name == "" {
		return have, missing
	}
	found, err := s.CalendarHero.SearchContacts(ctx, name)
	if err != nil {
		return calendarhero.Contact{}, err
	}
	if i := slices.IndexFunc(found, func(c calendarhero.Contact) bool { return c.ID == id }); i >= 0 {
		return found[i], nil
	}
	return calendarhero.Contact{}, missing
}

// FindContact returns the CalendarHero contact with an id. Otherwise it returns one with
// one of the e-mail addresses, or the zero Contact.
func (s *Session) FindContact(ctx context.Context, id string, emails []string) (other calendarhero.Contact, err error) {
	for _, email := range emails {
		found, err := s.CalendarHero.SearchContacts(ctx, email)
		if err != nil {
			return calendarhero.Contact{}, err
		}
		for _, c := range found { // the search also finds similar ones
			switch {
			case id != "" && c.ID == id:
				return c, nil
			case other.ID == "" && slices.ContainsFunc(c.Emails, func(e string) bool { return strings.EqualFold(e, email) }):
				other = c
			}
		}
		if other.ID != "" {
			return other, nil
		}
	}
	return other, nil
}
