package highlevel

import (
	"net/http"
	"slices"
)

func (h *Server) addTags(c *call, record *contactRecord) (int, any, *refusal) {
	tags, _ := as[[]string](c, "tags")
	h.replaceTags(record, append(slices.Clone(record.Tags), tags...))
	return http.StatusCreated, map[string]any{"tags": record.tags()}, nil
}

func (h *Server) removeTags(c *call, record *contactRecord) (int, any, *refusal) {
	tags, _ := as[[]string](c, "tags")
	h.replaceTags(record, without(record.Tags, tags))
	return http.StatusOK, map[string]any{"tags": record.tags()}, nil
}

func without(tags, gone []string) []string {
	gone = savedTags(gone)
	return slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return slices.Contains(gone, tag) })
}

func (h *Server) replaceTags(record *contactRecord, tags []string) {
	updated := record.clone()
	updated.Tags = tags
	h.replaceContact(record, updated)
}

// learnTags adds a contact's tags to the dictionary of its location.
func (h *Server) learnTags(record *contactRecord) {
	l := h.locations[record.LocationID]
	if l == nil {
		return
	}
	for _, tag := range record.Tags {
		if l.tags[tag] == "" {
			l.tags[tag] = newID()
		}
	}
}
