package highlevel

import (
	"context"
	"net/http"

	"milepost/clients"
)

const (
	opLocationTags      = "list tags of location"
	opLocationTag       = "get tag of location"
	opCreateLocationTag = "create tag of location"
	opRenameLocationTag = "rename tag of location"
	opDeleteLocationTag = "delete tag of location"
)

// LocationTag is an entry of a location's list of tags. Contacts have the name, not the id.
type LocationTag struct {
	ID         string
	Name       string
	LocationID string
}

// UnmarshalJSON reads the record with tolerance.
func (t *LocationTag) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*t = LocationTag{ID: o.Text("id"), Name: o.Text("name"), LocationID: o.Text("locationId")}
	return nil
}

// LocationTags lists all tags of a location.
func (c *Client) LocationTags(ctx context.Context, locationID string) ([]LocationTag, error) {
	var out struct{ Tags *[]LocationTag }
	err := c.do(ctx, route{operation: opLocationTags, method: http.MethodGet, path: "/locations/%s/tags", ids: []string{locationID}}, &out)
	return listed(opLocationTags, locationID, out.Tags, func(t LocationTag) string { return t.ID }, err)
}

// LocationTag fetches one tag by its id.
func (c *Client) LocationTag(ctx context.Context, locationID, tagID string) (LocationTag, error) {
	var out struct{ Tag LocationTag }
	err := c.do(ctx, route{operation: opLocationTag, method: http.MethodGet, path: "/locations/%s/tags/%s", ids: []string{locationID, tagID}}, &out)
	if err == nil && out.Tag.ID == "" {
		err = incomplete(opLocationTag, tagID)
	}
	return out.Tag, err
}

// CreateLocationTag adds a tag to the list. Adding a tag to a contact also does that.
func (c *Client) CreateLocationTag(ctx context.Context, locationID, name string) (LocationTag, error) {
	var out struct{ Tag LocationTag }
	err := c.do(ctx, route{
		operation: opCreateLocationTag, method: http.MethodPost, path: "/locations/%s/tags", ids: []string{locationID},
		effect: clients.Once, body: tagName{name},
	}, &out)
	if err == nil && out.Tag.ID == "" {
		err = lostRecord(opCreateLocationTag, locationID)
	}
	return out.Tag, err
}

// RenameLocationTag renames a tag.
func (c *Client) RenameLocationTag(ctx context.Context, locationID, tagID, name string) (LocationTag, error) {
	var out struct{ Tag LocationTag }
	err := c.do(ctx, route{
		operation: opRenameLocationTag, method: http.MethodPut, path: "/locations/%s/tags/%s", ids: []string{locationID, tagID},
		effect: clients.Idempotent, body: tagName{name},
	}, &out)
	if err == nil && out.Tag.ID == "" {
		err = incomplete(opRenameLocationTag, tagID)
	}
	return out.Tag, err
}

// DeleteLocationTag removes a tag from the list.
func (c *Client) DeleteLocationTag(ctx context.Context, locationID, tagID string) error {
	return c.act(ctx, route{
		operation: opDeleteLocationTag, method: http.MethodDelete, path: "/locations/%s/tags/%s", ids: []string{locationID, tagID},
		effect: clients.Idempotent,
	})
}

type tagName struct {
	Name string `json:"name"`
}
