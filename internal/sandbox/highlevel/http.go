package highlevel

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"milepost/internal/sandbox/fakehttp"
)

// A call is one authenticated request to HighLevel, made with the lock held.
type call struct {
	r      *http.Request
	token  *bearer
	access map[string]bool // locations that the token reaches
	raw    []byte          // the body as it came
	body   map[string]json.RawMessage
	v3     bool
}

// A refusal is an answer other than a success.
type refusal struct {
	status  int
	message any // string, or []string for 422
	meta    any
}

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, message: fmt.Sprintf(format, args...)}
}

// unprocessable is the answer to input that does not fit.
func unprocessable(problems ...string) *refusal {
	return &refusal{status: http.StatusUnprocessableEntity, message: problems}
}

// An endpoint answers a call with a status and a body.
type endpoint func(c *call) (status int, answer any, no *refusal)

func (h *Server) routes() chi.Router {
	router := chi.NewRouter()
	add := func(method, pattern string, shape dto, handle endpoint) {
		operation := method + " " + pattern
		router.Method(method, pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.calls.Add(operation)
			h.faults.Serve(operation, w, r, func(w http.ResponseWriter, status int) {
				writeRefusal(w, refuse(status, "%s", fakehttp.FaultMessage(status)))
			}, func(w http.ResponseWriter, r *http.Request) { h.handle(w, r, shape, handle) })
		}))
	}
	add("GET", "/contacts/", nil, h.listContacts)
	add("POST", "/contacts/", contactCreateDTO, of(h.locationOfBody, h.createContact))
	add("POST", "/contacts/upsert", contactUpsertDTO, of(h.locationOfBody, h.upsertContact))
	add("POST", "/contacts/search", contactSearchDTO, of(h.locationOfBody, h.searchContacts))
	add("GET", "/contacts/search/duplicate", nil, of(h.locationOfQuery, h.findDuplicate))
	add("GET", "/contacts/{contactId}", nil, of(h.contact, h.getContact))
	add("PUT", "/contacts/{contactId}", contactUpdateDTO, of(h.contact, h.updateContact))
	add("DELETE", "/contacts/{contactId}", nil, of(h.contact, h.deleteContact))
	add("POST", "/contacts/{contactId}/tags", tagsDTO, of(h.contact, h.addTags))
	add("DELETE", "/contacts/{contactId}/tags", tagsDTO, of(h.contact, h.removeTags))
	add("GET", "/contacts/{contactId}/tasks", nil, of(h.contact, h.listTasks))
	add("POST", "/contacts/{contactId}/tasks", taskCreateDTO, of(h.contact, h.createTask))
	add("GET", "/contacts/{contactId}/tasks/{taskId}", nil, of(h.task, h.getTask))
	add("PUT", "/contacts/{contactId}/tasks/{taskId}", taskUpdateDTO, of(h.task, h.updateTask))
	add("PUT", "/contacts/{contactId}/tasks/{taskId}/completed", taskCompletedDTO, of(h.task, h.updateTask))
	add("DELETE", "/contacts/{contactId}/tasks/{taskId}", nil, of(h.task, h.deleteTask))
	add("GET", "/contacts/{contactId}/notes", nil, of(h.contact, h.listNotes))
	add("POST", "/contacts/{contactId}/notes", noteCreateDTO, of(h.contact, h.createNote))
	add("GET", "/contacts/{contactId}/notes/{id}", nil, of(h.note, h.getNote))
	add("PUT", "/contacts/{contactId}/notes/{id}", noteUpdateDTO, of(h.note, h.updateNote))
	add("DELETE", "/contacts/{contactId}/notes/{id}", nil, of(h.note, h.deleteNote))
	add("GET", "/locations/{locationId}", nil, of(h.locationOfPath, h.getLocation))
	add("GET", "/locations/{locationId}/customFields", nil, of(h.locationOfPath, h.listCustomFields))
	add("POST", "/locations/{locationId}/customFields", customFieldDTO, of(h.locationOfPath, h.createCustomField))
	add("GET", "/locations/{locationId}/customFields/{id}", nil, of(h.locationOfPath, h.getCustomField))
	add("PUT", "/locations/{locationId}/customFields/{id}", customFieldUpdateDTO, ofBoth(h.customField, h.updateCustomField))
	add("DELETE", "/locations/{locationId}/customFields/{id}", nil, ofBoth(h.customField, h.deleteCustomField))
	add("GET", "/locations/{locationId}/customValues", nil, of(h.locationOfPath, h.listCustomValues))
	add("POST", "/locations/{locationId}/customValues", customValueDTO, of(h.locationOfPath, h.createCustomValue))
	add("GET", "/locations/{locationId}/customValues/{id}", nil, ofBoth(h.customValue, h.getCustomValue))
	add("PUT", "/locations/{locationId}/customValues/{id}", customValueDTO, ofBoth(h.customValue, h.updateCustomValue))
	add("DELETE", "/locations/{locationId}/customValues/{id}", nil, ofBoth(h.customValue, h.deleteCustomValue))
	add("GET", "/locations/{locationId}/tags", nil, of(h.locationOfPath, h.listLocationTags))
	add("POST", "/locations/{locationId}/tags", locationTagDTO, of(h.locationOfPath, h.createLocationTag))
	add("GET", "/locations/{locationId}/tags/{tagId}", nil, ofBoth(h.locationTag, h.getLocationTag))
	add("PUT", "/locations/{locationId}/tags/{tagId}", locationTagDTO, ofBoth(h.locationTag, h.renameLocationTag))
	add("DELETE", "/locations/{locationId}/tags/{tagId}", nil, ofBoth(h.locationTag, h.deleteLocationTag))
	add("POST", "/locations/{locationId}/tasks/search", taskSearchDTO, of(h.locationOfPath, h.searchTasks))
	add("GET", "/locations/{locationId}/timezones", nil, of(h.locationOfPath, h.listTimeZones))
	add("GET", "/locations/{locationId}/templates", nil, of(h.locationOfPath, h.listTemplates))
	add("DELETE", "/locations/{locationId}/templates/{id}", nil, of(h.locationOfPath, h.deleteTemplate))
	add("POST", "/locations/{locationId}/recurring-tasks", recurringTaskCreateDTO, of(h.locationOfPath, h.createRecurringTask))
	add("GET", "/locations/{locationId}/recurring-tasks/{id}", nil, ofBoth(h.recurringTask, h.getRecurringTask))
	add("PUT", "/locations/{locationId}/recurring-tasks/{id}", recurringTaskUpdateDTO, ofBoth(h.recurringTask, h.updateRecurringTask))
	add("DELETE", "/locations/{locationId}/recurring-tasks/{id}", nil, ofBoth(h.recurringTask, h.deleteRecurringTask))
	add("GET", "/users/", nil, ofBoth(h.locationAndQuery(), h.listUsers))
	add("GET", "/users/search", nil, h.searchUsers)
	add("POST", "/users/search/filter-by-email", usersByEmailDTO, h.findUsersByEmail)
	add("GET", "/users/{userId}", nil, h.getUser)
	add("GET", "/businesses/", nil, ofBoth(h.locationAndQuery("limit", "skip"), h.listBusinesses))
	add("POST", "/businesses/", businessCreateDTO, of(h.locationOfBody, h.createBusiness))
	add("GET", "/businesses/{businessId}", nil, of(h.business, h.getBusiness))
	add("PUT", "/businesses/{businessId}", businessUpdateDTO, of(h.business, h.updateBusiness))
	add("DELETE", "/businesses/{businessId}", nil, of(h.business, h.deleteBusiness))
	add("GET", "/workflows/", nil, ofBoth(h.locationAndQuery(), h.listWorkflows))
	add("GET", "/campaigns/", nil, ofBoth(h.locationAndQuery("status"), h.listCampaigns))
	add("POST", "/contacts/bulk/tags/update/{type}", bulkTagsDTO, h.bulkTags)
	add("POST", "/contacts/bulk/business", bulkBusinessDTO, of(h.locationOfBody, h.bulkBusiness))
	add("GET", "/contacts/business/{businessId}", nil, of(h.locationOfQuery, h.listContactsOfBusiness))
	add("POST", "/contacts/{contactId}/followers", followersDTO, of(h.contact, h.addFollowers))
	add("DELETE", "/contacts/{contactId}/followers", followersDTO, of(h.contact, h.removeFollowers))
	add("POST", "/contacts/{contactId}/campaigns/{campaignId}", dto{}, of(h.contact, h.addToCampaign))
	add("DELETE", "/contacts/{contactId}/campaigns/{campaignId}", nil, of(h.contact, h.removeFromCampaign))
	add("POST", "/contacts/{contactId}/workflow/{workflowId}", workflowDTO, ofBoth(h.enrolment, h.addToWorkflow))
	add("DELETE", "/contacts/{contactId}/workflow/{workflowId}", workflowDTO, ofBoth(h.enrolment, h.removeFromWorkflow))
	add("GET", "/contacts/{contactId}/appointments", nil, of(h.contact, h.listAppointments))
	add("POST", "/calendars/events/appointments", appointmentCreateDTO, of(h.contactOfBody, h.createAppointment))
	add("GET", "/calendars/events/appointments/{eventId}", nil, of(h.appointment, h.getAppointment))
	add("PUT", "/calendars/events/appointments/{eventId}", appointmentEditDTO, of(h.appointment, h.updateAppointment))
	add("DELETE", "/calendars/events/{eventId}", dto{}, of(h.calendarEvent, h.deleteEvent))
	add("GET", "/calendars/", nil, ofBoth(h.locationAndQuery("groupId", "showDrafted"), h.listCalendars))
	add("GET", "/calendars/groups", nil, ofBoth(h.locationAndQuery(), h.listCalendarGroups))
	add("GET", "/calendars/{calendarId}", nil, ofBoth(h.calendar, h.getCalendar))
	add("GET", "/calendars/{calendarId}/free-slots", nil, ofBoth(h.calendar, h.listFreeSlots))
	add("GET", "/calendars/events", nil, h.listCalendarEvents)
	add("GET", "/calendars/blocked-slots", nil, h.listBlockedSlots)
	add("POST", "/calendars/events/block-slots", blockedSlotDTO, h.createBlockedSlot)
	add("PUT", "/calendars/events/block-slots/{eventId}", blockedSlotDTO, of(h.blockedSlot, h.updateBlockedSlot))
	add("GET", "/calendars/appointments/{appointmentId}/notes", nil, of(h.notedAppointment, h.listAppointmentNotes))
	add("POST", "/calendars/appointments/{appointmentId}/notes", appointmentNoteDTO, of(h.notedAppointment, h.createAppointmentNote))
	add("PUT", "/calendars/appointments/{appointmentId}/notes/{noteId}", appointmentNoteDTO, ofBoth(h.appointmentNote, h.updateAppointmentNote))
	add("DELETE", "/calendars/appointments/{appointmentId}/notes/{noteId}", nil, ofBoth(h.appointmentNote, h.deleteAppointmentNote))
	add("GET", "/opportunities/pipelines", nil, of(h.locationOfQuery, h.listPipelines))
	add("GET", "/opportunities/search", nil, h.searchOpportunities)
	add("POST", "/opportunities/", opportunityCreateDTO, of(h.contactOfBody, h.createOpportunity))
	add("GET", "/opportunities/{id}", nil, of(h.opportunity, h.getOpportunity))
	add("PUT", "/opportunities/{id}", opportunityUpdateDTO, of(h.opportunity, h.updateOpportunity))
	add("PUT", "/opportunities/{id}/status", opportunityStatusDTO, of(h.opportunity, h.setOpportunityStatus))
	add("DELETE", "/opportunities/{id}", nil, of(h.opportunity, h.deleteOpportunity))
	add("POST", "/opportunities/search", opportunityPageDTO, of(h.locationOfBody, h.searchOpportunitiesByPage))
	add("POST", "/opportunities/upsert", opportunityUpsertDTO, of(h.locationOfBody, h.upsertOpportunity))
	add("POST", "/opportunities/{id}/followers", followersDTO, of(h.opportunity, h.addOpportunityFollowers))
	add("DELETE", "/opportunities/{id}/followers", followersDTO, of(h.opportunity, h.removeOpportunityFollowers))
	add("GET", "/opportunities/lost-reason", nil, ofBoth(h.locationAndQuery("name", "deleted", "query", "skip", "limit", "getCount"), h.listLostReasons))
	add("POST", "/oauth/locationToken", nil, h.locationToken)
	add("GET", "/oauth/installedLocations", nil, h.installedLocations)
	h.oauthRoutes(router)

	unknown := func(w http.ResponseWriter, r *http.Request) {
		h.calls.Add(fakehttp.UnknownRoute)
		h.faults.Serve(fakehttp.UnknownRoute, w, r, func(w http.ResponseWriter, status int) {
			writeRefusal(w, refuse(status, "%s", fakehttp.FaultMessage(status)))
		}, func(w http.ResponseWriter, r *http.Request) {
			writeRefusal(w, refuse(http.StatusNotFound, "Cannot %s %s", r.Method, r.URL.Path))
		})
	}
	router.NotFound(unknown)
	router.MethodNotAllowed(unknown)
	return router
}

var versions = []string{"2021-04-15", "2021-07-28", "2023-02-21", "v3"}

// handle checks what every endpoint asks for, in this order: token, Version,
// rate limit, class and scope, body. The body is read before the lock is taken.
func (h *Server) handle(w http.ResponseWriter, r *http.Request, shape dto, handle endpoint) {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, fakehttp.BodyLimit))
	if err != nil {
		writeRefusal(w, refuse(http.StatusRequestEntityTooLarge, "request entity too large"))
		return
	}
	status, answer, no := func() (int, any, *refusal) {
		h.mu.Lock()
		defer h.mu.Unlock()
		known := h.tokens[token]
		switch version := r.Header.Get("Version"); {
		case !bearer || token == "":
			return 0, nil, refuse(http.StatusUnauthorized, "Invalid JWT")
		case known == nil:
			return 0, nil, refuse(http.StatusUnauthorized, "Invalid token: access token is invalid")
		case known.expired(h.clock()):
			return 0, nil, refuse(http.StatusUnauthorized, "Invalid JWT")
		case version == "":
			return 0, nil, refuse(http.StatusUnauthorized, "version header was not found.")
		case !slices.Contains(versions, version):
			return 0, nil, refuse(http.StatusUnauthorized, "version header is invalid")
		}
		c := &call{r: r, token: known, access: h.reach(known), raw: raw, v3: r.Header.Get("Version") == "v3"}
		if h.config.RateLimit && !h.limiter.allow(w.Header(), known.budget(h.resource(c)), h.clock()) {
			return 0, nil, refuse(http.StatusTooManyRequests, "Too Many Requests")
		}
		if no := c.permit(); no != nil {
			return 0, nil, no
		}
		if shape != nil {
			if no := c.read(shape, raw); no != nil {
				return 0, nil, no
			}
		}
		return handle(c)
	}()
	if no != nil {
		writeRefusal(w, no)
		return
	}
	fakehttp.WriteJSON(w, status, answer)
}

// resource is the location that a call counts against: the one it asks for,
// or else the first that the token reaches. A location beyond the token's
// reach does not count, so that made-up ids take no memory.
func (h *Server) resource(c *call) string {
	if id := chi.URLParam(c.r, "locationId"); c.access[id] {
		return id
	}
	if contact := h.contacts[chi.URLParam(c.r, "contactId")]; contact != nil && c.access[contact.LocationID] {
		return contact.LocationID
	}
	if id := c.r.URL.Query().Get("locationId"); c.access[id] {
		return id
	}
	smallest := ""
	for id := range c.access {
		if smallest == "" || id < smallest {
			smallest = id
		}
	}
	return smallest
}

// read takes the body apart and holds it against the shape.
func (c *call) read(shape dto, raw []byte) *refusal {
	if kind := c.r.Header.Get("Content-Type"); len(raw) > 0 && !strings.HasPrefix(kind, "application/json") {
		// Express parses only application/json: anything else leaves an empty body.
		raw = nil
	}
	c.body = map[string]json.RawMessage{}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &c.body); err != nil || c.body == nil {
			return refuse(http.StatusBadRequest, "Unexpected token in JSON")
		}
	}
	shape = shape.in(c.v3)
	if problems := shape.check(c.body); len(problems) > 0 {
		return unprocessable(problems...)
	}
	return nil
}

// succeeded is the success flag, misspelt before v3.
func (c *call) succeeded() map[string]any {
	if c.v3 {
		return map[string]any{"succeeded": true}
	}
	return map[string]any{"succeded": true}
}

// tenant refuses a location that the token does not reach.
func (c *call) tenant(locationID string) *refusal {
	if !c.access[locationID] {
		return refuse(http.StatusForbidden, "The token does not have access to this location.")
	}
	return nil
}

func writeRefusal(w http.ResponseWriter, no *refusal) {
	body := map[string]any{"statusCode": no.status, "message": no.message, "traceId": fakehttp.UUID()}
	switch no.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusBadRequest:
		body["error"] = http.StatusText(no.status)
	}
	if no.meta != nil {
		body["meta"] = no.meta
	}
	fakehttp.WriteJSON(w, no.status, body)
}
