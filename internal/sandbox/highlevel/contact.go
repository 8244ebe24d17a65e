package highlevel

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"milepost/internal/sandbox/fakehttp"
)

// Contact is a contact as HighLevel keeps it.
type Contact struct {
	ID, LocationID                string
	FirstName, LastName           string
	Email, Phone                  string
	CompanyName, Website, Source  string
	Address1, City, State         string
	PostalCode, Country, TimeZone string
	DateOfBirth                   string // YYYY-MM-DD
	AssignedTo                    string // user id
	BusinessID                    string // changes of it send no webhook
	DND                           bool
	Tags                          []string       // lower case
	CustomFields                  map[string]any // by field id; a DATE is kept as YYYY-MM-DD
	DateAdded, DateUpdated        time.Time
}

// Name is the contact's full name.
func (c Contact) Name() string { return strings.TrimSpace(c.FirstName + " " + c.LastName) }

func (c Contact) clone() Contact {
	c.Tags = slices.Clone(c.Tags)
	c.CustomFields = maps.Clone(c.CustomFields)
	return c
}

type contactRecord struct {
	Contact
	sequence int64
	tasks    []*Task
	notes    []*Note

	followers, campaigns, workflows []string // ids
}

func (r *contactRecord) owner() (locationID, contactID string) { return r.LocationID, r.ID }

// contact finds the contact that the path names, within the token's reach.
func (h *Server) contact(c *call) (*contactRecord, *refusal) {
	return find(c, h.contacts, "contactId", "Contact")
}

// contactOfBody finds the contact that the body names, in the location that it names.
func (h *Server) contactOfBody(c *call) (*contactRecord, *refusal) {
	l, no := h.locationOfBody(c)
	if no != nil {
		return nil, no
	}
	id, _ := c.str("contactId")
	r := h.contacts[id]
	if r == nil || r.LocationID != l.ID {
		return nil, refuse(http.StatusBadRequest, "The contact id %s is invalid", id)
	}
	return r, nil
}

func (h *Server) getContact(c *call, record *contactRecord) (int, any, *refusal) {
	return http.StatusOK, map[string]any{"contact": h.contactAnswer(record, false)}, nil
}

// contactAnswer is a contact as the API shows it; created adds and changes
// what only the answer to a creation does.
func (h *Server) contactAnswer(record *contactRecord, created bool) map[string]any {
	a := map[string]any{
		"id": record.ID, "locationId": record.LocationID, "type": "lead", "dnd": record.DND,
		"tags": record.tags(), "customFields": h.fieldValues(record),
		"dateAdded": fakehttp.ISOMillis(record.DateAdded), "dateUpdated": fakehttp.ISOMillis(record.DateUpdated),
	}
	put := func(key, value string) {
		if value != "" {
			a[key] = value
		}
	}
	put("name", record.Name())
	put("firstName", record.FirstName)
	put("lastName", record.LastName)
	put("firstNameLowerCase", strings.ToLower(record.FirstName))
	put("lastNameLowerCase", strings.ToLower(record.LastName))
	put("fullNameLowerCase", strings.ToLower(record.Name()))
	if h.config.LowerCaseNames {
		put("firstName", strings.ToLower(record.FirstName))
		put("lastName", strings.ToLower(record.LastName))
		put("firstNameRaw", record.FirstName)
		put("lastNameRaw", record.LastName)
	}
	put("email", record.Email)
	put("emailLowerCase", strings.ToLower(record.Email))
	put("phone", record.Phone)
	put("companyName", record.CompanyName)
	put("website", record.Website)
	put("source", record.Source)
	put("address1", record.Address1)
	put("city", record.City)
	put("state", record.State)
	put("postalCode", record.PostalCode)
	put("country", record.Country)
	put("timezone", record.TimeZone)
	put("assignedTo", record.AssignedTo)
	put("businessId", record.BusinessID)
	put("dateOfBirth", record.DateOfBirth)
	if created {
		if record.DateOfBirth != "" {
			a["dateOfBirth"] = record.DateOfBirth + "T00:00:00.000Z"
		}
		delete(a, "name")
		a["deleted"], a["bounceEmail"], a["unsubscribeEmail"] = false, false, false
	}
	return a
}

func (r *contactRecord) tags() []string {
	if r.Tags == nil {
		return []string{}
	}
	return r.Tags
}

type fieldValue struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}

// fieldValues lists the values of custom fields as they read back: ids only.
func (h *Server) fieldValues(record *contactRecord) []fieldValue {
	values := []fieldValue{}
	if l := h.locations[record.LocationID]; l != nil {
		for _, f := range l.fields {
			if v, ok := record.CustomFields[f.ID]; ok {
				values = append(values, fieldValue{f.ID, f.read(v, h.dateForm)})
			}
		}
	}
	return values
}

// apply writes the body into a copy of the contact.
func (h *Server) apply(c *call, contact Contact) (Contact, *refusal) {
	contact = contact.clone()
	if name, ok := c.str("name"); ok {
		first, last, _ := strings.Cut(strings.TrimSpace(name), " ")
		contact.FirstName, contact.LastName = first, strings.TrimSpace(last)
	}
	c.readTexts(map[string]*string{
		"firstName": &contact.FirstName, "lastName": &contact.LastName, "email": &contact.Email, "phone": &contact.Phone,
		"companyName": &contact.CompanyName, "website": &contact.Website, "source": &contact.Source,
		"address1": &contact.Address1, "city": &contact.City, "state": &contact.State, "postalCode": &contact.PostalCode,
		"country": &contact.Country, "timezone": &contact.TimeZone, "assignedTo": &contact.AssignedTo,
	})
	if value, ok := c.str("dateOfBirth"); ok {
		contact.DateOfBirth, _ = parseBirthday(value)
	}
	if dnd, ok := as[bool](c, "dnd"); ok {
		contact.DND = dnd
	}
	if tags, ok := as[[]string](c, "tags"); ok {
		contact.Tags = savedTags(tags)
	}
	for _, w := range c.fieldWrites() {
		if err := h.setField(&contact, w.ref, w.value); err != nil {
			return contact, refuse(http.StatusBadRequest, "%v", err)
		}
	}
	return contact, nil
}

type fieldWrite struct {
	ref   string // id or key
	value any
}

// fieldWrites are the custom fields that the body sets.
func (c *call) fieldWrites() (writes []fieldWrite) {
	entries, _ := as[[]map[string]json.RawMessage](c, "customFields")
	for _, entry := range entries {
		var w fieldWrite
		if raw, ok := entry["id"]; ok {
			json.Unmarshal(raw, &w.ref)
		}
		if w.ref == "" {
			json.Unmarshal(entry["key"], &w.ref)
		}
		raw, ok := entry["field_value"]
		if !ok {
			raw = entry["fieldValue"]
		}
		if len(raw) > 0 {
			json.Unmarshal(raw, &w.value)
		}
		writes = append(writes, w)
	}
	return writes
}

func (h *Server) setField(contact *Contact, ref string, value any) error {
	return h.setFieldOf("contact", contact.LocationID, &contact.CustomFields, ref, value)
}

// setFieldOf writes one custom field of a record. HighLevel does not document
// what it does with an unknown one; it is refused here.
func (h *Server) setFieldOf(model, locationID string, values *map[string]any, ref string, value any) error {
	l := h.locations[locationID]
	if l == nil {
		return fmt.Errorf("Location with id %s not found", locationID)
	}
	f, ok := l.field(model, ref)
	if !ok {
		return fmt.Errorf("Custom field with id or key %s not found", ref)
	}
	stored, err := f.store(value)
	if err != nil {
		return err
	}
	if *values == nil {
		*values = map[string]any{}
	}
	if stored == nil {
		delete(*values, f.ID)
	} else {
		(*values)[f.ID] = stored
	}
	return nil
}

// savedTags are tags as HighLevel keeps them: lower case, trimmed, each once.
func savedTags(tags []string) []string {
	out := []string{}
	for _, tag := range tags {
		tag = strings.ToLower(strings.TrimSpace(tag))
		if tag != "" && !slices.Contains(out, tag) {
			out = append(out, tag)
		}
	}
	return out
}

// duplicate finds another contact of the location with the same e-mail, or
// else the same phone.
func (h *Server) duplicate(locationID, email, phone, except string) (*contactRecord, string) {
	if email == "" && phone == "" {
		return nil, ""
	}
	var samePhone *contactRecord
	for _, other := range h.contacts {
		if other.LocationID != locationID || other.ID == except {
			continue
		}
		if email != "" && strings.EqualFold(other.Email, email) {
			return other, "email"
		}
		if phone != "" && other.Phone == phone {
			samePhone = other
		}
	}
	if samePhone != nil {
		return samePhone, "phone"
	}
	return nil, ""
}

func duplicateRefusal(other *contactRecord, field string) *refusal {
	no := refuse(http.StatusBadRequest, "This location does not allow duplicated contacts.")
	no.meta = map[string]any{"contactId": other.ID, "contactName": other.Name(), "matchingField": field}
	return no
}

func (h *Server) createContact(c *call, l *location) (int, any, *refusal) {
	contact, no := h.apply(c, Contact{LocationID: l.ID})
	if no != nil {
		return 0, nil, no
	}
	if other, by := h.duplicate(l.ID, contact.Email, contact.Phone, ""); other != nil {
		return 0, nil, duplicateRefusal(other, by)
	}
	record := h.insertContact(contact, true)
	return http.StatusCreated, map[string]any{"contact": h.contactAnswer(record, true), "traceId": fakehttp.UUID()}, nil
}

func (h *Server) upsertContact(c *call, l *location) (int, any, *refusal) {
	probe, no := h.apply(c, Contact{LocationID: l.ID})
	if no != nil {
		return 0, nil, no
	}
	existing, _ := h.duplicate(l.ID, probe.Email, probe.Phone, "")
	if existing == nil {
		record := h.insertContact(probe, true)
		return http.StatusCreated, map[string]any{"new": true, "contact": h.contactAnswer(record, false), "traceId": fakehttp.UUID()}, nil
	}
	updated, no := h.apply(c, existing.Contact)
	if no != nil {
		return 0, nil, no
	}
	h.replaceContact(existing, updated)
	return http.StatusOK, map[string]any{"new": false, "contact": h.contactAnswer(existing, false), "traceId": fakehttp.UUID()}, nil
}

func (h *Server) updateContact(c *call, record *contactRecord) (int, any, *refusal) {
	updated, no := h.apply(c, record.Contact)
	if no != nil {
		return 0, nil, no
	}
	if updated.Email != record.Email || updated.Phone != record.Phone {
		if other, by := h.duplicate(record.LocationID, updated.Email, updated.Phone, record.ID); other != nil {
			return 0, nil, duplicateRefusal(other, by)
		}
	}
	h.replaceContact(record, updated)
	answer := c.succeeded()
	answer["contact"] = h.contactAnswer(record, false)
	return http.StatusOK, answer, nil
}

func (h *Server) deleteContact(c *call, record *contactRecord) (int, any, *refusal) {
	h.removeContact(record)
	return http.StatusOK, c.succeeded(), nil
}

// insertContact stores a contact; tell sends the webhook.
func (h *Server) insertContact(contact Contact, tell bool) *contactRecord {
	contact = contact.clone()
	contact.ID = cmp.Or(contact.ID, newID())
	contact.Tags = savedTags(contact.Tags)
	if contact.DateAdded.IsZero() {
		contact.DateAdded = h.clock()
	}
	if contact.DateUpdated.IsZero() {
		contact.DateUpdated = contact.DateAdded
	}
	record := &contactRecord{Contact: contact, sequence: h.nextSequence()}
	h.contacts[contact.ID] = record
	h.learnTags(record)
	if tell {
		h.emitContact("ContactCreate", record)
	}
	h.notice.Changed()
	return record
}

// replaceContact stores a changed contact and sends ContactUpdate,
// ContactTagUpdate, both, or (when nothing changed) nothing.
func (h *Server) replaceContact(record *contactRecord, updated Contact) {
	before := record.Contact
	updated.ID, updated.LocationID = before.ID, before.LocationID
	updated.DateAdded, updated.DateUpdated = before.DateAdded, before.DateUpdated
	updated.Tags = savedTags(updated.Tags)
	tags := !slices.Equal(updated.Tags, before.Tags)
	a, b := before, updated
	a.Tags, b.Tags = nil, nil
	if len(a.CustomFields) == 0 {
		a.CustomFields = nil
	}
	if len(b.CustomFields) == 0 {
		b.CustomFields = nil
	}
	fields := !reflect.DeepEqual(a, b)
	if !tags && !fields {
		return
	}
	updated.DateUpdated = h.clock()
	record.Contact = updated
	h.learnTags(record)
	if fields {
		h.emitContact("ContactUpdate", record)
	}
	if tags {
		h.emitContact("ContactTagUpdate", record)
	}
	h.notice.Changed()
}

// removeContact takes all that belongs to it along. Whether HighLevel sends
// events for these is not documented; none are sent.
func (h *Server) removeContact(record *contactRecord) {
	h.emitContact("ContactDelete", record)
	for _, task := range slices.Clone(record.tasks) {
		h.dropTask(task)
	}
	for _, note := range record.notes {
		delete(h.notes, note.ID)
	}
	maps.DeleteFunc(h.opportunities, func(_ string, o *opportunityRecord) bool { return o.ContactID == record.ID })
	maps.DeleteFunc(h.appointments, func(_ string, a *appointmentRecord) bool { return a.ContactID == record.ID })
	delete(h.contacts, record.ID)
	h.notice.Changed()
}

// sortedContacts lists contacts of the locations as they were made.
func (h *Server) sortedContacts(keep func(*contactRecord) bool) []*contactRecord {
	var out []*contactRecord
	for _, record := range h.contacts {
		if keep(record) {
			out = append(out, record)
		}
	}
	slices.SortFunc(out, func(a, b *contactRecord) int { return cmp.Compare(a.sequence, b.sequence) })
	return out
}
