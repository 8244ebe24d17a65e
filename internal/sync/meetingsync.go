package sync

import (
	"context"
	"slices"
	"strings"
	"time"

	"milepost/clients/calendarhero"
	"milepost/internal/account"
	"milepost/internal/fingerprint"
	"milepost/internal/meeting"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

// A meeting request changes because Milepost writes it (request.go), and because people act
// on it in CalendarHero. This is the sync for the second case. It reads CalendarHero's
// lists when a webhook or the poll reports a change. docs/meetings.md has the states.

// meetingSync is the sync of a meeting request under way.
type meetingSync struct {
	*entitySync
	state  *store.EntityState
	events []string                  // that no sync has handled
	open   map[string]meeting.Listed // by id
	listed meeting.Listed            // the request, if isListed
	links  []store.Link              // with the id or the marker of the request
	link   store.Link                // that has the request; zero = people made it, or it is not known who
	m      store.Meeting             // as it is known

	isListed    bool
	isKnown     bool
	closedShown bool // the list of closed requests was read, and shows some
}

// verdict says how the sync of a meeting continues after a step.
type verdict int

const (
	goOn     verdict = iota
	settled          // nothing is left to do
	byPeople         // people made the meeting, and automations may act on it
)

// syncMeeting brings the stored meeting in step with CalendarHero. If Milepost made the
// request, the sync of its owner (the record it was made for) acts on the change. If
// people made it, isForeign is true, and m is the meeting as it is now.
func (s *entitySync) syncMeeting(ctx context.Context, state *store.EntityState) (m store.Meeting, isForeign bool, err error) {
	ms := &meetingSync{entitySync: s, state: state}
	for _, step := range []func(context.Context) (verdict, error){
		ms.readEvents, ms.readOpen, ms.findLink, ms.readKnown, ms.readClosed, ms.leaveToReplacement, ms.leaveToOwner, ms.leaveStranger, ms.observe,
	} {
		if v, err := step(ctx); v != goOn || err != nil {
			if v == settled && ms.ours() && ms.outcome() == store.Unchanged && ms.detail() == "" {
				ms.notes = append(ms.notes, "Milepost made this request; the sync of its record acts on what changed in it")
			}
			return ms.m, v == byPeople, err
		}
	}
	return ms.m, false, nil
}

// readEvents reads the events of the webhooks. If they only say that Milepost created the
// request, there is nothing to read.
func (s *meetingSync) readEvents(ctx context.Context) (_ verdict, err error) {
	if s.events, err = s.store.EventsOwed(ctx, s.entity); err != nil {
		return goOn, err
	}
	if len(s.events) == 1 && s.events[0] == string(mapping.NewMeetingRequest) {
		if ours, err := s.justMade(ctx); ours || err != nil {
			if err == nil {
				s.notes = append(s.notes, "Milepost has just created this request itself")
			}
			return settled, err
		}
	}
	return goOn, nil
}

// justMade reports whether Milepost itself has just created the request, so that there is
// nothing to read. The event may arrive before the create is stored, so the sync waits a
// moment for that.
func (s *meetingSync) justMade(ctx context.Context) (bool, error) {
	links, err := s.store.LinksOfRequest(ctx, s.entity.ID, "")
	if err != nil {
		return false, err
	}
	for _, l := range links {
		known, err := s.store.Meetings(ctx, l.Entity.LocationID, s.entity.ID)
		if len(known) > 0 || err != nil {
			return true, err
		}
	}
	if s.state.GoneAt.IsZero() {
		return false, &outcome.Wait{For: 2 * time.Second, Why: "Milepost may be creating this request", Logged: true, Unconfirmed: s.now()}
	}
	return false, nil
}

// readOpen reads the open lists, and the links of the request.
func (s *meetingSync) readOpen(ctx context.Context) (_ verdict, err error) {
	since := s.began
	if len(s.events) == 0 { // the poll has just read them
		since = since.Add(-account.ListsFresh)
	}
	if s.open, err = s.conn.OpenRequests(ctx, since); err != nil {
		return goOn, err
	}
	s.listed, s.isListed = s.open[s.entity.ID]
	s.links, err = s.store.LinksOfRequest(ctx, s.entity.ID, meeting.MarkerIn(s.listed.Title))
	return goOn, err
}

// findLink finds the link that has the request. The sync of its record is queued.
func (s *meetingSync) findLink(ctx context.Context) (verdict, error) {
	for _, l := range s.links {
		if l.State.Uncertain() { // the worker that created it is about to note its id, or its record waits
			next := max(2*time.Second, s.now().Sub(l.AttemptedAt)/4)
			if l.AttemptedAt.After(s.now()) { // by a clock that was put back
				next = outcome.LongestOutageWait
			}
			return settled, &outcome.Wait{For: next, Why: "Milepost is creating the meeting request"}
		}
		if l.ObjectID == s.entity.ID && l.State != store.LinkGone {
			s.link = l
			s.requeue, s.contactID = append(s.requeue, l.Entity), s.contactOf(ctx, l.Entity)
		}
	}
	return goOn, nil
}

// ours reports whether Milepost made the request, and has it.
func (s *meetingSync) ours() bool { return s.link.ObjectID != "" }

// verdict is settled if Milepost made the request, else byPeople.
func (s *meetingSync) verdict() verdict {
	if s.ours() {
		return settled
	}
	return byPeople
}

// readKnown reads the stored meeting. If it ended and no list shows it, nothing more can
// happen to it.
func (s *meetingSync) readKnown(ctx context.Context) (verdict, error) {
	location := s.entity.LocationID
	if s.ours() {
		location = s.link.Entity.LocationID
	}
	known, err := s.store.Meetings(ctx, location, s.entity.ID)
	if err != nil {
		return goOn, err
	}
	s.m, s.isKnown = known[s.entity.ID]
	s.m.LocationID, s.m.ID = location, s.entity.ID
	if s.contactID != "" {
		s.m.ContactID = s.contactID
	}
	if s.ours() && s.m.Title == "" { // a crash came before it was noted
		s.m.Title, s.m.Start, s.m.End = meeting.Marked(s.link.Title, s.link.Marker), s.link.Start, s.link.End
	}
	if s.isListed || !mapping.MeetingState(s.m.State).Ended() {
		return goOn, nil
	}
	s.requeue = nil
	if meeting.MarkerIn(s.m.Title) != "" {
		return settled, nil
	}
	return s.verdict(), nil
}

// readClosed searches the list of closed requests for a known one. It skips this if an event
// says how the meeting ended, because that list only grows.
func (s *meetingSync) readClosed(ctx context.Context) (verdict, error) {
	if s.isListed || !s.isKnown && !s.ours() || meeting.EndedBy(s.events) {
		return goOn, nil
	}
	closed, err := s.conn.ClosedRequests(ctx, s.began)
	s.listed, s.isListed = closed[s.entity.ID]
	s.closedShown = len(closed) > 0
	return goOn, err
}

// leaveToReplacement leaves a closed request to its record, if a later request replaced it
// and the database does not know that one. The record adopts it.
func (s *meetingSync) leaveToReplacement(ctx context.Context) (verdict, error) {
	if !s.ours() || s.isListed && s.listed.Open() {
		return goOn, nil
	}
	later, err := s.conn.UnlinkedRequests(ctx, s.pastLook(), s.link.Entity, s.link.Item, s.link.Generation)
	if err == nil && len(later) > 0 && later[len(later)-1].Generation > s.link.Generation {
		return settled, nil
	}
	return goOn, err
}

// leaveToOwner leaves an unknown request to the record that it was made for. That record
// adopts or removes it.
func (s *meetingSync) leaveToOwner(ctx context.Context) (verdict, error) {
	marker := meeting.MarkerIn(s.listed.Title)
	if s.ours() || marker == "" {
		return goOn, nil
	}
	owner, known, err := s.conn.OwnerOf(ctx, s.pastLook(), marker)
	if err != nil || !known {
		return goOn, err
	}
	state, err := s.store.EntityState(ctx, owner)
	switch {
	case err != nil:
		return goOn, err
	case owner.Kind == string(mapping.KindTask) && state.Fingerprint == store.FingerprintGone:
		return settled, s.keepStranger(ctx) // until a sweep finds the task, or an event says that it was deleted
	}
	s.requeue, s.contactID = append(s.requeue, owner), s.contactOf(ctx, owner)
	return settled, nil
}

// leaveStranger leaves a request that looks like one of Milepost's. Milepost may have
// replaced or removed it, and stored that. Or a person wrote something that looks like a
// marker.
func (s *meetingSync) leaveStranger(ctx context.Context) (verdict, error) {
	switch {
	case !s.ours() && meeting.MarkerIn(s.listed.Title+s.m.Title) != "":
		if !s.isListed {
			return settled, s.store.ForgetMeeting(ctx, s.m.LocationID, s.m.ID)
		}
		return settled, s.keepStranger(ctx)
	case s.neverSeen() && len(s.events) == 0:
		if s.rehearser != nil {
			s.rehearser.now.Unknown = calendarhero.API
		}
		return settled, nil
	}
	return goOn, nil
}

// neverSeen reports whether nothing was ever seen of the request.
func (s *meetingSync) neverSeen() bool { return !s.isListed && !s.isKnown && !s.ours() }

// keepStranger stores a request that looks like one of Milepost's and belongs to no record,
// so that the next poll does not report it again.
func (s *meetingSync) keepStranger(ctx context.Context) error {
	m, _ := meeting.Observe(s.m, meeting.View{Listed: s.listed, IsListed: true}, s.now())
	m = meeting.Impersonal(m)
	m.Title = "[" + meeting.MarkerIn(s.listed.Title) + "]"
	return s.store.SaveMeetings(ctx, []store.Meeting{m}, nil)
}

// observe concludes from the lists and the events what happened to the meeting, and saves
// it once that is confirmed.
func (s *meetingSync) observe(ctx context.Context) (verdict, error) {
	next, unclear := meeting.Observe(s.m, meeting.View{Listed: s.listed, IsListed: s.isListed, Events: s.events, Links: s.links}, s.now())
	if next.State == string(mapping.MeetingCompleted) && !s.isListed && s.closedShown && !slices.Contains(s.events, string(mapping.MeetingOver)) {
		// The list of closed requests would show one that took place.
		next.State, next.Happened = string(mapping.MeetingGone), s.m.Happened
		next.Happened = meeting.Happened(next, s.now())
	}
	if unclear != nil {
		if err := s.confirm(ctx, next, unclear); err != nil {
			return goOn, err
		}
	} else if !s.state.GoneAt.IsZero() {
		if err := s.confirmed(ctx, calendarhero.API); err != nil {
			return goOn, err
		}
	}
	if s.neverSeen() {
		s.skipped = append(s.skipped, "no list of CalendarHero shows the meeting request")
		return settled, nil
	}
	return s.save(ctx, next)
}

// confirm returns nil once the lists may be believed although an event contradicts them, or
// although they no longer show what they showed before.
func (s *meetingSync) confirm(ctx context.Context, next store.Meeting, unclear error) error {
	badDay, err := s.showsNothing(ctx)
	if err != nil {
		return err
	}
	checks := []time.Duration{2 * time.Second, 10 * time.Second, time.Minute}
	switch {
	case s.neverSeen():
		checks = checks[:2]
	case !s.isListed && badDay:
		checks = account.WhenListsAreEmpty()
	}
	vanished := !s.isListed && !s.neverSeen() && next.State == string(mapping.MeetingGone)
	if wait := s.checkAgain(unclear, checks); wait != nil {
		if vanished {
			if _, err := s.store.MarkUnconfirmed(ctx, s.entity, calendarhero.API, s.now()); err != nil {
				return err
			}
		}
		return wait
	}
	if !vanished {
		return nil
	}
	since := s.state.GoneAt
	if s.m.MissingAt.After(since) {
		since = s.m.MissingAt
	}
	return s.vanished(ctx, calendarhero.API, since)
}

// checkAgain returns the wait for the next of several checks of the lists; nil after the
// last.
func (s *meetingSync) checkAgain(why error, checks []time.Duration) error {
	first := s.state.GoneAt
	if first.IsZero() || first.After(s.now()) {
		first = s.now()
	}
	next, more := outcome.NextCheck(s.now().Sub(first), checks...)
	if !more {
		return nil
	}
	return &outcome.Wait{For: next, Why: why.Error(), Unconfirmed: first}
}

// showsNothing reports whether the open lists show nothing at all, or none of several
// requests that were open. That is more likely a wrong answer than the end of all.
func (s *meetingSync) showsNothing(ctx context.Context) (bool, error) {
	if len(s.open) == 0 {
		return true, nil
	}
	known, err := s.store.OpenMeetings(ctx, s.entity.LocationID)
	if err != nil || len(known) < 2 {
		return false, err
	}
	return !slices.ContainsFunc(known, func(m store.Meeting) bool { _, ok := s.open[m.ID]; return ok }), nil
}

// save saves the meeting, and queues the syncs of the records that it concerns.
func (s *meetingSync) save(ctx context.Context, next store.Meeting) (verdict, error) {
	before := s.m
	s.m = next
	if s.isKnown && s.ours() && fingerprint.Of(meeting.OwnerSees(next)) == fingerprint.Of(meeting.OwnerSees(before)) {
		s.requeue = nil // its owner knows
	}
	if s.isKnown && fingerprint.Of(next) == fingerprint.Of(before) {
		return s.verdict(), nil
	}
	if !s.ours() && !s.isKnown {
		if err := s.queueOtherLocations(ctx, next.ID); err != nil {
			return goOn, err
		}
	}
	// Queue the syncs that must look in the same transaction: after a crash, a sync finds
	// the stored meeting unchanged and would queue nothing.
	requeue, kept := s.requeue, next
	s.requeue = nil
	if !s.ours() {
		kept.Emails = nil // erasing one contact would leave the addresses of the others
		if kept.ContactID == "" {
			kept = meeting.Impersonal(kept)
		}
	}
	return s.verdict(), s.store.SaveMeetings(ctx, []store.Meeting{kept}, requeue)
}

// queueOtherLocations queues a meeting that people made for the other locations of the
// account. A webhook is for the whole account, and names one of them.
func (s *meetingSync) queueOtherLocations(ctx context.Context, id string) error {
	accounts, err := s.connections.Accounts(ctx)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if a.ID != s.conn.Account || a.Home() != s.entity.LocationID {
			continue
		}
		for _, location := range a.Locations[1:] {
			s.requeue = append(s.requeue, store.Entity{LocationID: location, Kind: string(mapping.KindMeeting), ID: id})
		}
	}
	return nil
}

// foreignMeeting finds the contact of a meeting that people made in CalendarHero: the first
// invited contact of the location. It returns why Milepost does nothing for the meeting, or
// "".
func (s *entitySync) foreignMeeting(ctx context.Context, m store.Meeting) (why string, err error) {
	s.meetings = map[string]store.Meeting{m.ID: m}
	switch {
	case !s.automations.NeedsOfMeetings().Any:
		return "no switched-on automation applies to meetings", nil
	case s.contactID != "":
		return "", nil
	}
	owner, err := s.conn.Owner(ctx)
	if err != nil {
		return "", err
	}
	for _, email := range m.Emails {
		if strings.EqualFold(email, owner.Email) {
			continue
		}
		contact, found, err := s.startClient.FindDuplicate(ctx, s.entity.LocationID, email, "")
		if err != nil {
			return "", err
		}
		if found {
			s.contactID, m.ContactID = contact.ID, contact.ID
			if err := s.store.LearnContact(ctx, s.entity, contact.ID); err != nil {
				return "", err
			}
			m.Emails = nil
			return "", s.store.SaveMeetings(ctx, []store.Meeting{m}, nil)
		}
	}
	return "no invitee is a contact of the location", nil
}
