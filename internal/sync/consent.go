package sync

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"milepost/internal/meeting"
	"milepost/internal/store"
	"milepost/mapping"
)

// If a person changes an automation so that it invites the customer, it would mail the
// customers of all open requests. So a request that was made for the account's owner stays
// with the owner until a person agrees. Its other changes still reach CalendarHero. See
// store.AllowInvites.

// staysWithOwner returns the item to request. It invites the owner if nobody agreed to
// invite anyone else.
func (s requests) staysWithOwner(ctx context.Context, link store.Link, item mapping.Item, want meeting.Request) (mapping.Item, meeting.Request, error) {
	switch {
	case item.Invite.Who == mapping.InviteOwner, link.Invited != "" && link.Invited != string(mapping.InviteOwner):
		return item, want, nil
	case link.State == "", link.State == store.LinkGone && link.SourceStart.IsZero():
		return item, want, nil // nothing of it is there, nor was it about to be replaced
	}
	as := item
	as.Invite = mapping.Invite{Who: mapping.InviteOwner}
	said := len(s.notes)
	asOwners, err := s.compose(ctx, as)
	s.notes = s.notes[:said] // the same as of want
	if err != nil {
		return item, want, err
	}
	if link.Invited == "" && link.Material != asOwners.Material && !s.onlyOwner(link, asOwners) {
		return item, want, nil
	}
	if s.agreed != nil && s.agreed(item.Key) {
		return item, want, nil
	}
	if agreed, err := s.store.InviteAllowed(ctx, item.Key); err != nil || agreed {
		return item, want, err
	}
	s.notes = append(s.notes, item.Automation+": the automation invites somebody else now; this request stays with the account's owner until you agree (`milepost invites`)")
	return as, asOwners, nil
}

// onlyOwner reports whether a request of an earlier version invites nobody else, as
// far as is known.
func (s requests) onlyOwner(link store.Link, asOwners meeting.Request) bool {
	emails := s.knownMeeting(link).Emails
	return len(emails) > 0 && !slices.ContainsFunc(emails, func(e string) bool { return !strings.EqualFold(e, asOwners.ContactEmails[0]) })
}

// inherit lets a new item invite the owner if it replaces an owner's request because its
// automation has a new id. It runs before that request is removed.
func (s requests) inherit(ctx context.Context, plan mapping.Plan) error {
	requests := s.automations.Requests(mapping.Kind(s.entity.Kind))
	replaced := false
	for key, link := range s.links {
		key, _ = mapping.DatedKey(key)
		replaced = replaced || link.State == store.LinkLive && link.Invited == string(mapping.InviteOwner) && s.knownMeeting(link).End.After(s.now()) &&
			!slices.ContainsFunc(requests, func(r mapping.Request) bool { return r.Key == key })
	}
	if !replaced {
		return nil
	}
	for _, item := range plan.Items {
		if !asksForMeeting(item) || item.Invite.Who == mapping.InviteOwner || s.links[item.Key].State != "" {
			continue
		}
		link := store.Link{
			Entity: s.entity, Item: item.Key, ItemKind: string(item.Kind), Automation: item.Automation, State: store.LinkGone, Title: item.Title,
			Start: item.Start, End: item.End, SourceStart: item.Start, SourceEnd: item.End, Invited: string(mapping.InviteOwner),
		}
		if err := s.store.SaveLink(ctx, link, s.now(), nil); err != nil {
			return fmt.Errorf("save who a request was made for: %w", err)
		}
		s.links[item.Key] = link
	}
	return nil
}
