package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"milepost/clients"
	"milepost/internal/store"
	"milepost/mapping"
)

// The content of a link is a digest of texts. It says by which version of the
// rules the texts were made, so that a release that reads the same record
// differently does not take that for a change of the record: it would replace
// every open request, and each time people are mailed.

// textMark begins the digests of texts made by the current rules. Those of the
// first rules have no mark.
var textMark = fmt.Sprintf("t%d:", mapping.TextVersion)

// textDigest is the fingerprint of texts, with the version of their rules.
func textDigest(v any) string { return textMark + fingerprint(v) }

// carryOver brings links up to the current rules for texts. A link that holds
// what the former rules ask for then holds what the current ones do; whatever
// else differs is a change of the record, and is left to be found. It returns the
// links that it changed.
func (s *entitySync) carryOver(ctx context.Context, facts mapping.Facts, plan mapping.Plan) ([]store.Link, error) {
	var changed []store.Link
	var former map[string]mapping.Item
	for _, item := range plan.Items {
		link := s.links[item.Key]
		if link.State == store.LinkGone || link.Content == "" || strings.HasPrefix(link.Content, textMark) || textOf(item) == nil && !asksForMeeting(item) {
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
			if link.Content == fingerprint(textOf(was)) {
				link.Content = textDigest(textOf(item))
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
	if link.Content == fingerprint(former.MeetingRequest) {
		link.Content = current.content
	}
	if link.Material == former.material {
		link.Material = current.material
	}
	return nil
}

// composeAt is compose for other times. It says nothing to people.
func (s *entitySync) composeAt(ctx context.Context, item mapping.Item, start, end time.Time) (request, error) {
	said := len(s.notes)
	r, err := s.compose(ctx, item)
	s.notes = s.notes[:said]
	r.pin(start, end)
	r.digest()
	return r, err
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
