package highlevel

import "slices"

// Contacts returns all contacts as they were made.
func (h *Server) Contacts() []Contact {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Contact
	for _, r := range h.sortedContacts(func(*contactRecord) bool { return true }) {
		out = append(out, r.clone())
	}
	return out
}

// Contact returns one contact, and whether it exists.
func (h *Server) Contact(id string) (Contact, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.contacts[id]
	if r == nil {
		return Contact{}, false
	}
	return r.clone(), true
}

// Tags returns the tags of a contact.
func (h *Server) Tags(contactID string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.contacts[contactID]; r != nil {
		return slices.Clone(r.Tags)
	}
	return nil
}

// Tasks returns the tasks of a contact, or with "" of all, as they were made.
func (h *Server) Tasks(contactID string) []Task {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Task
	for _, id := range h.order {
		for _, task := range h.locations[id].tasks {
			if contactID == "" || task.ContactID == contactID {
				out = append(out, *task)
			}
		}
	}
	return out
}

// Notes returns the notes of a contact, or with "" of all, oldest contact first.
func (h *Server) Notes(contactID string) []Note {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Note
	for _, r := range h.sortedContacts(func(r *contactRecord) bool { return contactID == "" || r.ID == contactID }) {
		for _, note := range r.notes {
			out = append(out, *note)
		}
	}
	return out
}
