package highlevel

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"milepost/internal/sandbox/fakehttp"
)

// Appointment is an appointment of a contact in one of HighLevel's calendars.
type Appointment struct {
	ID, LocationID, ContactID string
	CalendarID, GroupID       string // any calendar: the sandbox keeps none
	Title, Notes, Address     string
	Status                    string // "new", "confirmed", "cancelled", "showed", "noshow", "invalid"
	AssignedUserID            string
	Source                    string // in webhooks only
	Start, End                time.Time
	DateAdded, DateUpdated    time.Time
}

// appointmentRecord is an appointment, or a blocked slot, which the same calls delete.
type appointmentRecord struct {
	Appointment
	sequence int64
	blocks   bool
	notes    []AppointmentNote
}

func (r *appointmentRecord) owner() (locationID, contactID string) { return r.LocationID, r.ContactID }

func (r *appointmentRecord) value() Appointment { return r.Appointment }

var (
	appointmentEditDTO = dto{
		"title": text(), "meetingLocationType": among("custom", "zoom", "gmeet", "phone", "address", "ms_teams", "google"),
		"meetingLocationId": text(), "overrideLocationConfig": optional(aBool),
		"appointmentStatus": among("new", "confirmed", "cancelled", "showed", "noshow", "invalid"),
		"assignedUserId":    text(), "description": text(), "address": text(), "ignoreDateRange": optional(aBool),
		"toNotify": optional(aBool), "ignoreFreeSlotValidation": optional(aBool), "rrule": text(),
		"calendarId": text(), "startTime": optional(aDate), "endTime": optional(aDate),
	}
	appointmentCreateDTO = appointmentEditDTO.with(dto{
		"calendarId": required(aString), "locationId": required(aString), "contactId": required(aString), "startTime": required(aDate),
	})
)

// CreateAppointment makes an appointment of the contact in a.ContactID, as a
// booking does. An empty status is "confirmed", a zero End half an hour after Start.
func (h *Server) CreateAppointment(a Appointment) (Appointment, error) {
	return h.newAppointment(a, true)
}

// SeedAppointment is CreateAppointment without a webhook.
func (h *Server) SeedAppointment(a Appointment) (Appointment, error) {
	return h.newAppointment(a, false)
}

func (h *Server) newAppointment(a Appointment, tell bool) (made Appointment, err error) {
	err = with(h, "create appointment of", "contact", h.contacts, a.ContactID, func(r *contactRecord) error {
		a.LocationID = r.LocationID
		made = h.insertAppointment(a, tell).Appointment
		return nil
	})
	return made, err
}

// UpdateAppointment lets change edit an appointment. Nothing changed sends nothing.
func (h *Server) UpdateAppointment(id string, change func(*Appointment)) error {
	return edit(h, "update", "appointment", h.appointments, id, (*appointmentRecord).value, change, h.replaceAppointment)
}

// DeleteAppointment deletes an appointment.
func (h *Server) DeleteAppointment(id string) error {
	return remove(h, "delete", "appointment", h.appointments, id, h.removeAppointment)
}

// Appointment returns one appointment, and whether it exists.
func (h *Server) Appointment(id string) (Appointment, bool) {
	return get(h, h.appointments, id, (*appointmentRecord).value)
}

func (h *Server) insertAppointment(a Appointment, tell bool) *appointmentRecord {
	a.ID, a.DateAdded = cmp.Or(a.ID, newID()), cmp.Or(a.DateAdded, h.clock())
	a.DateUpdated = cmp.Or(a.DateUpdated, a.DateAdded)
	a.End = cmp.Or(a.End, a.Start.Add(30*time.Minute))
	a.Start, a.End = a.Start.UTC(), a.End.UTC()
	a.Status = cmp.Or(a.Status, "confirmed")
	r := &appointmentRecord{Appointment: a, sequence: h.nextSequence()}
	h.appointments[a.ID] = r
	if tell {
		h.emitAppointment("AppointmentCreate", r)
	}
	h.notice.Changed()
	return r
}

func (h *Server) replaceAppointment(r *appointmentRecord, a Appointment) {
	before := r.Appointment
	a.ID, a.LocationID, a.ContactID = before.ID, before.LocationID, before.ContactID
	a.DateAdded, a.DateUpdated = before.DateAdded, before.DateUpdated
	a.Start, a.End = a.Start.UTC(), a.End.UTC() // so that == compares instants
	if a == before {
		return
	}
	a.DateUpdated = h.clock()
	r.Appointment = a
	h.emitAppointment("AppointmentUpdate", r)
	h.notice.Changed()
}

func (h *Server) removeAppointment(r *appointmentRecord) {
	if !r.blocks {
		h.emitAppointment("AppointmentDelete", r)
	}
	delete(h.appointments, r.ID)
	h.notice.Changed()
}

// zone is the time zone of a location, UTC where it has none that is known.
func (h *Server) zone(locationID string) *time.Location {
	if l := h.locations[locationID]; l != nil {
		if zone, err := time.LoadLocation(l.TimeZone); err == nil {
			return zone
		}
	}
	return time.UTC
}

// calendarEvent finds the appointment or the blocked slot that the path names,
// within the token's reach.
func (h *Server) calendarEvent(c *call) (*appointmentRecord, *refusal) {
	return find(c, h.appointments, "eventId", "Event")
}

// appointment finds the appointment that the path names.
func (h *Server) appointment(c *call) (*appointmentRecord, *refusal) {
	r, no := h.calendarEvent(c)
	if no == nil && r.blocks {
		no = refuse(http.StatusBadRequest, "Event with id %s not found", r.ID)
	}
	return r, no
}

// answer writes the times with the layout, in the zone of the location.
func (r *appointmentRecord) answer(zone *time.Location, layout string) map[string]any {
	users := []string{}
	if r.AssignedUserID != "" {
		users = append(users, r.AssignedUserID)
	}
	at := func(t time.Time) string { return t.In(zone).Format(layout) }
	return map[string]any{
		"id": r.ID, "calendarId": r.CalendarID, "title": r.Title, "assignedUserId": orNull(r.AssignedUserID), "notes": r.Notes,
		"address": r.Address, "locationId": r.LocationID, "contactId": r.ContactID, "groupId": orNull(r.GroupID),
		"appointmentStatus": r.Status, "users": users, "assignedResources": []string{},
		"startTime": at(r.Start), "endTime": at(r.End), "dateAdded": at(r.DateAdded), "dateUpdated": at(r.DateUpdated),
	}
}

// naiveAppointments are the appointments of a contact with times that have no
// offset, as the Contacts app writes them.
func (h *Server) naiveAppointments(contact *contactRecord) []any {
	var records []*appointmentRecord
	for _, r := range h.appointments {
		if r.ContactID == contact.ID {
			records = append(records, r)
		}
	}
	slices.SortFunc(records, func(a, b *appointmentRecord) int { return cmp.Compare(a.sequence, b.sequence) })
	return answers(records, func(r *appointmentRecord) map[string]any {
		a := r.answer(h.zone(r.LocationID), time.DateTime)
		a["status"] = "booked"
		return a
	})
}

func (h *Server) listAppointments(c *call, contact *contactRecord) (int, any, *refusal) {
	return http.StatusOK, map[string]any{"events": h.naiveAppointments(contact)}, nil
}

func (h *Server) getAppointment(c *call, r *appointmentRecord) (int, any, *refusal) {
	return http.StatusOK, map[string]any{"event": r.answer(h.zone(r.LocationID), time.RFC3339)}, nil
}

// applyAppointment refuses an end before the start, and a slot that another
// appointment of the same user has, unless the caller asks not to.
func (h *Server) applyAppointment(c *call, a Appointment) (Appointment, *refusal) {
	c.readTexts(map[string]*string{
		"title": &a.Title, "appointmentStatus": &a.Status, "assignedUserId": &a.AssignedUserID,
		"description": &a.Notes, "address": &a.Address, "calendarId": &a.CalendarID,
	})
	start, moved := c.str("startTime")
	if moved {
		length := a.End.Sub(a.Start)
		a.Start, _ = fakehttp.ParseISO(start)
		if length <= 0 {
			length = 30 * time.Minute
		}
		a.End = a.Start.Add(length)
	}
	if end, ok := c.str("endTime"); ok {
		a.End, _ = fakehttp.ParseISO(end)
		moved = true
	}
	if !a.End.After(a.Start) {
		return a, refuse(http.StatusBadRequest, "The end time must be after the start time")
	}
	if anyway, _ := as[bool](c, "ignoreFreeSlotValidation"); anyway || !moved || a.AssignedUserID == "" {
		return a, nil
	}
	for _, other := range h.appointments {
		if other.ID != a.ID && other.LocationID == a.LocationID && other.AssignedUserID == a.AssignedUserID &&
			other.Status != "cancelled" && other.Start.Before(a.End) && a.Start.Before(other.End) {
			return a, refuse(http.StatusBadRequest, "The slot you have selected is no longer available.")
		}
	}
	return a, nil
}

// appointmentWritten is the answer to a write, which lacks dateAdded and dateUpdated (HighLevel's issue #246).
func (h *Server) appointmentWritten(r *appointmentRecord) map[string]any {
	zone := h.zone(r.LocationID)
	return map[string]any{
		"id": r.ID, "calendarId": r.CalendarID, "locationId": r.LocationID, "contactId": r.ContactID, "title": r.Title,
		"startTime": r.Start.In(zone).Format(time.RFC3339), "endTime": r.End.In(zone).Format(time.RFC3339),
		"appointmentStatus": r.Status, "assignedUserId": orNull(r.AssignedUserID), "address": r.Address, "isRecurring": false,
	}
}

func (h *Server) createAppointment(c *call, contact *contactRecord) (int, any, *refusal) {
	a, no := h.applyAppointment(c, Appointment{LocationID: contact.LocationID, ContactID: contact.ID, Source: "third_party"})
	if no != nil {
		return 0, nil, no
	}
	return http.StatusOK, h.appointmentWritten(h.insertAppointment(a, true)), nil
}

func (h *Server) updateAppointment(c *call, r *appointmentRecord) (int, any, *refusal) {
	a, no := h.applyAppointment(c, r.Appointment)
	if no != nil {
		return 0, nil, no
	}
	h.replaceAppointment(r, a)
	return http.StatusOK, h.appointmentWritten(r), nil
}

// deleteEvent deletes an appointment or a blocked slot, which sends no webhook.
func (h *Server) deleteEvent(_ *call, r *appointmentRecord) (int, any, *refusal) {
	h.removeAppointment(r)
	return http.StatusCreated, map[string]any{"succeeded": true}, nil
}
