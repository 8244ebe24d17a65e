package highlevel

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"milepost/internal/sandbox/fakehttp"
)

// Note is a note of a contact. The body may hold HTML.
type Note struct {
	ID, ContactID, LocationID string
	Body, Title, Color        string
	UserID                    string
	Pinned                    bool
	DateAdded                 time.Time
}

func (n *Note) owner() (locationID, contactID string) { return n.LocationID, n.ContactID }

// CreateNote makes a note of the contact in n.ContactID.
func (h *Server) CreateNote(n Note) (Note, error) { return h.newNote(n, true) }

// SeedNote is CreateNote without a webhook.
func (h *Server) SeedNote(n Note) (Note, error) { return h.newNote(n, false) }

func (h *Server) newNote(n Note, tell bool) (made Note, err error) {
	err = with(h, "create note of", "contact", h.contacts, n.ContactID, func(r *contactRecord) error {
		made = *h.insertNote(r, n, tell)
		return nil
	})
	return made, err
}

// UpdateNote lets change edit a note.
func (h *Server) UpdateNote(id string, change func(*Note)) error {
	return edit(h, "update", "note", h.notes, id, value, change, h.replaceNote)
}

// DeleteNote deletes a note.
func (h *Server) DeleteNote(id string) error {
	return remove(h, "delete", "note", h.notes, id, h.removeNote)
}

// Note returns one note, and whether it exists.
func (h *Server) Note(id string) (Note, bool) { return get(h, h.notes, id, value) }

// note finds the note that the path names.
func (h *Server) note(c *call) (*Note, *refusal) { return findOf(h, c, h.notes, "id", "Note") }

func (n *Note) answer() map[string]any {
	a := map[string]any{
		"id": n.ID, "body": n.Body, "contactId": n.ContactID, "dateAdded": fakehttp.ISOMillis(n.DateAdded),
		"userId": orNull(n.UserID), "title": n.Title, "pinned": n.Pinned,
	}
	if n.Color != "" {
		a["color"] = n.Color
	}
	return a
}

func (h *Server) listNotes(c *call, contact *contactRecord) (int, any, *refusal) {
	return http.StatusOK, map[string]any{"notes": answers(contact.notes, (*Note).answer)}, nil
}

func (h *Server) getNote(c *call, note *Note) (int, any, *refusal) {
	return http.StatusOK, map[string]any{"note": note.answer()}, nil
}

func (c *call) applyNote(n Note) Note {
	c.readTexts(map[string]*string{"body": &n.Body, "title": &n.Title, "color": &n.Color, "userId": &n.UserID})
	if pinned, ok := as[bool](c, "pinned"); ok {
		n.Pinned = pinned
	}
	return n
}

func (h *Server) createNote(c *call, contact *contactRecord) (int, any, *refusal) {
	note := h.insertNote(contact, c.applyNote(Note{}), true)
	return http.StatusCreated, map[string]any{"note": note.answer()}, nil
}

func (h *Server) updateNote(c *call, note *Note) (int, any, *refusal) {
	h.replaceNote(note, c.applyNote(*note))
	return http.StatusOK, map[string]any{"note": note.answer()}, nil
}

func (h *Server) deleteNote(c *call, note *Note) (int, any, *refusal) {
	h.removeNote(note)
	return http.StatusOK, c.succeeded(), nil
}

func (h *Server) insertNote(contact *contactRecord, n Note, tell bool) *Note {
	n.ID, n.DateAdded = cmp.Or(n.ID, newID()), cmp.Or(n.DateAdded, h.clock())
	n.ContactID, n.LocationID = contact.ID, contact.LocationID
	note := &n
	h.notes[n.ID] = note
	contact.notes = append(contact.notes, note)
	if tell {
		h.emitNote("NoteCreate", note)
	}
	h.notice.Changed()
	return note
}

func (h *Server) replaceNote(note *Note, n Note) {
	before := *note
	n.ID, n.ContactID, n.LocationID, n.DateAdded = before.ID, before.ContactID, before.LocationID, before.DateAdded
	if n == before {
		return
	}
	*note = n
	h.emitNote("NoteUpdate", note)
	h.notice.Changed()
}

func (h *Server) removeNote(note *Note) {
	h.emitNote("NoteDelete", note)
	delete(h.notes, note.ID)
	contact := h.contacts[note.ContactID]
	contact.notes = slices.DeleteFunc(contact.notes, func(n *Note) bool { return n == note })
	h.notice.Changed()
}
