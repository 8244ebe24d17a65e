package mapping

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"milepost/internal/catalog"
)

// Form is an automation as a person fills it in, field by field. Its text is YAML. ReadForm
// and Text convert between the two.
type Form struct {
	Top       FormValues // id, name, on, tag, before, if and conflict
	Milestone FormValues
	Actions   []FormAction
}

// FormAction is one action of a form.
type FormAction struct {
	Was    int    // its number, from 1, in the text that Text changes; 0 = it is new
	Type   string // event, task, …
	Values FormValues
}

// FormValues are values by field. A field that is missing is not in the text. The fields of
// a request's operation begin with "fields.".
type FormValues map[string]FormValue

// FormValue is the value of a field. The field's FieldKind says which part of it is set.
type FormValue struct {
	Text  string
	List  []string
	Table []FormPair
	YAML  string // a value that the field's kind cannot show
}

// FormPair is one row of a table.
type FormPair struct{ Key, Value string }

// FieldKind says which part of a FormValue a field uses.
type FieldKind string

// The kinds of fields.
const (
	FieldText  FieldKind = "text"
	FieldFlag  FieldKind = "flag" // true or false, as a text
	FieldList  FieldKind = "list"
	FieldTable FieldKind = "table"
	FieldYAML  FieldKind = "yaml"
)

var (
	topFields       = []string{"id", "name", "state", "enabled", "on", "tag", "milestone", "before", "if", "conflict", "do"}
	formTop         = []string{"id", "name", "on", "tag", "before", "if", "conflict"}
	milestoneFields = []string{"name", "date", "tag", "stage", "pipeline", "yearly", "after"}

	listFields  = []string{"emails", "phones", "add", "remove", "reminders", "attach"}
	tableFields = []string{"types", "keywords"}
	flagFields  = []string{"two_way", "yearly"}
)

const fieldsOfCall = "fields."

// KindOfField returns the kind of an action's field. The fields of a milestone have the
// action "".
func KindOfField(action, field string, values FormValues) FieldKind {
	switch {
	case action == "update_contact" && field == "fields", slices.Contains(tableFields, field):
		return FieldTable
	case slices.Contains(listFields, field):
		return FieldList
	case slices.Contains(flagFields, field):
		return FieldFlag
	}
	if name, ok := strings.CutPrefix(field, fieldsOfCall); ok {
		return kindOfCallField(values["operation"].Text, name)
	}
	return FieldText
}

func kindOfCallField(operation, path string) FieldKind {
	f, ok := CallField(operation, path)
	switch {
	case !ok:
		return FieldText
	case f.Type == catalog.Strings:
		return FieldList
	case f.Type == catalog.Objects, f.Type == catalog.Array, f.Type == catalog.Object:
		return FieldYAML
	}
	return FieldText
}

// CallField returns the field of an operation at a path such as dndSettings.Call.status.
func CallField(operation, path string) (found catalog.Field, ok bool) {
	entry, ok := catalog.Find(operation)
	fields := entry.Fields
	for _, name := range strings.Split(path, ".") {
		i := slices.IndexFunc(fields, func(f catalog.Field) bool { return f.Name == name })
		if i < 0 {
			return catalog.Field{}, false
		}
		found, fields = fields[i], nil
		if found.Type == catalog.Object {
			fields = found.Fields
		}
	}
	return found, ok
}

// ActionNames lists the actions in the order in which to offer them.
func ActionNames() []string { return slices.Clone(actionNames) }

// ActionFields lists the fields of an action, without those of a request's operation, which
// are in the catalogue.
func ActionFields(action string) []string {
	return slices.DeleteFunc(slices.Clone(actionTypes[action].fields), func(f string) bool { return action == "request" && f == "fields" })
}

// GoesWith reports whether an action is possible with a trigger.
func GoesWith(action string, on Trigger) bool {
	return slices.Contains(actionTypes[action].on.triggers, on)
}

// ActionMeaning says for people what an action creates or changes.
func ActionMeaning(action string) string { return actionTypes[action].makes }

// errNoForm is the error for a text that a form cannot show.
var errNoForm = errors.New("it uses YAML that a form cannot show, such as references")

// ReadForm reads the form from a text of one automation. It returns an error for a text
// that a form cannot show, with references, tags or unknown fields.
func ReadForm(text string) (Form, error) {
	root, err := oneEntry(text)
	if err != nil {
		return Form{}, err
	}
	return readForm(root)
}

func readForm(root *yaml.Node) (f Form, err error) {
	if !plainNode(root) || root.Kind != yaml.MappingNode || !slices.Equal(slices.Compact(slices.Sorted(slices.Values(keysOf(root)))), slices.Sorted(slices.Values(keysOf(root)))) {
		return f, errNoForm
	}
	f = Form{Top: FormValues{}, Milestone: FormValues{}}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i].Value, root.Content[i+1]
		switch {
		case isNull(value):
		case key == "milestone" && value.Kind == yaml.MappingNode:
			err = readValues(f.Milestone, "", value, milestoneFields)
		case key == "do" && value.Kind == yaml.SequenceNode:
			f.Actions, err = readActions(value)
		case slices.Contains(formTop, key) && value.Kind == yaml.ScalarNode:
			f.Top[key] = FormValue{Text: value.Value}
		case key != "state" && key != "enabled":
			err = errNoForm
		}
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// plainNode reports whether a node and everything in it have no references and no explicit
// tags.
func plainNode(n *yaml.Node) bool {
	return n.Kind != yaml.AliasNode && n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 && n.Tag != "!!merge" &&
		!slices.ContainsFunc(n.Content, func(in *yaml.Node) bool { return !plainNode(in) })
}

func readActions(list *yaml.Node) (all []FormAction, err error) {
	for i, entry := range list.Content {
		if entry.Kind != yaml.MappingNode || len(entry.Content) != 2 {
			return nil, errNoForm
		}
		act := FormAction{Was: i + 1, Type: entry.Content[0].Value, Values: FormValues{}}
		known, ok := actionTypes[act.Type]
		switch body := entry.Content[1]; {
		case !ok:
			return nil, errNoForm
		case isNull(body):
		case body.Kind != yaml.MappingNode:
			return nil, errNoForm
		default:
			if err := readValues(act.Values, act.Type, body, known.fields); err != nil {
				return nil, err
			}
		}
		all = append(all, act)
	}
	return all, nil
}

func readValues(values FormValues, action string, body *yaml.Node, known []string) error {
	for i := 0; i+1 < len(body.Content); i += 2 {
		key, value := body.Content[i].Value, body.Content[i+1]
		_, twice := values[key]
		switch {
		case twice || !slices.Contains(known, key):
			return errNoForm
		case isNull(value):
		case action == "request" && key == "fields":
			if value.Kind != yaml.MappingNode || !readTree(values, fieldsOfCall, value) {
				return errNoForm
			}
		default:
			values[key] = readValue(KindOfField(action, key, nil), value)
		}
	}
	return nil
}

// readTree reads the fields of an operation. Fields within an object have its path in their
// name.
func readTree(values FormValues, at string, node *yaml.Node) bool {
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i].Value, node.Content[i+1]
		if _, twice := values[at+key]; twice || key == "" || strings.Contains(key, ".") {
			return false
		}
		switch {
		case value.Kind == yaml.MappingNode && len(value.Content) > 0:
			if !readTree(values, at+key+".", value) {
				return false
			}
		case value.Kind == yaml.ScalarNode:
			values[at+key] = readValue(FieldText, value)
		case value.Kind == yaml.SequenceNode && !slices.ContainsFunc(value.Content, func(n *yaml.Node) bool { return n.Tag != "!!str" }):
			values[at+key] = readValue(FieldList, value)
		default:
			values[at+key] = readValue(FieldYAML, value)
		}
	}
	return true
}

// readValue reads the value of a field of a kind; as YAML if it has another form.
func readValue(kind FieldKind, node *yaml.Node) FormValue {
	isText := func(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && !isNull(n) }
	switch {
	case (kind == FieldText || kind == FieldFlag) && isText(node):
		return FormValue{Text: node.Value}
	case kind == FieldList && isText(node):
		return FormValue{List: []string{node.Value}}
	case kind == FieldList && node.Kind == yaml.SequenceNode && !slices.ContainsFunc(node.Content, func(n *yaml.Node) bool { return !isText(n) }):
		v := FormValue{List: []string{}}
		for _, n := range node.Content {
			v.List = append(v.List, n.Value)
		}
		return v
	case kind == FieldTable && node.Kind == yaml.MappingNode && !slices.ContainsFunc(node.Content, func(n *yaml.Node) bool { return !isText(n) }):
		v := FormValue{Table: []FormPair{}}
		for i := 0; i+1 < len(node.Content); i += 2 {
			v.Table = append(v.Table, FormPair{node.Content[i].Value, node.Content[i+1].Value})
		}
		return v
	}
	return FormValue{YAML: flowText(node)}
}

// flowText writes a node in one line, without its comments.
func flowText(node *yaml.Node) string {
	text, err := encode(bare(node))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(text)
}

// bare returns a copy of a node without comments, in flow style.
func bare(n *yaml.Node) *yaml.Node {
	made := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Style: n.Style}
	switch {
	case n.Kind != yaml.ScalarNode:
		made.Style = yaml.FlowStyle
	case strings.Contains(n.Value, "\n"):
		made.Style = yaml.DoubleQuotedStyle
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		made.Style = 0
	}
	for _, in := range n.Content {
		made.Content = append(made.Content, bare(in))
	}
	return made
}

func encode(node *yaml.Node) (string, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	err := encoder.Encode(node)
	return out.String(), errors.Join(err, encoder.Close())
}

// equal reports whether two values mean the same.
func (v FormValue) equal(w FormValue) bool {
	return v.Text == w.Text && v.YAML == w.YAML && slices.Equal(v.List, w.List) && slices.Equal(v.Table, w.Table)
}

func (all FormValues) equal(other FormValues) bool {
	return maps.EqualFunc(all, other, FormValue.equal)
}

// Equal reports whether two forms mean the same.
func (f Form) Equal(g Form) bool {
	return f.Top.equal(g.Top) && f.Milestone.equal(g.Milestone) &&
		slices.EqualFunc(f.Actions, g.Actions, func(a, b FormAction) bool { return a.Type == b.Type && a.Values.equal(b.Values) })
}

// Text writes the form into the text from which it was read; "" = a new text. Anything that
// the form does not change keeps its comments and order. It returns an error for a form
// that cannot be written, such as one with invalid YAML.
func (f Form) Text(base string) (string, error) {
	if strings.TrimSpace(base) == "" {
		base = "- {}\n"
	}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(base), &document); err != nil {
		return "", err
	}
	root, err := oneEntry(base)
	if err != nil {
		return "", err
	}
	was, err := readForm(root)
	if err != nil {
		return "", err
	}
	if f.Equal(was) && inOrder(f.Actions) {
		return base, nil
	}
	root = document.Content[0].Content[0]
	if len(root.Content) == 0 {
		root.Style = 0
	}
	if err := f.write(root, was); err != nil {
		return "", err
	}
	text, err := encode(&document)
	if err != nil {
		return "", err
	}
	if now, err := ReadForm(text); err != nil || !now.Equal(f) {
		return "", fmt.Errorf("the form cannot be written as YAML: %w", cmp.Or(err, errors.New("a value would change; edit it as YAML")))
	}
	return text, nil
}

// inOrder reports whether no action has moved.
func inOrder(all []FormAction) bool {
	for i, act := range all {
		if act.Was != i+1 {
			return false
		}
	}
	return true
}

func (f Form) write(root *yaml.Node, was Form) error {
	if err := writeValues(root, "", f.Top, was.Top, topFields); err != nil {
		return err
	}
	milestone := oneKey(root, "milestone")
	switch {
	case len(f.Milestone) == 0 && len(was.Milestone) > 0:
		setKey(root, "milestone", nil, topFields)
	case len(f.Milestone) > 0 && len(was.Milestone) == 0:
		milestone = &yaml.Node{Kind: yaml.MappingNode}
		setKey(root, "milestone", milestone, topFields)
	}
	if len(f.Milestone) > 0 {
		if err := writeValues(milestone, "", f.Milestone, was.Milestone, milestoneFields); err != nil {
			return err
		}
	}
	return f.writeActions(root, was)
}

func (f Form) writeActions(root *yaml.Node, was Form) error {
	list := oneKey(root, "do")
	if list == nil || list.Kind != yaml.SequenceNode {
		list = &yaml.Node{Kind: yaml.SequenceNode}
		if len(f.Actions) > 0 {
			setKey(root, "do", list, topFields)
		}
	}
	before := slices.Clone(list.Content)
	list.Content = nil
	for _, act := range f.Actions {
		var entry *yaml.Node
		old := FormValues{}
		if i := act.Was - 1; i >= 0 && i < len(before) && before[i] != nil && was.Actions[i].Type == act.Type {
			entry, old, before[i] = before[i], was.Actions[i].Values, nil
		}
		if entry == nil {
			entry = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{textNode(act.Type), {Kind: yaml.MappingNode}}}
		}
		body := entry.Content[1]
		if body.Kind != yaml.MappingNode { // the action was empty
			body = &yaml.Node{Kind: yaml.MappingNode}
			entry.Content[1] = body
		}
		if err := writeValues(body, act.Type, act.Values, old, writingOrder(act.Type)); err != nil {
			return err
		}
		if len(body.Content) == 0 {
			body.Style = yaml.FlowStyle
		}
		list.Content = append(list.Content, entry)
	}
	return nil
}

// writingOrder returns the order in which people write the fields of an action.
func writingOrder(action string) []string {
	fields := actionTypes[action].fields
	if at := slices.Index(fields, "title"); at > 0 {
		return slices.Concat([]string{"title"}, fields[:at], fields[at+1:])
	}
	return fields
}

// writeValues changes those fields of a mapping that differ.
func writeValues(body *yaml.Node, action string, values, was FormValues, order []string) error {
	for _, field := range slices.Sorted(maps.Keys(was)) {
		if _, still := values[field]; !still {
			setPath(body, pathOfField(action, field), nil, order)
		}
	}
	for _, field := range slices.SortedFunc(maps.Keys(values), func(a, b string) int { // in the order of writingOrder
		return cmp.Or(slices.Index(order, a)-slices.Index(order, b), strings.Compare(a, b))
	}) {
		value := values[field]
		if old, there := was[field]; there && old.equal(value) {
			continue
		}
		node, err := value.node(action, field, values)
		if err != nil {
			return err
		}
		setPath(body, pathOfField(action, field), node, order)
	}
	return nil
}

func pathOfField(action, field string) []string {
	if action == "request" && strings.HasPrefix(field, fieldsOfCall) {
		return strings.Split(field, ".")
	}
	return []string{field}
}

// setPath sets a value in nested mappings, or removes it if node is nil.
func setPath(body *yaml.Node, path []string, node *yaml.Node, order []string) {
	if len(path) == 1 {
		setKey(body, path[0], node, order)
		return
	}
	in := oneKey(body, path[0])
	if in == nil || in.Kind != yaml.MappingNode {
		if node == nil {
			return
		}
		in = &yaml.Node{Kind: yaml.MappingNode}
		setKey(body, path[0], in, order)
	}
	setPath(in, path[1:], node, nil)
	if len(in.Content) == 0 {
		setKey(body, path[0], nil, order)
	}
}

// setKey sets the value of a key, or removes it if node is nil. A new key is inserted in
// the given order. Comments next to a value stay.
func setKey(body *yaml.Node, key string, node *yaml.Node, order []string) {
	at := len(body.Content)
	for i := 0; i+1 < len(body.Content); i += 2 {
		name := body.Content[i].Value
		if name == key {
			if node == nil {
				body.Content = slices.Delete(body.Content, i, i+2)
				return
			}
			old := body.Content[i+1]
			node.HeadComment, node.LineComment, node.FootComment = old.HeadComment, old.LineComment, old.FootComment
			body.Content[i+1] = node
			return
		}
		if at == len(body.Content) && slices.Index(order, name) > slices.Index(order, key) {
			at = i
		}
	}
	if node != nil {
		body.Content = slices.Insert(body.Content, at, textNode(key), node)
	}
}

// node returns the YAML of a value.
func (v FormValue) node(action, field string, values FormValues) (*yaml.Node, error) {
	switch {
	case v.YAML != "":
		var document yaml.Node
		if err := yaml.Unmarshal([]byte(v.YAML), &document); err != nil || len(document.Content) != 1 || !plainNode(document.Content[0]) {
			return nil, &FormError{field, "this is not YAML that a form can show; write for example { name: value } or [first, second]"}
		}
		return document.Content[0], nil
	case v.List != nil:
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, text := range v.List {
			list.Content = append(list.Content, textNode(text))
		}
		return list, nil
	case v.Table != nil:
		table := &yaml.Node{Kind: yaml.MappingNode}
		for _, p := range v.Table {
			table.Content = append(table.Content, textNode(p.Key), textNode(p.Value))
		}
		if len(v.Table) == 0 {
			table.Style = yaml.FlowStyle
		}
		return table, nil
	}
	node := textNode(v.Text)
	name, ofCall := strings.CutPrefix(field, fieldsOfCall)
	plain := KindOfField(action, field, values) == FieldFlag
	if f, ok := CallField(values["operation"].Text, name); ofCall && ok {
		plain = f.Type == catalog.Number || f.Type == catalog.Boolean
	}
	if plain && plainValue.MatchString(v.Text) {
		node.Tag, node.Style = "", 0
	}
	return node, nil
}

// FormError is a value of a form that cannot be written.
type FormError struct{ Field, Message string }

func (e *FormError) Error() string { return e.Field + ": " + e.Message }

var (
	plainValue = regexp.MustCompile(`^(true|false|-?(0|[1-9][0-9]{0,15})(\.[0-9]+)?)$`)
	plainText  = regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}_. @/()+-]*$`)
)

// textNode returns a text node, in quotes if YAML could misread it.
func textNode(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	switch {
	case plainText.MatchString(text) && !strings.HasSuffix(text, " "), plainDuration.MatchString(text):
	case strings.Contains(text, "\n") && !strings.Contains(text, "\r"):
		n.Style = yaml.LiteralStyle
	case strings.Contains(text, `"`) && !strings.Contains(text, "'"):
		n.Style = yaml.SingleQuotedStyle
	default:
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// plainDuration matches a duration such as 1d or 1h30m, which YAML reads as a text.
var plainDuration = regexp.MustCompile(`^([0-9]+[wdhms])+$`)

// Place is the place of a mistake in a form.
type Place struct {
	Action int    // from 1; 0 = not in an action
	Field  string // of the action, or name, on, if, milestone.date, do
}

// PlaceOf returns where a mistake in a text is in the text's form.
func PlaceOf(text string, m Mistake) Place {
	root, err := oneEntry(text)
	var list *yaml.Node
	if err == nil {
		list = oneKey(root, "do")
	}
	name, field, inside := strings.Cut(m.Field, ".")
	if list == nil || name == "milestone" || slices.Contains(formTop, name) {
		return Place{0, m.Field}
	}
	found := Place{0, m.Field}
	for i, entry := range list.Content {
		if len(entry.Content) == 2 && entry.Line <= m.Line && (found.Action == 0 || entry.Line > list.Content[found.Action-1].Line) &&
			(name == "do" || name == entry.Content[0].Value) {
			found = Place{i + 1, field}
			if !inside {
				found.Field = ""
			}
		}
	}
	return found
}

// IDOf returns the id that an automation gets from its name; "" = the name has no letters
// or digits.
func IDOf(name string) string { return slug(name) }

// CopyOf returns the text of one automation under another name, with an unused id. The copy
// is on.
func CopyOf(text string, taken map[string]bool) (string, error) {
	f, err := ReadForm(text)
	if err != nil {
		return "", err
	}
	name := oneLine(f.Top["name"].Text)
	for n := 1; n == 1 || taken[f.Top["id"].Text]; n++ {
		suffix := " (copy)"
		if n > 1 {
			suffix = fmt.Sprintf(" (copy %d)", n)
		}
		short := []rune(name)
		copied := strings.TrimSpace(string(short[:min(len(short), longestName-len(suffix))])) + suffix
		f.Top["name"], f.Top["id"] = FormValue{Text: copied}, FormValue{Text: slug(copied)}
	}
	if text, err = f.Text(text); err != nil {
		return "", err
	}
	return WithState(text, StateOn)
}

// SetYAML sets a field from a YAML text. If the field's kind can show the value, it is
// stored in that kind.
func (all FormValues) SetYAML(action, field, text string) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil || len(document.Content) != 1 || !plainNode(document.Content[0]) {
		all[field] = FormValue{YAML: text} // Text reports the mistake
		return
	}
	node := document.Content[0]
	if action == "request" && strings.HasPrefix(field, fieldsOfCall) {
		at := strings.LastIndexByte(field, '.') + 1
		if readTree(all, field[:at], &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{textNode(field[at:]), node}}) {
			return
		}
	}
	all[field] = readValue(KindOfField(action, field, all), node)
}

// AsYAML writes the value in one line, for fields that cannot show it in another way.
func (v FormValue) AsYAML() string {
	node, err := v.node("", "", nil)
	if err != nil {
		return ""
	}
	return flowText(node)
}
