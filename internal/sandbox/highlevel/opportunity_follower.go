package highlevel

import (
	"net/http"
	"slices"
)

// follow adds users of the location to those that follow an opportunity, or takes
// them away, and returns those that changed.
func (h *Server) follow(r *opportunityRecord, ids []string, add bool) ([]string, *refusal) {
	changed := []string{}
	for _, id := range ids {
		if !slices.ContainsFunc(h.locations[r.LocationID].users, func(u User) bool { return u.ID == id }) {
			return nil, refuse(http.StatusBadRequest, "User with id %s not found", id)
		}
		if slices.Contains(r.followers, id) != add && !slices.Contains(changed, id) {
			changed = append(changed, id)
		}
	}
	if add {
		r.followers = append(r.followers, changed...)
	} else {
		r.followers = without(r.followers, changed)
	}
	h.notice.Changed()
	return changed, nil
}

func (h *Server) addOpportunityFollowers(c *call, r *opportunityRecord) (int, any, *refusal) {
	ids, _ := as[[]string](c, "followers")
	added, no := h.follow(r, ids, true)
	if no != nil {
		return 0, nil, no
	}
	return http.StatusCreated, map[string]any{"followers": orEmpty(r.followers), "followersAdded": added}, nil
}

func (h *Server) removeOpportunityFollowers(c *call, r *opportunityRecord) (int, any, *refusal) {
	values, no := c.query(nil, "isRemoveAllFollowers")
	if no != nil {
		return 0, nil, no
	}
	ids, _ := as[[]string](c, "followers")
	if values["isRemoveAllFollowers"] == "true" {
		ids = slices.Clone(r.followers)
	}
	removed, no := h.follow(r, ids, false)
	if no != nil {
		return 0, nil, no
	}
	return http.StatusOK, map[string]any{"followers": orEmpty(r.followers), "followersRemoved": removed}, nil
}
