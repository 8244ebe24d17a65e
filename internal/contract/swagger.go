package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"milepost/clients"
	"milepost/internal/catalog"
)

// A swagger is a description of an API, as Swagger 2.0 or OpenAPI 3. Its
// methods are of use on a nil one too: nothing is documented then.
type swagger struct{ root clients.Object }

func parseSwagger(raw json.RawMessage) (*swagger, error) {
	root, err := clients.ParseObject(raw)
	if err != nil || len(object(root["paths"])) == 0 {
		return nil, errors.New("no description of an API")
	}
	return &swagger{root}, nil
}

// object is empty where raw is none.
func object(raw json.RawMessage) clients.Object {
	o, _ := clients.ParseObject(raw)
	return o
}

var pathPart = regexp.MustCompile(`\{[^}]*\}`)

// operation finds a call, whatever its ids are called.
func (s *swagger) operation(method, path string) (documented, bool) {
	if s == nil {
		return documented{}, false
	}
	plain := func(path string) string { return strings.TrimSuffix(pathPart.ReplaceAllString(path, "{}"), "/") }
	for other, raw := range object(s.root["paths"]) {
		if plain(other) != plain(path) {
			continue
		}
		methods := s.resolve(raw)
		o, err := clients.ParseObject(methods[strings.ToLower(method)])
		if err != nil {
			return documented{}, false
		}
		d := documented{parameters: map[string]clients.Object{}, properties: map[string]clients.Object{}, responses: object(o["responses"])}
		for _, p := range slices.Concat(methods.Objects("parameters"), o.Objects("parameters")) {
			if p.Text("$ref") != "" {
				p = s.pointer(p.Text("$ref"))
			}
			switch p.Text("in") {
			case "body":
				d.body(s, p["schema"], 4)
			case "formData":
				d.properties[p.Text("name")] = p
				if p.Bool("required") {
					d.required = append(d.required, p.Text("name"))
				}
			default:
				d.parameters[p.Text("name")] = p
			}
		}
		content := object(s.resolve(o["requestBody"])["content"])
		for _, kind := range slices.Sorted(maps.Keys(content)) {
			d.body(s, object(content[kind])["schema"], 4)
		}
		return d, true
	}
	return documented{}, false
}

// resolve follows references.
func (s *swagger) resolve(raw json.RawMessage) clients.Object {
	o := object(raw)
	for range 5 {
		ref := o.Text("$ref")
		if ref == "" {
			break
		}
		o = s.pointer(ref)
	}
	return o
}

// pointer finds "#/definitions/Model1".
func (s *swagger) pointer(ref string) clients.Object {
	o := s.root
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		if plain, err := url.PathUnescape(part); err == nil {
			part = plain
		}
		o = object(o[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)])
	}
	return o
}

// names are those of all fields that the description has.
func (s *swagger) names() (all []string) {
	var walk func(raw json.RawMessage, depth int)
	walk = func(raw json.RawMessage, depth int) {
		if depth == 0 {
			return
		}
		o := object(raw)
		for name := range object(o["properties"]) {
			all = append(all, name)
		}
		all = append(all, o.Texts("name")...) // of parameters
		for _, inner := range o {
			walk(inner, depth-1)
			var list []json.RawMessage
			if json.Unmarshal(inner, &list) == nil {
				for _, item := range list {
					walk(item, depth-1)
				}
			}
		}
	}
	raw, _ := json.Marshal(s.root) // of JSON: it cannot fail
	walk(raw, 12)
	return slices.DeleteFunc(all, func(name string) bool { return !identifier.MatchString(name) })
}

// documented is what is said of one call.
type documented struct {
	parameters map[string]clients.Object // of query and path
	properties map[string]clients.Object // of the body; empty = it is not documented
	required   []string                  // of the body
	responses  clients.Object
}

func (d *documented) body(s *swagger, raw json.RawMessage, depth int) {
	schema := s.resolve(raw)
	for name, property := range object(schema["properties"]) {
		d.properties[name] = s.resolve(property)
	}
	d.required = append(d.required, schema.Texts("required")...)
	if depth == 0 {
		return
	}
	for _, key := range []string{"allOf", "oneOf", "anyOf"} {
		for _, part := range schema.Objects(key) {
			raw, _ := json.Marshal(part)
			required := d.required
			d.body(s, raw, depth-1)
			if key != "allOf" {
				d.required = required // one of several needs not be it
			}
		}
	}
}

type difference struct{ key, text string } // key "" = of the call as a whole

// compare tells where a call of the client is not as documented.
func compare(o catalog.Entry, d documented) (all []difference) {
	differs := func(key, format string, args ...any) {
		all = append(all, difference{key, fmt.Sprintf(format, args...)})
	}
	query, body := map[string]catalog.Field{}, map[string]catalog.Field{}
	for _, f := range o.Fields {
		switch f.Where {
		case catalog.InQuery:
			query[f.Name] = f
			if _, ok := d.parameters[f.Name]; !ok {
				differs(f.Name, "the query %s is not documented", f.Name)
			}
		case catalog.InBody:
			body[f.Name] = f
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.parameters)) {
		_, sent := query[name]
		all = append(all, compareParameter(name, d.parameters[name], sent)...)
	}
	if len(d.properties) > 0 {
		all = append(all, compareBody(o, d, body)...)
	}
	return all
}

// compareParameter compares the query of a call with what is documented of it.
func compareParameter(name string, p clients.Object, sent bool) (all []difference) {
	if p.Text("in") == "query" && p.Bool("required") && !sent {
		all = append(all, difference{"", fmt.Sprintf("the query %s is required, and not sent", plain(name))})
	}
	enum := p.Texts("enum")
	if schema := object(p["schema"]); len(enum) == 0 {
		enum = schema.Texts("enum")
	}
	for _, value := range values[name] {
		if len(enum) > 0 && !slices.Contains(enum, value) {
			all = append(all, difference{"", fmt.Sprintf("%s is not a documented value of %s", value, name)})
		}
	}
	return all
}

// compareBody compares the body of a call with what is documented of it.
func compareBody(o catalog.Entry, d documented, body map[string]catalog.Field) (all []difference) {
	differs := func(key, format string, args ...any) {
		all = append(all, difference{key, fmt.Sprintf(format, args...)})
	}
	if len(body) == 0 && len(d.required) > 0 {
		differs("", "a body is required, and not sent")
	}
	for _, f := range o.Fields {
		if f.Where != catalog.InBody {
			continue
		}
		sent, _, _ := strings.Cut(f.Type, " ") // "array of strings" is an array
		p, ok := d.properties[f.Name]
		if kind := p.Text("type"); !ok {
			differs(f.Name, "%s of the body is not documented", f.Name)
		} else if kind != "" && kind != sent && !(kind == "integer" && sent == catalog.Number) {
			differs(f.Name, "%s of the body is documented as %s, and sent as %s", f.Name, plain(kind), sent)
		}
	}
	for _, name := range d.required {
		if !body[name].Required {
			differs("", "%s of the body is required, and not always sent", plain(name))
		}
	}
	return all
}

// plain keeps a name from being more than a name.
func plain(name string) string {
	if identifier.MatchString(name) {
		return name
	}
	return hidden
}

const unsaid = "swagger.json does not say"

// keys are the fields of a call's body.
func (s *swagger) keys(method, path string) string {
	d, ok := s.operation(method, path)
	if !ok || len(d.properties) == 0 {
		return unsaid
	}
	var keys []string
	for _, name := range slices.Sorted(maps.Keys(d.properties)) {
		key := plain(name)
		if kind := d.properties[name].Text("type"); kind != "" {
			key += " " + plain(kind)
		}
		if slices.Contains(d.required, name) {
			key += " (required)"
		}
		keys = append(keys, key)
	}
	return strings.Join(keys, ", ")
}

// needs are the required fields of a call's body.
func (s *swagger) needs(method, path string) string {
	d, ok := s.operation(method, path)
	if !ok || len(d.properties) == 0 {
		return unsaid
	}
	var keys []string
	for _, name := range d.required {
		keys = append(keys, plain(name))
	}
	return "needs " + several(keys)
}

var status = regexp.MustCompile(`^([1-5]\d\d|default)$`)

func (s *swagger) statuses(method, path string) string {
	d, _ := s.operation(method, path)
	var all []string
	for code := range d.responses {
		if status.MatchString(code) {
			all = append(all, code)
		}
	}
	return several(all)
}

var digits = regexp.MustCompile(`^\d{1,9}$`)

// limits are the default and the bounds of a query.
func (s *swagger) limits(method, path, query string) string {
	d, _ := s.operation(method, path)
	p := d.parameters[query]
	said := ""
	for _, key := range []string{"default", "minimum", "maximum"} {
		value := p.Text(key)
		if value == "" {
			value = object(p["schema"]).Text(key)
		}
		if digits.MatchString(value) {
			said += fmt.Sprintf("; %s %s", key, value)
		}
	}
	return said
}
