package reconcile

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/mapping"
)

// read fetches the entity's record, and with it what the automations need. It
// fails with clients.NotFound when the record, or the contact it belongs to,
// no longer exists.
func (s *entitySync) read(ctx context.Context, needs mapping.Needs) (facts mapping.Facts, err error) {
	facts.Now = s.now()
	switch mapping.Kind(s.entity.Kind) {
	case mapping.KindContact:
		s.contactID = s.entity.ID
		needs.Contact = true
	case mapping.KindTask:
		if facts.Task, err = s.readTask(ctx); err != nil {
			return facts, err
		}
		if facts.Task.Written, err = s.wrote(ctx, facts.Task.Body); err != nil {
			return facts, err
		}
	case mapping.KindNote:
		if s.contactID == "" {
			return facts, &clients.Error{
				API: "HighLevel", Operation: "get note", Subject: s.entity.ID, Reason: clients.Invalid,
				Message: "the event names no contact, and HighLevel shows a note only through its contact",
			}
		}
		note, err := s.readNote(ctx)
		if err != nil {
			return facts, err
		}
		facts.Note = noteFacts(note)
		if facts.Note.Written, err = s.wrote(ctx, note.Body); err != nil {
			return facts, err
		}
	case mapping.KindWorkflow:
		if facts.Workflow, needs, err = s.readWorkflow(ctx, needs); err != nil {
			return facts, err
		}
		facts.Contact.ID = s.contactID
	case mapping.KindMeeting:
		facts.Contact.ID = s.contactID
	case mapping.KindCalendarContact:
		if facts.CalendarContact, err = s.readCalendarContact(ctx); err != nil {
			return facts, err
		}
	}
	if needs.Contact || needs.CustomFields {
		contact, err := s.readContact(ctx, s.contactID)
		if err != nil {
			return facts, err
		}
		var definitions []highlevel.CustomField
		if needs.CustomFields {
			if definitions, err = s.conn.customFields(ctx, s.now(), contact); err != nil {
				return facts, beside(err)
			}
		}
		facts.Contact = contactFacts(contact, definitions)
		if s.entity.ID == contact.ID {
			s.mark = contact.DateUpdated
			s.changedAt, _ = time.Parse(time.RFC3339, contact.DateUpdated) // else it is not told
		}
	}
	if needs.Notes {
		notes, err := s.contactNotes(ctx)
		if err != nil {
			return facts, err
		}
		for _, n := range notes {
			note := noteFacts(n)
			if note.Written, err = s.wrote(ctx, n.Body); err != nil {
				return facts, err
			}
			facts.Notes = append(facts.Notes, note)
		}
	}
	var remark string
	facts.Location, remark, err = s.conn.location(ctx, s.now())
	if remark != "" {
		s.notes = append(s.notes, remark)
	}
	return facts, beside(err)
}

// contactNotes are the contact's notes.
func (s *entitySync) contactNotes(ctx context.Context) ([]highlevel.Note, error) {
	notes, err := s.listNotes(ctx)
	if err != nil {
		return nil, err
	}
	return notes, listsAll(ctx, s, mapping.KindNote, notes, func(n highlevel.Note) string { return n.ID }, s.then.Note)
}

// contactTasks are the contact's tasks.
func (s *entitySync) contactTasks(ctx context.Context) ([]highlevel.Task, error) {
	tasks, err := s.listTasks(ctx)
	if err != nil {
		return nil, err
	}
	return tasks, listsAll(ctx, s, mapping.KindTask, tasks, func(t highlevel.Task) string { return t.ID }, s.then.Task)
}

// listsAll makes sure that a list of a contact's notes or tasks that lacks one that
// is known is not wrong: a request would be replaced for it, which mails people, or
// a note written twice.
func listsAll[T any](ctx context.Context, s *entitySync, kind mapping.Kind, list []T, id func(T) string, get func(ctx context.Context, contactID, id string) (T, error)) error {
	of := string(kind) + " " + s.contactID
	if s.reads.whole[of] {
		return nil
	}
	seen, err := s.store.SeenOf(ctx, s.entity.LocationID, s.contactID, string(kind))
	if err != nil {
		return err
	}
	for _, v := range list {
		delete(seen, id(v))
	}
	if len(seen) > 0 {
		_, err = get(ctx, s.contactID, slices.Min(slices.Collect(maps.Keys(seen)))) // one of them tells
		switch {
		case err == nil:
			return &clients.Error{
				API: highLevelAPI, Operation: fmt.Sprintf("list %ss of contact", kind), Subject: s.contactID, Reason: clients.Unavailable,
				Message: fmt.Sprintf("the list lacks a %s that is there", kind),
			}
		case clients.ReasonOf(err) != clients.NotFound:
			return beside(err)
		}
	}
	if s.reads.whole == nil {
		s.reads.whole = map[string]bool{}
	}
	s.reads.whole[of] = true
	return nil
}

// wrote reports whether a note or task with this body was written by Milepost
// itself. Anybody can write what looks like its marker.
func (s *entitySync) wrote(ctx context.Context, body string) (bool, error) {
	marker := mapping.WrittenMarker(body)
	if marker == "" {
		return false, nil
	}
	if ours, err := s.store.WroteInHighLevel(ctx, s.entity.LocationID, marker); ours || err != nil {
		return ours, err
	}
	return s.wroteUnknown(ctx, marker)
}

// beside is the failure to read what is no part of the record. "Not found"
// says there that something is wrong, not that the record was deleted.
func beside(err error) error {
	if failed, ok := errors.AsType[*clients.Error](err); ok && failed.Reason == clients.NotFound {
		own := *failed
		own.Reason = clients.Unavailable
		return &own
	}
	return err
}

// readTask fetches the task. A TaskCreate webhook really comes without its
// contact, by which alone a task can be read: then the task search finds both.
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
	return taskFacts(task), nil
}

func taskFacts(t highlevel.Task) mapping.Task {
	return mapping.Task{ID: t.ID, Title: t.Title, Body: t.Body, AssignedTo: t.AssignedTo, Due: t.DueDate, Completed: t.Completed}
}

// taskOfContact fetches the task through its contact. Where that contact is
// gone, the task may have moved: merging two contacts gives the tasks of one to
// the other, without any event. The task search then tells whose it is.
func (s *entitySync) taskOfContact(ctx context.Context) (highlevel.Task, error) {
	task, err := s.taskByContact(ctx)
	if clients.ReasonOf(err) != clients.NotFound {
		return task, err
	}
	if _, contactErr := s.readContact(ctx, s.contactID); clients.ReasonOf(contactErr) != clients.NotFound {
		return task, cmp.Or(contactErr, err)
	}
	found, findErr := s.then.FindTask(ctx, s.entity.LocationID, s.entity.ID, nil)
	if findErr != nil {
		if clients.ReasonOf(findErr) == clients.NotFound && !errors.Is(findErr, highlevel.ErrNoTasks) {
			if s.surelyGone, err = s.contactGone(ctx); err != nil {
				return task, err
			}
		}
		return task, findErr
	}
	if found.ContactID == "" || found.ContactID == s.contactID {
		return task, err // the search lags behind
	}
	s.contactID = found.ContactID
	if err := s.store.LearnContact(ctx, s.entity, s.contactID); err != nil {
		return task, err
	}
	return s.then.Task(ctx, s.contactID, s.entity.ID)
}

func noteFacts(n highlevel.Note) mapping.Note {
	added, _ := time.Parse(time.RFC3339, n.DateAdded) // only orders the notes
	return mapping.Note{ID: n.ID, Body: n.Body, Title: n.Title, UserID: n.UserID, DateAdded: added}
}

// contactFacts names a contact's fields as HighLevel's merge fields do. Custom
// fields come by id alone; the location's definitions give their keys.
func contactFacts(c highlevel.Contact, definitions []highlevel.CustomField) mapping.Contact {
	values := make(map[string]any, len(c.CustomFields))
	for _, f := range c.CustomFields {
		var v any
		if json.Unmarshal(f.Value, &v) == nil { // else it is unset
			values[f.ID] = v
		}
	}
	custom := make(map[string]mapping.CustomField, len(definitions))
	for _, d := range definitions {
		custom[d.Key] = mapping.CustomField{Name: d.Name, Type: d.Type, Value: values[d.ID]}
	}
	return mapping.Contact{ID: c.ID, Tags: c.Tags, Custom: custom, Fields: map[string]any{
		"id": c.ID, "first_name": c.FirstName, "last_name": c.LastName, "name": fullName(c),
		"email": c.Email, "phone": c.Phone, "company_name": c.CompanyName,
		"address1": c.Address1, "city": c.City, "state": c.State, "country": c.Country, "postal_code": c.PostalCode,
		"website": c.Website, "timezone": c.Timezone, "source": c.Source, "type": c.Type,
		"assigned_to": c.AssignedTo, "date_of_birth": c.DateOfBirth, "date_added": c.DateAdded,
	}}
}

// fullName prefers the parts, whose casing HighLevel keeps.
func fullName(c highlevel.Contact) string {
	return cmp.Or(strings.TrimSpace(c.FirstName+" "+c.LastName), c.Name)
}
