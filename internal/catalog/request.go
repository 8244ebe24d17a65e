package catalog

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Mistake is what is wrong with one field of a call.
type Mistake struct {
	Field   string // "rruleOptions.interval"; "" = the call as a whole
	Message string
	Known   []string // of a field whose name is unknown: the names that it could have
}

// Mistakes is the error of Check and Request: all that is wrong, in the order of the
// fields' names.
type Mistakes []Mistake

func (m Mistakes) Error() string {
	texts := make([]string, len(m))
	for i, one := range m {
		texts[i] = strings.TrimSpace(one.Field + " " + one.Message)
	}
	return strings.Join(texts, "; ")
}

// Check says what is wrong with the fields of an operation before it is called. A
// text that holds {{ }} fits every type, because its value is only known when it
// runs. The error is a Mistakes.
func (e Entry) Check(fields map[string]any) error {
	c := check{templates: true}
	c.operation(e, fields)
	return c.err()
}

// Own is for whom a call is made: what Milepost fills in, because an automation
// reaches its own location only.
type Own struct {
	Vendor                string // whose client makes the call
	LocationID, CompanyID string // of HighLevel
}

// Request is an operation with its fields in their places.
type Request struct {
	Method string
	Path   string   // with a %s for each id
	IDs    []string // in the order of the path
	Query  url.Values
	Body   map[string]any // nil = no body
}

// fill adds the fields that Milepost fills in itself.
func (own Own) fill(fields []Field, values map[string]any) {
	for _, f := range fields {
		switch f.Filled {
		case Location:
			values[f.Name] = own.LocationID
		case Company:
			values[f.Name] = own.CompanyID
		}
	}
}

// Request puts the fields of a call in their places. It takes the text of a number or
// boolean, because a rendered template is one. The error is a Mistakes; it quotes no value.
func (e Entry) Request(own Own, fields map[string]any) (Request, error) {
	c := check{}
	if e.Kind == Operation && e.Vendor != own.Vendor {
		c.wrong("", "%s is no operation of %s", e.Name, own.Vendor)
	}
	values := c.operation(e, fields)
	if err := c.err(); err != nil {
		return Request{}, err
	}
	own.fill(e.Fields, values)
	r := Request{Method: e.Method, Path: pathName.ReplaceAllString(e.Path, "%s"), Query: url.Values{}}
	if e.emptyBody || slices.ContainsFunc(e.Fields, func(f Field) bool { return f.Where == InBody }) {
		r.Body = map[string]any{}
	}
	filled := e.Path
	for _, f := range e.Fields {
		value, given := values[f.Name]
		switch {
		case f.Where == InPath:
			id := written(value)
			if id == "" || strings.ContainsAny(id, `/\`) {
				return Request{}, Mistakes{{Field: f.Name, Message: "is not an id"}}
			}
			filled = strings.Replace(filled, "{"+f.Name+"}", id, 1)
		case f.Where == InQuery && given:
			r.Query[f.Name] = texts(value)
		case f.Where == InBody && given:
			r.Body[f.Name] = value
		}
	}
	for _, name := range pathName.FindAllString(e.Path, -1) {
		r.IDs = append(r.IDs, written(values[strings.Trim(name, "{}")]))
	}
	// An id such as "search" would make the path of another operation.
	if other, ok := Match(e.Vendor, e.Method, filled); !ok || other.Name != e.Name {
		return Request{}, Mistakes{{Message: "an id is a word of the API, not an id"}}
	}
	return r, nil
}

// Target is the path with its ids and the query, as they are sent.
func (r Request) Target() string {
	ids := make([]any, len(r.IDs))
	for i, id := range r.IDs {
		ids[i] = url.PathEscape(id)
	}
	target := fmt.Sprintf(r.Path, ids...)
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	return target
}

// Needs reports whether Milepost fills in a field with this.
func (e Entry) Needs(with string) bool {
	return slices.ContainsFunc(e.Fields, func(f Field) bool { return f.Filled == with })
}

var pathName = regexp.MustCompile(`\{\w+\}`)

// check goes through the fields of one call and notes what is wrong.
type check struct {
	templates bool // a text with {{ }} fits every type
	mistakes  Mistakes
}

func (c *check) err() error {
	if len(c.mistakes) == 0 {
		return nil
	}
	slices.SortStableFunc(c.mistakes, func(a, b Mistake) int { return strings.Compare(a.Field, b.Field) })
	return c.mistakes
}

func (c *check) wrong(field, format string, args ...any) {
	c.mistakes = append(c.mistakes, Mistake{Field: field, Message: fmt.Sprintf(format, args...)})
}

func (c *check) operation(e Entry, fields map[string]any) map[string]any {
	if e.Kind != Operation {
		c.wrong("", "%s is no operation", e.Name)
		return nil
	}
	if e.Reserved != "" && c.templates {
		c.wrong("", "an automation cannot call %s: %s", e.Name, e.Reserved)
	}
	values := c.object("", e.Fields, fields)
	if len(e.Either) > 0 && !slices.ContainsFunc(e.Either, func(name string) bool { return fields[name] != nil }) {
		c.wrong("", "one of %s is required", strings.Join(e.Either, ", "))
	}
	return values
}

// object checks the values of an object and returns them as they are sent.
func (c *check) object(at string, fields Fields, given map[string]any) map[string]any {
	values := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
		switch {
		case i < 0:
			known := fields.names()
			c.mistakes = append(c.mistakes, Mistake{at + name, "is unknown; known are " + cmp.Or(strings.Join(known, ", "), "none"), known})
		case fields[i].Filled != "":
			c.wrong(at+name, "is filled in by Milepost with the id of the %s; leave it out", fields[i].Filled)
		default:
			values[name] = c.value(at+name, fields[i], given[name])
		}
	}
	for _, f := range fields {
		if _, ok := given[f.Name]; f.Required && f.Filled == "" && !ok {
			c.wrong(at+f.Name, "is required")
		}
	}
	return values
}

// names are those that a call can give.
func (all Fields) names() (names []string) {
	for _, f := range all {
		if f.Filled == "" {
			names = append(names, f.Name)
		}
	}
	return names
}

// value checks one value and returns it as it is sent.
func (c *check) value(at string, f Field, value any) any {
	text, isText := value.(string)
	if isText && c.templates && strings.Contains(text, "{{") {
		return value
	}
	if value == nil {
		if !f.Nullable && f.Type != Any {
			c.wrong(at, "must not be null")
		}
		return nil
	}
	switch f.Type {
	case Object:
		fields, ok := value.(map[string]any)
		if !ok {
			return c.bad(at, "an object")
		}
		if f.Fields != nil {
			return c.object(at+".", f.Fields, fields)
		}
		return value
	case Objects:
		return c.objects(at, f, value)
	}
	sent, want := scalar(f, value)
	if want != "" {
		return c.bad(at, want)
	}
	return sent
}

// bad notes that a value must be another one.
func (c *check) bad(at, want string) any {
	c.wrong(at, "must be %s", want)
	return nil
}

// objects checks a list of objects.
func (c *check) objects(at string, f Field, value any) any {
	items, ok := items(value)
	if !ok {
		return c.bad(at, "a list of objects")
	}
	sent := []any{}
	for i, item := range items {
		fields, ok := item.(map[string]any)
		if !ok {
			return c.bad(at, "a list of objects")
		}
		if f.Fields != nil {
			fields = c.object(fmt.Sprintf("%s.%d.", at, i+1), f.Fields, fields)
		}
		sent = append(sent, fields)
	}
	return sent
}

// scalar returns a value that contains no fields as it is sent, or says what it must be.
func scalar(f Field, value any) (sent any, want string) {
	text, isText := value.(string)
	switch f.Type {
	case String:
		return value, textWanted(f, text, isText)
	case Number:
		if isText {
			value = json.Number(strings.TrimSpace(text))
		}
		if !isNumber(value) {
			return nil, "a number"
		}
	case Boolean:
		if isText && (text == "true" || text == "false") {
			return text == "true", ""
		}
		if _, ok := value.(bool); !ok {
			return nil, "true or false"
		}
	case Strings:
		items, ok := items(value)
		if !ok || slices.ContainsFunc(items, func(item any) bool { _, ok := item.(string); return !ok }) {
			return nil, "a list of texts"
		}
	case Array:
		if _, ok := items(value); !ok {
			return nil, "a list"
		}
	}
	return value, ""
}

// textWanted says what a text must be; "" if it may be sent.
func textWanted(f Field, text string, isText bool) string {
	switch {
	case !isText:
		return "a text; put it in quotes"
	case f.Where == InPath && strings.TrimSpace(text) == "":
		return "a text that is not empty"
	case f.Values != nil && !slices.Contains(f.Values, text):
		return "one of " + strings.Join(f.Values, ", ")
	}
	return ""
}

func items(value any) ([]any, bool) {
	switch all := value.(type) {
	case []any:
		return all, true
	case []string:
		items := make([]any, len(all))
		for i, text := range all {
			items[i] = text
		}
		return items, true
	}
	return nil, false
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$`)

func isNumber(value any) bool {
	switch n := value.(type) {
	case int, int64, uint64:
		return true
	case float64:
		return !math.IsNaN(n) && !math.IsInf(n, 0)
	case json.Number:
		return jsonNumber.MatchString(string(n)) && !errors.Is(numberError(n), strconv.ErrRange)
	}
	return false
}

func numberError(n json.Number) error {
	_, err := n.Float64()
	return err
}

// written is a scalar as a query or a path holds it.
func written(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}

func texts(value any) []string {
	all, ok := items(value)
	if !ok {
		return []string{written(value)}
	}
	out := make([]string, len(all))
	for i, item := range all {
		out[i] = written(item)
	}
	return out
}
