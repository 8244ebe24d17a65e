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
	if len(data) > mostExplained {
		return reported
	}
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

// explainSyntax says in which line a text is not valid YAML. If quotes around a value would
// make it valid, it says which value.
func explainSyntax(data []byte, err error) (line int, message string) {
	reported, message := syntaxError(err)
	line = badLine(data, reported)
	message = "this is not YAML: " + message
	if len(data) > mostExplained {
		return line, message
	}
	lines := strings.Split(string(data), "\n")
	if line > len(lines) {
		return reported, message
	}
	if indent := lines[line-1][:len(lines[line-1])-len(strings.TrimLeft(lines[line-1], " \t"))]; strings.Contains(indent, "\t") {
		return line, "this is not YAML: the line is indented with a tab; use blanks"
	}
	for n := line; n <= min(line+within, len(lines)); n++ {
		for _, form := range quotedForms(strings.TrimSuffix(lines[n-1], "\r")) {
			patched := append([]string(nil), lines...)
			patched[n-1] = form.line
			again := []byte(strings.Join(patched, "\n"))
			if err := parseError(again); err != nil {
				if reported, _ := syntaxError(err); badLine(again, reported) <= n {
					continue
				}
			}
			return n, "YAML cannot read this value as it is written; put all of it in quotes: " + form.entry
		}
	}
	return line, message
}

// quotedForm is a line with one of its values in quotes, and that entry alone.
type quotedForm struct{ line, entry string }

var (
	blockEntry = regexp.MustCompile(`^(\s*(?:- +)*)((?:[\w.-]+: +)?)(\S.*)$`)
	brackets   = regexp.MustCompile(`^(?:\[|\{[^{]|\{$)`) // the beginning of a list or mapping, not of a text
	flowEntry  = regexp.MustCompile(`([\w.-]+: +)((?:"[^"]*"|'[^']*'|\{\{[^{}]*\}\}|[^,{}\[\]"'#])+)`)
)

// quotedForms returns what a person may have meant by a line, each with one value in
// quotes.
func quotedForms(line string) (forms []quotedForm) {
	if m := blockEntry.FindStringSubmatch(line); m != nil && (m[2] != "" || strings.Contains(m[1], "-")) && !brackets.MatchString(m[3]) {
		value, comment := cutComment(m[3])
		entry := m[2] + inQuotes(meant(m[2], value))
		forms = append(forms, quotedForm{m[1] + entry + comment, entry})
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
	return fmt.Sprintf("YAML reads what follows a # after a blank as a comment; put all of it in quotes: %s: %s", name, inQuotes(v.Value+" "+v.LineComment))
}
