package highlevel

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"milepost/internal/sandbox/fakehttp"
)

// WorkflowAction is the Webhook action of a published workflow.
type WorkflowAction struct {
	URL                      string // where it sends to
	WorkflowID, WorkflowName string
	CustomData               map[string]string // as it renders for the contact
}

// RunWorkflow runs a workflow with this one action for a contact: it sends the
// fixed snapshot with the Custom Data, unsigned, without an id of its own, and
// once, whatever the answer. Sent lists it under the type "workflow".
func (h *Server) RunWorkflow(contactID string, action WorkflowAction) error {
	return with(h, "run workflow for", "contact", h.contacts, contactID, func(r *contactRecord) error {
		if action.URL == "" {
			return fmt.Errorf("the Webhook action of %q has no URL", action.WorkflowName)
		}
		header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"axios/0.21.4"}}
		h.sender.SendOnce(fakehttp.UUID(), "workflow", action.URL, header, fakehttp.JSON(h.workflowBody(r, action)), h.clock())
		return nil
	})
}

// workflowBody is the body: custom fields by their display names, tags joined
// by commas, and "null" where an attribution value is empty.
func (h *Server) workflowBody(r *contactRecord, action WorkflowAction) map[string]any {
	l := h.locations[r.LocationID]
	body := map[string]any{}
	for _, f := range l.fields {
		if v, ok := r.CustomFields[f.ID]; ok {
			body[f.Name] = f.read(v, DateOnly)
		}
	}
	maps.Copy(body, map[string]any{
		"contact_id": r.ID, "first_name": r.FirstName, "last_name": r.LastName, "full_name": r.Name(),
		"email": r.Email, "phone": r.Phone, "tags": strings.Join(r.Tags, ","),
		"address1": r.Address1, "city": r.City, "state": r.State, "country": r.Country, "postal_code": r.PostalCode,
		"timezone": r.TimeZone, "date_created": fakehttp.ISOMillis(r.DateAdded), "contact_source": r.Source,
		"full_address": strings.Join(slices.DeleteFunc([]string{r.Address1, r.City, r.State, r.PostalCode}, func(s string) bool { return s == "" }), " "),
		"contact_type": "lead",
		"location": map[string]any{
			"id": l.ID, "name": l.Name, "address": l.Address, "city": l.City, "state": l.State, "country": l.Country,
			"postalCode": l.PostalCode, "fullAddress": l.Address,
		},
		"user":              map[string]any{},
		"workflow":          map[string]any{"id": action.WorkflowID, "name": action.WorkflowName},
		"triggerData":       map[string]any{},
		"contact":           map[string]any{"attributionSource": map[string]any{"sessionSource": "CRM UI", "mediumId": "null"}},
		"attributionSource": map[string]any{},
		"customData":        action.CustomData,
	})
	if action.CustomData == nil {
		body["customData"] = map[string]any{}
	}
	return body
}
