package highlevel

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"milepost/internal/sandbox/fakehttp"
)

// Workflow is an automation of a location that contacts can be enrolled in.
// The sandbox notes the enrolment and runs nothing.
type Workflow struct{ ID, Name string }

// SeedWorkflow adds a workflow to a location and returns it with its id.
func (h *Server) SeedWorkflow(locationID string, w Workflow) Workflow {
	w.ID = cmp.Or(w.ID, fakehttp.UUID())
	h.seed(locationID, func(l *location) { l.workflows = append(l.workflows, w) })
	return w
}

// Enrolled returns the ids of the workflows that a contact is in.
func (h *Server) Enrolled(contactID string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.contacts[contactID]; r != nil {
		return slices.Clone(r.workflows)
	}
	return nil
}

var (
	workflowDTO  = dto{"eventStartTime": optional(aDate)}
	followersDTO = dto{"followers": required(aStringList)}
)

func (h *Server) enrolment(c *call) (*contactRecord, string, *refusal) {
	contact, no := h.contact(c)
	if no != nil {
		return nil, "", no
	}
	id := chi.URLParam(c.r, "workflowId")
	if !slices.ContainsFunc(h.locations[contact.LocationID].workflows, func(w Workflow) bool { return w.ID == id }) {
		return nil, "", refuse(http.StatusBadRequest, "Workflow with id %s not found", id)
	}
	return contact, id, nil
}

func (h *Server) addToWorkflow(c *call, contact *contactRecord, id string) (int, any, *refusal) {
	contact.workflows = append(contact.workflows, id) // a second enrolment is a second run
	h.notice.Changed()
	return http.StatusCreated, c.succeeded(), nil
}

func (h *Server) removeFromWorkflow(c *call, contact *contactRecord, id string) (int, any, *refusal) {
	contact.workflows = slices.DeleteFunc(contact.workflows, func(w string) bool { return w == id })
	h.notice.Changed()
	return http.StatusOK, c.succeeded(), nil
}

func (h *Server) listWorkflows(c *call, l *location, _ map[string]string) (int, any, *refusal) {
	at := fakehttp.ISOMillis(h.clock())
	workflows := []any{}
	for _, w := range l.workflows {
		workflows = append(workflows, map[string]any{
			"id": w.ID, "name": w.Name, "status": "published", "version": 1, "createdAt": at, "updatedAt": at, "locationId": l.ID,
		})
	}
	return http.StatusOK, map[string]any{"workflows": workflows}, nil
}

// addToCampaign takes any campaign: the API has no way to make one.
func (h *Server) addToCampaign(c *call, contact *contactRecord) (int, any, *refusal) {
	if id := chi.URLParam(c.r, "campaignId"); !slices.Contains(contact.campaigns, id) {
		contact.campaigns = append(contact.campaigns, id)
	}
	h.notice.Changed()
	return http.StatusCreated, c.succeeded(), nil
}

// removeFromCampaign also is the removal from all, whose path ends with
// another word under v3.
func (h *Server) removeFromCampaign(c *call, contact *contactRecord) (int, any, *refusal) {
	id, all := chi.URLParam(c.r, "campaignId"), "removeAll"
	if c.v3 {
		all = "remove-all"
	}
	switch {
	case id == all:
		contact.campaigns = nil
	case !slices.Contains(contact.campaigns, id):
		return 0, nil, refuse(http.StatusBadRequest, "Campaign with id %s not found", id)
	default:
		contact.campaigns = slices.DeleteFunc(contact.campaigns, func(s string) bool { return s == id })
	}
	h.notice.Changed()
	return http.StatusOK, c.succeeded(), nil
}

func (h *Server) addFollowers(c *call, contact *contactRecord) (int, any, *refusal) {
	ids, _ := as[[]string](c, "followers")
	added := []string{}
	for _, id := range ids {
		if !slices.ContainsFunc(h.locations[contact.LocationID].users, func(u User) bool { return u.ID == id }) {
			return 0, nil, refuse(http.StatusBadRequest, "User with id %s not found", id)
		}
		if !slices.Contains(contact.followers, id) && !slices.Contains(added, id) {
			added = append(added, id)
		}
	}
	contact.followers = append(contact.followers, added...)
	h.notice.Changed()
	return http.StatusCreated, map[string]any{"followers": orEmpty(contact.followers), "followersAdded": added}, nil
}

func (h *Server) removeFollowers(c *call, contact *contactRecord) (int, any, *refusal) {
	ids, _ := as[[]string](c, "followers")
	removed := []string{}
	contact.followers = slices.DeleteFunc(contact.followers, func(id string) bool {
		gone := slices.Contains(ids, id)
		if gone {
			removed = append(removed, id)
		}
		return gone
	})
	h.notice.Changed()
	return http.StatusOK, map[string]any{"followers": orEmpty(contact.followers), "followersRemoved": removed}, nil
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
