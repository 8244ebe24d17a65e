package highlevel

import (
	"context"
	"net/http"

	"milepost/clients"
)

const opSetBusiness = "set business of contacts"

// SetBusiness links contacts of one location to a business (a company
// record), or with businessID "" to none. HighLevel sends no event for it
// (issue #276). No contacts is no call. The contacts of a business are listed
// by ContactsOfBusiness.
func (c *Client) SetBusiness(ctx context.Context, locationID, businessID string, contactIDs []string) error {
	if len(contactIDs) == 0 {
		return nil
	}
	if err := checkID(opSetBusiness, locationID); err != nil {
		return err
	}
	body := struct {
		LocationID string   `json:"locationId"`
		IDs        []string `json:"ids"`
		BusinessID *string  `json:"businessId"` // null takes the link away
	}{LocationID: locationID, IDs: contactIDs}
	if businessID != "" {
		body.BusinessID = &businessID
	}
	return c.act(ctx, route{
		operation: opSetBusiness, method: http.MethodPost, path: "/contacts/bulk/business",
		effect: clients.Idempotent, body: body,
	})
}
