package mapping

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Part is a Set of one automation, with the number of its version.
type Part struct {
	*Set
	Version int64 // 0 = none, as in a file
}

// Join makes one Set of automations that were loaded one by one. So a change of one of a
// thousand automations compiles only one. No two may have the same id or name.
func Join(parts []Part) (*Set, error) {
	joined := &Set{automations: make([]*Automation, 0, len(parts))}
	ids, names := make(map[string]bool, len(parts)), make(map[string]string, len(parts))
	for _, part := range parts {
		for _, a := range part.automations {
			if ids[a.ID] {
				return nil, fmt.Errorf("two automations have the id %q", a.ID)
			}
			folded := strings.ToLower(a.Name)
			if other, taken := names[folded]; taken {
				return nil, fmt.Errorf("%s and %s have the same name %q; give one of them another name", other, a.ID, a.Name)
			}
			ids[a.ID], names[folded] = true, a.ID
			versioned := *a
			versioned.Version = part.Version
			joined.automations = append(joined.automations, &versioned)
		}
		joined.names = append(joined.names, part.names...)
		joined.doubts = append(joined.doubts, part.doubts...)
	}
	return joined, nil
}

// Doubts lists what fails whenever the automations that are on run, as their fixed texts
// show. Only a Set from LoadStored has any.
func (s *Set) Doubts() []Mistake { return slices.Clone(s.doubts) }

// Find returns the automation with an id, or nil.
func (s *Set) Find(id string) *Automation {
	for _, a := range s.Automations() {
		if a.ID == id {
			return a
		}
	}
	return nil
}

// AutomationOf returns the id of the automation of an item's key.
func AutomationOf(key string) string {
	id, _, _ := strings.Cut(key, "/")
	return id
}

// Removing returns the Set with automations whose items may be removed, because a person
// agreed. It has an effect only for automations that are off or not in the Set.
func (s *Set) Removing(ids []string) *Set {
	with := *s
	with.removed = make(map[string]bool, len(ids))
	for _, id := range ids {
		with.removed[id] = true
	}
	return &with
}

// Leaves reports whether an item's object must stay unchanged, because its automation is
// paused, off, deleted, or no longer in the file. If the automation is off or gone and a
// person agreed to the removal, the object is removed instead.
func (s *Set) Leaves(key string) bool {
	if s == nil {
		return true
	}
	id := AutomationOf(key)
	for _, a := range s.automations {
		if a.ID == id {
			return a.State == StatePaused || a.State == StateOff && !s.removed[id]
		}
	}
	return !s.removed[id]
}

// Reminds reports whether the automation of an event or task item still asks for a reminder
// that long before. For an unknown item it returns true.
func (s *Set) Reminds(key string, before time.Duration) bool {
	a := s.Find(AutomationOf(key))
	if a == nil {
		return true
	}
	base, _, _ := strings.Cut(key, "@")
	base, _ = DatedKey(base)
	for i, act := range a.actions {
		if m, ok := act.(*meeting); ok && itemKey(a.ID, i) == base {
			return slices.Contains(m.reminders, before)
		}
	}
	return true
}
