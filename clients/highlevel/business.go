package highlevel

import (
	"context"
	"net/http"

	"milepost/clients"
)

const opSetBusiness = "set business of contacts"

// SetBusiness links contacts of one location to a business (a company record); with
// businessID "", it unlinks them. HighLevel sends no event for it (issue #276). Without
// contacts, it makes no call. ContactsOfBusiness lists the contacts of a business.
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
		BusinessID *string  `json:"businessId"` // null removes the link
	}{LocationID: locationID, IDs: contactIDs}
	if businessID != "" {
		body.BusinessID = &businessID
	}
	return c.act(ctx, route{
		operation: opSetBusiness, method: http.MethodPost, path: "/contacts/bulk/business",
		effect: clients.Idempotent, body: body,
	})
}
