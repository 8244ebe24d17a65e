// Package contract compares what Milepost sends to CalendarHero, and reads from
// it, with CalendarHero's own description: its swagger.json and the answers of a
// live account. CalendarHero publishes no document that can be checked without an
// account.
//
// Guarantees: it only reads; its report contains names of fields, types, and words
// of this package, but no value of the account, so anybody may see it.
//
// It knows nothing of the store or of what is synced.
package contract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/catalog"
)

// Report is what was found.
type Report struct {
	Differs []string    // from what Milepost relies on
	Notes   []string    // from what the client could send or read, but Milepost does not rely on; and what could not be read
	Answers []Answer    // to the open questions that reading can settle
	Shapes  [][2]string // of each answer: the call, and the shape
}

// Answer is what was found on an open question.
type Answer struct{ Question, Found string }

// relied are the calls that Milepost needs, with the keys that it sends.
var relied = map[string][]string{
	"GET /user":                      nil,
	"GET /user/meeting":              nil,
	"GET /contact":                   {"search"},
	"GET /contact/{id}":              {"basic"},
	"POST /contact":                  {"name", "email", "telephone", "title", "organization", "defaultEmail"},
	"PUT /contact/{id}":              {"name", "email", "telephone", "title", "organization", "defaultEmail", "providerId", "userId"}, // all that was read is written back
	"POST /meeting/tasks":            {"subject", "type", "dateStart", "dateEnd", "meetingLength", "contactEmails", "description", "location"},
	"GET /meeting/tasks":             {"state", "skip", "take"},
	"DELETE /meeting/tasks/{id}":     nil,
	"PUT /meeting/tasks/{id}/remind": nil,
	"POST /webhook/{event}":          {"hookUrl"},
	"GET /webhook/{event}":           nil,
	"DELETE /webhook/{event}":        nil,
}

// values are those that Milepost sends in a query or a path.
var values = map[string][]string{
	"state": {calendarhero.StateActive, calendarhero.StateUpcoming, calendarhero.StateClosed},
	"event": calendarhero.Events,
}

// operations are all calls that the client makes.
func operations() []catalog.Entry {
	return slices.DeleteFunc(catalog.Entries(), func(e catalog.Entry) bool {
		return e.Kind != catalog.Operation || e.Vendor != catalog.CalendarHero
	})
}

// Examine reads and compares. Its error is of the account's own record, without
// which nothing else can be read; all else that fails is in the report.
func Examine(ctx context.Context, client *calendarhero.Client) (Report, error) {
	user, err := client.User(ctx)
	if err != nil {
		return Report{}, err
	}
	e := &examination{ctx: ctx, client: client, known: names{}, private: names{}}
	for _, o := range operations() {
		for _, f := range o.Fields {
			if f.Where != catalog.InPath {
				e.known.add(f.Name)
			}
		}
	}
	e.known.add("id", "status", "dateScheduledStart", "dateScheduledEnd", "info", "dates", "taskStatus", "meetingType", "contactName", "dateAdded", "dateUpdated", "timezone", "value")
	e.swagger()
	e.user(user)
	e.meetingTypes()
	e.hooks()
	e.requests()
	e.unknownContact()
	e.documents()
	return e.report, nil
}

type examination struct {
	ctx     context.Context
	client  *calendarhero.Client
	report  Report
	known   names // of fields, that are the vendor's or ours
	private names // texts of the account, that may be a field's name too
	api     *swagger
}

func (e *examination) differs(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(e.report.Differs, text) {
		e.report.Differs = append(e.report.Differs, text)
	}
}

func (e *examination) note(format string, args ...any) {
	e.report.Notes = append(e.report.Notes, fmt.Sprintf(format, args...))
}

func (e *examination) answer(question, format string, args ...any) {
	e.report.Answers = append(e.report.Answers, Answer{question, fmt.Sprintf(format, args...)})
}

// get reads a path; what fails is noted. A body that is empty is null.
func (e *examination) get(path string) (json.RawMessage, error) {
	raw, err := e.client.Get(e.ctx, path, nil)
	if err != nil {
		e.note("GET %s cannot be read: %s", path, why(err))
	}
	return raw, err
}

// why is a failure without the vendor's words, which may name somebody.
func why(err error) string {
	failed, ok := errors.AsType[*clients.Error](err)
	switch {
	case !ok:
		return "unknown"
	case failed.Status != 0:
		return fmt.Sprintf("%s (%d)", failed.Reason, failed.Status)
	default:
		return string(failed.Reason)
	}
}

// shape notes the shape of an answer down to a depth. What an object's fields
// are called may be a value of the account, for the holder may have chosen it:
// at the level of the vendor's own fields a name is shown that is like one and
// is no text of the account's; at others only one that is known.
func (e *examination) shape(call string, raw json.RawMessage, depth, own int) *shape {
	s := shapeOf(raw, depth)
	e.report.Shapes = append(e.report.Shapes, [2]string{call, s.text(func(key string, level int) string {
		if level >= own && e.known.has(key) || level == own && identifier.MatchString(key) && !e.private.has(key) {
			return key
		}
		return ""
	})})
	return s
}

func (e *examination) swagger() {
	raw, err := e.get("/swagger.json")
	if err != nil {
		return
	}
	api, err := parseSwagger(raw)
	if err != nil {
		e.note("GET /swagger.json answers %v", err)
		return
	}
	e.api = api
	e.known.add(api.names()...)
	for _, o := range operations() {
		call := o.Method + " " + o.Path
		sent, needed := relied[call]
		say := func(needs bool, format string, args ...any) {
			text := call + ": " + fmt.Sprintf(format, args...)
			if needs {
				e.differs("%s", text)
			} else {
				e.note("%s", text)
			}
		}
		documented, ok := api.operation(o.Method, o.Path)
		if !ok {
			say(needed, "swagger.json does not have it")
			continue
		}
		for _, difference := range compare(o, documented) {
			say(needed && (difference.key == "" || slices.Contains(sent, difference.key)), "%s", difference.text)
		}
	}
}

func (e *examination) user(user calendarhero.User) {
	raw, err := e.get("/user")
	if err != nil {
		return
	}
	e.private.addTexts(raw)
	e.shape("GET /user", raw, 1, 0)
	if user.Email == "" {
		e.differs("GET /user: no email, so the account's owner cannot be invited")
	}
	if user.Timezone == "" {
		e.note("GET /user: no timezone")
	}
}

func (e *examination) meetingTypes() {
	raw, err := e.get("/user/meeting")
	if err != nil {
		e.differs("GET /user/meeting cannot be read: %s", why(err))
		return
	}
	types, err := clients.ParseObject(raw)
	for name := range types {
		e.private.add(name)
	}
	s := e.shape("GET /user/meeting", raw, 3, 1)
	if err != nil {
		e.differs("GET /user/meeting: an object keyed by meeting type was expected, not %s", s.kind())
	} else if _, err := e.client.MeetingTypes(e.ctx); err != nil {
		e.differs("GET /user/meeting cannot be understood: %s", why(err))
	}
}

func (e *examination) hooks() {
	registered, readable := 0, 0
	for _, event := range calendarhero.Events {
		path := "/webhook/" + url.PathEscape(event)
		hook, is, err := e.client.Hook(e.ctx, event)
		if err != nil {
			e.differs("GET %s cannot be read: %s", path, why(err))
			continue
		}
		if is {
			registered++
		}
		raw, err := e.client.Get(e.ctx, path, nil)
		if err != nil {
			e.note("GET %s answers %s, which is read as: no webhook is registered", path, why(err))
			continue
		}
		readable++
		e.shape("GET "+path, raw, 3, 0)
		if is && hook.URL == "" {
			e.differs("GET %s: something is registered, but no URL is found in the answer, so whose it is cannot be told", path)
		}
	}
	e.answer("Shape of GET /webhook/{event}", "%d of %d answered; something is registered for %d", readable, len(calendarhero.Events), registered)
	e.samples()
}

// samples reads the sample body of each event.
func (e *examination) samples() {
	samples := 0
	var words []string
	for _, event := range calendarhero.Events {
		path := "/webhook/" + url.PathEscape(event) + "/sample"
		raw, err := e.get(path)
		if err != nil {
			continue
		}
		o, err := clients.ParseObject(raw)
		s := e.shape("GET "+path, raw, 4, 0)
		if err != nil || len(o) == 0 {
			e.note("GET %s: no sample is shown, but %s", path, s.kind())
			continue
		}
		samples++
		expected := []string{"id", "status", "dateScheduledStart", "dateScheduledEnd"}
		if event == calendarhero.NewContactAdded {
			expected = []string{"id", "email"}
		}
		for _, key := range expected {
			if o.Text(key) == "" && len(o.Texts(key)) == 0 {
				e.differs("GET %s: the sample has no %s", path, key)
			}
		}
		if status := o.Text("status"); status != "" {
			words = append(words, word(status))
		}
	}
	e.answer("Exact webhook body of each event, and the words of status",
		"%d of %d samples are shown, see their shapes below; status: %s", samples, len(calendarhero.Events), several(words))
}

// request reads an item of the list of meeting requests.
func (e *examination) request(path string, item json.RawMessage) clients.Object {
	o, _ := clients.ParseObject(item)
	for _, key := range []string{"id", "info", "taskStatus", "dates"} {
		if len(o.Texts(key)) == 0 {
			e.differs("GET %s: an item has no %s", path, key)
		}
	}
	return o
}

func (e *examination) requests() {
	var words []string
	items, described, kept, over := 0, 0, false, false
	for _, state := range values["state"] {
		path := "/meeting/tasks"
		raw, err := e.client.Get(e.ctx, path, url.Values{"state": {state}, "take": {"2"}})
		if err != nil {
			e.differs("GET %s?state=%s cannot be read: %s", path, state, why(err))
			continue
		}
		e.shape("GET "+path+"?state="+state, raw, 4, 0)
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil || list == nil {
			e.differs("GET %s?state=%s: an array was expected", path, state)
			continue
		}
		kept, over = kept || len(list) == 2, over || len(list) > 2
		for _, item := range list {
			o := e.request(path+"?state="+state, item)
			items++
			if o.Raw("description") != nil {
				described++
			}
			words = append(words, word(o.Text("taskStatus")))
		}
	}
	switch {
	case items == 0:
		e.answer("Does GET /meeting/tasks return description; what are the words of taskStatus", "the account has no meeting request to look at")
	default:
		e.answer("Does GET /meeting/tasks return description; what are the words of taskStatus", "description in %d of %d items; taskStatus: %s", described, items, several(words))
	}
	take := "take=2 answered at most two items, too few to tell"
	switch {
	case over:
		take = "take is ignored: more than the two items that were asked for came"
	case kept:
		take = "take is kept to, as far as two items tell"
	}
	e.answer("Default and maximum of take", "%s%s", take, e.api.limits("GET", "/meeting/tasks", "take"))
}

// unknownContact asks for a contact that cannot exist, to see a refusal.
func (e *examination) unknownContact() {
	_, err := e.client.Contact(e.ctx, strings.Repeat("0", 24))
	found := "it was found"
	if err != nil {
		found = why(err)
	}
	e.answer("Errors", "a contact that does not exist: %s; rate limits and the retries of webhooks are not told by reading", found)
	if clients.ReasonOf(err) != clients.NotFound {
		e.differs("GET /contact/{id} of a contact that does not exist: not_found (404) was expected, not %s", found)
	}
}

// documents answers what only swagger.json can.
func (e *examination) documents() {
	e.answer("Does a pinned window book at once; may a request have no invitee", "not told by reading; swagger.json: %s", e.api.needs("POST", "/meeting/tasks"))
	e.answer("Does PUT /contact/{id} merge; status of POST /contact", "merging is not told by reading; swagger.json: PUT %s; POST answers %s",
		e.api.needs("PUT", "/contact/{id}"), e.api.statuses("POST", "/contact"))
	for _, call := range []string{
		"POST /msg/web", "PUT /user/meeting", "POST /user/meeting/{type}", "POST /user/meeting/{type}/share",
		"PUT /user", "PUT /user/settings/info", "PUT /user/settings/address", "PUT /user/settings/worklocation", "PUT /user/settings/restrictedapps",
	} {
		method, path, _ := strings.Cut(call, " ")
		e.answer("Body of "+call, "%s", e.api.keys(method, path))
	}
}

// statusWords are such as Milepost could understand; only these are shown.
var statusWords = []string{
	"active", "pending", "requested", "waiting", "open", "new", "upcoming", "scheduled", "booked", "confirmed", "accepted", "success",
	"rescheduled", "moved", "expired", "cancelled", "canceled", "declined", "deleted", "started", "completed", "complete", "done", "closed",
}

func word(status string) string {
	if slices.Contains(statusWords, strings.ToLower(status)) {
		return "`" + status + "`"
	}
	return "a word that Milepost does not know"
}

func several(words []string) string {
	slices.Sort(words)
	if words = slices.Compact(words); len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
