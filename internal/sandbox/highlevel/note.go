package highlevel

import (
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

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

type noteRecord struct {
	Note
}

// note finds the contact and the note that the path names.
func (h *Server) note(c *call) (*contactRecord, *noteRecord, *refusal) {
	contact, no := h.contact(c)
	if no != nil {
		return nil, nil, no
	}
	id := chi.URLParam(c.r, "id")
	note := h.notes[id]
	if note == nil || note.ContactID != contact.ID {
		return nil, nil, refuse(h.config.UnknownChildStatus, "Note with id %s not found", id)
	}
	return contact, note, nil
}

func (n *noteRecord) answer() map[string]any {
	a := map[string]any{
		"id": n.ID, "body": n.Body, "contactId": n.ContactID, "dateAdded": fakehttp.ISOMillis(n.DateAdded),
		"userId": nil, "title": n.Title, "pinned": n.Pinned,
	}
	if n.UserID != "" {
		a["userId"] = n.UserID
	}
	if n.Color != "" {
		a["color"] = n.Color
	}
	return a
}

func (h *Server) listNotes(c *call) (int, any, *refusal) {
	contact, no := h.contact(c)
	if no != nil {
		return 0, nil, no
	}
	notes := make([]any, 0, len(contact.notes))
	for _, note := range contact.notes {
		notes = append(notes, note.answer())
	}
	return http.StatusOK, map[string]any{"notes": notes}, nil
}

func (h *Server) getNote(c *call) (int, any, *refusal) {
	_, note, no := h.note(c)
	if no != nil {
		return 0, nil, no
	}
	return http.StatusOK, map[string]any{"note": note.answer()}, nil
}

func (c *call) applyNote(n Note) Note {
	for key, target := range map[string]*string{"body": &n.Body, "title": &n.Title, "color": &n.Color, "userId": &n.UserID} {
		if value, ok := c.str(key); ok {
			*target = value
		}
	}
	if pinned, ok := as[bool](c, "pinned"); ok {
		n.Pinned = pinned
	}
	return n
}

func (h *Server) createNote(c *call) (int, any, *refusal) {
	contact, no := h.contact(c)
	if no != nil {
		return 0, nil, no
	}
	note := h.insertNote(contact, c.applyNote(Note{}), true)
	return http.StatusCreated, map[string]any{"note": note.answer()}, nil
}

func (h *Server) updateNote(c *call) (int, any, *refusal) {
	_, note, no := h.note(c)
	if no != nil {
		return 0, nil, no
	}
	h.replaceNote(note, c.applyNote(note.Note))
	return http.StatusOK, map[string]any{"note": note.answer()}, nil
}

func (h *Server) deleteNote(c *call) (int, any, *refusal) {
	contact, note, no := h.note(c)
	if no != nil {
		return 0, nil, no
	}
	h.removeNote(contact, note)
	return http.StatusOK, c.succeeded(), nil
}

func (h *Server) insertNote(contact *contactRecord, n Note, tell bool) *noteRecord {
	if n.ID == "" {
		n.ID = newID()
	}
	n.ContactID, n.LocationID = contact.ID, contact.LocationID
	if n.DateAdded.IsZero() {
		n.DateAdded = h.clock()
	}
	note := &noteRecord{Note: n}
	h.notes[n.ID] = note
	contact.notes = append(contact.notes, note)
	if tell {
		h.emitNote("NoteCreate", note)
	}
	h.notice.Changed()
	return note
}

func (h *Server) replaceNote(note *noteRecord, n Note) {
	before := note.Note
	n.ID, n.ContactID, n.LocationID, n.DateAdded = before.ID, before.ContactID, before.LocationID, before.DateAdded
	if n == before {
		return
	}
	note.Note = n
	h.emitNote("NoteUpdate", note)
	h.notice.Changed()
}

func (h *Server) removeNote(contact *contactRecord, note *noteRecord) {
	h.emitNote("NoteDelete", note)
	delete(h.notes, note.ID)
	contact.notes = slices.DeleteFunc(contact.notes, func(n *noteRecord) bool { return n == note })
	h.notice.Changed()
}
