package sync

import (
	"fmt"
	"slices"
	"strings"

	"milepost/internal/order"
	"milepost/internal/store"
	"milepost/mapping"
)

// plan evaluates the automations, and notes what each decided about the record.
func (s *entitySync) plan(kind mapping.Kind, facts mapping.Facts) mapping.Plan {
	plan, considered := s.automations.Trace(kind, facts)
	if s.rehearser != nil {
		s.rehearser.now.Facts, s.rehearser.now.Plan, s.rehearser.now.Considered = facts, plan, considered
	}
	s.result.considered = append(s.result.considered, s.left()...)
	for _, c := range considered {
		var conditions []store.Condition
		for _, part := range c.Conditions {
			conditions = append(conditions, store.Condition(part))
		}
		s.result.considered = append(s.result.considered, store.Considered{
			Automation: c.ID, Version: c.Version, Meeting: c.Meeting, Wants: len(c.Items), Reason: c.Reason, Condition: c.Condition, Saw: c.Saw,
			Conditions: conditions,
		})
	}
	return plan
}

// left returns the automations that are not on and whose objects the sync left unchanged.
func (s *entitySync) left() (list []store.Considered) {
	for key, link := range s.links {
		id := mapping.AutomationOf(key)
		if link.State == store.LinkGone || !s.leaves(key) || slices.ContainsFunc(list, func(c store.Considered) bool { return c.Automation == id }) {
			continue
		}
		c := store.Considered{Automation: id, Left: true, Reason: "the automation is deleted; what it made stays as it is"}
		if a := s.automations.Find(id); a != nil {
			c.Version, c.Reason = a.Version, fmt.Sprintf("the automation is %s; what it made stays as it is", a.State)
		}
		list = append(list, c)
	}
	order.By(list, func(a, b store.Considered) int { return strings.Compare(a.Automation, b.Automation) })
	return list
}

// leaves reports whether the object of an item stays exactly as it is, because its
// automation is paused, off or gone. If a record is deleted or forgotten, its objects go,
// whatever the state of the automation.
func (s *entitySync) leaves(key string) bool { return !s.gone && s.automations.Leaves(key) }

// removes reports whether objects exist of an automation that is off or gone, and a person
// agreed to remove them.
func (s *entitySync) removes() bool {
	for key, link := range s.links {
		if a := s.automations.Find(mapping.AutomationOf(key)); link.State != store.LinkGone && !s.leaves(key) && (a == nil || a.State == mapping.StateOff) {
			return true
		}
	}
	return false
}
