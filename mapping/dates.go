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
//   - a number, or the same as text, since 1970: 9 or 10 digits before the point are
//     seconds, 11 to 13 milliseconds; a date at exact UTC midnight, otherwise an instant.
//     Negative numbers are before 1970
//   - eight digits that are a date: 20261201; fourteen that are a date and a time:
//     20261201150000, a local time
//   - 2021-07-16 11:00:00, also with the other forms of a date: a local time in
//     zone (nil is UTC). A time that does not exist, because the clocks skip it,
//     moves forward by the gap; a time that exists twice means the first
//
// A weekday decides between two readings, as in Tue, 01 Dec 26. ParseDate returns an
// error, which says what it read, for:
//
//   - a date that can still mean two things: 01.12.2026, Dec 1 26, 202612011500, 15:00 CST
//     outside of zones that use CST
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
		return numberDate(v, strconv.FormatInt(v, 10), zone)
	case float64:
		return numberDate(v, strconv.FormatFloat(v, 'f', -1, 64), zone)
	}
	return Date{}, fmt.Errorf("%s is not a date: expected text or a number", quoteShort(printed(v)))
}

const dateForms = "expected a form like 2026-12-01, 2026-12-01T15:00:00Z, 12/01/2026 or Dec 1 2026"

var (
	// numberForm leaves out 01.12, which may be a date without its year.
	numberForm   = regexp.MustCompile(`^-?(\d+|\d{5,}[.,]\d+)$`)
	exponentForm = regexp.MustCompile(`^-?\d\.\d+[Ee]\+?\d{1,2}$`)            // a number as Java prints it
	millisForm   = regexp.MustCompile(`^/Date\((-?\d{1,14})([-+]\d{4})?\)/$`) // .NET's former JSON
)

func parseDateText(s string, zone *time.Location) (Date, error) {
	switch {
	case s == "":
		return Date{}, nil
	case len(s) > 200:
		return Date{}, fmt.Errorf("it is too long; %s", dateForms)
	case numberForm.MatchString(s):
		return readNumber(strings.Replace(s, ",", ".", 1), zone)
	case exponentForm.MatchString(s):
		v, _ := strconv.ParseFloat(s, 64) // the form lets only numbers through
		return readNumber(strconv.FormatFloat(v, 'f', -1, 64), zone)
	}
	if m := millisForm.FindStringSubmatch(strings.ReplaceAll(s, `\/`, "/")); m != nil {
		n, _ := strconv.ParseInt(m[1], 10, 64)
		return epoch(time.UnixMilli(n), zone)
	}
	return readDate(s, zone)
}

func numberDate(v any, digits string, zone *time.Location) (Date, error) {
	d, err := readNumber(digits, zone)
	if err != nil {
		return Date{}, fmt.Errorf("the number %v is not a date: %w", v, err)
	}
	return d, nil
}

// readNumber reads a date in eight digits, with its time in fourteen, or the time since
// 1970: how many digits there are before the point decides between seconds and
// milliseconds.
func readNumber(number string, zone *time.Location) (Date, error) {
	whole, fraction, _ := strings.Cut(number, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	part, _ := strconv.ParseFloat("0."+fraction, 64)
	size := len(strings.TrimPrefix(whole, "-"))
	switch {
	case err == nil && (size == 9 || size == 10):
		return epoch(time.Unix(n, int64(math.Copysign(part, float64(n))*1e9)), zone)
	case err == nil && 11 <= size && size <= 13:
		d, err := epoch(time.UnixMilli(n), zone)
		if written, is := writtenOut(whole, zone); is && err == nil && !d.DateOnly() {
			return Date{}, fmt.Errorf("it can mean %s, or the milliseconds of %s; write it as one of these", written, d)
		}
		return d, err
	case size == 14 && whole == number:
		if d, is := writtenOut(whole, zone); is {
			return d, nil
		}
	case size == 5:
		return Date{}, fmt.Errorf("expected 8 or more digits, got 5; if it is a spreadsheet's day number, format the cell as text like 2026-12-01")
	case size == 8 && whole == number:
		if d, err := civil(int(n/1e4), int(n/100%100), int(n%100)); err == nil {
			return d, nil
		}
	}
	return Date{}, fmt.Errorf("expected 8 digits like 20261201, 9 or 10 (seconds since 1970), 11 to 13 (milliseconds) or 14 like 20261201150000, got %d", size)
}

// writtenOut reads the digits of a date and a local time: 20261201150000, 202612011500.
func writtenOut(digits string, zone *time.Location) (d Date, is bool) {
	for _, layout := range []string{"20060102150405", "200601021504"} {
		if at, err := time.Parse(layout, digits); err == nil {
			d, err = instant(local(at, zone), zone)
			return d, err == nil
		}
	}
	return Date{}, false
}

// epoch returns a date at exact UTC midnight, otherwise an instant.
func epoch(t time.Time, zone *time.Location) (Date, error) {
	t = t.UTC()
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
