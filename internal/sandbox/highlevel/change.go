package highlevel

import (
	"cmp"
	"fmt"
	"slices"
)

// What a person does to contacts in HighLevel's own pages: each change here sends
// the webhooks that HighLevel would send. Each returns an error when the contact
// does not exist. Other records have such methods in their own files.

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
		return Contact{}, fmt.Errorf("create contact: %s has the same %s", cmp.Or(other.Name(), other.ID), by)
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
	return with(h, "update", "contact", h.contacts, id, func(r *contactRecord) error {
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
	return with(h, "set custom fields of", "contact", h.contacts, contactID, func(r *contactRecord) error {
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
	return with(h, "add tags to", "contact", h.contacts, contactID, func(r *contactRecord) error {
		h.replaceTags(r, append(slices.Clone(r.Tags), tags...))
		return nil
	})
}

// RemoveTags takes tags from a contact.
func (h *Server) RemoveTags(contactID string, tags ...string) error {
	return with(h, "remove tags from", "contact", h.contacts, contactID, func(r *contactRecord) error {
		h.replaceTags(r, without(r.Tags, tags))
		return nil
	})
}

// DeleteContact deletes a contact with its tasks and notes.
func (h *Server) DeleteContact(id string) error {
	return remove(h, "delete", "contact", h.contacts, id, h.removeContact)
}

// MergeContact gives a contact's tasks to another one and deletes it, as a
// merge of two contacts does: no event tells that the tasks moved.
func (h *Server) MergeContact(id, into string) error {
	return with(h, "merge", "contact", h.contacts, id, func(from *contactRecord) error {
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
