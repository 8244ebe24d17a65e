package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"milepost/clients"
	"milepost/internal/connection"
	"milepost/internal/fingerprint"
	"milepost/internal/meeting"
	"milepost/internal/store"
	"milepost/mapping"
)

// Preview tells what a sync of a found entity would change, a line each, and
// changes nothing. It reads the record as a sync does, and CalendarHero's lists if the
// database may have lost a request. Whether a contact is there already it leaves open.
func (r *Syncer) Preview(ctx context.Context, f store.Found) ([]string, error) {
	lines, err := r.previewAs(ctx, f, clients.New)
	for r.WaitsAtLimit() && r.AtLimit(ctx, err) {
		lines, err = r.previewAs(ctx, f, clients.Waited)
	}
	return lines, err
}

func (r *Syncer) previewAs(ctx context.Context, f store.Found, claim clients.Claim) ([]string, error) {
	e := f.Entity
	conn, err := r.session(ctx, e.LocationID)
	if absent, ok := errors.AsType[*connection.Absent](err); ok {
		return []string{absent.Why}, nil
	} else if err != nil {
		return nil, err
	}
	state, err := r.store.EntityState(ctx, e)
	if err != nil {
		return nil, err
	}
	kind := mapping.Kind(e.Kind)
	automations := r.live()
	s := &entitySync{Syncer: r, automations: automations, conn: conn, entity: e, contactID: cmp.Or(state.ContactID, f.ContactID), asked: state.Wanted, reads: &reads{}, result: &result{}}
	s.first, s.then = conn.HighLevel.Backfill().With(claim), conn.HighLevel.With(clients.Begun)
	if s.links, err = r.store.Links(ctx, e); err != nil {
		return nil, err
	}
	facts, err := s.read(ctx, automations.Needs(kind))
	var plan mapping.Plan
	switch clients.ReasonOf(err) {
	case clients.NotFound: // an empty plan: all that exists would go
	case clients.Invalid:
		return []string{"cannot be read: " + err.Error()}, nil
	default:
		if err != nil {
			return nil, err
		}
		plan = automations.Plan(kind, facts)
		if _, err := s.carryOver(ctx, facts, plan); err != nil {
			return nil, err
		}
	}
	return s.preview(ctx, plan)
}

func (s *entitySync) preview(ctx context.Context, plan mapping.Plan) (lines []string, err error) {
	kept := map[string]bool{}
	for _, p := range plan.Problems {
		kept[p.Key] = true
		lines = append(lines, fmt.Sprintf("%s: %s: %s", p.Automation, p.Field, p.Message))
	}
	for _, item := range plan.Items {
		kept[item.Key] = true
		line, err := s.previewItem(ctx, item)
		if err != nil {
			return nil, err
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	for key, link := range s.links {
		if !kept[key] && link.State != store.LinkGone && link.ItemKind != string(mapping.ItemTags) && link.ItemKind != string(mapping.ItemNote) {
			lines = append(lines, fmt.Sprintf("remove %s %q", link.ItemKind, link.Title))
		}
	}
	slices.Sort(lines)
	return lines, nil
}

func (s *entitySync) previewItem(ctx context.Context, item mapping.Item) (string, error) {
	link := s.links[item.Key]
	switch item.Kind {
	case mapping.ItemContact:
		if (link.State == store.LinkLive || link.Base == deletedThere) && link.Content == fingerprint.Of(item.Contact) {
			return "", nil
		}
		return fmt.Sprintf("create or update contact %q", item.Contact.Name), nil
	case mapping.ItemTags:
		if len(item.AddTags)+len(item.RemoveTags) == 0 || link.State == store.LinkLive && link.Content == fingerprint.OfText(textOf(item)) {
			return "", nil
		}
		return strings.TrimSpace(fmt.Sprintf("tags in HighLevel: +[%s] -[%s]", strings.Join(item.AddTags, ", "), strings.Join(item.RemoveTags, ", "))), nil
	case mapping.ItemNote:
		return "", nil // it shows in the requests that carry it
	}
	want, err := s.compose(ctx, item)
	if err != nil {
		return "", err
	}
	made, err := s.previewRecall(ctx, link, item, want)
	if err != nil {
		return "", err
	}
	adopts := made.ObjectID != link.ObjectID
	link = made
	if item, want, err = s.staysWithOwner(ctx, link, item, want); err != nil {
		return "", err
	}
	what := fmt.Sprintf("%s %q at %s, which mails %s", item.Kind, item.Title, want.Start.In(item.Zone).Format("Mon 2 Jan 2006 15:04 MST"), strings.Join(want.ContactEmails, ", "))
	switch meeting.Decide(link, item, want, s.wasQuiet(link, want), s.now()) {
	case meeting.Nothing, meeting.Skip, meeting.Wait:
		if adopts {
			return fmt.Sprintf("adopt %s %q, which CalendarHero has already; nobody is mailed", item.Kind, item.Title), nil
		}
		return "", nil
	case meeting.Create:
		return "create " + what, nil
	case meeting.Remove:
		return fmt.Sprintf("remove %s %q", item.Kind, link.Title), nil
	}
	return fmt.Sprintf("replace %s %q (%s) by %s", item.Kind, link.Title, link.Start.In(item.Zone).Format(time.DateOnly), what), nil
}

// previewRecall is the link that recall would save for an item whose request the
// database has lost.
func (s *entitySync) previewRecall(ctx context.Context, link store.Link, item mapping.Item, want meeting.Request) (store.Link, error) {
	past, err := s.conn.UnlinkedRequests(ctx, s.pastLook(), s.entity, item.Key, link.Generation)
	if err != nil || len(past) == 0 || link.State == store.LinkLive {
		return link, err
	}
	for _, r := range slices.Backward(past) {
		if r.Open() {
			return s.adopted(link, item, want, r), nil
		}
	}
	if last := past[len(past)-1]; last.Generation > link.Generation {
		return s.adoptedEnded(link, item, want, last), nil
	}
	return link, nil
}
