package highlevel

import (
	"fmt"
	"slices"
)

// What a person does in HighLevel's own pages: each change here sends the
// webhooks that HighLevel would send. Each returns an error when the record
// does not exist.

// CreateContact makes a contact; an empty LocationID means the first location,
// and an empty ID makes one. Keys of CustomFields may be field ids or keys.
func (h *Server) CreateContact(c Contact) (Contact, error) { return h.newContact(c, true) }

// SeedContact is CreateContact without a webhook.
func (h *Server) SeedContact(c Contact) (Contact, error) { return h.newContact(c, false) }

func (h *Server) newContact(c Contact, tell bool) (Contact, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.LocationID == "" && len(h.order) > 0 {
		c.LocationID = h.order[0]
	}
	if h.locations[c.LocationID] == nil {
		return Contact{}, fmt.Errorf("create contact: no location %q", c.LocationID)
	}
	if h.contacts[c.ID] != nil {
		return Contact{}, fmt.Errorf("create contact: %s exists", c.ID)
	}
	if other, by := h.duplicate(c.LocationID, c.Email, c.Phone, ""); other != nil {
		return Contact{}, fmt.Errorf("create contact: %s has the same %s", other.ID, by)
	}
	values := c.CustomFields
	c.CustomFields = nil
	for ref, value := range values {
		if err := h.setField(&c, ref, value); err != nil {
			return Contact{}, fmt.Errorf("create contact: %w", err)
		}
	}
	return h.insertContact(c, tell).clone(), nil
}

// UpdateContact lets change edit a contact. Ids and dates stay as they are,
// and values of custom fields must be in the kept form (use SetCustomField).
// Nothing changed sends nothing.
func (h *Server) UpdateContact(id string, change func(*Contact)) error {
	return h.withContact("update contact", id, func(r *contactRecord) error {
		updated := r.clone()
		change(&updated)
		h.replaceContact(r, updated)
		return nil
	})
}

// SetCustomField writes a custom field by id or key; nil or "" clears it.
func (h *Server) SetCustomField(contactID, idOrKey string, value any) error {
	return h.SetCustomFields(contactID, map[string]any{idOrKey: value})
}

// SetCustomFields writes several custom fields as one change.
func (h *Server) SetCustomFields(contactID string, values map[string]any) error {
	return h.withContact("set custom fields", contactID, func(r *contactRecord) error {
		updated := r.clone()
		for ref, value := range values {
			if err := h.setField(&updated, ref, value); err != nil {
				return err
			}
		}
		h.replaceContact(r, updated)
		return nil
	})
}

// AddTags adds tags to a contact.
func (h *Server) AddTags(contactID string, tags ...string) error {
	return h.withContact("add tags", contactID, func(r *contactRecord) error {
		h.replaceTags(r, append(slices.Clone(r.Tags), tags...))
		return nil
	})
}

// RemoveTags takes tags from a contact.
func (h *Server) RemoveTags(contactID string, tags ...string) error {
	return h.withContact("remove tags", contactID, func(r *contactRecord) error {
		h.replaceTags(r, without(r.Tags, tags))
		return nil
	})
}

// DeleteContact deletes a contact with its tasks and notes.
func (h *Server) DeleteContact(id string) error {
	return h.withContact("delete contact", id, func(r *contactRecord) error {
		h.removeContact(r)
		return nil
	})
}

// MergeContact gives a contact's tasks to another one and deletes it, as a
// merge of two contacts does: no event tells that the tasks moved.
func (h *Server) MergeContact(id, into string) error {
	return h.withContact("merge contact", id, func(from *contactRecord) error {
		to := h.contacts[into]
		if to == nil || to == from {
			return fmt.Errorf("no contact %q to merge into", into)
		}
		for _, task := range from.tasks {
			task.ContactID = to.ID
		}
		to.tasks, from.tasks = append(to.tasks, from.tasks...), nil
		h.removeContact(from)
		return nil
	})
}

func (h *Server) withContact(what, id string, do func(*contactRecord) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.contacts[id]
	if r == nil {
		return fmt.Errorf("%s: no contact %q", what, id)
	}
	if err := do(r); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// CreateTask makes a task of the contact in t.ContactID.
func (h *Server) CreateTask(t Task) (Task, error) { return h.newTask(t, true) }

// SeedTask is CreateTask without a webhook.
func (h *Server) SeedTask(t Task) (Task, error) { return h.newTask(t, false) }

func (h *Server) newTask(t Task, tell bool) (made Task, err error) {
	err = h.withContact("create task", t.ContactID, func(r *contactRecord) error {
		made = h.insertTask(r, t, tell).Task
		return nil
	})
	return made, err
}

// UpdateTask lets change edit a task. HighLevel has no event for that; only
// a completion sends one.
func (h *Server) UpdateTask(id string, change func(*Task)) error {
	return h.withTask("update task", id, func(_ *contactRecord, task *taskRecord) {
		updated := task.Task
		change(&updated)
		h.replaceTask(task, updated)
	})
}

// CompleteTask marks a task as done.
func (h *Server) CompleteTask(id string) error {
	return h.UpdateTask(id, func(t *Task) { t.Completed = true })
}

// DeleteTask deletes a task.
func (h *Server) DeleteTask(id string) error {
	return h.withTask("delete task", id, h.removeTask)
}

func (h *Server) withTask(what, id string, do func(*contactRecord, *taskRecord)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	task := h.tasks[id]
	if task == nil {
		return fmt.Errorf("%s: no task %q", what, id)
	}
	do(h.contacts[task.ContactID], task)
	return nil
}

// CreateNote makes a note of the contact in n.ContactID.
func (h *Server) CreateNote(n Note) (Note, error) { return h.newNote(n, true) }

// SeedNote is CreateNote without a webhook.
func (h *Server) SeedNote(n Note) (Note, error) { return h.newNote(n, false) }

func (h *Server) newNote(n Note, tell bool) (made Note, err error) {
	err = h.withContact("create note", n.ContactID, func(r *contactRecord) error {
		made = h.insertNote(r, n, tell).Note
		return nil
	})
	return made, err
}

// UpdateNote lets change edit a note.
func (h *Server) UpdateNote(id string, change func(*Note)) error {
	return h.withNote("update note", id, func(_ *contactRecord, note *noteRecord) {
		updated := note.Note
		change(&updated)
		h.replaceNote(note, updated)
	})
}

// DeleteNote deletes a note.
func (h *Server) DeleteNote(id string) error {
	return h.withNote("delete note", id, h.removeNote)
}

func (h *Server) withNote(what, id string, do func(*contactRecord, *noteRecord)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	note := h.notes[id]
	if note == nil {
		return fmt.Errorf("%s: no note %q", what, id)
	}
	do(h.contacts[note.ContactID], note)
	return nil
}
