package highlevel

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
)

var locationTagDTO = dto{"name": required(aString)}

// SeedLocationTag adds a tag with an id of its own to the dictionary of a location.
func (h *Server) SeedLocationTag(locationID, id, name string) {
	h.seed(locationID, func(l *location) { l.tags[strings.ToLower(name)] = id })
}

func (l *location) tagAnswer(name string) map[string]any {
	return map[string]any{"name": name, "locationId": l.ID, "id": l.tags[name]}
}

func (h *Server) listLocationTags(c *call, l *location) (int, any, *refusal) {
	names := make([]string, 0, len(l.tags))
	for name := range l.tags {
		names = append(names, name)
	}
	slices.Sort(names)
	tags := []any{}
	for _, name := range names {
		tags = append(tags, l.tagAnswer(name))
	}
	return http.StatusOK, map[string]any{"tags": tags}, nil
}

// createLocationTag refuses a name that is there: undocumented, the harsher answer.
func (h *Server) createLocationTag(c *call, l *location) (int, any, *refusal) {
	return h.nameTag(c, l, newID())
}

func (h *Server) nameTag(c *call, l *location, id string) (int, any, *refusal) {
	name, _ := c.str("name")
	name = strings.ToLower(strings.TrimSpace(name))
	if other := l.tags[name]; other != "" && other != id {
		return 0, nil, refuse(http.StatusBadRequest, "The tag name is already in use.")
	}
	for old, its := range l.tags {
		if its == id {
			delete(l.tags, old)
		}
	}
	l.tags[name] = id
	h.notice.Changed()
	return http.StatusOK, map[string]any{"tag": l.tagAnswer(name)}, nil
}

// locationTag finds the tag that the path names.
func (h *Server) locationTag(c *call) (*location, string, *refusal) {
	l, no := h.location(c, chi.URLParam(c.r, "locationId"))
	if no != nil {
		return nil, "", no
	}
	id := chi.URLParam(c.r, "tagId")
	for name, its := range l.tags {
		if its == id {
			return l, name, nil
		}
	}
	return nil, "", refuse(http.StatusBadRequest, "Tag with id %s not found", id)
}

func (h *Server) getLocationTag(c *call, l *location, name string) (int, any, *refusal) {
	return http.StatusOK, map[string]any{"tag": l.tagAnswer(name)}, nil
}

// renameLocationTag and deleteLocationTag change the dictionary only: whether
// HighLevel changes the contacts that carry the tag is not documented.
func (h *Server) renameLocationTag(c *call, l *location, name string) (int, any, *refusal) {
	return h.nameTag(c, l, l.tags[name])
}

func (h *Server) deleteLocationTag(c *call, l *location, name string) (int, any, *refusal) {
	delete(l.tags, name)
	h.notice.Changed()
	return http.StatusOK, c.succeeded(), nil
}
