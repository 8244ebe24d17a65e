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
	"milepost/internal/store"
	"milepost/mapping"
)

// believable fails if the lists, read no earlier than since, show no meeting request at all
// although Milepost knows requests of other records. Milepost must not conclude anything
// from such lists. The request of this record alone may have been deleted.
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

// contactOf returns the contact of an entity; "" if it is not known.
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

// ownMeetings reads the stored meetings of the entity.
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

// refresh reads what happened to the meeting of a link since the last event. The plan does
// not contain a change that it finds, so it queues the entity again.
func (s *entitySync) refresh(ctx context.Context, link store.Link) error {
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
			return s.believable(ctx, s.began) // it is not told where it is; the poll looks for it
		}
	}
	m := s.meetings[link.ObjectID]
	m.LocationID, m.ID, m.ContactID = link.Entity.LocationID, link.ObjectID, s.contactID
	before := m
	m, _ = meeting.Observe(m, meeting.View{Listed: listed, IsListed: true, Links: []store.Link{link}}, s.now())
	if fingerprint.Of(meeting.OwnerSees(m)) != fingerprint.Of(meeting.OwnerSees(before)) {
		s.stale, s.requeue = true, append(s.requeue, s.entity)
	}
	if s.meetings == nil {
		s.meetings = map[string]store.Meeting{}
	}
	s.meetings[m.ID] = m
	return s.store.SaveMeetings(ctx, []store.Meeting{m}, nil)
}

// claimMeetings queues the open meetings that people made with a new contact's e-mail
// address. Until now they had no contact.
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
			s.requeue = append(s.requeue, store.Entity{LocationID: s.entity.LocationID, Kind: string(mapping.KindMeeting), ID: m.ID})
		}
	}
	return nil
}
