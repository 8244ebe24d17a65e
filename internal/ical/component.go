package ical

import (
	"strconv"
	"strings"
	"time"
)

// Kind is what a component is.
type Kind string

// The kinds of components.
const (
	Event   Kind = "VEVENT"
	Todo    Kind = "VTODO"
	Journal Kind = "VJOURNAL"
)

// Component is one event, to-do or journal entry. What is zero or empty is not
// written.
type Component struct {
	Kind       Kind
	UID        string
	Sequence   int64
	Created    time.Time
	Modified   time.Time // DTSTAMP too, which without METHOD means the same (RFC 5545 3.8.7.2)
	Status     string    // one that RFC 5545 3.8.1.11 has for the kind
	Summary    string
	Text       string // DESCRIPTION
	Location   string
	Categories []string
	Free       bool // of an event: its time is still to be had

	// Start and End are written in their own location. A to-do has its due date as
	// End and no Start, a journal entry has a Start alone.
	Start, End time.Time
	DateOnly   bool      // of a to-do: it is due on the day of End
	Completed  time.Time // of a to-do: zero = it is not

	// Alarms are how long before Start, or End of a to-do. Whole days are days of
	// the calendar, which are not always 24 hours.
	Alarms []time.Duration
}

// Component writes a component.
func (w *Writer) Component(c Component) {
	w.put("BEGIN", string(c.Kind))
	w.text("UID", c.UID)
	w.put("DTSTAMP", c.Modified.UTC().Format(formUTC))
	if !c.Created.IsZero() {
		w.put("CREATED", c.Created.UTC().Format(formUTC))
	}
	w.put("LAST-MODIFIED", c.Modified.UTC().Format(formUTC))
	w.put("SEQUENCE", strconv.FormatInt(c.Sequence, 10))
	if c.Status != "" {
		w.put("STATUS", c.Status)
	}
	switch c.Kind {
	case Event:
		w.at("DTSTART", c.Start)
		w.at("DTEND", c.End)
		if c.Free {
			w.put("TRANSP", "TRANSPARENT")
		}
	case Journal:
		w.at("DTSTART", c.Start)
	case Todo:
		w.due(c)
	}
	for _, p := range []struct{ name, value string }{{"SUMMARY", c.Summary}, {"DESCRIPTION", c.Text}, {"LOCATION", c.Location}} {
		if p.value != "" {
			w.text(p.name, p.value)
		}
	}
	w.list("CATEGORIES", c.Categories)
	for _, before := range c.Alarms {
		w.alarm(c, before)
	}
	w.put("END", string(c.Kind))
}

func (w *Writer) due(c Component) {
	if c.DateOnly {
		w.put("DUE;VALUE=DATE", c.End.Format(formDate))
	} else {
		w.at("DUE", c.End)
	}
	if !c.Completed.IsZero() {
		w.put("COMPLETED", c.Completed.UTC().Format(formUTC))
		w.put("PERCENT-COMPLETE", "100")
	}
}

// alarm writes a reminder. Before a due date without a time it has a moment of
// its own: from which hour of that day to count is every calendar's own opinion.
func (w *Writer) alarm(c Component, before time.Duration) {
	w.put("BEGIN", "VALARM")
	w.put("ACTION", "DISPLAY")
	switch {
	case c.Kind == Todo && c.DateOnly:
		w.put("TRIGGER;VALUE=DATE-TIME", earlier(c.End, before).UTC().Format(formUTC))
	case c.Kind == Todo:
		w.put("TRIGGER;RELATED=END", "-"+duration(before))
	default:
		w.put("TRIGGER", "-"+duration(before))
	}
	w.text("DESCRIPTION", c.Summary) // a DISPLAY alarm must have one
	w.put("END", "VALARM")
}

const day = 24 * time.Hour

// duration writes whole days as days, and all else exactly.
func duration(d time.Duration) string {
	if d%day == 0 && d != 0 {
		return "P" + strconv.Itoa(int(d/day)) + "D"
	}
	var b strings.Builder
	b.WriteString("PT")
	for _, part := range []struct {
		unit   time.Duration
		letter byte
	}{{time.Hour, 'H'}, {time.Minute, 'M'}, {time.Second, 'S'}} {
		if n := d / part.unit; n > 0 {
			b.WriteString(strconv.Itoa(int(n)))
			b.WriteByte(part.letter)
			d %= part.unit
		}
	}
	if b.Len() == len("PT") {
		b.WriteString("0S")
	}
	return b.String()
}

// earlier counts back from a moment as duration says.
func earlier(t time.Time, d time.Duration) time.Time {
	if d%day == 0 {
		return t.AddDate(0, 0, -int(d/day))
	}
	return t.Add(-d)
}
