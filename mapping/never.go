package mapping

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// A condition may contradict itself: contact.city == "a" and contact.city == "b" never
// holds, and contact.city != "a" or contact.city != "b" always does. Neither is meant.

// contradicted returns the contradictions of a condition as doubts.
func contradicted(node ast.Node, given ...string) (doubts []*expressionError) {
	for _, message := range contradictions(node, given...) {
		doubts = append(doubts, &expressionError{1, message})
	}
	return doubts
}

// claim is what one part of a condition says of a field.
type claim struct {
	field   string
	one     []string // its value is one of these; nil = any
	not     []string // and none of these
	has     string   // a list has this entry; "" = none
	without string   // and not that one
	from    *bound   // it is more
	to      *bound   // it is less
	text    string   // the part as it is written
}

// bound is the end of a range of numbers or days.
type bound struct {
	value     float64
	inclusive bool
}

// contradictions says which parts of a condition exclude each other, or always hold
// together. Given are parts that hold anyway.
func contradictions(node ast.Node, given ...string) (found []string) {
	var known []claim
	for _, text := range given {
		if tree, err := parser.Parse(text); err == nil {
			known = append(known, claimOf(tree.Node, false)...)
		}
	}
	if b, ok := node.(*ast.BoolNode); ok && !b.Value {
		return []string{"never holds; to switch the automation off, write state: off"}
	}
	if a, b, ok := excluding(known, claimsOf(joined(node, "and", "&&"), false)); ok {
		return []string{neverTogether(a, b)}
	}
	ast.Walk(&node, visitor(func(n ast.Node) {
		both, ok := n.(*ast.BinaryNode)
		if !ok {
			return
		}
		switch both.Operator {
		case "and", "&&":
			if a, b, ok := excluding(nil, claimsOf(joined(n, "and", "&&"), false)); ok {
				found = append(found, neverTogether(a, b))
			}
		case "or", "||":
			if a, b, ok := excluding(nil, claimsOf(joined(n, "or", "||"), true)); ok {
				found = append(found, fmt.Sprintf("%s or %s always holds; write and", a.text, b.text))
			}
		}
	}))
	slices.Sort(found)
	return slices.Compact(found)
}

func neverTogether(a, b claim) string {
	if strings.Contains(a.text, "==") && strings.Contains(b.text, "==") {
		return fmt.Sprintf("%s and %s never hold together; write or", a.text, b.text)
	}
	return fmt.Sprintf("%s and %s never hold together", a.text, b.text)
}

func claimsOf(nodes []ast.Node, negated bool) (all []claim) {
	for _, n := range nodes {
		all = append(all, claimOf(n, negated)...)
	}
	return all
}

// claimOf returns what a part says, or what its opposite does.
func claimOf(node ast.Node, negated bool) []claim {
	c := claim{text: node.String()}
	switch n := node.(type) {
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			of := claimOf(n.Node, !negated)
			for i := range of {
				if of[i].text = c.text; of[i].without != "" {
					of[i].text = fmt.Sprintf("%q not in %s", of[i].without, of[i].field)
				}
			}
			return of
		}
	case *ast.BinaryNode:
		return claimOfComparison(c, n, negated)
	case *ast.CallNode:
		return claimOfCall(c, n, negated)
	}
	if path := pathOf(node); len(path) > 1 {
		c.field = strings.Join(path, ".")
		c.value(negated, fmt.Sprint(true))
		return []claim{c}
	}
	return nil
}

// value notes that the field has, or does not have, one of the values.
func (c *claim) value(negated bool, values ...string) {
	if negated {
		c.not = values
	} else {
		c.one = values
	}
}

// opposites are the operators of ranges and their negations.
var opposites = map[string]string{"<": ">=", ">": "<=", "<=": ">", ">=": "<"}

func claimOfComparison(c claim, n *ast.BinaryNode, negated bool) []claim {
	left, right, operator := n.Left, n.Right, n.Operator
	if operator == "in" {
		return claimOfIn(c, left, right, negated)
	}
	if fixed(left) && opposites[operator] == "" {
		left, right = right, left
	}
	path := pathOf(left)
	if len(path) < 2 || !fixed(right) {
		return nil
	}
	c.field = strings.Join(path, ".")
	switch operator {
	case "==":
		c.value(negated, fixedValue(right))
		return []claim{c}
	case "!=":
		c.value(!negated, fixedValue(right))
		return []claim{c}
	}
	number, ok := fixedNumber(right)
	if !ok || opposites[operator] == "" {
		return nil
	}
	if negated {
		operator = opposites[operator]
	}
	c.limit(operator, number)
	return []claim{c}
}

func (c *claim) limit(operator string, value float64) {
	end := &bound{value, strings.HasSuffix(operator, "=")}
	if strings.HasPrefix(operator, "<") {
		c.to = end
	} else {
		c.from = end
	}
}

func claimOfIn(c claim, left, right ast.Node, negated bool) []claim {
	if text, ok := left.(*ast.StringNode); ok && len(pathOf(right)) > 1 {
		c.field = strings.Join(pathOf(right), ".")
		if negated {
			c.without = text.Value
		} else {
			c.has = text.Value
		}
		return []claim{c}
	}
	list, ok := right.(*ast.ArrayNode)
	if !ok || len(pathOf(left)) < 2 {
		return nil
	}
	values := []string{}
	for _, one := range list.Nodes {
		if !fixed(one) {
			return nil
		}
		values = append(values, fixedValue(one))
	}
	c.field = strings.Join(pathOf(left), ".")
	c.value(negated, values...)
	return []claim{c}
}

// claimOfCall reads empty, before and after. A date that is empty is neither before nor
// after anything, so their opposites say nothing.
func claimOfCall(c claim, n *ast.CallNode, negated bool) []claim {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || len(n.Arguments) == 0 || len(pathOf(n.Arguments[0])) < 2 {
		return nil
	}
	c.field = strings.Join(pathOf(n.Arguments[0]), ".")
	switch {
	case callee.Value == "empty" && len(n.Arguments) == 1:
		c.value(negated, "")
		return []claim{c}
	case (callee.Value == "before" || callee.Value == "after") && len(n.Arguments) == 2 && !negated:
		text, ok := n.Arguments[1].(*ast.StringNode)
		if !ok {
			return nil
		}
		day, err := ParseDate(text.Value, nil)
		if err != nil || !day.DateOnly() {
			return nil
		}
		c.limit(map[string]string{"before": "<", "after": ">"}[callee.Value], float64(day.at.Unix()/(24*60*60)))
		return []claim{c}
	}
	return nil
}

func fixedValue(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.BoolNode:
		return fmt.Sprint(n.Value)
	}
	number, _ := fixedNumber(n)
	return fmt.Sprint(number)
}

// excluding finds two claims, of which the second is among those of the condition, that
// exclude each other.
func excluding(given, all []claim) (a, b claim, ok bool) {
	for i, b := range all {
		for _, a := range slices.Concat(given, all[:i]) {
			if a.field == b.field && (a.excludes(b) || b.excludes(a)) {
				return a, b, true
			}
		}
	}
	return claim{}, claim{}, false
}

func (c claim) excludes(d claim) bool {
	switch {
	case c.has != "" && c.has == d.without:
		return true
	case c.one != nil && d.one != nil:
		return !slices.ContainsFunc(c.one, func(v string) bool { return slices.Contains(d.one, v) })
	case c.one != nil && d.not != nil:
		return !slices.ContainsFunc(c.one, func(v string) bool { return !slices.Contains(d.not, v) })
	case c.from != nil && d.to != nil:
		order := cmp.Compare(c.from.value, d.to.value)
		return order > 0 || order == 0 && !(c.from.inclusive && d.to.inclusive)
	}
	return false
}

// neverApplies finds what in the automation's condition contradicts its trigger.
func (a *Automation) neverApplies() []*expressionError {
	var given []string
	if a.On == TaskCompleted {
		given = append(given, "task.completed")
	}
	for _, tag := range []string{a.Tag, a.milestone.tagged()} {
		if tag != "" {
			given = append(given, fmt.Sprintf("%q in contact.tags", tag))
		}
	}
	if len(given) == 0 || a.condition.tree == nil || len(contradictions(a.condition.tree)) > 0 {
		return nil
	}
	return contradicted(a.condition.tree, given...)
}

func (m *milestone) tagged() string {
	if m == nil {
		return ""
	}
	return m.tag
}
