package mapping

import (
	"fmt"
	"strings"
	"time"

	"github.com/expr-lang/expr/types"
)

// These are the functions in conditions that read dates. They belong to one evaluation,
// because they use the location's zone, and one of them uses the clock. An empty value is
// never before, after or within anything.

// dateFunctions are the types of these functions by name.
var dateFunctions = types.Map{
	"before": types.TypeOf(func(any, any) (bool, error) { return false, nil }),
	"after":  types.TypeOf(func(any, any) (bool, error) { return false, nil }),
	"within": types.TypeOf(func(any, any) (bool, error) { return false, nil }),
}

// mostDays is how many days within may look ahead.
const mostDays = 3660

func (r *run) addDateFunctions(env map[string]any) map[string]any {
	env["before"] = func(a, b any) (bool, error) { return r.compare(a, b, -1) }
	env["after"] = func(a, b any) (bool, error) { return r.compare(a, b, +1) }
	env["within"] = r.within
	return env
}

// compare reports whether a lies on the given side of b. If one of them is a date without a
// time, it compares days.
func (r *run) compare(a, b any, side int) (bool, error) {
	first, err := ParseDate(a, r.zone)
	if err != nil {
		return false, err
	}
	second, err := ParseDate(b, r.zone)
	if err != nil || first.IsZero() || second.IsZero() {
		return false, err
	}
	if first.DateOnly() || second.DateOnly() {
		return strings.Compare(first.day(), second.day()) == side, nil
	}
	return first.at.Compare(second.at) == side, nil
}

// within reports whether a date is today or up to the given number of days ahead, in the
// location's zone.
func (r *run) within(date, days any) (bool, error) {
	n, err := number(days)
	if err != nil || n < 0 || n > mostDays {
		return false, fmt.Errorf("within takes a number of days from 0 to %d, not %s", mostDays, quoteShort(printed(days)))
	}
	d, err := ParseDate(date, r.zone)
	if err != nil || d.IsZero() {
		return false, err
	}
	day := dayOf(d.at)
	if !d.DateOnly() {
		day = dayOf(d.at.In(r.zone))
	}
	from, until := local(day.AddDate(0, 0, -n), r.zone), local(day.AddDate(0, 0, 1), r.zone)
	r.askAgain(from)
	r.askAgain(until)
	return !r.facts.Now.Before(from) && r.facts.Now.Before(until), nil
}

// dayOf returns, as midnight UTC, the day of t in t's own zone.
func dayOf(t time.Time) time.Time {
	year, month, day := t.Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

func number(v any) (int, error) {
	switch v := v.(type) {
	case int:
		return v, nil
	case float64:
		if v == float64(int(v)) {
			return int(v), nil
		}
	}
	return 0, fmt.Errorf("%s is no whole number", quoteShort(printed(v)))
}

// askAgain notes a time when the plan may change.
func (r *run) askAgain(at time.Time) {
	if at.After(r.facts.Now) && (r.again.IsZero() || at.Before(*r.again)) {
		*r.again = at.UTC()
	}
}

// isEmpty reports whether a field has no value, or only spaces.
func isEmpty(args ...any) (any, error) { return strings.TrimSpace(printed(args[0])) == "", nil }
