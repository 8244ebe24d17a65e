package highlevel

import (
	"context"
	"net/http"

	"milepost/clients"
)

const (
	opAddTags    = "add tags to contact"
	opRemoveTags = "remove tags from contact"
)

type tags struct {
	Tags []string `json:"tags"`
}

// AddTags adds tags to a contact and returns all that it has then, as
// HighLevel reports them (it may lower-case them). Tags are a set, so adding
// twice does what adding once does: the call is retried like a PUT.
// No tags is no call and returns nil.
func (c *Client) AddTags(ctx context.Context, contactID string, add []string) ([]string, error) {
	return c.changeTags(ctx, opAddTags, http.MethodPost, contactID, add)
}

// RemoveTags removes tags from a contact and returns those that are left.
// Removing a tag that the contact has not is no error. No tags is no call and returns nil.
func (c *Client) RemoveTags(ctx context.Context, contactID string, remove []string) ([]string, error) {
	return c.changeTags(ctx, opRemoveTags, http.MethodDelete, contactID, remove)
}

func (c *Client) changeTags(ctx context.Context, operation, method, contactID string, list []string) ([]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	var out clients.Object
	err := c.do(ctx, route{
		operation: operation, method: method, path: "/contacts/%s/tags", ids: []string{contactID},
		effect: clients.Idempotent, body: tags{list},
	}, &out)
	return out.Texts("tags"), err
}
