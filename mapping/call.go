package mapping

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"milepost/internal/catalog"
)

// Call is a call of an operation of the catalogue, with its fields filled in.
type Call struct {
	Operation string         `json:"operation"` // a name of the catalogue
	Fields    map[string]any `json:"fields"`    // as catalog.Entry.Request takes them; personal data
}

// Entry is the operation; ok is false if this version's catalogue does not have it.
func (c Call) Entry() (entry catalog.Entry, ok bool) {
	entry, ok = catalog.Find(c.Operation)
	return entry, ok && entry.Kind == catalog.Operation
}

// Request returns what is sent for a location: method, path, query and body. It sends
// nothing, so a preview can show it. companyID is the location's agency, which only a few
// operations need; "" = not known, and then a placeholder stands for it.
func (c Call) Request(locationID, companyID string) (catalog.Request, error) {
	entry, ok := c.Entry()
	if !ok {
		return catalog.Request{}, fmt.Errorf("the catalogue has no operation %q", c.Operation)
	}
	return entry.Request(catalog.Own{
		Vendor: entry.Vendor, LocationID: cmp.Or(locationID, "{locationId}"), CompanyID: cmp.Or(companyID, "{companyId}"),
	}, c.Fields)
}

// call makes a call of an operation.
type call struct {
	entry  catalog.Entry
	fields map[string]any // as they were written; a *template in the place of each text with a hole
	names  reads
}

func loadCall(f *fields) action {
	f.required("operation")
	a := &call{fields: map[string]any{}}
	name := strings.TrimSpace(f.text("operation"))
	if name == "" {
		return a
	}
	var ok bool
	if a.entry, ok = catalog.Find(name); !ok {
		f.wrong("operation", "%s", unknownOperation(name))
		return a
	}
	if a.entry.Kind == catalog.Trigger {
		f.wrong("operation", "%s is a trigger, not an operation; `milepost catalog --search WORD` finds one", name)
		return a
	}
	written := map[string]any{}
	l := callLoader{fields: f, call: a, lines: map[string]int{}, meant: map[string]bool{}}
	if node := f.values["fields"]; node != nil {
		if list := fieldsOf(f.mistakes, f.prefix+"fields.", node, f.scope, keysOf(node)...); list == nil {
			return a
		}
		var texts any
		a.fields, texts = l.object("", node)
		written = texts.(map[string]any)
	}
	if l.failed {
		return a
	}
	var wrong catalog.Mistakes
	if errors.As(a.entry.Check(written), &wrong) {
		for _, m := range wrong {
			l.mistake(m)
		}
	}
	l.fixedFields("", a.entry.Fields, written)
	return a
}

// unknownOperation returns a message about an unknown operation, with a suggestion.
func unknownOperation(name string) string {
	var names []string
	for _, e := range catalog.Entries() {
		if e.Kind == catalog.Operation {
			names = append(names, e.Name)
			if _, short, _ := strings.Cut(e.Name, "."); short == name {
				return fmt.Sprintf("unknown operation %s; did you mean %q?", quoteShort(name), e.Name)
			}
		}
	}
	if near, ok := nearest(name, names); ok {
		return fmt.Sprintf("unknown operation %s; did you mean %q?", quoteShort(name), near)
	}
	return fmt.Sprintf("unknown operation %s; `milepost catalog --search WORD` finds one", quoteShort(name))
}

func keysOf(node *yaml.Node) (keys []string) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		keys = append(keys, node.Content[i].Value)
	}
	return keys
}

// callLoader reads the fields of a call.
type callLoader struct {
	*fields
	call   *call
	lines  map[string]int  // line of each field, by its name in a catalog.Mistake
	failed bool            // a mistake that makes further ones pointless
	meant  map[string]bool // fields that are misspelled
}

// object reads an object twice: with compiled templates, and as written.
func (l *callLoader) object(at string, node *yaml.Node) (compiled map[string]any, written any) {
	compiled, texts := map[string]any{}, map[string]any{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i].Value
		l.lines[at+key] = node.Content[i].Line
		compiled[key], texts[key] = l.value(at+key, node.Content[i+1])
	}
	return compiled, texts
}

func (l *callLoader) value(at string, node *yaml.Node) (compiled, written any) {
	field := "fields." + at
	wrong := func(format string, args ...any) (any, any) {
		l.failed = true
		l.add(node.Line, l.prefix+field, format, args...)
		return nil, nil
	}
	if said := trap(lastPart(at), node); said != "" {
		return wrong("%s", said)
	}
	switch {
	case node.Kind == yaml.MappingNode:
		if openFields(l.mistakes, l.prefix+field+".", node) == nil {
			return nil, nil
		}
		return l.object(at+".", node)
	case node.Kind == yaml.SequenceNode:
		all, texts := make([]any, len(node.Content)), make([]any, len(node.Content))
		for i, entry := range node.Content {
			name := at + "." + strconv.Itoa(i+1)
			l.lines[name] = entry.Line
			all[i], texts[i] = l.value(name, entry)
		}
		return all, texts
	case node.Kind != yaml.ScalarNode:
		return wrong("must be a value, this is %s", describe(node))
	}
	switch node.Tag {
	case "!!null":
		return nil, nil
	case "!!int", "!!float", "!!bool":
		var value any
		if err := node.Decode(&value); err != nil {
			return wrong("is not a value: %v", err)
		}
		return value, value
	}
	if !strings.Contains(node.Value, "{{") {
		if m := bareField.FindStringSubmatch(node.Value); m != nil && l.scope.has(m[2]) {
			l.never(node.Line, l.prefix+field, "is the text %q itself, not the field; write {{ %s }}", m[1], m[1])
		}
		return node.Value, node.Value
	}
	t := l.compile(field, node)
	l.call.names.add(t.reads)
	return t, node.Value
}

func lastPart(at string) string { return at[strings.LastIndexByte(at, '.')+1:] }

// mistake notes the catalogue's mistake at the line of the field.
func (l *callLoader) mistake(m catalog.Mistake) {
	if m.Field == "" {
		l.wrong("operation", "%s", m.Message)
		return
	}
	line := l.values["operation"].Line
	for at := m.Field; at != ""; at = at[:max(0, strings.LastIndexByte(at, '.'))] { // a missing field gets the line of its parent
		if found, ok := l.lines[at]; ok {
			line = found
			break
		}
	}
	if l.meant[m.Field] { // it is misspelled, which is said already
		return
	}
	message := m.Message
	if m.Known != nil {
		name := lastPart(m.Field)
		message = unknown("field", name, m.Known).Error()
		if meant, ok := meantName(name, m.Known); ok {
			l.meant[strings.TrimSuffix(m.Field, name)+meant] = true
		}
	}
	l.add(line, l.prefix+"fields."+m.Field, "%s", message)
}

func (a *call) kind() ItemKind { return ItemCall }
func (a *call) reads() reads   { return a.names }

// item fills in the fields. It leaves out an optional field without a value, so that a call
// clears nothing by accident. If a required field has no value, the automation wants
// nothing.
func (a *call) item(r *run, env map[string]any) (Item, error) {
	filled, err := a.object("", a.entry.Fields, a.fields, env)
	if err != nil {
		return Item{}, err
	}
	item := Item{Call: Call{Operation: a.entry.Name, Fields: filled}}
	var wrong catalog.Mistakes
	if _, err := item.Call.Request(r.facts.Location.ID, ""); errors.As(err, &wrong) {
		return Item{}, fieldProblem{strings.TrimSuffix("fields."+wrong[0].Field, "."), wrong[0].Message}
	}
	return item, nil
}

func (a *call) object(at string, fields catalog.Fields, written map[string]any, env map[string]any) (map[string]any, error) {
	filled := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(written)) {
		f := catalog.Field{Type: catalog.Any}
		if i := slices.IndexFunc(fields, func(f catalog.Field) bool { return f.Name == name }); i >= 0 {
			f = fields[i]
		}
		value, given, err := a.value(at+name, f, written[name], env)
		switch {
		case err != nil:
			return nil, err
		case given:
			filled[name] = value
		case f.Required:
			return nil, skip(fmt.Sprintf("the field %s of %s has no value", at+name, a.entry.Name))
		}
	}
	return filled, nil
}

// value fills in one value. given is false if its template has no value.
func (a *call) value(at string, f catalog.Field, written any, env map[string]any) (value any, given bool, err error) {
	switch written := written.(type) {
	case *template:
		v, err := written.value(env)
		if err != nil {
			return nil, false, fieldProblem{"fields." + at, err.Error()}
		}
		value = sent(f.Type, v)
		return value, !noValue(value), nil
	case map[string]any:
		filled, err := a.object(at+".", f.Fields, written, env)
		return filled, true, err
	case []any:
		of := catalog.Field{Type: catalog.Any}
		switch f.Type {
		case catalog.Strings:
			of.Type = catalog.String
		case catalog.Objects:
			of = catalog.Field{Type: catalog.Object, Fields: f.Fields}
		}
		all := []any{}
		for i, one := range written {
			filled, given, err := a.value(at+"."+strconv.Itoa(i+1), of, one, env)
			if err != nil {
				return nil, false, err
			}
			if given {
				all = append(all, filled)
			}
		}
		return all, true, nil
	}
	return written, true, nil
}

// sent returns the value of a template in the form that vendors accept:
// 2026-12-04T15:00:00Z for an instant, and 2026-12-04 for a day.
func sent(kind string, v any) any {
	if d, ok := v.(Date); ok {
		v = d.String()
		if !d.IsZero() && !d.DateOnly() {
			v = d.Instant(0, time.UTC).UTC().Format(time.RFC3339)
		}
	}
	switch kind {
	case catalog.String:
		return strings.TrimSpace(printed(v))
	case catalog.Strings:
		list := []any{}
		for _, text := range texts(v) {
			if text = strings.TrimSpace(text); text != "" {
				list = append(list, text)
			}
		}
		return list
	}
	switch list := v.(type) {
	case string:
		return strings.TrimSpace(list)
	case []string: // so that equal lists have equal fingerprints
		all := make([]any, len(list))
		for i, text := range list {
			all[i] = text
		}
		return all
	}
	return v
}

func noValue(v any) bool {
	list, isList := v.([]any)
	return v == nil || v == "" || isList && len(list) == 0
}

// mails returns whom the call may mail.
func (c Call) mails() []Mailed {
	entry, ok := c.Entry()
	if !ok || !entry.Mails {
		return nil
	}
	var all []Mailed
	if entry.Name == "calendarhero.create_meeting_request" && c.Fields["contacts"] == nil {
		for _, address := range texts(c.Fields["contactEmails"]) {
			if address != "" {
				all = append(all, Mailed{Who: InviteAddress, Address: address})
			}
		}
	}
	if all == nil {
		all = []Mailed{{Operation: entry.Name}}
	}
	return all
}
