package sync

import (
	"context"
	"encoding/json"
	"time"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/facts"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

// The triggers of deleted records use the last known facts: those of the last read or, if
// there was none, those in the delete event. Milepost keeps them only while an automation
// uses the deletion of such records.

// lastKnown is what Milepost keeps of a record.
type lastKnown struct {
	Contact     *mapping.Contact     `json:"kept_contact,omitempty"`
	Task        *mapping.Task        `json:"kept_task,omitempty"`
	Note        *mapping.Note        `json:"kept_note,omitempty"`
	Appointment *mapping.Appointment `json:"kept_appointment,omitempty"`
	Opportunity *mapping.Opportunity `json:"kept_opportunity,omitempty"`
}

// keptOf returns what Milepost keeps of the facts of a record; nil = nothing.
func keptOf(kind mapping.Kind, f mapping.Facts) []byte {
	var kept lastKnown
	switch kind {
	case mapping.KindContact:
		contact := f.Contact
		contact.Custom = withValue(contact.Custom)
		kept.Contact = &contact
	case mapping.KindTask:
		if f.Task.Written {
			return nil
		}
		kept.Task = &f.Task
	case mapping.KindNote:
		if f.Note.Written {
			return nil
		}
		kept.Note = &f.Note
	case mapping.KindAppointment:
		kept.Appointment = &f.Appointment
	case mapping.KindOpportunity:
		opportunity := f.Opportunity
		opportunity.Custom = withValue(opportunity.Custom)
		kept.Opportunity = &opportunity
	default:
		return nil
	}
	b, err := json.Marshal(kept)
	if err != nil {
		return nil // it holds what was decoded from JSON
	}
	return b
}

func withValue(custom map[string]mapping.CustomField) map[string]mapping.CustomField {
	kept := map[string]mapping.CustomField{}
	for key, f := range custom {
		if f.Value != nil {
			kept[key] = f
		}
	}
	return kept
}

// farewell plans what automations want because the record was deleted. The tasks, notes
// and other records of a deleted contact went with it, so nothing is planned for them.
func (s *entitySync) farewell(ctx context.Context, needs mapping.Needs) (read mapping.Facts, plan mapping.Plan, err error) {
	kind := mapping.Kind(s.entity.Kind)
	if _, ok := deletedTriggers[kind]; !ok || !needs.Last {
		return read, plan, nil
	}
	if gone, err := s.contactGone(ctx); gone || err != nil {
		return read, plan, err
	}
	read.Now, read.Gone = s.now(), true
	record, ok, err := s.store.Record(ctx, s.entity)
	if err != nil {
		return read, plan, err
	}
	if ok {
		s.recallLast(record.Body, &read)
	}
	if kind != mapping.KindContact && s.contactID != "" {
		err := s.readContactFacts(ctx, needs.CustomFields, &read)
		if clients.ReasonOf(err) == clients.NotFound { // its own sync will find that it is deleted; until then all stays as it is
			return read, s.automations.Plan(kind, mapping.Facts{Now: read.Now, Gone: true}), nil
		}
		if err != nil {
			return read, plan, err
		}
	}
	var remark string
	if read.Location, remark, err = s.conn.Location(ctx); err != nil {
		return read, plan, outcome.NonRecord(err)
	}
	if remark != "" {
		s.notes = append(s.notes, remark)
	}
	return read, s.plan(kind, read), nil
}

// recallLast reads the last known facts. It reads nothing if the body is neither a kept one
// nor a delete event.
func (s *entitySync) recallLast(body []byte, read *mapping.Facts) {
	var kept lastKnown
	if json.Unmarshal(body, &kept) != nil {
		return
	}
	switch {
	case kept.Contact != nil:
		read.Contact = *kept.Contact
	case kept.Task != nil:
		read.Task = *kept.Task
	case kept.Note != nil:
		read.Note = *kept.Note
	case kept.Appointment != nil:
		read.Appointment = *kept.Appointment
	case kept.Opportunity != nil:
		read.Opportunity = *kept.Opportunity
	default:
		s.recallEvent(body, read)
	}
}

// recallEvent reads the record in a delete event.
func (s *entitySync) recallEvent(body []byte, read *mapping.Facts) {
	record, err := highlevel.EventRecord(body)
	if err != nil {
		return
	}
	switch mapping.Kind(s.entity.Kind) {
	case mapping.KindContact:
		var c highlevel.Contact
		if json.Unmarshal(record, &c) == nil && c.ID == s.entity.ID {
			read.Contact = facts.Contact(c, nil)
		}
	case mapping.KindTask:
		var t highlevel.Task
		if json.Unmarshal(record, &t) == nil && t.ID == s.entity.ID && !marked(t.Body) {
			read.Task = facts.Task(t)
		}
	case mapping.KindNote:
		var n highlevel.Note
		if json.Unmarshal(record, &n) == nil && n.ID == s.entity.ID && !marked(n.Body) {
			read.Note = facts.Note(n)
		}
	case mapping.KindAppointment:
		var a highlevel.Appointment
		if json.Unmarshal(record, &a) == nil && a.ID == s.entity.ID {
			read.Appointment = facts.Appointment(a, "", time.UTC)
		}
	case mapping.KindOpportunity:
		var o highlevel.Opportunity
		if json.Unmarshal(record, &o) == nil && o.ID == s.entity.ID {
			read.Opportunity = facts.Opportunity(o, nil, nil)
		}
	}
}

// marked reports whether a body ends as one that Milepost wrote.
func marked(body string) bool {
	marker, _ := mapping.WrittenMarker(body)
	return marker != ""
}

// Judge decides what to do for a delivery. It sets Skip to the reason why Milepost does
// nothing, or to "" if the entity is to be synced. It logs what it skips, because no sync
// will.
func (r *Syncer) Judge(ctx context.Context, d *store.Delivery) {
	d.Skip = r.Skip(ctx, *d)
	if d.Skip != "" {
		return
	}
	if t, ok := eventTriggers[d.Type]; ok && r.live().Notes(t) {
		d.Happened = string(t)
	}
	if t, ok := deletedTriggers[mapping.Kind(d.Entity.Kind)]; ok && d.Deleted {
		d.KeepLast = r.live().Notes(t)
	}
}
