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

// Some triggers fire for a change that the record itself does not show: it was created, or
// its stage changed. An event says so. Events get lost, so each sync also compares what it
// reads with what the last one read.

// eventTriggers are the triggers that fire after an event of a type from HighLevel.
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

// createdTriggers fire for new records of a kind.
var createdTriggers = map[mapping.Kind]mapping.Trigger{
	mapping.KindContact: mapping.ContactCreated, mapping.KindNote: mapping.NoteCreated,
	mapping.KindAppointment: mapping.AppointmentCreated, mapping.KindOpportunity: mapping.OpportunityCreated,
}

// deletedTriggers fire for deleted records of a kind.
var deletedTriggers = map[mapping.Kind]mapping.Trigger{
	mapping.KindContact: mapping.ContactDeleted, mapping.KindTask: mapping.TaskDeleted, mapping.KindNote: mapping.NoteDeleted,
	mapping.KindAppointment: mapping.AppointmentDeleted, mapping.KindOpportunity: mapping.OpportunityDeleted,
}

// createdLately is the greatest age at which a record that is read for the first time
// counts as new, with a lost event. The sweep reads a contact's notes once a day.
const createdLately = 48 * time.Hour

// parts are digests of the parts of a record whose changes matter, by the trigger that
// fires.
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

// partsMoved are the parts of the task after Milepost moved it, so that the move does not
// count as an edit by a person. "" = none are stored.
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

// noteHappened adds to the facts what happened to the record. At its end, the sync stores
// what has happened since the last read.
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

// createdLately reports whether a record is so young that it counts as new, even without
// an event.
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

// noteTags adds the times since when the contact has the tags that are milestones.
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
