package highlevel

import (
	"context"
	"net/http"

	"milepost/clients"
)

const (
	opAddFollowers    = "add followers to contact"
	opRemoveFollowers = "remove followers from contact"
)

// AddFollowers makes users follow a contact, and returns the ids of all its followers.
// Followers are a set, so the call is retried like a PUT.
func (c *Client) AddFollowers(ctx context.Context, contactID string, userIDs []string) ([]string, error) {
	return c.changeFollowers(ctx, opAddFollowers, http.MethodPost, contactID, userIDs)
}

// RemoveFollowers makes users no longer follow a contact, and returns the ids of the
// remaining followers.
func (c *Client) RemoveFollowers(ctx context.Context, contactID string, userIDs []string) ([]string, error) {
	return c.changeFollowers(ctx, opRemoveFollowers, http.MethodDelete, contactID, userIDs)
}

// changeFollowers makes no call if there are no users.
func (c *Client) changeFollowers(ctx context.Context, operation, method, contactID string, userIDs []string) ([]string, error) {
	if len(userIDs) == 0 {
		return nil, nil
	}
	var out clients.Object
	err := c.do(ctx, route{
		operation: operation, method: method, path: "/contacts/%s/followers", ids: []string{contactID},
		effect: clients.Idempotent, body: map[string][]string{"followers": userIDs},
	}, &out)
	return out.Texts("followers"), err
}
