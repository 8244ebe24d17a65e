package highlevel

import (
	"net/http"
	"time"

	"milepost/internal/sandbox/fakehttp"
)

// HighLevel's OpenAPI requires calendarId, and says that either calendarId or
// assignedUserId can be set, not both.
var blockedSlotDTO = dto{
	"title": text(), "calendarId": required(aString), "assignedUserId": text(), "locationId": required(aString),
	"startTime": optional(aDate), "endTime": optional(aDate),
}

// SeedBlockedSlot blocks a slot of a calendar; it is an Appointment without a contact.
func (h *Server) SeedBlockedSlot(slot Appointment) Appointment {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.blockSlot(slot).Appointment
}

func (h *Server) blockSlot(slot Appointment) *appointmentRecord {
	slot.ContactID = ""
	r := h.insertAppointment(slot, false)
	r.blocks = true
	return r
}

func (r *appointmentRecord) slotAnswer(zone *time.Location) map[string]any {
	return map[string]any{
		"id": r.ID, "locationId": r.LocationID, "title": r.Title, "calendarId": r.CalendarID, "assignedUserId": orNull(r.AssignedUserID),
		"startTime": r.Start.In(zone).Format(time.RFC3339), "endTime": r.End.In(zone).Format(time.RFC3339),
	}
}

// applySlot writes the body into a slot.
func (h *Server) applySlot(c *call, slot Appointment) (Appointment, *refusal) {
	locationID, _ := c.str("locationId")
	if _, no := h.location(c, locationID); no != nil {
		return slot, no
	}
	if slot.LocationID != "" && slot.LocationID != locationID {
		return slot, refuse(http.StatusBadRequest, "The location id %s is invalid", locationID)
	}
	slot.LocationID = locationID
	if user, _ := c.str("assignedUserId"); user != "" {
		return slot, refuse(http.StatusBadRequest, "Either calendarId or assignedUserId can be set, not both")
	}
	c.readTexts(map[string]*string{"title": &slot.Title, "calendarId": &slot.CalendarID})
	for key, target := range map[string]*time.Time{"startTime": &slot.Start, "endTime": &slot.End} {
		if value, ok := c.str(key); ok {
			at, _ := fakehttp.ParseISO(value)
			*target = at.UTC()
		}
	}
	if !slot.End.After(slot.Start) {
		return slot, refuse(http.StatusBadRequest, "The end time must be after the start time")
	}
	return slot, nil
}

func (h *Server) createBlockedSlot(c *call) (int, any, *refusal) {
	slot, no := h.applySlot(c, Appointment{})
	if no != nil {
		return 0, nil, no
	}
	return http.StatusCreated, h.blockSlot(slot).slotAnswer(h.zone(slot.LocationID)), nil
}

// blockedSlot finds the blocked slot that the path names.
func (h *Server) blockedSlot(c *call) (*appointmentRecord, *refusal) {
	r, no := h.calendarEvent(c)
	if no == nil && !r.blocks {
		no = refuse(http.StatusBadRequest, "Event with id %s not found", r.ID)
	}
	return r, no
}

func (h *Server) updateBlockedSlot(c *call, r *appointmentRecord) (int, any, *refusal) {
	slot, no := h.applySlot(c, r.Appointment)
	if no != nil {
		return 0, nil, no
	}
	slot.DateUpdated = h.clock()
	r.Appointment = slot
	h.notice.Changed()
	return http.StatusCreated, r.slotAnswer(h.zone(r.LocationID)), nil
}
