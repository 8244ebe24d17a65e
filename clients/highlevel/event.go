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

// ErrNotEvent is wrapped by every error of ParseEvent: the body is not a JSON object.
var ErrNotEvent = clients.ErrNoObject

// Event is the envelope of a webhook: it says which record to fetch. Milepost does not read
// the record from the webhook. Every field may be empty, because HighLevel's webhook
// schemas declare no field as required.
type Event struct {
	Type       string    // "ContactUpdate"; "INSTALL" and a few others in upper snake
	LocationID string    // the tenant; "" on agency events
	CompanyID  string    // the agency
	AppID      string    // the app's client_id up to its "-"
	VersionID  string    // of the app
	WebhookID  string    // the same on every attempt of a delivery
	Timestamp  time.Time // when it was first sent, not when it happened; zero = missing
	Kind       string    // "contact", "task", "note", "appointment", "opportunity", "install", or "" for anything else
	EntityID   string    // the record's id; for an install, that of the location or agency
	ContactID  string    // the record's contact; TaskCreate does not have it (HighLevel issue #332)
	Deleted    bool      // the event says that the record is gone, or the app uninstalled
	Completed  bool      // the event says that the task is done
}

// ParseEvent reads the envelope. HighLevel sends it flat; ParseEvent also reads a top-level
// data object, as HighLevel's guide shows it. Top-level fields win. Unknown types are not
// errors. An unusable id counts as missing: longer than 128 bytes, with a slash or a
// control character, or not a text or number.
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

// EventRecord returns the record in a webhook's body, in the form of an API call's answer.
// For a deletion, it is the last state that HighLevel knew.
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

// kinds are the first words of event types, for the kinds of records that Milepost knows.
var kinds = []struct{ prefix, kind string }{
	{"Contact", "contact"},
	{"Task", "task"},
	{"Note", "note"},
	{"Appointment", "appointment"},
	{"Opportunity", "opportunity"},
}

// kindOf splits "TaskUpdate" into "task" and "Update". It uses only the first word, so that
// it also understands events that HighLevel adds later.
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

// id returns the first usable id among the fields.
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

// typeName returns "" for a text that cannot be shown as a name.
func typeName(s string) string {
	if len(s) > 128 || strings.ContainsFunc(s, unicode.IsControl) {
		return ""
	}
	return s
}

// timestamp reads RFC 3339, which HighLevel sends, and Unix milliseconds, which it uses
// elsewhere. Anything else is the zero time.
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
