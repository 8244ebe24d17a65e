package mapping

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/parser"
	"go.yaml.in/yaml/v3"
)

// fields reads one YAML mapping and collects its mistakes. A field without a value counts
// as missing.
type fields struct {
	*mistakes
	prefix string // "event." before the names in mistakes
	line   int
	scope  scope // what the expressions in it may use
	keys   []string
	values map[string]*yaml.Node
	bad    map[string]bool // what is wrong with these is said already

	flow  bool                  // they are in braces
	named map[string]*yaml.Node // the names
}

// isBad keeps the other checks of a field quiet.
func (f *fields) isBad(name string) {
	if f.bad == nil {
		f.bad = map[string]bool{}
	}
	f.bad[name] = true
}

// fieldsOf reads a node as a mapping that may have these keys. It returns nil if the node
// is not a mapping. A missing node is an empty mapping.
func fieldsOf(m *mistakes, prefix string, node *yaml.Node, s scope, allowed ...string) *fields {
	f := openFields(m, prefix, node)
	if f == nil {
		return nil
	}
	f.scope = s
	for _, key := range f.keys {
		if !slices.Contains(allowed, key) {
			f.unknownField(key, allowed)
		}
	}
	for key, v := range f.values {
		if isNull(v) {
			f.cutToNothing(key, v)
			delete(f.values, key)
		}
	}
	return f
}

// cutToNothing notes a value that YAML takes for a comment: add: #vip.
func (f *fields) cutToNothing(key string, v *yaml.Node) {
	if as := f.named[key]; as != nil && cutOff.MatchString(as.LineComment) {
		f.never(v.Line, f.prefix+key, "%s", commentTrap(key, &yaml.Node{LineComment: as.LineComment}))
		f.isBad(key)
	}
}

// unknownField notes a field that does not exist. The one that was meant is not missing as
// well.
func (f *fields) unknownField(key string, allowed []string) {
	name, v, line := strings.TrimSuffix(f.prefix, "."), f.values[key], f.named[key].Line
	if before := slices.Index(f.keys, key) - 1; isNull(v) && before >= 0 && durationForm.MatchString(key) {
		list := f.keys[before]
		f.add(line, name, "%q is no field; put a list in brackets: %s: [%s, %s]", key, list, f.values[list].Value, key)
		return
	} else if _, known := meantName(key, allowed); isNull(v) && before >= 0 && f.flow && !known {
		text := f.keys[before]
		f.add(line, name, "%s is no field; a text with a comma needs quotes: %s: %s", quoteShort(key), text, inQuotes(f.values[text].Value+", "+key))
		return
	}
	f.add(line, name, "%v", unknown("field", key, allowed))
	if meant, ok := meantName(key, allowed); ok && f.values[meant] == nil {
		f.values[meant] = v
		f.isBad(meant)
	}
}

// openFields reads a node as a mapping with any keys.
func openFields(m *mistakes, prefix string, node *yaml.Node) *fields {
	name := strings.TrimSuffix(prefix, ".")
	f := &fields{mistakes: m, prefix: prefix, line: node.Line, flow: node.Style&yaml.FlowStyle != 0, values: map[string]*yaml.Node{}, named: map[string]*yaml.Node{}}
	if isNull(node) {
		return f
	}
	if node.Kind != yaml.MappingNode {
		m.add(node.Line, name, "must be a list of fields (name: value), this is %s", describe(node))
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch _, twice := f.values[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			m.add(key.Line, name, "the name of a field must be text, this is %s", describe(key))
		case twice:
			m.add(key.Line, prefix+key.Value, "is there twice")
		default:
			f.keys = append(f.keys, key.Value)
			f.named[key.Value] = key
			f.values[key.Value] = value
		}
	}
	return f
}

func isNull(n *yaml.Node) bool {
	return n.Kind == 0 || n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a list of fields"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "a reference (*" + n.Value + "), which is not supported"
	}
	if isNull(n) {
		return "empty"
	}
	return "the value " + quoteShort(n.Value)
}

func (f *fields) has(name string) bool { return f.values[name] != nil }

// wrong notes a mistake in the field.
func (f *fields) wrong(name, format string, args ...any) {
	if f.bad[name] {
		return
	}
	line := f.line
	if v := f.values[name]; v != nil {
		line = v.Line
		if as := f.named[name]; as != nil && v.Kind != yaml.ScalarNode {
			line = as.Line
		}
	}
	f.add(line, f.prefix+name, format, args...)
}

// required notes a mistake if the field is missing.
func (f *fields) required(name string) {
	if !f.has(name) {
		f.wrong(name, "is required")
	}
}

// text reads a text, number or boolean as written; "" if the field is missing.
func (f *fields) text(name string) string {
	v := f.values[name]
	if v == nil || f.bad[name] {
		return ""
	}
	said := trap(name, v)
	if said == "" && v.Kind != yaml.ScalarNode {
		said = "must be text, this is " + describe(v)
	}
	if said != "" {
		f.wrong(name, "%s", said)
		f.isBad(name)
		return ""
	}
	return v.Value
}

// flag reads true or false.
func (f *fields) flag(name string, otherwise bool) bool {
	v := f.values[name]
	switch {
	case v == nil:
		return otherwise
	case v.Kind == yaml.ScalarNode && v.Tag == "!!bool" && strings.EqualFold(v.Value, "true"):
		return true
	case v.Kind == yaml.ScalarNode && v.Tag == "!!bool" && strings.EqualFold(v.Value, "false"):
		return false
	}
	f.wrong(name, "must be true or false, this is %s", describe(v))
	return otherwise
}

// list reads a list; a single value is a list of one.
func (f *fields) list(name string) []*yaml.Node {
	v := f.values[name]
	if v != nil && v.Kind != yaml.ScalarNode && v.Kind != yaml.SequenceNode {
		f.wrong(name, "must be a list, this is %s", describe(v))
		return nil
	}
	return entriesOf(v)
}

// entriesOf returns the entries of a list; a single value is a list of one.
func entriesOf(v *yaml.Node) []*yaml.Node {
	switch {
	case v == nil:
		return nil
	case v.Kind == yaml.SequenceNode:
		return v.Content
	}
	return []*yaml.Node{v}
}

// mostWords limits a list of texts.
const mostWords = 200

// words reads a list of texts.
func (f *fields) words(name string) (words []*yaml.Node) {
	list := f.list(name)
	if len(list) > mostWords {
		f.wrong(name, "has %d entries; the most are %d", len(list), mostWords)
		return nil
	}
	for _, v := range list {
		if said := trap(name, v); said != "" {
			f.add(v.Line, f.prefix+name, "%s", said)
			continue
		}
		if v.Kind != yaml.ScalarNode || isNull(v) {
			f.add(v.Line, f.prefix+name, "must be a list of texts, in it is %s", describe(v))
			continue
		}
		words = append(words, v)
	}
	return words
}

// table reads a mapping of text to text. Its keys are in lower case, with one space between
// words.
func (f *fields) table(name string) map[string]string {
	v := f.values[name]
	if v == nil {
		return nil
	}
	entries := openFields(f.mistakes, f.prefix+name+".", v)
	if entries == nil {
		return nil
	}
	table := make(map[string]string, len(entries.keys))
	for _, key := range entries.keys {
		folded := foldWords(key)
		if isNull(entries.values[key]) {
			entries.wrong(key, "is empty")
			continue
		}
		value := oneLine(entries.text(key))
		switch _, twice := table[folded]; {
		case folded == "", value == "":
			entries.wrong(key, "is empty")
		case twice:
			entries.wrong(key, "is there twice (upper and lower case are the same)")
		default:
			table[folded] = value
		}
	}
	return table
}

// duration reads a duration such as 30m.
func (f *fields) duration(name, otherwise string) time.Duration {
	text := otherwise
	if f.has(name) {
		text = f.text(name)
	}
	d, err := parseDuration(text)
	if err != nil {
		f.wrong(name, "%v", err)
	}
	return d
}

// durations reads a list of durations, sorted from the longest, without duplicates.
func (f *fields) durations(name string) (all []time.Duration) {
	for _, v := range f.words(name) {
		d, err := parseDuration(v.Value)
		if err != nil {
			f.add(v.Line, f.prefix+name, "%v", err)
			continue
		}
		all = append(all, d)
	}
	slices.Sort(all)
	slices.Reverse(all)
	return slices.Compact(all)
}

// clock reads a time of day as the time since midnight.
func (f *fields) clock(name, otherwise string) time.Duration {
	text := otherwise
	if f.has(name) {
		text = f.text(name)
	}
	d, err := parseClock(text)
	if err != nil {
		hint := ""
		if hour, err := parseClock(text + ":00"); err == nil {
			hint = fmt.Sprintf("; did you mean \"%02d:00\"?", int(hour.Hours()))
		}
		f.wrong(name, "%s is not a time of day; expected one from 00:00 to 23:59%s", quoteShort(text), hint)
	}
	return d
}

// template compiles a field with holes. A missing field gets the default; without a default
// it is an empty text.
func (f *fields) template(name, otherwise string) *template {
	if v := f.values[name]; v != nil && v.Kind == yaml.ScalarNode {
		return f.compile(name, v)
	} else if v != nil {
		f.wrong(name, "%s", cmp.Or(trap(name, v), "must be text, this is "+describe(v)))
		return &template{}
	}
	t, err := compileTemplate(otherwise, f.scope)
	if err != nil {
		f.wrong(name, "%v", err)
		return &template{}
	}
	return t
}

// templateFrom is template with a default that reads a record, because not every trigger
// has that record.
func (f *fields) templateFrom(record, name, otherwise string) *template {
	if !f.has(name) && !f.scope.has(record) {
		f.wrong(name, "is required with on: %s", f.scope.trigger)
		return &template{}
	}
	return f.template(name, otherwise)
}

// templates compiles a list of fields with holes.
func (f *fields) templates(name string, otherwise ...string) (all []*template) {
	if !f.has(name) {
		for _, text := range otherwise {
			all = append(all, f.template(name, text))
		}
		return all
	}
	for _, v := range f.words(name) {
		all = append(all, f.compile(name, v))
	}
	return all
}

func (f *fields) compile(name string, v *yaml.Node) *template {
	if said := trap(name, v); said != "" {
		f.add(v.Line, f.prefix+name, "%s", said)
		return &template{}
	}
	t, err := compileTemplate(v.Value, f.scope)
	if err != nil {
		f.expressionWrong(name, v, err)
		return &template{}
	}
	f.refer(name, v, t.names)
	f.doubted(name, v, t.doubts)
	if v.Style == 0 && v.Value != "" && cutOff.MatchString(v.LineComment) {
		f.never(v.Line, f.prefix+name, "%s. If it is a comment, write a blank after the #", commentTrap(name, v))
	}
	f.meantAsHole(name, v, t)
	return t
}

var (
	// singleBraces finds what was meant as a hole: { contact.name }.
	singleBraces = regexp.MustCompile(`\{\s*(\w+)\.\w+\s*\}`)
	// otherMarks finds the holes of other tools: [[contact.name]], %contact.name%, <contact.name>.
	otherMarks = regexp.MustCompile(`(?:\[\[|%|<|\{%|\(\()\s*((\w+)\.\w+)\s*(?:\]\]|%\}?|>|\)\))`)
	// cutOff is a comment that was meant as text: Lot #5, Lot #{{ contact.lot }}.
	cutOff = regexp.MustCompile(`^#[^\s#!-]|^#[^ ].*\{\{`)
	// bareField is a text that is only the name of a field.
	bareField = regexp.MustCompile(`^\s*((\w+)\.[a-z]\w*)\s*$`)
)

// meantAsHole notes a text that names a field without {{ }}.
func (f *fields) meantAsHole(name string, v *yaml.Node, t *template) {
	for _, p := range t.parts {
		if m := singleBraces.FindStringSubmatch(p.text); m != nil && f.scope.has(m[1]) {
			f.never(v.Line, f.prefix+name, "%s has single braces; write {%s}", m[0], m[0])
		} else if m := otherMarks.FindStringSubmatch(p.text); m != nil && f.scope.has(m[2]) {
			f.never(v.Line, f.prefix+name, "%s is not filled in; write {{ %s }}", m[0], m[1])
		}
	}
	if text, ok := t.literal(); ok {
		if m := bareField.FindStringSubmatch(text); m != nil && f.scope.has(m[2]) {
			f.never(v.Line, f.prefix+name, "is the text %q itself, not the field; write {{ %s }}", m[1], m[1])
			f.isBad(name)
		}
	}
}

// condition compiles a field that is true or false; nil if there is none.
func (f *fields) condition(name string) *condition {
	c := compiled(f, name, compileCondition)
	if c != nil {
		f.refer(name, f.values[name], c.names)
		f.doubted(name, f.values[name], c.doubts)
	}
	return c
}

// expression compiles a field that is an expression without braces; nil if there is none.
func (f *fields) expression(name string) *expression {
	e := compiled(f, name, func(source string, s scope) (*expression, error) {
		if strings.Contains(source, "{{") {
			return nil, &expressionError{1, quoteShort(source) + " is an expression already, write it without braces"}
		}
		return compileExpression(source, s)
	})
	if e != nil {
		f.refer(name, f.values[name], e.names)
		f.doubted(name, f.values[name], e.doubts)
	}
	return e
}

func compiled[T any](f *fields, name string, compile func(string, scope) (*T, error)) *T {
	v := f.values[name]
	if v == nil {
		return nil
	}
	if said := trap(name, v); said != "" {
		f.wrong(name, "%s", said)
		return nil
	}
	if v.Kind != yaml.ScalarNode {
		f.wrong(name, "must be an expression, this is %s", describe(v))
		return nil
	}
	e, err := compile(v.Value, f.scope)
	if err == nil {
		return e
	}
	if _, whole := parser.Parse(v.Value + " " + v.LineComment); whole == nil && v.LineComment != "" {
		f.wrong(name, "%s", commentTrap(name, v))
	} else {
		f.expressionWrong(name, v, err)
	}
	return nil
}

// expressionWrong notes a mistake at its own line in an expression. The text of a block (|)
// begins one line later.
func (f *fields) expressionWrong(name string, v *yaml.Node, err error) {
	f.add(lineOf(v, err), f.prefix+name, "%v", err)
}

// doubted notes what fails whenever an expression is evaluated.
func (f *fields) doubted(name string, v *yaml.Node, doubts []*expressionError) {
	for _, d := range doubts {
		f.never(lineOf(v, d), f.prefix+name, "%v", d)
	}
}

func lineOf(v *yaml.Node, err error) int {
	var at *expressionError
	if errors.As(err, &at) && v.Style&yaml.LiteralStyle != 0 {
		return v.Line + at.line
	}
	return v.Line
}
