package highlevel

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"milepost/clients"
)

const opCustomFields = "list custom fields of location"

// CustomField is the definition of a custom field. Records carry its id only.
type CustomField struct {
	ID      string
	Name    string // as people see it: "Milestone Date"
	Key     string // as merge fields name it, without the model: "milestone_date"
	Type    string // TEXT, LARGE_TEXT, NUMERICAL, PHONE, MONETORY (sic), CHECKBOX, SINGLE_OPTIONS, MULTIPLE_OPTIONS, DATE, …
	Model   string // "contact" or "opportunity"
	Options []string
}

// UnmarshalJSON reads the record with tolerance.
func (f *CustomField) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*f = CustomField{
		ID: o.Text("id"), Name: o.Text("name"), Type: o.Text("dataType"),
		Model: o.Text("model"), Options: o.Texts("picklistOptions"),
	}
	f.Key = o.Text("fieldKey") // "contact.milestone_date"
	if _, key, ok := strings.Cut(f.Key, "."); ok {
		f.Key = key
	}
	return nil
}

// CustomFields lists the definitions of a location's contact fields.
func (c *Client) CustomFields(ctx context.Context, locationID string) ([]CustomField, error) {
	var out struct{ CustomFields *[]CustomField }
	err := c.do(ctx, route{
		operation: opCustomFields, method: http.MethodGet, path: "/locations/%s/customFields", ids: []string{locationID},
		query: url.Values{"model": {"contact"}},
	}, &out)
	return listed(opCustomFields, locationID, out.CustomFields, func(f CustomField) string { return f.ID }, err)
}
