package mapping

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/expr-lang/expr/ast"
	"go.yaml.in/yaml/v3"

	"milepost/internal/catalog"
)

// A text without holes is the same for every record. If it cannot be what its field needs,
// the automation fails whenever it runs, and the file alone shows it. Such a mistake is an
// error when a person saves or checks the automation. One that is stored already keeps
// running, because its other actions may be right: see LoadStored.

// never notes a mistake that would show only when the automation runs.
func (m *mistakes) never(line int, field, format string, args ...any) {
	if !m.stored {
		m.add(line, field, format, args...)
		return
	}
	if len(m.doubts) < mostMistakes {
		m.doubts = append(m.doubts, Mistake{m.file, max(1, line), field, fmt.Sprintf(format, args...)})
	}
}

// fixedText returns the text of a field without holes.
func fixedText(v *yaml.Node) (text string, ok bool) {
	if v == nil || v.Kind != yaml.ScalarNode || isNull(v) || strings.Contains(v.Value, "{{") {
		return "", false
	}
	return v.Value, true
}

// fixedDate notes a fixed text that is no date, or the field of the contact that is read as
// one. The example is an expression that would be.
func (f *fields) fixedDate(name, example string) {
	text, ok := fixedText(f.values[name])
	if !ok || f.bad[name] {
		if v := f.values[name]; v != nil {
			if key, ok := (&template{source: v.Value}).contactField(); ok {
				f.referToDate(name, reference{"contact", key})
			}
		}
		return
	}
	if strings.TrimSpace(text) == "" {
		f.never(f.values[name].Line, f.prefix+name, "is empty, so nothing would ever be made; expected a date, or an expression like %s", example)
	} else if err := neverDate(text); err != nil {
		f.never(f.values[name].Line, f.prefix+name, "%v; or write an expression like %s", err, example)
	}
}

// fixedEmails notes fixed texts in a list that hold something other than e-mail addresses.
func (f *fields) fixedEmails(name string) {
	for _, v := range entriesOf(f.values[name]) {
		if text, ok := fixedText(v); ok && !f.bad[name] {
			for _, one := range splitEmails(text) {
				f.neverEmail(name, v, one)
			}
		}
	}
}

// fixedEmail is fixedEmails for one address.
func (f *fields) fixedEmail(name string) {
	if text, ok := fixedText(f.values[name]); ok && strings.TrimSpace(text) != "" && !f.bad[name] {
		f.neverEmail(name, f.values[name], text)
	}
}

func (f *fields) neverEmail(name string, v *yaml.Node, text string) {
	if m := bareField.FindStringSubmatch(text); m != nil && f.scope.has(m[2]) {
		return // meantAsHole says so
	}
	if _, err := emailAddress(text); err != nil {
		f.never(v.Line, f.prefix+name, "%v; expected an address, or an expression like {{ contact.email }}", err)
		return
	}
	f.neverDomain(name, v, text)
}

// neverDomain notes an address at a domain that no mail reaches: ana@example.
func (f *fields) neverDomain(name string, v *yaml.Node, text string) {
	if _, domain, ok := strings.Cut(text, "@"); ok && !strings.Contains(strings.Trim(domain, "."), ".") {
		f.never(v.Line, f.prefix+name, "%s is not an e-mail address: behind the @ a part such as .com is missing", quoteShort(text))
	}
}

// fixedZone notes a fixed text that is no time zone.
func (f *fields) fixedZone(name string) {
	text, ok := fixedText(f.values[name])
	if _, err := LoadZone(strings.TrimSpace(text)); ok && strings.TrimSpace(text) != "" && err != nil {
		f.never(f.values[name].Line, f.prefix+name, "%v", err)
	}
}

// fixedNonempty notes a fixed text that is empty, although nothing is made without it.
func (f *fields) fixedNonempty(name string) {
	if text, ok := fixedText(f.values[name]); ok && strings.TrimSpace(text) == "" {
		f.never(f.values[name].Line, f.prefix+name, "is empty, so nothing would ever be made")
	}
}

var zoneLetters = regexp.MustCompile(`^[A-Z]{2,5}$`)

// neverDate returns why a text is a date in no location. A name such as CST means an
// offset in some locations only.
func neverDate(text string) error {
	_, err := ParseDate(text, nil)
	var zone *unclearZone
	if errors.As(err, &zone) && zoneLetters.MatchString(zone.name) {
		return nil
	}
	return err
}

// fixedArguments checks the fixed arguments of the functions that read dates.
func (r *reader) fixedArguments(n *ast.CallNode) {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || dateFunctions[callee.Value] == nil || r.scope.names[callee.Value] == nil || len(n.Arguments) != 2 {
		return
	}
	dates := n.Arguments
	_, first := dates[0].(*ast.StringNode)
	_, second := dates[1].(*ast.StringNode)
	if _, number := fixedNumber(dates[0]); number || first && second {
		r.doubt(n, fmt.Sprintf("%s begins with the field of a date; write it like %s", callee.Value, usages[callee.Value]))
		return
	}
	if callee.Value == "within" {
		dates = dates[:1]
		days := n.Arguments[1]
		if text, ok := days.(*ast.StringNode); ok {
			r.doubt(days, fmt.Sprintf("within takes a number of days from 0 to %d, not the text %s", mostDays, quoteShort(text.Value)))
		}
		if number, ok := fixedNumber(days); ok && (number < 0 || number > mostDays || number != math.Trunc(number)) {
			r.doubt(days, fmt.Sprintf("within takes a number of days from 0 to %d, not %v", mostDays, number))
		}
	}
	for _, argument := range dates {
		if text, ok := argument.(*ast.StringNode); ok {
			if err := neverDate(text.Value); err != nil {
				r.doubt(text, err.Error())
			}
		} else if field := customField(argument); field != "" {
			r.names = append(r.names, mention{kind: dateField, text: lastPart(field), within: field, Line: r.line(argument)})
		}
	}
}

func (r *reader) doubt(n ast.Node, message string) {
	r.doubts = append(r.doubts, &expressionError{r.line(n), message})
}

// fixedFields checks the fixed values of a call. The catalogue's examples show which fields
// are dates and time zones, and its lists which are ids.
func (l *callLoader) fixedFields(at string, fields catalog.Fields, written map[string]any) {
	for _, f := range fields {
		switch value := written[f.Name].(type) {
		case map[string]any:
			l.fixedFields(at+f.Name+".", f.Fields, value)
		case string:
			if err := neverFits(f, value); err != nil {
				l.never(l.lines[at+f.Name], l.prefix+"fields."+at+f.Name, "%v", err)
			}
			l.referToID(at, f, value, written)
		case []any:
			for _, one := range value {
				if text, ok := one.(string); ok {
					l.referToID(at, f, text, written)
				}
			}
		}
	}
}

// referToID notes a fixed id of something in the location.
func (l *callLoader) referToID(at string, f catalog.Field, text string, written map[string]any) {
	n := mention{kind: idsIn[f.Pick], text: text, Line: 1}
	if n.kind == "" || strings.TrimSpace(text) == "" || strings.Contains(text, "{{") {
		return
	}
	if n.kind == pipelineID && strings.Contains(strings.ToLower(f.Name), "stage") {
		n.kind = stageID
		if within, _ := written["pipelineId"].(string); !strings.Contains(within, "{{") {
			n.within = within
		}
	}
	l.refer("fields."+at+f.Name, &yaml.Node{Line: l.lines[at+f.Name]}, []mention{n})
}

var isoDay = regexp.MustCompile(`^\d{4}-\d\d-\d\d`)

func neverFits(f catalog.Field, text string) error {
	example, _ := f.Example.(string)
	if f.Type != catalog.String || strings.Contains(text, "{{") || strings.TrimSpace(text) == "" {
		return nil
	}
	if isoDay.MatchString(example) {
		if neverDate(text) != nil {
			return fmt.Errorf("%s is not a date; expected a form like %s, or an expression like {{ task.due }}", quoteShort(text), example)
		}
		return nil
	}
	if f.Name == "timezone" {
		_, err := LoadZone(text)
		return err
	}
	return nil
}

// exampleDate is an expression for a date of the automation's record.
func exampleDate(f *fields) string {
	for _, date := range []struct{ record, field string }{
		{"milestone", "date"}, {"task", "due"}, {"meeting", "start"}, {"appointment", "start"}, {"custom_data", "<word>"},
	} {
		if f.scope.has(date.record) {
			return "{{ " + date.record + "." + date.field + " }}"
		}
	}
	return "{{ contact.<field> }}"
}
