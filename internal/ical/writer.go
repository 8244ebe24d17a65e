// Package ical writes iCalendar objects (RFC 5545) as a stream. It keeps only the
// current line in memory.
//
// Guarantees: every line is folded at 75 octets between two characters and ends
// in CR LF; no text can end its line or begin a property; a time is written in its
// zone only if the calendar has a VTIMEZONE that covers it, otherwise in UTC.
//
// It does not know where the components come from.
package ical

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// longestLine is how many octets a line has at most, without its CR LF
// (RFC 5545 3.1).
const longestLine = 75

// The forms of times.
const (
	formUTC   = "20060102T150405Z"
	formLocal = "20060102T150405"
	formDate  = "20060102"
)

// Writer writes one VCALENDAR. The first error is kept and returned by Close;
// what is written after it goes nowhere. Not safe for concurrent use.
type Writer struct {
	out   *bufio.Writer
	zones map[string]span // that the calendar has a VTIMEZONE for
	line  []byte          // that is being put together
}

// span is the time that a VTIMEZONE covers.
type span struct{ from, to time.Time }

// Header is what a calendar says of itself.
type Header struct {
	Product string        // PRODID
	Name    string        // as calendars show it; "" = none
	Refresh time.Duration // how often it is worth to look again, in whole minutes; 0 = not said
}

// NewWriter begins a calendar.
func NewWriter(out io.Writer, h Header) *Writer {
	w := &Writer{out: bufio.NewWriterSize(out, 32<<10), zones: map[string]span{}}
	w.put("BEGIN", "VCALENDAR")
	w.put("VERSION", "2.0")
	w.text("PRODID", h.Product)
	w.put("CALSCALE", "GREGORIAN")
	if h.Name != "" {
		w.text("NAME", h.Name) // RFC 7986, and what calendars read before it
		w.text("X-WR-CALNAME", h.Name)
	}
	if h.Refresh > 0 {
		every := fmt.Sprintf("PT%dM", int(h.Refresh.Minutes()))
		w.put("REFRESH-INTERVAL;VALUE=DURATION", every)
		w.put("X-PUBLISHED-TTL", every)
	}
	return w
}

// Flush sends on what is written so far.
func (w *Writer) Flush() error { return w.out.Flush() }

// Close ends the calendar and returns the first error there was.
func (w *Writer) Close() error {
	w.put("END", "VCALENDAR")
	return w.out.Flush()
}

// put writes a property whose value needs no escaping; name may have parameters.
func (w *Writer) put(name, value string) {
	w.line = append(append(append(w.line[:0], name...), ':'), value...)
	w.fold()
}

// text writes a property of type TEXT.
func (w *Writer) text(name, value string) {
	w.line = appendText(append(append(w.line[:0], name...), ':'), value)
	w.fold()
}

// list writes a property that is a list of TEXT values, unless it is empty.
func (w *Writer) list(name string, values []string) {
	if len(values) == 0 {
		return
	}
	w.line = append(append(w.line[:0], name...), ':')
	for i, v := range values {
		if i > 0 {
			w.line = append(w.line, ',')
		}
		w.line = appendText(w.line, v)
	}
	w.fold()
}

// appendText escapes a TEXT value. Any line break becomes \n; other control
// characters but the tab, which no TEXT may hold, are left out.
func appendText(line []byte, s string) []byte {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	for _, r := range s { // what is not UTF-8 becomes U+FFFD
		switch {
		case r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029':
			line = append(line, '\\', 'n')
		case r == '\\' || r == ';' || r == ',':
			line = append(line, '\\', byte(r))
		case r < ' ' && r != '\t' || 0x7F <= r && r < 0xA0:
		default:
			line = utf8.AppendRune(line, r)
		}
	}
	return line
}

// fold writes the line, in pieces where it is long. The blank that begins each
// further piece counts.
func (w *Writer) fold() {
	rest, room := w.line, longestLine
	for len(rest) > room {
		cut := room
		for !utf8.RuneStart(rest[cut]) {
			cut--
		}
		_, _ = w.out.Write(rest[:cut]) // a bufio.Writer keeps its first error
		_, _ = w.out.WriteString("\r\n ")
		rest, room = rest[cut:], longestLine-1
	}
	_, _ = w.out.Write(rest)
	_, _ = w.out.WriteString("\r\n")
}

// at writes a time in its zone, or in UTC where the calendar does not have that
// zone at that time, or the clocks there show it twice.
func (w *Writer) at(name string, t time.Time) {
	zone := t.Location().String()
	if s, ok := w.zones[zone]; !ok || t.Before(s.from) || t.After(s.to) || shownTwice(t) {
		w.put(name, t.UTC().Format(formUTC))
		return
	}
	w.put(name+";TZID="+zone, t.Format(formLocal))
}
