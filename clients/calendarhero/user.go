package calendarhero

import (
	"context"
	"net/http"

	"milepost/clients"
)

const opUser = "get user"

// User is the account that the token belongs to.
type User struct {
	ID       string
	Email    string
	Name     string
	Timezone string // probably an IANA name; may be ""

	Plan, OrgID, VendastaUserID   string
	Tags, Telephones, ExtraEmails []string // the tags are of the user, not of contacts
}

// UnmarshalJSON reads the record with tolerance.
func (u *User) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*u = User{
		ID: o.Text("id"), Name: o.Text("name"), Timezone: o.Text("timezone"), Plan: o.Text("plan"), OrgID: o.Text("orgId"),
		VendastaUserID: o.Text("vendastaUserId"), Tags: o.Texts("tags"), Telephones: o.Texts("telephones"), ExtraEmails: o.Texts("extraEmails"),
	}
	if emails := o.Texts("email"); len(emails) > 0 {
		u.Email = emails[0]
	}
	return nil
}

// User fetches the account; it also checks a token.
func (c *Client) User(ctx context.Context) (User, error) {
	var user User
	err := c.do(ctx, route{operation: opUser, method: http.MethodGet, path: "/user"}, &user)
	if err == nil && user.ID == "" {
		err = unreadable(opUser, "")
	}
	return user, err
}

// Org fetches the account's organisation, unchanged, because its shape is undocumented.
func (c *Client) Org(ctx context.Context) (clients.Object, error) {
	return c.object(ctx, "get organisation", "/user/org")
}

// Savings fetches the statistics of the time saved, unchanged, because their shape is
// undocumented.
func (c *Client) Savings(ctx context.Context) (clients.Object, error) {
	return c.object(ctx, "get savings", "/user/savings")
}

// object reads an object; an empty answer counts as an object without fields.
func (c *Client) object(ctx context.Context, operation, path string) (clients.Object, error) {
	out, err := c.get(ctx, operation, path, nil)
	if err != nil || out == nil {
		return nil, err
	}
	o, err := clients.ParseRecord(out)
	if err != nil {
		return nil, unreadable(operation, "")
	}
	return o, nil
}
