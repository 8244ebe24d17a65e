package meeting

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"milepost/clients/calendarhero"
	"milepost/internal/store"
	"milepost/mapping"
)

// View is what CalendarHero shows and says about a meeting at one time.
type View struct {
	Listed   Listed
	IsListed bool         // false: no list shows it
	Events   []string     // of webhooks that no sync has handled
	Links    []store.Link // of items that the request was made for
}

func (v View) says(triggers ...mapping.Trigger) bool {
	return slices.ContainsFunc(triggers, func(t mapping.Trigger) bool { return slices.Contains(v.Events, string(t)) })
}

// endings are the events after which a request is in no open list. If there are
// several, the first of these counts.
var endings = []struct {
	trigger mapping.Trigger
	state   mapping.MeetingState
}{
	{mapping.MeetingRequestCancelled, mapping.MeetingCancelled},
	{mapping.MeetingOver, mapping.MeetingCompleted},
	{mapping.MeetingRequestExpired, mapping.MeetingExpired},
}

// EndedBy reports whether one of the events says how the meeting ended.
func EndedBy(events []string) bool {
	return View{Events: events}.says(mapping.MeetingRequestCancelled, mapping.MeetingOver, mapping.MeetingRequestExpired)
}

// Observe returns what is known of a meeting after a look at the lists. If the lists
// and an event contradict each other, or no list shows the meeting any more,
// unclear says why the lists should be read again. The meeting is what to believe if
// they then still say the same.
func Observe(m store.Meeting, v View, now time.Time) (_ store.Meeting, unclear error) {
	if !v.IsListed {
		m, unclear = observeMissing(m, v, now)
	} else {
		m, unclear = observeListed(m, v, now)
	}
	m.Happened = Happened(m, now)
	return m, unclear
}

func observeMissing(m store.Meeting, v View, now time.Time) (_ store.Meeting, unclear error) {
	before := mapping.MeetingState(m.State)
	m.State = string(ended(v.Events, before, m.End, now))
	if EndedBy(v.Events) || before.Ended() {
		return m, nil
	}
	if m.MissingAt.IsZero() {
		m.MissingAt = now
	}
	return m, errors.New("no list of CalendarHero shows the meeting request; Milepost checks again")
}

func observeListed(m store.Meeting, v View, now time.Time) (_ store.Meeting, unclear error) {
	listed, before := v.Listed, mapping.MeetingState(m.State)
	m.MissingAt, m.Status, m.Title, m.Type, m.ChangedAt = time.Time{}, listed.Status, listed.Title, listed.Type, listed.DateUpdated
	if listed.List == calendarhero.StateActive && !listed.SaysMoved() && !v.says(mapping.MeetingMoved) {
		listed.Start, listed.End = asAsked(m, v)
	}
	same := listed.At(m.Start, m.End)
	if listed.Timed() {
		m.Start, m.End = listed.Start, listed.End
	}
	m.Emails = nil
	for _, e := range listed.Emails {
		m.Emails = append(m.Emails, strings.ToLower(e))
	}
	if at, known := m.Happened[string(mapping.MeetingMoved)]; known && at.IsZero() && !same {
		m.Happened = maps.Clone(m.Happened) // it was moved before Milepost knew it, and now again
		delete(m.Happened, string(mapping.MeetingMoved))
	}
	state := stateOf(listed, before, wasMoved(m, before, same, v), v.Events, now)
	m.State = string(state)
	switch {
	case state.Ended():
	case EndedBy(v.Events):
		unclear = errors.New("an event says that the meeting ended, but CalendarHero's list still shows it; Milepost checks again")
	case v.says(mapping.MeetingRequestSuccess) && state == mapping.MeetingPending:
		unclear = errors.New("an event says that the meeting was booked, but CalendarHero's list does not show it yet; Milepost checks again")
	case v.says(mapping.MeetingMoved) && same && before != "" && before != mapping.MeetingRescheduled:
		unclear = errors.New("an event says that the meeting was moved, but CalendarHero's list does not show it yet; Milepost checks again")
	}
	return m, unclear
}

// wasMoved reports whether a meeting is no longer where Milepost asked for it, or
// where people first agreed to have it.
func wasMoved(m store.Meeting, before mapping.MeetingState, same bool, v View) bool {
	if before == mapping.MeetingRescheduled || v.Listed.SaysMoved() || !same && (before == mapping.MeetingBooked || before == mapping.MeetingPending) {
		return true
	}
	return !m.Start.IsZero() && slices.ContainsFunc(v.Links, func(l store.Link) bool {
		return l.ObjectID == m.ID && l.Meeting != string(mapping.MeetingRescheduled) && !(Near(m.Start, l.Start) && Near(m.End, l.End))
	})
}

// asAsked are the times of a request that nobody has answered. They are those that
// were asked for, because its list may show rounded times or a proposal. For a
// request that people made, the list is all there is.
func asAsked(m store.Meeting, v View) (start, end time.Time) {
	for _, l := range v.Links {
		if l.ObjectID == v.Listed.ID {
			return l.Start, l.End
		}
	}
	if !m.Start.IsZero() {
		return m.Start, m.End
	}
	return v.Listed.Start, v.Listed.End
}

// stateOf is the state of a request that a list shows. The list decides. The words
// of the status are not documented, so they only tell how a closed request ended.
func stateOf(r Listed, before mapping.MeetingState, moved bool, events []string, now time.Time) mapping.MeetingState {
	switch {
	case r.Open() && moved:
		return mapping.MeetingRescheduled
	case r.List == calendarhero.StateActive:
		return mapping.MeetingPending
	case r.List == calendarhero.StateUpcoming:
		return mapping.MeetingBooked
	}
	switch word := strings.ToLower(r.Status); {
	case strings.Contains(word, "cancel"):
		return mapping.MeetingCancelled
	case strings.Contains(word, "expire"):
		return mapping.MeetingExpired
	case strings.Contains(word, "complete"):
		return mapping.MeetingCompleted
	}
	return ended(events, before, r.End, now)
}

// ended says how a meeting ended that no list shows: by the event, or, without one,
// by whether its time has come.
func ended(events []string, before mapping.MeetingState, end, now time.Time) mapping.MeetingState {
	for _, e := range endings {
		if slices.Contains(events, string(e.trigger)) {
			return e.state
		}
	}
	booked := before == mapping.MeetingBooked || before == mapping.MeetingRescheduled
	switch {
	case before.Ended():
		return before
	case !end.IsZero() && !end.After(now) && booked:
		return mapping.MeetingCompleted
	case !end.IsZero() && !end.After(now):
		return mapping.MeetingExpired
	}
	return mapping.MeetingGone
}

// Happened adds what the state of a meeting implies to what has happened to it. A
// meeting that is first seen after it ended was requested and booked too.
func Happened(m store.Meeting, now time.Time) map[string]time.Time {
	out := make(map[string]time.Time, len(m.Happened)+2)
	maps.Copy(out, m.Happened)
	note := func(triggers ...mapping.Trigger) {
		for _, t := range triggers {
			if _, noted := out[string(t)]; !noted {
				out[string(t)] = now
			}
		}
	}
	note(mapping.NewMeetingRequest)
	started := !m.Start.IsZero() && !m.Start.After(now)
	switch mapping.MeetingState(m.State) {
	case mapping.MeetingPending:
		delete(out, string(mapping.MeetingRequestCancelled)) // it exists again
	case mapping.MeetingRescheduled:
		note(mapping.MeetingRequestSuccess, mapping.MeetingMoved)
		if started {
			note(mapping.MeetingStarted)
		}
	case mapping.MeetingBooked:
		note(mapping.MeetingRequestSuccess)
		if started {
			note(mapping.MeetingStarted)
		}
	case mapping.MeetingCompleted:
		note(mapping.MeetingRequestSuccess, mapping.MeetingStarted, mapping.MeetingOver)
	case mapping.MeetingExpired:
		note(mapping.MeetingRequestExpired)
	case mapping.MeetingCancelled, mapping.MeetingGone:
		note(mapping.MeetingRequestCancelled)
	}
	return out
}

// NotNews has all that happened to a meeting count as before Milepost first saw it,
// so that no automation acts on it.
func NotNews(m store.Meeting) store.Meeting {
	m.Happened = maps.Clone(m.Happened)
	for trigger := range m.Happened {
		m.Happened[trigger] = time.Time{}
	}
	return m
}

// AsFound is a meeting that existed before Milepost first read the lists, without
// personal data.
func AsFound(location string, listed Listed, now time.Time) store.Meeting {
	m, _ := Observe(store.Meeting{LocationID: location, ID: listed.ID}, View{Listed: listed, IsListed: true}, now)
	return NotNews(Impersonal(m))
}

// Impersonal is what may be kept of a meeting that belongs to no contact.
func Impersonal(m store.Meeting) store.Meeting {
	m.Title, m.Emails = "", nil
	return m
}

// OwnerSees is the part of a meeting whose change the sync of its record must see.
func OwnerSees(m store.Meeting) any { return []any{m.State, m.Start, m.End, m.Happened} }

// Facts is a meeting as automations see it, made for an item or for none. Anything
// that was so before Milepost first saw it did not happen for them.
func Facts(m store.Meeting, item string) mapping.Meeting {
	out := mapping.Meeting{
		ID: m.ID, Item: item, Title: strings.TrimSpace(Unmarked(m.Title)), State: mapping.MeetingState(m.State),
		Type: m.Type, Start: m.Start, End: m.End, Emails: m.Emails, Happened: map[mapping.Trigger]time.Time{},
	}
	for trigger, at := range m.Happened {
		if !at.IsZero() {
			out.Happened[mapping.Trigger(trigger)] = at
		}
	}
	return out
}

// Differs reports whether an open list shows something else than is known of a
// meeting, or whether time has passed that changes its state.
func Differs(m store.Meeting, listed Listed, now time.Time) bool {
	state, upcoming := mapping.MeetingState(m.State), listed.List == calendarhero.StateUpcoming
	booked := state == mapping.MeetingBooked || state == mapping.MeetingRescheduled
	_, started := m.Happened[string(mapping.MeetingStarted)]
	switch {
	case state.Ended(),
		booked != upcoming && state != mapping.MeetingRescheduled,
		booked && !started && !m.Start.IsZero() && !m.Start.After(now),
		m.Status != "" && m.Status != listed.Status,
		(upcoming || listed.SaysMoved()) && listed.Timed() && !listed.At(m.Start, m.End):
		return true
	}
	return m.Title != "" && MarkerIn(m.Title) == "" && m.Title != listed.Title // "": it belongs to no contact, or was erased
}
