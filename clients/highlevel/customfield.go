package highlevel

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"milepost/clients"
)

const (
	opCustomFields = "list custom fields of location"
	opCustomField  = "get custom field"
)

// CustomField is the definition of a custom field. Records contain only its id.
type CustomField struct {
	ID      string
	Name    string // as people see it, such as "Milestone Date"
	Key     string // the name in merge fields without the model, such as "milestone_date"
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

// The models with custom fields.
const (
	ContactModel     = "contact"
	OpportunityModel = "opportunity"
	AllModels        = "all"
)

// CustomFields lists the definitions of a location's contact fields.
func (c *Client) CustomFields(ctx context.Context, locationID string) ([]CustomField, error) {
	return c.CustomFieldsOf(ctx, locationID, ContactModel)
}

// CustomFieldsOf lists the definitions for one model, or with AllModels for both.
func (c *Client) CustomFieldsOf(ctx context.Context, locationID, model string) ([]CustomField, error) {
	var out struct{ CustomFields *[]CustomField }
	err := c.do(ctx, route{
		operation: opCustomFields, method: http.MethodGet, path: "/locations/%s/customFields", ids: []string{locationID},
		query: url.Values{"model": {model}},
	}, &out)
	return listed(opCustomFields, locationID, out.CustomFields, func(f CustomField) string { return f.ID }, err)
}

// CustomField fetches one definition by its id, or by its whole key with the model, such as
// "contact.milestone_date".
func (c *Client) CustomField(ctx context.Context, locationID, idOrKey string) (CustomField, error) {
	var out struct{ CustomField CustomField }
	err := c.do(ctx, route{
		operation: opCustomField, method: http.MethodGet, path: "/locations/%s/customFields/%s", ids: []string{locationID, idOrKey},
	}, &out)
	if err == nil && out.CustomField.ID == "" {
		err = incomplete(opCustomField, idOrKey)
	}
	return out.CustomField, err
}
