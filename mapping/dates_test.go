package mapping

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestParseDateReadsEveryForm(t *testing.T) {
	const newYork, lordHowe = "America/New_York", "Australia/Lord_Howe"
	tests := []struct {
		name string
		in   any
		zone string
		want string // 2026-12-01 for a date alone, RFC 3339 in UTC for an instant, "" for cleared
	}{
		{"nothing", nil, newYork, ""},
		{"an empty text", "", newYork, ""},
		{"blanks", "  ", newYork, ""},
		{"a date", "2026-12-01", newYork, "2026-12-01"},
		{"a date with blanks around it", " 2026-12-01\n", newYork, "2026-12-01"},
		{"a date with slashes", "2026/12/01", newYork, "2026-12-01"},
		{"a date with dots", "2026.12.1", newYork, "2026-12-01"},
		{"RFC 3339 at UTC midnight is a date", "2026-12-01T00:00:00Z", newYork, "2026-12-01"},
		{"so it is with milliseconds", "2026-12-01T00:00:00.000Z", newYork, "2026-12-01"},
		{"and with a zero offset", "2026-12-01T00:00:00+00:00", newYork, "2026-12-01"},
		{"RFC 3339 at another midnight is an instant", "2026-12-01T00:00:00-05:00", newYork, "2026-12-01T05:00:00Z"},
		{"RFC 3339 otherwise is an instant", "2026-12-01T15:00:00Z", newYork, "2026-12-01T15:00:00Z"},
		{"with an offset without colon", "2026-12-01T15:00:00+0230", newYork, "2026-12-01T12:30:00Z"},
		{"with a fraction", "2026-12-01T15:00:00.250Z", newYork, "2026-12-01T15:00:00.25Z"},
		{"seconds at UTC midnight", 1796083200.0, newYork, "2026-12-01"},
		{"milliseconds at UTC midnight", 1796083200000.0, newYork, "2026-12-01"},
		{"milliseconds as an integer", int64(1796083200000), newYork, "2026-12-01"},
		{"milliseconds as a JSON number", json.Number("1796083200000"), newYork, "2026-12-01"},
		{"seconds as digits", "1796083200", newYork, "2026-12-01"},
		{"milliseconds as digits", "1796083200000", newYork, "2026-12-01"},
		{"nine digits of seconds", "500000000", newYork, "1985-11-05T00:53:20Z"},
		{"milliseconds at another time are an instant", "1796137200000", newYork, "2026-12-01T15:00:00Z"},
		{"twelve digits are milliseconds", "499996800000", newYork, "1985-11-05T00:00:00Z"[:10]},
		{"eleven digits are milliseconds", 86400000.0 * 200, newYork, "1970-07-20"},
		{"a birth before 1970 in seconds", -315619200.0, newYork, "1960-01-01"},
		{"a birth before 1970 in milliseconds", -315619200000.0, newYork, "1960-01-01"},
		{"a birth before 1970 as digits", "-315619200000", newYork, "1960-01-01"},
		{"a birth before 1970", "1931-02-28", newYork, "1931-02-28"},
		{"month, day, year", "12/01/2026", newYork, "2026-12-01"},
		{"month, day, year with hyphens", "12-01-2026", newYork, "2026-12-01"},
		{"month, day, year in short", "2/1/2026", newYork, "2026-02-01"},
		{"month, day, year and a time", "12/01/2026 3:30 PM", newYork, "2026-12-01T20:30:00Z"},
		{"words", "Nov 30th 2026", newYork, "2026-11-30"},
		{"words with a comma", "November 1st, 2026", newYork, "2026-11-01"},
		{"words with the weekday", "Monday, November 30, 2026", newYork, "2026-11-30"},
		{"words with a time", "Mon, Nov 30th, 2026 12:05 am", newYork, "2026-11-30T05:05:00Z"},
		{"words with the day first", "30 Sept. 2026", newYork, "2026-09-30"},
		{"words with the weekday and a time", "Monday, November 30, 2026 3:00 PM", newYork, "2026-11-30T20:00:00Z"},
		{"words with an hour alone", "Nov 30th 2026 at 3pm", newYork, "2026-11-30T20:00:00Z"},
		{"words with hyphens", "30-Nov-2026", newYork, "2026-11-30"},
		{"words with hyphens, month first", "Nov-30-2026", newYork, "2026-11-30"},
		{"a local time", "2021-07-16 11:00:00", newYork, "2021-07-16T15:00:00Z"},
		{"a local time without seconds", "2021-07-16T11:00", newYork, "2021-07-16T15:00:00Z"},
		{"a local midnight is an instant", "2021-07-16 00:00:00", newYork, "2021-07-16T04:00:00Z"},
		{"a leap day", "2028-02-29", newYork, "2028-02-29"},
		{"a Go time", time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), newYork, "2026-12-01T00:00:00Z"},

		{"in a gap of an hour it moves forward", "2026-03-08 02:30:00", newYork, "2026-03-08T07:30:00Z"}, // shows 03:30
		{"just before the gap", "2026-03-08 01:59:59", newYork, "2026-03-08T06:59:59Z"},
		{"just after the gap", "2026-03-08 03:00:00", newYork, "2026-03-08T07:00:00Z"},
		{"of two it takes the first", "2026-11-01 01:30:00", newYork, "2026-11-01T05:30:00Z"},
		{"just after the overlap", "2026-11-01 02:00:00", newYork, "2026-11-01T07:00:00Z"},
		{"in a gap of half an hour it moves forward", "2026-10-04 02:15:00", lordHowe, "2026-10-03T15:45:00Z"}, // shows 02:45
		{"of two half hours it takes the first", "2026-04-05 01:45:00", lordHowe, "2026-04-04T14:45:00Z"},
		{"just after the half hour", "2026-04-05 02:00:00", lordHowe, "2026-04-04T15:30:00Z"},
		{"in a gap of a whole day", "2011-12-30 09:00:00", "Pacific/Apia", "2011-12-30T19:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ParseDate(tt.in, zone(t, tt.zone))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			switch {
			case d.DateOnly():
				got = d.String()
			case !d.IsZero():
				got = d.Instant(0, time.UTC).Format(time.RFC3339Nano)
			}
			if got != tt.want {
				t.Errorf("ParseDate(%v) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestParseDateSaysWhatIsImpossible(t *testing.T) {
	tests := []struct {
		in   any
		want string
	}{
		{"2026-02-30", `"2026-02-30" is not a date: there is no February 30 in 2026`},
		{"2027-02-29", `there is no February 29 in 2027`},
		{"2026-13-01", `there is no month 13`},
		{"30/11/2026", `there is no month 30 (a date with slashes is read month first)`},
		{"2026-00-10", `there is no month 0`},
		{"Nov 31st 2026", `there is no November 31 in 2026`},
		{"0202-12-01", `the year 202 is not between 1800 and 2999`},
		{"soon", `"soon" is not a date: expected a form like 2026-12-01`},
		{"2026-12-01 25:00", `there is no time "25:00"`},
		{"2026-12-01 13:00 PM", `there is no time "13:00 PM"`},
		{"2026-12-01 noon", `cannot read the time "noon"`},
		{"2026-12-01T10:00:00+19:00", `there is no time zone offset "+19:00"`},
		{"20261301", `got 8`},
		{"12012026", `got 8`},
		{"20261201.5", `got 8`},
		{"123456789012345", `got 15`},
		{"99999999999999999999999", `got 23`},
		{"2026-12/01", `is not a date`},
		{"Dec 1", `is not a date`},
		{"12/01/26", `is not a date`},
		{strings.Repeat("9", 1000), "…"},
		{math.NaN(), `the number NaN is not a date`},
		{math.Inf(1), `the number +Inf is not a date`},
		{1e300, `is not a date`},
		{46357.625, `the number 46357.625 is not a date: expected 8 or more digits, got 5; if it is a spreadsheet's day number`},
		{0.0, `got 1`},
		{true, `"true" is not a date: expected text or a number`},
		{[]any{"2026-12-01"}, `is not a date: expected text or a number`},
		{99999999999999.0, `14 like 20261201150000, got 14`},
		{"/Date(99999999999999)/", `the year 5138 is not between 1800 and 2999`},
	}
	for _, tt := range tests {
		d, err := ParseDate(tt.in, time.UTC)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseDate(%.40v) = %v, error %v; want an error with %q", tt.in, d, err, tt.want)
		}
	}
}

func TestADateTakesTheTimeOfDayInItsZone(t *testing.T) {
	d, err := ParseDate("2026-03-08", nil)
	if err != nil {
		t.Fatal(err)
	}
	for clock, want := range map[time.Duration]string{
		9 * time.Hour:                 "2026-03-08T09:00:00-04:00",
		2*time.Hour + 30*time.Minute:  "2026-03-08T03:30:00-04:00", // the clocks skip 02:30
		time.Hour + 59*time.Minute:    "2026-03-08T01:59:00-05:00",
		23*time.Hour + 59*time.Minute: "2026-03-08T23:59:00-04:00",
		0:                             "2026-03-08T00:00:00-05:00",
	} {
		if got := d.Instant(clock, zone(t, "America/New_York")).Format(time.RFC3339); got != want {
			t.Errorf("at %v: %s, want %s", clock, got, want)
		}
	}
}

// An instant that is written as a local time and read back is the same instant, or the
// earlier of two with the same local time.
func TestALocalTimeIsReadBackAsTheFirstInstantThatShowsIt(t *testing.T) {
	zones := []*time.Location{
		zone(t, "America/New_York"), zone(t, "Australia/Lord_Howe"), zone(t, "Europe/Berlin"),
		zone(t, "Asia/Kathmandu"), zone(t, "Africa/Casablanca"), zone(t, "America/St_Johns"), time.UTC,
	}
	rapid.Check(t, func(rt *rapid.T) {
		z := rapid.SampledFrom(zones).Draw(rt, "zone")
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(rt, "at"), 0).In(z)
		const layout = "2006-01-02 15:04:05"
		d, err := ParseDate(at.Format(layout), z)
		if err != nil {
			rt.Fatal(err)
		}
		got := d.Instant(0, z)
		if got.Format(layout) != at.Format(layout) || got.After(at) {
			rt.Fatalf("%v was read back as %v", at, got)
		}
		for back := 30 * time.Minute; back <= 2*time.Hour; back += 30 * time.Minute {
			if earlier := at.Add(-back); earlier.Format(layout) == at.Format(layout) && !got.Equal(earlier) {
				rt.Fatalf("%v is shown at %v first, but was read back as %v", at, earlier, got)
			}
		}
	})
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{
		"2026-12-01", "2026-12-01T15:00:00.5+02:00", "1796083200000", "-315619200", "12/01/2026 3:30 PM", "Monday, Nov 30th, 2026 at 10:00",
		"Tue, 01 Dec 26 15:00:00 GMT+0100 (CET)", "2026-12-01T15:00+01:00[Europe/Berlin]", "mar. 1 déc. 2026 à 15 h 00", "20261201T150000Z", "12/1/2026 3:00 P", "20261201150000", "202612011500",
	} {
		f.Add(s)
	}
	z := zone(f, "Australia/Lord_Howe")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDate(s, z)
		if err != nil {
			if !d.IsZero() || strings.ContainsAny(err.Error(), "\n") || len(err.Error()) > 600 {
				t.Errorf("ParseDate(%q) = %v, error %q", s, d, err)
			}
			return
		}
		again, err := ParseDate(d.String(), z)
		if err != nil || again.DateOnly() != d.DateOnly() || again.IsZero() != d.IsZero() || again.String() != d.String() {
			t.Errorf("ParseDate(%q) = %v, which reads back as %v, error %v", s, d, again, err)
		}
	})
}
