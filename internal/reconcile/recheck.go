package reconcile

import (
	"context"
	"fmt"
	"time"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/jobs"
	"milepost/internal/store"
	"milepost/mapping"
)

const (
	recheckEvery = 24 * time.Hour
	// recheckDaily bounds what the recheck costs: 2 % of HighLevel's 200,000 calls a
	// day. A location with more contacts is rechecked in as many days.
	recheckDaily = 4000
)

// recheck checks some of the contacts that have items, each once a day, for what
// the searches do not show. A contact that was deleted is in none of them, and a
// note leaves the dateUpdated of its contact as it is. It goes on where the sweep
// before stopped, and checks as many as the time since then asks for.
func (s *sweep) recheck(ctx context.Context, _ place) error {
	at, err := s.store.Reconciliation(ctx, recheckOf(s.at.LocationID))
	if err != nil {
		return err
	}
	if s.at.Name != s.at.LocationID {
		return s.next(ctx, place{}, nil) // a backfill
	}
	total, err := s.store.CountContactsWithItems(ctx, s.at.LocationID)
	if err != nil {
		return err
	}
	// at.StartedAt is up to when the recheck has come. Each contact moves it on by its
	// part of a day, so an interrupted recheck has the less to do.
	now := s.now()
	if at.StartedAt.IsZero() || at.StartedAt.After(now) {
		at.StartedAt = now // there is no time since then; or the clock was put back
	}
	at.LocationID, at.StartedAt = s.at.LocationID, latest(at.StartedAt, now.Add(-recheckEvery))
	each := recheckEvery / time.Duration(max(1, min(total, recheckDaily)))
	due := min(total, int(now.Sub(at.StartedAt)/each))
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
		found, err := s.checkContact(ctx, id)
		if err != nil {
			return err
		}
		if err := s.next(ctx, place{Phase: phaseRecheck, After: quoted(id)}, found); err != nil {
			return err
		}
		at.Place, at.StartedAt = id, at.StartedAt.Add(each)
		if err := s.saveRecheck(ctx, at); err != nil {
			return err
		}
	}
	if total == 0 {
		at.StartedAt = now // there was nothing to look at
	}
	if err := s.saveRecheck(ctx, at); err != nil {
		return err
	}
	return s.next(ctx, place{}, nil)
}

func (s *sweep) saveRecheck(ctx context.Context, at store.Reconciliation) error {
	ctx, cancel := jobs.Detached(ctx)
	defer cancel()
	return s.store.SaveReconciliation(ctx, at, nil)
}

// recheckOf is the name under which it is noted how far the recheck of a location is.
func recheckOf(locationID string) string { return locationID + "/walk" }

// checkContact finds what differs of a contact's notes and appointments, or all of the contact where
// it is no longer there.
func (s *sweep) checkContact(ctx context.Context, contactID string) ([]store.Found, error) {
	var found []store.Found
	var err error
	if s.automations.Follows(mapping.KindNote) || s.automations.Follows(mapping.KindAppointment) {
		found, err = s.changedRecords(ctx, contactID)
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
