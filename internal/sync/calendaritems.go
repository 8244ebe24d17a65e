package sync

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"milepost/internal/meeting"
	"milepost/internal/store"
	"milepost/mapping"
)

// record stores the entity's events, tasks and notes for the calendars that people
// subscribe to, after the plan is applied. The zero Plan means that nothing may exist any
// more. An event or task is at the time of its meeting in CalendarHero, if it has one.
func (s *entitySync) record(ctx context.Context, facts mapping.Facts, plan mapping.Plan) error {
	links, err := s.store.Links(ctx, s.entity)
	if err != nil {
		return err
	}
	n := store.Noted{
		Entity: s.entity, ContactID: s.contactID, Left: map[string]bool{}, Completed: facts.Task.Completed && !s.gone, Now: s.now(),
		AssignedTo: facts.Task.AssignedTo, AssigneeKnown: facts.Task.AssignedTo != "",
	}
	if !n.AssigneeKnown && facts.Contact.Fields != nil {
		n.AssignedTo, _ = facts.Contact.Fields["assigned_to"].(string)
		n.AssigneeKnown = true
	}
	for _, p := range plan.Problems {
		n.Left[p.Key] = true
	}
	if !s.gone {
		n.Keeps = s.automations.Leaves
	}
	var tags []string // that a note gives its contact
	for _, item := range plan.Items {
		if item.Kind == mapping.ItemTags {
			tags = append(tags, item.AddTags...)
		}
	}
	slices.Sort(tags)
	for _, item := range plan.Items {
		switch item.Kind {
		case mapping.ItemEvent, mapping.ItemTask:
			n.Items = append(n.Items, meetingItem(item, links[item.Key], facts))
		case mapping.ItemNote:
			n.Items = append(n.Items, store.Item{
				Key: item.Key, Kind: store.ItemNote, Automation: item.Automation, Status: store.StatusFinal,
				Start: facts.Note.DateAdded.UTC(), Zone: facts.Location.Zone.String(),
				Content: store.Content{Text: meeting.Clip(item.Text, longestText), Tags: slices.Compact(tags)},
			})
		}
	}
	return s.store.NoteItems(ctx, n)
}

// meetingItem returns an event or task as a calendar shows it. The link says what
// CalendarHero shows of it.
func meetingItem(item mapping.Item, link store.Link, facts mapping.Facts) store.Item {
	i := store.Item{
		Key: item.Key, Kind: string(item.Kind), Automation: item.Automation, Start: item.Start, End: item.End, Zone: item.Zone.String(),
		Content: store.Content{
			Title: item.Title, Description: meeting.Clip(item.Description, longestText), Place: item.Place,
			Notes: newest(item.Notes), Tags: item.Tags, Reminders: item.Reminders, DateOnly: item.DateOnly,
		},
	}
	state := mapping.MeetingState(link.Meeting)
	if link.State == store.LinkGone && !state.Ended() {
		state = "" // there is no meeting any more, and that is as it should be
	}
	if link.State != "" && link.State != store.LinkGone {
		i.Start, i.End = link.Start, link.End
		i.Content.DateOnly = item.DateOnly && link.Start.Equal(item.Start) && link.End.Equal(item.End)
		state = cmp.Or(state, mapping.MeetingPending) // it was not looked at since it was asked for
	}
	switch {
	case item.Kind == mapping.ItemTask && facts.Task.Completed:
		i.Status = store.StatusCompleted
	case state == mapping.MeetingCancelled || state == mapping.MeetingGone:
		i.Status = store.StatusCancelled
	case item.Kind == mapping.ItemEvent && (state == mapping.MeetingPending || state == mapping.MeetingExpired):
		i.Status = store.StatusTentative // nobody agreed to it
	case item.Kind == mapping.ItemEvent:
		i.Status = store.StatusConfirmed
	case state == mapping.MeetingBooked || state == mapping.MeetingRescheduled || state == mapping.MeetingCompleted:
		i.Status = store.StatusInProcess
	default:
		i.Status = store.StatusNeedsAction
	}
	return i
}

// longestText bounds the text of an item, in bytes. Every request of a contact has all its
// notes, and a calendar reads many items at a time.
const longestText = 32 << 10

// newest returns as many notes as an item may hold, newest first.
func newest(notes []string) []string {
	size := 0
	for i, n := range notes {
		if size += len(n); size > longestText {
			kept := slices.Clone(notes[:i])
			if i == 0 {
				kept = append(kept, meeting.Clip(n, longestText))
			}
			if older := len(notes) - len(kept); older > 0 {
				kept = append(kept, fmt.Sprintf("(and %d older notes)", older))
			}
			return kept
		}
	}
	return notes
}
