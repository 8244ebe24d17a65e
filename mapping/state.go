package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// State says whether an automation works.
type State string

// The states of an automation. While an automation is not on, everything that it made stays
// unchanged, until a person agrees to its removal: see Set.Leaves.
const (
	StateOn     State = "on"
	StatePaused State = "paused" // its items stay unchanged; it catches up when switched on again
	StateOff    State = "off"    // its items stay until a person removes them
)

var states = []State{StateOn, StatePaused, StateOff}

// Valid reports whether it is one of the states.
func (s State) Valid() bool { return slices.Contains(states, s) }

// state reads `state: on`, or `enabled: true` of an earlier version.
func (f *fields) state() State {
	switch {
	case f.has("state") && f.has("enabled"):
		f.wrong("enabled", "goes without state; write state: on, paused or off alone")
	case f.has("state"):
		if v := f.values["state"]; v.Kind == yaml.ScalarNode && State(v.Value).Valid() {
			return State(v.Value)
		}
		f.wrong("state", "must be on, paused or off, this is %s", describe(f.values["state"]))
	case !f.flag("enabled", true):
		return StateOff
	}
	return StateOn
}

// WithState returns the text of one automation with another state. The rest of the text
// does not change.
func WithState(text string, s State) (string, error) {
	root, err := oneEntry(text)
	if err != nil {
		return "", err
	}
	was, at := StateOn, (*yaml.Node)(nil)
	var value *yaml.Node
	var on *yaml.Node
	for i := 0; i+1 < len(root.Content); i += 2 {
		switch key := root.Content[i]; key.Value {
		case "state":
			was, at, value = State(root.Content[i+1].Value), key, root.Content[i+1]
		case "enabled":
			at, value = key, root.Content[i+1]
			if was = StateOn; strings.EqualFold(value.Value, "false") {
				was = StateOff
			}
		case "on":
			on = key
		}
	}
	switch {
	case was == s:
		return text, nil
	case at != nil && value.Line == at.Line:
		width := utf8.RuneCountInString(value.Value)
		if value.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
			width += 2
		}
		text = splice(text, at.Line, at.Column, value.Column+width-at.Column, "state: "+string(s))
	case at != nil || on == nil:
		return "", errors.New("the text of the automation has its state in a form that cannot be changed; write state: on")
	case root.Style&yaml.FlowStyle != 0:
		text = splice(text, on.Line, on.Column, 0, "state: "+string(s)+", ")
	default:
		text = splice(text, on.Line, on.Column, 0, "state: "+string(s)+"\n"+strings.Repeat(" ", on.Column-1))
	}
	if now, err := LoadStored("", []byte(text)); err != nil || now.automations[0].State != s {
		return "", fmt.Errorf("the state of the automation cannot be changed in its text; write state: %s into it", s)
	}
	return text, nil
}

// splice replaces n characters at a line and column, both from 1.
func splice(text string, line, column, n int, by string) string {
	lines := strings.SplitAfter(text, "\n")
	runes := []rune(lines[line-1])
	lines[line-1] = string(runes[:column-1]) + by + string(runes[column-1+n:])
	return strings.Join(lines, "")
}
