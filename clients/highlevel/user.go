package highlevel

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"milepost/clients"
)

const opUsers = "list users of location"

// User is a person who works in a location, and to whom contacts and tasks are assigned.
type User struct {
	ID        string
	Name      string
	FirstName string
	LastName  string
	Email     string
	Phone     string
}

// UnmarshalJSON reads the record with tolerance.
func (u *User) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*u = User{
		ID: o.Text("id"), Name: o.Text("name"), FirstName: o.Text("firstName"), LastName: o.Text("lastName"),
		Email: o.Text("email"), Phone: o.Text("phone"),
	}
	if u.Name == "" {
		u.Name = strings.TrimSpace(u.FirstName + " " + u.LastName)
	}
	return nil
}

// Users lists the users of a location. HighLevel has deprecated this path, but its
// successor needs the id of the agency.
func (c *Client) Users(ctx context.Context, locationID string) ([]User, error) {
	if err := checkID(opUsers, locationID); err != nil {
		return nil, err
	}
	var out struct{ Users *[]User }
	err := c.do(ctx, route{
		operation: opUsers, method: http.MethodGet, path: "/users/",
		query: url.Values{"locationId": {locationID}},
	}, &out)
	return listed(opUsers, locationID, out.Users, func(u User) string { return u.ID }, err)
}
