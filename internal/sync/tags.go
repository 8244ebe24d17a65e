package sync

import (
	"context"
	"strings"

	"milepost/internal/fingerprint"
	"milepost/internal/store"
	"milepost/mapping"
)

// tags are the tags that automations add and remove in HighLevel.
type tags struct{ *entitySync }

func (tags) texts(item mapping.Item) any { return [][]string{item.AddTags, item.RemoveTags} }

// remove leaves the tags: the note still asked for them.
func (s tags) remove(ctx context.Context, link store.Link) error {
	return s.forget(ctx, link, link.ItemKind+" no longer kept in step")
}

// apply adds and removes the contact's tags in HighLevel, once for each change of the item.
// If a person removes a tag afterwards, it stays removed.
func (s tags) apply(ctx context.Context, item mapping.Item) error {
	link := s.links[item.Key]
	content := fingerprint.OfText(s.texts(item))
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
