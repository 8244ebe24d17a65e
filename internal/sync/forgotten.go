package sync

import (
	"context"

	"milepost/internal/account"
	"milepost/internal/meeting"
	"milepost/internal/store"
	"milepost/mapping"
)

// dropped returns why nothing of the entity may exist, whatever its record says; "" if the
// record decides. A person asked to forget its contact. Or the contact of a workflow record,
// or of a meeting that people made, was deleted.
func (s *entitySync) dropped(ctx context.Context) (why string, err error) {
	contact := store.Entity{LocationID: s.entity.LocationID, Kind: string(mapping.KindContact), ID: s.contactID}
	if contact.ID == "" {
		return "", nil
	}
	e, _, err := s.store.Erasure(ctx, contact.LocationID, contact.ID)
	switch {
	case err != nil:
		return "", err
	case e.OnRequest:
		if s.entity.Kind != string(mapping.KindMeeting) {
			s.erase = contact.ID // what came of it since
		}
		return "the contact was forgotten on request; to sync it again, run `milepost forget --undo`", nil
	case s.entity.Kind != store.KindWorkflow && s.entity.Kind != string(mapping.KindMeeting):
		return "", nil
	}
	state, err := s.store.EntityState(ctx, contact)
	if err == nil && state.Fingerprint == store.FingerprintGone {
		why = "the contact was deleted in HighLevel"
	}
	return why, err
}

// eraseMeeting erases what Milepost stored of a meeting whose contact is erased, and of its
// later webhooks. While CalendarHero shows the meeting, Milepost keeps its id without
// personal data, or the poll would queue it again and again.
func (s *entitySync) eraseMeeting(ctx context.Context) error {
	events, err := s.store.EventsOwed(ctx, s.entity)
	if err != nil {
		return err
	}
	if len(events) > 0 {
		s.erase = s.contactID
	}
	open, err := s.conn.OpenRequests(ctx, s.began.Add(-account.ListsFresh))
	if err != nil {
		return err
	}
	if err := s.store.ForgetMeeting(ctx, s.entity.LocationID, s.entity.ID); err != nil {
		return err
	}
	listed, ok := open[s.entity.ID]
	if !ok {
		return nil
	}
	return s.store.SaveMeetings(ctx, []store.Meeting{meeting.AsFound(s.entity.LocationID, listed, s.now())}, nil)
}
