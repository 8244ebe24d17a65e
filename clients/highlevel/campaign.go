package highlevel

import (
	"context"
	"net/http"

	"milepost/clients"
)

const (
	opAddToCampaign          = "add contact to campaign"
	opRemoveFromCampaign     = "remove contact from campaign"
	opRemoveFromAllCampaigns = "remove contact from all campaigns"
)

// AddToCampaign adds a contact to a campaign. The client does not retry it.
func (c *Client) AddToCampaign(ctx context.Context, contactID, campaignID string) error {
	return c.act(ctx, route{
		operation: opAddToCampaign, method: http.MethodPost, path: "/contacts/%s/campaigns/%s", ids: []string{contactID, campaignID},
		effect: clients.Once, body: struct{}{},
	})
}

// RemoveFromCampaign removes a contact from a campaign.
func (c *Client) RemoveFromCampaign(ctx context.Context, contactID, campaignID string) error {
	return c.act(ctx, route{
		operation: opRemoveFromCampaign, method: http.MethodDelete, path: "/contacts/%s/campaigns/%s", ids: []string{contactID, campaignID},
		effect: clients.Idempotent,
	})
}

// RemoveFromAllCampaigns removes a contact from every campaign.
func (c *Client) RemoveFromAllCampaigns(ctx context.Context, contactID string) error {
	return c.act(ctx, route{
		operation: opRemoveFromAllCampaigns, method: http.MethodDelete, path: "/contacts/%s/campaigns/removeAll", ids: []string{contactID},
		effect: clients.Idempotent,
	})
}
