package mapping

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// The messages of expr are for programmers. This file says the same to the people who write
// automations, with what they probably meant.

// compileError says what expr does not understand in a source.
func compileError(source string, err error) error {
	message, _, _ := strings.Cut(err.Error(), "\n")
	var at *file.Error
	if !errors.As(err, &at) {
		return &expressionError{1, said(source, "", message)}
	}
	line, before := max(1, at.Line), source
	if lines := strings.Split(source, "\n"); line <= len(lines) {
		runes := []rune(lines[line-1])
		before = strings.Join(lines[:line-1], "\n") + "\n" + string(runes[:min(at.Column, len(runes))])
	}
	message = said(source, before, at.Message)
	if elsewhere := strings.Contains(message, "the expression ends") || strings.Contains(message, "{{") || strings.HasPrefix(message, `"|"`); at.Line > 0 && !elsewhere {
		what, hint, _ := strings.Cut(message, ";")
		message = fmt.Sprintf("%s (at character %d)", what, at.Column+1)
		if hint != "" {
			message += ";" + hint
		}
	}
	return &expressionError{line, message}
}

var (
	unexpectedToken = regexp.MustCompile(`^unexpected token (?:(\w+)\((".*")\)|EOF)`)
	wrongArguments  = regexp.MustCompile(`^(?:not enough|too many) arguments to call (\w+)|^invalid number of arguments for (\w+)`)
	mismatched      = regexp.MustCompile(`^invalid operation: (\S+) \(mismatched types (\S+) and (\S+)\)`)
	quotedParts     = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`[^`]*`")
	lonePipe        = regexp.MustCompile(`(?:^|[^|])\|(?:[^|]|$)`)

	// spellings are how other languages write what this one can do.
	spellings = map[string]string{
		"=": "==", "is": "==", "equals": "==", "eq": "==", "ne": "!=", "like": "contains", "includes": "contains", "has": "contains",
		"starts": "startsWith", "begins": "startsWith", "ends": "endsWith", "&": "and", "|": "or",
	}
	// usages are examples of the functions.
	usages = map[string]string{
		"before": `before(contact.closing_date, "2026-12-01")`, "after": `after(contact.closing_date, "2026-12-01")`,
		"within": `within(contact.closing_date, 7)`, "empty": `empty(contact.email)`, "string": `string(contact.name)`,
		"split": `split(contact.name, " ")`, "join": `join(contact.tags, ", ")`, "replace": `replace(contact.phone, "+", "")`,
		"any": `any(contact.tags, # startsWith "vip")`, "len": `len(contact.tags)`, "lower": `lower(contact.city)`, "upper": `upper(contact.city)`,
	}
	// typeWords are what people call the types of values.
	typeWords = map[string]string{
		"string": "a text", "bool": "true or false", "int": "a number", "float64": "a number", "[]string": "a list", "[]interface": "a list", "[]interface {}": "a list",
	}
)

// said puts a message of expr in other words. Before is the source up to the place that it
// is about.
func said(source, before, message string) string {
	switch {
	case strings.HasPrefix(strings.TrimSpace(source), "{{"):
		return `a condition has no {{ }} in it; write contact.city == "Boston"`
	case strings.HasPrefix(source, "{"):
		return "there are three braces; write {{ contact.name }} with two"
	case strings.HasPrefix(strings.TrimSpace(source), "#") || strings.HasPrefix(strings.TrimSpace(source), "/"):
		return fmt.Sprintf(`%s is no expression; write {{ condition ? "this" : "that" }}, or an if of the automation`, quoteShort(strings.TrimSpace(source)))
	case lonePipe.MatchString(quotedParts.ReplaceAllString(source, `""`)):
		return `"|" does not fit here; did you mean or? (A function is written with parentheses: upper(contact.name).)`
	case strings.HasPrefix(message, "unrecognized character") && strings.ContainsAny(message, "“”„‘’«»"):
		return message + `; use straight quotes, as in "vip"`
	case strings.HasPrefix(message, "unrecognized character"):
		return message + "; delete it, or write the plain sign"
	case strings.HasPrefix(message, "invalid operation: not (mismatched type"):
		return `not goes before what is true or false; write "vip" not in contact.tags, or not (contact.city == "Boston")`
	case strings.HasPrefix(message, "bad number syntax"):
		return strings.Replace(message, "bad number syntax:", "not a number:", 1) + "; write digits alone, such as 5000"
	case strings.HasPrefix(message, "literal not terminated"):
		return "a text begins with a quote and does not end with one"
	}
	if m := unexpectedToken.FindStringSubmatch(message); m != nil {
		return unexpected(source, before, m[2])
	}
	if m := wrongArguments.FindStringSubmatch(message); m != nil {
		name := m[1] + m[2]
		if usages[name] != "" {
			return fmt.Sprintf("%s does not go with so many values; write it like %s", name, usages[name])
		}
	}
	if m := mismatched.FindStringSubmatch(message); m != nil && typeWords[m[2]] != "" && typeWords[m[3]] != "" {
		return fmt.Sprintf("%s does not go between %s and %s", m[1], typeWords[m[2]], typeWords[m[3]])
	}
	return message
}

// unexpected says what to write in place of a word or sign; "" is the end.
func unexpected(source, before, token string) string {
	token = strings.Trim(token, `"`)
	plain := quotedParts.ReplaceAllString(source, `""`)
	opened, closed := strings.Count(plain, "("), strings.Count(plain, ")")
	switch {
	case token == "" && opened > closed:
		return `the expression ends too early; a ")" is missing`
	case token == "":
		return fmt.Sprintf("the expression ends too early; a value is missing behind %s", quoteShort(lastWord(source)))
	case token == ")" && closed > opened:
		return `there is a ")" without its "("`
	case strings.HasSuffix(before, "<") && token == ">":
		return `"<>" does not fit here; did you mean !=?`
	}
	return fmt.Sprintf("%q does not fit here%s", token, meantOperator(source, before, token))
}

func lastWord(source string) string {
	words := strings.Fields(source)
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// meantOperator says how this language writes what was meant; "" if it is not known.
func meantOperator(source, before, token string) string {
	word, after := strings.ToLower(token), strings.Fields(strings.TrimPrefix(source, strings.TrimPrefix(before, "\n")))
	field := lastWord(before)
	switch {
	case word == "is" && len(after) > 1 && meantIs(field, after[1:]) != "":
		return meantIs(field, after[1:])
	case slices.Contains([]string{"NOT", "Not"}, field):
		return fmt.Sprintf("; did you mean not instead of %s?", field)
	case word == "notin":
		return "; did you mean not in?"
	case word == "between":
		return `; write after(contact.closing_date, "2026-12-01") and before(contact.closing_date, "2026-12-31")`
	case word == "," && strings.HasSuffix(strings.TrimRight(before, "0123456789"), " ") && strings.TrimRight(before, "0123456789") != before, word == "," && strings.Contains(before, "$"):
		return "; write numbers without commas and currency: 5000"
	case word == "," && strings.Contains(before, " in ("):
		return `; a list is in brackets: in ["a", "b"]`
	case word == ",":
		return "; did you mean and?"
	case word == "empty" && field == "not":
		words := strings.Fields(before)
		return fmt.Sprintf("; did you mean not empty(%s)?", words[max(0, len(words)-2)])
	case word == "=" && strings.HasSuffix(before, "!="):
		return "; did you mean !=?"
	case slices.Contains([]string{"contains", "startswith", "endswith", "matches", "in"}, word) && strings.TrimSpace(before) == "" || len(after) > 0 && strings.Contains(after[0], "("):
		return fmt.Sprintf("; it goes between two values: contact.city %s \"Boston\"", token)
	}
	for _, operator := range []string{"and", "or", "not", "in", "contains", "startsWith", "endsWith", "matches"} {
		if word == strings.ToLower(operator) && token != operator {
			return fmt.Sprintf("; did you mean %s?", operator)
		}
	}
	spelling, ok := spellings[word]
	if list := strings.TrimLeft(field, "("); TypeOf(list) == TypeList && (spelling == "contains" || spelling == "==") {
		return fmt.Sprintf("; write %s in %s", firstQuoted(after[min(1, len(after)):], `"vip"`), list)
	}
	if ok {
		return fmt.Sprintf("; did you mean %s?", spelling)
	}
	return ""
}

// firstQuoted returns the text in quotes with which words begin, or an example.
func firstQuoted(words []string, example string) string {
	text := strings.Join(words, " ")
	if quoted := quotedParts.FindString(text); quoted != "" && strings.HasPrefix(text, quoted) {
		return quoted
	}
	return example
}

// meantIs says what is meant by "is" between a field and the words after it; "" if it is not
// known.
func meantIs(field string, after []string) string {
	nothing := []string{"empty", "null", "nil"}
	switch next := strings.ToLower(after[0]); {
	case slices.Contains(nothing, next):
		return fmt.Sprintf("; did you mean empty(%s)?", field)
	case next == "not" && len(after) > 1 && slices.Contains(nothing, strings.ToLower(after[1])):
		return fmt.Sprintf("; did you mean not empty(%s)?", field)
	case next == "not":
		return "; did you mean !=?"
	}
	return ""
}

// values are how other languages write what this one writes as the key.
var values = map[string][]string{
	"true": {"true", "yes", "on"}, "false": {"false", "no", "off"}, "nil": {"nil", "null", "none", "undefined", "empty", "blank"},
}

// otherFunctions are how other languages call what this one can do.
var otherFunctions = map[string]string{
	"has": `"vip" in contact.tags`, "hastag": `"vip" in contact.tags`, "includes": `"vip" in contact.tags`,
	"size": "len(contact.tags)", "length": "len(contact.tags)", "lowercase": "lower(contact.city)", "tolower": "lower(contact.city)",
	"uppercase": "upper(contact.city)", "toupper": "upper(contact.city)", "exists": "not empty(contact.email)", "isblank": "empty(contact.email)",
	"date": `before(contact.closing_date, "2026-12-01")`, "isbefore": `before(contact.closing_date, "2026-12-01")`, "isafter": `after(contact.closing_date, "2026-12-01")`,
}

// unknownName says what an unknown name in an expression may be meant to be.
func (r *reader) unknownName(n *ast.IdentifierNode) string {
	word, called := strings.ToLower(n.Value), r.follows(n, "(")
	said := fmt.Sprintf("unknown name %q", n.Value)
	if called {
		said = fmt.Sprintf("unknown function %q", n.Value)
	}
	for value, others := range values {
		if !called && n.Value != value && slices.Contains(others, word) {
			return fmt.Sprintf("%s; did you mean %s?", said, value)
		}
	}
	known := sortedNames(r.scope.names)
	switch {
	case slices.Contains([]string{"now", "today", "tomorrow", "yesterday"}, word):
		return said + "; within(contact.closing_date, 7) asks whether a date is today or in the next 7 days"
	case slices.Contains([]string{"user", "custom_values", "right_now", "message", "campaign", "calendar", "invoice", "account"}, word):
		return fmt.Sprintf("%s; HighLevel fills it in only in its own messages. Known are %s", said, enumerate(known))
	case called && otherFunctions[word] != "":
		return fmt.Sprintf("%s; write %s", said, otherFunctions[word])
	case called:
		return unknown("function", n.Value, functions()).Error()
	}
	if near, ok := nearest(n.Value, known); ok {
		return fmt.Sprintf("%s; did you mean %q?", said, near)
	}
	if r.follows(n, ".") || r.follows(n, "[") {
		return unknown("name", n.Value, known).Error()
	}
	for _, record := range known {
		if standardNames(record)[word] || record == "contact" && standardFields[word] {
			return fmt.Sprintf("%s; did you mean %s.%s?", said, record, word)
		}
	}
	if near, ok := nearest(n.Value, functions()); ok {
		return fmt.Sprintf("%s; did you mean %q?", said, near)
	}
	return fmt.Sprintf("%s; known are %s. If it is a text, put it in quotes: %q", said, enumerate(known), n.Value)
}

// follows reports whether a sign follows a name.
func (r *reader) follows(n *ast.IdentifierNode, sign string) bool {
	source := []rune(r.source)
	end := min(n.Location().From+len([]rune(n.Value)), len(source))
	return strings.HasPrefix(strings.TrimSpace(string(source[end:])), sign)
}

// hyphenated finds contact.first-name, which expr reads as a subtraction.
func (r *reader) hyphenated(n *ast.BinaryNode) {
	path := pathOf(n.Left)
	name, ok := n.Right.(*ast.IdentifierNode)
	if n.Operator != "-" || !ok || len(path) != 2 || r.scope.has(name.Value) {
		return
	}
	r.mistake = nil // that the second half is unknown
	r.fail(n, fmt.Sprintf("%s.%s-%s is read as a subtraction; did you mean %s.%s_%s, or %s[%q]?",
		path[0], path[1], name.Value, path[0], path[1], name.Value, path[0], path[1]+"-"+name.Value))
}
