// Package contactmerge merges a contact that HighLevel and CalendarHero both have and
// may both change.
//
// It is pure, and guarantees that an empty value clears nothing, and that a side
// which keeps a value in a form of its own, or rejects it, is not written again and
// again: each side is compared with its own former value. It does not know how
// contacts are found, read or written.
package contactmerge

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"milepost/clients/calendarhero"
	"milepost/internal/fingerprint"
	"milepost/mapping"
)

// Base is what both sides had when they were last in step, by part.
type Base map[string]LastSynced

// LastSynced is a part of a contact as both sides last had it, by digest. The sides
// need not be equal: one may have been left as it is.
type LastSynced struct {
	HighLevel    string `json:"hl"`
	CalendarHero string `json:"ch"`
	Refused      bool   `json:"refused,omitempty"` // HighLevel rejected CalendarHero's value
	Told         string `json:"told,omitempty"`    // the loser of a conflict that is reported and not written yet
}

// Parse reads a base in its stored form; an empty Base if it has none.
func Parse(stored string) Base {
	base := Base{}
	if json.Unmarshal([]byte(stored), &base) != nil {
		return Base{}
	}
	return base
}

// String is the stored form of a base.
func (b Base) String() string {
	out, err := json.Marshal(b)
	if err != nil {
		panic(fmt.Sprintf("encode the last synced contact: %v", err)) // only plain data
	}
	return string(out)
}

// Created is the base of a contact that Milepost just created in CalendarHero.
func Created(want mapping.ContactItem) Base {
	base := Base{}
	for _, p := range Parts {
		base[p.Name] = LastSynced{HighLevel: p.Digest(p.highLevel(want)), CalendarHero: p.Digest(p.highLevel(want))}
	}
	return base
}

// InStep reports whether both sides still are as they were last synced, and everything
// that was written then was accepted.
func (b Base) InStep(want mapping.ContactItem, have calendarhero.Contact) bool {
	for _, p := range Parts {
		if (b[p.Name] != LastSynced{HighLevel: p.Digest(p.highLevel(want)), CalendarHero: p.Digest(p.calendarHero(have))}) {
			return false
		}
	}
	return true
}

// ChangedThere reports whether a contact of CalendarHero is not as it was last synced.
func (b Base) ChangedThere(have calendarhero.Contact) bool {
	for _, p := range Parts {
		if p.Digest(p.calendarHero(have)) != b[p.Name].CalendarHero {
			return true
		}
	}
	return false
}

// Rules say what may be written, and who wins.
type Rules struct {
	// Shared: another HighLevel contact or item has the same CalendarHero contact, so
	// nothing of it is written back.
	Shared   bool
	Conflict mapping.ConflictRule
	// CalendarHeroNewer: HighLevel's record is known to have changed before the last
	// time at which CalendarHero's contact was seen unchanged.
	CalendarHeroNewer bool
}

// Result is what to write to bring both sides in step.
type Result struct {
	Contact   calendarhero.Contact // as CalendarHero is to have it
	WriteBack map[string]string    // to HighLevel, by part
	Next      Base                 // once all of that is written
	Conflicts []Conflict           // that were not reported before
	Reported  Base                 // the former base with these conflicts noted
	Withheld  bool                 // something is not written back because the contact is shared
}

// Conflict is a part that both sides changed.
type Conflict struct{ Part, Winner, Lost string }

// Merge merges part by part. A change on one side goes to the other. If both sides
// changed, the rule decides.
func Merge(want mapping.ContactItem, have calendarhero.Contact, base Base, rules Rules) Result {
	out := Result{Contact: have, WriteBack: map[string]string{}, Next: Base{}, Reported: maps.Clone(base)}
	for _, p := range Parts {
		out.merge(p, want, have, rules)
	}
	return out
}

func (out *Result) merge(p Part, want mapping.ContactItem, have calendarhero.Contact, rules Rules) {
	ours, theirs, was := p.highLevel(want), p.calendarHero(have), out.Reported[p.Name]
	now := LastSynced{HighLevel: p.Digest(ours), CalendarHero: p.Digest(theirs)}
	weChanged, theyChanged := now.HighLevel != was.HighLevel, now.CalendarHero != was.CalendarHero
	writable := want.Back[p.Name] != ""
	forward := ours != "" && weChanged
	switch {
	case p.same(ours, theirs):
		forward = false
	case theirs == "":
	case !forward:
		if theyChanged && writable && !rules.Shared {
			out.WriteBack[p.Name] = theirs
		}
		out.Withheld = out.Withheld || theyChanged && writable && rules.Shared
		now.Refused = was.Refused && !weChanged && !theyChanged
	case theyChanged:
		conflict := Conflict{Part: p.Name, Winner: "HighLevel", Lost: theirs}
		if writable && !rules.Shared && rules.calendarHeroWins(was) {
			conflict.Winner, conflict.Lost = "CalendarHero", ours
			forward, out.WriteBack[p.Name] = false, theirs
		}
		if lost := p.Digest(conflict.Lost); was.Told != lost {
			was.Told = lost
			out.Reported[p.Name] = was
			out.Conflicts = append(out.Conflicts, conflict)
		}
	}
	if forward {
		p.put(&out.Contact, ours)
		now.CalendarHero = now.HighLevel
	}
	out.Next[p.Name] = now
}

// calendarHeroWins decides a conflict. CalendarHero reports no time of change, but a
// value that was seen unchanged there after HighLevel's record last changed is newer.
func (r Rules) calendarHeroWins(was LastSynced) bool {
	switch r.Conflict {
	case mapping.CalendarHeroWins:
		return true
	case mapping.HighLevelWins:
		return false
	}
	return was.HighLevel != "" && r.CalendarHeroNewer
}

// Fill adds what is wanted to a contact of CalendarHero. It clears nothing:
// CalendarHero may know more than HighLevel.
func Fill(have calendarhero.Contact, want mapping.ContactItem) calendarhero.Contact {
	replace := func(dst *string, v string) {
		if v != "" {
			*dst = v
		}
	}
	replace(&have.Name, want.Name)
	replace(&have.Organization, want.Organization)
	replace(&have.Title, want.JobTitle)
	return AddAddresses(have, want.Emails, want.Phones)
}

// AddAddresses adds the e-mail addresses and phones that a contact does not have.
func AddAddresses(have calendarhero.Contact, emails, phones []string) calendarhero.Contact {
	have.Emails = union(have.Emails, emails, strings.EqualFold)
	have.Telephones = union(have.Telephones, phones, SamePhone)
	return have
}

// IsAsSent reports whether a contact that is found after the answer to its create was
// lost is the one that was sent: it contains that and nothing else. content is the
// fingerprint of what was sent. If it differs, a person may have made the contact,
// and Milepost must not delete it.
func IsAsSent(have calendarhero.Contact, content string) bool {
	return len(have.ProviderIDs) == 0 && content == fingerprint.Of(mapping.ContactItem{
		Name: have.Name, Emails: have.Emails, Phones: have.Telephones, Organization: have.Organization, JobTitle: have.Title,
	})
}
