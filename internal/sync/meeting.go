package sync

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/account"
	"milepost/internal/fingerprint"
	"milepost/internal/meeting"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

// A meeting request moves by what we write (request.go), and by what becomes of
// it in CalendarHero. The latter is read here from CalendarHero's lists, when a
// webhook or the poll says that there is something to see. docs/meetings.md
// has the states.

// syncMeeting brings what is known of a meeting request in step with
// CalendarHero. One that was made here is its owner's, who is asked to look at
// it; for another, owned is false, and m is what is known of it now.
func (s *entitySync) syncMeeting(ctx context.Context, state *store.EntityState) (m store.Meeting, owned bool, err error) {
	events, err := s.store.EventsOwed(ctx, s.entity)
	if err != nil {
		return m, false, err
	}
	if len(events) == 1 && events[0] == string(mapping.NewMeetingRequest) {
		if ours, err := s.justMade(ctx, *state); ours || err != nil {
			return m, true, err
		}
	}
	since := s.began
	if len(events) == 0 { // the poll has just looked
		since = since.Add(-account.ListsFresh)
	}
	open, err := s.conn.OpenRequests(ctx, since)
	if err != nil {
		return m, false, err
	}
	listed, isListed := open[s.entity.ID]
	links, err := s.store.LinksOfRequest(ctx, s.entity.ID, meeting.MarkerIn(listed.Title))
	if err != nil {
		return m, false, err
	}
	location := s.entity.LocationID
	var made store.Link
	for _, l := range links {
		if l.State.Uncertain() { // the worker that made it is about to note its id
			return m, true, &outcome.Wait{For: 2 * time.Second, Why: "Milepost is creating the meeting request"}
		}
		if l.ObjectID == s.entity.ID && l.State != store.LinkGone {
			location, owned, made = l.Entity.LocationID, true, l
			s.touch, s.contactID = append(s.touch, l.Entity), s.contactOf(ctx, l.Entity)
		}
	}
	known, err := s.store.Meetings(ctx, location, s.entity.ID)
	if err != nil {
		return m, owned, err
	}
	m, isKnown := known[s.entity.ID]
	m.LocationID, m.ID = location, s.entity.ID
	if s.contactID != "" {
		m.ContactID = s.contactID
	}
	if owned && m.Title == "" { // a crash came before it was noted
		m.Title, m.Start, m.End = meeting.Marked(made.Title, made.Marker), made.Start, made.End
	}
	if !isListed && mapping.MeetingState(m.State).Ended() {
		s.touch = nil
		return m, owned || meeting.MarkerIn(m.Title) != "", nil // nothing more becomes of it, and what was told of it stays
	}
	tells := false // the list of what is closed tells of those that took place
	if !isListed && (isKnown || owned) {
		closed, err := s.lookBack(ctx, events)
		if err != nil {
			return m, owned, err
		}
		listed, isListed = closed[s.entity.ID]
		tells = len(closed) > 0
	}
	if owned && (!isListed || !listed.Open()) {
		// Did a replacement follow that the database does not know? Then its record adopts that.
		later, err := s.conn.UnlinkedRequests(ctx, s.pastLook(), made.Entity, made.Item, made.Generation)
		if err != nil {
			return m, owned, err
		}
		if len(later) > 0 && later[len(later)-1].Generation > made.Generation {
			return m, true, nil
		}
	}
	if marker := meeting.MarkerIn(listed.Title); !owned && marker != "" {
		owner, known, err := s.conn.OwnerOf(ctx, s.pastLook(), marker)
		if err != nil {
			return m, false, err
		}
		state, err := s.store.EntityState(ctx, owner)
		if err != nil {
			return m, false, err
		}
		if known && owner.Kind == string(mapping.KindTask) && state.Fingerprint == store.FingerprintGone {
			return m, true, s.keepStranger(ctx, m, listed) // it stays until a sweep finds the task, or an event says that it was deleted
		}
		if known { // it adopts the request, or removes it
			s.touch, s.contactID = append(s.touch, owner), s.contactOf(ctx, owner)
			return m, true, nil
		}
	}
	if !owned && meeting.MarkerIn(listed.Title+m.Title) != "" {
		// Replaced or removed here meanwhile: who did that has noted it. Or a person
		// wrote what looks like a marker.
		if !isListed {
			return m, true, s.store.ForgetMeeting(ctx, location, m.ID)
		}
		return m, true, s.keepStranger(ctx, m, listed)
	}
	if !isListed && !isKnown && !owned && len(events) == 0 {
		return m, true, nil // nothing was ever seen of it
	}
	next, doubt := meeting.Observe(m, meeting.View{Listed: listed, IsListed: isListed, Events: events, Links: links}, s.now())
	if byTime := next.State == string(mapping.MeetingCompleted); byTime && !isListed && tells && !slices.Contains(events, string(mapping.MeetingOver)) {
		next.State, next.Happened = string(mapping.MeetingGone), m.Happened
		next.Happened = meeting.Happened(next, s.now())
	}
	if doubt != nil {
		badDay, err := s.showsNothing(ctx, open)
		if err != nil {
			return m, owned, err
		}
		looks := []time.Duration{2 * time.Second, 10 * time.Second, time.Minute}
		switch {
		case !isListed && !isKnown && !owned:
			looks = looks[:2]
		case !isListed && badDay:
			looks = account.WhenListsAreEmpty()
		}
		vanished := !isListed && (isKnown || owned) && next.State == string(mapping.MeetingGone)
		if wait := s.lookAgain(*state, doubt, looks); wait != nil {
			if vanished {
				if _, err := s.store.Doubt(ctx, s.entity, calendarhero.API, s.now()); err != nil {
					return m, owned, err
				}
			}
			return m, owned, wait
		}
		if vanished {
			since := state.GoneAt
			if m.MissingAt.After(since) {
				since = m.MissingAt
			}
			if err := s.vanished(ctx, calendarhero.API, since); err != nil {
				return m, owned, err
			}
		}
	} else if !state.GoneAt.IsZero() {
		if err := s.settleDoubt(ctx, calendarhero.API); err != nil {
			return m, owned, err
		}
	}
	if !isListed && !isKnown && !owned {
		s.skipped = append(s.skipped, "no list of CalendarHero shows the meeting request")
		return m, true, nil
	}
	if isKnown && owned && fingerprint.Of(meeting.OwnerSees(next)) == fingerprint.Of(meeting.OwnerSees(m)) {
		s.touch = nil // its owner knows
	}
	if isKnown && fingerprint.Of(next) == fingerprint.Of(m) {
		return m, owned, nil
	}
	if !owned && !isKnown {
		if err := s.tellOthers(ctx, m.ID); err != nil {
			return m, false, err
		}
	}
	// Queue the syncs that must look in the same transaction: after a crash, a sync
	// finds the stored meeting unchanged and would queue nothing.
	touch, kept := s.touch, next
	s.touch = nil
	if !owned {
		kept.Emails = nil // erasing one contact would leave the addresses of the others
		if kept.ContactID == "" {
			kept = meeting.Impersonal(kept)
		}
	}
	return next, owned, s.store.SaveMeetings(ctx, []store.Meeting{kept}, touch)
}

// keepStranger notes a request that looks like one of Milepost's and belongs to no
// record, so that it is no news to the next poll.
func (s *entitySync) keepStranger(ctx context.Context, m store.Meeting, listed meeting.Listed) error {
	m, _ = meeting.Observe(m, meeting.View{Listed: listed, IsListed: true}, s.now())
	m = meeting.Impersonal(m)
	m.Title = "[" + meeting.MarkerIn(listed.Title) + "]"
	return s.store.SaveMeetings(ctx, []store.Meeting{m}, nil)
}

// showsNothing reports whether the open lists show none of several requests that
// were open: all at once? More likely, CalendarHero has a bad day. So it has if they
// show nothing at all.
func (s *entitySync) showsNothing(ctx context.Context, open map[string]meeting.Listed) (bool, error) {
	if len(open) == 0 {
		return true, nil
	}
	known, err := s.store.OpenMeetings(ctx, s.entity.LocationID)
	if err != nil || len(known) < 2 {
		return false, err
	}
	return !slices.ContainsFunc(known, func(m store.Meeting) bool { _, ok := open[m.ID]; return ok }), nil
}

// believable returns nil unless the lists, read no earlier than since, show no
// meeting request at all although some of other records are known. Then nothing is
// concluded from what they do not show. That of this record may have been deleted.
func (s *entitySync) believable(ctx context.Context, since time.Time) error {
	shown, err := s.conn.ShowAny(ctx, since)
	if shown || err != nil {
		return err
	}
	known, err := s.store.OpenMeetings(ctx, s.entity.LocationID)
	known = slices.DeleteFunc(known, func(m store.Meeting) bool {
		return m.ID == s.entity.ID || slices.ContainsFunc(slices.Collect(maps.Values(s.links)), func(l store.Link) bool { return l.ObjectID == m.ID })
	})
	if err != nil || len(known) == 0 {
		return err
	}
	s.conn.ExpireLists() // they may have been made after it was read
	shown, err = s.conn.ShowAny(ctx, since)
	if shown || err != nil {
		return err
	}
	return &clients.Error{
		API: calendarhero.API, Operation: "list meeting requests", Reason: clients.Unavailable,
		Message: "the lists show no meeting request at all, but some must exist",
	}
}

// tellOthers has the other locations of the account look at a meeting that
// people made: a webhook is of the account, and is told to one of them.
func (s *entitySync) tellOthers(ctx context.Context, id string) error {
	accounts, err := s.connections.Accounts(ctx)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if a.ID != s.conn.Account || a.Home() != s.entity.LocationID {
			continue
		}
		for _, location := range a.Locations[1:] {
			s.touch = append(s.touch, store.Entity{LocationID: location, Kind: string(mapping.KindMeeting), ID: id})
		}
	}
	return nil
}

// justMade reports whether Milepost itself has just created a new request, so there
// is nothing to read. The event may arrive before the create is noted, so the sync
// waits a moment for that.
func (s *entitySync) justMade(ctx context.Context, state store.EntityState) (bool, error) {
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
	if state.GoneAt.IsZero() {
		return false, &outcome.Wait{For: 2 * time.Second, Why: "Milepost may be creating this request", Logged: true, Unconfirmed: s.now()}
	}
	return false, nil
}

// contactOf is the contact of an entity; "" where it is not known.
func (s *entitySync) contactOf(ctx context.Context, e store.Entity) string {
	if e.Kind == string(mapping.KindContact) {
		return e.ID
	}
	state, err := s.store.EntityState(ctx, e)
	if err != nil {
		return ""
	}
	return state.ContactID
}

// lookBack returns what is closed, unless an event says how the meeting ended:
// then it need not be searched for in a list that only grows.
func (s *entitySync) lookBack(ctx context.Context, events []string) (map[string]meeting.Listed, error) {
	if meeting.EndedBy(events) {
		return nil, nil
	}
	return s.conn.ClosedRequests(ctx, s.began)
}

// lookAgain says how long to wait before the lists are looked at again, since
// they and an event contradict each other, or they no longer show what they
// did; nil once they are to be believed.
func (s *entitySync) lookAgain(state store.EntityState, why error, looks []time.Duration) error {
	first := state.GoneAt
	if first.IsZero() || first.After(s.now()) {
		first = s.now()
	}
	next, more := outcome.NextCheck(s.now().Sub(first), looks...)
	if !more {
		return nil
	}
	return &outcome.Wait{For: next, Why: why.Error(), Unconfirmed: first}
}

// ownMeetings reads what is known of the meetings that were made for the entity.
func (s *entitySync) ownMeetings(ctx context.Context) ([]mapping.Meeting, error) {
	items := map[string]string{}
	for key, l := range s.links {
		if (l.State == store.LinkLive || l.State == store.LinkDeleting) && l.ObjectID != "" && (l.ItemKind == string(mapping.ItemEvent) || l.ItemKind == string(mapping.ItemTask)) {
			items[l.ObjectID] = key
		}
	}
	if len(items) == 0 {
		return nil, nil
	}
	ids := make([]string, 0, len(items))
	for id := range items {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var err error
	if s.meetings, err = s.store.Meetings(ctx, s.entity.LocationID, ids...); err != nil {
		return nil, err
	}
	var out []mapping.Meeting
	for _, id := range ids {
		if m, ok := s.meetings[id]; ok && s.links[items[id]].State == store.LinkLive {
			facts := meeting.Facts(m, items[id])
			facts.Kind = mapping.ItemKind(s.links[facts.Item].ItemKind)
			out = append(out, facts)
		}
	}
	return out, nil
}

// lookAt reads what became of the meeting of a link since it was last heard of. What
// is news was not there when the sync began, so the entity is looked at again.
func (s *entitySync) lookAt(ctx context.Context, link store.Link) error {
	open, err := s.conn.OpenRequests(ctx, s.began)
	if err != nil {
		return err
	}
	listed, ok := open[link.ObjectID]
	if !ok {
		closed, err := s.conn.ClosedRequests(ctx, s.began)
		if err != nil {
			return err
		}
		if listed, ok = closed[link.ObjectID]; !ok {
			return nil // it is not told where it is; the poll looks for it
		}
	}
	m := s.meetings[link.ObjectID]
	m.LocationID, m.ID, m.ContactID = link.Entity.LocationID, link.ObjectID, s.contactID
	before := m
	m, _ = meeting.Observe(m, meeting.View{Listed: listed, IsListed: true, Links: []store.Link{link}}, s.now())
	if fingerprint.Of(meeting.OwnerSees(m)) != fingerprint.Of(meeting.OwnerSees(before)) {
		s.stale, s.touch = true, append(s.touch, s.entity)
	}
	if s.meetings == nil {
		s.meetings = map[string]store.Meeting{}
	}
	s.meetings[m.ID] = m
	return s.store.SaveMeetings(ctx, []store.Meeting{m}, nil)
}

// claimMeetings has the open meetings looked at that people made with the e-mail
// address of a contact that is new: they were nobody's until now.
func (s *entitySync) claimMeetings(ctx context.Context, email string) error {
	if !s.automations.NeedsOfMeetings().Any || email == "" {
		return nil
	}
	list, err := s.store.OpenMeetings(ctx, s.entity.LocationID)
	if err != nil || !slices.ContainsFunc(list, func(m store.Meeting) bool { return m.ContactID == "" }) {
		return err
	}
	open, err := s.conn.OpenRequests(ctx, s.began.Add(-account.ListsFresh))
	if err != nil {
		return err
	}
	for _, m := range list {
		invited := slices.ContainsFunc(open[m.ID].Emails, func(e string) bool { return strings.EqualFold(e, email) })
		if m.ContactID == "" && invited {
			s.touch = append(s.touch, store.Entity{LocationID: s.entity.LocationID, Kind: string(mapping.KindMeeting), ID: m.ID})
		}
	}
	return nil
}

// foreignMeeting finds whose meeting it is that people made in CalendarHero: the
// first contact of the location that was invited. It says why nothing is to be
// done for it, or "".
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
		contact, found, err := s.first.FindDuplicate(ctx, s.entity.LocationID, email, "")
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
