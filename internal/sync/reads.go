package sync

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/store"
	"milepost/mapping"
)

// reads are what HighLevel showed of a contact and its records in one run of the
// contact's job. All records share them: every event came before the first read, so the
// reads contain what it reported. A write to HighLevel ends them.
type reads struct {
	begun     bool                  // a call was answered
	several   map[mapping.Kind]bool // kinds for which a list costs fewer calls than the single records
	elsewhere bool                  // leave a record to the job of its contact once that is known
	contacts  map[string]answer[highlevel.Contact]
	notes     map[string]answer[[]highlevel.Note]
	tasks     map[string]answer[[]highlevel.Task]
	whole     map[string]bool // complete lists, by kind and contact
	moved     movedTasks
	mailed    []store.Mailed // whom the sync of the present record made the vendors mail
}

// movedTasks are what a search showed for the tasks of a contact that is gone.
type movedTasks struct {
	passed map[string]highlevel.Task // by id
	none   *clients.Error            // why the search ended without a match; then it saw all tasks
}

// answer is what was answered to a call.
type answer[T any] struct {
	value T
	err   error
}

// forget ends what was read.
func (r *reads) forget() {
	r.contacts, r.notes, r.tasks, r.whole, r.moved = nil, nil, nil, nil, movedTasks{}
}

// once asks only if the answer is not known yet.
func once[T any](known *map[string]answer[T], id string, ask func() (T, error)) (T, error) {
	a, ok := (*known)[id]
	if !ok {
		a.value, a.err = ask()
		if *known == nil {
			*known = map[string]answer[T]{}
		}
		(*known)[id] = a
	}
	return a.value, a.err
}

// call makes a call to HighLevel. The first call has the job's priority. Later ones have a
// higher priority, so the rate limiter does not cut off a sync that has begun.
func call[T any](s *entitySync, do func(*highlevel.Client) (T, error)) (T, error) {
	hl := s.startClient
	if s.reads.begun {
		hl = s.followUpClient
	}
	v, err := do(hl)
	s.reads.begun = s.reads.begun || err == nil
	return v, err
}

// writing returns the client for writes to HighLevel. It drops what was read, because a
// write makes it stale.
func (s *entitySync) writing() *highlevel.Client {
	s.reads.forget()
	return s.followUpClient
}

func (s *entitySync) readContact(ctx context.Context, id string) (highlevel.Contact, error) {
	return once(&s.reads.contacts, id, func() (highlevel.Contact, error) {
		return call(s, func(hl *highlevel.Client) (highlevel.Contact, error) { return hl.Contact(ctx, id) })
	})
}

func (s *entitySync) listNotes(ctx context.Context) ([]highlevel.Note, error) {
	return once(&s.reads.notes, s.contactID, func() ([]highlevel.Note, error) {
		return call(s, func(hl *highlevel.Client) ([]highlevel.Note, error) { return hl.Notes(ctx, s.contactID) })
	})
}

func (s *entitySync) listTasks(ctx context.Context) ([]highlevel.Task, error) {
	return once(&s.reads.tasks, s.contactID, func() ([]highlevel.Task, error) {
		return call(s, func(hl *highlevel.Client) ([]highlevel.Task, error) { return hl.Tasks(ctx, s.contactID) })
	})
}

// contactLost returns HighLevel's answer that the contact is gone, if that is confirmed.
// Then nothing else can be read through the contact.
func (s *entitySync) contactLost(ctx context.Context) (said, err error) {
	a, read := s.reads.contacts[s.contactID]
	if !read || clients.ReasonOf(a.err) != clients.NotFound {
		return nil, nil
	}
	if gone, err := s.contactGone(ctx); err != nil || !gone {
		return nil, err
	}
	return a.err, nil
}

// findMoved searches for a task that its contact no longer lists. One search serves all
// tasks of the contact.
func (s *entitySync) findMoved(ctx context.Context) (highlevel.Task, error) {
	m := &s.reads.moved
	if t, ok := m.passed[s.entity.ID]; ok {
		return t, nil
	}
	if m.none != nil {
		own := *m.none
		own.Subject = s.entity.ID
		return highlevel.Task{}, &own
	}
	m.passed = map[string]highlevel.Task{}
	task, err := s.followUpClient.FindTask(ctx, s.entity.LocationID, s.entity.ID, func(t highlevel.Task) { m.passed[t.ID] = t })
	if failed, ok := errors.AsType[*clients.Error](err); ok && failed.Reason == clients.NotFound {
		m.none = failed
	}
	return task, err
}

// readNote reads the note. A list that lacks it proves nothing.
func (s *entitySync) readNote(ctx context.Context) (highlevel.Note, error) {
	said, err := s.contactLost(ctx)
	if said != nil || err != nil {
		s.surelyGone = said != nil
		return highlevel.Note{}, cmp.Or(said, err)
	}
	if _, listed := s.reads.notes[s.contactID]; listed || s.reads.several[mapping.KindNote] {
		notes, err := s.listNotes(ctx)
		for _, n := range notes {
			if err == nil && n.ID == s.entity.ID {
				return n, nil
			}
		}
	}
	return call(s, func(hl *highlevel.Client) (highlevel.Note, error) { return hl.Note(ctx, s.contactID, s.entity.ID) })
}

// taskByContact reads the task. A list that lacks it proves nothing.
func (s *entitySync) taskByContact(ctx context.Context) (highlevel.Task, error) {
	if t, ok := s.conn.found.take(s.entity.ID, s.asked); ok && t.ContactID == s.contactID {
		return t, nil
	}
	if _, listed := s.reads.tasks[s.contactID]; listed || s.reads.several[mapping.KindTask] {
		tasks, err := s.listTasks(ctx)
		for _, t := range tasks {
			if err == nil && t.ID == s.entity.ID {
				return t, nil
			}
		}
	}
	return call(s, func(hl *highlevel.Client) (highlevel.Task, error) { return hl.Task(ctx, s.contactID, s.entity.ID) })
}

// foundTasks are the results of a search for tasks whose contacts are not known. One
// search serves all tasks that wait for it.
type foundTasks struct {
	mu    sync.Mutex // held during a search, so that the others wait for its answer
	tasks map[string]foundTask
}

type foundTask struct {
	highlevel.Task
	asked int64 // the entity's Wanted before the search
}

const mostFoundTasks = 1000

// take returns a task if a search found it after the last event on it.
func (f *foundTasks) take(id string, asked int64) (highlevel.Task, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t, ok := f.tasks[id]
	delete(f.tasks, id)
	return t.Task, ok && t.asked == asked
}

// errElsewhere ends a sync in a record's own job if the job of its contact must work it.
var errElsewhere = errors.New("the record is worked with its contact")

// findTask searches for the task. The same search finds the other tasks of the location
// that wait for a sync and whose contact is not known.
func (s *entitySync) findTask(ctx context.Context) (highlevel.Task, error) {
	s.conn.found.mu.Lock()
	defer s.conn.found.mu.Unlock()
	owed, err := s.store.OwedWithoutContact(ctx, s.entity.LocationID)
	if err != nil {
		return highlevel.Task{}, err
	}
	asked := map[string]int64{}
	for _, state := range owed {
		asked[state.ID] = state.Wanted
	}
	if _, unknown := asked[s.entity.ID]; !unknown && s.reads.elsewhere {
		return highlevel.Task{}, errElsewhere // another search found it
	}
	asked[s.entity.ID] = s.asked
	var found []highlevel.Task
	task, err := call(s, func(hl *highlevel.Client) (highlevel.Task, error) {
		return hl.FindTask(ctx, s.entity.LocationID, s.entity.ID, func(t highlevel.Task) {
			if _, ok := asked[t.ID]; ok && t.ContactID != "" {
				found = append(found, t)
			}
		})
	})
	if learnErr := s.learn(ctx, found, asked); learnErr != nil {
		return task, learnErr
	}
	if err == nil && s.reads.elsewhere && task.ContactID != "" {
		err = errElsewhere
	}
	return task, err
}

// learn stores the contacts of the found tasks, and keeps the tasks for the jobs of these
// contacts. It does so before anything reads the contacts. So a later change of a contact
// queues its tasks again, even if a sync of them is running.
func (s *entitySync) learn(ctx context.Context, found []highlevel.Task, asked map[string]int64) error {
	f := &s.conn.found
	if f.tasks == nil || len(f.tasks) > mostFoundTasks {
		f.tasks = map[string]foundTask{}
	}
	contactOf := map[store.Entity]string{}
	for _, t := range found {
		contactOf[store.Entity{LocationID: s.entity.LocationID, Kind: string(mapping.KindTask), ID: t.ID}] = t.ContactID
		if s.reads.elsewhere {
			f.tasks[t.ID] = foundTask{t, asked[t.ID]}
		}
	}
	return s.store.LearnContacts(ctx, contactOf, s.reads.elsewhere)
}
