package reconcile

import (
	"context"
	"time"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/facts"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

const (
	// mostCalendars bounds what the look at calendars costs: a call for each. A location
	// with more has them looked at in turn, by one sweep after the other.
	mostCalendars = 10
	// calendarsBack and calendarsAhead are how far the look goes.
	calendarsBack  = 24 * time.Hour
	calendarsAhead = 366 * 24 * time.Hour
)

// calendars looks at the appointments of one calendar that are to come. A new one whose
// webhook was lost is found nowhere else: it leaves the dateUpdated of its contact as it
// is.
func (s *sweep) calendars(ctx context.Context, p place) error {
	over := place{Phase: phaseRecheck}
	if !s.automations.Follows(mapping.KindAppointment) {
		return s.next(ctx, over, nil)
	}
	list, err := s.session.Calendars(ctx)
	if err != nil {
		return outcome.NonRecord(err)
	}
	due, rounds := s.turn(list)
	if p.Skip >= len(due) {
		return s.next(ctx, over, nil)
	}
	s.at.Calls++
	var events []highlevel.Appointment
	err = s.call(ctx, func(hl *highlevel.Client) (err error) {
		events, err = hl.CalendarEvents(ctx, s.at.LocationID, due[p.Skip].ID, s.at.StartedAt.Add(-calendarsBack), s.at.StartedAt.Add(calendarsAhead))
		return err
	})
	switch clients.ReasonOf(err) {
	case clients.Forbidden: // the token may not read them; `milepost check` says so
		return s.next(ctx, over, nil)
	case clients.NotFound, clients.Invalid: // the calendar was deleted meanwhile
		err = nil
	}
	if err != nil {
		return err
	}
	found, err := s.changedEvents(ctx, events, 2*time.Duration(rounds-1)*s.every)
	if err != nil {
		return err
	}
	return s.next(ctx, place{Phase: phaseCalendars, Skip: p.Skip + 1}, found)
}

// turn returns the calendars that this sweep looks at, and how many sweeps it takes to
// look at all.
func (s *sweep) turn(list []highlevel.Calendar) (due []highlevel.Calendar, rounds int) {
	rounds = max(1, (len(list)+mostCalendars-1)/mostCalendars)
	if s.at.Name != s.at.LocationID || s.every <= 0 { // a backfill
		return list, 1
	}
	first := int(s.at.StartedAt.UnixNano()/int64(s.every)%int64(rounds)) * mostCalendars
	return list[first:min(first+mostCalendars, len(list))], rounds
}

// changedEvents finds the appointments that differ from what was last seen. Those that
// are not known and did not change since the last look at their calendar, earlier than
// the sweep's beginning, were there before.
func (s *sweep) changedEvents(ctx context.Context, events []highlevel.Appointment, earlier time.Duration) (found []store.Found, err error) {
	ids := make([]string, len(events))
	for i, a := range events {
		ids[i] = a.ID
	}
	seen, err := s.store.LastSeen(ctx, s.at.LocationID, string(mapping.KindAppointment), ids)
	if err != nil {
		return nil, err
	}
	location, _, err := s.session.Location(ctx)
	if err != nil {
		return nil, outcome.NonRecord(err)
	}
	for _, a := range events {
		known, mark := seen[a.ID], facts.AppointmentMark(a, location.Zone)
		read := known.Fingerprint != "" && known.Fingerprint != store.FingerprintGone
		changed := facts.Appointment(a, "", location.Zone).Added
		switch {
		case a.ContactID == "":
			continue
		case read && (known.Mark == mark || known.Swept == mark): // a row may differ from its record for ever
			continue
		case !read && s.at.Name == s.at.LocationID && !changed.IsZero() && changed.Before(s.at.Since.Add(-earlier)):
			continue
		}
		found = append(found, store.Found{Entity: s.entity(mapping.KindAppointment, a.ID), ContactID: a.ContactID, Swept: mark, Differs: true})
	}
	return found, nil
}

// changedAppointments finds the appointments of a contact that differ from what was
// last seen.
func (s *sweep) changedAppointments(ctx context.Context, contactID string) (found []store.Found, err error) {
	if !s.automations.Follows(mapping.KindAppointment) {
		return nil, nil
	}
	s.at.Calls++
	var list []highlevel.Appointment
	err = s.call(ctx, func(hl *highlevel.Client) (err error) {
		list, err = hl.Appointments(ctx, contactID)
		return err
	})
	if err != nil {
		return nil, err
	}
	seen, err := s.store.LastSeenOf(ctx, s.at.LocationID, contactID, string(mapping.KindAppointment))
	if err != nil {
		return nil, err
	}
	location, _, err := s.session.Location(ctx)
	if err != nil {
		return nil, outcome.NonRecord(err)
	}
	for _, a := range list {
		// Both lists show the same fields, one of them with local times.
		if seen[a.ID].Mark != facts.AppointmentMark(a, location.Zone) {
			found = append(found, store.Found{Entity: s.entity(mapping.KindAppointment, a.ID), ContactID: contactID, Differs: true})
		}
		delete(seen, a.ID)
	}
	for id := range seen { // no longer there
		found = append(found, store.Found{Entity: s.entity(mapping.KindAppointment, id), ContactID: contactID, Differs: true})
	}
	return found, nil
}
