package sync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/internal/tracing"
	"milepost/mapping"
)

// If a record is gone and no event says that it was deleted, Milepost removes its items
// only if three things hold besides the vendor's answer and a second look (confirm.go):
// the vendor answers for the location at the same moment, it shows other records of the
// location, and no more than a few records vanish at once, or a person agreed
// (store/removals.go).

const highLevelAPI = "HighLevel"

// missing reports whether a failure to read the record means that it is gone. An answer
// that names no record counts only together with a delete event, and only while HighLevel
// answers for the location.
func (s *entitySync) missing(ctx context.Context, state store.EntityState, err error) bool {
	failed, ok := errors.AsType[*clients.Error](err)
	switch {
	case !ok:
		return false
	case failed.Reason == clients.NotFound:
		return true
	case !state.DeleteAsked():
		return false
	case highlevel.Disowned(err, state.ID):
		return true
	}
	return failed.API == highLevelAPI && failed.Foreign && failed.Status == http.StatusNotFound && failed.Subject == state.ID &&
		s.locationAnswers(ctx) == nil
}

// isKnown reports whether Milepost may have created something for a record.
func (s *entitySync) isKnown(state store.EntityState) bool {
	return !neverRead(state) || len(s.links) > 0
}

// noteUnconfirmed stores the first looks that did not find a known record. So Milepost
// knows how many vanish at once before it believes the first of them.
func (s *entitySync) noteUnconfirmed(ctx context.Context, state store.EntityState) error {
	if state.DeleteAsked() || !s.isKnown(state) {
		return nil
	}
	if explained, err := s.contactGone(ctx); explained || err != nil {
		return err
	}
	_, err := s.store.MarkUnconfirmed(ctx, s.entity, whose(state), s.now())
	return err
}

// confirmGone returns nil once the record counts as deleted.
func (s *entitySync) confirmGone(ctx context.Context, state store.EntityState) error {
	explained, err := s.contactGone(ctx)
	switch {
	case err != nil:
		return err
	case !s.isKnown(state), state.Fingerprint == store.FingerprintGone:
		return nil
	case state.DeleteAsked(), explained:
		return s.confirmed(ctx, whose(state))
	}
	since := state.GoneAt
	if since.IsZero() {
		since = s.now()
	}
	return s.vanished(ctx, whose(state), since)
}

// contactGone reports whether Milepost knows that the contact of the record is deleted,
// which explains why the record is gone.
func (s *entitySync) contactGone(ctx context.Context) (bool, error) {
	if s.contactID == "" || s.entity.Kind == string(mapping.KindContact) || s.entity.Kind == store.KindCalendarContact {
		return false, nil
	}
	contact, err := s.store.EntityState(ctx, store.Entity{LocationID: s.entity.LocationID, Kind: string(mapping.KindContact), ID: s.contactID})
	return contact.Fingerprint == store.FingerprintGone, err
}

// vanished returns nil once Milepost may believe that the record, which the vendor has not
// shown since a time, was deleted there.
func (s *entitySync) vanished(ctx context.Context, vendor string, since time.Time) error {
	err := s.conn.Answers(ctx)
	if vendor == highLevelAPI {
		err = s.othersAreThere(ctx, since)
	}
	if err != nil {
		return err
	}
	d, err := s.store.DecideRemoval(ctx, s.entity, vendor, s.now())
	if err != nil || d.Remove {
		return err
	}
	if d.Begins {
		tracing.Log(ctx, s.logger).Warn().Str("location", s.entity.LocationID).Str("vendor", vendor).Int("records", d.Others+1).
			Msg("many records vanished without a delete event; Milepost removes nothing until you run `milepost removals allow`, or they exist again")
	}
	// Few are looked at again soon: what exists again is worked within a minute.
	often := max(outcome.LongestOutageWait, time.Duration(d.Others)*2*time.Second)
	return &outcome.Wait{For: min(often, outcome.LongestWait), Unconfirmed: since, Logged: true, Why: fmt.Sprintf(
		"%s no longer shows this record and %d others of the location, and no event says that they were deleted; Milepost removes nothing until somebody runs `milepost removals allow %s`, or the records exist again",
		vendor, d.Others, s.entity.LocationID)}
}

// confirmed stores that the record exists, which ends the checks.
func (s *entitySync) confirmed(ctx context.Context, vendor string) error {
	over, err := s.store.Settle(ctx, s.entity, vendor)
	if over {
		tracing.Log(ctx, s.logger).Info().Str("location", s.entity.LocationID).Str("vendor", vendor).Msg("vanished records exist again; no removal waits")
	}
	return err
}

// whenAllElseIsGone are the times after which Milepost believes that a record is gone even
// if it finds no other contact of the location either.
func whenAllElseIsGone() []time.Duration {
	return []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute}
}

// othersAreThere returns nil if HighLevel answers for the location now: it shows another
// known contact, or at least the location.
func (s *entitySync) othersAreThere(ctx context.Context, since time.Time) error {
	ids, err := s.store.ContactsBeside(ctx, s.entity.LocationID, s.contactID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		other, err := s.followUpClient.Contact(ctx, id)
		if err == nil && other.ID == id {
			return nil
		}
		if clients.ReasonOf(err) != clients.NotFound {
			return outcome.NonRecord(err)
		}
	}
	if err := s.locationAnswers(ctx); err != nil {
		return err
	}
	if len(ids) == 0 {
		return nil
	}
	if next, more := outcome.NextCheck(s.now().Sub(since), whenAllElseIsGone()...); more {
		return &outcome.Wait{For: next, Unconfirmed: since, Why: "HighLevel finds no other contact of the location either; Milepost checks again before it removes anything"}
	}
	return nil
}

// locationAnswers returns nil if HighLevel answers for the location now. A token
// that may not read the location must find contacts.
func (s *entitySync) locationAnswers(ctx context.Context) error {
	_, err := s.followUpClient.Location(ctx, s.entity.LocationID)
	if clients.ReasonOf(err) == clients.Forbidden {
		rows, _, err := s.followUpClient.SearchContacts(ctx, highlevel.ContactSearch{LocationID: s.entity.LocationID, PageLimit: 1, Page: 1})
		if err == nil && len(rows) == 0 {
			err = &clients.Error{API: highLevelAPI, Operation: "search contacts", Reason: clients.Unavailable, Message: "the location shows no contact"}
		}
		return outcome.NonRecord(err)
	}
	return outcome.NonRecord(err)
}

// contactVanished returns nil once Milepost may believe that a person deleted the contact
// of a live link in CalendarHero. No search by its id, name or addresses finds it.
func (s *entitySync) contactVanished(ctx context.Context) error {
	since, err := s.store.MarkUnconfirmed(ctx, s.entity, calendarhero.API, s.now())
	if err != nil {
		return err
	}
	if next, more := outcome.NextCheck(s.now().Sub(since), time.Minute); more {
		return &outcome.Wait{For: next, Why: "CalendarHero does not find the contact; Milepost checks once more in a minute"}
	}
	err = s.vanished(ctx, calendarhero.API, since)
	if w, ok := errors.AsType[*outcome.Wait](err); ok {
		w.Unconfirmed = time.Time{} // that is of the HighLevel record
	}
	return err
}

// refusal returns a failure unchanged if it says something about the record. A vendor that
// rejects one call must accept another at the same moment. A gateway in its place may
// reject everything, in the vendor's own form. Then refusal returns that as an outage, and
// Milepost retries the sync.
func (s *entitySync) refusal(ctx context.Context, err error) error {
	failed, ok := errors.AsType[*clients.Error](err)
	if !ok || failed.Reason != clients.Invalid || failed.Status == 0 {
		return err
	}
	other := s.conn.Answers
	if failed.API == highLevelAPI {
		other = s.locationAnswers
	}
	everything := other(ctx)
	if everything == nil {
		return err
	}
	if refused, ok := errors.AsType[*clients.Error](everything); ok && refused.Reason == clients.Invalid {
		own := *refused
		own.Reason, own.Foreign = clients.Unavailable, true
		return &own
	}
	return everything
}
