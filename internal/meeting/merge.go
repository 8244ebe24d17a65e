package meeting

import (
	"fmt"
	"strings"
	"time"

	"milepost/internal/store"
	"milepost/mapping"
)

// Known is what is known of the meeting of a link: m, what CalendarHero showed last,
// completed by what was written while it showed nothing yet.
func Known(m store.Meeting, link store.Link) store.Meeting {
	if m.State == "" {
		m.State = link.Meeting
	}
	if m.State == "" {
		m.State = string(mapping.MeetingPending)
	}
	if m.Start.IsZero() || m.End.IsZero() {
		m.Start, m.End = link.Start, link.End
	}
	return m
}

// Merged is a link after Merge.
type Merged struct {
	Link     store.Link
	Want     Request // at the times that win
	Moved    bool    // people moved the meeting, so its reminders move too
	Entries  []Entry // for the timeline
	Conflict string  // which change wins, if both sides changed; else ""
}

// Entry is a line of the timeline.
type Entry struct{ What, Detail string }

// Acknowledge compares what an item asks for with the times that Milepost itself
// wrote to its record. If the record now asks for them, that is the echo of the
// write, and no change of a person's.
func Acknowledge(link store.Link, item mapping.Item, want Request) store.Link {
	if link.FollowedStart.IsZero() || asksForSource(item, link) {
		return link
	}
	if Agrees(item, link.FollowedStart, link.FollowedEnd) {
		link = Accept(link, item, want)
	}
	link.FollowedStart, link.FollowedEnd = time.Time{}, time.Time{}
	return link
}

// Merge brings a live link in step with what became of its meeting in CalendarHero,
// before it is compared with what the record asks for. A meeting that people moved
// stays where it is: the request then asks for its times. If the record's times
// changed too, the conflict rule of the automation decides which times win.
//
// The link keeps the last state of both sides: SourceStart and SourceEnd of the
// record, Start, End and Meeting of CalendarHero. changedAt is when the record
// changed; zero if unknown.
func Merge(link store.Link, m store.Meeting, item mapping.Item, want Request, changedAt, now time.Time) Merged {
	state := mapping.MeetingState(m.State)
	out := Merged{Link: link, Want: want, Moved: !state.Ended() && !(Near(m.Start, link.Start) && Near(m.End, link.End))}
	out.Link.Meeting = m.State
	if out.Moved {
		out.tell(link.ItemKind+" moved in CalendarHero", "%s: from %s to %s", link.Title, Period(link.Start, link.End, item.Zone), Period(m.Start, m.End, item.Zone))
		out.Link.Start, out.Link.End = m.Start, m.End
	} else if m.State != link.Meeting && !(state == mapping.MeetingPending && link.Meeting == "") {
		out.tell(link.ItemKind+" "+m.State+" in CalendarHero", "%s", link.Title)
	}
	switch {
	case state.Ended():
		// Nobody called off a meeting that merely expired or took place.
		calledOff := (state == mapping.MeetingCancelled || state == mapping.MeetingGone) && !mapping.MeetingState(link.Meeting).Ended()
		switch changed := want.Material != link.Material; {
		case changed && calledOff:
			out.callOff(m, item, changedAt)
		case changed && !want.End.After(now):
			// Nothing is created in the past. To ask for the former time again is a change, and
			// if the clock was ahead, what is asked for now is one too.
			out.Link.Material, out.Link.Content = "", ""
		}
	case asksForSource(item, link):
		out.Want.Pin(out.Link.Start, out.Link.End) // the record asks for nothing new
	case out.displaced() && Agrees(item, out.Link.Start, out.Link.End):
		out.stay(item) // HighLevel followed: it asks for where people moved the meeting
	case out.displaced() && Agrees(item, link.SourceStart, link.SourceEnd):
		out.stay(item) // only the automation's hour or duration changed, and people moved the meeting
	case out.Moved:
		out.retime(m, item, changedAt)
	}
	return out
}

// callOff decides between a meeting that was called off in CalendarHero and a change
// of its record.
func (out *Merged) callOff(m store.Meeting, item mapping.Item, changedAt time.Time) {
	title := out.Link.Title
	if recordWins(item, m, changedAt) {
		out.Conflict = "the change in HighLevel wins"
		out.tell("conflict", "%s: HighLevel's change wins, so Milepost creates it again; it was %s in CalendarHero", title, m.State)
		return
	}
	out.Conflict = "the cancellation in CalendarHero wins"
	out.tell("conflict", "%s: %s in CalendarHero wins; HighLevel asked for %s, %s", title, m.State, item.Title, Period(item.Start, item.End, item.Zone))
	out.settle(item)
}

// settle notes what the record asks for as if it had been done.
func (out *Merged) settle(item mapping.Item) {
	out.Link.Material, out.Link.Content, out.Link.SourceStart, out.Link.SourceEnd = out.Want.Material, out.Want.Content, item.Start, item.End
}

// retime decides between two new times.
func (out *Merged) retime(m store.Meeting, item mapping.Item, changedAt time.Time) {
	title, theirs, ours := out.Link.Title, Period(m.Start, m.End, item.Zone), Period(item.Start, item.End, item.Zone)
	if recordWins(item, m, changedAt) {
		out.Conflict = "the time in HighLevel wins"
		out.tell("conflict", "%s: %s of HighLevel wins; CalendarHero had %s", title, ours, theirs)
		return
	}
	out.Conflict = "the time in CalendarHero wins"
	out.tell("conflict", "%s: %s of CalendarHero wins; HighLevel asked for %s", title, theirs, ours)
	out.stay(item)
}

// displaced reports whether the meeting is at other times than its record asked
// for, because people moved it now or earlier. If it is not, a new hour or duration
// is a change like any other.
func (out *Merged) displaced() bool {
	return out.Moved || !(Near(out.Link.Start, out.Link.SourceStart) && Near(out.Link.End, out.Link.SourceEnd))
}

// stay accepts the times of the record without a new request.
func (out *Merged) stay(item mapping.Item) {
	out.Link = Accept(out.Link, item, out.Want)
	out.Want.Pin(out.Link.Start, out.Link.End)
}

func (out *Merged) tell(what, detail string, args ...any) {
	out.Entries = append(out.Entries, Entry{what, fmt.Sprintf(detail, args...)})
}

// Accept notes the times that a record asks for, without a new request. Anything
// else that differs is still compared.
func Accept(link store.Link, item mapping.Item, want Request) store.Link {
	as := want.Pinned(link.SourceStart, link.SourceEnd) // what the record would ask for, had its times not changed
	if as.Material == link.Material {
		link.Material = want.Material
	}
	if as.Content == link.Content {
		link.Content = want.Content
	}
	link.SourceStart, link.SourceEnd = item.Start, item.End
	return link
}

// asksForSource reports whether an item asks for the same times as when its link was
// last compared.
func asksForSource(item mapping.Item, link store.Link) bool {
	return item.Start.Equal(link.SourceStart) && item.End.Equal(link.SourceEnd)
}

// Agrees reports whether an item asks for the time of a meeting: the start of an
// event, the end of a task, because people may give the meeting another length. A
// date without a time agrees with any time of the day.
func Agrees(item mapping.Item, start, end time.Time) bool {
	asked, is := item.Start, start
	if item.Kind == mapping.ItemTask {
		asked, is = item.End, end
	}
	if !item.DateOnly {
		return Near(asked, is)
	}
	zone := item.Zone
	if zone == nil {
		zone = time.UTC
	}
	return asked.In(zone).Format(time.DateOnly) == is.In(zone).Format(time.DateOnly)
}

// recordWins reports whether HighLevel's change wins over one in CalendarHero.
func recordWins(item mapping.Item, m store.Meeting, changedAt time.Time) bool {
	switch item.Conflict {
	case mapping.HighLevelWins:
		return true
	case mapping.CalendarHeroWins:
		return false
	}
	return changedAt.IsZero() || m.ChangedAt.IsZero() || !m.ChangedAt.After(changedAt)
}

// Period writes a time from and to for people, in the location's zone.
func Period(start, end time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	return start.In(zone).Format("2006-01-02 15:04") + "–" + end.In(zone).Format("15:04 MST")
}

// Span writes a duration in days, hours and minutes: "1d", "1h30m"; less than a minute
// in seconds.
func Span(d time.Duration) string {
	var b strings.Builder
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d %= u.unit
		}
	}
	if b.Len() == 0 {
		return d.Round(time.Second).String()
	}
	return b.String()
}
