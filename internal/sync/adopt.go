package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/account"
	"milepost/internal/jobs"
	"milepost/internal/meeting"
	"milepost/internal/store"
	"milepost/mapping"
)

// recall updates an item's link from requests that were created before the database was
// lost, or after the copy from which it was restored. It runs before anything is created or
// replaced. It adopts the newest open request, and removes the other open ones. If only
// closed requests are left, the newest says how the meeting ended. In both cases, the link
// continues from the highest generation.
func (s requests) recall(ctx context.Context, link store.Link, item mapping.Item, want meeting.Request) (store.Link, error) {
	past, err := s.conn.UnlinkedRequests(ctx, s.pastLook(), s.entity, item.Key, link.Generation)
	if err != nil || len(past) == 0 {
		return link, err
	}
	open, last, err := s.sortPast(ctx, link, past)
	if err != nil {
		return link, err
	}
	known := link
	switch {
	case len(open) > 0:
		link, err = s.recallOpen(ctx, link, item, want, open, max(link.Generation, last.Generation))
	case last.Generation > link.Generation:
		if link, err = s.adoptEnded(ctx, link, item, want, last); err == nil {
			s.links[item.Key] = link
		}
	}
	if err != nil {
		return link, err
	}
	if known.ObjectID != "" && known.ObjectID != link.ObjectID {
		if err := s.store.ForgetMeeting(ctx, s.entity.LocationID, known.ObjectID); err != nil {
			return link, err
		}
	}
	s.conn.Linked(s.entity, item.Key, past)
	return link, nil
}

// sortPast returns the open requests of an item, including that of its link, and the last of
// the past ones. It updates them from the lists.
func (s requests) sortPast(ctx context.Context, link store.Link, past []account.PastRequest) (open []account.PastRequest, last account.PastRequest, err error) {
	since := s.freshFor(link, past)
	last = past[len(past)-1]
	for i, r := range past {
		if past[i], err = s.asListedNow(ctx, r, since); err != nil {
			return nil, last, err
		}
		if past[i].Open() {
			open = append(open, past[i])
		}
		if r.Generation == last.Generation {
			last = past[i]
		}
	}
	if link.ObjectID == "" || link.State == store.LinkGone {
		return open, last, nil
	}
	own, shown, err := s.conn.ListedRequest(ctx, link.ObjectID, since)
	if shown && own.Open() {
		open = append(open, account.PastRequest{Listed: own, Generation: link.Generation})
	}
	return open, last, err
}

// recallOpen adopts the newest of the open requests of an item, and removes the others.
// generation is the last one that was used.
func (s requests) recallOpen(ctx context.Context, link store.Link, item mapping.Item, want meeting.Request, open []account.PastRequest, generation int64) (store.Link, error) {
	known := link
	best := slices.MaxFunc(open, func(a, b account.PastRequest) int { return int(a.Generation - b.Generation) })
	if best.ID != link.ObjectID {
		var err error
		if link, err = s.adopt(ctx, link, item, want, best); err != nil {
			return link, err
		}
	}
	if link != known || len(open) > 1 {
		link.Generation = generation
		if err := s.store.SaveLink(ctx, link, s.now(), meeting.Reminders(link, item, s.now())); err != nil {
			return link, err
		}
		s.links[item.Key] = link
	}
	for _, r := range open {
		if r.ID == best.ID {
			continue
		}
		if err := s.removeUnlinked(ctx, r, item.Key, "second "+string(item.Kind)+" removed", link.Title); err != nil {
			return link, err
		}
	}
	return link, nil
}

// asListedNow returns a request as the lists show it now. If it was open and no list shows
// it any more, it is closed.
func (s requests) asListedNow(ctx context.Context, r account.PastRequest, since time.Time) (account.PastRequest, error) {
	now, shown, err := s.conn.ListedRequest(ctx, r.ID, since)
	switch {
	case err != nil:
	case shown:
		r.Listed = now
	default:
		r.List = calendarhero.StateClosed
		err = s.believable(ctx, since) // else it may be open, and its item would be made again
	}
	return r, err
}

// adopt links an open request, as if Milepost had just compared it with its record for the
// first time. The lists show neither the description nor the place, so these count as
// equal.
//
// A different title or invitee means that the record has changed. So does a different time,
// unless a person moved the meeting. Then the meeting keeps its time and nobody gets mail,
// even if the rule prefers HighLevel: Milepost no longer knows what the record asked for
// before. Replacing a meeting that somebody agreed to is worse than missing a change, which
// the record's next edit brings.
func (s requests) adopt(ctx context.Context, link store.Link, item mapping.Item, want meeting.Request, r account.PastRequest) (store.Link, error) {
	// The copy may know that it was moved there: a replacement stays where its
	// predecessor was.
	stays := r.At(link.Start, link.End) && item.Start.Equal(link.SourceStart) && item.End.Equal(link.SourceEnd)
	link = s.ofPast(link, item, r)
	link.Start, link.End = want.Start, want.End
	if r.Timed() && !r.At(want.Start, want.End) {
		link.Start, link.End = r.Start, r.End
		if !stays && !s.movedByPerson(item, r.Listed) {
			link.SourceStart, link.SourceEnd = r.Start, r.End
		}
	}
	as := want.Pinned(link.SourceStart, link.SourceEnd)
	link.Material, link.Content = as.Material, as.Content
	if r.Subject() != meeting.OneSpaced(want.Subject) || !s.invites(item, want, r.Listed) {
		link.Material, link.Content = "", ""
	}
	return s.saveAdopted(ctx, link, item, r)
}

// adoptEnded stores how the last request of an item ended. If the record asks for something
// else by now, the sync creates the next request.
func (s requests) adoptEnded(ctx context.Context, link store.Link, item mapping.Item, want meeting.Request, r account.PastRequest) (store.Link, error) {
	link = s.ofPast(link, item, r)
	link.Start, link.End = r.Start, r.End
	asked := meeting.Agrees(item, r.Start, r.End) || r.ChangedSince(s.changedAt)
	if r.Subject() != meeting.OneSpaced(want.Subject) || !asked || !s.invites(item, want, r.Listed) {
		link.State, link.ObjectID, link.SourceStart, link.SourceEnd = store.LinkGone, "", time.Time{}, time.Time{}
		return link, s.store.SaveLink(ctx, link, s.now(), nil)
	}
	link.Material, link.Content = want.Material, want.Content
	return s.saveAdopted(ctx, link, item, r)
}

// ofPast returns the link of a past request, without its digests.
func (s requests) ofPast(link store.Link, item mapping.Item, r account.PastRequest) store.Link {
	return store.Link{
		Entity: s.entity, Item: item.Key, ItemKind: string(item.Kind), Automation: item.Automation,
		State: store.LinkLive, ObjectID: r.ID, Owned: true, Marker: meeting.MarkerIn(r.Title), Generation: max(link.Generation, r.Generation),
		Title: item.Title, SourceStart: item.Start, SourceEnd: item.End, AttemptedAt: s.now(),
	}
}

// saveAdopted saves an adopted link with its meeting. It does not report what happened to
// the meeting before: automations have acted on that already.
func (s requests) saveAdopted(ctx context.Context, link store.Link, item mapping.Item, r account.PastRequest) (store.Link, error) {
	m := store.Meeting{LocationID: s.entity.LocationID, ID: r.ID, ContactID: s.contactID, Start: link.Start, End: link.End}
	m, _ = meeting.Observe(m, meeting.View{Listed: r.Listed, IsListed: true}, s.now())
	if r.Open() {
		m.Start, m.End = link.Start, link.End
	}
	m = meeting.NotNews(m)
	if r.Open() && link.SourceStart.Equal(item.Start) && !meeting.Agrees(item, link.Start, link.End) {
		// It was moved, and the record has not followed yet: it does so first.
		m.Happened[string(mapping.MeetingMoved)] = s.now()
		s.stale, s.requeue = true, append(s.requeue, s.entity)
	}
	link.Meeting = m.State
	if err := s.store.SaveMeetings(ctx, []store.Meeting{m}, nil); err != nil {
		return link, err
	}
	if s.meetings == nil {
		s.meetings = map[string]store.Meeting{}
	}
	s.meetings[m.ID] = m
	return link, s.store.SaveLink(ctx, link, s.now(), meeting.Reminders(link, item, s.now()), s.tell(link.ItemKind+" adopted", link.Title))
}

// movedByPerson reports whether a person moved a request in CalendarHero. Otherwise the
// record's time changed in HighLevel. A request without an answer was not moved. If
// CalendarHero says booked, and not moved, the record changed.
func (s requests) movedByPerson(item mapping.Item, r meeting.Listed) bool {
	switch {
	case r.SaysMoved():
		return true
	case r.List != calendarhero.StateUpcoming:
		return false
	case meeting.Agrees(item, r.Start, r.End):
		return true // HighLevel followed
	case r.SaysScheduled():
		return false
	}
	return s.changedAt.IsZero() || r.ChangedSince(s.changedAt)
}

// invites reports whether a request invites the wanted people, as far as its list shows. It
// always invites the account's owner.
func (s requests) invites(item mapping.Item, want meeting.Request, r meeting.Listed) bool {
	return item.Invite.Who == mapping.InviteOwner || len(r.Emails) == 0 || slices.ContainsFunc(r.Emails, func(e string) bool {
		return slices.ContainsFunc(want.ContactEmails, func(w string) bool { return strings.EqualFold(e, w) })
	})
}

// removeUnlinked deletes a request that no link may have, unless it is over.
func (s requests) removeUnlinked(ctx context.Context, r account.PastRequest, item, what, title string) error {
	if !r.Open() {
		return nil
	}
	if r.Timed() && !r.End.After(s.now()) {
		return s.confirm(ctx, item, r.ID, r.End)
	}
	s.ended[r.ID] = true
	if err := s.conn.CalendarHero.DeleteMeetingRequest(ctx, r.ID); err != nil && clients.ReasonOf(err) != clients.NotFound {
		return fmt.Errorf("remove a meeting request that is not wanted: %w", err)
	} else if err == nil {
		s.cancelled(ctx, item, r.ID)
	}
	ctx, cancel := jobs.Detached(ctx)
	defer cancel()
	s.timeline = append(s.timeline, s.tell(what, title))
	if err := s.store.ForgetMeeting(ctx, s.entity.LocationID, r.ID); err != nil {
		return err
	}
	return s.confirm(ctx, item, r.ID, time.Time{})
}

// removePast removes requests, unknown to the database, of items that the record no longer
// wants. It does not find requests of automations that are off or deleted, unless a link is
// left.
func (s requests) removePast(ctx context.Context, keep map[string]bool) error {
	var refused error
	requests := s.automations.Requests(mapping.Kind(s.entity.Kind))
	for key, l := range s.links {
		kind := mapping.ItemKind(l.ItemKind)
		if (kind == mapping.ItemEvent || kind == mapping.ItemTask) && !slices.ContainsFunc(requests, func(r mapping.Request) bool { return r.Key == key }) {
			requests = append(requests, mapping.Request{Key: key, Automation: l.Automation, Kind: kind})
		}
	}
	for _, r := range requests {
		if keep[r.Key] || s.stays(r.Key, keep) || s.leaves(r.Key) {
			continue
		}
		s.rehearsed(r.Key)
		err := s.removePastOf(ctx, r)
		if err != nil && clients.ReasonOf(err) != clients.Invalid {
			return err
		}
		refused = errors.Join(refused, err)
	}
	return refused
}

func (s requests) removePastOf(ctx context.Context, of mapping.Request) error {
	link := s.links[of.Key]
	past, err := s.conn.UnlinkedRequests(ctx, s.pastLook(), s.entity, of.Key, link.Generation)
	if err != nil || len(past) == 0 {
		return err
	}
	since := s.freshFor(link, past)
	if link.State == "" {
		link = store.Link{Entity: s.entity, Item: of.Key, ItemKind: string(of.Kind), Automation: of.Automation, State: store.LinkGone}
	}
	for _, r := range past {
		if r, err = s.asListedNow(ctx, r, since); err != nil {
			return err
		}
		if err := s.removeUnlinked(ctx, r, of.Key, string(of.Kind)+" removed", r.Subject()); err != nil {
			return err
		}
		link.Generation = max(link.Generation, r.Generation) // no marker is used twice
	}
	if err := s.store.SaveLink(ctx, link, s.now(), nil); err != nil {
		return err
	}
	s.links[of.Key] = link
	s.conn.Linked(s.entity, of.Key, past)
	return nil
}

// pastLook returns how to search for unlinked requests.
func (s *entitySync) pastLook() account.Look {
	return account.Look{Since: s.began.Add(-account.ListsFresh), Believe: s.believable}
}

// freshFor returns how fresh lists must be before they are believed about past requests.
// This database did not create a request of a later generation than the link's, so older
// lists will do. But another process with this database may have replaced a request of an
// earlier generation while the lists were read.
func (s requests) freshFor(link store.Link, past []account.PastRequest) time.Time {
	if link.State != "" && past[0].Generation <= link.Generation {
		return s.began
	}
	return s.began.Add(-account.ListsFresh)
}
