package highlevel

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
)

var usersByEmailDTO = dto{
	"companyId": required(aString), "emails": required(aString), "deleted": optional(aBool), "skip": text(), "limit": text(), "projection": text(),
}

func (u User) answer(locationID string) map[string]any {
	return map[string]any{
		"id": u.ID, "name": u.Name(), "firstName": u.FirstName, "lastName": u.LastName, "email": u.Email, "phone": u.Phone,
		"deleted": false,
		"roles":   map[string]any{"type": "account", "role": "user", "locationIds": []string{locationID}},
	}
}

func (h *Server) listUsers(c *call, l *location, _ map[string]string) (int, any, *refusal) {
	users := []any{}
	for _, u := range l.users {
		users = append(users, u.answer(l.ID))
	}
	return http.StatusOK, map[string]any{"users": users}, nil
}

// employed calls visit for each user of a company's locations within the token's reach.
func (h *Server) employed(c *call, companyID string, visit func(l *location, u User)) *refusal {
	reached := false
	for _, id := range h.order {
		if l := h.locations[id]; c.access[id] && l.CompanyID == companyID {
			reached = true
			for _, u := range l.users {
				visit(l, u)
			}
		}
	}
	if !reached {
		return refuse(http.StatusForbidden, "The token does not have access to this company.")
	}
	return nil
}

// searchUsers leaves sort aside: it answers in the order in which users were added.
func (h *Server) searchUsers(c *call) (int, any, *refusal) {
	values, no := c.query([]string{"companyId"}, "query", "skip", "limit", "locationId", "type", "role", "ids", "sort", "sortDirection", "enabled2waySync")
	if no != nil {
		return 0, nil, no
	}
	if id := values["locationId"]; id != "" {
		if _, no := h.location(c, id); no != nil {
			return 0, nil, no
		}
	}
	found := []any{}
	no = h.employed(c, values["companyId"], func(l *location, u User) {
		text := strings.ToLower(u.Name() + " " + u.Email + " " + u.Phone)
		ids := strings.Split(values["ids"], ",")
		if (values["locationId"] == "" || values["locationId"] == l.ID) && strings.Contains(text, strings.ToLower(values["query"])) &&
			(values["ids"] == "" || slices.Contains(ids, u.ID)) && (values["type"] == "" || values["type"] == "account") && (values["role"] == "" || values["role"] == "user") {
			found = append(found, u.answer(l.ID))
		}
	})
	if no != nil {
		return 0, nil, no
	}
	return http.StatusOK, map[string]any{"users": page(found, values["skip"], values["limit"]), "count": len(found)}, nil
}

// findUsersByEmail is for an agency's token; see agencyOnly.
func (h *Server) findUsersByEmail(c *call) (int, any, *refusal) {
	companyID, _ := c.str("companyId")
	emails, _ := c.str("emails")
	skip, _ := c.str("skip")
	limit, _ := c.str("limit")
	wanted := strings.Split(strings.ToLower(emails), ",")
	found := []any{}
	no := h.employed(c, companyID, func(l *location, u User) {
		if slices.Contains(wanted, strings.ToLower(u.Email)) {
			found = append(found, u.answer(l.ID))
		}
	})
	if no != nil {
		return 0, nil, no
	}
	return http.StatusOK, map[string]any{"users": page(found, skip, limit), "count": len(found)}, nil
}

func (h *Server) getUser(c *call) (int, any, *refusal) {
	id := chi.URLParam(c.r, "userId")
	for _, at := range h.order {
		for _, u := range h.locations[at].users {
			if u.ID == id && c.access[at] {
				return http.StatusOK, u.answer(at), nil
			}
		}
	}
	return 0, nil, refuse(http.StatusBadRequest, "User with id %s not found", id)
}
