package reconcile

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/connection"
	"milepost/internal/meeting"
	"milepost/internal/store"
	"milepost/mapping"
)

// eraseWait is how often a contact's erasure looks whether its items are gone:
// what is erased before would be written again by their removal.
const (
	eraseWait    = 5 * time.Second
	eraseMaxWait = 15 * time.Minute
)

// eraseJob erases what is stored of a deleted or forgotten contact, once all
// that was made for it is removed.
func (r *Reconciler) eraseJob(ctx context.Context, job *river.Job[store.EraseArgs]) error {
	location, contact := job.Args.LocationID, job.Args.ContactID
	asked, ok, err := r.store.Erasure(ctx, location, contact)
	if err != nil || !ok {
		return err // let be synced again meanwhile
	}
	owed, err := r.store.Owed(ctx, location, contact)
	if err != nil {
		return err
	}
	if owed > 0 {
		// A tenth of how long it has waited: soon at first, and seldom where a vendor is away.
		return r.snooze(min(max(eraseWait, r.now().Sub(asked.AskedAt)/10), eraseMaxWait))
	}
	if !r.scrubber.known(asked) {
		standing, err := r.standing(ctx, asked)
		if err != nil {
			return err
		}
		ids, err := r.store.DeliveriesOf(ctx, location, contact)
		if err != nil {
			return err
		}
		payloads, err := r.eraseBodies(ctx, location, contact, ids)
		if err != nil {
			return err
		}
		if err := r.store.Erase(ctx, asked, payloads, standing, r.now()); err != nil {
			return err
		}
		r.scrubber.add(asked)
	}
	// Not erased before its bytes are gone from the files.
	if !r.scrubber.done(ctx, asked) {
		return r.snooze(eraseWait)
	}
	done, again, err := r.store.Erased(ctx, job, asked, r.now())
	if err != nil {
		return err
	}
	r.scrubber.drop(asked)
	if again {
		return r.snooze(eraseWait)
	}
	r.logger.Info().Str("location", location).Str("id", contact).Bool("on_request", done.OnRequest).
		Int64("payloads", done.Payloads).Int64("timeline", done.Entries).Int64("items", done.Items).Int64("objects", done.Objects).
		Msg("contact data erased")
	return nil
}

// standing says why objects of a contact without anything owed still stand in
// CalendarHero; "" where none do. Those of a forgotten one were skipped while its
// location was not connected; once it is, they are asked for again.
func (r *Reconciler) standing(ctx context.Context, e store.Erasure) (why string, err error) {
	n, err := r.store.Standing(ctx, e.LocationID, e.ContactID)
	if err != nil || n == 0 || !e.OnRequest {
		return "", err
	}
	_, err = r.session(ctx, e.LocationID)
	if absent, ok := errors.AsType[*connection.Absent](err); ok {
		return absent.Why, nil
	} else if err != nil {
		return "", err
	}
	contact := store.Entity{LocationID: e.LocationID, Kind: string(mapping.KindContact), ID: e.ContactID}
	if err := r.store.Touch(ctx, []store.Entity{contact}, true); err != nil {
		return "", err
	}
	return "", r.snooze(eraseWait)
}

// dropped says why nothing of the entity is to exist, whatever its record says;
// "" where that is for the record to say. A person asked for its contact to be
// forgotten; or, of what a workflow said and of a
// meeting that people made, the contact was deleted.
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

// eraseMeeting drops what is known of a meeting whose contact is erased, and what
// a webhook said of it since. While CalendarHero shows it, it stays known that it is
// there, and nothing personal: the poll would ask for it again and again.
func (s *entitySync) eraseMeeting(ctx context.Context) error {
	events, err := s.store.EventsOwed(ctx, s.entity)
	if err != nil {
		return err
	}
	if len(events) > 0 {
		s.erase = s.contactID
	}
	open, err := s.conn.board.look(ctx, s.conn.CalendarHero, s.began.Add(-pollFresh), s.now())
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
