package mapping

import (
	"errors"
	"strings"
)

// Considered says what one automation made of a record: what it wants, or why it
// wants nothing.
type Considered struct {
	ID      string // of the automation
	Name    string
	Version int64  // as Automation's
	Meeting string // id of the meeting that it was looked at for; "" = for the record itself
	Items   []Item // that it wants
	// Reason says, if it wants nothing or less than all of its actions, why: a
	// condition, or what is wrong. For people; no personal data, but of a problem.
	Reason  string
	Problem bool // the reason is a mistake, of the automation or of the record
	// Condition is the part of the condition that was not met, and Saw the values that
	// it saw. Saw is personal data.
	Condition, Saw string
	// Conditions are all parts of the condition.
	Conditions []Condition
}

// Condition is one part of a condition, with what it saw and whether it held.
type Condition struct {
	Text string // the expression
	Saw  string // contact.city is "Boston"; personal data
	Held bool
}

// Trace is Plan, and says of each automation that was considered what it wants and
// why.
func (s *Set) Trace(kind Kind, f Facts) (Plan, []Considered) {
	var all []Considered
	tracing := *s
	tracing.tracing = &all
	return tracing.plan(kind, f, currentRules), all
}

// considered notes what came of an automation. errs are those of its actions, of
// which each may have another.
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

// failed returns which part is the first that is not met, and what it saw, e.g.
// contact.city is "Boston"; "" if that cannot be told.
func (c *condition) failed(env map[string]any) (text, saw string) {
	for _, part := range c.parts {
		if holds, err := part.program.holds(env); err == nil && !holds {
			return part.text, part.saw(env)
		}
	}
	return "", ""
}

// saw returns what the part looked at.
func (p conditionPart) saw(env map[string]any) string {
	var told []string
	for _, path := range p.fields[:min(len(p.fields), mostSeen)] {
		told = append(told, strings.Join(path, ".")+" is "+asSeen(lookUp(env, path)))
	}
	return strings.Join(told, ", ")
}
