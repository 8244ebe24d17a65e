package sync

import (
	"context"
	"fmt"
	"strings"
	"time"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/fingerprint"
	"milepost/internal/jobs"
	"milepost/internal/meeting"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

// Milepost writes in HighLevel because of what happened in CalendarHero. It writes an item
// once for each change of the item. If a person edits or deletes the object afterwards,
// that stays. Notes and tasks end with a marker. Milepost uses it to find a create whose
// answer was lost, and to recognise the echo of its own write.

// written finds out what happened to the object of an item in HighLevel. The link it
// returns is live or gone. read returns the ids of everything with a marker.
func (s highLevelWrites) written(ctx context.Context, item mapping.Item, content, title string, read func() (writtenIDs, error)) (store.Link, error) {
	link := s.links[item.Key]
	switch {
	case link.State == store.LinkLive:
		return link, nil
	case !link.State.Uncertain():
		return s.adoptWritten(ctx, link, item, content, title, read)
	}
	if err := s.settled(ctx, link); err != nil {
		return link, err
	}
	ids, err := read()
	if err != nil {
		return link, err
	}
	if next, more := outcome.NextCheck(s.now().Sub(link.AttemptedAt), time.Minute); more && ids[link.Marker] == "" {
		// By then its webhook has told of it, should a gateway have answered.
		return link, &outcome.Wait{For: next, Why: "the answer to a create was lost, and HighLevel does not show the " + whatWritten(item.Kind) + "; Milepost checks once more before it creates another one"}
	}
	link.State = store.LinkGone
	if id := ids[link.Marker]; id != "" {
		link.State, link.ObjectID, link.Owned = store.LinkLive, id, true
	}
	if err := s.store.SaveLink(ctx, link, s.now(), nil); err != nil || link.State == store.LinkLive {
		return link, err
	}
	return s.adoptLater(ctx, link, item, content, title, ids) // it was made again before the database went back to this
}

// whatWritten names a kind of item for people.
func whatWritten(kind mapping.ItemKind) string { return strings.ReplaceAll(string(kind), "_", " ") }

// write creates or updates the object of an item in HighLevel.
func (s highLevelWrites) write(ctx context.Context, link store.Link, item mapping.Item, content, title string,
	create func(marker string) (id string, err error), update func(id, marker string) error,
) error {
	what := whatWritten(item.Kind)
	next := store.Link{
		Entity: s.entity, Item: item.Key, ItemKind: string(item.Kind), Automation: item.Automation,
		ObjectID: link.ObjectID, Owned: link.Owned, Marker: link.Marker, Generation: link.Generation, AttemptedAt: link.AttemptedAt,
		Content: content, Title: title,
	}
	if link.State == store.LinkLive {
		next.State = store.LinkLive
		err := update(link.ObjectID, link.Marker)
		if clients.ReasonOf(err) == clients.NotFound { // a person deleted it
			return s.store.SaveLink(ctx, next, s.now(), nil)
		}
		if err != nil {
			return err
		}
		return s.store.SaveLink(ctx, next, s.now(), nil, s.tell(what+" updated", title))
	}
	next.State, next.ObjectID, next.Generation, next.AttemptedAt = store.LinkCreating, "", link.Generation+1, s.now()
	next.Marker = meeting.Marker(next.Entity, next.Item, next.Generation)
	if err := s.store.SaveLink(ctx, next, s.now(), nil); err != nil {
		return err
	}
	id, err := create(next.Marker)
	ctx, cancel := jobs.Detached(ctx)
	defer cancel()
	if err != nil {
		return s.notCreated(ctx, next, err)
	}
	next.State, next.ObjectID, next.Owned = store.LinkLive, id, true
	return s.store.SaveLink(ctx, next, s.now(), nil, s.tell(what+" created", title))
}

// signed returns a body that ends with a marker and a check. The check proves to any
// database that Milepost wrote it.
func (s *entitySync) signed(body, marker string) string {
	if checks := s.checks(marker); len(checks) > 0 {
		marker += "-" + checks[0]
	}
	return meeting.Signed(body, marker)
}

// checks returns the codes that may follow a marker of Milepost in the location.
func (s *entitySync) checks(marker string) []string {
	if s.checksOf == nil {
		return nil
	}
	return s.checksOf(s.entity.LocationID + "\x00" + marker)
}

// highLevelNotes are the notes that automations write in HighLevel.
type highLevelNotes struct{ highLevelWrites }

func (highLevelNotes) texts(item mapping.Item) any { return item.Text }

// apply keeps a note of the contact in HighLevel.
func (s highLevelNotes) apply(ctx context.Context, item mapping.Item) error {
	content, title := fingerprint.OfText(s.texts(item)), meeting.Clip(firstLine(item.Text), 200)
	link, err := s.written(ctx, item, content, title, func() (writtenIDs, error) {
		notes, err := s.contactNotes(ctx)
		ids := writtenIDs{}
		for _, n := range notes {
			ids.add(n.ID, n.Body)
		}
		return ids, err
	})
	if err != nil || link.State == store.LinkLive && link.Content == content {
		return err
	}
	return s.write(ctx, link, item, content, title,
		func(marker string) (string, error) {
			note, err := s.writing().CreateNote(ctx, s.contactID, highlevel.NewNote{Body: s.signed(item.Text, marker)})
			return note.ID, err
		},
		func(id, marker string) error {
			body := s.signed(item.Text, marker)
			_, err := s.writing().UpdateNote(ctx, s.contactID, id, highlevel.NoteFields{Body: &body})
			return err
		})
}

// highLevelTasks are the tasks that automations write in HighLevel.
type highLevelTasks struct{ highLevelWrites }

func (highLevelTasks) texts(item mapping.Item) any {
	return []string{item.Title, item.Text, item.Due.UTC().Format(time.RFC3339), item.AssignedTo}
}

// apply keeps a task of the contact in HighLevel.
func (s highLevelTasks) apply(ctx context.Context, item mapping.Item) error {
	content := fingerprint.OfText(s.texts(item))
	link, err := s.written(ctx, item, content, item.Title, func() (writtenIDs, error) {
		tasks, err := s.contactTasks(ctx)
		ids := writtenIDs{}
		for _, t := range tasks {
			ids.add(t.ID, t.Body)
		}
		return ids, err
	})
	if err != nil || link.State == store.LinkLive && link.Content == content {
		return err
	}
	return s.write(ctx, link, item, content, item.Title,
		func(marker string) (string, error) {
			task, err := s.writing().CreateTask(ctx, s.contactID, highlevel.NewTask{
				Title: item.Title, Body: s.signed(item.Text, marker), DueDate: item.Due, AssignedTo: item.AssignedTo,
			})
			return task.ID, err
		},
		func(id, marker string) error {
			body := s.signed(item.Text, marker)
			fields := highlevel.TaskFields{Title: &item.Title, Body: &body, DueDate: item.Due}
			if item.AssignedTo != "" {
				fields.AssignedTo = &item.AssignedTo
			}
			_, err := s.writing().UpdateTask(ctx, s.contactID, id, fields)
			return err
		})
}

// taskContent returns the digest that tells whether a task was moved or completed.
func taskContent(item mapping.Item) string {
	return fingerprint.Of([]string{item.Due.UTC().Format(time.RFC3339), item.Meeting})
}

// taskChanges complete the task that a meeting was made for, or move it.
type taskChanges struct{ highLevelWrites }

func (taskChanges) texts(mapping.Item) any { return nil }

// apply completes the task of a meeting, or moves it to the meeting's time.
func (s taskChanges) apply(ctx context.Context, item mapping.Item) error {
	if s.facts.Task.ID == "" {
		return fmt.Errorf("automation %q changes the task of a meeting that was made for none", item.Automation)
	}
	if item.Kind == mapping.ItemRescheduleTask && s.superseded[item.Meeting] {
		return nil // the task was given another time, and a new request was just made for that
	}
	link := s.links[item.Key]
	content := taskContent(item)
	if link.State == store.LinkLive && link.Content == content {
		return nil
	}
	link = store.Link{
		Entity: s.entity, Item: item.Key, ItemKind: string(item.Kind), Automation: item.Automation,
		State: store.LinkLive, ObjectID: s.facts.Task.ID, Generation: link.Generation + 1, Content: content, Title: s.facts.Task.Title,
	}
	s.links[item.Key] = link // it is asked for once in a sync
	var err error
	what := "task completed in HighLevel"
	if item.Kind == mapping.ItemCompleteTask {
		if s.facts.Task.Completed {
			return s.store.SaveLink(ctx, link, s.now(), nil)
		}
		_, err = s.writing().CompleteTask(ctx, s.contactID, link.ObjectID, true)
	} else {
		what = "task moved in HighLevel"
		if due, dueErr := time.Parse(time.RFC3339, s.facts.Task.Due); dueErr == nil && meeting.Near(due, item.Due) {
			return s.store.SaveLink(ctx, link, s.now(), nil)
		}
		_, err = s.writing().UpdateTask(ctx, s.contactID, link.ObjectID, highlevel.TaskFields{DueDate: item.Due})
		if err == nil {
			err = requests{s.entitySync}.followed(ctx, item.Meeting, item.Due)
			s.parts = s.partsMoved(item.Due)
		}
	}
	if err != nil {
		return err
	}
	return s.store.SaveLink(ctx, link, s.now(), nil, s.tell(what, link.Title))
}
