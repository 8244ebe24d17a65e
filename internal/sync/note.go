package sync

import (
	"context"
	"strings"

	"milepost/internal/fingerprint"
	"milepost/internal/meeting"
	"milepost/internal/store"
	"milepost/mapping"
)

// notes are the notes of a contact.
type notes struct{ *entitySync }

func (notes) texts(item mapping.Item) any { return item.Text }

// A note has no object.
func (s notes) remove(ctx context.Context, link store.Link) error {
	return s.forget(ctx, link, link.ItemKind+" no longer kept in step")
}

// apply keeps a note in the contact's timeline. CalendarHero has no notes: the contact's
// open meeting requests show it in their description, and this note's change queues them
// (see findDependents).
func (s notes) apply(ctx context.Context, item mapping.Item) error {
	link := s.links[item.Key]
	what := "note added"
	if link.State == store.LinkLive {
		if what = "note changed"; link.Content == fingerprint.OfText(s.texts(item)) {
			return nil
		}
	}
	link = store.Link{
		Entity: s.entity, Item: item.Key, ItemKind: string(item.Kind), Automation: item.Automation,
		State: store.LinkLive, Generation: link.Generation + 1, Content: fingerprint.OfText(s.texts(item)), Title: meeting.Clip(firstLine(item.Text), 200),
	}
	return s.store.SaveLink(ctx, link, s.now(), nil, s.tell(what, item.Text))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
