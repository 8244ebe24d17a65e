package calendarhero

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"milepost/clients"
)

// Provider is a service that the account is connected to: a calendar, a CRM.
//
// CalendarHero also answers with what it signs in there with (auth, eAuth), and
// with objects whose insides are not documented. None of that is read into
// this type, so it can be neither kept nor shown.
type Provider struct {
	Name                     string
	Type                     string // the API calls it providerType
	Categories               []string
	Calendar, Contacts, Mail bool // whether it is used for that
	UserID, OrgID            string
	DateAdded, DateUpdated   time.Time
	DateLastImport           time.Time
}

// UnmarshalJSON reads the record with tolerance, and leaves its credentials behind.
func (p *Provider) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	used := func(key string) bool { return !slices.Contains([]string{"", "{}", "[]", "false"}, string(o.Raw(key))) }
	*p = Provider{
		Name: o.Text("name"), Type: o.Text("providerType"), Categories: o.Texts("categoryType"),
		Calendar: used("calendar"), Contacts: used("contacts"), Mail: used("mail"),
		UserID: o.Text("userId"), OrgID: o.Text("orgId"), DateAdded: moment(o.Text("dateAdded")),
		DateUpdated: moment(o.Text("dateUpdated")), DateLastImport: moment(o.Text("dateLastImport")),
	}
	return nil
}

// Providers lists the services that the account, or its whole organisation, is connected to.
func (c *Client) Providers(ctx context.Context, org bool) ([]Provider, error) {
	query := url.Values{}
	if org {
		query.Set("org", "true")
	}
	return list(ctx, c, route{operation: "list providers", method: http.MethodGet, path: "/provider", query: query}, wholeProvider)
}

func wholeProvider(p Provider) bool { return p.Name != "" || p.Type != "" }
