package sync

import (
	"context"
	"fmt"
	"time"

	"milepost/internal/meeting"
	"milepost/internal/store"
	"milepost/mapping"
)

// knownMeeting is what is known of the meeting of a link: what CalendarHero showed last,
// or what was written while it showed nothing yet.
func (s *entitySync) knownMeeting(link store.Link) store.Meeting {
	return meeting.Known(s.meetings[link.ObjectID], link)
}

// mergeRemote brings a live link in step with what became of its meeting in
// CalendarHero, before it is compared with what the record asks for. A meeting
// that was moved there stays where it is: want then asks for its times. Where the
// record's times changed as well, the automation's rule says whose stand.
//
// The link keeps what was last seen of both sides: SourceStart and SourceEnd of
// the record, Start, End and Meeting of CalendarHero.
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

// followed notes that Milepost itself has given the record the times of its
// meeting: only what a person changes there from now on is a change.
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
