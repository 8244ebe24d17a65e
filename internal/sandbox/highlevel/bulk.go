package highlevel

import (
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"
)

var bulkTagsDTO = dto{
	"contacts": required(aStringList), "tags": required(aStringList), "locationId": required(aString), "removeAllTags": optional(aBool),
}

// businessId is required and may be null.
var bulkBusinessDTO = dto{
	"locationId": required(aString), "ids": required(aStringList), "businessId": {kind: aString, required: true, nullable: true},
}

// bulkTags changes the tags of many contacts. Those that it cannot change are
// errors in the answer, not of it.
func (h *Server) bulkTags(c *call) (int, any, *refusal) {
	kind := chi.URLParam(c.r, "type")
	if kind != "add" && kind != "remove" {
		return 0, nil, refuse(http.StatusBadRequest, "type must be one of the following values: add, remove")
	}
	l, no := h.locationOfBody(c)
	if no != nil {
		return 0, nil, no
	}
	ids, _ := as[[]string](c, "contacts")
	tags, _ := as[[]string](c, "tags")
	all, _ := as[bool](c, "removeAllTags")
	failed := 0
	responses := []any{}
	for _, id := range ids {
		record := h.contacts[id]
		if record == nil || record.LocationID != l.ID {
			message := "contact id is not a valid firebase id"
			if record != nil {
				message = "contact does not belong to location"
			}
			failed++
			responses = append(responses, map[string]any{"contactId": id, "message": message, "type": "error"})
			continue
		}
		old := record.tags()
		switch {
		case kind == "add":
			h.replaceTags(record, append(slices.Clone(old), tags...))
		case all:
			h.replaceTags(record, nil)
		default:
			h.replaceTags(record, without(old, tags))
		}
		responses = append(responses, map[string]any{
			"contactId": id, "message": "Tags updated", "type": "success", "oldTags": old,
			"tagsAdded": without(record.tags(), old), "tagsRemoved": without(old, record.tags()),
		})
	}
	answer := c.succeeded()
	answer["succeded"] = true // required under every version
	answer["errorCount"], answer["responses"] = failed, responses
	return http.StatusCreated, answer, nil
}

// bulkBusiness links contacts to a business. It sends no event: HighLevel has
// none for that (its issue #276). One contact that is not there fails all.
func (h *Server) bulkBusiness(c *call, l *location) (int, any, *refusal) {
	ids, _ := as[[]string](c, "ids")
	business, _ := c.str("businessId")
	for _, id := range ids {
		if r := h.contacts[id]; r == nil || r.LocationID != l.ID {
			return 0, nil, refuse(http.StatusBadRequest, "Contact with id %s not found", id)
		}
	}
	for _, id := range ids {
		record := h.contacts[id]
		record.BusinessID, record.DateUpdated = business, h.clock()
	}
	h.notice.Changed()
	return http.StatusOK, map[string]any{"success": true, "ids": ids}, nil
}

func (h *Server) listContactsOfBusiness(c *call, l *location) (int, any, *refusal) {
	limit, no := queryInt(c, "limit", 25)
	if no != nil {
		return 0, nil, no
	}
	skip, no := queryInt(c, "skip", 0)
	if no != nil {
		return 0, nil, no
	}
	business := chi.URLParam(c.r, "businessId")
	found := h.sortedContacts(func(r *contactRecord) bool {
		return r.LocationID == l.ID && r.BusinessID == business && r.matches(c.r.URL.Query().Get("query"))
	})
	total := len(found)
	found = found[min(skip, total):]
	contacts := answers(found[:min(limit, len(found))], func(r *contactRecord) map[string]any { return h.contactAnswer(r, false) })
	return http.StatusOK, map[string]any{"contacts": contacts, "count": total}, nil
}
