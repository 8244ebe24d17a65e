package mapping

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

var durationForm = regexp.MustCompile(`^(?:(\d{1,4})w)?(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,5})m)?$`)

// longestDuration keeps sums of durations and dates far from any overflow.
const longestDuration = 2 * 366 * 24 * time.Hour

// parseDuration reads 30m, 1h30m, 1d or 2w. A day is 24 hours, which Before treats as a
// calendar day.
func parseDuration(s string) (time.Duration, error) {
	m := durationForm.FindStringSubmatch(s)
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
