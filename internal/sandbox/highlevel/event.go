package highlevel

import (
	"net/http"
	"time"

	"milepost/internal/sandbox/fakehttp"
)

// The bodies of webhooks: flat, in the order of HighLevel's examples, with
// the envelope that real deliveries add.

type envelope struct {
	Timestamp string `json:"timestamp"` // when it is sent; retries repeat it
	WebhookID string `json:"webhookId"`
	AppID     string `json:"appId"`
	VersionID string `json:"versionId"`
}

type contactEvent struct {
	Type         string       `json:"type"`
	LocationID   string       `json:"locationId"`
	ID           string       `json:"id"`
	Address1     string       `json:"address1,omitempty"`
	City         string       `json:"city,omitempty"`
	State        string       `json:"state,omitempty"`
	CompanyName  string       `json:"companyName,omitempty"`
	Country      string       `json:"country,omitempty"`
	Source       string       `json:"source,omitempty"`
	DateAdded    string       `json:"dateAdded"`
	DateOfBirth  string       `json:"dateOfBirth,omitempty"`
	DND          bool         `json:"dnd"`
	Email        string       `json:"email,omitempty"`
	Name         string       `json:"name,omitempty"`
	FirstName    string       `json:"firstName,omitempty"`
	LastName     string       `json:"lastName,omitempty"`
	Phone        string       `json:"phone,omitempty"`
	PostalCode   string       `json:"postalCode,omitempty"`
	Tags         []string     `json:"tags"`
	Website      string       `json:"website,omitempty"`
	Attachments  []string     `json:"attachments"`
	AssignedTo   *string      `json:"assignedTo"`
	CustomFields []fieldValue `json:"customFields"`
	envelope
}

type taskEvent struct {
	Type       string  `json:"type"`
	LocationID string  `json:"locationId"`
	ID         string  `json:"id"`
	AssignedTo *string `json:"assignedTo"`
	Body       *string `json:"body,omitempty"`
	ContactID  string  `json:"contactId,omitempty"`
	Title      string  `json:"title"`
	DateAdded  string  `json:"dateAdded"`
	DueDate    string  `json:"dueDate,omitempty"`
	envelope
}

type noteEvent struct {
	Type       string `json:"type"`
	LocationID string `json:"locationId"`
	ID         string `json:"id"`
	Body       string `json:"body"`
	ContactID  string `json:"contactId"`
	DateAdded  string `json:"dateAdded"`
	envelope
}

func (h *Server) envelope() envelope {
	return envelope{fakehttp.ISOMillis(h.clock()), fakehttp.UUID(), h.config.AppID, h.config.VersionID}
}

// emit signs a body and hands it to the sender, which never blocks.
func (h *Server) emit(kind string, e envelope, event any) {
	body := fakehttp.JSON(event)
	header := http.Header{
		"Content-Type":    {"application/json"},
		"X-Ghl-Signature": {h.Sign(body)},
		"X-Wh-Signature":  {"N/A"},
	}
	h.sender.Send(e.WebhookID, kind, h.webhookURL, header, body, h.clock())
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (h *Server) emitContact(kind string, r *contactRecord) {
	event := contactEvent{
		Type: kind, LocationID: r.LocationID, ID: r.ID, Address1: r.Address1, City: r.City, State: r.State,
		CompanyName: r.CompanyName, Country: r.Country, Source: r.Source, DateAdded: fakehttp.ISOMillis(r.DateAdded),
		DND: r.DND, Email: r.Email, Name: r.Name(), FirstName: r.FirstName, LastName: r.LastName, Phone: r.Phone,
		PostalCode: r.PostalCode, Tags: r.tags(), Website: r.Website, Attachments: []string{},
		AssignedTo: orNull(r.AssignedTo), CustomFields: h.fieldValues(r), envelope: h.envelope(),
	}
	if r.DateOfBirth != "" {
		event.DateOfBirth = r.DateOfBirth + "T00:00:00.000Z"
	}
	h.emit(kind, event.envelope, event)
}

// emitTask leaves contactId and body out of TaskCreate, as real deliveries do.
func (h *Server) emitTask(kind string, t *Task) {
	event := taskEvent{
		Type: kind, LocationID: t.LocationID, ID: t.ID, AssignedTo: orNull(t.AssignedTo), Body: &t.Body, ContactID: t.ContactID,
		Title: t.Title, DateAdded: fakehttp.ISOMillis(t.DateAdded), DueDate: fakehttp.ISOMillis(t.DueDate), envelope: h.envelope(),
	}
	if kind == "TaskCreate" && !h.config.FullTaskCreate {
		event.Body, event.ContactID = nil, ""
	}
	h.emit(kind, event.envelope, event)
}

func (h *Server) emitNote(kind string, n *Note) {
	event := noteEvent{
		Type: kind, LocationID: n.LocationID, ID: n.ID, Body: n.Body, ContactID: n.ContactID,
		DateAdded: fakehttp.ISOMillis(n.DateAdded), envelope: h.envelope(),
	}
	h.emit(kind, event.envelope, event)
}

type opportunityEvent struct {
	Type            string  `json:"type"`
	LocationID      string  `json:"locationId"`
	ID              string  `json:"id"`
	AssignedTo      *string `json:"assignedTo"`
	ContactID       string  `json:"contactId"`
	MonetaryValue   float64 `json:"monetaryValue"`
	Name            string  `json:"name"`
	PipelineID      string  `json:"pipelineId"`
	PipelineStageID string  `json:"pipelineStageId"`
	Source          string  `json:"source,omitempty"`
	Status          string  `json:"status"`
	DateAdded       string  `json:"dateAdded"`
	envelope
}

// emitOpportunity has neither a previous value, nor the name of the stage, nor custom fields.
func (h *Server) emitOpportunity(kind string, r *opportunityRecord) {
	event := opportunityEvent{
		Type: kind, LocationID: r.LocationID, ID: r.ID, AssignedTo: orNull(r.AssignedTo), ContactID: r.ContactID,
		MonetaryValue: r.MonetaryValue, Name: r.Name, PipelineID: r.PipelineID, PipelineStageID: r.StageID,
		Source: r.Source, Status: r.Status, DateAdded: fakehttp.ISOMillis(r.CreatedAt), envelope: h.envelope(),
	}
	h.emit(kind, event.envelope, event)
}

type appointmentEvent struct {
	Type        string         `json:"type"`
	LocationID  string         `json:"locationId"`
	Appointment map[string]any `json:"appointment"`
	envelope
}

// emitAppointment nests the record, unlike all other events. Its times have an offset.
func (h *Server) emitAppointment(kind string, r *appointmentRecord) {
	nested := r.answer(h.zone(r.LocationID), time.RFC3339)
	delete(nested, "assignedResources")
	delete(nested, "locationId")
	nested["source"] = r.Source
	event := appointmentEvent{Type: kind, LocationID: r.LocationID, Appointment: nested, envelope: h.envelope()}
	h.emit(kind, event.envelope, event)
}
