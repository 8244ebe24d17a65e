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

// Contact is a contact as GET /contacts/{contactId} returns it. It keeps dates as HighLevel
// sent them: DateAdded and DateUpdated are RFC 3339; DateOfBirth is YYYY-MM-DD or RFC 3339
// at midnight UTC. A text field is "" if HighLevel has no value. Only DateUpdated shows a
// change.
type Contact struct {
	ID           string
	LocationID   string
	Name         string // full name; may be "" or lower-cased even if FirstName and LastName are not
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
	DNDChannels  []string // channels with DND, sorted: Call, Email, SMS, …
	Tags         []string // HighLevel saves them in lower case; compare without case
	CustomFields []CustomFieldValue
}

// CustomFieldValue is one custom field of a contact. The field's definition, with its name,
// has this id (see CustomFields).
type CustomFieldValue struct {
	ID string
	// Value is the JSON as HighLevel sent it: string, number, array or object, depending on
	// the field's data type. A date is YYYY-MM-DD, RFC 3339 or Unix time in seconds or
	// milliseconds. Value is nil if the field is empty (null).
	Value json.RawMessage
}

// UnmarshalJSON reads the record with tolerance: fields may be missing or null, and texts
// may be numbers.
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
	// If HighLevel lower-cased the first name, firstNameRaw holds it as typed (observed).
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

// Contact fetches one contact. It returns NotFound if the contact was deleted or merged
// into another.
func (c *Client) Contact(ctx context.Context, id string) (Contact, error) {
	var out struct{ Contact Contact }
	err := c.do(ctx, route{operation: opContact, method: http.MethodGet, path: "/contacts/%s", ids: []string{id}}, &out)
	err = theOne(opContact, id, out.Contact.ID, err)
	if c := out.Contact; err == nil && c.Name+c.FirstName+c.LastName+c.Email+c.Phone+c.DateAdded+c.DateUpdated == "" && len(c.CustomFields) == 0 {
		err = incomplete(opContact, id)
	}
	return out.Contact, err
}

// DNDSetting says whether one channel may be used. Status "active" means do not disturb,
// "inactive" means that the channel may be used, "permanent" that the setting cannot be
// changed.
type DNDSetting struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
	Code    string `json:"code,omitempty"`
}

// ContactFields are the writable fields of a contact. Fields with the zero value are left
// unchanged (HighLevel OpenAPI, UpdateContactDto).
type ContactFields struct {
	FirstName   Text    `json:"firstName,omitzero"`
	LastName    Text    `json:"lastName,omitzero"`
	Name        Text    `json:"name,omitzero"` // HighLevel splits it into first and last name
	Email       Text    `json:"email,omitzero"`
	Phone       Text    `json:"phone,omitzero"` // preferably E.164
	Address1    Text    `json:"address1,omitzero"`
	City        Text    `json:"city,omitzero"`
	State       Text    `json:"state,omitzero"`
	PostalCode  *string `json:"postalCode,omitempty"`
	Country     *string `json:"country,omitempty"` // ISO 3166-1 alpha-2
	Website     Text    `json:"website,omitzero"`
	Timezone    Text    `json:"timezone,omitzero"`    // IANA name
	DateOfBirth Text    `json:"dateOfBirth,omitzero"` // YYYY-MM-DD
	// Only an update can clear Source and AssignedTo (a user id). A create or upsert that
	// clears them is Invalid.
	Source     Text  `json:"source,omitzero"`
	AssignedTo Text  `json:"assignedTo,omitzero"`
	DND        *bool `json:"dnd,omitempty"` // all channels
	// DNDSettings are keyed by channel: Call, Email, SMS, WhatsApp, GMB, FB.
	DNDSettings map[string]DNDSetting `json:"dndSettings,omitempty"`
	// InboundDND has only the key "all", without Code.
	InboundDND map[string]DNDSetting `json:"inboundDndSettings,omitempty"`
	// Tags OVERWRITES all tags of the contact; nil leaves them unchanged, and an empty list
	// removes all. Use AddTags and RemoveTags to change only some.
	Tags []string `json:"tags,omitzero"`
	// CustomFields are merged: fields that are not listed keep their values.
	CustomFields []CustomFieldWrite `json:"customFields,omitempty"`
}

// CustomFieldWrite sets one custom field, named by its ID, or else by its Key without the
// model, such as "milestone_date".
type CustomFieldWrite struct {
	ID  string `json:"id,omitempty"`
	Key string `json:"key,omitempty"`
	// Value depends on the field's type: a string, a number (NUMERICAL, MONETORY), a list
	// of strings (CHECKBOX, MULTIPLE_OPTIONS) or an object (FILE_UPLOAD). A DATE is
	// "YYYY-MM-DD"; HighLevel drops the time of day. nil clears the field; it is sent as
	// "", because the API documents no null here.
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

// NewContact is a contact to create. LocationID is required, and HighLevel needs a name,
// e-mail address or phone. An update cannot change CompanyName and Gender.
type NewContact struct {
	LocationID  string `json:"locationId"`
	CompanyName Text   `json:"companyName,omitzero"`
	Gender      string `json:"gender,omitempty"`
	ContactFields
}

// UpsertContact is a contact to create or, if the location has a contact with its e-mail or
// phone, to update.
type UpsertContact struct {
	NewContact
	// AllowDuplicate creates a second contact if the location allows duplicates. Otherwise
	// the existing one is updated.
	AllowDuplicate bool `json:"createNewIfDuplicateAllowed,omitempty"`
}

// DuplicateError says that a contact cannot be written because another contact of the
// location has its e-mail or phone. Use errors.As to find it in the call's error. It holds
// no personal data.
type DuplicateError struct {
	ContactID string // the other contact
	Field     string // the shared field, "email" or "phone"; "" if HighLevel does not say
}

func (e *DuplicateError) Error() string {
	field := e.Field
	if field == "" {
		field = "e-mail or phone"
	}
	return "contact " + e.ContactID + " has the same " + field
}

// CreateContact creates a contact and returns it as stored. If the location allows no
// duplicates and has a contact with this e-mail or phone, the error is Invalid and wraps a
// *DuplicateError. HighLevel may have carried out an Unclear create: call FindDuplicate
// before the next try.
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

// UpdateContact writes the fields that are set, and returns the updated contact. It can
// fail with a *DuplicateError, as CreateContact does.
func (c *Client) UpdateContact(ctx context.Context, id string, fields ContactFields) (Contact, error) {
	var out struct{ Contact Contact }
	err := c.do(ctx, route{
		operation: opUpdateContact, method: http.MethodPut, path: "/contacts/%s", ids: []string{id},
		effect: clients.Idempotent, body: fields,
	}, &out)
	err = theOne(opUpdateContact, id, out.Contact.ID, err)
	return out.Contact, err
}

// UpsertContact creates or updates a contact, and reports whether it is new. A setting of
// the location decides whether e-mail or phone identifies it. Like an update, it overwrites
// all tags, and it may replace the primary e-mail address by a matching secondary one
// (HighLevel issue #337). The client does not retry it: without e-mail and phone, or with
// AllowDuplicate, each call creates another contact.
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
