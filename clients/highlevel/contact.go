package highlevel

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"milepost/clients"
)

const (
	opContact       = "get contact"
	opCreateContact = "create contact"
	opUpdateContact = "update contact"
	opUpsertContact = "upsert contact"
	opDeleteContact = "delete contact"
)

// Contact is a contact as GET /contacts/{contactId} answers it. Dates are
// kept as they came: DateAdded and DateUpdated are RFC 3339, DateOfBirth is
// YYYY-MM-DD or RFC 3339 at midnight UTC. Text fields are "" if HighLevel
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
	DND          bool     // on all channels
	DNDChannels  []string // those on which it is active, sorted: Call, Email, SMS, …
	Tags         []string // HighLevel lower-cases them on save; compare without case
	CustomFields []CustomFieldValue
}

// CustomFieldValue is one custom field of a contact. Its name is in the
// definition of this id (see CustomFields).
type CustomFieldValue struct {
	ID string
	// Value is the JSON as it came: string, number, array or object by the
	// field's data type; a date comes as YYYY-MM-DD, RFC 3339 or Unix time in
	// seconds or milliseconds. It is nil if the field is empty (null).
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
	settings, _ := clients.ParseObject(o.Raw("dndSettings"))
	for channel := range settings {
		if one, err := clients.ParseObject(settings.Raw(channel)); err == nil && one.Text("status") != "inactive" {
			c.DNDChannels = append(c.DNDChannels, channel)
		}
	}
	slices.Sort(c.DNDChannels)
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
	err = theOne(opContact, id, out.Contact.ID, err)
	if c := out.Contact; err == nil && c.Name+c.FirstName+c.LastName+c.Email+c.Phone+c.DateAdded+c.DateUpdated == "" && len(c.CustomFields) == 0 {
		err = incomplete(opContact, id)
	}
	return out.Contact, err
}

// DNDSetting says whether one channel may be used: Status "active" means do
// not disturb, "inactive" that it may be used, "permanent" that it cannot be changed.
type DNDSetting struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
	Code    string `json:"code,omitempty"`
}

// ContactFields are the fields of a contact that can be written; those of the
// zero value are left unchanged (HighLevel OpenAPI, UpdateContactDto).
type ContactFields struct {
	FirstName   Text    `json:"firstName,omitzero"`
	LastName    Text    `json:"lastName,omitzero"`
	Name        Text    `json:"name,omitzero"` // HighLevel splits it into first and last name
	Email       Text    `json:"email,omitzero"`
	Phone       Text    `json:"phone,omitzero"` // best as E.164
	Address1    Text    `json:"address1,omitzero"`
	City        Text    `json:"city,omitzero"`
	State       Text    `json:"state,omitzero"`
	PostalCode  *string `json:"postalCode,omitempty"`
	Country     *string `json:"country,omitempty"` // ISO 3166-1 alpha-2
	Website     Text    `json:"website,omitzero"`
	Timezone    Text    `json:"timezone,omitzero"`    // IANA name
	DateOfBirth Text    `json:"dateOfBirth,omitzero"` // YYYY-MM-DD
	// Source and AssignedTo (a user id) can be cleared by an update only: a
	// create and an upsert that clear them are Invalid.
	Source     Text  `json:"source,omitzero"`
	AssignedTo Text  `json:"assignedTo,omitzero"`
	DND        *bool `json:"dnd,omitempty"` // all channels
	// DNDSettings are by channel: Call, Email, SMS, WhatsApp, GMB, FB.
	DNDSettings map[string]DNDSetting `json:"dndSettings,omitempty"`
	// InboundDND has the one key "all", and no Code.
	InboundDND map[string]DNDSetting `json:"inboundDndSettings,omitempty"`
	// Tags OVERWRITES all tags of the contact; nil leaves them unchanged, an empty
	// list removes all. To add or remove some, use AddTags and RemoveTags.
	Tags []string `json:"tags,omitzero"`
	// CustomFields are merged: those that are not listed keep their values.
	CustomFields []CustomFieldWrite `json:"customFields,omitempty"`
}

// CustomFieldWrite sets one custom field, named by its ID or else by its Key
// without the model: "milestone_date".
type CustomFieldWrite struct {
	ID  string `json:"id,omitempty"`
	Key string `json:"key,omitempty"`
	// Value is a string, a number (NUMERICAL, MONETORY), a list of strings
	// (CHECKBOX, MULTIPLE_OPTIONS) or an object (FILE_UPLOAD) by the field's
	// type; a DATE is "YYYY-MM-DD", and HighLevel drops a time of day. nil
	// clears the field: it is sent as "", for the API documents no null here.
	Value any `json:"field_value"`
}

// MarshalJSON writes nil as "".
func (w CustomFieldWrite) MarshalJSON() ([]byte, error) {
	type plain CustomFieldWrite
	if w.Value == nil {
		w.Value = ""
	}
	return json.Marshal(plain(w))
}

// NewContact is a contact to be created. LocationID is required, and HighLevel
// knows no contact without a name, e-mail or phone. CompanyName and Gender
// cannot be changed by an update.
type NewContact struct {
	LocationID  string `json:"locationId"`
	CompanyName Text   `json:"companyName,omitzero"`
	Gender      string `json:"gender,omitempty"`
	ContactFields
}

// UpsertContact is a contact to be created or, where the location has one
// with its e-mail or phone, updated.
type UpsertContact struct {
	NewContact
	// AllowDuplicate creates a second contact where the location allows
	// duplicates. Otherwise the one that is there is updated.
	AllowDuplicate bool `json:"createNewIfDuplicateAllowed,omitempty"`
}

// DuplicateError says that a contact could not be written because another one
// of the location has its e-mail or phone. It is found in the error of the
// call by errors.As, and holds no personal data.
type DuplicateError struct {
	ContactID string // the other contact
	Field     string // what they share: "email" or "phone"; "" if HighLevel does not say
}

func (e *DuplicateError) Error() string {
	field := e.Field
	if field == "" {
		field = "e-mail or phone"
	}
	return "contact " + e.ContactID + " has the same " + field
}

// CreateContact makes a contact and returns it as stored. Where the location
// allows no duplicates and has a contact with this e-mail or phone, the error
// is Invalid and holds a *DuplicateError. An Unclear create may have been
// carried out: look with FindDuplicate before the next try.
func (c *Client) CreateContact(ctx context.Context, contact NewContact) (Contact, error) {
	if err := checkID(opCreateContact, contact.LocationID); err != nil {
		return Contact{}, err
	}
	var out struct{ Contact Contact }
	err := c.do(ctx, route{
		operation: opCreateContact, method: http.MethodPost, path: "/contacts/", effect: clients.Once, body: contact,
	}, &out)
	if err == nil && out.Contact.ID == "" {
		err = lostRecord(opCreateContact, "")
	}
	return out.Contact, err
}

// UpdateContact writes the fields that are set and returns the contact as it
// is then. It can fail with a *DuplicateError, as CreateContact does.
func (c *Client) UpdateContact(ctx context.Context, id string, fields ContactFields) (Contact, error) {
	var out struct{ Contact Contact }
	err := c.do(ctx, route{
		operation: opUpdateContact, method: http.MethodPut, path: "/contacts/%s", ids: []string{id},
		effect: clients.Idempotent, body: fields,
	}, &out)
	err = theOne(opUpdateContact, id, out.Contact.ID, err)
	return out.Contact, err
}

// UpsertContact creates or updates, and reports whether the contact is new.
// The location's setting says whether e-mail or phone decides. Like an update
// it overwrites all tags, and it may replace the primary e-mail by a matching
// secondary one (HighLevel issue #337). It is not repeated on its own: without
// e-mail and phone, or with AllowDuplicate, each call makes another contact.
func (c *Client) UpsertContact(ctx context.Context, contact UpsertContact) (stored Contact, isNew bool, err error) {
	if err := checkID(opUpsertContact, contact.LocationID); err != nil {
		return Contact{}, false, err
	}
	var out struct {
		New     bool
		Contact Contact
	}
	err = c.do(ctx, route{
		operation: opUpsertContact, method: http.MethodPost, path: "/contacts/upsert", effect: clients.Once, body: contact,
	}, &out)
	if err == nil && out.Contact.ID == "" {
		err = lostRecord(opUpsertContact, "")
	}
	return out.Contact, out.New, err
}

// DeleteContact deletes a contact with its tasks and notes; NotFound if it is already gone.
func (c *Client) DeleteContact(ctx context.Context, id string) error {
	return c.act(ctx, route{
		operation: opDeleteContact, method: http.MethodDelete, path: "/contacts/%s", ids: []string{id}, effect: clients.Idempotent,
	})
}
