package sync

import (
	"context"

	"milepost/internal/store"
	"milepost/mapping"
)

// itemKind brings the items of one kind in step. There is one file for each kind.
type itemKind interface {
	// apply brings the object of an item in step, and notes that in its link.
	apply(ctx context.Context, item mapping.Item) error
	// remove takes away the object of a link whose item is no longer wanted, or leaves it.
	remove(ctx context.Context, link store.Link) error
	// texts are what an item is known by, if that are texts; else nil. A release that reads
	// texts differently must not take that for a change of the record.
	texts(item mapping.Item) any
}

// kind is how items of a kind are brought in step; nil if the kind is unknown.
func (s *entitySync) kind(of mapping.ItemKind) itemKind {
	switch of {
	case mapping.ItemEvent, mapping.ItemTask:
		return requests{s}
	case mapping.ItemContact:
		return contacts{s}
	case mapping.ItemNote:
		return notes{s}
	case mapping.ItemTags:
		return tags{s}
	case mapping.ItemHighLevelNote:
		return highLevelNotes{highLevelWrites{s}}
	case mapping.ItemHighLevelTask:
		return highLevelTasks{highLevelWrites{s}}
	case mapping.ItemCompleteTask, mapping.ItemRescheduleTask:
		return taskChanges{highLevelWrites{s}}
	case mapping.ItemUpdateContact:
		return contactUpdates{highLevelWrites{s}}
	case mapping.ItemUpsertContact:
		return newContacts{highLevelWrites{s}}
	case mapping.ItemCall:
		return calls{s}
	}
	return nil
}

// highLevelWrites is what the kinds that write in HighLevel share. What was written there
// stays when its item is no longer wanted.
type highLevelWrites struct{ *entitySync }

func (s highLevelWrites) remove(ctx context.Context, link store.Link) error {
	if !s.gone {
		return nil
	}
	link.State = store.LinkGone
	return s.store.SaveLink(ctx, link, s.now(), nil)
}
