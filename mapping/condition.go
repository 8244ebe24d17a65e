package mapping

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// condition is an expression that is true or false. It also keeps its parts, which are
// joined by "and", so that Milepost can say which part was not met.
type condition struct {
	*expression
	parts []conditionPart
	tree  ast.Node // nil if it cannot be explained
}

// conditionPart is one part of a condition, with the fields that it reads.
type conditionPart struct {
	text    string
	program *expression
	fields  [][]string // e.g. contact, city
}

// mostSeen is how many fields of a part that was not met are shown.
const mostSeen = 4

// compileCondition compiles an expression that must be true or false.
func compileCondition(source string, s scope) (*condition, error) {
	e, err := compileExpression(source, s, expr.AsBool())
	if err != nil {
		if kind, ok := strings.CutPrefix(err.Error(), "expected bool, but got "); ok {
			return nil, &expressionError{1, "a condition must be true or false, this gives " + cmp.Or(typeWords[kind], kind)}
		}
		return nil, err
	}
	c := &condition{expression: e}
	tree, err := parser.Parse(source)
	if err != nil {
		return c, nil //nolint:nilerr // it is compiled; only the explanation has less detail
	}
	c.tree = tree.Node
	c.stagesIn(tree.Node)
	c.doubts = append(c.doubts, contradicted(tree.Node)...)
	for _, node := range conjuncts(tree.Node) {
		if path := pathOf(node); len(path) == 2 && neverTrueOrFalse(path[0], path[1]) {
			field := strings.Join(path, ".")
			c.doubts = append(c.doubts, &expressionError{1, fmt.Sprintf("%s is not true or false; write not empty(%s), or compare it", field, field)})
		}
		if part, err := compileExpression(node.String(), s, expr.AsBool()); err == nil {
			c.parts = append(c.parts, conditionPart{node.String(), part, fieldsIn(node)})
		}
	}
	return c, nil
}

// neverTrueOrFalse reports whether a standard field never holds true or false.
func neverTrueOrFalse(record, key string) bool {
	t, ok := fieldType(record, key)
	return ok && t != TypeYesNo && t != TypeOther
}

// conjuncts splits an expression at its top-level "and"s.
func conjuncts(node ast.Node) []ast.Node {
	if n, ok := node.(*ast.BinaryNode); ok && (n.Operator == "and" || n.Operator == "&&") {
		return append(conjuncts(n.Left), conjuncts(n.Right)...)
	}
	return []ast.Node{node}
}

// fieldFinder collects the record fields in an expression.
type fieldFinder struct{ found [][]string }

func fieldsIn(node ast.Node) [][]string {
	var f fieldFinder
	ast.Walk(&node, &f)
	var whole [][]string // not workflow.fields in addition to workflow.fields.city
	for _, path := range f.found {
		if !slices.ContainsFunc(f.found, func(p []string) bool { return len(p) > len(path) && slices.Equal(p[:len(path)], path) }) {
			whole = append(whole, path)
		}
	}
	return whole
}

// Visit notes each field once.
func (f *fieldFinder) Visit(node *ast.Node) {
	if path := pathOf(*node); len(path) > 1 && !slices.ContainsFunc(f.found, func(p []string) bool { return slices.Equal(p, path) }) {
		f.found = append(f.found, path)
	}
}

// pathOf splits contact.city; nil if the node is not a field of a record.
func pathOf(node ast.Node) []string {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return []string{n.Value}
	case *ast.ChainNode:
		return pathOf(n.Node)
	case *ast.MemberNode:
		key, ok := n.Property.(*ast.StringNode)
		record := pathOf(n.Node)
		if ok && len(record) > 0 {
			return append(slices.Clone(record), key.Value)
		}
	}
	return nil
}

// lookUp returns the value of a field; nil if there is none.
func lookUp(env map[string]any, path []string) (v any) {
	v = env
	for _, key := range path {
		record, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = record[key]
	}
	return v
}

// asSeen writes a value that a condition saw, for people.
func asSeen(v any) string {
	switch v := v.(type) {
	case string:
		if strings.TrimSpace(v) != "" {
			return quoteShort(v)
		}
	case []string, []any, map[string]any:
		if text := printed(v); text != "" {
			return quoteShort(text)
		}
	default:
		if v != nil {
			return printed(v)
		}
	}
	return "empty"
}
