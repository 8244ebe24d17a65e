package highlevel

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/internal/sandbox/fakehttp"
)

// AppointmentNote is a note of an appointment.
type AppointmentNote struct {
	ID, Body, UserID string
	DateAdded        time.Time
}

var appointmentNoteDTO = dto{"userId": text(), "body": required(aString)}

// longestAppointmentNote is HighLevel's limit, in characters.
const longestAppointmentNote = 5000

// SeedAppointmentNote adds a note to an appointment.
func (h *Server) SeedAppointmentNote(appointmentID string, note AppointmentNote) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.appointments[appointmentID]; r != nil {
		if note.DateAdded.IsZero() {
			note.DateAdded = h.clock()
		}
		r.notes = append(r.notes, note)
	}
}

func (r *appointmentRecord) noteAnswer(note AppointmentNote) map[string]any {
	return map[string]any{
		"id": note.ID, "body": note.Body, "userId": orNull(note.UserID), "dateAdded": fakehttp.ISOMillis(note.DateAdded),
		"contactId": orNull(r.ContactID), "createdBy": nil,
	}
}

// notedAppointment finds the appointment that the path names.
func (h *Server) notedAppointment(c *call) (*appointmentRecord, *refusal) {
	r, no := find(c, h.appointments, "appointmentId", "Appointment")
	if no == nil && r.blocks {
		no = refuse(http.StatusBadRequest, "Appointment with id %s not found", r.ID)
	}
	return r, no
}

// appointmentNote finds the note that the path names.
func (h *Server) appointmentNote(c *call) (*appointmentRecord, int, *refusal) {
	r, no := h.notedAppointment(c)
	if no != nil {
		return nil, 0, no
	}
	id := chi.URLParam(c.r, "noteId")
	i := slices.IndexFunc(r.notes, func(note AppointmentNote) bool { return note.ID == id })
	if i < 0 {
		return nil, 0, refuse(http.StatusBadRequest, "Note with id %s not found", id)
	}
	return r, i, nil
}

func (h *Server) listAppointmentNotes(c *call, r *appointmentRecord) (int, any, *refusal) {
	values, no := c.query([]string{"limit", "offset"})
	if no != nil {
		return 0, nil, no
	}
	limit, err := strconv.Atoi(values["limit"])
	offset, err2 := strconv.Atoi(values["offset"])
	if err != nil || err2 != nil || limit < 1 || limit > 20 || offset < 0 {
		return 0, nil, refuse(http.StatusBadRequest, "limit must be from 1 to 20, offset from 0")
	}
	notes := []any{}
	for _, note := range page(r.notes, values["offset"], values["limit"]) {
		notes = append(notes, r.noteAnswer(note))
	}
	return http.StatusOK, map[string]any{"notes": notes, "hasMore": offset+len(notes) < len(r.notes)}, nil
}

// applyAppointmentNote writes the body into a note.
func (c *call) applyAppointmentNote(note AppointmentNote) (AppointmentNote, *refusal) {
	note.Body, _ = c.str("body")
	if len([]rune(note.Body)) > longestAppointmentNote {
		return note, refuse(http.StatusBadRequest, "body must be shorter than or equal to %d characters", longestAppointmentNote)
	}
	if user, ok := c.str("userId"); ok {
		note.UserID = user
	}
	return note, nil
}

func (h *Server) createAppointmentNote(c *call, r *appointmentRecord) (int, any, *refusal) {
	note, no := c.applyAppointmentNote(AppointmentNote{ID: newID(), DateAdded: h.clock()})
	if no != nil {
		return 0, nil, no
	}
	r.notes = append(r.notes, note)
	h.notice.Changed()
	return http.StatusCreated, map[string]any{"note": r.noteAnswer(note)}, nil
}

func (h *Server) updateAppointmentNote(c *call, r *appointmentRecord, i int) (int, any, *refusal) {
	note, no := c.applyAppointmentNote(r.notes[i])
	if no != nil {
		return 0, nil, no
	}
	r.notes[i] = note
	h.notice.Changed()
	return http.StatusOK, map[string]any{"note": r.noteAnswer(note)}, nil
}

func (h *Server) deleteAppointmentNote(c *call, r *appointmentRecord, i int) (int, any, *refusal) {
	r.notes = slices.Delete(r.notes, i, i+1)
	h.notice.Changed()
	return http.StatusOK, map[string]any{"success": true}, nil
}
