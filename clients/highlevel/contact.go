package highlevel

import (
	"context"
	"encoding/json"
	"net/http"

	"milepost/clients"
)

const opContact = "get contact"

// Contact is a contact as GET /contacts/{contactId} answers it. Dates are
// kept as they came: DateAdded and DateUpdated are RFC 3339, DateOfBirth is
// YYYY-MM-DD or RFC 3339 at midnight UTC. Text fields are "" where HighLevel
// has none. DateUpdated is the only change marker there is.
type Contact struct {
	ID           string
	LocationID   string
	Name         string // full name; may be "" or lower-cased where FirstName and LastName are not
	FirstName    string
	LastName     string
	Email        string
	Phone        string // E.164
	CompanyName  string
	Website      string
	Address1     string
	City         string
	State        string
	Country      string // ISO 3166-1 alpha-2
	PostalCode   string
	Timezone     string // IANA name; of the contact, not of the location
	Source       string
	Type         string // "lead", "customer", …
	AssignedTo   string // user id
	BusinessID   string
	DateOfBirth  string
	DateAdded    string
	DateUpdated  string
	LastActivity string
	DND          bool
	Tags         []string // HighLevel lower-cases them on save; compare without case
	CustomFields []CustomFieldValue
}

// CustomFieldValue is one custom field of a contact. Its name is in the
// definition of this id (see CustomFields).
type CustomFieldValue struct {
	ID string
	// Value is the JSON as it came: string, number, array or object by the
	// field's data type; a date comes as YYYY-MM-DD, RFC 3339 or Unix time in
	// seconds or milliseconds. It is nil where the field is empty (null).
	Value json.RawMessage
}

// UnmarshalJSON reads the record with tolerance: missing, null and numbers for texts.
func (c *Contact) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*c = Contact{
		ID: o.Text("id"), LocationID: o.Text("locationId"),
		Name: o.Text("name"), FirstName: o.Text("firstName"), LastName: o.Text("lastName"),
		Email: o.Text("email"), Phone: o.Text("phone"),
		CompanyName: o.Text("companyName"), Website: o.Text("website"),
		Address1: o.Text("address1"), City: o.Text("city"), State: o.Text("state"),
		Country: o.Text("country"), PostalCode: o.Text("postalCode"), Timezone: o.Text("timezone"),
		Source: o.Text("source"), Type: o.Text("type"), AssignedTo: o.Text("assignedTo"), BusinessID: o.Text("businessId"),
		DateOfBirth: o.Text("dateOfBirth"), DateAdded: o.Text("dateAdded"),
		DateUpdated: o.Text("dateUpdated"), LastActivity: o.Text("lastActivity"),
		DND: o.Bool("dnd"), Tags: o.Texts("tags"),
	}
	// Where the first name came back lower-cased, firstNameRaw holds it as typed (observed).
	if raw := o.Text("firstNameRaw"); raw != "" {
		c.FirstName = raw
	}
	if raw := o.Text("lastNameRaw"); raw != "" {
		c.LastName = raw
	}
	for _, field := range o.Objects("customFields") {
		if id := field.Text("id"); id != "" {
			c.CustomFields = append(c.CustomFields, CustomFieldValue{ID: id, Value: field.Raw("value")})
		}
	}
	return nil
}

// Contact fetches one contact. A contact that was deleted or merged into
// another is NotFound.
func (c *Client) Contact(ctx context.Context, id string) (Contact, error) {
	var out struct{ Contact Contact }
	err := c.do(ctx, route{operation: opContact, method: http.MethodGet, path: "/contacts/%s", ids: []string{id}}, &out)
	if err == nil && out.Contact.ID == "" {
		err = incomplete(opContact, id)
	}
	return out.Contact, err
}
