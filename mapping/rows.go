package mapping

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
)

// Rows is a condition that a person can build from lists: rows with a field, an operator
// and a value, joined by all or any.
type Rows struct {
	Any  bool  `json:"any,omitempty"` // one row is enough; otherwise all must hold
	Rows []Row `json:"rows"`
}

// Row is one row of a condition.
type Row struct {
	Field    string   `json:"field"` // as in an expression: contact.city, workflow.fields["Closing Date"]
	Operator Operator `json:"operator"`
	// Value is a string, a float64, a bool or nil. For one of it is a list of them, for
	// within a whole number of days, and for operators without a value nil.
	Value any `json:"value,omitempty"`
}

// Operator is what a row does with its field and value.
type Operator string

// The operators of rows.
const (
	Is          Operator = "is"
	IsNot       Operator = "is not"
	Contains    Operator = "contains"
	StartsWith  Operator = "starts with"
	IsEmpty     Operator = "is empty"
	IsNotEmpty  Operator = "is not empty"
	IsBefore    Operator = "is before"
	IsAfter     Operator = "is after"
	Within      Operator = "is within days"
	HasTag      Operator = "has tag"
	HasNoTag    Operator = "does not have tag"
	IsOneOf     Operator = "is one of"
	wholeNumber          = 1 << 53 // above this, a float64 cannot distinguish whole numbers
)

// Operators lists the operators in the order in which to offer them.
func Operators() []Operator {
	return []Operator{Is, IsNot, Contains, StartsWith, IsEmpty, IsNotEmpty, IsBefore, IsAfter, Within, HasTag, HasNoTag, IsOneOf}
}

// ConditionRows turns a condition into rows. ok is false if only an expression can say it.
func ConditionRows(expression string) (rows Rows, ok bool) {
	tree, err := parser.Parse(expression)
	if err != nil {
		return Rows{}, false
	}
	nodes := joined(tree.Node, "and", "&&")
	if len(nodes) == 1 {
		nodes = joined(tree.Node, "or", "||")
		rows.Any = len(nodes) > 1
	}
	for _, node := range nodes {
		row, ok := rowOf(node)
		if !ok {
			return Rows{}, false
		}
		rows.Rows = append(rows.Rows, row)
	}
	return rows, true
}

// Expression writes the rows as a condition; "" for no rows. It returns an error if a row
// is invalid.
func (r Rows) Expression() (string, error) {
	parts := make([]string, len(r.Rows))
	for i, row := range r.Rows {
		text, err := row.expression()
		if err != nil {
			return "", fmt.Errorf("row %d: %w", i+1, err)
		}
		parts[i] = text
	}
	if r.Any {
		return strings.Join(parts, " or "), nil
	}
	return strings.Join(parts, " and "), nil
}

// joined splits an expression at an operator.
func joined(node ast.Node, operators ...string) []ast.Node {
	if n, ok := node.(*ast.BinaryNode); ok && slices.Contains(operators, n.Operator) {
		return append(joined(n.Left, operators...), joined(n.Right, operators...)...)
	}
	return []ast.Node{node}
}

// binaryOperators are those that an expression writes between field and value.
var binaryOperators = map[string]Operator{"==": Is, "!=": IsNot, "contains": Contains, "startsWith": StartsWith}

// functionOperators are those that an expression writes as a function.
var functionOperators = map[string]Operator{"empty": IsEmpty, "before": IsBefore, "after": IsAfter, "within": Within}

// negated are the operators that an expression writes as the others with not.
var negated = map[Operator]Operator{IsEmpty: IsNotEmpty, HasTag: HasNoTag}

func rowOf(node ast.Node) (row Row, ok bool) {
	switch n := node.(type) {
	case *ast.UnaryNode:
		if n.Operator != "not" && n.Operator != "!" {
			return Row{}, false
		}
		if field, ok := flagIn(n.Node); ok {
			return Row{field, Is, false}, true
		}
		row, ok = rowOf(n.Node)
		row.Operator = negated[row.Operator]
		return row, ok && row.Operator != ""
	case *ast.BinaryNode:
		if n.Operator == "in" {
			return rowIn(n)
		}
		row.Operator, ok = binaryOperators[n.Operator]
		if row.Field, ok = fieldIn(n.Left, ok); ok {
			row.Value, ok = literalIn(n.Right)
		}
	case *ast.CallNode:
		callee, named := n.Callee.(*ast.IdentifierNode)
		if !named || len(n.Arguments) == 0 {
			return Row{}, false
		}
		row.Operator, ok = functionOperators[callee.Value]
		if row.Field, ok = fieldIn(n.Arguments[0], ok); ok && len(n.Arguments) == 2 {
			row.Value, ok = literalIn(n.Arguments[1])
		} else if len(n.Arguments) > 2 {
			ok = false
		}
	default:
		row.Operator, row.Value = Is, true
		row.Field, ok = flagIn(node)
	}
	return row, ok && row.check() == nil
}

// rowIn reads "vip" in contact.tags, and contact.city in ["Boston"].
func rowIn(n *ast.BinaryNode) (row Row, ok bool) {
	if isTags(n.Right) {
		row.Operator = HasTag
		if row.Field, ok = fieldIn(n.Right, true); ok {
			row.Value, ok = literalIn(n.Left)
		}
		return row, ok && row.check() == nil
	}
	list, ok := n.Right.(*ast.ArrayNode)
	row.Operator = IsOneOf
	if row.Field, ok = fieldIn(n.Left, ok); !ok {
		return Row{}, false
	}
	values := make([]any, len(list.Nodes))
	for i, e := range list.Nodes {
		if values[i], ok = literalIn(e); !ok {
			return Row{}, false
		}
	}
	row.Value = values
	return row, row.check() == nil
}

// flagIn returns the field if the expression is only a field that is true or false.
func flagIn(node ast.Node) (field string, ok bool) {
	if field, ok = fieldIn(node, true); !ok {
		return "", false
	}
	record, key, _ := strings.Cut(field, ".")
	return field, records[record][key] == types.Bool
}

func fieldIn(node ast.Node, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	path := plainPath(node)
	return writtenPath(path), len(path) > 1
}

// plainPath is pathOf without optional parts (?.).
func plainPath(node ast.Node) []string {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return []string{n.Value}
	case *ast.MemberNode:
		key, ok := n.Property.(*ast.StringNode)
		if record := plainPath(n.Node); ok && !n.Optional && len(record) > 0 {
			return append(record, key.Value)
		}
	}
	return nil
}

var (
	plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// wordsOfExpr cannot follow a dot, or be used alone.
	wordsOfExpr = []string{"not", "in", "and", "or", "contains", "startsWith", "endsWith", "matches", "let", "if", "else", "nil", "true", "false"}
)

func writtenPath(path []string) string {
	var b strings.Builder
	for i, key := range path {
		switch {
		case i == 0:
			b.WriteString(key)
		case plainKey.MatchString(key) && !slices.Contains(wordsOfExpr, key):
			b.WriteString("." + key)
		default:
			b.WriteString("[" + strconv.Quote(key) + "]")
		}
	}
	return b.String()
}

func literalIn(node ast.Node) (any, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.BoolNode:
		return n.Value, true
	case *ast.NilNode:
		return nil, true
	case *ast.IntegerNode:
		return float64(n.Value), n.Value < wholeNumber && n.Value > -wholeNumber
	case *ast.FloatNode:
		return n.Value, n.Value < wholeNumber
	case *ast.UnaryNode:
		v, ok := literalIn(n.Node)
		f, isNumber := v.(float64)
		return -f, ok && isNumber && n.Operator == "-" && f > 0
	}
	return nil, false
}

// check returns why a row is invalid; nil if it is valid.
func (r Row) check() error {
	tree, err := parser.Parse(r.Field)
	if err != nil || writtenPath(plainPath(tree.Node)) != r.Field || len(plainPath(tree.Node)) < 2 {
		return fmt.Errorf("%s is no field; expected one such as contact.city", quoteShort(r.Field))
	}
	text, isText := r.Value.(string)
	days, isNumber := r.Value.(float64)
	wrong := func(expected string) error {
		return fmt.Errorf("the value of %q is %s; expected %s", r.Operator, quoteShort(printed(r.Value)), expected)
	}
	switch r.Operator {
	case Is, IsNot:
		_, err = literal(r.Value)
	case Contains, StartsWith:
		if !isText || text == "" {
			return wrong("a text")
		}
	case IsEmpty, IsNotEmpty:
		if r.Value != nil {
			return wrong("none")
		}
	case IsBefore, IsAfter:
		if d, dateErr := ParseDate(r.Value, nil); !isText || dateErr != nil || d.IsZero() {
			return wrong("a date such as 2026-12-01")
		}
	case Within:
		if !isNumber || days < 0 || days > mostDays || days != math.Trunc(days) {
			return wrong(fmt.Sprintf("a number of days from 0 to %d", mostDays))
		}
	case HasTag, HasNoTag:
		if !isText || text == "" || !strings.HasSuffix(r.Field, ".tags") {
			return wrong("a tag, of a field with tags")
		}
	case IsOneOf:
		list, ok := r.Value.([]any)
		if !ok || len(list) == 0 || slices.ContainsFunc(list, func(v any) bool { _, isList := v.([]any); return isList }) {
			return wrong("a list of values")
		}
		_, err = literal(r.Value)
	default:
		return unknown("operator", string(r.Operator), Operators())
	}
	return err
}

func (r Row) expression() (string, error) {
	if err := r.check(); err != nil {
		return "", err
	}
	value, err := literal(r.Value)
	if err != nil {
		return "", err
	}
	switch r.Operator {
	case IsEmpty:
		return "empty(" + r.Field + ")", nil
	case IsNotEmpty:
		return "not empty(" + r.Field + ")", nil
	case HasTag:
		return value + " in " + r.Field, nil
	case HasNoTag:
		return value + " not in " + r.Field, nil
	case IsOneOf:
		return r.Field + " in " + value, nil
	}
	for word, operator := range binaryOperators {
		if operator == r.Operator {
			return r.Field + " " + word + " " + value, nil
		}
	}
	for word, operator := range functionOperators {
		if operator == r.Operator {
			return word + "(" + r.Field + ", " + value + ")", nil
		}
	}
	return "", unknown("operator", string(r.Operator), Operators())
}

// literal writes a value as an expression does.
func literal(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "nil", nil
	case string:
		return strconv.Quote(strings.ToValidUTF8(v, "�")), nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		if math.IsNaN(v) || math.Abs(v) >= wholeNumber {
			return "", fmt.Errorf("the number %v is too large", v)
		}
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			part, err := literal(e)
			if err != nil {
				return "", err
			}
			parts[i] = part
		}
		return "[" + strings.Join(parts, ", ") + "]", nil
	}
	return "", fmt.Errorf("%s is no text, number, true or false", quoteShort(printed(v)))
}
