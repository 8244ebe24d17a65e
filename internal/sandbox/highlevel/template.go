package highlevel

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/internal/sandbox/fakehttp"
)

// Template is a template for e-mails or messages of a location.
type Template struct {
	ID, Name  string
	Type      string // "email", "sms" or "whatsapp"
	Subject   string // of an e-mail
	Body      string
	DateAdded time.Time
}

// SeedTemplate adds a template to a location and returns it with its id.
func (h *Server) SeedTemplate(locationID string, template Template) Template {
	template.ID = cmp.Or(template.ID, newID())
	if template.DateAdded.IsZero() {
		template.DateAdded = h.clock()
	}
	h.seed(locationID, func(l *location) { l.templates = append(l.templates, template) })
	return template
}

func (template Template) answer(locationID string) map[string]any {
	content := map[string]any{"body": template.Body, "attachments": []any{}}
	if template.Type == "email" {
		content = map[string]any{"subject": template.Subject, "html": template.Body, "attachments": []any{}}
	}
	a := map[string]any{
		"id": template.ID, "name": template.Name, "type": template.Type, "template": content, "dateAdded": fakehttp.ISOMillis(template.DateAdded),
		"locationId": locationID,
	}
	if template.Type != "email" {
		a["urlAttachments"] = []string{}
	}
	return a
}

// listTemplates has the location twice: in the path and as originId.
func (h *Server) listTemplates(c *call, l *location) (int, any, *refusal) {
	values, no := c.query([]string{"originId"}, "deleted", "skip", "limit", "type")
	if no != nil {
		return 0, nil, no
	}
	if kind := values["type"]; !slices.Contains([]string{"", "sms", "email", "whatsapp"}, kind) {
		return 0, nil, unprocessable("type must be one of the following values: sms, email, whatsapp")
	}
	var found []Template
	for _, template := range l.templates {
		if values["type"] == "" || values["type"] == template.Type {
			found = append(found, template)
		}
	}
	templates := []any{}
	for _, template := range page(found, values["skip"], values["limit"]) {
		templates = append(templates, template.answer(l.ID))
	}
	return http.StatusOK, map[string]any{"templates": templates, "totalCount": len(found)}, nil
}

// deleteTemplate answers with an empty object: HighLevel documents no content.
func (h *Server) deleteTemplate(c *call, l *location) (int, any, *refusal) {
	id := chi.URLParam(c.r, "id")
	i := slices.IndexFunc(l.templates, func(template Template) bool { return template.ID == id })
	if i < 0 {
		return 0, nil, refuse(http.StatusBadRequest, "Template with id %s not found", id)
	}
	l.templates = slices.Delete(l.templates, i, i+1)
	h.notice.Changed()
	return http.StatusOK, map[string]any{}, nil
}

// listTimeZones answers with some: HighLevel documents no content.
func (h *Server) listTimeZones(*call, *location) (int, any, *refusal) {
	return http.StatusOK, map[string]any{"timeZones": []string{"America/Los_Angeles", "America/New_York", "Europe/London", "UTC"}}, nil
}
