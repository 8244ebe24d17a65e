package reconcile

import (
	"context"
	"fmt"
	"time"

	"milepost/internal/store"
	"milepost/mapping"
)

// seen is what is known of the meeting of a link: what CalendarHero showed last,
// or what was written while it showed nothing yet.
func (s *entitySync) seen(link store.Link) store.Meeting {
	m, ok := s.meetings[link.ObjectID]
	if !ok || m.State == "" {
		m.State = link.Meeting
	}
	if m.State == "" {
		m.State = string(mapping.MeetingPending)
	}
	if m.Start.IsZero() || m.End.IsZero() {
		m.Start, m.End = link.Start, link.End
	}
	return m
}

// takeOver brings a live link in step with what became of its meeting in
// CalendarHero, before it is compared with what the record asks for. A meeting
// that was moved there stays where it is: want then asks for its times. Where the
// record's times changed as well, the automation's rule says whose stand.
//
// The link keeps what was last seen of both sides: SourceStart and SourceEnd of
// the record, Start, End and Meeting of CalendarHero.
func (s *entitySync) takeOver(ctx context.Context, link store.Link, item mapping.Item, want *request) (store.Link, error) {
	if link.State != store.LinkLive {
		// A replacement was interrupted: what it was to be made for still holds.
		if !link.SourceStart.IsZero() && item.Start.Equal(link.SourceStart) && item.End.Equal(link.SourceEnd) {
			want.pin(link.Start, link.End)
		}
		return link, nil
	}
	if link.SourceStart.IsZero() { // it was made by an earlier version
		link.SourceStart, link.SourceEnd = link.Start, link.End
	}
	before := link
	if !link.FollowedStart.IsZero() && !(item.Start.Equal(link.SourceStart) && item.End.Equal(link.SourceEnd)) {
		if agrees(item, link.FollowedStart, link.FollowedEnd) { // the echo of our own write
			accept(&link, item, want)
		}
		link.FollowedStart, link.FollowedEnd = time.Time{}, time.Time{}
	}
	m := s.seen(link)
	if item.Conflict == mapping.NewestWins && mapping.MeetingState(m.State).Ended() && m.State != link.Meeting && want.material != link.Material {
		if err := s.lookAt(ctx, link); err != nil { // no webhook tells when it was called off
			return link, err
		}
		m = s.seen(link)
	}
	state, ended := mapping.MeetingState(m.State), mapping.MeetingState(m.State).Ended()
	moved := !ended && !(near(m.Start, link.Start) && near(m.End, link.End))
	retimed := !item.Start.Equal(link.SourceStart) || !item.End.Equal(link.SourceEnd)
	// Nobody changed what only passed.
	calledOff := (state == mapping.MeetingCancelled || state == mapping.MeetingGone) && !mapping.MeetingState(link.Meeting).Ended()
	changed := want.material != link.Material
	var told []store.TimelineEntry
	tell := func(what, detail string) { told = append(told, s.tell(what, detail)) }

	link.Meeting = m.State
	if moved {
		tell(link.ItemKind+" moved in CalendarHero", fmt.Sprintf("%s: from %s to %s", link.Title, period(link.Start, link.End, item.Zone), period(m.Start, m.End, item.Zone)))
		link.Start, link.End = m.Start, m.End
	} else if link.Meeting != before.Meeting && !(state == mapping.MeetingPending && before.Meeting == "") {
		tell(link.ItemKind+" "+m.State+" in CalendarHero", link.Title)
	}

	switch {
	case calledOff && changed && !s.recordWins(item, m):
		s.conflicted(item, "the cancellation in CalendarHero wins")
		tell("conflict", fmt.Sprintf("%s: %s in CalendarHero wins; HighLevel asked for %s, %s", link.Title, m.State, item.Title, period(item.Start, item.End, item.Zone)))
		link.Material, link.Content, link.SourceStart, link.SourceEnd = want.material, want.content, item.Start, item.End
	case calledOff && changed:
		s.conflicted(item, "the change in HighLevel wins")
		tell("conflict", fmt.Sprintf("%s: HighLevel's change wins, so Milepost creates it again; it was %s in CalendarHero", link.Title, m.State))
	case ended && changed && !want.End.After(s.now()):
		// Asked for in vain. To ask for the former again is a change.
		link.Material, link.Content, link.SourceStart, link.SourceEnd = want.material, want.content, item.Start, item.End
	case ended:
	case !retimed:
		// The meeting's times stand, be they the record's or not.
		want.pin(link.Start, link.End)
	case agrees(item, link.Start, link.End):
		// HighLevel followed: what is asked for is where the meeting is.
		accept(&link, item, want)
		want.pin(link.Start, link.End)
	case moved && !s.recordWins(item, m):
		s.conflicted(item, "the time in CalendarHero wins")
		tell("conflict", fmt.Sprintf("%s: %s of CalendarHero wins; HighLevel asked for %s", link.Title, period(m.Start, m.End, item.Zone), period(item.Start, item.End, item.Zone)))
		accept(&link, item, want)
		want.pin(link.Start, link.End)
	case moved:
		s.conflicted(item, "the time in HighLevel wins")
		tell("conflict", fmt.Sprintf("%s: %s of HighLevel wins; CalendarHero had %s", link.Title, period(item.Start, item.End, item.Zone), period(m.Start, m.End, item.Zone)))
	}
	if link == before {
		return link, nil
	}
	var anew []store.Reminder
	if moved {
		anew = reminders(link, item, s.now())
	}
	s.links[item.Key] = link
	return link, s.store.SaveLink(ctx, link, s.now(), anew, told...)
}

// followed notes that Milepost itself has given the record the times of its
// meeting: only what a person changes there from now on is a change.
func (s *entitySync) followed(ctx context.Context, meetingID string, due time.Time) error {
	for key, link := range s.links {
		want, ok := s.wanted[key]
		if !ok || link.ObjectID != meetingID {
			continue
		}
		item := want.item
		length := item.End.Sub(item.Start)
		item.Start, item.End = due.Add(-length), due
		if item.Kind == mapping.ItemEvent { // that starts when the task is due
			item.Start, item.End = due, due.Add(length)
		}
		want.pin(item.Start, item.End)
		want.digest()
		accept(&link, item, &want.request)
		s.links[key] = link
		return s.store.SaveLink(ctx, link, s.now(), nil)
	}
	return nil
}

// accept notes the times that a record asks for without a new request. Whatever
// else differs is still to be compared.
func accept(link *store.Link, item mapping.Item, want *request) {
	as := *want // what the record would ask for, had its times not changed
	as.pin(link.SourceStart, link.SourceEnd)
	as.digest()
	if as.material == link.Material {
		link.Material = want.material
	}
	if as.content == link.Content {
		link.Content = want.content
	}
	link.SourceStart, link.SourceEnd = item.Start, item.End
}

// agrees reports whether an item asks for the time of a meeting. Of an event that
// is its start, of a task its end: CalendarHero may have given the meeting another
// length. Of a date without a time it is the day.
func agrees(item mapping.Item, start, end time.Time) bool {
	asked, is := item.Start, start
	if item.Kind == mapping.ItemTask {
		asked, is = item.End, end
	}
	if !item.DateOnly {
		return near(asked, is)
	}
	zone := item.Zone
	if zone == nil {
		zone = time.UTC
	}
	return asked.In(zone).Format(time.DateOnly) == is.In(zone).Format(time.DateOnly)
}

// toFollow notes, before a write to the contact because of a meeting, the times
// that it has: the contact's fields may be what its item goes by. What the item
// will ask for then, only the next read of the record tells; of a task that is
// known at once (see followed).
func (s *entitySync) toFollow(ctx context.Context, meetingID string) error {
	for key, link := range s.links {
		if meetingID == "" || link.ObjectID != meetingID || link.State != store.LinkLive {
			continue
		}
		link.FollowedStart, link.FollowedEnd = link.Start, link.End
		s.links[key] = link
		return s.store.SaveLink(ctx, link, s.now(), nil)
	}
	return nil
}

// recordWins reports whether HighLevel's change stands against one of the
// meeting in CalendarHero.
func (s *entitySync) recordWins(item mapping.Item, m store.Meeting) bool {
	switch item.Conflict {
	case mapping.HighLevelWins:
		return true
	case mapping.CalendarHeroWins:
		return false
	}
	return s.changedAt.IsZero() || m.ChangedAt.IsZero() || !m.ChangedAt.After(s.changedAt)
}

func (s *entitySync) conflicted(item mapping.Item, why string) {
	s.conflict = true
	s.notes = append(s.notes, fmt.Sprintf("%s: both sides changed; %s", item.Automation, why))
}

// period writes a time from and to for people, in the location's zone.
func period(start, end time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	return start.In(zone).Format("2006-01-02 15:04") + "–" + end.In(zone).Format("15:04 MST")
}
