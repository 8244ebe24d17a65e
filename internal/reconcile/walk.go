package reconcile

import (
	"context"
	"fmt"
	"time"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/store"
	"milepost/mapping"
)

const (
	walkLength = 24 * time.Hour
	// walkDaily bounds what the walk costs: 2 % of HighLevel's 200,000 calls a
	// day. A location with more contacts is walked in as many days.
	walkDaily = 4000
)

// walk looks at some of the contacts that have items, each once a day: at what
// the searches do not show. A contact that was deleted is in none of them, and a
// note leaves the dateUpdated of its contact as it is. It goes on where the sweep
// before stopped, and looks at as many as the time since then asks for.
func (s *sweep) walk(ctx context.Context, _ place) error {
	at, err := s.store.Reconciliation(ctx, walkOf(s.at.LocationID))
	if err != nil {
		return err
	}
	began := s.now()
	if s.at.Name != s.at.LocationID || at.StartedAt.IsZero() {
		return s.walked(ctx, at, began) // a backfill; or there is no time since then
	}
	total, err := s.store.CountContactsWithItems(ctx, s.at.LocationID)
	if err != nil {
		return err
	}
	due := int(float64(min(total, walkDaily)) * float64(min(began.Sub(at.StartedAt), walkLength)) / float64(walkLength))
	if due == 0 {
		return s.next(ctx, place{}, nil) // it adds up
	}
	ids, err := s.store.ContactsWithItems(ctx, s.at.LocationID, at.Place, due)
	if err != nil {
		return err
	}
	if len(ids) < due { // and on from the beginning
		first, err := s.store.ContactsWithItems(ctx, s.at.LocationID, "", due-len(ids))
		if err != nil {
			return err
		}
		ids = append(ids, first...)
	}
	for _, id := range ids {
		found, err := s.lookAt(ctx, id)
		if err != nil {
			return err
		}
		at.Place = id
		for _, f := range found {
			if f.Differs {
				s.at.Touched++
			}
		}
		if err := s.store.SaveReconciliation(ctx, at, found); err != nil {
			return err
		}
	}
	return s.walked(ctx, at, began)
}

// walked notes since when the next part of the walk adds up, and ends the sweep.
func (s *sweep) walked(ctx context.Context, at store.Reconciliation, began time.Time) error {
	if s.at.Name == s.at.LocationID {
		at.LocationID, at.StartedAt = s.at.LocationID, began
		if err := s.store.SaveReconciliation(ctx, at, nil); err != nil {
			return err
		}
	}
	return s.next(ctx, place{}, nil)
}

// walkOf is the name under which it is noted how far the walk of a location is.
func walkOf(locationID string) string { return locationID + "/walk" }

// lookAt finds what differs of a contact's notes, or all of the contact where
// it is no longer there.
func (s *sweep) lookAt(ctx context.Context, contactID string) ([]store.Found, error) {
	var found []store.Found
	var err error
	if s.automations.Needs(mapping.KindNote).Any {
		found, err = s.changedNotes(ctx, contactID)
	} else {
		s.at.Calls++
		err = s.call(ctx, func(hl *highlevel.Client) error {
			_, err := hl.Contact(ctx, contactID)
			return err
		})
	}
	if clients.ReasonOf(err) != clients.NotFound {
		return found, err
	}
	all, err := s.store.EntitiesOf(ctx, s.at.LocationID, contactID)
	if err != nil {
		return nil, fmt.Errorf("contact %s is gone: %w", contactID, err)
	}
	for _, e := range append(all, s.entity(mapping.KindContact, contactID)) {
		found = append(found, store.Found{Entity: e, ContactID: contactID, Differs: true})
	}
	return found, nil
}
