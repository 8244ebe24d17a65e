package highlevel

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"milepost/clients"
)

// failure is the body of HighLevel's errors: message is a string on 400 and
// 401, an array on 422 (HighLevel OpenAPI common/common-schemas.json), and in
// API v3 may sit in an object under error.
type failure struct {
	Message json.RawMessage `json:"message"`
	Error   json.RawMessage `json:"error"`
	TraceID json.RawMessage `json:"traceId"`
}

func (f failure) text() string {
	for _, raw := range []json.RawMessage{f.Message, f.Error} {
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
// (HighLevel OpenAPI, security of each operation).
var scopes = map[string]string{
	opContact: "contacts.readonly", opTasks: "contacts.readonly", opTask: "contacts.readonly",
	opNotes: "contacts.readonly", opNote: "contacts.readonly",
	opAddTags: "contacts.write", opRemoveTags: "contacts.write",
	opSearchTasks: "locations/tasks.readonly", opLocation: "locations.readonly",
	opCustomFields: "locations/customFields.readonly", opUsers: "users.readonly",
}

var (
	missing = regexp.MustCompile(`(?i)not found|does not exist|RESOURCE_NOT_FOUND`)
	// notTheRecord are things that, when not found, say nothing about the record that was asked for.
	notTheRecord = regexp.MustCompile(`(?i)\b(token|location|company|version|header|route|app|scope|user)\b`)
	wrongPath    = regexp.MustCompile(`(?i)\bCannot (GET|POST|PUT|PATCH|DELETE) /`)
)

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
			// A proxy's or a wrong host's page is no proof that a record is gone.
			e.Reason = clients.Invalid
			e.Todo = "this is no answer of HighLevel's API: check the base URL"
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
