package highlevel

import (
	"context"
	"net/http"

	"milepost/clients"
)

const opLocation = "get location"

// Location is a sub-account.
type Location struct {
	ID        string
	CompanyID string // the agency
	Name      string
	Timezone  string // IANA name such as "America/Chicago"; may be ""
	Email     string
	Phone     string
	Website   string
	Address   string
	City      string
	State     string
	Country   string
}

// UnmarshalJSON reads the record with tolerance.
func (l *Location) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*l = Location{
		ID: o.Text("id"), CompanyID: o.Text("companyId"), Name: o.Text("name"), Timezone: o.Text("timezone"),
		Email: o.Text("email"), Phone: o.Text("phone"), Website: o.Text("website"),
		Address: o.Text("address"), City: o.Text("city"), State: o.Text("state"), Country: o.Text("country"),
	}
	return nil
}

// Location fetches one location.
func (c *Client) Location(ctx context.Context, id string) (Location, error) {
	var out struct{ Location Location }
	err := c.do(ctx, route{operation: opLocation, method: http.MethodGet, path: "/locations/%s", ids: []string{id}}, &out)
	err = theOne(opLocation, id, out.Location.ID, err)
	return out.Location, err
}
