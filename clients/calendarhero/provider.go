package calendarhero

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"milepost/clients"
)

// Provider is a service that is connected to the account, such as a calendar or a CRM.
//
// CalendarHero's answer also has the credentials for the service (auth, eAuth), and objects
// of undocumented shape. This type does not read them, so nobody can store or show them.
type Provider struct {
	Name                     string
	Type                     string // named providerType in the API
	Categories               []string
	Calendar, Contacts, Mail bool // whether the service is used for this
	UserID, OrgID            string
	DateAdded, DateUpdated   time.Time
	DateLastImport           time.Time
}

// UnmarshalJSON reads the record with tolerance, and skips its credentials.
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

// Providers lists the services that are connected to the account, or with org to its whole
// organisation.
func (c *Client) Providers(ctx context.Context, org bool) ([]Provider, error) {
	query := url.Values{}
	if org {
		query.Set("org", "true")
	}
	return list(ctx, c, route{operation: "list providers", method: http.MethodGet, path: "/provider", query: query}, wholeProvider)
}

func wholeProvider(p Provider) bool { return p.Name != "" || p.Type != "" }
