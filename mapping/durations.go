package mapping

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var durationForm = regexp.MustCompile(`^(?:(\d{1,4})w)?(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,5})m)?$`)

// longestDuration keeps sums of durations and dates far from any overflow.
const longestDuration = 2 * 366 * 24 * time.Hour

// parseDuration reads 30m, 1h30m, 1d or 2w. A day is 24 hours, which Before treats as a
// calendar day.
func parseDuration(s string) (time.Duration, error) {
	m := durationForm.FindStringSubmatch(s)
	if first, _, more := strings.Cut(s, ","); more && durationForm.MatchString(strings.TrimSpace(first)) {
		return 0, fmt.Errorf("%s is not a duration; put a list in brackets: [%s]", quoteShort(s), s)
	}
	if meant := meantDuration(s); m == nil && meant != "" {
		return 0, fmt.Errorf("%s is not a duration; did you mean %s?", quoteShort(s), meant)
	}
	if m == nil || s == "" {
		return 0, fmt.Errorf("%s is not a duration; expected a form like 30m, 1h30m, 1d or 2w", quoteShort(s))
	}
	var sum time.Duration
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute} {
		n, _ := strconv.Atoi("0" + m[i+1])
		sum += time.Duration(n) * unit
	}
	if sum <= 0 || sum > longestDuration {
		return 0, fmt.Errorf("%q is out of range; expected at least 1m and at most two years", s)
	}
	return sum, nil
}

var (
	durationWords = regexp.MustCompile(`^-?\s*(\d{1,4}(?:[.,]5)?)\s*([A-Za-z]*)(?:\s*(\d{1,2})\s*([A-Za-z]*))?(?: before)?$`)
	hoursForm     = regexp.MustCompile(`^(\d{1,2}):(\d\d)$`)
	unitWords     = []string{"minutes", "minute", "mins", "min", "m", "hours", "hour", "hrs", "hr", "h", "days", "day", "d", "weeks", "week", "wks", "wk", "w"}
	halves        = map[string]string{"h": "30m", "d": "12h"}
)

// meantDuration writes 5 minuets as 5m, 1.5h as 1h30m and -3d as 3d; "" if it is not clear
// what was meant.
func meantDuration(s string) string {
	if m := hoursForm.FindStringSubmatch(s); m != nil {
		return strings.TrimPrefix(strings.TrimPrefix(m[1], "0")+"h", "h") + strings.TrimPrefix(m[2], "0") + "m"
	}
	m := durationWords.FindStringSubmatch(s)
	if m == nil || m[3] == "" && m[4] != "" {
		return ""
	}
	meant := ""
	for i, unit := range []string{m[2], m[4]} {
		number, half, split := strings.Cut(strings.ReplaceAll(m[1+2*i], ",", "."), ".")
		short := unitOf(unit, i, m[2])
		switch {
		case number == "":
			continue
		case short == "", split && (half != "5" || halves[short] == ""):
			return ""
		case split && number != "0":
			meant += number + short + halves[short]
		case split:
			meant += halves[short]
		default:
			meant += number + short
		}
	}
	if !durationForm.MatchString(meant) {
		return ""
	}
	return meant
}

// unitOf returns the letter of a unit; "" if it is not clear. A number alone is in minutes.
func unitOf(word string, part int, before string) string {
	if word == "" && (part == 0 || strings.HasPrefix(strings.ToLower(before), "h")) {
		return "m"
	}
	if word == "M" { // or months
		return ""
	}
	near, ok := nearest(strings.ToLower(word), unitWords)
	if !ok || len(word) < 3 && near != strings.ToLower(word) { // 3y is not 3m
		return ""
	}
	return near[:1]
}

// Before returns when a reminder d before an instant is due, in UTC. Each full 24 hours of
// d are a calendar day: one day before ten o'clock is ten o'clock, even if the clocks in
// zone (nil = UTC) change that night. The rest of d is subtracted exactly. A time of day
// that the clocks skip moves forward by the gap, and one that exists twice means the first.
// If d is more than 0, the result is always before at.
func Before(at time.Time, d time.Duration, zone *time.Location) time.Time {
	zone = utcIfNil(zone)
	days, rest := int(d/(24*time.Hour)), d%(24*time.Hour)
	if days == 0 {
		return at.Add(-d).UTC()
	}
	shown := at.In(zone)
	_, east := shown.Zone()
	wall := shown.UTC().Add(time.Duration(east)*time.Second).AddDate(0, 0, -days)
	due := local(wall, zone).Add(-rest).UTC()
	if !due.Before(at) { // the clocks skipped whole days
		return at.Add(-d).UTC()
	}
	return due
}
