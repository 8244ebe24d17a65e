package mapping

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zoneNamed(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return z
}

func TestAReminderCountsDaysByTheCalendarAndHoursByTheClock(t *testing.T) {
	const newYork, berlin, apia = "America/New_York", "Europe/Berlin", "Pacific/Apia"
	for name, tt := range map[string]struct{ at, before, zone, want string }{
		"an ordinary day":              {"2026-12-01T10:00:00-05:00", "1d", newYork, "2026-11-30T10:00:00-05:00"},
		"ordinary hours":               {"2026-12-01T10:00:00-05:00", "1h30m", newYork, "2026-12-01T08:30:00-05:00"},
		"a day of 23 hours":            {"2026-03-08T10:00:00-04:00", "1d", newYork, "2026-03-07T10:00:00-05:00"},
		"a day of 25 hours":            {"2026-11-01T10:00:00-05:00", "1d", newYork, "2026-10-31T10:00:00-04:00"},
		"23 hours over a skipped one":  {"2026-03-08T10:00:00-04:00", "23h", newYork, "2026-03-07T10:00:00-05:00"},
		"23 hours over a repeated one": {"2026-11-01T10:00:00-05:00", "23h", newYork, "2026-10-31T12:00:00-04:00"},
		"24 hours are a day":           {"2026-03-08T10:00:00-04:00", "24h", newYork, "2026-03-07T10:00:00-05:00"},
		"a week":                       {"2026-11-05T10:00:00-05:00", "1w", newYork, "2026-10-29T10:00:00-04:00"},
		"a day and two hours":          {"2026-03-09T03:30:00-04:00", "1d2h", newYork, "2026-03-08T00:30:00-05:00"},
		"a time that is skipped":       {"2026-03-09T02:30:00-04:00", "1d", newYork, "2026-03-08T03:30:00-04:00"},
		"a time that is there twice":   {"2026-11-02T01:30:00-05:00", "1d", newYork, "2026-11-01T01:30:00-04:00"},
		"from the second of two":       {"2026-11-01T01:30:00-05:00", "1d", newYork, "2026-10-31T01:30:00-04:00"},
		"half an hour from the second": {"2026-11-01T01:00:00-05:00", "30m", newYork, "2026-11-01T01:30:00-04:00"},
		"another zone":                 {"2026-03-29T08:00:00Z", "1d", berlin, "2026-03-28T10:00:00+01:00"},
		"no zone":                      {"2026-03-29T08:00:00Z", "2d", "", "2026-03-27T08:00:00Z"},
		"the day before was left out":  {"2011-12-31T10:00:00+14:00", "1d", apia, "2011-12-30T10:00:00+14:00"},
		"over a day that was left out": {"2011-12-31T10:00:00+14:00", "2d", apia, "2011-12-29T10:00:00-10:00"},
		"the end of a month":           {"2027-03-01T10:00:00-05:00", "1d", newYork, "2027-02-28T10:00:00-05:00"},
	} {
		t.Run(name, func(t *testing.T) {
			var zone *time.Location
			if tt.zone != "" {
				zone = zoneNamed(tt.zone)
			}
			d, err := parseDuration(tt.before)
			if err != nil {
				t.Fatal(err)
			}
			got := Before(at(tt.at), d, zone)
			if !got.Equal(at(tt.want)) || got.Location() != time.UTC {
				t.Errorf("%s before %s is %s, want %s", tt.before, tt.at, got, tt.want)
			}
		})
	}
}

func TestAReminderIsBeforeAndNearItsTime(t *testing.T) {
	zones := []*time.Location{nil, newYork(), zoneNamed("Pacific/Apia"), zoneNamed("Australia/Lord_Howe"), zoneNamed("Africa/Casablanca")}
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		at := time.Unix(rapid.Int64Range(1e9, 3e9).Draw(t, "at"), 0)
		d := time.Duration(rapid.IntRange(1, 60*24*60).Draw(t, "minutes")) * time.Minute
		due := Before(at, d, zone)
		if !due.Before(at) {
			t.Fatalf("%s before %s is %s", d, at, due)
		}
		if off := at.Sub(due) - d; off.Abs() > 25*time.Hour {
			t.Fatalf("%s before %s is %s, which is %s off", d, at, due, off)
		}
	})
}

func TestADurationThatIsMisspelledIsSuggestedAsItWasMeant(t *testing.T) {
	for text, want := range map[string]string{
		"5 minuets": "5m", "30 min": "30m", "30": "30m", "1.5h": "1h30m", "1,5 hours": "1h30m", "0.5h": "30m", "1h30": "1h30m", "1 hour 30 minutes": "1h30m",
		"-3d": "3d", "- 1 day": "1d", "2hr": "2h", "1 wek": "1w", "3 dayz": "3d", "3 days before": "3d", "0:30": "30m", "1:30": "1h30m", "0.5d": "12h",
		"1M": "", "1 month": "", "soon": "", "long": "", "1.25h": "", "": "", "five minutes": "", "2 years": "", "3y": "", "2q": "",
	} {
		_, err := parseDuration(text)
		if err == nil {
			t.Errorf("%q is a duration", text)
			continue
		}
		if meant := "did you mean " + want + "?"; want != "" && !strings.HasSuffix(err.Error(), meant) || want == "" && strings.Contains(err.Error(), "did you mean") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
