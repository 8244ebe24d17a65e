package highlevel

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"milepost/clients"
)

// ErrNotEvent is wrapped by every error of ParseEvent: the body is no JSON object.
var ErrNotEvent = clients.ErrNoObject

// Event is the envelope of a webhook: which record to look at. What the
// record holds is fetched, not read from here. Every field may be empty: no
// schema of HighLevel's webhooks declares a field as required.
type Event struct {
	Type       string    // "ContactUpdate"; "INSTALL" and a few others in upper snake
	LocationID string    // the tenant; "" on agency events
	CompanyID  string    // the agency
	AppID      string    // the part of the app's client_id before "-"
	VersionID  string    // of the app
	WebhookID  string    // the same on every attempt of a delivery
	Timestamp  time.Time // when it was first sent, not when it happened; zero when missing
	Kind       string    // "contact", "task", "note", "appointment", "opportunity", "install", or "" for all else
	EntityID   string    // the record's id; of an install the location's, or the agency's
	ContactID  string    // the contact it belongs to; TaskCreate really comes without (HighLevel issue #332)
	Deleted    bool      // the event says that the record is gone, or the app uninstalled
	Completed  bool      // the event says that the task is done
}

// ParseEvent reads the envelope. HighLevel sends it flat; a top-level data
// object, as its guide shows, is read beneath the top level. Unknown types
// are no error. An id that could not be one (longer than 128 bytes, with a
// slash or a control character, no text or number) counts as missing.
func ParseEvent(body []byte) (Event, error) {
	o, err := parseEnvelope(body)
	if err != nil {
		return Event{}, err
	}
	e := Event{
		Type:       typeName(o.Text("type")),
		LocationID: id(o, "locationId"),
		CompanyID:  id(o, "companyId"),
		AppID:      id(o, "appId"),
		VersionID:  id(o, "versionId"),
		WebhookID:  id(o, "webhookId"),
		Timestamp:  timestamp(o.Raw("timestamp")),
	}
	if e.Type == "INSTALL" || e.Type == "UNINSTALL" {
		e.Kind, e.EntityID, e.Deleted = "install", cmp.Or(e.LocationID, e.CompanyID), e.Type == "UNINSTALL"
		return e, nil
	}
	var verb string
	e.Kind, verb = kindOf(e.Type)
	record := o
	if e.Kind == "appointment" {
		if nested, err := clients.ParseObject(o.Raw("appointment")); err == nil {
			record = nested
		}
	}
	switch e.Kind {
	case "":
		e.ContactID = id(o, "contactId", "contact_id")
		return e, nil
	case "contact":
		e.EntityID = id(o, "id", "contactId", "contact_id")
		e.ContactID = e.EntityID
	default:
		e.EntityID = id(record, "id")
		e.ContactID = id(record, "contactId", "contact_id")
		if e.ContactID == "" {
			e.ContactID = id(o, "contactId", "contact_id")
		}
	}
	e.Deleted = verb == "Delete" || verb == "Deleted"
	e.Completed = e.Kind == "task" && (verb == "Complete" || verb == "Completed")
	return e, nil
}

// EventRecord returns the record in the body of a webhook, as an API call would
// return it. Of a deletion that is what HighLevel knew of it last.
func EventRecord(body []byte) (json.RawMessage, error) {
	o, err := parseEnvelope(body)
	if err != nil {
		return nil, err
	}
	if kind, _ := kindOf(typeName(o.Text("type"))); kind == "appointment" {
		if nested := o.Raw("appointment"); nested != nil {
			return nested, nil
		}
	}
	return json.Marshal(o)
}

func parseEnvelope(body []byte) (clients.Object, error) {
	o, err := clients.ParseBody(body)
	if err != nil {
		return nil, err
	}
	if data, err := clients.ParseObject(o.Raw("data")); err == nil {
		for key, value := range data {
			if o.Raw(key) == nil {
				o[key] = value
			}
		}
	}
	return o, nil
}

// kinds are the first words of the event types that concern a record we know.
var kinds = []struct{ prefix, kind string }{
	{"Contact", "contact"},
	{"Task", "task"},
	{"Note", "note"},
	{"Appointment", "appointment"},
	{"Opportunity", "opportunity"},
}

// kindOf splits "TaskUpdate" into "task" and "Update". It goes by the first
// word, so that an event that HighLevel adds later is understood at once.
func kindOf(name string) (kind, verb string) {
	for _, k := range kinds {
		rest, ok := strings.CutPrefix(name, k.prefix)
		if !ok {
			continue
		}
		if r, _ := utf8.DecodeRuneInString(rest); rest == "" || unicode.IsUpper(r) {
			return k.kind, rest
		}
	}
	return "", ""
}

// id returns the first of the fields that holds a usable id.
func id(o clients.Object, keys ...string) string {
	for _, key := range keys {
		raw := o.Raw(key)
		if len(raw) == 0 || raw[0] == 't' || raw[0] == 'f' {
			continue
		}
		text := o.Text(key)
		if _, err := clients.PathID(text); err == nil && strings.TrimSpace(text) == text {
			return text
		}
	}
	return ""
}

// typeName refuses what cannot be shown as a name.
func typeName(s string) string {
	if len(s) > 128 || strings.ContainsFunc(s, unicode.IsControl) {
		return ""
	}
	return s
}

// timestamp reads RFC 3339 text, as HighLevel sends it, and Unix milliseconds,
// as it writes times elsewhere. All else is the zero time.
func timestamp(raw json.RawMessage) time.Time {
	if len(raw) == 0 {
		return time.Time{}
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil && len(text) == 13 {
		return time.UnixMilli(ms).UTC()
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}
