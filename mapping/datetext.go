package mapping

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// A text is read as pieces in any order: a date in digits, or its day, month and year; a
// weekday, a time of day, a time zone. No piece may occur twice, except the zone, which
// many programs write as an offset and a name.
//
// The first matching piece is used. Its function returns false if it does not fit at this
// place.
var datePieces = []struct {
	form *regexp.Regexp
	read func(r *dateReader, m []string) (bool, error)
}{
	{regexp.MustCompile(`^(\d{4})(\d\d)(\d\d)[Tt](\d\d)(\d\d)(?:(\d\d)(?:[.,](\d{1,9}))?)?`), (*dateReader).compact},
	{regexp.MustCompile(`^(\d{4})(\. ?|[-/_])(\d{1,2})(\. ?|[-/_])(\d{1,2})`), (*dateReader).yearFirst},
	{regexp.MustCompile(`^(\d{1,2})([-/._])(\d{1,2})([-/._])(\d{4}|\d\d)`), (*dateReader).yearLast},
	{clockForm, (*dateReader).timeOfDay},
	{regexp.MustCompile(`^(\d{1,4})(?i:st|nd|rd|th|er?|º|°|:[ae])?`), (*dateReader).number},
	{utcForm, (*dateReader).utc},
	{regexp.MustCompile(`^(?i:(GMT|UTC?) ?)?([-+])(\d{1,2})(?::?(\d\d))?`), (*dateReader).offset},
	{regexp.MustCompile(`^[A-Z][A-Za-z_]+/[\w/+-]+`), (*dateReader).zoneOfRegion},
	{regexp.MustCompile(`^(?i:a la\b|\p{L}+(?:-feira)?)`), (*dateReader).word},
	{regexp.MustCompile(`^m=[-+]\d+\.\d+$`), (*dateReader).monotonic},
	{regexp.MustCompile(`^\([^()]*\)`), (*dateReader).comment},
}

// clockForm matches 15:04, 15:04:05, 15:04:05.999, 3:04 PM or 3 PM, with other signs
// 15.04.05 and 15 h 04 min 05, and 15 h, 15 Uhr or 15 horas.
var clockForm = regexp.MustCompile(strings.ReplaceAll(
	`^(\d{1,2})(?:SIGN(\d\d)(?:SIGN(\d\d)(?:[.,](\d{1,9}))?(?: ?(?i:s)\b)?)?)?(?: ?([AaPp])\.? ?[Mm]\b| ?((?i:hrs?|h|uhr|uur|horas?|heures?))\b)?`,
	"SIGN", `(?:[:.]| ?(?i:h|min) ?)`))

// dateReader holds the parts of a date that were read so far.
type dateReader struct {
	zone *time.Location

	year, month, day string // digits; "" = not read yet
	separator        string // between month, day and year in digits
	march            int    // how often "mar" was read: March, or a Tuesday
	weekday          *time.Weekday

	hasClock bool
	clock    time.Duration
	marked   bool     // the clock has "pm", "h" or the like
	zones    []string // CET, UTC
	offsets  []zoneOffset
	region   *time.Location
}

type zoneOffset struct {
	text string
	east time.Duration // its offset from UTC
}

func readDate(text string, zone *time.Location) (Date, error) {
	r := &dateReader{zone: zone}
	rest := r.skip(plainSigns(text))
	for rest != "" {
		read, err := r.piece(rest)
		switch {
		case err != nil:
			return Date{}, err
		case read == 0 && r.hasDate():
			return Date{}, fmt.Errorf("cannot read the time %s, expected a form like 15:04", quoteShort(rest))
		case read == 0:
			return Date{}, errors.New(dateForms)
		}
		rest = r.skip(rest[read:])
	}
	date, err := r.date()
	if err != nil {
		return Date{}, err
	}
	return r.at(date)
}

// plainSigns replaces typographic spaces, minus signs and dashes by plain ones, puts letters
// and their accents together, and removes invisible marks that some browsers print.
func plainSigns(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c):
			return ' '
		case c == '−', c == '–', c == '\u2010', c == '\u2011':
			return '-'
		case unicode.Is(unicode.Cf, c):
			return -1
		}
		return c
	}, norm.NFC.String(s))
}

// skip removes separators. After a date or a time, a hyphen is not a separator, because it
// begins an offset; but a hyphen with spaces around it is one between date and time.
func (r *dateReader) skip(s string) string {
	switch {
	case r.hasClock:
		return strings.TrimLeft(s, " ,.[]")
	case !r.hasDate():
		return strings.TrimLeft(s, " ,.-/")
	}
	s = strings.TrimLeft(s, " ,.:[]@|")
	return strings.TrimLeft(strings.TrimPrefix(s, "- "), " ")
}

// piece reads one piece at the beginning of s and returns its length, 0 if there
// is none.
func (r *dateReader) piece(s string) (int, error) {
	for _, p := range datePieces {
		m := p.form.FindStringSubmatch(s)
		if m == nil || cutsNumber(s, len(m[0])) {
			continue
		}
		if fits, err := p.read(r, m); fits || err != nil {
			return len(m[0]), err
		}
	}
	return 0, nil
}

// cutsNumber reports whether position i is between two digits.
func cutsNumber(s string, i int) bool {
	digit := func(c byte) bool { return '0' <= c && c <= '9' }
	return i < len(s) && digit(s[i-1]) && digit(s[i])
}

func (r *dateReader) hasDate() bool {
	return r.year != "" && r.day != "" && (r.month != "" || r.march > 0)
}

// compact reads 20261201T150405, as iCalendar writes it, also with a fraction.
func (r *dateReader) compact(m []string) (bool, error) {
	if r.hasClock {
		return false, nil
	}
	if fits, err := r.yearFirst([]string{m[0], m[1], "", m[2], "", m[3]}); !fits {
		return false, err
	}
	return r.timeOfDay([]string{m[0], m[4], m[5], m[6], m[7], "", ""})
}

func (r *dateReader) yearFirst(m []string) (bool, error) {
	if r.year+r.month+r.day != "" || m[2] != m[4] {
		return false, nil
	}
	r.year, r.month, r.day = m[1], m[3], m[5]
	return true, nil
}

func (r *dateReader) yearLast(m []string) (bool, error) {
	if r.year+r.month+r.day != "" || m[2] != m[4] {
		return false, nil
	}
	r.month, r.day, r.year, r.separator = m[1], m[3], m[5], m[2]
	return true, nil
}

// number reads a day or a year. Two digits after the day are a year.
func (r *dateReader) number(m []string) (bool, error) {
	switch digits := m[1]; {
	case len(digits) == 4 && r.year == "":
		r.year = digits
	case len(digits) <= 2 && r.day == "":
		r.day = digits
	case digits == m[0] && len(digits) == 2 && r.year == "":
		r.year = digits
	default:
		return false, nil
	}
	return true, nil
}

func (r *dateReader) timeOfDay(m []string) (fits bool, err error) {
	if r.hasClock || m[2]+m[5]+m[6] == "" { // a number alone
		return false, nil
	}
	r.clock, err = clockTime(m)
	r.hasClock, r.marked = err == nil, m[5]+m[6] != ""
	return r.hasClock, err
}

// parseClock reads a time of day alone.
func parseClock(s string) (time.Duration, error) {
	m := clockForm.FindStringSubmatch(s)
	if m == nil || m[0] != s || m[2]+m[5]+m[6] == "" {
		return 0, fmt.Errorf("cannot read the time %s, expected a form like 15:04", quoteShort(s))
	}
	return clockTime(m)
}

// clockTime converts a match of clockForm to the time since midnight.
func clockTime(m []string) (time.Duration, error) {
	hour, _ := strconv.Atoi(m[1]) // the form lets only digits through
	minute, _ := strconv.Atoi("0" + m[2])
	second, _ := strconv.Atoi("0" + m[3])
	nanos, _ := strconv.Atoi((m[4] + "000000000")[:9])
	impossible := fmt.Errorf("there is no time %q", m[0])
	if m[5] != "" {
		if hour < 1 || hour > 12 {
			return 0, impossible
		}
		hour %= 12
		if strings.EqualFold(m[5], "p") {
			hour += 12
		}
	}
	midnight := hour == 24 && minute+second+nanos == 0 && m[5] == "" // ISO 8601's end of the day
	if !midnight && (hour > 23 || minute > 59 || second > 59) {
		return 0, impossible
	}
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second + time.Duration(nanos), nil
}

// offset reads +02:00, +0200, +02, GMT+2 and UTC +02:00.
func (r *dateReader) offset(m []string) (bool, error) {
	if !r.hasDate() && !r.hasClock || m[1] == "" && len(m[3]) == 1 {
		return false, nil
	}
	hours, _ := strconv.Atoi(m[3])
	minutes, _ := strconv.Atoi("0" + m[4])
	if hours > 15 || minutes > 59 {
		return false, fmt.Errorf("there is no time zone offset %q", m[0])
	}
	east := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if m[2] == "-" {
		east = -east
	}
	r.offsets = append(r.offsets, zoneOffset{m[0], east})
	return true, nil
}

// zoneOfRegion reads Europe/Berlin.
func (r *dateReader) zoneOfRegion(m []string) (fits bool, err error) {
	if !r.hasClock || r.region != nil {
		return false, nil
	}
	r.region, err = LoadZone(m[0])
	return err == nil, err
}

// utc reads the name of UTC in words.
func (r *dateReader) utc([]string) (bool, error) {
	if !r.hasClock {
		return false, nil
	}
	r.zones = append(r.zones, "UTC")
	return true, nil
}

// monotonic skips what Go prints after the time of a running process.
func (r *dateReader) monotonic([]string) (bool, error) { return r.hasClock, nil }

func (r *dateReader) word(m []string) (bool, error) {
	text := m[0]
	capitals := strings.ToUpper(text) == text
	word := dateWords[strings.ToLower(text)]
	switch {
	case r.hasClock && (strings.EqualFold(text, "a") || strings.EqualFold(text, "p")):
		return r.halfDay(strings.ToLower(text)), nil
	case r.hasClock && capitals && len(text) == 1 && text != "Z": // a zone of the military
		return false, nil
	case word.filler, text == "a la", r.hasClock && !r.hasDate() && text == "on":
	case word.month != 0 && word.weekday != nil && r.march < 2:
		r.march++
	case word.month != 0 && r.month == "":
		r.month = strconv.Itoa(int(word.month))
	case word.weekday != nil && r.weekday == nil && (len(text) > 2 || r.day == "" || r.hasDate() && !r.hasClock): // not "3 to 14", "15:00 PT"
		r.weekday = word.weekday
	case r.hasClock && capitals && 2 <= len(text) && len(text) <= 5,
		word.offset != nil && (r.hasDate() || r.hasClock):
		r.zones = append(r.zones, text)
	default:
		return false, nil
	}
	return true, nil
}

// halfDay reads the A or P that Excel writes after a time.
func (r *dateReader) halfDay(mark string) bool {
	const noon = 12 * time.Hour
	if r.marked || r.clock < time.Hour || r.clock >= noon+time.Hour {
		return false
	}
	r.marked = true
	r.clock %= noon
	if mark == "p" {
		r.clock += noon
	}
	return true
}

// comment skips the text after a zone that JavaScript and mails write, as in GMT+0100
// (Central European Standard Time).
func (r *dateReader) comment([]string) (bool, error) {
	return len(r.zones)+len(r.offsets) > 0 || r.region != nil, nil
}

// readMarch resolves a word that means both March and Tuesday: it is whichever is still
// missing. It returns false if neither is.
func (r *dateReader) readMarch() bool {
	if r.march > 0 && r.month == "" {
		r.month, r.march = "3", r.march-1
	}
	if r.march == 0 {
		return true
	}
	if r.weekday != nil || r.march > 1 {
		return false
	}
	tuesday := time.Tuesday
	r.weekday = &tuesday
	return true
}

// date returns the only day that the pieces can mean. Digits are in HighLevel's order,
// month first, unless a weekday shows the other order. Dots decide nothing, because
// HighLevel writes them between month and day, and most of Europe between day and month. A
// year of two digits may be in this century or the last.
func (r *dateReader) date() (Date, error) {
	if !r.readMarch() || r.year == "" || r.month == "" || r.day == "" {
		return Date{}, errors.New(dateForms)
	}
	year, _ := strconv.Atoi(r.year) // the forms let only digits through
	month, _ := strconv.Atoi(r.month)
	day, _ := strconv.Atoi(r.day)
	years := []int{year}
	if len(r.year) == 2 {
		years = []int{2000 + year, 1900 + year}
	}
	orders := [][2]int{{month, day}}
	if r.separator == "." || r.separator != "" && r.weekday != nil {
		orders = append(orders, [2]int{day, month})
	}
	if month > 12 { // must be the day, if the order is open
		orders = orders[len(orders)-1:]
	}
	var days []Date
	var failure error
	for _, year := range years {
		for _, order := range orders {
			d, err := civil(year, order[0], order[1])
			switch {
			case err == nil && r.weekday != nil && d.at.Weekday() != *r.weekday:
				err = fmt.Errorf("%s is a %s, not a %s", d, d.at.Weekday(), *r.weekday)
			case err == nil && !slices.Contains(days, d):
				days = append(days, d)
			}
			failure = cmp.Or(failure, err)
		}
	}
	switch len(days) {
	case 0:
		return Date{}, failure
	case 1:
		return days[0], nil
	}
	return Date{}, fmt.Errorf("it can mean %s or %s; write it as one of these", days[0], days[1])
}

// at combines the date with its time and zone to a date alone, a local time, or an instant.
func (r *dateReader) at(date Date) (Date, error) {
	wall := date.at.Add(r.clock)
	offset, err := r.zoneOffset(wall)
	switch {
	case err != nil:
		return Date{}, err
	case !r.hasClock && (offset == nil || offset.east == 0):
		return date, nil
	case !r.hasClock:
		return Date{}, fmt.Errorf("it has a time zone, %s, but no time of day", offset.text)
	case offset == nil && r.region == nil:
		return instant(local(wall, r.zone), r.zone)
	case offset == nil:
		return instant(local(wall, r.region), r.zone)
	case r.region != nil:
		if at := wall.Add(-offset.east).In(r.region); !shows(at, wall) {
			return Date{}, fmt.Errorf("it names two time zones, %s and %s, which is then at %s", offset.text, r.region, at.Format("-07:00"))
		}
	case offset.east == 0 && r.clock == 0:
		return date, nil // how HighLevel writes a date without a time
	}
	return instant(wall.Add(-offset.east), r.zone)
}

// unclearZone is a name that means no single offset in the reader's zone.
type unclearZone struct{ name string }

func (u *unclearZone) Error() string {
	return quoteShort(u.name) + " is not the name of a time zone, or of several; expected an offset like +01:00"
}

// zoneOffset returns the offset on which all zones of the text agree, apart from the
// region; nil if there is none.
func (r *dateReader) zoneOffset(wall time.Time) (*zoneOffset, error) {
	offsets, unknown := r.offsets, ""
	for _, name := range r.zones {
		can := r.offsetsOfName(name, wall)
		switch {
		case len(can) == 0:
			unknown = name
		case len(offsets) > 0 && slices.Contains(can, offsets[0].east): // it is the offset in the text
		default:
			offsets = append(offsets, zoneOffset{name, can[0]})
		}
	}
	switch {
	case len(offsets) == 0 && unknown != "" && r.region == nil:
		return nil, &unclearZone{unknown}
	case len(offsets) == 0:
		return nil, nil
	}
	for _, other := range offsets[1:] {
		if other.east != offsets[0].east {
			return nil, fmt.Errorf("it names two time zones, %s and %s", offsets[0].text, other.text)
		}
	}
	return &offsets[0], nil
}

// offsetsOfName returns the offsets that a zone name such as CET can mean. The offset that
// applies in the reader's zone around that time comes first.
func (r *dateReader) offsetsOfName(name string, wall time.Time) (can []time.Duration) {
	for _, near := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		if own, east := wall.Add(near).In(r.zone).Zone(); strings.EqualFold(own, name) {
			can = append(can, time.Duration(east)*time.Second)
		}
	}
	if word := dateWords[strings.ToLower(name)]; word.offset != nil {
		can = append(can, *word.offset)
	}
	return can
}
