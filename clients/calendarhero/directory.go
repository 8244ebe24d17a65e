package calendarhero

import (
	"context"
	"encoding/json"
	"net/http"

	"milepost/clients"
)

// Directory is a public page that offers some meeting types; it is not a calendar.
type Directory struct {
	ID           string // ignored by create and update
	Name         string // required
	MeetingTypes []DirectoryMeetingType
	Code         string
	Title        string
	Instructions string
	IsDefault    bool
	Locked       bool
	TrackingIDs  []TrackingID // of Google Analytics
}

// DirectoryMeetingType is a meeting type of a user.
type DirectoryMeetingType struct {
	Name   string `json:"name"`
	UserID string `json:"userId,omitempty"`
}

// TrackingID is an id of Google Analytics.
type TrackingID struct {
	ID   string `json:"id"`
	Type string `json:"type,omitempty"`
}

type directoryBody struct {
	Directory directoryFields `json:"directory"`
}

type directoryFields struct {
	Name         string                 `json:"directoryName"`
	MeetingTypes []DirectoryMeetingType `json:"meetingTypes"`
	Code         string                 `json:"code,omitempty"`
	Title        string                 `json:"title,omitempty"`
	Instructions string                 `json:"instructions,omitempty"`
	IsDefault    bool                   `json:"isDefault"`
	Locked       bool                   `json:"locked"`
	TrackingIDs  []TrackingID           `json:"googleTrackingIds,omitempty"`
}

func (d Directory) body() directoryBody {
	return directoryBody{directoryFields{
		Name: d.Name, MeetingTypes: append([]DirectoryMeetingType{}, d.MeetingTypes...), Code: d.Code, Title: d.Title,
		Instructions: d.Instructions, IsDefault: d.IsDefault, Locked: d.Locked, TrackingIDs: d.TrackingIDs,
	}}
}

// UnmarshalJSON reads the record with tolerance. The record may be wrapped as in a create.
// The id in its path may be its uuid or its id.
func (d *Directory) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	if inner, err := clients.ParseObject(o["directory"]); err == nil {
		o = inner
	}
	*d = Directory{
		ID: o.Text("uuid"), Name: o.Text("directoryName"), Code: o.Text("code"), Title: o.Text("title"),
		Instructions: o.Text("instructions"), IsDefault: o.Bool("isDefault"), Locked: o.Bool("locked"),
	}
	if d.ID == "" {
		d.ID = o.Text("id")
	}
	for _, t := range o.Objects("meetingTypes") {
		d.MeetingTypes = append(d.MeetingTypes, DirectoryMeetingType{t.Text("name"), t.Text("userId")})
	}
	for _, t := range o.Objects("googleTrackingIds") {
		d.TrackingIDs = append(d.TrackingIDs, TrackingID{t.Text("id"), t.Text("type")})
	}
	return nil
}

// Directories lists the account's directories.
func (c *Client) Directories(ctx context.Context) ([]Directory, error) {
	return list(ctx, c, route{operation: "list directories", method: http.MethodGet, path: "/user/directories"}, func(d Directory) bool { return d.ID != "" })
}

// Directory fetches one directory.
func (c *Client) Directory(ctx context.Context, id string) (Directory, error) {
	const operation = "get directory"
	var out json.RawMessage
	var d Directory
	err := c.do(ctx, route{operation: operation, method: http.MethodGet, path: "/user/directories/%s", ids: []string{id}}, &out)
	if err == nil && (json.Unmarshal(out, &d) != nil || d.ID == "") {
		err = unreadable(operation, id)
	}
	return d, err
}

// CreateDirectory adds a directory and returns its id. If the answer is lost or has no id,
// the error is Unclear.
func (c *Client) CreateDirectory(ctx context.Context, d Directory) (string, error) {
	return c.create(ctx, "create directory", "/user/directories", d.body())
}

// UpdateDirectory writes a whole directory. It is unknown whether the API keeps empty
// fields.
func (c *Client) UpdateDirectory(ctx context.Context, id string, d Directory) error {
	return c.do(ctx, route{
		operation: "update directory", method: http.MethodPut, path: "/user/directories/%s", ids: []string{id},
		effect: clients.Idempotent, body: d.body(),
	}, nil)
}

// DeleteDirectory deletes a directory; NotFound if it is already gone.
func (c *Client) DeleteDirectory(ctx context.Context, id string) error {
	return c.do(ctx, route{
		operation: "delete directory", method: http.MethodDelete, path: "/user/directories/%s", ids: []string{id}, effect: clients.Idempotent,
	}, nil)
}
