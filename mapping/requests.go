package mapping

import "fmt"

// Request names an item that becomes a meeting request in CalendarHero.
type Request struct {
	Key        string // the item's
	Automation string // the automation's name
	Kind       ItemKind
}

// Requests lists the events and tasks that the automations that are switched on
// may want for a record of this kind, whether they want them now or not. Those
// that a meeting's own automations want are not among them.
func (s *Set) Requests(kind Kind) (found []Request) {
	for _, a := range s.looking(kind) {
		for i, act := range a.actions {
			if act.kind() == ItemEvent || act.kind() == ItemTask {
				found = append(found, Request{itemKey(a.ID, i), a.Name, act.kind()})
			}
		}
	}
	return found
}

// InvitesOthers lists the events and tasks that the automations that are switched on
// may want with somebody else than the account's owner as the invitee.
func (s *Set) InvitesOthers() (found []Request) {
	for _, a := range s.automations {
		for i, act := range a.actions {
			m, ok := act.(*meeting)
			if !ok || a.State != StateOn {
				continue
			}
			if who, literal := m.invite.address.literal(); !literal || who != string(InviteOwner) && who != "" {
				found = append(found, Request{itemKey(a.ID, i), a.Name, act.kind()})
			}
		}
	}
	return found
}

// itemKey is the key of the item of an automation's action, counted from 0.
func itemKey(automation string, action int) string {
	return fmt.Sprintf("%s/%d", automation, action+1)
}

// WritesBack lists the keys of the notes and tasks in HighLevel that the
// automations that are switched on may want for a record of this kind, or for the
// meetings that are made for it.
func (s *Set) WritesBack(kind Kind) (keys []string) {
	writes := func(a *Automation, note func(key string)) {
		for i, act := range a.actions {
			if act.kind() == ItemHighLevelNote || act.kind() == ItemHighLevelTask {
				note(itemKey(a.ID, i))
			}
		}
	}
	for _, a := range s.looking(kind) {
		writes(a, func(key string) { keys = append(keys, key) })
	}
	requests := s.Requests(kind)
	for _, a := range s.looking(KindMeeting) {
		writes(a, func(key string) {
			for _, r := range requests {
				keys = append(keys, key+"@"+r.Key)
			}
		})
	}
	return keys
}
