package sync

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"milepost/internal/fingerprint"
	"milepost/internal/store"
	"milepost/mapping"
)

// Some triggers hold once something has happened to a record that the record does
// not show itself: it was created, its stage changed. An event says so; and since
// events get lost, each sync compares what it reads with what was read before.

// eventTriggers are the triggers that hold once HighLevel sent an event of a type.
var eventTriggers = map[string]mapping.Trigger{
	"ContactCreate":                  mapping.ContactCreated,
	"ContactDndUpdate":               mapping.ContactDNDChanged,
	"NoteCreate":                     mapping.NoteCreated,
	"AppointmentCreate":              mapping.AppointmentCreated,
	"OpportunityCreate":              mapping.OpportunityCreated,
	"OpportunityStageUpdate":         mapping.OpportunityStage,
	"OpportunityStatusUpdate":        mapping.OpportunityStatus,
	"OpportunityMonetaryValueUpdate": mapping.OpportunityValue,
	"OpportunityAssignedToUpdate":    mapping.OpportunityAssignee,
}

// createdTriggers hold for records of a kind whose creation was noticed.
var createdTriggers = map[mapping.Kind]mapping.Trigger{
	mapping.KindContact: mapping.ContactCreated, mapping.KindNote: mapping.NoteCreated,
	mapping.KindAppointment: mapping.AppointmentCreated, mapping.KindOpportunity: mapping.OpportunityCreated,
}

// deletedTriggers hold for records of a kind that are deleted.
var deletedTriggers = map[mapping.Kind]mapping.Trigger{
	mapping.KindContact: mapping.ContactDeleted, mapping.KindTask: mapping.TaskDeleted, mapping.KindNote: mapping.NoteDeleted,
	mapping.KindAppointment: mapping.AppointmentDeleted, mapping.KindOpportunity: mapping.OpportunityDeleted,
}

// createdLately is how old a record may be that is read for the first time, to be
// taken for a new one whose event was lost. A walk looks at a contact's notes once a
// day.
const createdLately = 48 * time.Hour

// parts are the digests of the parts of a record whose changes are noted, by the
// trigger that then holds.
type parts map[mapping.Trigger]string

func partsOf(kind mapping.Kind, f mapping.Facts, dnd string) parts {
	switch kind {
	case mapping.KindContact:
		return parts{mapping.ContactDNDChanged: fingerprint.Of(dnd)}
	case mapping.KindTask:
		t := f.Task
		if due, err := time.Parse(time.RFC3339, t.Due); err == nil {
			t.Due = due.UTC().Format(time.RFC3339)
		}
		t.Completed = false
		return parts{mapping.TaskEdited: fingerprint.Of(t)}
	case mapping.KindOpportunity:
		o := f.Opportunity
		return parts{
			mapping.OpportunityStage: fingerprint.Of([]string{o.PipelineID, o.StageID}), mapping.OpportunityStatus: fingerprint.Of(o.Status),
			mapping.OpportunityValue: fingerprint.Of(o.Value), mapping.OpportunityAssignee: fingerprint.Of(o.AssignedTo),
		}
	}
	return nil
}

// partsMoved are the parts of the task after Milepost moved it: that is no edit of a
// person. "" = none are noted.
func (s *entitySync) partsMoved(due time.Time) string {
	if s.parts == "" {
		return ""
	}
	moved := s.facts
	moved.Task.Due = due.UTC().Format(time.RFC3339)
	return partsOf(mapping.KindTask, moved, "").text()
}

// text is the stored form; "" if there are none.
func (p parts) text() string {
	if len(p) == 0 {
		return ""
	}
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // of texts
	}
	return string(b)
}

// noteHappened adds to the facts what happened to the record. What is found to have
// happened since it was last read is noted when the sync ends.
func (s *entitySync) noteHappened(ctx context.Context, state store.EntityState, needs mapping.Needs, facts *mapping.Facts) error {
	kind := mapping.Kind(state.Kind)
	if !needs.Happened || kind == mapping.KindMeeting {
		return nil
	}
	triggers, tags, err := s.store.Happenings(ctx, state.Entity)
	if err != nil {
		return err
	}
	s.happened, facts.Happened = map[string]time.Time{}, map[mapping.Trigger]time.Time{}
	for trigger, at := range triggers {
		facts.Happened[mapping.Trigger(trigger)] = at
	}
	note := func(t mapping.Trigger) {
		if _, noted := facts.Happened[t]; !noted {
			facts.Happened[t], s.happened[string(t)] = s.now(), s.now()
		}
	}
	is := partsOf(kind, *facts, s.dnd)
	var was parts
	if json.Unmarshal([]byte(state.Parts), &was) == nil {
		for t, before := range was {
			if now, ok := is[t]; ok && now != before {
				note(t)
			}
		}
	}
	s.parts = is.text()
	if t, ok := createdTriggers[kind]; ok && neverRead(state) {
		lately, err := s.createdLately(ctx, kind, *facts)
		if err != nil {
			return err
		}
		if lately {
			note(t)
		}
	}
	if kind == mapping.KindContact {
		s.noteTags(tags, facts)
	}
	return nil
}

// createdLately reports whether a record was created so lately that it is new,
// though no event may have said so.
func (s *entitySync) createdLately(ctx context.Context, kind mapping.Kind, facts mapping.Facts) (bool, error) {
	var added time.Time
	switch kind {
	case mapping.KindContact:
		text, _ := facts.Contact.Fields["date_added"].(string)
		added, _ = time.Parse(time.RFC3339, text) // else it is not told
	case mapping.KindNote:
		added = facts.Note.DateAdded
	case mapping.KindAppointment:
		added = facts.Appointment.Added
	case mapping.KindOpportunity:
		added = facts.Opportunity.Added
	}
	if added.IsZero() || s.now().Sub(added) > createdLately {
		return false, nil
	}
	c, _, err := s.store.Connection(ctx, s.entity.LocationID)
	return added.After(c.CreatedAt), err
}

// noteTags adds since when the contact is known to have the tags that are milestones.
func (s *entitySync) noteTags(known map[string]time.Time, facts *mapping.Facts) {
	s.tagged = map[string]time.Time{}
	milestones := s.automations.MilestoneTags()
	for _, tag := range facts.Contact.Tags {
		if tag = strings.ToLower(strings.TrimSpace(tag)); !milestones[tag] {
			continue
		}
		s.tagged[tag] = s.now()
		if at, noted := known[tag]; noted {
			s.tagged[tag] = at
		}
	}
	facts.Tagged = s.tagged
}
