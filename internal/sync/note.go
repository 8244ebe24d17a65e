package sync

import (
	"context"
	"strings"

	"milepost/internal/fingerprint"
	"milepost/internal/meeting"
	"milepost/internal/store"
	"milepost/mapping"
)

// applyNote keeps a note in the contact's timeline. CalendarHero has no notes:
// the contact's open meeting requests carry it in their description, and they
// are looked at again because this note changed (see findTouched).
func (s *entitySync) applyNote(ctx context.Context, item mapping.Item) error {
	link := s.links[item.Key]
	what := "note added"
	if link.State == store.LinkLive {
		if what = "note changed"; link.Content == fingerprint.OfText(textOf(item)) {
			return nil
		}
	}
	link = store.Link{
		Entity: s.entity, Item: item.Key, ItemKind: string(item.Kind), Automation: item.Automation,
		State: store.LinkLive, Generation: link.Generation + 1, Content: fingerprint.OfText(textOf(item)), Title: meeting.Clip(firstLine(item.Text), 200),
	}
	return s.store.SaveLink(ctx, link, s.now(), nil, s.tell(what, item.Text))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// applyTags adds and removes the contact's tags in HighLevel, once for each
// change of what the item asks for: a tag that a person takes away afterwards
// stays away.
func (s *entitySync) applyTags(ctx context.Context, item mapping.Item) error {
	link := s.links[item.Key]
	content := fingerprint.OfText(textOf(item))
	if link.State == store.LinkLive && link.Content == content {
		return nil
	}
	if len(item.AddTags) > 0 {
		if _, err := s.writing().AddTags(ctx, s.contactID, item.AddTags); err != nil {
			return err
		}
	}
	if len(item.RemoveTags) > 0 {
		if _, err := s.writing().RemoveTags(ctx, s.contactID, item.RemoveTags); err != nil {
			return err
		}
	}
	link = store.Link{
		Entity: s.entity, Item: item.Key, ItemKind: string(item.Kind), Automation: item.Automation,
		State: store.LinkLive, ObjectID: s.contactID, Generation: link.Generation + 1, Content: content,
		Title: strings.Join(item.AddTags, ", "),
	}
	return s.store.SaveLink(ctx, link, s.now(), nil, s.tell("tags written", strings.Join(item.AddTags, ", ")))
}
