package highlevel

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/internal/sandbox/fakehttp"
)

// Location is a sub-account of HighLevel.
type Location struct {
	ID, CompanyID, Name           string
	TimeZone                      string // IANA name
	Email, Phone, Website         string
	Address, City, State, Country string
	PostalCode                    string
}

// User is a person who works in a location.
type User struct {
	ID, FirstName, LastName, Email, Phone string
}

// Name is the user's full name.
func (u User) Name() string { return strings.TrimSpace(u.FirstName + " " + u.LastName) }

// CustomField is the definition of a custom field of contacts or opportunities.
type CustomField struct {
	ID, Name string
	Model    string // "contact" (also when empty) or "opportunity"
	FieldKey string // "contact.milestone"; made from the model and the name when empty
	DataType string // "TEXT", "DATE", "SINGLE_OPTIONS" …
	Options  []string
	Position int
}

type location struct {
	Location
	users  []User
	fields []CustomField
	tags   map[string]string // dictionary: tag -> id
	values []CustomValue
	tasks  []*Task // as they were made

	pipelines      []Pipeline
	workflows      []Workflow
	campaigns      []Campaign
	calendars      []Calendar
	calendarGroups []CalendarGroup
	lostReasons    []LostReason
	templates      []Template
	businesses     []*Business
	recurring      []*RecurringTask
}

var dataTypes = []string{
	"TEXT", "LARGE_TEXT", "NUMERICAL", "PHONE", "MONETORY", "CHECKBOX", "SINGLE_OPTIONS", "MULTIPLE_OPTIONS",
	"DATE", "TEXTBOX_LIST", "FILE_UPLOAD", "RADIO", "EMAIL",
}

// SeedLocation adds a location with its users and custom fields and returns
// it with its id; ids that are empty are made.
func (h *Server) SeedLocation(l Location, users []User, fields []CustomField) Location {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.ID = cmp.Or(l.ID, newID())
	if l.CompanyID == "" {
		l.CompanyID = newID()
	}
	if l.TimeZone == "" {
		l.TimeZone = "UTC"
	}
	at := &location{Location: l, tags: map[string]string{}}
	for _, u := range users {
		if u.ID == "" {
			u.ID = newID()
		}
		at.users = append(at.users, u)
	}
	for _, f := range fields {
		at.addField(f)
	}
	if h.locations[l.ID] == nil {
		h.order = append(h.order, l.ID)
	}
	h.locations[l.ID] = at
	return l
}

func (l *location) addField(f CustomField) CustomField {
	f.ID = cmp.Or(f.ID, newID())
	if f.Model == "" {
		f.Model = "contact"
	}
	if f.FieldKey == "" {
		f.FieldKey = f.Model + "." + strings.ReplaceAll(strings.ToLower(strings.TrimSpace(f.Name)), " ", "_")
	}
	if f.Position == 0 {
		f.Position = 50 * (len(l.fields) + 1)
	}
	l.fields = append(l.fields, f)
	return f
}

// field finds a definition of a model by id, by key, or by key without the model.
func (l *location) field(model, ref string) (CustomField, bool) {
	for _, f := range l.fields {
		if f.Model == model && (f.ID == ref || f.FieldKey == ref || f.FieldKey == model+"."+ref) {
			return f, true
		}
	}
	return CustomField{}, false
}

// Locations returns the locations in the order they were added.
func (h *Server) Locations() []Location {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]Location, 0, len(h.order))
	for _, id := range h.order {
		out = append(out, h.locations[id].Location)
	}
	return out
}

// Users returns the users of a location.
func (h *Server) Users(locationID string) []User {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.locations[locationID]; l != nil {
		return slices.Clone(l.users)
	}
	return nil
}

// CustomFields returns the definitions of a location.
func (h *Server) CustomFields(locationID string) []CustomField {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.locations[locationID]; l != nil {
		return slices.Clone(l.fields)
	}
	return nil
}

// AddCustomField adds the definition of a custom field to a location, as a person
// does in HighLevel's settings.
func (h *Server) AddCustomField(locationID string, f CustomField) (CustomField, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.locations[locationID]
	switch {
	case l == nil:
		return f, fmt.Errorf("there is no location %s", locationID)
	case strings.TrimSpace(f.Name) == "":
		return f, errors.New("A custom field needs a name.")
	case !slices.Contains(dataTypes, f.DataType):
		return f, fmt.Errorf("There is no field type %q.", f.DataType)
	}
	if slices.ContainsFunc(l.fields, func(other CustomField) bool { return strings.EqualFold(other.Name, f.Name) }) {
		return f, fmt.Errorf("There is a field %q already.", f.Name)
	}
	f = l.addField(f)
	h.notice.Changed()
	return f, nil
}

// location finds the location that a path or body names, within the token's reach.
func (h *Server) location(c *call, id string) (*location, *refusal) {
	if no := c.tenant(id); no != nil {
		return nil, no
	}
	l := h.locations[id]
	if l == nil {
		return nil, refuse(http.StatusBadRequest, "Location with id %s not found", id)
	}
	return l, nil
}

// locationOfPath, locationOfQuery and locationOfBody find the location that a call names there.
func (h *Server) locationOfPath(c *call) (*location, *refusal) {
	return h.location(c, chi.URLParam(c.r, "locationId"))
}

func (h *Server) locationOfQuery(c *call) (*location, *refusal) {
	id := c.r.URL.Query().Get("locationId")
	if id == "" {
		return nil, unprocessable("locationId should not be empty", "locationId must be a string")
	}
	return h.location(c, id)
}

func (h *Server) locationOfBody(c *call) (*location, *refusal) {
	id, _ := c.str("locationId")
	return h.location(c, id)
}

func (h *Server) getLocation(c *call, l *location) (int, any, *refusal) {
	return http.StatusOK, map[string]any{"location": map[string]any{
		"id": l.ID, "companyId": l.CompanyID, "name": l.Name, "timezone": l.TimeZone, "email": l.Email, "phone": l.Phone,
		"website": l.Website, "address": l.Address, "city": l.City, "state": l.State, "country": l.Country, "postalCode": l.PostalCode,
		"business": map[string]any{"name": l.Name, "timezone": l.TimeZone}, "social": map[string]any{}, "settings": map[string]any{},
	}}, nil
}

func (f CustomField) answer(locationID string) map[string]any {
	options := f.Options
	if options == nil {
		options = []string{}
	}
	return map[string]any{
		"id": f.ID, "name": f.Name, "fieldKey": f.FieldKey, "placeholder": "", "dataType": f.DataType, "position": f.Position,
		"picklistOptions": options, "isAllowedCustomOption": false, "locationId": locationID, "model": f.Model,
	}
}

func (h *Server) listCustomFields(c *call, l *location) (int, any, *refusal) {
	model := c.r.URL.Query().Get("model")
	if !slices.Contains([]string{"", "contact", "opportunity", "all"}, model) {
		return 0, nil, unprocessable("model must be one of the following values: contact, opportunity, all")
	}
	fields := []any{}
	for _, f := range l.fields {
		if model == "" || model == "all" || model == f.Model {
			fields = append(fields, f.answer(l.ID))
		}
	}
	return http.StatusOK, map[string]any{"customFields": fields}, nil
}

// getCustomField finds a definition by id or by its whole key.
func (h *Server) getCustomField(c *call, l *location) (int, any, *refusal) {
	ref := chi.URLParam(c.r, "id")
	for _, f := range l.fields {
		if f.ID == ref || f.FieldKey == ref {
			return http.StatusOK, map[string]any{"customField": f.answer(l.ID)}, nil
		}
	}
	return 0, nil, refuse(http.StatusBadRequest, "Custom field with id %s not found", ref)
}

func (h *Server) createCustomField(c *call, l *location) (int, any, *refusal) {
	name, _ := c.str("name")
	kind, _ := c.str("dataType")
	model, _ := c.str("model")
	if !slices.Contains(dataTypes, kind) {
		return 0, nil, unprocessable("dataType must be one of the following values: " + strings.Join(dataTypes, ", "))
	}
	if !slices.Contains([]string{"", "contact", "opportunity"}, model) {
		return 0, nil, unprocessable("model must be one of the following values: contact, opportunity")
	}
	options, _ := as[[]any](c, "textBoxListOptions")
	f := CustomField{Name: name, DataType: kind, Model: model}
	for _, o := range options {
		if s, ok := o.(string); ok {
			f.Options = append(f.Options, s)
		} else if m, ok := o.(map[string]any); ok {
			if s, ok := m["label"].(string); ok {
				f.Options = append(f.Options, s)
			}
		}
	}
	f = l.addField(f)
	h.notice.Changed()
	return http.StatusCreated, map[string]any{"customField": f.answer(l.ID)}, nil
}

// customField finds the definition that the path names.
func (h *Server) customField(c *call) (*location, int, *refusal) {
	l, no := h.location(c, chi.URLParam(c.r, "locationId"))
	if no != nil {
		return nil, 0, no
	}
	id := chi.URLParam(c.r, "id")
	i := slices.IndexFunc(l.fields, func(f CustomField) bool { return f.ID == id })
	if i < 0 {
		return nil, 0, refuse(http.StatusBadRequest, "Custom field with id %s not found", id)
	}
	return l, i, nil
}

// updateCustomField leaves the type and the key as they are.
func (h *Server) updateCustomField(c *call, l *location, i int) (int, any, *refusal) {
	if model, ok := c.str("model"); ok && model != l.fields[i].Model {
		return 0, nil, refuse(http.StatusBadRequest, "The model of a custom field cannot be changed")
	}
	l.fields[i].Name, _ = c.str("name")
	if position, ok := as[float64](c, "position"); ok {
		l.fields[i].Position = int(position)
	}
	h.notice.Changed()
	return http.StatusOK, map[string]any{"customField": l.fields[i].answer(l.ID)}, nil
}

func (h *Server) deleteCustomField(c *call, l *location, i int) (int, any, *refusal) {
	id := l.fields[i].ID
	l.fields = slices.Delete(l.fields, i, i+1)
	for _, r := range h.contacts {
		if r.LocationID == l.ID {
			delete(r.CustomFields, id)
		}
	}
	for _, r := range h.opportunities {
		if r.LocationID == l.ID {
			delete(r.CustomFields, id)
		}
	}
	h.notice.Changed()
	return http.StatusOK, c.succeeded(), nil
}

// store turns a written value of a custom field into what is kept; nil clears.
func (f CustomField) store(value any) (any, error) {
	if value == nil || value == "" {
		return nil, nil
	}
	invalid := func(want string) error {
		return fmt.Errorf("Invalid Custom Field Value: %s takes %s", f.Name, want)
	}
	switch f.DataType {
	case "DATE":
		s, ok := value.(string)
		if !ok {
			return nil, invalid("a date YYYY-MM-DD")
		}
		if _, ok := fakehttp.ParseISO(s); !ok {
			return nil, invalid("a date YYYY-MM-DD")
		}
		return s[:len("2006-01-02")], nil // the time of day is dropped
	case "NUMERICAL", "MONETORY":
		switch n := value.(type) {
		case float64:
			if math.IsInf(n, 0) || math.IsNaN(n) {
				return nil, invalid("a number")
			}
			return n, nil
		case int:
			return float64(n), nil
		}
		return nil, invalid("a number")
	case "CHECKBOX", "MULTIPLE_OPTIONS", "TEXTBOX_LIST":
		switch list := value.(type) {
		case []any:
			return slices.Clone(list), nil
		case []string:
			out := make([]any, len(list))
			for i, s := range list {
				out[i] = s
			}
			return out, nil
		}
		return nil, invalid("a list of strings")
	case "FILE_UPLOAD":
		return value, nil
	default:
		s, ok := value.(string)
		if !ok {
			return nil, invalid("a string")
		}
		return s, nil
	}
}

// read gives a kept value back in the form the API uses.
func (f CustomField) read(value any, form DateForm) any {
	s, isText := value.(string)
	if f.DataType != "DATE" || !isText {
		return value
	}
	day, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return value
	}
	switch form {
	case DateISO:
		return fakehttp.ISOMillis(day)
	case DateEpochMillis:
		return day.UnixMilli()
	default:
		return s
	}
}

// birthdayForms are the forms that HighLevel documents for dateOfBirth; - also stands for / . and _.
var birthdayForms = []string{"2006-01-02", "01-02-2006"}

func parseBirthday(s string) (string, bool) {
	s = strings.NewReplacer("/", "-", ".", "-", "_", "-").Replace(s)
	for _, form := range birthdayForms {
		if t, err := time.Parse(form, s); err == nil {
			return t.Format(time.DateOnly), true
		}
	}
	return "", false
}

func queryInt(c *call, key string, fallback int) (int, *refusal) {
	s := c.r.URL.Query().Get(key)
	if s == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, unprocessable(key + " must be a number conforming to the specified constraints")
	}
	return n, nil
}
