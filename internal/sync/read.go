package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/facts"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

// read fetches the entity's record, and everything else that the automations need. If the
// record or its contact no longer exists, it fails with clients.NotFound.
func (s *entitySync) read(ctx context.Context, needs mapping.Needs) (mapping.Facts, error) {
	read := mapping.Facts{Now: s.now()}
	needs, err := s.readRecord(ctx, needs, &read)
	if err != nil {
		return read, err
	}
	if needs.Contact || needs.CustomFields {
		if err := s.readContactFacts(ctx, needs.CustomFields, &read); err != nil {
			return read, err
		}
	}
	if needs.Notes {
		if err := s.readNotes(ctx, &read); err != nil {
			return read, err
		}
	}
	var remark string
	read.Location, remark, err = s.conn.Location(ctx)
	if remark != "" {
		s.notes = append(s.notes, remark)
	}
	return read, outcome.NonRecord(err)
}

// readRecord reads the record itself. It returns what else is needed.
func (s *entitySync) readRecord(ctx context.Context, needs mapping.Needs, read *mapping.Facts) (_ mapping.Needs, err error) {
	switch mapping.Kind(s.entity.Kind) {
	case mapping.KindContact:
		s.contactID = s.entity.ID
		needs.Contact = true
	case mapping.KindTask:
		if read.Task, err = s.readTask(ctx); err == nil {
			read.Task.Written, err = s.wrote(ctx, read.Task.Body)
		}
	case mapping.KindNote:
		if s.contactID == "" {
			return needs, &clients.Error{
				API: "HighLevel", Operation: "get note", Subject: s.entity.ID, Reason: clients.Invalid,
				Message: "the event names no contact, and HighLevel shows a note only through its contact",
			}
		}
		var note highlevel.Note
		if note, err = s.readNote(ctx); err == nil {
			read.Note, err = s.noteFacts(ctx, note)
		}
	case mapping.KindWorkflow:
		read.Workflow, needs, err = s.readWorkflow(ctx, needs)
		read.Contact.ID = s.contactID
	case mapping.KindAppointment:
		read.Appointment, err = s.readAppointment(ctx)
	case mapping.KindOpportunity:
		read.Opportunity, err = s.readOpportunity(ctx, needs)
	case mapping.KindMeeting:
		read.Contact.ID = s.contactID
	case mapping.KindCalendarContact:
		read.CalendarContact, err = s.readCalendarContact(ctx)
	}
	return needs, err
}

// readContactFacts reads the contact of the record, with its custom fields if they are
// needed.
func (s *entitySync) readContactFacts(ctx context.Context, customFields bool, read *mapping.Facts) error {
	contact, err := s.readContact(ctx, s.contactID)
	if err != nil {
		return err
	}
	var definitions []highlevel.CustomField
	if customFields {
		if definitions, err = s.conn.CustomFields(ctx, contact); err != nil {
			return outcome.NonRecord(err)
		}
	}
	read.Contact = facts.Contact(contact, definitions)
	name, _ := read.Contact.Fields["name"].(string)
	s.card = &store.Contact{LocationID: s.entity.LocationID, ID: contact.ID, Name: name, Email: contact.Email, Phone: contact.Phone, ChangedAt: s.now()}
	if s.entity.ID == contact.ID {
		s.dnd, s.mark = facts.DND(contact), contact.DateUpdated
		s.changedAt, _ = time.Parse(time.RFC3339, contact.DateUpdated) // else it is unknown
	}
	return nil
}

// readNotes reads the notes of the contact.
func (s *entitySync) readNotes(ctx context.Context, read *mapping.Facts) error {
	notes, err := s.contactNotes(ctx)
	if err != nil {
		return err
	}
	for _, n := range notes {
		note, err := s.noteFacts(ctx, n)
		if err != nil {
			return err
		}
		read.Notes = append(read.Notes, note)
	}
	return nil
}

func (s *entitySync) noteFacts(ctx context.Context, n highlevel.Note) (note mapping.Note, err error) {
	note = facts.Note(n)
	note.Written, err = s.wrote(ctx, n.Body)
	return note, err
}

// contactNotes are the contact's notes.
func (s *entitySync) contactNotes(ctx context.Context) ([]highlevel.Note, error) {
	notes, err := s.listNotes(ctx)
	if err != nil {
		return nil, err
	}
	return notes, listsAll(ctx, s, mapping.KindNote, notes, func(n highlevel.Note) string { return n.ID }, s.followUpClient.Note)
}

// contactTasks are the contact's tasks.
func (s *entitySync) contactTasks(ctx context.Context) ([]highlevel.Task, error) {
	tasks, err := s.listTasks(ctx)
	if err != nil {
		return nil, err
	}
	return tasks, listsAll(ctx, s, mapping.KindTask, tasks, func(t highlevel.Task) string { return t.ID }, s.followUpClient.Task)
}

// listsAll checks a list of a contact's notes or tasks that lacks a known one. A wrong
// list would replace a request, which mails people, or write a note twice.
func listsAll[T any](ctx context.Context, s *entitySync, kind mapping.Kind, list []T, id func(T) string, get func(ctx context.Context, contactID, id string) (T, error)) error {
	of := string(kind) + " " + s.contactID
	if s.reads.whole[of] {
		return nil
	}
	listed := map[string]bool{}
	for _, v := range list {
		listed[id(v)] = true
	}
	lacks, err := s.unlisted(ctx, kind, listed)
	if err != nil {
		return err
	}
	for _, one := range lacks {
		_, err = get(ctx, s.contactID, one)
		switch {
		case err == nil:
			return &clients.Error{
				API: highLevelAPI, Operation: fmt.Sprintf("list %ss of contact", kind), Subject: s.contactID, Reason: clients.Unavailable,
				Message: fmt.Sprintf("the list lacks a %s that is there", kind),
			}
		case clients.ReasonOf(err) != clients.NotFound:
			return outcome.NonRecord(err)
		}
	}
	if s.reads.whole == nil {
		s.reads.whole = map[string]bool{}
	}
	s.reads.whole[of] = true
	return nil
}

// unlisted returns a few of the contact's notes or tasks that a list should show but does
// not: one that was read before, and some named by recent events. A restored database may
// know none of them, so the task search also counts if a list of tasks is empty.
func (s *entitySync) unlisted(ctx context.Context, kind mapping.Kind, listed map[string]bool) (ids []string, err error) {
	seen, err := s.store.LastSeenOf(ctx, s.entity.LocationID, s.contactID, string(kind))
	if err != nil {
		return nil, err
	}
	for id := range seen {
		if !listed[id] && (len(ids) == 0 || id < ids[0]) {
			ids = []string{id}
		}
	}
	told, err := s.store.ToldOf(ctx, s.entity.LocationID, s.contactID, string(kind), 3)
	if err != nil {
		return nil, err
	}
	if kind == mapping.KindTask && len(listed)+len(ids)+len(told) == 0 {
		tasks, err := s.followUpClient.SearchTasks(ctx, s.entity.LocationID, highlevel.TaskSearch{ContactIDs: []string{s.contactID}, Limit: 1})
		if err != nil {
			return nil, outcome.NonRecord(err)
		}
		for _, t := range tasks {
			ids = append(ids, t.ID)
		}
	}
	for _, id := range told {
		if !listed[id] {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// wrote reports whether Milepost itself wrote a note or task with this body. Anybody can
// write a text that looks like its marker.
func (s *entitySync) wrote(ctx context.Context, body string) (bool, error) {
	marker, check := mapping.WrittenMarker(body)
	switch {
	case marker == "":
		return false, nil
	case check != "" && slices.Contains(s.checks(marker), check):
		return true, nil
	}
	if ours, err := s.store.WroteInHighLevel(ctx, s.entity.LocationID, marker); ours || err != nil {
		return ours, err
	}
	return s.wroteUnknown(ctx, marker)
}

// readTask fetches the task. A task can only be read through its contact, but a TaskCreate
// webhook comes without one. Then the task search finds both.
func (s *entitySync) readTask(ctx context.Context) (mapping.Task, error) {
	var task highlevel.Task
	var err error
	if s.contactID == "" {
		if task, err = s.findTask(ctx); err != nil {
			return mapping.Task{}, err
		}
		s.contactID = task.ContactID
	} else if task, err = s.taskOfContact(ctx); err != nil {
		return mapping.Task{}, err
	}
	return facts.Task(task), nil
}

// taskOfContact fetches the task through its contact. If the contact is gone, the task may
// have moved: merging two contacts moves the tasks of one to the other, without an event.
// Then the task search returns the task's contact.
func (s *entitySync) taskOfContact(ctx context.Context) (highlevel.Task, error) {
	said, err := s.contactLost(ctx)
	if err != nil {
		return highlevel.Task{}, err
	}
	task, err := highlevel.Task{}, said
	if said == nil {
		task, err = s.taskByContact(ctx)
		if clients.ReasonOf(err) != clients.NotFound {
			return task, err
		}
		if _, contactErr := s.readContact(ctx, s.contactID); clients.ReasonOf(contactErr) != clients.NotFound {
			return task, cmp.Or(contactErr, err)
		}
	}
	found, findErr := s.findMoved(ctx)
	if clients.ReasonOf(findErr) == clients.NotFound && !errors.Is(findErr, highlevel.ErrNoTasks) {
		if s.surelyGone, err = s.contactGone(ctx); err != nil {
			return task, err
		}
	}
	if findErr != nil {
		return task, findErr
	}
	if found.ContactID == "" || found.ContactID == s.contactID {
		return task, err // the search lags behind
	}
	s.contactID = found.ContactID
	if err := s.store.LearnContact(ctx, s.entity, s.contactID); err != nil {
		return task, err
	}
	return s.followUpClient.Task(ctx, s.contactID, s.entity.ID)
}
