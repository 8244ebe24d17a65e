package mapping

import (
	"errors"
	"strings"
)

// Considered is the result of one automation for a record: what it wants, or why it wants
// nothing.
type Considered struct {
	ID      string // of the automation
	Name    string
	Version int64  // as in Automation
	Meeting string // id of the meeting for which it was considered; "" = the record itself
	Items   []Item // the items that it wants
	// Reason says why it wants nothing, or not all of its actions: a condition, or a
	// mistake. It is for people, and holds personal data only if it is a Problem.
	Reason  string
	Problem bool // the reason is a mistake in the automation or the record
	// Condition is the part of the condition that was not met. Saw has the values that it
	// saw, which are personal data.
	Condition, Saw string
	// Conditions lists all parts of the condition.
	Conditions []Condition
}

// Condition is one part of a condition, with what it saw and whether it held.
type Condition struct {
	Text string // the expression
	Saw  string // contact.city is "Boston"; personal data
	Held bool
}

// Trace is Plan, and also says for each considered automation what it wants and why.
func (s *Set) Trace(kind Kind, f Facts) (Plan, []Considered) {
	var all []Considered
	tracing := *s
	tracing.tracing = &all
	return tracing.plan(kind, f, currentRules), all
}

// considered records the result of an automation. errs are the errors of its actions.
func (r *run) considered(a *Automation, items []Item, errs []error) {
	if r.set.tracing == nil || r.inNotes {
		return
	}
	c := Considered{ID: a.ID, Name: a.Name, Version: a.Version, Meeting: r.meeting.ID, Items: items, Conditions: r.traced}
	for _, err := range errs {
		var not unmet
		var why skip
		switch {
		case errors.As(err, &not):
			c.Reason, c.Condition, c.Saw = not.reason, not.condition, not.saw
		case errors.As(err, &why):
			c.Reason = string(why)
		default:
			c.Reason, c.Problem = err.Error(), true
		}
		if c.Problem {
			break
		}
	}
	*r.set.tracing = append(*r.set.tracing, c)
}

// trace evaluates each part of a condition by itself.
func (c *condition) trace(env map[string]any) []Condition {
	list := make([]Condition, len(c.parts))
	for i, part := range c.parts {
		held, err := part.program.holds(env)
		list[i] = Condition{Text: part.text, Saw: part.saw(env), Held: held && err == nil}
		if err != nil {
			list[i].Saw = strings.TrimPrefix(list[i].Saw+"; "+err.Error(), "; ")
		}
	}
	return list
}

// failed returns the first part that is not met and what it saw, such as contact.city is
// "Boston"; "" if that is unknown.
func (c *condition) failed(env map[string]any) (text, saw string) {
	for _, part := range c.parts {
		if holds, err := part.program.holds(env); err == nil && !holds {
			return part.text, part.saw(env)
		}
	}
	return "", ""
}

// saw returns the values that the part read.
func (p conditionPart) saw(env map[string]any) string {
	var told []string
	for _, path := range p.fields[:min(len(p.fields), mostSeen)] {
		told = append(told, strings.Join(path, ".")+" is "+asSeen(lookUp(env, path)))
	}
	return strings.Join(told, ", ")
}
