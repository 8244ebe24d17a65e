package sync

import (
	"context"

	"milepost/internal/store"
	"milepost/mapping"
)

// itemKind brings the items of one kind in step. Each kind has a file of its own.
type itemKind interface {
	// apply brings the object of an item in step, and stores that in its link.
	apply(ctx context.Context, item mapping.Item) error
	// remove removes the object of a link whose item is no longer wanted, or leaves it.
	remove(ctx context.Context, link store.Link) error
	// texts returns the texts that identify an item, or nil if other values do. A release
	// that reads texts differently must not mistake that for a change of the record.
	texts(item mapping.Item) any
}

// kind returns how to bring items of a kind in step; nil if the kind is unknown.
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

// highLevelWrites is the common part of the kinds that write in HighLevel. Their objects
// stay when the items are no longer wanted.
type highLevelWrites struct{ *entitySync }

func (s highLevelWrites) remove(ctx context.Context, link store.Link) error {
	if !s.gone {
		return nil
	}
	link.State = store.LinkGone
	return s.store.SaveLink(ctx, link, s.now(), nil)
}
