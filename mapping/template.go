package mapping

import (
	"errors"
	"fmt"
	"strings"
)

// template is a text with {{ expression }} holes; safe for concurrent use.
type template struct {
	source string
	parts  []part
	reads  reads
	names  []mention // in its holes, by line from 1
	doubts []*expressionError
}

// part is literal text, or a hole.
type part struct {
	text string
	hole *expression
}

// mostHoles limits the holes of one text.
const mostHoles = 200

// compileTemplate compiles a text with holes. A hole ends at the first }} outside
// quotes. Its errors are *expressionError, with the line in the whole text.
func compileTemplate(source string, s scope) (*template, error) {
	t := &template{source: source}
	rest, holes := source, 0
	fail := func(message string) error {
		return &expressionError{1 + strings.Count(source[:len(source)-len(rest)], "\n"), message}
	}
	for rest != "" {
		before, after, found := strings.Cut(rest, "{{")
		if strings.Contains(before, "}}") {
			return nil, fail(`there is a "}}" without its "{{"`)
		}
		if before != "" {
			t.parts = append(t.parts, part{text: before})
		}
		if !found {
			break
		}
		rest = after
		if holes++; holes > mostHoles {
			return nil, fail(fmt.Sprintf("the text has more than %d holes", mostHoles))
		}
		end := holeEnd(rest)
		if end < 0 {
			return nil, fail(`there is a "{{" without its "}}"`)
		}
		hole, err := compileExpression(rest[:end], s)
		if err != nil {
			var inner *expressionError
			if errors.As(err, &inner) {
				return nil, &expressionError{strings.Count(source[:len(source)-len(rest)], "\n") + inner.line, inner.message}
			}
			return nil, fail(err.Error())
		}
		t.parts = append(t.parts, part{hole: hole})
		t.reads.add(hole.reads)
		for _, d := range hole.doubts {
			t.doubts = append(t.doubts, &expressionError{d.line + strings.Count(source[:len(source)-len(rest)], "\n"), d.message})
		}
		for _, n := range hole.names {
			n.Line += strings.Count(source[:len(source)-len(rest)], "\n")
			t.names = append(t.names, n)
		}
		rest = rest[end+2:]
	}
	return t, nil
}

// holeEnd finds the }} that ends a hole, past any in quotes; -1 if there is none.
func holeEnd(s string) int {
	var quote byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0 && c == '\\' && quote != '`':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"', c == '\'', c == '`':
			quote = c
		case strings.HasPrefix(s[i:], "}}"):
			return i
		}
	}
	return -1
}

// literal reports whether the template has no holes, and its text.
func (t *template) literal() (string, bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].hole == nil:
		return t.parts[0].text, true
	}
	return "", false
}

// contactField reports whether the template is exactly {{ contact.<key> }}, and which.
func (t *template) contactField() (key string, ok bool) {
	inner, opened := strings.CutPrefix(strings.TrimSpace(t.source), "{{")
	inner, closed := strings.CutSuffix(inner, "}}")
	key, ok = contactReference(strings.TrimSpace(inner))
	return key, ok && opened && closed
}

// value fills in the holes. A template that is only one hole, apart from spaces around it,
// keeps the type of its value: a list stays a list.
func (t *template) value(env map[string]any) (any, error) {
	if hole := t.onlyHole(); hole != nil {
		return hole.eval(env)
	}
	return t.text(env)
}

func (t *template) onlyHole() (hole *expression) {
	for _, p := range t.parts {
		switch {
		case p.hole == nil && strings.TrimSpace(p.text) == "":
		case p.hole == nil, hole != nil:
			return nil
		default:
			hole = p.hole
		}
	}
	return hole
}

// text fills in the holes; a field without a value becomes an empty text.
func (t *template) text(env map[string]any) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.hole == nil {
			b.WriteString(p.text)
			continue
		}
		v, err := p.hole.eval(env)
		if err != nil {
			return "", err
		}
		if b.WriteString(printed(v)); b.Len() > longestFilled {
			return "", tooLong()
		}
	}
	return b.String(), nil
}
