package ical

import (
	"fmt"
	"time"
)

// The years that a VTIMEZONE may cover: there are parsers that know no time
// before, and a date that was mistyped must not make a calendar of megabytes.
var (
	firstOnset = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	lastOnset  = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

// TimeZone writes the VTIMEZONE of a zone for the time from one moment to another,
// from Go's tz data: one observance for each change of the offset or of its
// name, as it was or is to be, so that no rule has to be guessed. Times in the
// zone that it covers are written in the zone from then on. UTC needs none.
func (w *Writer) TimeZone(zone *time.Location, from, to time.Time) {
	if zone == time.UTC || zone.String() == "UTC" || zone == time.Local {
		return
	}
	if from.Before(firstOnset) {
		from = firstOnset
	}
	if to.After(lastOnset) {
		to = lastOnset
	}
	if from, to = from.In(zone), to.In(zone); to.Before(from) {
		return
	}
	w.zones[zone.String()] = span{from, to}
	w.put("BEGIN", "VTIMEZONE")
	w.put("TZID", zone.String())
	for t, last := from, (observed{}); ; {
		onset, end := t.ZoneBounds()
		if now := observe(t); now != last {
			w.observance(onset, t)
			last = now
		}
		if end.IsZero() || end.After(to) {
			break
		}
		// Go ends a rule's leap years a day early, and on that day gives an end that
		// has passed.
		if t = t.Add(time.Hour); t.Before(end) {
			t = end
		}
	}
	w.put("END", "VTIMEZONE")
}

// observed is what clocks and people say of a moment.
type observed struct {
	name   string
	offset int
	summer bool
}

func observe(t time.Time) observed {
	name, offset := t.Zone()
	return observed{name, offset, t.IsDST()}
}

// observance writes what holds at a moment, which began at onset; the zero
// onset = it always did.
func (w *Writer) observance(onset, t time.Time) {
	name, offset := t.Zone()
	before := offset
	if onset.Before(firstOnset) {
		onset = firstOnset.Add(-time.Duration(offset) * time.Second) // midnight there
	} else {
		_, before = onset.Add(-time.Second).Zone()
	}
	kind := "STANDARD"
	if t.IsDST() {
		kind = "DAYLIGHT"
	}
	w.put("BEGIN", kind)
	// The onset is told by the clocks of the time before it.
	w.put("DTSTART", onset.UTC().Add(time.Duration(before)*time.Second).Format(formLocal))
	w.put("TZOFFSETFROM", offsetText(before))
	w.put("TZOFFSETTO", offsetText(offset))
	w.text("TZNAME", name)
	w.put("END", kind)
}

// shownTwice reports whether the clocks of a time's zone are put back over it, or
// were just now: parsers do not agree which of the two such a time means.
func shownTwice(t time.Time) bool {
	_, offset := t.Zone()
	onset, end := t.ZoneBounds()
	if !onset.IsZero() {
		_, before := onset.Add(-time.Second).Zone()
		if t.Before(onset.Add(time.Duration(before-offset) * time.Second)) {
			return true
		}
	}
	_, after := end.Zone()
	return !end.IsZero() && after < offset && !t.Before(end.Add(-time.Duration(offset-after)*time.Second))
}

// offsetText writes an offset in seconds as +hhmm, with seconds where it has some.
func offsetText(seconds int) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	text := fmt.Sprintf("%c%02d%02d", sign, seconds/3600, seconds/60%60)
	if seconds%60 != 0 {
		text += fmt.Sprintf("%02d", seconds%60)
	}
	return text
}
