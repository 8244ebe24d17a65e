package highlevel

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
)

// CustomValue is a text of a location that people use in templates.
type CustomValue struct{ ID, Name, Value string }

var customValueDTO = dto{"name": required(aString), "value": required(aString)}

func (v CustomValue) answer(locationID string) map[string]any {
	key := "{{ custom_values." + strings.ReplaceAll(strings.ToLower(v.Name), " ", "_") + " }}"
	return map[string]any{"id": v.ID, "name": v.Name, "fieldKey": key, "value": v.Value, "locationId": locationID}
}

// SeedCustomValue adds a custom value to a location and returns it with its id.
func (h *Server) SeedCustomValue(locationID string, v CustomValue) CustomValue {
	v.ID = cmp.Or(v.ID, newID())
	h.seed(locationID, func(l *location) { l.values = append(l.values, v) })
	return v
}

// CustomValues returns the custom values of a location.
func (h *Server) CustomValues(locationID string) []CustomValue {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.locations[locationID]; l != nil {
		return slices.Clone(l.values)
	}
	return nil
}

func (h *Server) listCustomValues(c *call, l *location) (int, any, *refusal) {
	values := answers(l.values, func(v CustomValue) map[string]any { return v.answer(l.ID) })
	return http.StatusOK, map[string]any{"customValues": values}, nil
}

// createCustomValue makes a second one of the same name too: nothing documents that
// HighLevel refuses it, and two equal POSTs make two objects.
func (h *Server) createCustomValue(c *call, l *location) (int, any, *refusal) {
	v := CustomValue{ID: newID()}
	v.Name, _ = c.str("name")
	v.Value, _ = c.str("value")
	l.values = append(l.values, v)
	h.notice.Changed()
	return http.StatusCreated, map[string]any{"customValue": v.answer(l.ID)}, nil
}

// customValue finds the one that the path names.
func (h *Server) customValue(c *call) (*location, int, *refusal) {
	l, no := h.location(c, chi.URLParam(c.r, "locationId"))
	if no != nil {
		return nil, 0, no
	}
	id := chi.URLParam(c.r, "id")
	i := slices.IndexFunc(l.values, func(v CustomValue) bool { return v.ID == id })
	if i < 0 {
		return nil, 0, refuse(http.StatusBadRequest, "Custom value with id %s not found", id)
	}
	return l, i, nil
}

func (h *Server) getCustomValue(c *call, l *location, i int) (int, any, *refusal) {
	return http.StatusOK, map[string]any{"customValue": l.values[i].answer(l.ID)}, nil
}

func (h *Server) updateCustomValue(c *call, l *location, i int) (int, any, *refusal) {
	l.values[i].Name, _ = c.str("name")
	l.values[i].Value, _ = c.str("value")
	h.notice.Changed()
	return http.StatusOK, map[string]any{"customValue": l.values[i].answer(l.ID)}, nil
}

func (h *Server) deleteCustomValue(c *call, l *location, i int) (int, any, *refusal) {
	l.values = slices.Delete(l.values, i, i+1)
	h.notice.Changed()
	return http.StatusOK, map[string]any{"succeded": true}, nil
}
