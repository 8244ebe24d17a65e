package mapping

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Automation is a trigger, conditions, and actions with field templates. It is
// compiled and immutable, and safe for concurrent use.
type Automation struct {
	ID      string // unique within its Set; a slug of the name unless given
	Name    string // unique within its Set, for people
	Version int64  // as in Part
	State   State
	On      Trigger
	Tag     string // of contact.tagged, lower case
	// Conflict decides which side wins for its contacts, events and tasks.
	Conflict ConflictRule

	milestone *milestone    // of milestone.changed, milestone.approaching and workflow.received
	before    time.Duration // of milestone.approaching: how long before the milestone the trigger holds
	condition *condition
	actions   []action
	names     []mention // names that only a location can check
	reads     reads     // by the milestone, the condition and the actions together
}

// Actions lists the item kinds of the actions in the order of the text. The n-th action,
// from 1, has the item key ID/n.
func (a *Automation) Actions() []ItemKind {
	kinds := make([]ItemKind, len(a.actions))
	for i, act := range a.actions {
		kinds[i] = act.kind()
	}
	return kinds
}

// Kind returns the kind of records that the automation reads.
func (a *Automation) Kind() Kind {
	if a.milestone != nil {
		return a.milestone.of
	}
	return a.On.Kind()
}

// dated reports whether each date of the milestone gets its own items. Items for an earlier
// date then stay.
func (a *Automation) dated() bool {
	return a.milestone != nil && (a.On == MilestoneApproaching || a.milestone.yearly)
}

// needsContact reports whether the automation needs a contact, because it reads one or
// writes to it in HighLevel.
func (a *Automation) needsContact() bool {
	return a.reads.contact || slices.ContainsFunc(a.Actions(), ItemKind.InHighLevel)
}

// Set is a compiled list of automations, immutable and safe for concurrent use.
type Set struct {
	automations []*Automation
	names       []mention       // names that only a location can check
	doubts      []Mistake       // see Doubts
	tracing     *[]Considered   // collects what was considered; nil = not traced
	removed     map[string]bool // ids of automations that are not on, whose items may be removed
}

// Automations lists all automations, switched on or not, in the order of the file.
func (s *Set) Automations() []*Automation {
	if s == nil {
		return nil
	}
	return append([]*Automation(nil), s.automations...)
}

// looking lists the automations that are on and read records of this kind. A nil Set has
// none.
func (s *Set) looking(kind Kind) (found []*Automation) {
	if s == nil {
		return nil
	}
	for _, a := range s.automations {
		if a.State == StateOn && a.Kind() == kind {
			found = append(found, a)
		}
	}
	return found
}

// Follows reports whether an automation that is on or paused reads records of this kind. A
// paused one counts because it catches up when it is switched on again.
func (s *Set) Follows(kind Kind) bool {
	return slices.ContainsFunc(s.Automations(), func(a *Automation) bool { return a.State != StateOff && a.Kind() == kind })
}

// Needs says which facts a plan reads, so that Milepost fetches nothing else.
type Needs struct {
	Any          bool // an automation that is on reads records of this kind
	Contact      bool // Facts.Contact, without its custom fields
	CustomFields bool // Facts.Contact.Custom; Contact is then true as well
	Notes        bool // Facts.Notes
	// OpportunityFields are Facts.Opportunity.Custom.
	OpportunityFields bool
	Happened          bool // Facts.Happened and Facts.Tagged
	Last              bool // keep the last known facts of a record, because an automation is about deleted records
}

// Needs returns what the automations that are on read for records of this kind. They always
// need Facts.Location and the record itself.
func (s *Set) Needs(kind Kind) Needs {
	var n Needs
	for _, a := range s.looking(kind) {
		n.Any = true
		n.Contact = n.Contact || a.reads.contact || kind == KindContact || kind == KindMeeting
		n.CustomFields = n.CustomFields || a.reads.custom
		n.Notes = n.Notes || a.reads.notes
		n.OpportunityFields = n.OpportunityFields || a.reads.opportunity
		n.noteOf(a)
	}
	for _, a := range s.Automations() {
		if a.State == StatePaused && a.Kind() == kind { // it catches up later
			n.noteOf(a)
		}
	}
	// The note automations make the texts of attached notes, and may read the contact.
	writers := s.noteWriters()
	n.Notes = n.Notes && len(writers) > 0
	if n.Notes {
		for _, a := range writers {
			n.Contact = n.Contact || a.reads.contact
			n.CustomFields = n.CustomFields || a.reads.custom
		}
	}
	n.Contact = n.Contact || n.CustomFields
	return n
}

// noteOf adds what Milepost must store for an automation.
func (n *Needs) noteOf(a *Automation) {
	holds := a.On.info().holds
	n.Happened = n.Happened || holds == onceHappened && a.Kind() != KindMeeting || a.milestone != nil && a.milestone.tag != ""
	n.Last = n.Last || holds == onceGone
}

// NeedsOfMeetings returns what the automations that are on read for the meetings of a
// record of any kind. Add it to the record's own Needs if it has meetings. They always need
// the contact, because their results are written to it.
func (s *Set) NeedsOfMeetings() Needs { return s.Needs(KindMeeting) }

// And combines the needs of two evaluations.
func (n Needs) And(more Needs) Needs {
	return Needs{
		Any: n.Any || more.Any, Contact: n.Contact || more.Contact,
		CustomFields: n.CustomFields || more.CustomFields, Notes: n.Notes || more.Notes,
		OpportunityFields: n.OpportunityFields || more.OpportunityFields, Happened: n.Happened || more.Happened, Last: n.Last || more.Last,
	}
}

// noteWriters lists the automations that make note items from notes, including paused ones.
// Without those, a change of a contact would remove the notes from requests that show them.
func (s *Set) noteWriters() (found []*Automation) {
	for _, a := range s.Automations() {
		if a.Kind() != KindNote || a.State == StateOff {
			continue
		}
		for _, act := range a.actions {
			if act.kind() == ItemNote {
				found = append(found, a)
				break
			}
		}
	}
	return found
}

// reads is what expressions and actions read besides the record itself.
type reads struct {
	contact, custom, notes bool
	opportunity            bool // the opportunity's custom fields
}

func (r *reads) add(more reads) {
	r.contact = r.contact || more.contact
	r.custom = r.custom || more.custom
	r.notes = r.notes || more.notes
	r.opportunity = r.opportunity || more.opportunity
}

// addContactField adds one field of the contact by its key.
func (r *reads) addContactField(key string) {
	r.contact = true
	r.custom = r.custom || !standardFields[key]
}

// addOpportunityField adds one field of the opportunity by its key.
func (r *reads) addOpportunityField(key string) {
	r.opportunity = r.opportunity || !standardNames("opportunity")[key]
}

// standardFields are the keys of a contact's fields other than custom fields: HighLevel's
// merge-field names without "contact.".
var standardFields = map[string]bool{
	"id": true, "first_name": true, "last_name": true, "name": true, "email": true, "phone": true,
	"company_name": true, "address1": true, "city": true, "state": true, "country": true,
	"postal_code": true, "website": true, "timezone": true, "source": true, "type": true,
	"assigned_to": true, "date_of_birth": true, "date_added": true, "date_updated": true,
	"dnd": true, "tags": true,
}

// writableFields are the standard fields that HighLevel's PUT /contacts/{contactId} accepts
// as a text (HighLevel OpenAPI, UpdateContactDto).
var writableFields = []string{
	"name", "first_name", "last_name", "email", "phone", "address1", "city", "state", "postal_code",
	"country", "website", "timezone", "date_of_birth", "source", "assigned_to",
}

// writable returns why a field of the contact cannot be written; nil if it can. A key that
// is not a standard field counts as a custom field.
func writable(key string) error {
	_, form := contactReference("contact." + key)
	switch {
	case !form:
		return fmt.Errorf(`%s is not the key of a field; expected one such as last_meeting, without "contact." in front`, quoteShort(key))
	case key == "tags":
		return errors.New("tags are written by an action of their own: tags: { add: […], remove: […] }")
	case key == "company_name":
		return errors.New("contact.company_name cannot be written; HighLevel sets it only when it makes the contact")
	case standardFields[key] && !slices.Contains(writableFields, key):
		return fmt.Errorf("contact.%s cannot be written; expected a custom field or %s", key, enumerate(writableFields))
	}
	return nil
}

// contactReference splits "contact.closing_date".
func contactReference(text string) (key string, ok bool) {
	at, ok := referenceTo("contact", text)
	return at.key, ok
}

// MilestoneTags returns the tags, in lower case, that are milestones of automations that
// are not off. Milepost must know since when a contact has them.
func (s *Set) MilestoneTags() map[string]bool {
	tags := map[string]bool{}
	for _, a := range s.Automations() {
		if a.State != StateOff && a.milestone != nil && a.milestone.tag != "" {
			tags[a.milestone.tag] = true
		}
	}
	return tags
}

// Notes reports whether an automation with this trigger is on or paused. A paused one
// counts, because what happens now matters when it is switched on again.
func (s *Set) Notes(t Trigger) bool {
	return slices.ContainsFunc(s.Automations(), func(a *Automation) bool { return a.State != StateOff && a.On == t })
}

// LooksAt reports whether an automation that is on has this trigger.
func (s *Set) LooksAt(t Trigger) bool {
	return s != nil && slices.ContainsFunc(s.automations, func(a *Automation) bool { return a.State == StateOn && a.On == t })
}
