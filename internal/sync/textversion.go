package sync

import (
	"context"
	"sync"
	"time"

	"milepost/clients"
	"milepost/internal/fingerprint"
	"milepost/internal/meeting"
	"milepost/internal/store"
	"milepost/mapping"
)

// The content of a link is a digest of texts, with the version of the rules that made the
// texts. A release may read the same record differently. If that counted as a change of the
// record, it would replace every open request and mail people.

// carryOver brings links up to the current rules for texts. If a link equals what the former
// rules ask for, carryOver stores the digest under the current rules. Any other difference
// is a change of the record, and stays. It returns the links that it changed.
func (s *entitySync) carryOver(ctx context.Context, facts mapping.Facts, plan mapping.Plan) ([]store.Link, error) {
	var changed []store.Link
	former := sync.OnceValue(func() map[string]mapping.Item {
		items := map[string]mapping.Item{}
		for _, was := range s.automations.PlanFormer(mapping.Kind(s.entity.Kind), facts).Items {
			items[was.Key] = was
		}
		return items
	})
	for _, item := range plan.Items {
		link := s.links[item.Key]
		if !s.mayBeFormer(link, item) {
			continue
		}
		was, ok := former()[item.Key]
		if !ok {
			continue
		}
		carried, err := s.carryOverLink(ctx, link, was, item)
		if clients.ReasonOf(err) == clients.Invalid {
			continue // its own sync says so
		}
		if err != nil {
			return changed, err
		}
		if carried != link {
			s.links[item.Key] = carried
			changed = append(changed, carried)
		}
	}
	return changed, nil
}

// mayBeFormer reports whether former rules may have made the content of a link.
func (s *entitySync) mayBeFormer(link store.Link, item mapping.Item) bool {
	if link.State == store.LinkGone || link.Content == "" || fingerprint.IsCurrent(link.Content) {
		return false
	}
	kind := s.kind(item.Kind)
	return asksForMeeting(item) || kind != nil && kind.texts(item) != nil
}

func (s *entitySync) carryOverLink(ctx context.Context, link store.Link, was, is mapping.Item) (store.Link, error) {
	if asksForMeeting(is) {
		err := requests{s}.carryOverRequest(ctx, &link, was, is)
		return link, err
	}
	kind := s.kind(is.Kind)
	if link.Content == fingerprint.Of(kind.texts(was)) {
		link.Content = fingerprint.OfText(kind.texts(is))
	}
	return link, nil
}

// carryOverRequest does the same for a meeting request. It uses the times of the last
// comparison, which are those of the record then, not now.
func (s requests) carryOverRequest(ctx context.Context, link *store.Link, was, is mapping.Item) error {
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

// composeAt is compose for other times. It notes nothing for people.
func (s requests) composeAt(ctx context.Context, item mapping.Item, start, end time.Time) (meeting.Request, error) {
	said := len(s.notes)
	r, err := s.compose(ctx, item)
	s.notes = s.notes[:said]
	return r.Pinned(start, end), err
}

func asksForMeeting(item mapping.Item) bool {
	return item.Kind == mapping.ItemEvent || item.Kind == mapping.ItemTask
}
