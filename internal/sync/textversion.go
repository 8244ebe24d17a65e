package sync

import (
	"context"
	"time"

	"milepost/clients"
	"milepost/internal/fingerprint"
	"milepost/internal/meeting"
	"milepost/internal/store"
	"milepost/mapping"
)

// The content of a link is a digest of texts. It says by which version of the
// rules the texts were made, so that a release that reads the same record
// differently does not take that for a change of the record: it would replace
// every open request, and each time people are mailed.

// carryOver brings links up to the current rules for texts. A link that holds
// what the former rules ask for then holds what the current ones do; whatever
// else differs is a change of the record, and is left to be found. It returns the
// links that it changed.
func (s *entitySync) carryOver(ctx context.Context, facts mapping.Facts, plan mapping.Plan) ([]store.Link, error) {
	var changed []store.Link
	var former map[string]mapping.Item
	for _, item := range plan.Items {
		link := s.links[item.Key]
		if link.State == store.LinkGone || link.Content == "" || fingerprint.IsCurrent(link.Content) || textOf(item) == nil && !asksForMeeting(item) {
			continue
		}
		if former == nil {
			former = map[string]mapping.Item{}
			for _, was := range s.automations.PlanFormer(mapping.Kind(s.entity.Kind), facts).Items {
				former[was.Key] = was
			}
		}
		was, ok := former[item.Key]
		if !ok {
			continue
		}
		before := link
		if !asksForMeeting(item) {
			if link.Content == fingerprint.Of(textOf(was)) {
				link.Content = fingerprint.OfText(textOf(item))
			}
		} else if err := s.carryOverRequest(ctx, &link, was, item); clients.ReasonOf(err) == clients.Invalid {
			continue // its own sync says so
		} else if err != nil {
			return changed, err
		}
		if link != before {
			s.links[item.Key] = link
			changed = append(changed, link)
		}
	}
	return changed, nil
}

// carryOverRequest does so for a meeting request. The times that its link was
// last compared by are those of the record then, not now.
func (s *entitySync) carryOverRequest(ctx context.Context, link *store.Link, was, is mapping.Item) error {
	start, end := link.SourceStart, link.SourceEnd
	if start.IsZero() {
		start, end = link.Start, link.End
	}
	former, err := s.composeAt(ctx, was, start, end)
	if err != nil {
		return err
	}
	current, err := s.composeAt(ctx, is, start, end)
	if err != nil {
		return err
	}
	if link.Content == fingerprint.Of(former.MeetingRequest) {
		link.Content = current.Content
	}
	if link.Material == former.Material {
		link.Material = current.Material
	}
	return nil
}

// composeAt is compose for other times. It says nothing to people.
func (s *entitySync) composeAt(ctx context.Context, item mapping.Item, start, end time.Time) (meeting.Request, error) {
	said := len(s.notes)
	r, err := s.compose(ctx, item)
	s.notes = s.notes[:said]
	return r.Pinned(start, end), err
}

func asksForMeeting(item mapping.Item) bool {
	return item.Kind == mapping.ItemEvent || item.Kind == mapping.ItemTask
}

// textOf is what an item that asks for no meeting is known by; nil for one that
// is not known by its texts.
func textOf(item mapping.Item) any {
	switch item.Kind {
	case mapping.ItemNote, mapping.ItemHighLevelNote:
		return item.Text
	case mapping.ItemTags:
		return [][]string{item.AddTags, item.RemoveTags}
	case mapping.ItemHighLevelTask:
		return []string{item.Title, item.Text, item.Due.UTC().Format(time.RFC3339), item.AssignedTo}
	case mapping.ItemUpdateContact:
		return item.ContactFields
	}
	return nil
}
