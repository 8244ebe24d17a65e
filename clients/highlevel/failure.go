package highlevel

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"milepost/clients"
)

// failure is the body of HighLevel's errors: message is a string on 400 and
// 401, an array on 422 (HighLevel OpenAPI common/common-schemas.json), in
// API v3 may sit in an object under error, and in OAuth's own errors is
// error_description.
type failure struct {
	Message     json.RawMessage `json:"message"`
	Description json.RawMessage `json:"error_description"`
	Error       json.RawMessage `json:"error"`
	TraceID     json.RawMessage `json:"traceId"`
	Meta        json.RawMessage `json:"meta"` // of a duplicate contact: the one that is there
}

// duplicate reads which contact is in the way; nil where none is said. The
// contact's name, which is in meta too, is left there.
func (f failure) duplicate() error {
	meta, _ := clients.ParseObject(f.Meta)
	contact := id(meta, "contactId")
	if contact == "" {
		return nil
	}
	field := meta.Text("matchingField")
	if !fieldName.MatchString(field) {
		field = ""
	}
	return &DuplicateError{ContactID: contact, Field: field}
}

var fieldName = regexp.MustCompile(`^[A-Za-z]{1,32}$`)

func (f failure) text() string {
	for _, raw := range []json.RawMessage{f.Message, f.Description, f.Error} {
		if s := words(raw); s != "" {
			return s
		}
	}
	return ""
}

// words reads a text, the texts of an array, or the message of an object.
func words(raw json.RawMessage) string {
	o := clients.Object{"it": raw}
	if texts := o.Texts("it"); len(texts) > 0 {
		return strings.Join(texts, "; ")
	}
	if inner, err := clients.ParseObject(raw); err == nil {
		if s := strings.Join(inner.Texts("message"), "; "); s != "" {
			return s
		}
		return inner.Text("code")
	}
	return ""
}

// scopes are what an operation needs in a HighLevel app or private integration
// (HighLevel OpenAPI, security of each operation; where that is empty, the
// scope of its neighbours).
var scopes = map[string]string{
	opContact: "contacts.readonly", opSearchContacts: "contacts.readonly", opFindDuplicate: "contacts.readonly",
	opListContacts: "contacts.readonly", opContactsOfBusiness: "contacts.readonly",
	opCreateContact: "contacts.write", opUpdateContact: "contacts.write", opUpsertContact: "contacts.write", opDeleteContact: "contacts.write",
	opTasks: "contacts.readonly", opTask: "contacts.readonly",
	opCreateTask: "contacts.write", opUpdateTask: "contacts.write", opCompleteTask: "contacts.write", opDeleteTask: "contacts.write",
	opNotes: "contacts.readonly", opNote: "contacts.readonly",
	opCreateNote: "contacts.write", opUpdateNote: "contacts.write", opDeleteNote: "contacts.write",
	opAddTags: "contacts.write", opRemoveTags: "contacts.write", opAddTagsToMany: "contacts.write", opRemoveTagsFromMany: "contacts.write",
	opAddFollowers: "contacts.write", opRemoveFollowers: "contacts.write", opSetBusiness: "contacts.write",
	opAddToCampaign: "contacts.write", opRemoveFromCampaign: "contacts.write", opRemoveFromAllCampaigns: "contacts.write",
	opAddToWorkflow: "contacts.write", opRemoveFromWorkflow: "contacts.write",
	opAppointments: "contacts.readonly", opAppointment: "calendars/events.readonly",
	opOpportunity: "opportunities.readonly", opSearchOpportunities: "opportunities.readonly", opPipelines: "opportunities.readonly",
	opSearchTasks: "locations/tasks.readonly", opLocation: "locations.readonly",
	opMint: "oauth.write", opInstalled: "oauth.readonly",
	opLocationTags: "locations/tags.readonly", opLocationTag: "locations/tags.readonly",
	opCreateLocationTag: "locations/tags.write", opRenameLocationTag: "locations/tags.write", opDeleteLocationTag: "locations/tags.write",
	opCustomFields: "locations/customFields.readonly", opCustomField: "locations/customFields.readonly", opUsers: "users.readonly",
}

var (
	missing = regexp.MustCompile(`(?i)not found|does not exist|RESOURCE_NOT_FOUND`)
	// notTheRecord are things that, when not found, say nothing about the record that was asked for.
	notTheRecord = regexp.MustCompile(`(?i)\b(token|location|company|version|header|route|app|scope|user)\b`)
	wrongPath    = regexp.MustCompile(`(?i)\bCannot (GET|POST|PUT|PATCH|DELETE) /`)
)

const notTheAPI = "this is no answer of HighLevel's API: if it stays so, check the base URL"

// explain fills in HighLevel's words and corrects the Reason where the status
// misleads. The texts are as published in HighLevel's OpenAPI or observed.
func explain(e *clients.Error, call clients.Call, body []byte) {
	var f failure
	if json.Unmarshal(body, &f) == nil {
		e.Message, e.TraceID = f.text(), words(f.TraceID)
	}
	text := strings.ToLower(e.Message)
	switch e.Status {
	case http.StatusBadRequest:
		if !json.Valid(body) && len(body) > 0 {
			e.Reason, e.Todo = call.Unreadable(), notTheAPI
			break
		}
		if e.Err = f.duplicate(); e.Err != nil {
			break
		}
		// "Contact with id X not found" is a 400, observed.
		if missing.MatchString(e.Message) && aboutTheRecord(e.Message, call) {
			e.Reason = clients.NotFound
		}
	case http.StatusNotFound:
		e.Reason = clients.NotFound
		switch {
		case wrongPath.MatchString(e.Message) || wrongPath.Match(body):
			e.Reason = clients.Invalid
			e.Todo = "HighLevel knows no such path: check the base URL and the API version"
		case !json.Valid(body) && len(body) > 0:
			e.Reason, e.Todo = call.Unreadable(), notTheAPI
		}
	case http.StatusUnauthorized:
		unauthorized(e, call, text)
	case http.StatusForbidden:
		e.Todo = "the token may not do this"
		if strings.Contains(text, "location") {
			e.Todo = "is this token of the right location?"
			if strings.HasPrefix(call.Path, "/locations/") && call.Subject != "" {
				e.Todo = "is this token of location " + call.Subject + "?"
			}
		} else if scope := scopes[call.Operation]; scope != "" {
			e.Todo = "does the token have the scope " + scope + "?"
		}
	}
}

// aboutTheRecord tells "Contact with id X not found" from "Location not
// found": only the former means that the record is gone.
func aboutTheRecord(message string, call clients.Call) bool {
	if call.Subject != "" {
		message = strings.ReplaceAll(message, call.Subject, "")
	}
	if call.Operation == opLocation {
		message = strings.ReplaceAll(strings.ToLower(message), "location", "")
	}
	return !notTheRecord.MatchString(message)
}

// Disowned reports whether a read of a record failed because HighLevel refuses
// the record's id (400, 422) in words that do not say "not found". Its words
// for a record that is gone are not documented and vary; beside an event that
// says so they can be trusted, alone they cannot.
func Disowned(err error, id string) bool {
	e, ok := errors.AsType[*clients.Error](err)
	return ok && e.API == "HighLevel" && e.Reason == clients.Invalid && e.Subject == id &&
		(e.Status == http.StatusBadRequest || e.Status == http.StatusUnprocessableEntity) &&
		!notTheRecord.MatchString(strings.ReplaceAll(e.Message, id, ""))
}

// unauthorized tells the 401s that a new access token heals from those that it does not.
func unauthorized(e *clients.Error, call clients.Call, text string) {
	switch {
	case strings.Contains(text, "version header") || strings.Contains(text, "api version"):
		e.Reason = clients.Forbidden
		e.Todo = "set the API version to one that HighLevel supports, such as " + DefaultVersion
	case strings.Contains(text, "authclass") || strings.Contains(text, "user type mismatch"):
		e.Reason = clients.Forbidden
		e.Todo = "use the token of a sub-account, not of an agency"
	case strings.Contains(text, "scope"):
		e.Reason = clients.Forbidden
		e.Todo = "give the token the scope that this needs"
		if scope := scopes[call.Operation]; scope != "" {
			e.Todo = "give the token the scope " + scope
		}
	default:
		e.Reason = clients.Unauthorized
		e.Todo = "the token is wrong or has expired: make a new one or connect the location again"
	}
}
