package highlevel

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"milepost/clients"
	"milepost/internal/catalog"
)

// failure is the body of HighLevel's errors. message is a string for 400 and 401, and an
// array for 422 (HighLevel OpenAPI common/common-schemas.json). In API v3 it may be in an
// object under error. OAuth's own errors have error_description instead.
type failure struct {
	Message     json.RawMessage `json:"message"`
	Description json.RawMessage `json:"error_description"`
	Error       json.RawMessage `json:"error"`
	StatusCode  json.RawMessage `json:"statusCode"`
	TraceID     json.RawMessage `json:"traceId"`
	Meta        json.RawMessage `json:"meta"` // for a duplicate contact: the existing one
}

// duplicate reads which contact conflicts; nil if the answer does not say. It does not read
// the contact's name, which is also in meta.
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

// scopeOf returns the scope that a call needs in a HighLevel app or private integration; ""
// if unknown.
func scopeOf(call clients.Call) string {
	switch call.Operation {
	case opMint:
		return "oauth.write"
	case opInstalled:
		return "oauth.readonly"
	}
	if e, ok := catalog.Match(catalog.HighLevel, call.Method, call.Path); ok {
		return e.Scopes[0]
	}
	return ""
}

var (
	missing = regexp.MustCompile(`(?i)not found|does(n't| not) exist|no longer exists?|could(n't| not) (be found|find)|unable to find|\bno (such )?\w+ (was )?found|\bno such\b|(was|been|is) deleted|RESOURCE_NOT_FOUND`)
	// place matches where a record was looked for; it does not name what was not found.
	place = regexp.MustCompile(`(?i)\b(in|for|of|at|within|under|on) (the |this |that |given |your )*(location|sub-?account|company)( with)?( id)?\b`)
	// notTheRecord matches things whose absence says nothing about the requested record.
	notTheRecord = regexp.MustCompile(`(?i)\b(token|location|company|version|header|app|scope|user)\b`)
	// aRoute matches the words of gateways, proxies and routers.
	aRoute = regexp.MustCompile(`(?i)\b(route|url|uri|path|endpoint|page|host|server|upstream|backend|gateway|proxy|method)\b|(^|\s)/\w|\bCannot (GET|POST|PUT|PATCH|DELETE) /`)
)

// explain adds HighLevel's words, and corrects the Reason if the status misleads. The texts
// are from HighLevel's OpenAPI or were observed. explain marks any answer that is not
// HighLevel's own: a gateway's 404 says nothing about a record.
func explain(e *clients.Error, call clients.Call, body []byte) {
	var f failure
	object := json.Unmarshal(body, &f) == nil
	if object {
		e.Message, e.TraceID = f.text(), words(f.TraceID)
	}
	said := words(f.StatusCode)
	generic := clients.Generic(e.Message)
	text := strings.ToLower(e.Message)
	switch e.Status {
	case http.StatusBadRequest, http.StatusNotFound:
		f.explainMissing(e, call, body, object)
	case http.StatusConflict, http.StatusUnprocessableEntity:
		if e.Message == "" {
			e.NotTheAPI(call)
		}
	case http.StatusRequestEntityTooLarge:
		if generic {
			e.NotTheAPI(call)
		}
	case http.StatusUnauthorized:
		unauthorized(e, call, text)
	case http.StatusForbidden:
		if generic && said != strconv.Itoa(e.Status) {
			e.NotTheAPI(call)
			break
		}
		e.Todo = forbiddenTodo(call, text)
	}
}

// explainMissing explains a 400 or 404: the record may be missing, or the call may not have
// reached HighLevel's API. object reports whether the body is a JSON object.
func (f failure) explainMissing(e *clients.Error, call clients.Call, body []byte, object bool) {
	said := words(f.StatusCode)
	known := said == "" || said == "400" || said == "404"
	if e.Err = f.duplicate(); e.Err != nil && e.Status == http.StatusBadRequest {
		return
	}
	switch {
	case object && known && f.namesMissing(e, call):
		e.Reason = clients.NotFound // "Contact with id X not found" is a 400, observed
	case e.Status == http.StatusNotFound, !object, !known, clients.Generic(e.Message),
		missing.MatchString(e.Message) && (call.Effect == clients.Read || aRoute.MatchString(e.Message)):
		e.NotTheAPI(call)
		if strings.Contains(e.Message+string(body[:min(len(body), 4096)]), "Cannot "+call.Method+" /") {
			e.Todo = "HighLevel knows no such path; check the base URL and the API version"
		}
	}
}

// forbiddenTodo says what a person can check after a 403 with this text.
func forbiddenTodo(call clients.Call, text string) string {
	switch scope := scopeOf(call); {
	case strings.Contains(text, "location") && strings.HasPrefix(call.Path, "/locations/") && call.Subject != "":
		return "is this token of location " + call.Subject + "?"
	case strings.Contains(text, "location"):
		return "is this token of the right location?"
	case scope != "":
		return "does the token have the scope " + scope + "?"
	}
	return "the token may not do this"
}

// namesMissing reports whether HighLevel says that the call's record, or the record to
// which it belongs, does not exist. It separates "Contact with id X not found" from
// "Location not found", and from a gateway's words about a route. The message must name the
// id or the kind of record.
func (f failure) namesMissing(e *clients.Error, call clients.Call) bool {
	message := e.Message
	if !missing.MatchString(message) && !missing.MatchString(f.code()) || aRoute.MatchString(message) || call.Path != "" && strings.Contains(message, call.Path) {
		return false
	}
	kinds := kindsOf(call)
	named := call.Subject != "" && strings.Contains(message, call.Subject) || kinds.MatchString(message)
	if call.Subject != "" {
		message = strings.ReplaceAll(message, call.Subject, "")
	}
	message = place.ReplaceAllString(kinds.ReplaceAllString(message, ""), "")
	return named && !notTheRecord.MatchString(message)
}

// code returns the machine-readable code of an API v3 error.
func (f failure) code() string {
	inner, _ := clients.ParseObject(f.Error)
	return inner.Text("code")
}

// kindsOf matches the names of the kinds of record in a call's path, such as contact and
// task for "/contacts/X/tasks/Y".
func kindsOf(call clients.Call) *regexp.Regexp {
	var kinds []string
	for i, part := range strings.Split(strings.Trim(call.Path, "/"), "/") {
		if kind, ok := kindNames[part]; ok && (i > 0 || part != "locations" || call.Operation == opLocation) {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) == 0 {
		return noKind
	}
	return regexp.MustCompile(`(?i)\b(` + strings.Join(kinds, "|") + `)s?\b`)
}

var noKind = regexp.MustCompile(`$.`)

// kindNames are the names in HighLevel's messages for the records of a part of a path.
var kindNames = map[string]string{
	"contacts": "contact", "tasks": "task", "notes": "note", "appointments": "appointment|event", "events": "event|appointment",
	"opportunities": "opportunity", "locations": "location", "tags": "tag", "customFields": "custom ?field|field", "customValues": "custom ?value|value",
	"businesses": "business", "business": "business", "campaigns": "campaign", "workflow": "workflow", "workflows": "workflow", "users": "user",
}

// Disowned reports whether a read failed because HighLevel rejects the record's id (400,
// 422) in words other than "not found". HighLevel does not document its words for a deleted
// record, and they vary. Together with a delete event they can be trusted, but not alone.
func Disowned(err error, id string) bool {
	e, ok := errors.AsType[*clients.Error](err)
	return ok && e.API == "HighLevel" && e.Reason == clients.Invalid && e.Subject == id &&
		(e.Status == http.StatusBadRequest || e.Status == http.StatusUnprocessableEntity) &&
		!notTheRecord.MatchString(strings.ReplaceAll(e.Message, id, ""))
}

// unauthorized separates 401s that a new access token cures from the others.
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
		if scope := scopeOf(call); scope != "" {
			e.Todo = "give the token the scope " + scope
		}
	default:
		e.Reason = clients.Unauthorized
		e.Todo = "the token is wrong or has expired: make a new one or connect the location again"
	}
}
