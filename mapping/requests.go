package mapping

import (
	"fmt"
	"time"
)

// Request names an item that becomes a meeting request in CalendarHero.
type Request struct {
	Key        string // the item's
	Automation string // the automation's name
	Kind       ItemKind
}

// Requests lists the events and tasks that automations that are on may want for a record of
// this kind, even if they do not want them now. It leaves out those of a meeting's own
// automations.
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

// InvitesOthers lists the events and tasks, of automations that are on, that may invite
// somebody other than the account's owner.
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

// itemKey returns the key of the item of an automation's action, counted from 0.
func itemKey(automation string, action int) string {
	return fmt.Sprintf("%s/%d", automation, action+1)
}

// WritesBack calls use with the key of each HighLevel note and task that automations may
// have written before now, until use returns true. It covers automations that are on, for a
// record of this kind and for its meetings.
func (s *Set) WritesBack(kind Kind, now time.Time, use func(key string) (enough bool)) {
	written := func(k ItemKind) bool { return k == ItemHighLevelNote || k == ItemHighLevelTask }
	asked := func(k ItemKind) bool { return k == ItemEvent || k == ItemTask }
	for _, a := range s.looking(kind) {
		if a.eachKey(now, written, use) {
			return
		}
	}
	for _, a := range s.looking(KindMeeting) {
		for _, of := range s.looking(kind) {
			if of.eachKey(now, asked, func(request string) bool {
				return a.eachKey(now, written, func(key string) bool { return use(key + "@" + request) })
			}) {
				return
			}
		}
	}
}

// eachKey calls use with the keys of the automation's items of the wanted kinds, until use
// returns true. If the automation makes an item for each date, it includes the keys of all
// dates.
func (a *Automation) eachKey(now time.Time, wanted func(ItemKind) bool, use func(key string) (enough bool)) (enough bool) {
	for i, act := range a.actions {
		if !wanted(act.kind()) {
			continue
		}
		key := itemKey(a.ID, i)
		if a.dated() && a.eachDate(now, key, use) || !a.dated() && use(key) {
			return true
		}
	}
	return false
}

func (a *Automation) eachDate(now time.Time, key string, use func(key string) (enough bool)) (enough bool) {
	last := now.Add(a.before).AddDate(1, 0, 2)
	for day := now.AddDate(-1, 0, -2); day.Before(last); day = day.AddDate(0, 0, 1) {
		if use(key + "#" + day.Format(time.DateOnly)) {
			return true
		}
	}
	return false
}
