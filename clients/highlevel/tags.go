package highlevel

import (
	"context"
	"encoding/json"
	"net/http"

	"milepost/clients"
)

const (
	opAddTags    = "add tags to contact"
	opRemoveTags = "remove tags from contact"

	opAddTagsToMany      = "add tags to contacts"
	opRemoveTagsFromMany = "remove tags from contacts"
)

type tags struct {
	Tags []string `json:"tags"`
}

// AddTags adds tags to a contact and returns all its tags, as HighLevel reports them
// (perhaps in lower case). Tags are a set, so adding a tag twice changes nothing, and the
// call is retried like a PUT. Without tags, it makes no call and returns nil.
func (c *Client) AddTags(ctx context.Context, contactID string, add []string) ([]string, error) {
	return c.changeTags(ctx, opAddTags, http.MethodPost, contactID, add)
}

// RemoveTags removes tags from a contact and returns the remaining ones. Removing a tag
// that the contact does not have is not an error. Without tags, it makes no call and
// returns nil.
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

// BulkTags is the result of changing the tags of many contacts.
type BulkTags struct {
	Failed map[string]string // contact id -> why, in HighLevel's words; the others succeeded
	Errors int               // as HighLevel counts them
}

// AddTagsToMany adds tags to contacts of one location in one call. Contacts that HighLevel
// rejects are in BulkTags, not in the error.
func (c *Client) AddTagsToMany(ctx context.Context, locationID string, contactIDs, add []string) (BulkTags, error) {
	return c.bulkTags(ctx, opAddTagsToMany, "add", bulkTags{contactIDs, add, locationID, false})
}

// RemoveTagsFromMany removes tags from contacts of one location in one call.
func (c *Client) RemoveTagsFromMany(ctx context.Context, locationID string, contactIDs, remove []string) (BulkTags, error) {
	return c.bulkTags(ctx, opRemoveTagsFromMany, "remove", bulkTags{contactIDs, remove, locationID, false})
}

// RemoveAllTags removes every tag from contacts of one location.
func (c *Client) RemoveAllTags(ctx context.Context, locationID string, contactIDs []string) (BulkTags, error) {
	return c.bulkTags(ctx, opRemoveTagsFromMany, "remove", bulkTags{contactIDs, []string{}, locationID, true})
}

type bulkTags struct {
	Contacts      []string `json:"contacts"`
	Tags          []string `json:"tags"`
	LocationID    string   `json:"locationId"`
	RemoveAllTags bool     `json:"removeAllTags,omitempty"`
}

// bulkTags makes no call if there is nothing to do.
func (c *Client) bulkTags(ctx context.Context, operation, kind string, body bulkTags) (BulkTags, error) {
	if len(body.Contacts) == 0 || (len(body.Tags) == 0 && !body.RemoveAllTags) {
		return BulkTags{}, nil
	}
	if err := checkID(operation, body.LocationID); err != nil {
		return BulkTags{}, err
	}
	var out struct {
		ErrorCount int
		Responses  json.RawMessage
	}
	err := c.do(ctx, route{
		operation: operation, method: http.MethodPost, path: "/contacts/bulk/tags/update/" + kind,
		effect: clients.Idempotent, body: body,
	}, &out)
	result := BulkTags{Errors: out.ErrorCount}
	for _, one := range (clients.Object{"it": out.Responses}).Objects("it") {
		if one.Text("type") == "error" {
			if result.Failed == nil {
				result.Failed = map[string]string{}
			}
			result.Failed[one.Text("contactId")] = one.Text("message")
		}
	}
	return result, err
}
