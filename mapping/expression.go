package mapping

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
)

// Operators write expressions over texts that anybody may have typed into HighLevel. So no
// expression may run long or need much memory. The language leaves out everything that
// could loop or grow without limit.
const (
	longestExpression = 4000 // characters
	mostNodes         = 500
	memoryBudget      = 100_000 // elements
)

// scope is the names that expressions of one trigger may use.
type scope struct {
	trigger Trigger
	names   types.Map
}

// records are the fields of all records except the contact, whose custom fields differ by
// location.
var records = map[string]types.Map{
	"task": {
		"id": types.String, "title": types.String, "body": types.String, "due": types.Any,
		"completed": types.Bool, "assigned_to": types.String,
	},
	"note": {
		"id": types.String, "title": types.String, "body": types.String, "date_added": types.Any, "user_id": types.String,
	},
	"workflow": {
		"id": types.String, "name": types.String, "fields": types.TypeOf(map[string]any{}), "tags": types.TypeOf([]string{}),
	},
	"milestone": {"name": types.String, "date": types.Any},
	"meeting": {
		"id": types.String, "title": types.String, "state": types.String, "start": types.Any, "end": types.Any, "type": types.String,
		"emails": types.TypeOf([]string{}), "ours": types.Bool, "automation": types.String,
	},
	"calendarhero_contact": {
		"id": types.String, "name": types.String, "first_name": types.String, "last_name": types.String,
		"email": types.String, "emails": types.TypeOf([]string{}), "phone": types.String, "phones": types.TypeOf([]string{}),
		"company_name": types.String, "job_title": types.String,
	},
	"appointment": {
		"id": types.String, "title": types.String, "status": types.String, "calendar": types.String, "calendar_id": types.String,
		"start": types.Any, "end": types.Any, "assigned_to": types.String, "address": types.String, "notes": types.String, "date_added": types.Any,
	},
	"opportunity": {
		"id": types.String, "name": types.String, "pipeline": types.String, "pipeline_id": types.String, "stage": types.String, "stage_id": types.String,
		"status": types.String, "value": types.Any, "assigned_to": types.String, "source": types.String,
		"stage_changed_at": types.Any, "status_changed_at": types.Any, "date_added": types.Any,
		types.Extra: types.Any, // its custom fields, by key
	},
	"location": {"id": types.String, "name": types.String, "timezone": types.String},
}

func scopeOf(t Trigger) scope { return scopeFor(t, t.Kind()) }

// scopeFor returns what the expressions of an automation for records of a kind may use.
func scopeFor(t Trigger, kind Kind) scope {
	names := maps.Clone(dateFunctions)
	names["contact"], names["location"] = types.TypeOf(map[string]any{}), records["location"]
	switch {
	case kind == KindTask, kind == KindNote, kind == KindAppointment, kind == KindOpportunity:
		names[string(kind)] = records[string(kind)]
	case kind == KindMeeting:
		names["meeting"], names["task"] = records["meeting"], records["task"]
	case kind == KindCalendarContact:
		delete(names, "contact") // of HighLevel
		names["calendarhero_contact"] = records["calendarhero_contact"]
	case kind == KindWorkflow:
		names["workflow"], names["custom_data"] = records["workflow"], types.TypeOf(map[string]any{})
	}
	if t == MilestoneChanged || t == MilestoneApproaching {
		names["milestone"] = records["milestone"]
	}
	return scope{t, names}
}

func (s scope) has(name string) bool { _, ok := s.names[name]; return ok }

// expression is a compiled expression; safe for concurrent use.
type expression struct {
	program *vm.Program
	reads   reads
	names   []mention          // names in it, by line from 1
	doubts  []*expressionError // what fails whenever it is evaluated
	cost    cost
}

// expressionError is a mistake in an expression, with the line in it from 1.
type expressionError struct {
	line    int
	message string
}

func (e *expressionError) Error() string { return e.message }

// compileExpression compiles an expression. Its errors are *expressionError.
func compileExpression(source string, s scope, options ...expr.Option) (*expression, error) {
	if len(source) > longestExpression {
		return nil, &expressionError{1, fmt.Sprintf("the expression is longer than %d characters", longestExpression)}
	}
	if strings.TrimSpace(source) == "" {
		return nil, &expressionError{1, "the expression is empty"}
	}
	r := reader{scope: s, source: source}
	options = append(options, language()...)
	program, err := expr.Compile(source, append(options, expr.Env(s.names), expr.Patch(&r))...)
	if r.mistake != nil {
		return nil, r.mistake
	}
	if err != nil && len(r.doubts) > 0 { // it says better what is wrong
		return nil, r.doubts[0]
	}
	if err != nil {
		return nil, compileError(source, err)
	}
	return &expression{program, r.found(), r.names, r.doubts, costOf(source)}, nil
}

// eval never panics: an error at run time is an error for people.
func (e *expression) eval(env map[string]any) (any, error) {
	if err := e.cost.check(env); err != nil {
		return nil, err
	}
	machine := vm.VM{MemoryBudget: memoryBudget}
	v, err := machine.Run(e.program, env)
	if err == nil {
		return v, nil
	}
	message, _, _ := strings.Cut(err.Error(), "\n")
	var at *file.Error
	if errors.As(err, &at) {
		message = at.Message
	}
	if strings.Contains(message, "nil") {
		message += ` (a field without a value is nil: test it with != nil, or give another value with ??)`
	}
	return nil, errors.New(message)
}

// holds evaluates a condition.
func (e *expression) holds(env map[string]any) (bool, error) {
	v, err := e.eval(env)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("the condition gave %s in place of true or false", quoteShort(printed(v)))
	}
	return b, nil
}

// builtins are the functions of expr that need no clock, always give the same answer
// (unlike keys and values), and return nothing larger than their input.
var builtins = []string{
	"all", "none", "any", "one", "filter", "map", "find", "count", "sum",
	"len", "abs", "ceil", "floor", "round", "int", "float", "min", "max",
	"trim", "trimPrefix", "trimSuffix", "upper", "lower", "indexOf", "lastIndexOf", "hasPrefix", "hasSuffix",
	"first", "last", "take", "reverse", "uniq", "sort",
}

func language() []expr.Option {
	options := []expr.Option{expr.DisableAllBuiltins(), expr.MaxNodes(mostNodes)}
	for _, name := range builtins {
		options = append(options, expr.EnableBuiltin(name))
	}
	return append(options,
		expr.Function("string", func(args ...any) (any, error) { return printed(args[0]), nil }, new(func(any) string)),
		expr.Function("split", splitText, new(func(any, string) []string)),
		expr.Function("join", joinTexts, new(func(any, string) string), new(func(any) string)),
		expr.Function("replace", replaceText, new(func(any, string, string) string)),
		expr.Function("empty", isEmpty, new(func(any) bool)),
	)
}

// These limit the results of split, join and replace, which multiply their input and can be
// nested.
const (
	mostParts   = 1000
	longestText = 1 << 16 // bytes
)

func splitText(args ...any) (any, error) {
	parts := strings.SplitN(printed(args[0]), args[1].(string), mostParts+1)
	if len(parts) > mostParts {
		return nil, fmt.Errorf("split gives more than %d parts", mostParts)
	}
	return parts, nil
}

func joinTexts(args ...any) (any, error) {
	separator := ""
	if len(args) > 1 {
		separator = args[1].(string)
	}
	size := 0
	parts := texts(args[0])
	for _, p := range parts {
		if size += len(p) + len(separator); size > longestText {
			return nil, fmt.Errorf("join gives more than %d characters", longestText)
		}
	}
	return strings.Join(parts, separator), nil
}

func replaceText(args ...any) (any, error) {
	text, from, to := printed(args[0]), args[1].(string), args[2].(string)
	if len(text)+strings.Count(text, from)*max(0, len(to)-len(from)) > longestText {
		return nil, fmt.Errorf("replace gives more than %d characters", longestText)
	}
	return strings.ReplaceAll(text, from, to), nil
}

// reader walks through a parsed expression. It notes the contact fields that are read, and
// finds mistakes that it can explain better than expr.
type reader struct {
	scope       scope
	source      string
	contacts    int       // how often the contact is named
	keys        []string  // its fields that are named, once for each use
	opportunity bool      // a custom field of the opportunity is named
	names       []mention // names that only a location can check
	doubts      []*expressionError
	mistake     *expressionError
}

// found returns what is read. If a contact is passed on as a whole, or a field's name is
// computed, any field may be read.
func (r *reader) found() (out reads) {
	out.opportunity = r.opportunity
	for _, key := range r.keys {
		out.addContactField(key)
	}
	if r.contacts > len(r.keys) {
		out.add(reads{contact: true, custom: true})
	}
	return out
}

// Visit sees every node once, children first.
func (r *reader) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		r.identifier(n)
	case *ast.MemberNode:
		r.member(n)
		r.nested(n)
	case *ast.StringNode:
		if strings.Contains(n.Value, "{{") {
			r.doubt(n, fmt.Sprintf("%s is a fixed text in an expression; write the field without quotes and braces", quoteShort(n.Value)))
		}
	case *ast.CallNode:
		r.fixedArguments(n)
	case *ast.BuiltinNode:
		if !slices.Contains(builtins, n.Name) { // expr has some even when they are disabled
			r.fail(n, unknown("function", n.Name, functions()).Error())
		}
		r.entriesCompared(n)
	case *ast.BinaryNode:
		if n.Operator == ".." {
			r.fail(n, "ranges (..) are not supported")
		}
		r.hyphenated(n)
		r.mistyped(n)
		r.compared(n)
		printsField(n)
	case *ast.VariableDeclaratorNode:
		r.mistake = nil // the function's own name was not known
		r.fail(n, "let is not supported")
	case *ast.SequenceNode:
		r.fail(n, "only one expression is supported, without ;")
	case *ast.PredicateNode:
		// Only nested loops could run without end.
		inner := predicates{}
		ast.Walk(&n.Node, &inner)
		if inner.found {
			r.fail(n, "a function over a list within another one is not supported")
		}
	}
}

type predicates struct{ found bool }

func (p *predicates) Visit(node *ast.Node) {
	if _, ok := (*node).(*ast.PredicateNode); ok {
		p.found = true
	}
}

func (r *reader) identifier(n *ast.IdentifierNode) {
	if n.Value == "contact" {
		r.contacts++
	}
	if r.scope.has(n.Value) || slices.Contains(functions(), n.Value) {
		return
	}
	if _, elsewhere := records[n.Value]; elsewhere || n.Value == "custom_data" || n.Value == "contact" {
		r.fail(n, fmt.Sprintf("%s is not there with %q; known are %s", n.Value, r.scope.trigger, enumerate(sortedNames(r.scope.names))))
		return
	}
	r.fail(n, r.unknownName(n))
}

func (r *reader) member(n *ast.MemberNode) {
	record, ok := n.Node.(*ast.IdentifierNode)
	if !ok {
		return
	}
	key, ok := n.Property.(*ast.StringNode)
	if !ok {
		return
	}
	if record.Value == "contact" {
		r.keys = append(r.keys, key.Value)
		r.names = append(r.names, mention{kind: contactField, text: key.Value, Line: r.line(n)})
		return
	}
	fields, ok := r.scope.names[record.Value].(types.Map)
	if !ok {
		return
	}
	_, known := fields[key.Value]
	if _, more := fields[types.Extra]; more {
		if !known {
			r.opportunity = true
			r.names = append(r.names, mention{kind: opportunityField, text: key.Value, Line: r.line(n)})
		}
		return
	}
	if !known {
		r.fail(n.Property, unknown(record.Value+" field", key.Value, sortedNames(fields)).Error())
	}
}

// fail notes the first mistake.
func (r *reader) fail(n ast.Node, message string) {
	if r.mistake != nil {
		return
	}
	r.mistake = &expressionError{r.line(n), message}
}

// line is where a node is in the source, from 1.
func (r *reader) line(n ast.Node) int {
	before := []rune(r.source)
	before = before[:min(n.Location().From, len(before))]
	return 1 + strings.Count(string(before), "\n")
}

func functions() []string {
	return append([]string{"string", "split", "join", "replace", "empty", "before", "after", "within"}, builtins...)
}

// standardNames returns the fields of a record other than custom fields.
func standardNames(record string) map[string]bool {
	names := map[string]bool{}
	for _, name := range sortedNames(records[record]) {
		names[name] = true
	}
	return names
}

// sortedNames lists the names of a record, or those of records in a scope.
func sortedNames(m types.Map) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m)), func(name string) bool { return dateFunctions[name] != nil || name == types.Extra })
}

// printsField makes contains and similar operators accept any value, not only texts as in
// expr. A field without a value is an empty text.
func printsField(n *ast.BinaryNode) {
	switch n.Operator {
	case "contains", "startsWith", "endsWith":
		if len(pathOf(n.Left)) > 1 {
			n.Left = &ast.CallNode{Callee: &ast.IdentifierNode{Value: "string"}, Arguments: []ast.Node{n.Left}}
		}
	}
}
