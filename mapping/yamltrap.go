package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/parser"
	"go.yaml.in/yaml/v3"
)

// YAML has special rules for values without quotes, and for text after a quoted value.
// Expressions and holes often break them, and YAML's own messages do not help. So this file
// explains such mistakes, with the form that works.

const (
	mostExplained = 64 << 10 // bytes of a file that are searched for the place of a mistake
	within        = 20       // lines of a list or mapping in brackets
)

// parseError returns the first syntax error of a YAML text; nil if there is none.
func parseError(data []byte) error {
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var document yaml.Node
		switch err := decoder.Decode(&document); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// badLine finds the line, from 1, at which a text stops being valid YAML. The parser often
// reports only the beginning of the block with that line.
func badLine(data []byte, reported int) int {
	ends := []int{0} // end of each line; the first entry is the start of the text
	for i, c := range data {
		if c == '\n' || i == len(data)-1 {
			ends = append(ends, i+1)
		}
	}
	good := func(n int) bool { return parseError(data[:ends[n]]) == nil }
	last := max(0, min(reported, len(ends)-1)-1) // up to this line the text is valid YAML
	for found := true; found; {
		last += sort.Search(len(ends)-2-last, func(i int) bool { return !good(last + 1 + i) })
		found = false
		for n := last + 2; n <= last+within && n < len(ends)-1 && !found; n++ { // past a list in brackets, or a text over several lines
			if found = good(n); found {
				last = n
			}
		}
	}
	return last + 1
}

// inAutomations finds how the entries of automations: begin.
var inAutomations = regexp.MustCompile(`(?m)^automations:\s*\n( *- )`)

// badEntry returns the first automation of a file that is not valid YAML by itself, and the
// number of lines before it. It reads the file once, so a long file takes no longer.
func badEntry(data []byte) (before int, entry []byte, err error) {
	dash := []byte("- ")
	if m := inAutomations.FindSubmatch(data); m != nil {
		dash = m[1]
	}
	start, line := 0, 0
	for at := 0; at < len(data); line++ {
		if begins := data[at:]; at > start && (bytes.HasPrefix(begins, dash) || bytes.HasPrefix(begins, []byte("---"))) {
			if err := parseError(data[start:at]); err != nil {
				return before, data[start:at], err
			}
			start, before = at, line
		}
		next := bytes.IndexByte(data[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
	}
	return before, data[start:], parseError(data[start:])
}

// explainSyntax says in which line a text is not valid YAML. If quotes around a value would
// make it valid, it says which value.
func explainSyntax(data []byte, err error) (line int, message string) {
	reported, message := syntaxError(err)
	if !utf8.Valid(data) {
		good := len(data) - len(bytes.TrimLeftFunc(data, func(r rune) bool { return r != utf8.RuneError }))
		return 1 + bytes.Count(data[:good], []byte("\n")), "this is not YAML: a character is not in UTF-8; save the file as UTF-8"
	}
	message = "this is not YAML: " + message
	if len(data) > mostExplained {
		if before, entry, err := badEntry(data); err != nil && len(entry) <= mostExplained {
			line, message = explainSyntax(entry, err)
			return before + line, message
		}
		return reported, message
	}
	return explainLine(data, reported, message)
}

// explainLine is explainSyntax for a text that is short enough to try other forms of lines.
func explainLine(data []byte, reported int, message string) (int, string) {
	line := badLine(data, reported)
	lines := strings.Split(string(data), "\n")
	if line > len(lines) {
		return reported, message
	}
	if indent := lines[line-1][:len(lines[line-1])-len(strings.TrimLeft(lines[line-1], " \t"))]; strings.Contains(indent, "\t") {
		return line, "this is not YAML: the line is indented with a tab; use blanks"
	}
	if closed := withEnd(lines[line-1]); closed != "" {
		return line, "the quote that begins this value has no end; write " + closed
	}
	for n := max(1, line-1); n <= line; n++ {
		if form, said := colonForm(strings.TrimSuffix(lines[n-1], "\r")); form != "" && readsOn(lines, n, form, line) {
			return n, "this is not YAML: " + said
		}
	}
	for n := line; n <= min(line+within, len(lines)); n++ {
		for _, form := range quotedForms(strings.TrimSuffix(lines[n-1], "\r")) {
			if readsOn(lines, n, form.line, n) {
				return n, "YAML cannot read this value as it is written; put all of it in quotes: " + form.entry
			}
		}
	}
	if misplaced.MatchString(message) {
		if said := indentation(lines[:line]); said != "" {
			return line, "this is not YAML: " + said
		}
	}
	if strings.Contains(message, "expected ','") {
		return line, "this is not YAML: a [ or { has no end, or a comma is missing"
	}
	return line, message
}

// readsOn reports whether YAML reads beyond a line if line n is written in another form.
func readsOn(lines []string, n int, form string, beyond int) bool {
	patched := slices.Clone(lines)
	patched[n-1] = form
	again := []byte(strings.Join(patched, "\n"))
	err := parseError(again)
	if err == nil {
		return true
	}
	reported, _ := syntaxError(err)
	return badLine(again, reported) > beyond
}

var (
	noBlank = regexp.MustCompile(`^(\s*(?:- +)*)([\w.-]+:)(?:\x{a0}\s*)?([^\s\x{a0}].*)$`)
	noColon = regexp.MustCompile(`^(\s*(?:- +)*)([a-z]\w*)\s*$`)
)

// colonForm returns a line with the colon or the blank behind it that a person may have
// left out, and says so; "" if the line has both.
func colonForm(line string) (form, said string) {
	if m := noBlank.FindStringSubmatch(line); m != nil {
		entry := m[2] + " " + m[3]
		return m[1] + entry, "write a blank after the colon: " + entry
	}
	if m := noColon.FindStringSubmatch(line); m != nil {
		return m[1] + m[2] + ":", "a colon is missing; write " + m[2] + ":"
	}
	return "", ""
}

// withEnd returns an entry whose value begins with a quote, with that quote at its end, too;
// "" if it is there.
func withEnd(line string) string {
	m := blockEntry.FindStringSubmatch(strings.TrimSuffix(line, "\r"))
	if m == nil || m[2] == "" && !strings.Contains(m[1], "-") || strings.Count(m[3], m[3][:1]) != 1 || m[3][0] != '"' && m[3][0] != '\'' {
		return ""
	}
	return m[2] + strings.TrimRight(m[3], " ") + m[3][:1]
}

// misplaced matches what the parser says of a line in the wrong column.
var misplaced = regexp.MustCompile(`mapping values are not allowed|did not find expected key|expected '-' indicator`)

var keyLine = regexp.MustCompile(`^\s*(?:- +)*[\w.-]+:(?:\s|$)`)

// indentation says why the last of the lines does not begin where it should; "" if that is
// not the mistake.
func indentation(lines []string) string {
	column := func(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
	last := lines[len(lines)-1]
	if !keyLine.MatchString(last) {
		return ""
	}
	columns := map[int]bool{}
	for i := len(lines) - 2; i >= 0; i-- {
		above := lines[i]
		if strings.TrimSpace(above) == "" || strings.HasPrefix(strings.TrimSpace(above), "#") {
			continue
		}
		fields := strings.TrimLeft(above, " -") // a field behind a dash begins behind it
		if begins := len(above) - len(fields); len(columns) == 0 && column(last) > begins && !strings.HasSuffix(strings.TrimSpace(above), ":") {
			return "this line begins further to the right than the one above, which has a value already; let it begin in the column of the field that it belongs to"
		}
		columns[column(above)], columns[len(above)-len(fields)] = true, true
	}
	if len(columns) > 0 && !columns[column(last)] {
		return "this line begins in a column in which no line above it begins; let it begin in the column of the fields or actions that it belongs to"
	}
	return ""
}

// quotedForm is a line with one of its values in quotes, and that entry alone.
type quotedForm struct{ line, entry string }

var (
	blockEntry = regexp.MustCompile(`^(\s*(?:- +)*)((?:[\w.-]+: +)?)(\S.*)$`)
	brackets   = regexp.MustCompile(`^(?:\[|\{[^{]|\{$)`)                           // the beginning of a list or mapping, not of a text
	inBrackets = regexp.MustCompile(`^(?:\[+[^\[\]]*\]+|\{[^{}:]*\})\s*[^\s,#\]}]`) // a text that begins with words in brackets
	hashEntry  = regexp.MustCompile(`([\w.-]+: +)(#[^\s,{}\[\]"']+)`)
	flowEntry  = regexp.MustCompile(`([\w.-]+: +)((?:"[^"]*"|'[^']*'|\{\{[^{}]*\}\}|[^,{}\[\]"'#])+)`)
)

// quotedForms returns what a person may have meant by a line, each with one value in
// quotes.
func quotedForms(line string) (forms []quotedForm) {
	if m := blockEntry.FindStringSubmatch(line); m != nil && (m[2] != "" || strings.Contains(m[1], "-")) && (!brackets.MatchString(m[3]) || inBrackets.MatchString(m[3])) {
		value, comment := cutComment(m[3])
		entry := m[2] + inQuotes(meant(m[2], value))
		forms = append(forms, quotedForm{m[1] + entry + comment, entry})
	}
	if m := hashEntry.FindStringSubmatchIndex(line); m != nil {
		entry := line[m[2]:m[3]] + inQuotes(line[m[4]:m[5]])
		forms = append(forms, quotedForm{line[:m[2]] + entry + line[m[5]:], entry})
	}
	for _, at := range flowEntry.FindAllStringSubmatchIndex(line, -1) {
		value := strings.TrimSpace(line[at[4]:at[5]])
		entry := line[at[2]:at[3]] + inQuotes(meant(line[at[2]:at[3]], value))
		forms = append(forms, quotedForm{line[:at[2]] + entry + line[at[5]:], entry})
	}
	return forms
}

// meant returns the value that a person meant who used quotes around and within it. The
// outer quotes are YAML's, unless the whole is a condition: "a" in b or c == "d".
func meant(key, value string) string {
	n := len(value)
	if n < 2 || value[0] != value[n-1] || value[0] != '"' && value[0] != '\'' {
		return value
	}
	if _, err := parser.Parse(value); strings.HasPrefix(key, "if:") && err == nil {
		return value
	}
	return value[1 : n-1]
}

// cutComment splits off a comment: the text after a space and #, outside quotes.
func cutComment(s string) (value, comment string) {
	var quote rune
	before := ' '
	for i, c := range s {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"', c == '\'':
			quote = c
		case c == '#' && before == ' ':
			value = strings.TrimRight(s[:i], " \t")
			return value, s[len(value):]
		}
		before = c
	}
	return strings.TrimRight(s, " \t"), ""
}

// inQuotes writes a text as a YAML value in quotes.
func inQuotes(s string) string {
	if strings.Contains(s, "'") && !strings.ContainsAny(s, `"\`) {
		return `"` + s + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// trap returns what YAML misread instead of a plain value; "" if nothing.
func trap(name string, v *yaml.Node) string {
	switch {
	case v.Kind == yaml.MappingNode && v.Style&yaml.FlowStyle != 0 && len(v.Content) == 2 && v.Content[0].Kind == yaml.MappingNode:
		return fmt.Sprintf(`YAML reads {{ … }} without quotes as a list of fields; put all of the value in quotes: %s: "{{ … }}"`, name)
	case v.Kind == yaml.ScalarNode && strings.HasPrefix(v.Tag, "!") && !strings.HasPrefix(v.Tag, "!!"):
		return fmt.Sprintf("YAML does not read what begins with ! as a text; put all of it in quotes: %s: %s", name, inQuotes(strings.TrimSpace(v.Tag+" "+v.Value)))
	case v.Kind == yaml.ScalarNode && strings.HasPrefix(v.Tag, "!!") && !slices.Contains(plainTags, v.Tag):
		return fmt.Sprintf("the YAML tag %s is not supported; write the value without it", quoteShort(v.Tag))
	case v.Kind == yaml.ScalarNode && v.Style == 0 && strings.HasPrefix(v.LineComment, "#{{"):
		return commentTrap(name, v)
	}
	return ""
}

// plainTags are those that YAML gives to values by itself.
var plainTags = []string{"!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!binary", "!!merge"}

func commentTrap(name string, v *yaml.Node) string {
	return fmt.Sprintf("YAML reads what follows a # after a blank as a comment; put all of it in quotes: %s: %s", name, inQuotes(strings.TrimSpace(v.Value+" "+v.LineComment)))
}

// anchors notes texts of which YAML takes the first word for an anchor, and so leaves it
// out. An anchor that the automation refers to was meant as one.
func (l *loader) anchors(automation, node *yaml.Node, field string) {
	key := ""
	for i, n := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 {
			key = n.Value
			continue
		}
		at, entry := field, ""
		if key != "" {
			at, entry = strings.TrimPrefix(field+"."+key, "."), key+": "
		}
		if n.Kind == yaml.ScalarNode && n.Anchor != "" && !refersTo(automation, n) {
			l.never(n.Line, strings.TrimPrefix(at, "do."), "YAML leaves out a first word that begins with &; put all of it in quotes: %s%s", entry, inQuotes(strings.TrimSpace("&"+n.Anchor+" "+n.Value)))
		}
		l.anchors(automation, n, at)
	}
}

// refersTo reports whether a node has an alias of another one.
func refersTo(node, other *yaml.Node) bool {
	return node.Alias == other || slices.ContainsFunc(node.Content, func(n *yaml.Node) bool { return refersTo(n, other) })
}
