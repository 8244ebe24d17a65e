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
	// recheckDaily bounds the cost of the recheck: 2 % of HighLevel's 200,000 calls a day. A
	// location with more contacts takes more days.
	recheckDaily = 4000
)

// recheck checks some of the contacts that have items, each once a day, for changes that no
// search shows. No search shows a deleted contact, and a note does not change the
// dateUpdated of its contact. It continues where the last sweep stopped, and checks as many
// as the time since then requires.
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
	// at.StartedAt is the time up to which the recheck is done. Each contact advances it by its
	// part of a day, so after an interruption less is left to do.
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

// recheckOf names the stored progress of a location's recheck.
func recheckOf(locationID string) string { return locationID + "/walk" }

// checkContact finds the notes and appointments of a contact that differ, or all of its
// records if the contact is gone.
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
