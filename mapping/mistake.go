package mapping

import (
	"fmt"
	"slices"
	"strings"
)

// LoadError lists everything that is wrong with a file of automations.
type LoadError struct {
	Mistakes []Mistake // by line; never empty
}

// Error gives a line for each mistake.
func (e *LoadError) Error() string {
	lines := make([]string, len(e.Mistakes))
	for i, m := range e.Mistakes {
		lines[i] = m.String()
	}
	return strings.Join(lines, "\n")
}

// Mistake is one thing that is wrong in a file of automations.
type Mistake struct {
	File    string
	Line    int    // from 1
	Field   string // such as "event.start"; empty for the whole automation or file
	Message string // what is wrong, and what is allowed or perhaps meant
}

// String writes the mistake as file:line: field: message.
func (m Mistake) String() string {
	if m.Field == "" {
		return fmt.Sprintf("%s:%d: %s", m.File, m.Line, m.Message)
	}
	return fmt.Sprintf("%s:%d: %s: %s", m.File, m.Line, m.Field, m.Message)
}

// mostMistakes limits how many mistakes one answer lists.
const mostMistakes = 100

// mistakes collects mistakes, so that a person sees all of them at once.
type mistakes struct {
	file     string
	lines    []string // of the file
	stored   bool     // the automations are in use: see never
	found    []Mistake
	doubts   []Mistake // mistakes of automations in use that show when they run
	mentions []mention // names that only a location or the whole file can check
}

func (m *mistakes) add(line int, field, format string, args ...any) {
	if len(m.found) >= mostMistakes {
		return
	}
	m.found = append(m.found, Mistake{m.file, max(1, line), field, fmt.Sprintf(format, args...)})
}

func (m *mistakes) err() error {
	if len(m.found) == 0 {
		return nil
	}
	slices.SortStableFunc(m.found, func(a, b Mistake) int { return a.Line - b.Line })
	return &LoadError{m.found}
}
