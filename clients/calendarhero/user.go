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
	Timezone string // IANA name, probably; may be ""
}

// UnmarshalJSON reads the record with tolerance.
func (u *User) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*u = User{ID: o.Text("id"), Name: o.Text("name"), Timezone: o.Text("timezone")}
	if emails := o.Texts("email"); len(emails) > 0 {
		u.Email = emails[0]
	}
	return nil
}

// User fetches the account; it is also the check of a token.
func (c *Client) User(ctx context.Context) (User, error) {
	var user User
	err := c.do(ctx, route{operation: opUser, method: http.MethodGet, path: "/user"}, &user)
	if err == nil && user.ID == "" {
		err = unreadable(opUser, "")
	}
	return user, err
}
