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

// parseDuration reads 30m, 1h30m, 1d, 2w. A day is 24 hours, whatever the clocks
// do that night.
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
