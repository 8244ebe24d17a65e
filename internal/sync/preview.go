package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"milepost/clients"
	"milepost/internal/connection"
	"milepost/internal/store"
	"milepost/mapping"
)

// Preview tells what a sync of a found entity would change, a line each, and
// changes nothing. It reads the record as a sync does, and CalendarHero's lists if the
// database may have lost a request. Whether a contact is there already it leaves open.
func (r *Syncer) Preview(ctx context.Context, f store.Found) ([]string, error) {
	if f.Entity.Kind == string(mapping.KindMeeting) {
		return r.previewMeeting(ctx, f)
	}
	lines, err := r.previewAs(ctx, f, clients.New)
	for r.WaitsAtLimit() && r.AtLimit(ctx, err) {
		lines, err = r.previewAs(ctx, f, clients.Waited)
	}
	return lines, err
}

// previewMeeting tells what a sync of a meeting would change. If Milepost made the
// request, the syncs of its records act on it.
func (r *Syncer) previewMeeting(ctx context.Context, f store.Found) (lines []string, err error) {
	owners, err := r.store.EntitiesWithObject(ctx, f.Entity.ID)
	if err != nil {
		return nil, err
	}
	for _, owner := range owners {
		if owner.Kind == f.Entity.Kind {
			continue
		}
		changes, err := r.Preview(ctx, store.Found{Entity: owner, Differs: true})
		if err != nil {
			return nil, err
		}
		lines = append(lines, changes...)
	}
	if len(owners) > 0 {
		return lines, nil
	}
	said, err := r.Rehearser(r.live(), nil).Rehearse(ctx, f.Entity, f.ContactID)
	if err != nil {
		return nil, err
	}
	if said.Waits != "" {
		lines = append(lines, "wait: "+said.Waits)
	}
	for _, call := range said.Calls {
		lines = append(lines, fmt.Sprintf("%s %s in %s", call.Method, call.Path, call.API))
	}
	for _, mail := range said.Mails {
		lines = append(lines, fmt.Sprintf("mail %s (%s)", mail.To, mail.What))
	}
	return lines, nil
}

func (r *Syncer) previewAs(ctx context.Context, f store.Found, claim clients.Claim) ([]string, error) {
	e := f.Entity
	conn, err := r.session(ctx, e.LocationID)
	if absent, ok := errors.AsType[*connection.NotConnected](err); ok {
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
	s.startClient, s.followUpClient = conn.HighLevel.Backfill().With(claim), conn.HighLevel.With(clients.Begun)
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
		if err := s.noteHappened(ctx, state, automations.Needs(kind), &facts); err != nil {
			return nil, err
		}
		s.facts = facts
		plan = automations.Plan(kind, facts)
		if _, err := s.carryOver(ctx, facts, plan); err != nil {
			return nil, err
		}
	}
	return s.preview(ctx, plan)
}

func (s *entitySync) preview(ctx context.Context, plan mapping.Plan) (lines []string, err error) {
	for _, p := range plan.Problems {
		lines = append(lines, fmt.Sprintf("%s: %s: %s", p.Automation, p.Field, p.Message))
	}
	for _, item := range plan.Items {
		kind := s.kind(item.Kind)
		if kind == nil {
			continue
		}
		change, err := kind.plan(ctx, item)
		if err != nil {
			return nil, err
		}
		if change.what != "" {
			lines = append(lines, change.String())
		}
	}
	kept := keysOf(plan)
	for key, link := range s.links {
		kind := mapping.ItemKind(link.ItemKind)
		stays := kind.InHighLevel() || kind == mapping.ItemNote || kind == mapping.ItemCall // a sync removes nothing of these
		if !kept[key] && !s.stays(key, kept) && !s.leaves(key) && link.State != store.LinkGone && !stays {
			lines = append(lines, fmt.Sprintf("remove %s %q", link.ItemKind, link.Title))
		}
	}
	slices.Sort(lines)
	return lines, nil
}
