package mapping

import (
	"strings"
	"time"
)

// next returns the first occurrence of a yearly date that is not over at a time. For a date
// in the future, that is the date itself. The 29th of February becomes the 28th in other
// years.
func (d Date) next(now time.Time, zone *time.Location) Date {
	if d.IsZero() {
		return d
	}
	today := dayOf(now.In(zone))
	shown := d.at
	if !d.DateOnly() {
		shown = d.at.In(zone)
	}
	first := dayOf(shown)
	for year := max(first.Year(), today.Year()); ; year++ {
		day := time.Date(year, first.Month(), first.Day(), 0, 0, 0, 0, time.UTC)
		if day.Month() != first.Month() {
			day = day.AddDate(0, 0, -1)
		}
		switch {
		case day.Before(today):
			continue
		case d.DateOnly():
			return Date{at: day, kind: dateCivil}
		case year == first.Year():
			return d
		}
		clock := time.Duration(shown.Hour())*time.Hour + time.Duration(shown.Minute())*time.Minute + time.Duration(shown.Second())*time.Second
		return Date{at: local(day.Add(clock), zone), kind: dateInstant}
	}
}

// plus returns the date after a duration. Each full 24 hours are a calendar day.
func (d Date) plus(by time.Duration, zone *time.Location) Date {
	days, rest := int(by/(24*time.Hour)), by%(24*time.Hour)
	switch {
	case d.IsZero():
		return d
	case d.DateOnly() && rest == 0:
		return Date{at: d.at.AddDate(0, 0, days), kind: dateCivil}
	}
	shown := d.Instant(0, zone)
	_, east := shown.Zone()
	wall := shown.UTC().Add(time.Duration(east)*time.Second).AddDate(0, 0, days)
	return Date{at: local(wall, zone).Add(rest), kind: dateInstant}
}

// endOfDay returns when the day of a date ends in the zone.
func (d Date) endOfDay(zone *time.Location) time.Time {
	shown := d.at
	if !d.DateOnly() {
		shown = d.at.In(zone)
	}
	return local(dayOf(shown).AddDate(0, 0, 1), zone)
}

// localDay is the day of a date in the zone, as 2026-12-01.
func (d Date) localDay(zone *time.Location) string {
	if d.DateOnly() {
		return d.day()
	}
	return d.at.In(zone).Format(time.DateOnly)
}

// DatedKey splits the key of an item for one date of a yearly or approaching milestone.
// base is the key without the date; for any other item, it is the key.
func DatedKey(key string) (base, day string) {
	if base, day, ok := strings.Cut(key, "#"); ok && !strings.Contains(base, "@") {
		return base, day
	}
	return key, ""
}
