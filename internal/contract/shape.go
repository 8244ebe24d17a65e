package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A shape is what is left of JSON without its values.
type shape struct {
	kinds  map[string]bool   // of what is no object and no list
	fields map[string]*shape // nil = no object
	items  *shape            // nil = no list, or an empty one
	list   bool
	more   bool // what lies deeper is left out
}

// shapeOf reads JSON down to a depth; items of a list are laid over each other.
func shapeOf(raw json.RawMessage, depth int) *shape {
	s := &shape{kinds: map[string]bool{}}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	switch {
	case len(bytes.TrimSpace(raw)) == 0:
		s.kinds["nothing"] = true
	case decoder.Decode(&value) != nil:
		s.kinds["no JSON"] = true
	default:
		s.lay(value, depth)
	}
	return s
}

func (s *shape) lay(value any, depth int) {
	switch value := value.(type) {
	case map[string]any:
		if s.fields == nil {
			s.fields = map[string]*shape{}
		}
		if depth == 0 {
			s.more = true
			return
		}
		for key, field := range value {
			if s.fields[key] == nil {
				s.fields[key] = &shape{kinds: map[string]bool{}}
			}
			s.fields[key].lay(field, depth-1)
		}
	case []any:
		s.list = true
		for _, item := range value {
			if s.items == nil {
				s.items = &shape{kinds: map[string]bool{}}
			}
			s.items.lay(item, depth)
		}
	case string:
		s.kinds[textKind(value)] = true
	case json.Number:
		s.kinds["number"] = true
	case bool:
		s.kinds["boolean"] = true
	default:
		s.kinds["null"] = true
	}
}

var (
	identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,39}$`)
	objectID   = regexp.MustCompile(`^[0-9a-f]{24}$`)
)

func textKind(text string) string {
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		kind := "text: date and time"
		if strings.Contains(text, ".") {
			kind += " with fractions"
		}
		if at.Location() == time.UTC {
			kind += ", UTC"
		}
		return kind
	}
	_, noDate := time.Parse(time.DateOnly, text)
	_, noLocal := time.Parse("2006-01-02T15:04:05.999999999", text)
	switch {
	case text == "":
		return "text: empty"
	case objectID.MatchString(text):
		return "text: 24 hex digits"
	case noDate == nil:
		return "text: date"
	case noLocal == nil:
		return "text: date and time without zone"
	case strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://"):
		return "text: URL"
	case strings.Contains(text, "@"):
		return "text: e-mail address"
	case strings.Trim(text, "0123456789") == "":
		return "text: digits"
	}
	return "text"
}

// kind names the outermost.
func (s *shape) kind() string {
	kinds := slices.Sorted(maps.Keys(s.kinds))
	if s.list {
		kinds = append(kinds, "a list")
	}
	if s.fields != nil {
		kinds = append(kinds, "an object")
	}
	return strings.Join(kinds, " or ")
}

// text writes the shape. show tells a field's name at a level of objects; those
// for which it has "" are laid over each other, as a name that is not shown.
func (s *shape) text(show func(key string, level int) string) string {
	var b strings.Builder
	s.write(&b, "", 0, show)
	return b.String()
}

const hidden = "(a name)"

func (s *shape) write(b *strings.Builder, indent string, level int, show func(string, int) string) {
	parts := slices.Sorted(maps.Keys(s.kinds))
	if s.list && s.items == nil {
		parts = append(parts, "[]")
	}
	b.WriteString(strings.Join(parts, " | "))
	if s.items != nil {
		separate(b, parts)
		b.WriteString("list of ")
		s.items.write(b, indent, level, show)
		parts = append(parts, "")
	}
	if s.fields == nil {
		return
	}
	separate(b, parts)
	switch {
	case s.more:
		b.WriteString("object")
		return
	case len(s.fields) == 0:
		b.WriteString("{}")
		return
	}
	shown := map[string]*shape{}
	for key, field := range s.fields {
		name := show(key, level)
		if name == "" {
			name = hidden
		}
		if shown[name] == nil {
			shown[name] = &shape{kinds: map[string]bool{}}
		}
		shown[name].merge(field)
	}
	b.WriteString("{\n")
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		fmt.Fprintf(b, "%s  %s: ", indent, name)
		shown[name].write(b, indent+"  ", level+1, show)
		b.WriteString("\n")
	}
	b.WriteString(indent + "}")
}

func separate(b *strings.Builder, parts []string) {
	if len(parts) > 0 {
		b.WriteString(" | ")
	}
}

func (s *shape) merge(other *shape) {
	maps.Copy(s.kinds, other.kinds)
	s.list, s.more = s.list || other.list, s.more || other.more
	if other.items != nil {
		if s.items == nil {
			s.items = &shape{kinds: map[string]bool{}}
		}
		s.items.merge(other.items)
	}
	if other.fields != nil && s.fields == nil {
		s.fields = map[string]*shape{}
	}
	for key, field := range other.fields {
		if s.fields[key] == nil {
			s.fields[key] = &shape{kinds: map[string]bool{}}
		}
		s.fields[key].merge(field)
	}
}

// names are words without regard to case.
type names map[string]bool

func (n names) add(words ...string) {
	for _, word := range words {
		n[strings.ToLower(word)] = true
	}
}

func (n names) has(word string) bool { return n[strings.ToLower(word)] }

// addTexts adds every text in JSON, and each word of it.
func (n names) addTexts(raw json.RawMessage) {
	var walk func(any)
	walk = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			for _, inner := range value {
				walk(inner)
			}
		case []any:
			for _, inner := range value {
				walk(inner)
			}
		case string:
			n.add(value)
			n.add(strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" @.+-_/,", r) })...)
		}
	}
	var value any
	if json.Unmarshal(raw, &value) == nil {
		walk(value)
	}
}
