package mapping

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// A comparison with a value that a field can never have is valid, and never holds: a list
// with a text, a date with a text, true with "true". This file finds such comparisons, and
// says how to write what was meant.

// mistyped doubts a comparison of a field with a fixed value of another type.
func (r *reader) mistyped(n *ast.BinaryNode) {
	left, right := n.Left, n.Right
	switch n.Operator {
	case "and", "&&", "or", "||":
		r.aloneText(n)
		return
	case "==", "!=", "<", ">", "<=", ">=":
		if r.notTooEarly(n) || r.wrongCase(n) {
			return
		}
		if fixed(left) && fixed(right) {
			r.doubt(n, "compares two fixed values; write the name of a field without quotes, such as contact.city")
			return
		}
		if fixed(left) {
			left, right = right, left
		}
		if message := wrongType(left, right, n.Operator); message != "" {
			r.doubt(n, message)
		}
	case "in":
		if message := wrongIn(left, right); message != "" {
			r.doubt(n, message)
		}
	case "contains", "startsWith", "endsWith", "matches":
		text, ok := right.(*ast.StringNode)
		if field, kind := typedField(left); kind == TypeList && ok {
			r.doubt(n, fmt.Sprintf("%s is a list; write %q in %s, or any(%s, # %s %q) for a part of an entry", field, text.Value, field, field, n.Operator, text.Value))
		}
	}
}

// aloneText finds contact.city == "a" or "b".
func (r *reader) aloneText(n *ast.BinaryNode) {
	for _, side := range []ast.Node{n.Left, n.Right} {
		text, ok := side.(*ast.StringNode)
		if !ok {
			continue
		}
		hint := "compare it with a field, too"
		if first, ok := n.Left.(*ast.BinaryNode); ok && first.Operator == "==" && side == n.Right {
			if field, value := pathOf(first.Left), literals(first.Right); len(field) > 1 && len(value) == 1 {
				hint = fmt.Sprintf("write %s in [%q, %q]", strings.Join(field, "."), value[0].Value, text.Value)
			}
		}
		r.fail(text, fmt.Sprintf("the text %q stands alone; %s", text.Value, hint))
	}
}

// notTooEarly finds not contact.city == "a", which asks whether "not contact.city" is "a".
func (r *reader) notTooEarly(n *ast.BinaryNode) bool {
	not, ok := n.Left.(*ast.UnaryNode)
	if !ok || not.Operator != "not" && not.Operator != "!" {
		return false
	}
	_, isText := n.Right.(*ast.StringNode)
	_, kind := typedField(not.Node)
	if kind == TypeYesNo || !isText && kind == TypeOther || len(pathOf(not.Node)) < 2 {
		return false
	}
	r.doubt(n, fmt.Sprintf("not belongs to the field alone here; write not (%s %s %s)", not.Node, n.Operator, n.Right))
	return true
}

// wrongCase finds lower(contact.city) == "Boston".
func (r *reader) wrongCase(n *ast.BinaryNode) bool {
	call, ok := n.Left.(*ast.BuiltinNode)
	text, isText := n.Right.(*ast.StringNode)
	if !ok || !isText {
		return false
	}
	change := map[string]func(string) string{"lower": strings.ToLower, "upper": strings.ToUpper}[call.Name]
	if change == nil || change(text.Value) == text.Value {
		return false
	}
	r.doubt(n, fmt.Sprintf("%s never gives %q; did you mean %q?", call.Name, text.Value, change(text.Value)))
	return true
}

// typedField returns the name and the type of a standard field; "" for anything else.
func typedField(n ast.Node) (name string, kind FieldType) {
	path := pathOf(n)
	if len(path) != 2 {
		return "", ""
	}
	kind, ok := fieldType(path[0], path[1])
	if !ok {
		return "", ""
	}
	return strings.Join(path, "."), kind
}

// fixed reports whether an expression is a fixed text, number, or true or false.
func fixed(n ast.Node) bool {
	switch n.(type) {
	case *ast.StringNode, *ast.BoolNode:
		return true
	}
	_, ok := fixedNumber(n)
	return ok
}

func fixedNumber(n ast.Node) (float64, bool) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return float64(n.Value), true
	case *ast.FloatNode:
		return n.Value, true
	case *ast.UnaryNode:
		value, ok := fixedNumber(n.Node)
		return -value, ok && n.Operator == "-"
	}
	return 0, false
}

// wrongType says why a comparison with a fixed value never says what was meant; "" if it
// may.
func wrongType(side, value ast.Node, operator string) string {
	if !fixed(value) {
		return ""
	}
	text, isText := value.(*ast.StringNode)
	_, isNumber := fixedNumber(value)
	field, kind := typedField(side)
	switch kind {
	case TypeList:
		return listCompared(field, text, operator)
	case TypeYesNo:
		if _, ok := value.(*ast.BoolNode); !ok {
			return fmt.Sprintf("%s is true or false; write %s or not %s", field, field, field)
		}
	case TypeText:
		if !isText {
			return fmt.Sprintf("%s is a text; write the value in quotes: %q", field, value.String())
		}
	case TypeDate:
		return dateCompared(field, text, operator)
	case TypeOther:
		switch {
		case field == "opportunity.value" && isText && strings.TrimSpace(text.Value) == "":
			return fmt.Sprintf("%s is a number; write empty(%s) or not empty(%s)", field, field, field)
		case field == "opportunity.value" && !isNumber:
			return fmt.Sprintf("%s is a number; write one without quotes, currency and commas: 5000", field)
		case field == "" && isText && len(pathOf(side)) > 1:
			return datesAsTexts(strings.Join(pathOf(side), "."), text.Value, operator)
		}
	}
	return ""
}

func listCompared(field string, text *ast.StringNode, operator string) string {
	switch {
	case text == nil:
		return fmt.Sprintf("%s is a list; len(%s) is the number of its entries", field, field)
	case text.Value == "":
		return fmt.Sprintf("%s is a list; write empty(%s) or not empty(%s)", field, field, field)
	case operator == "!=":
		return fmt.Sprintf("%s is a list; write %q not in %s", field, text.Value, field)
	}
	return fmt.Sprintf("%s is a list; write %q in %s", field, text.Value, field)
}

// dateCompared is wrongType for a date. Those of a contact are texts that begin with the day.
func dateCompared(field string, text *ast.StringNode, operator string) string {
	ordered := operator != "==" && operator != "!="
	day := text != nil && isoDay.MatchString(text.Value)
	if strings.HasPrefix(field, "contact.") && text != nil &&
		(text.Value == "" && !ordered || day && (ordered || field == "contact.date_of_birth")) {
		return ""
	}
	if text != nil && text.Value == "" {
		return fmt.Sprintf("%s is a date; write empty(%s) or not empty(%s)", field, field, field)
	}
	example := "2026-12-01"
	if text != nil && neverDate(text.Value) == nil {
		example = text.Value
	}
	said := fmt.Sprintf("%s is a date, which %s cannot compare; write ", field, operator)
	switch operator {
	case "<", "<=":
		return said + fmt.Sprintf("before(%s, %q)", field, example)
	case ">", ">=":
		return said + fmt.Sprintf("after(%s, %q)", field, example)
	}
	return said + fmt.Sprintf("before(%s, %q) or after(%s, %q)", field, example, field, example)
}

var (
	// dateLike matches a date whose form may not be readable, such as 31/12/2026.
	dateLike = regexp.MustCompile(`^\s*(?:\d{4}[./-]\d\d?[./-]\d\d?|\d\d?[./-]\d\d?[./-]\d{4}|\d\d?/\d\d?/\d\d|\d\d\.\d\d\.\d\d)\b`)
	// nearDay matches a day that depends on the present one.
	nearDay = regexp.MustCompile(`(?i)^\s*(?:now|today|tomorrow|yesterday)\s*$`)
)

// datesAsTexts says that < and > compare the letters of dates, unless both begin with the
// year.
func datesAsTexts(field, text, operator string) string {
	if operator == "==" || operator == "!=" || strings.TrimSpace(text) == "" {
		return ""
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return ""
	}
	said := fmt.Sprintf("%s compares the letters of %q, not the date; ", operator, text)
	wrong := neverDate(text) != nil
	switch {
	case nearDay.MatchString(text):
		return said + fmt.Sprintf("within(%s, 7) asks whether it is today or in the next 7 days", field)
	case wrong && dateLike.MatchString(text):
		text = "2026-12-01"
	case wrong, isoDay.MatchString(text):
		return ""
	}
	function := "before"
	if strings.HasPrefix(operator, ">") {
		function = "after"
	}
	return said + fmt.Sprintf("write %s(%s, %q)", function, field, text)
}

// wrongIn says why "in" never holds, or never can be asked.
func wrongIn(left, right ast.Node) string {
	list, kind := typedField(left)
	_, isList := right.(*ast.ArrayNode)
	if kind == TypeList {
		switch text, isText := right.(*ast.StringNode); {
		case isText:
			return fmt.Sprintf("the value goes first: write %q in %s", text.Value, list)
		case isList:
			return fmt.Sprintf("%s is a list itself; write any(%s, # in %s)", list, list, right.String())
		}
	}
	if text, isText := right.(*ast.StringNode); isText {
		return fmt.Sprintf("%q is a text; write == %q, or in with a list: in [%q]", text.Value, text.Value, text.Value)
	}
	field, kind := typedField(right)
	if text, isText := left.(*ast.StringNode); isText && kind == TypeText {
		return fmt.Sprintf("%s is a text; write %s contains %q", field, field, text.Value)
	}
	return ""
}

// withoutFields are standard names that HighLevel's API, but not a merge field, has between
// the record and a custom field.
var withoutFields = []string{"custom_fields", "customfields", "custom_field", "customfield", "custom", "fields"}

// nested doubts a name behind a field that has none: contact.tags.includes, and
// contact.custom_fields.closing_date.
func (r *reader) nested(n *ast.MemberNode) {
	key, ok := n.Property.(*ast.StringNode)
	path := pathOf(n.Node)
	if !ok || len(path) != 2 {
		return
	}
	field, kind := typedField(n.Node)
	switch {
	case path[0] == "contact" && slices.Contains(withoutFields, strings.ToLower(path[1])):
		r.doubt(n, fmt.Sprintf("a custom field follows the contact: write contact.%s", key.Value))
	case field == "" || kind == TypeOther:
	case kind == TypeList:
		r.doubt(n, fmt.Sprintf(`%s is a list and has no %s; write "vip" in %s, or len(%s)`, field, key.Value, field, field))
	default:
		r.doubt(n, fmt.Sprintf("%s has one value and no %s in it", field, key.Value))
	}
}
