package highlevel

import (
	"cmp"
	"net/http"
)

// Campaign is a campaign of a location. Contacts can be added to any other id too:
// the API has no way to make one.
type Campaign struct{ ID, Name, Status string }

// SeedCampaign adds a campaign to a location and returns it with its id.
func (h *Server) SeedCampaign(locationID string, campaign Campaign) Campaign {
	campaign.ID = cmp.Or(campaign.ID, newID())
	campaign.Status = cmp.Or(campaign.Status, "published")
	h.seed(locationID, func(l *location) { l.campaigns = append(l.campaigns, campaign) })
	return campaign
}

func (h *Server) listCampaigns(c *call, l *location, values map[string]string) (int, any, *refusal) {
	campaigns := []any{}
	for _, campaign := range l.campaigns {
		if values["status"] == "" || values["status"] == campaign.Status {
			campaigns = append(campaigns, map[string]any{"id": campaign.ID, "name": campaign.Name, "status": campaign.Status, "locationId": l.ID})
		}
	}
	return http.StatusOK, map[string]any{"campaigns": campaigns}, nil
}
