package reconcile

import (
	"context"
	"encoding/json"
	"time"

	"milepost/clients/highlevel"
	"milepost/internal/store"
	"milepost/mapping"
)

// opportunities reads all opportunities of the location, because no search shows only the
// changed ones. Each has its own time of change. Unknown ones that did not change since the
// sweep began existed before, and are left to a backfill.
func (s *sweep) opportunities(ctx context.Context, p place) error {
	if !s.automations.Follows(mapping.KindOpportunity) {
		return s.next(ctx, place{Phase: phaseCalendars}, nil)
	}
	search := highlevel.OpportunitySearch{Status: "all", Limit: sweepPage}
	if p.After != nil {
		if err := json.Unmarshal(p.After, &search.After); err != nil {
			return err
		}
	}
	s.at.Calls++
	var page []highlevel.Opportunity
	var after highlevel.Cursor
	err := s.call(ctx, func(hl *highlevel.Client) (err error) {
		page, after, err = hl.SearchOpportunities(ctx, s.at.LocationID, search)
		return err
	})
	if err != nil {
		return err
	}
	ids := make([]string, len(page))
	for i, o := range page {
		ids[i] = o.ID
	}
	seen, err := s.store.LastSeen(ctx, s.at.LocationID, string(mapping.KindOpportunity), ids)
	if err != nil {
		return err
	}
	backfill := s.at.Name != s.at.LocationID
	var found []store.Found
	for _, o := range page {
		known := seen[o.ID]
		f := store.Found{Entity: s.entity(mapping.KindOpportunity, o.ID), ContactID: o.ContactID, Open: true}
		read := known.Fingerprint != "" && known.Fingerprint != store.FingerprintGone
		changed, err := time.Parse(time.RFC3339, o.UpdatedAt)
		switch {
		case read:
			f.Differs = known.Mark != o.UpdatedAt
		default:
			f.Differs = backfill || err != nil || !changed.Before(s.at.Since)
		}
		found = append(found, f)
	}
	if after == (highlevel.Cursor{}) || len(page) == 0 || after == search.After {
		return s.next(ctx, place{Phase: phaseLost}, found)
	}
	at, err := json.Marshal(after)
	if err != nil {
		return err
	}
	return s.next(ctx, place{Phase: phaseOpportunities, After: at}, found)
}

// lost queues the opportunities that were read before and that the search no longer shows.
func (s *sweep) lost(ctx context.Context, p place) error {
	var after string
	if p.After != nil {
		if err := json.Unmarshal(p.After, &after); err != nil {
			return err
		}
	}
	ids, err := s.store.MissingOpportunities(ctx, s.at.LocationID, s.at.StartedAt, latest(s.at.StartedAt, s.now()), after, sweepPage)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return s.next(ctx, place{Phase: phaseCalendars}, nil)
	}
	found := make([]store.Found, len(ids))
	for i, id := range ids {
		found[i] = store.Found{Entity: s.entity(mapping.KindOpportunity, id), Differs: true}
	}
	return s.next(ctx, place{Phase: phaseLost, After: quoted(ids[len(ids)-1])}, found)
}

// changedRecords finds the notes and appointments of a contact that differ.
func (s *sweep) changedRecords(ctx context.Context, contactID string) ([]store.Found, error) {
	notes, err := s.changedNotes(ctx, contactID)
	if err != nil {
		return nil, err
	}
	appointments, err := s.changedAppointments(ctx, contactID)
	return append(notes, appointments...), err
}
