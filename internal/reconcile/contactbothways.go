package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/store"
	"milepost/mapping"
)

// seen is a part of a contact as both sides had it when they were last brought in
// step, by digest. They need not be equal: one side may have been left as it is.
type seen struct {
	HighLevel    string `json:"hl"`
	CalendarHero string `json:"ch"`
	Refused      bool   `json:"refused,omitempty"` // HighLevel would not take CalendarHero's
	Told         string `json:"told,omitempty"`    // the loser of a conflict that is not settled yet
}

// deletedThere is the base of a link whose contact a person deleted in CalendarHero.
const deletedThere = `"deleted"`

// seenParts reads what a link last saw of both sides; nothing where it was of
// another object.
func seenParts(link store.Link, objectID string) map[string]seen {
	base := map[string]seen{}
	if link.ObjectID != objectID || json.Unmarshal([]byte(link.Base), &base) != nil {
		return map[string]seen{}
	}
	return base
}

func encoded(base map[string]seen) string {
	b, err := json.Marshal(base)
	if err != nil {
		panic(fmt.Sprintf("encode what was seen of a contact: %v", err)) // only plain data
	}
	return string(b)
}

// asWritten is the base of a contact that was just made.
func asWritten(want mapping.ContactItem) string {
	base := map[string]seen{}
	for _, p := range contactParts {
		base[p.name] = seen{HighLevel: p.digest(p.wanted(want)), CalendarHero: p.digest(p.wanted(want))}
	}
	return encoded(base)
}

// inStep reports whether both sides are as they were last seen, and all that was
// written then was taken.
func inStep(want mapping.ContactItem, have calendarhero.Contact, link store.Link) bool {
	base := seenParts(link, have.ID)
	for _, p := range contactParts {
		if (base[p.name] != seen{HighLevel: p.digest(p.wanted(want)), CalendarHero: p.digest(p.held(have))}) {
			return false
		}
	}
	return true
}

// bothWays merges a contact that both sides have, part by part: what changed on
// one side only goes to the other, a part that is empty clears nothing, and where
// both changed the item's rule decides. Each side is compared with what it was
// itself, so that a side which keeps a value in a form of its own, or does not
// take it, is not written again and again. The writes come before the note of
// them: after a crash both sides are equal already.
func (s *entitySync) bothWays(ctx context.Context, item mapping.Item, link store.Link, have calendarhero.Contact) error {
	want, last := item.Contact, s.links[item.Key]
	base := seenParts(last, have.ID)
	shared, err := s.store.Shared(ctx, link)
	if err != nil {
		return err
	}
	var (
		merged = have
		back   = map[string]string{} // to HighLevel, by part
		next   = map[string]seen{}
		lost   []store.TimelineEntry
		held   bool // something is not written back because the contact is shared
	)
	for _, p := range contactParts {
		hl, ch, was := p.wanted(want), p.held(have), base[p.name]
		now := seen{HighLevel: p.digest(hl), CalendarHero: p.digest(ch)}
		hlChanged, chChanged := now.HighLevel != was.HighLevel, now.CalendarHero != was.CalendarHero
		takes := want.Back[p.name] != "" && !shared
		forth := hl != "" && hlChanged
		switch {
		case p.same(hl, ch):
			forth = false
		case ch == "":
		case hl == "" || !hlChanged:
			if chChanged && takes {
				back[p.name] = ch
			}
			held = held || chChanged && shared && want.Back[p.name] != ""
			now.Refused = was.Refused && !hlChanged && !chChanged
		case chChanged: // and HighLevel's, too
			wins, loser := "HighLevel", ch
			if takes {
				heroWins, err := s.calendarHeroWins(ctx, item.Conflict, link, was.HighLevel != "")
				if err != nil {
					return err
				}
				if heroWins {
					wins, loser, forth, back[p.name] = "CalendarHero", hl, false, ch
				}
			}
			if was.Told != p.digest(loser) {
				was.Told = p.digest(loser)
				base[p.name] = was
				lost = append(lost, s.tell("conflict: "+wins+"'s "+strings.ReplaceAll(p.name, "_", " ")+" wins", "the other was "+loser))
			}
		}
		if forth {
			p.put(&merged, hl)
			now.CalendarHero = now.HighLevel
		}
		next[p.name] = now
	}
	if len(lost) > 0 { // before it is overwritten; a try that fails behind this does not tell it again
		before := link
		before.Base, before.Content = encoded(base), last.Content
		if err := s.store.SaveLink(ctx, before, s.now(), nil, lost...); err != nil {
			return err
		}
	}
	var told []store.TimelineEntry
	if len(back) > 0 {
		entry, err := s.writeBack(ctx, item, back, next)
		if err != nil {
			return err
		}
		told = append(told, entry...)
	}
	if link.Content != last.Content || last.ObjectID != have.ID { // what more HighLevel knows of
		merged.Emails = union(merged.Emails, want.Emails[1:], strings.EqualFold)
		merged.Telephones = union(merged.Telephones, want.Phones[min(1, len(want.Phones)):], samePhone)
	}
	if fingerprint(merged) != fingerprint(have) {
		if err := s.conn.CalendarHero.UpdateContact(ctx, have.ID, merged); err != nil {
			return err
		}
		told = append(told, s.tell("contact updated", want.Name))
	}
	if held {
		s.notes = append(s.notes, item.Automation+": Milepost does not write back the changes in CalendarHero, because another item or HighLevel contact shares the contact there")
	}
	for _, p := range contactParts {
		if next[p.name].Refused {
			s.notes = append(s.notes, fmt.Sprintf("%s: HighLevel rejected CalendarHero's %s; Milepost retries when it changes", item.Automation, strings.ReplaceAll(p.name, "_", " ")))
		}
	}
	link.Base = encoded(next)
	if merged.Name != "" {
		link.Title = merged.Name // by which it is found where CalendarHero does not know it by its id
	}
	if last.AttemptedAt = link.AttemptedAt; link == last && len(lost)+len(told) == 0 {
		return nil
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	return s.store.SaveLink(ctx, link, s.now(), nil, told...)
}

// calendarHeroWins decides a conflict. CalendarHero tells no time of change, but
// what was seen unchanged there after HighLevel's record last changed is the newer.
func (s *entitySync) calendarHeroWins(ctx context.Context, rule mapping.ConflictRule, link store.Link, known bool) (bool, error) {
	switch {
	case rule == mapping.CalendarHeroWins:
		return true, nil
	case rule == mapping.HighLevelWins, !known, s.entity.Kind != string(mapping.KindContact):
		return false, nil
	}
	changed, err := time.Parse(time.RFC3339, s.mark)
	if err != nil {
		return false, nil //nolint:nilerr // it cannot be told
	}
	same, err := s.store.SameAt(ctx, link)
	return changed.Before(same), err
}

// writeBack writes parts of a CalendarHero contact to the HighLevel contact, their
// fields alone, and notes in next what HighLevel has then. One that it refuses is
// told, and holds up neither the others nor the next sync.
func (s *entitySync) writeBack(ctx context.Context, item mapping.Item, parts map[string]string, next map[string]seen) ([]store.TimelineEntry, error) {
	fields, err := s.readFields(ctx, slices.Collect(maps.Values(item.Contact.Back)))
	if err != nil {
		return nil, beside(err)
	}
	if s.entity.Kind == string(mapping.KindContact) && fields.contact.DateUpdated != s.mark {
		return nil, &wait{d: time.Second, why: "somebody changed the contact in HighLevel during the sync"}
	}
	write := func(parts map[string]string) (highlevel.Contact, error) {
		var w highlevel.ContactFields
		for _, p := range contactParts {
			if v, ok := parts[p.name]; ok {
				field := item.Contact.Back[p.name]
				if err := fields.set(&w, field, p.form(v, fields.value(fields.contact, field))); err != nil {
					return highlevel.Contact{}, err
				}
			}
		}
		stored, err := s.writing().UpdateContact(ctx, s.contactID, w)
		return stored, s.refusal(ctx, err)
	}
	stored, err := write(parts)
	if err != nil && clients.ReasonOf(err) != clients.Invalid {
		return nil, err
	}
	var written []string
	for _, p := range contactParts {
		v, ok := parts[p.name]
		if !ok {
			continue
		}
		one, refused := stored, err
		if err != nil && len(parts) > 1 { // which of them?
			if one, refused = write(map[string]string{p.name: v}); refused != nil && clients.ReasonOf(refused) != clients.Invalid {
				return nil, refused
			}
		}
		now := next[p.name]
		if now.Refused = refused != nil; now.Refused {
			what := fmt.Sprintf("%s: Milepost cannot write CalendarHero's %s to HighLevel: ", item.Automation, strings.ReplaceAll(p.name, "_", " "))
			s.cannot(what+refused.Error(), what+silent(refused))
		} else {
			if has := fields.value(one, item.Contact.Back[p.name]); has != "" {
				v = has
			}
			now.HighLevel = p.digest(v)
			written = append(written, strings.ReplaceAll(p.name, "_", " ")+": "+v)
		}
		next[p.name] = now
	}
	if len(written) == 0 {
		return nil, nil
	}
	return []store.TimelineEntry{s.tell("contact updated in HighLevel", strings.Join(written, "\n"))}, nil
}
