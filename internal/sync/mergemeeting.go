package sync

import (
	"context"
	"fmt"
	"time"

	"milepost/internal/meeting"
	"milepost/internal/store"
	"milepost/mapping"
)

// knownMeeting returns the meeting of a link as CalendarHero showed it last, or as Milepost
// wrote it if CalendarHero has not shown it yet.
func (s *entitySync) knownMeeting(link store.Link) store.Meeting {
	return meeting.Known(s.meetings[link.ObjectID], link)
}

// mergeRemote updates a live link with what happened to its meeting in CalendarHero, before
// it is compared with the record. If people moved the meeting there, it stays where it is,
// and want then asks for its times. If the record's times changed too, the automation's
// rule decides which win.
//
// The link keeps what Milepost last saw of both sides: SourceStart and SourceEnd of the
// record; Start, End and Meeting of CalendarHero.
func (s requests) mergeRemote(ctx context.Context, link store.Link, item mapping.Item, want *meeting.Request) (store.Link, error) {
	if link.State != store.LinkLive {
		// A replacement was interrupted: what it was to be made for still holds.
		if !link.SourceStart.IsZero() && item.Start.Equal(link.SourceStart) && item.End.Equal(link.SourceEnd) {
			want.Pin(link.Start, link.End)
		}
		return link, nil
	}
	if link.SourceStart.IsZero() { // it was made by an earlier version
		link.SourceStart, link.SourceEnd = link.Start, link.End
	}
	before := link
	link = meeting.Acknowledge(link, item, *want)
	m := s.knownMeeting(link)
	if item.Conflict == mapping.NewestWins && mapping.MeetingState(m.State).Ended() && m.State != link.Meeting && want.Material != link.Material {
		if err := s.refresh(ctx, link); err != nil { // no webhook tells when it was called off
			return link, err
		}
		m = s.knownMeeting(link)
	}
	merged := meeting.Merge(link, m, item, *want, s.changedAt, s.now())
	link, *want = merged.Link, merged.Want
	var told []store.TimelineEntry
	for _, e := range merged.Entries {
		told = append(told, s.tell(e.What, e.Detail))
	}
	if merged.Conflict != "" {
		s.conflict = true
		s.notes = append(s.notes, fmt.Sprintf("%s: both sides changed; %s", item.Automation, merged.Conflict))
	}
	if link == before {
		return link, nil
	}
	var reminders []store.Reminder
	if merged.Moved {
		reminders = meeting.Reminders(link, item, s.now())
	}
	s.links[item.Key] = link
	return link, s.store.SaveLink(ctx, link, s.now(), reminders, told...)
}

// followed stores that Milepost itself set the record's times to those of its meeting. Only
// what a person changes there afterwards counts as a change.
func (s requests) followed(ctx context.Context, meetingID string, due time.Time) error {
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
		link = meeting.Accept(link, item, want.Pinned(item.Start, item.End))
		s.links[key] = link
		return s.store.SaveLink(ctx, link, s.now(), nil)
	}
	return nil
}

// toFollow stores a meeting's times before Milepost writes them to the contact, because the
// contact's fields may decide the item's times. Only the next read of the record shows
// which times the item then asks for. For a task they are known at once (see followed).
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
