package sync

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/contactmerge"
	"milepost/internal/fingerprint"
	"milepost/internal/jobs"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

// deletedThere is the base of a link whose contact a person deleted in CalendarHero.
const deletedThere = `"deleted"`

// bothWays merges a contact that both sides have, part by part. A change on one side goes
// to the other. An empty part clears nothing. If both sides changed a part, the item's rule
// decides. bothWays compares each side with its own former value, so it does not rewrite a
// value that a side keeps in its own form or rejects. It writes to the vendors before it
// saves the link: after a crash both sides are equal already.
func (s contacts) bothWays(ctx context.Context, item mapping.Item, link store.Link, have calendarhero.Contact) error {
	want, last := item.Contact, s.links[item.Key]
	shared, err := s.store.Shared(ctx, link)
	if err != nil {
		return err
	}
	newer, err := s.calendarHeroNewer(ctx, item.Conflict, link)
	if err != nil {
		return err
	}
	merged := contactmerge.Merge(want, have, contactmerge.Parse(last.BaseOf(have.ID)), contactmerge.Rules{Shared: shared, Conflict: item.Conflict, CalendarHeroNewer: newer})
	if err := s.reportConflicts(ctx, link, last, merged); err != nil {
		return err
	}
	var told []store.TimelineEntry
	if len(merged.WriteBack) > 0 {
		if told, err = s.writeBack(ctx, item, merged.WriteBack, merged.Next); err != nil {
			return err
		}
	}
	contact := merged.Contact
	if link.Content != last.Content || last.ObjectID != have.ID { // HighLevel may know more addresses
		contact = contactmerge.AddAddresses(contact, want.Emails[1:], want.Phones[min(1, len(want.Phones)):])
	}
	if fingerprint.Of(contact) != fingerprint.Of(have) {
		if err := s.conn.CalendarHero.UpdateContact(ctx, have.ID, contact); err != nil {
			return err
		}
		told = append(told, s.tell("contact updated", want.Name))
	}
	s.noteUnwritten(item, merged)
	link.Base = merged.Next.String()
	if contact.Name != "" {
		link.Title = contact.Name // by which it is found where CalendarHero does not know it by its id
	}
	if last.AttemptedAt = link.AttemptedAt; link == last && len(merged.Conflicts)+len(told) == 0 {
		return nil
	}
	ctx, cancel := jobs.Detached(ctx)
	defer cancel()
	return s.store.SaveLink(ctx, link, s.now(), nil, told...)
}

// reportConflicts reports the values that a write is about to overwrite. If the write
// fails, the next try does not report them again.
func (s contacts) reportConflicts(ctx context.Context, link, last store.Link, merged contactmerge.Result) error {
	if len(merged.Conflicts) == 0 {
		return nil
	}
	var lost []store.TimelineEntry
	for _, c := range merged.Conflicts {
		lost = append(lost, s.tell("conflict: "+c.Winner+"'s "+contactmerge.Label(c.Part)+" wins", "the other was "+c.Lost))
	}
	link.Base, link.Content = merged.Reported.String(), last.Content
	return s.store.SaveLink(ctx, link, s.now(), nil, lost...)
}

// noteUnwritten notes the values that stay different on the two sides.
func (s contacts) noteUnwritten(item mapping.Item, merged contactmerge.Result) {
	if merged.Withheld {
		s.notes = append(s.notes, item.Automation+": Milepost does not write back the changes in CalendarHero, because another item or HighLevel contact shares the contact there")
	}
	for _, p := range contactmerge.Parts {
		if merged.Next[p.Name].Refused {
			s.notes = append(s.notes, fmt.Sprintf("%s: HighLevel rejected CalendarHero's %s; Milepost retries when it changes", item.Automation, p.Label()))
		}
	}
}

// calendarHeroNewer reports whether HighLevel's contact changed before Milepost last saw
// CalendarHero's unchanged, if the rule asks for that.
func (s contacts) calendarHeroNewer(ctx context.Context, rule mapping.ConflictRule, link store.Link) (bool, error) {
	if rule == mapping.CalendarHeroWins || rule == mapping.HighLevelWins || s.entity.Kind != string(mapping.KindContact) {
		return false, nil
	}
	changed, err := time.Parse(time.RFC3339, s.mark)
	if err != nil {
		return false, nil //nolint:nilerr // it cannot be told
	}
	same, err := s.store.SameAt(ctx, link)
	return changed.Before(same), err
}

// writeBack writes only the given parts of a CalendarHero contact to the HighLevel contact,
// and stores the new values in next. If HighLevel rejects a part, writeBack reports it and
// writes the others.
func (s contacts) writeBack(ctx context.Context, item mapping.Item, parts map[string]string, next contactmerge.Base) ([]store.TimelineEntry, error) {
	fields, err := s.readFields(ctx, slices.Collect(maps.Values(item.Contact.Back)))
	if err != nil {
		return nil, outcome.NonRecord(err)
	}
	if s.entity.Kind == string(mapping.KindContact) && fields.contact.DateUpdated != s.mark {
		return nil, &outcome.Wait{For: time.Second, Why: "somebody changed the contact in HighLevel during the sync"}
	}
	stored, rejected := s.writeParts(ctx, item, fields, parts)
	if rejected != nil && clients.ReasonOf(rejected) != clients.Invalid {
		return nil, rejected
	}
	var written []string
	for _, p := range contactmerge.Parts {
		v, ok := parts[p.Name]
		if !ok {
			continue
		}
		one, err := stored, rejected
		if rejected != nil && len(parts) > 1 { // which of them?
			if one, err = s.writeParts(ctx, item, fields, map[string]string{p.Name: v}); err != nil && clients.ReasonOf(err) != clients.Invalid {
				return nil, err
			}
		}
		if now, ok := s.writtenPart(item, p, fields.value(one, item.Contact.Back[p.Name]), v, err, next); ok {
			written = append(written, p.Label()+": "+now)
		}
	}
	if len(written) == 0 {
		return nil, nil
	}
	return []store.TimelineEntry{s.tell("contact updated in HighLevel", strings.Join(written, "\n"))}, nil
}

// writeParts writes parts in one call.
func (s contacts) writeParts(ctx context.Context, item mapping.Item, fields contactFields, parts map[string]string) (highlevel.Contact, error) {
	var w highlevel.ContactFields
	for _, p := range contactmerge.Parts {
		if v, ok := parts[p.Name]; ok {
			field := item.Contact.Back[p.Name]
			if err := fields.set(&w, field, p.ForHighLevel(v, fields.value(fields.contact, field))); err != nil {
				return highlevel.Contact{}, err
			}
		}
	}
	stored, err := s.writing().UpdateContact(ctx, s.contactID, w)
	return stored, s.refusal(ctx, err)
}

// writtenPart stores in next how the write of a part ended. It returns the value that
// HighLevel has now, and whether HighLevel accepted the write.
func (s contacts) writtenPart(item mapping.Item, p contactmerge.Part, has, v string, rejected error, next contactmerge.Base) (string, bool) {
	now := next[p.Name]
	now.Refused = rejected != nil
	v = cmp.Or(has, v)
	if rejected != nil {
		what := fmt.Sprintf("%s: Milepost cannot write CalendarHero's %s to HighLevel: ", item.Automation, p.Label())
		cause := outcome.CauseOf(rejected)
		cause.Automation = item.Automation
		s.cannot(what+rejected.Error(), what+outcome.Redacted(rejected), cause)
	} else {
		now.HighLevel = p.Digest(v)
	}
	next[p.Name] = now
	return v, rejected == nil
}
