package mapping

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Date is the value of a date field: a date without a time of day, an instant, or nothing
// (the zero Date, for a cleared field).
type Date struct {
	at   time.Time // of a date without a time: its midnight in UTC
	kind dateKind
}

type dateKind uint8

const (
	dateCleared dateKind = iota
	dateCivil
	dateInstant
)

// IsZero reports whether the field holds no date.
func (d Date) IsZero() bool { return d.kind == dateCleared }

// DateOnly reports whether the date has no time of day.
func (d Date) DateOnly() bool { return d.kind == dateCivil }

// Instant returns the date as an instant in zone. A date without a time gets the time of
// day in clock. A local time that does not exist, because the clocks skip it, moves forward
// by the gap. A local time that exists twice means the first.
func (d Date) Instant(clock time.Duration, zone *time.Location) time.Time {
	if d.kind != dateCivil {
		return d.at.In(utcIfNil(zone))
	}
	return local(d.at.Add(clock), zone)
}

// String writes a date as 2026-12-01 and an instant as 2026-12-01 15:00, in the zone in
// which it was read. A cleared date is "".
func (d Date) String() string {
	switch d.kind {
	case dateCivil:
		return d.at.Format(time.DateOnly)
	case dateInstant:
		return d.at.Format("2006-01-02 15:04")
	}
	return ""
}

// day writes only the day, in the zone in which an instant was read. A cleared date is "".
func (d Date) day() string {
	if d.IsZero() {
		return ""
	}
	return d.at.Format(time.DateOnly)
}

// ParseDate reads a date in any form that HighLevel sends. The same DATE field can have
// different forms, depending on who wrote it:
//
//   - nil and blank text: cleared, the zero Date
//   - 2026-12-01 (also with / . or _), 12/01/2026 (month first), and a date with
//     its month in words in a language of HighLevel: Nov 30th 2026, 30-Nov-2026,
//     mardi 1 décembre 2026
//   - 2026-12-01T00:00:00Z: a date, because HighLevel stores dates at UTC midnight
//   - any other date with a time of day and its time zone, in the forms that
//     programming languages print: an instant
//   - a number, or its digits as text, since 1970: 9 or 10 digits are seconds,
//     11 to 14 milliseconds; a date at exact UTC midnight, otherwise an instant.
//     Negative numbers are before 1970
//   - 2021-07-16 11:00:00, also with the other forms of a date: a local time in
//     zone (nil is UTC). A time that does not exist, because the clocks skip it,
//     moves forward by the gap; a time that exists twice means the first
//
// A weekday decides between two readings, as in Tue, 01 Dec 26. ParseDate returns an
// error, which says what it read, for:
//
//   - a date that can still mean two things: 01.12.2026, Dec 1 26, 15:00 CST outside of
//     zones that use CST
//   - a contradiction: a weekday that is not the date's, an offset that is not the zone's
//   - an impossible date such as 2026-02-30, and a year outside 1800 to 2999
func ParseDate(v any, zone *time.Location) (Date, error) {
	zone = utcIfNil(zone)
	switch v := v.(type) {
	case nil:
		return Date{}, nil
	case Date:
		return v, nil
	case time.Time:
		if v.IsZero() {
			return Date{}, nil
		}
		return instant(v, zone)
	case string:
		d, err := parseDateText(strings.TrimSpace(v), zone)
		if err != nil {
			return Date{}, fmt.Errorf("%s is not a date: %w", quoteShort(v), err)
		}
		return d, nil
	case json.Number:
		return ParseDate(string(v), zone)
	case int:
		return ParseDate(int64(v), zone)
	case int64:
		d, err := epoch(strconv.FormatInt(v, 10), zone)
		if err != nil {
			return Date{}, fmt.Errorf("the number %d is not a date: %w", v, err)
		}
		return d, nil
	case float64:
		if v != math.Trunc(v) || math.Abs(v) >= 1<<53 { // NaN is no whole number, Inf is too large
			return Date{}, fmt.Errorf("the number %v is not a date: expected whole seconds or milliseconds since 1970", v)
		}
		return ParseDate(int64(v), zone)
	}
	return Date{}, fmt.Errorf("%s is not a date: expected text or a number", quoteShort(printed(v)))
}

const dateForms = "expected a form like 2026-12-01, 2026-12-01T15:00:00Z, 12/01/2026 or Dec 1 2026"

var digitsForm = regexp.MustCompile(`^-?\d+$`)

func parseDateText(s string, zone *time.Location) (Date, error) {
	switch {
	case s == "":
		return Date{}, nil
	case len(s) > 200:
		return Date{}, fmt.Errorf("it is too long; %s", dateForms)
	case digitsForm.MatchString(s):
		return epoch(s, zone)
	}
	return readDate(s, zone)
}

// epoch reads seconds or milliseconds since 1970; the number of digits decides which.
func epoch(digits string, zone *time.Location) (Date, error) {
	n, err := strconv.ParseInt(digits, 10, 64)
	size := len(strings.TrimPrefix(digits, "-"))
	var t time.Time
	switch {
	case size == 5:
		return Date{}, fmt.Errorf("expected 9 or more digits, got 5; if it is a spreadsheet's day number, format the cell as text like 2026-12-01")
	case err != nil || size > 14 || size < 9:
		return Date{}, fmt.Errorf("expected 9 or 10 digits (seconds since 1970) or 11 to 14 (milliseconds), got %d", size)
	case size <= 10:
		t = time.Unix(n, 0).UTC()
	default:
		t = time.UnixMilli(n).UTC()
	}
	if t.Equal(t.Truncate(24 * time.Hour)) {
		return civil(t.Year(), int(t.Month()), t.Day())
	}
	return instant(t, zone)
}

func civil(year, month, day int) (Date, error) {
	if month < 1 || month > 12 {
		return Date{}, fmt.Errorf("there is no month %d (a date with slashes is read month first)", month)
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if t.Day() != day {
		return Date{}, fmt.Errorf("there is no %s %d in %d", time.Month(month), day, year)
	}
	if err := checkYear(t); err != nil {
		return Date{}, err
	}
	return Date{at: t, kind: dateCivil}, nil
}

func instant(t time.Time, zone *time.Location) (Date, error) {
	if err := checkYear(t); err != nil {
		return Date{}, err
	}
	return Date{at: t.In(zone), kind: dateInstant}, nil
}

// checkYear rejects years that must be a mistake, such as 202 or a number that was not a
// date. It also keeps every date within the range that can be written.
func checkYear(t time.Time) error {
	if y := t.UTC().Year(); y < 1800 || y > 2999 {
		return fmt.Errorf("the year %d is not between 1800 and 2999", y)
	}
	return nil
}

// local returns the instant at which clocks in zone show the date and time that wall has in
// UTC. In a gap, it moves forward by the gap. Of two instants, it returns the first.
// time.Date guarantees neither.
func local(wall time.Time, zone *time.Location) time.Time {
	zone = utcIfNil(zone)
	wall = wall.UTC()
	// No zone is further than a day from UTC, so these are the offsets before and after any
	// change nearby.
	_, before := wall.Add(-24 * time.Hour).In(zone).Zone()
	_, after := wall.Add(24 * time.Hour).In(zone).Zone()
	first := wall.Add(-time.Duration(before) * time.Second).In(zone)
	if shows(first, wall) {
		return first
	}
	if second := wall.Add(-time.Duration(after) * time.Second).In(zone); shows(second, wall) {
		return second
	}
	return first
}

// shows reports whether t in its own zone has the date and time that wall has in UTC.
func shows(t, wall time.Time) bool {
	_, east := t.Zone()
	return t.Add(time.Duration(east) * time.Second).Equal(wall)
}

func utcIfNil(zone *time.Location) *time.Location {
	if zone == nil {
		return time.UTC
	}
	return zone
}

// quoteShort quotes and shortens a value, so that an error stays one readable line.
func quoteShort(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return strconv.Quote(s)
}
