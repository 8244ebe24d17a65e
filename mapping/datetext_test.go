package mapping

import (
	"os"
	"strings"
	"testing"
	"time"
)

// wantDate compares with 2026-12-01 for a date alone, otherwise with RFC 3339 in UTC.
func wantDate(t *testing.T, text string, zone *time.Location, want string) {
	t.Helper()
	d, err := ParseDate(text, zone)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	got := d.String()
	if !d.DateOnly() {
		got = d.Instant(0, time.UTC).Format(time.RFC3339Nano)
	}
	if got != want {
		t.Errorf("%q is read as %s, want %s", text, got, want)
	}
}

func TestParseDateReadsWhatProgramsPrint(t *testing.T) {
	const at, day = "2026-12-01T15:00:00Z", "2026-12-01"
	local := "2026-12-01T20:00:00Z" // 15:00 in New York
	for _, tt := range []struct{ by, text, want string }{
		{"JavaScript's toString", "Tue Dec 01 2026 15:00:00 GMT+0000 (Coordinated Universal Time)", at},
		{"JavaScript's toString in Berlin", "Tue Dec 01 2026 16:00:00 GMT+0100 (Central European Standard Time)", at},
		{"JavaScript's toString in German", "Tue Dec 01 2026 16:00:00 GMT+0100 (Mitteleuropäische Normalzeit)", at},
		{"JavaScript's toString at UTC midnight", "Tue Dec 01 2026 00:00:00 GMT+0000 (Coordinated Universal Time)", day},
		{"JavaScript's toDateString", "Tue Dec 01 2026", day},
		{"JavaScript's toUTCString", "Tue, 01 Dec 2026 15:00:00 GMT", at},
		{"JavaScript's toISOString", "2026-12-01T15:00:00.000Z", at},
		{"JavaScript's toLocaleString", "12/1/2026, 3:00:00 PM", local},
		{"JavaScript's toLocaleString, newer", "12/1/2026, 3:00:00\u202fPM", local},
		{"the same in words", "Dec 1, 2026, 3:00\u202fPM", local},
		{"JavaScript's toLocaleString in Edge", "\u200e12\u200e/\u200e1\u200e/\u200e2026\u200e \u200e3\u200e:\u200e00\u200e:\u200e00\u200e \u200ePM", local},
		{"JavaScript's toLocaleString in Canada", "2026-12-01, 3:00:00 p.m.", local},
		{"JavaScript's toLocaleString in Canada's French", "2026-12-01 15 h 00 min 00 s", local},
		{"JavaScript's toLocaleString in Spanish", "1 dic 2026, 3:00:00 p.\u00a0m.", local},
		{"JavaScript's toLocaleString in Hungarian", "2026. 12. 01. 15:00:00", local},
		{"JavaScript's Temporal", "2026-12-01T16:00:00+01:00[Europe/Berlin]", at},
		{"Java's Date", "Tue Dec 01 15:00:00 UTC 2026", at},
		{"Java's Date in Berlin", "Tue Dec 01 16:00:00 CET 2026", at},
		{"Java's Date in New York", "Tue Dec 01 10:00:00 EST 2026", at},
		{"Java's Date in a fixed zone", "Tue Dec 01 16:00:00 GMT+01:00 2026", at},
		{"Java's toGMTString", "1 Dec 2026 15:00:00 GMT", at},
		{"Java's LocalDateTime", "2026-12-01T15:00", local},
		{"Java's ZonedDateTime", "2026-12-01T16:00+01:00[Europe/Berlin]", at},
		{"Java's ZonedDateTime in UTC", "2026-12-01T15:00Z[UTC]", at},
		{"Java's ZonedDateTime in London", "2026-12-01T15:00Z[Europe/London]", at},
		{"a midnight in London is an instant", "2026-12-01T00:00Z[Europe/London]", "2026-12-01T00:00:00Z"},
		{"Java's Instant", "2026-12-01T15:00:00.123456789Z", "2026-12-01T15:00:00.123456789Z"},
		{"Java's Timestamp", "2026-12-01 15:00:00.0", local},
		{"PHP's DATE_ATOM", "2026-12-01T15:00:00+00:00", at},
		{"PHP's DATE_COOKIE", "Tuesday, 01-Dec-2026 15:00:00 UTC", at},
		{"PHP's DATE_RFC822", "Tue, 01 Dec 26 15:00:00 +0000", at},
		{"PHP's DATE_RFC850", "Tuesday, 01-Dec-26 15:00:00 UTC", at},
		{"RFC 850 of the last century", "Tuesday, 01-Dec-81 15:00:00 GMT", "1981-12-01T15:00:00Z"},
		{"PHP's DATE_RFC2822", "Tue, 01 Dec 2026 15:00:00 +0000", at},
		{"Ruby's Time", "2026-12-01 15:00:00 +0000", at},
		{"Ruby's Time in UTC", "2026-12-01 15:00:00 UTC", at},
		{"Ruby's DateTime", "2026-12-01T15:00:00+00:00", at},
		{"Rails' TimeWithZone", "Tue, 01 Dec 2026 10:00:00.000000000 EST -05:00", at},
		{"Rails' TimeWithZone in UTC", "Tue, 01 Dec 2026 15:00:00.000000000 UTC +00:00", at},
		{"Ruby 1.8 and Twitter", "Tue Dec 01 10:00:00 -0500 2026", at},
		{"Python's str", "2026-12-01 15:00:00+00:00", at},
		{"Python's str with microseconds", "2026-12-01 15:00:00.250000-05:00", "2026-12-01T20:00:00.25Z"},
		{"Python's ctime", "Tue Dec  1 15:00:00 2026", local},
		{"Python's email.utils", "Tue, 01 Dec 2026 15:00:00 -0000", at},
		{"a mail's date with a comment", "Tue, 1 Dec 2026 16:00:00 +0100 (CET)", at},
		{"Python's time", "1796137200.25", "2026-12-01T15:00:00.25Z"},
		{"Java's double", "1.7961372E12", at},
		{".NET's former JSON", "/Date(1796137200000)/", at},
		{".NET's former JSON with an offset", `\/Date(1796137200000-0500)\/`, at},
		{".NET's former JSON at UTC midnight", "/Date(1796083200000)/", day},
		{"digits alone", "20261201", day},
		{".NET's o", "2026-12-01T16:00:00.0000000+01:00", at},
		{".NET's u", "2026-12-01 15:00:00Z", at},
		{".NET's s", "2026-12-01T15:00:00", local},
		{".NET's g", "12/01/2026 15:00", local},
		{".NET's G of an offset", "12/01/2026 15:00:00 +00:00", at},
		{".NET's F", "Tuesday, 01 December 2026 15:00:00", local},
		{"PostgreSQL's timestamptz", "2026-12-01 15:00:00+00", at},
		{"PostgreSQL's timestamptz with a fraction", "2026-12-01 20:30:00.5+05:30", "2026-12-01T15:00:00.5Z"},
		{"PostgreSQL's own style", "Tue Dec 01 15:00:00 2026 UTC", at},
		{"Go's Time", "2026-12-01 16:00:00 +0100 CET", at},
		{"Go's Time in a zone without a name", "2026-12-01 18:00:00 +0300 +03", at},
		{"date(1)", "Tue Dec  1 03:00:00 PM UTC 2026", at},
		{"iCalendar", "20261201T150000Z", at},
		{"Excel's long date", "Tuesday, December 1, 2026", day},
		{"Google Sheets", "12/1/2026 15:00:00", local},
		{"the weekday decides between two orders", "Tue 01/12/2026", day},
		{"so it does in Finnish", "ti 1.12.2026 klo 15.00", local},
		{"a day above twelve decides too", "30.11.2026", "2026-11-30"},
		{"and in the other order", "11.30.2026", "2026-11-30"},
		{"mar is March", "Mar 3, 2026 3pm", "2026-03-03T20:00:00Z"},
		{"mar. is mardi", "mar. 1 déc. 2026", day},
		{"mar is both", "mar 3 mar 2026", "2026-03-03"},
		{"ISO 8601's end of the day", "2026-11-30T24:00:00Z", "2026-12-01T00:00:00Z"},
		{"the end of the day, local", "2026-11-30 24:00", "2026-12-01T05:00:00Z"},
		{"a dash before the time", "Tuesday, December 1, 2026 - 3:00 PM", local},
		{"a longer dash", "Dec 1, 2026 – 3pm", local},
		{"an at sign before the time", "2026-12-01 @ 15:00", local},
		{"an hour alone in French", "1 décembre 2026 à 15h", local},
		{"an hour alone in German", "Dienstag, 1. Dezember 2026, 15 Uhr", local},
		{"French without its accents", "1 fevrier 2026", "2026-02-01"},
		{"French with its accents apart", "1 de\u0301cembre 2026", day},
		{"German without its dots", "1. Maerz 2026", "2026-03-01"},
		{"Portuguese without its accents", "terca-feira, 1 de dezembro de 2026 as 15h00", local},
		{"Polish without its accents", "1 pazdziernika 2026", "2026-10-01"},
		{"slashes around a month in words", "01/Dec/2026 15:00:00 +0000", at},
		{"Polish with the word for year", "1 grudnia 2026 r., 15:00", local},
		{"an offset after a date", "2026-12-01 -05:00 15:00", local},
		{"a date in UTC", "2026-12-01 UTC", day},
		{"an XML date in UTC", "2026-12-01Z", day},
		{"a zone's name that means several, beside its offset", "2026-12-01 09:00:00 -0600 CST", at},
		{"digits with a time", "20261201150000", local},
		{"iCalendar with a fraction", "20261201T150000.000Z", at},
		{"Go's Time of a running process", "2026-12-01 15:00:00.1 +0000 UTC m=+0.000012345", "2026-12-01T15:00:00.1Z"},
		{"an access log", "01/Dec/2026:15:00:00 +0000", at},
		{"Excel's AM and PM in short", "12/1/2026 3:00 P", local},
		{"the same at midnight", "Dec 1, 2026 12:00a", "2026-12-01T05:00:00Z"},
		{"the same at noon", "Dec 1, 2026 12:00p", "2026-12-01T17:00:00Z"},
		{"the same on a Friday", "Dec 4, 2026 3:00p", "2026-12-04T20:00:00Z"},
		{"hyphens that do not break", "2026\u201112\u201101", day},
		{"an English day after its time", "3 PM on the 1st of December 2026", local},
		{"Spanish at one o'clock", "martes, 1 de diciembre de 2026 a la 1:00 p.\u00a0m.", "2026-12-01T18:00:00Z"},
		{"the same without its weekday", "1 de diciembre de 2026 a la 1:00 PM", "2026-12-01T18:00:00Z"},
		{"Spanish with its article", "el 1 de diciembre de 2026 a las 15 horas", local},
		{"Spanish of Peru", "1 de setiembre de 2026", "2026-09-01"},
		{"an hour in a French word", "1 décembre 2026 à 15 heures", local},
		{"an hour with its sign", "Dec 1 2026 15:00 hrs", local},
		{"Italian's first day", "1° dicembre 2026", day},
		{"Dutch's first day", "1e december 2026", day},
		{"Swedish's first day", "1:a december 2026", day},
		{"Danish with its article", "d. 1. december 2026", day},
		{"German with its article", "am 1. Dezember 2026 um 15 Uhr", local},
		{"German Saturday", "Sonnabend, 5. Dezember 2026", "2026-12-05"},
		{"Java's Finnish", "1. jouluk 2026", day},
		{"Polish with the word for hour", "1 grudnia 2026 o godz. 15:00", local},
		{"glibc's Polish", "wto, 1 gru 2026 15:00:00", local},
		{"UTC in words", "Tuesday, December 1, 2026 at 3:00:00 PM Coordinated Universal Time", at},
		{"UTC in Spanish words", "martes, 1 de diciembre de 2026, 15:00:00 (tiempo universal coordinado)", at},
		{"UTC in German words", "Dienstag, 1. Dezember 2026 um 15:00:00 Koordinierte Weltzeit", at},
		{"UTC in Finnish words", "tiistai 1. joulukuuta 2026 klo 15.00.00 UTC-yleisaika", at},
		{"UTC in Hungarian words", "2026. december 1., kedd 15:00:00 koordinált világidő", at},
		{"UTC in French words", "mardi 1 décembre 2026 à 15:00:00 temps universel coordonné", at},
		{"milliseconds that are no time of day", "202699999999", "1976-06-04T01:33:19.999Z"},
		{"a zone that clocks show here goes first", "15:00 EST, 1 July 2026", "2026-07-01T20:00:00Z"},
	} {
		t.Run(tt.by, func(t *testing.T) { wantDate(t, tt.text, zone(t, "America/New_York"), tt.want) })
	}
	wantDate(t, "Tue Dec 01 20:30:00 IST 2026", zone(t, "Asia/Kolkata"), at)
	wantDate(t, "Tue Dec 01 23:00:00 CST 2026", zone(t, "Asia/Shanghai"), at)
	wantDate(t, "Tue Dec 01 09:00:00 CST 2026", zone(t, "America/Chicago"), at)
	wantDate(t, "2026-12-01 07:00:00 -0800 PST", zone(t, "Asia/Manila"), at)
}

// testdata/dates.mjs prints the file, which has each month and weekday in HighLevel's
// languages.
func TestParseDateReadsTheLanguagesOfHighLevel(t *testing.T) {
	lines, err := os.ReadFile("testdata/dates.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(lines)) {
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		wantDate(t, columns[1], time.UTC, columns[2])
		wantDate(t, strings.ToUpper(columns[1]), time.UTC, columns[2])
	}
}

func TestParseDateRejectsAmbiguousDates(t *testing.T) {
	for text, want := range map[string]string{
		"01.12.2026":                                "it can mean 2026-01-12 or 2026-12-01; write it as one of these",
		"1.12.2026, 15:00:00":                       "it can mean 2026-01-12 or 2026-12-01",
		"31.11.2026":                                "there is no November 31 in 2026",
		"1-Dec-26":                                  "it can mean 2026-12-01 or 1926-12-01",
		"12/01/26":                                  "it can mean 2026-12-01 or 1926-12-01",
		"46357":                                     "if it is a spreadsheet's day number",
		"Mon, 01 Dec 2026 15:00:00 GMT":             "2026-12-01 is a Tuesday, not a Monday",
		"Mon, 01 Dec 26 15:00:00 GMT":               "2026-12-01 is a Tuesday, not a Monday",
		"mar 3 dic 2026":                            "2026-12-03 is a Thursday, not a Tuesday",
		"Tue Dec 01 09:00:00 CST 2026":              `"CST" is not the name of a time zone, or of several; expected an offset like +01:00`,
		"2026-12-01T15:00:00 Mars/Olympus":          `"Mars/Olympus" is not a time zone`,
		"2026-12-01T15:00+05:00[Europe/Berlin]":     "it names two time zones, +05:00 and Europe/Berlin, which is then at +01:00",
		"2026-12-01 15:00:00 +0200 CET":             "it names two time zones, +0200 and CET",
		"2026-12-01+01:00":                          "it has a time zone, +01:00, but no time of day",
		"2026-12-01 15:00 (CET)":                    `cannot read the time "(CET)"`,
		"2026-12-01 15:00 16:00":                    `cannot read the time "16:00"`,
		"Dec 1":                                     "expected a form like",
		"Dec Nov 1 2026":                            "expected a form like",
		"mar mar mar 3 2026":                        "expected a form like",
		"2026-12-01 24:01":                          `there is no time "24:01"`,
		"2026-12-01 15:00 - 16:00":                  `cannot read the time "- 16:00"`,
		"1. 2. 3. 2026":                             "expected a form like",
		"2026-12-01 15:00:00.1234567891":            "cannot read the time",
		"20261201T250000Z":                          `there is no time`,
		"infinity":                                  "expected a form like",
		"2026-12-04 3:00 PM PT":                     `"PT" is not the name of a time zone, or of several`, // no Friday in Polish
		"Dec 1, 2026 at 3:00 PM PT":                 `"PT" is not the name of a time zone, or of several`,
		"2026-12-04 3:00 PM pt":                     `cannot read the time "pt"`,
		"2026-12-05 15:00 SA":                       `"SA" is not the name of a time zone, or of several`,
		"2026-12-01T15:00:00A":                      `cannot read the time "A"`,
		"2026-12-01T15:00:00R":                      `cannot read the time "R"`,
		"2026-12-04T15:00:00P":                      `cannot read the time "P"`,
		"2026-12-01T15:00:00T":                      `cannot read the time "T"`,
		"2026-12-01 3:00 PM p":                      `cannot read the time "p"`,
		"Dec 3 to 14":                               "expected a form like",
		"202612011500":                              "it can mean 2026-12-01 15:00, or the milliseconds of 1976-06-02 21:06; write it as one of these",
		"20261301150000":                            "14 like 20261201150000, got 14",
		"Tue Dec 01 2026 15:00:00 GMT+1900 (Never)": `there is no time zone offset "GMT+1900"`,
	} {
		if d, err := ParseDate(text, zone(t, "America/New_York")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseDate(%q) = %v, error %v; want an error with %q", text, d, err, want)
		}
	}
}

func TestANameOfADateMeansOneThing(t *testing.T) {
	seen := map[string]bool{}
	tables := append(append(monthNames[:], weekdayNames[:]...), dateFillers)
	for _, names := range zoneNames {
		tables = append(tables, names)
	}
	for _, names := range tables {
		for name := range strings.FieldsSeq(names) {
			if seen[name] && name != "mar" {
				t.Errorf("%q is in the tables twice", name)
			}
			seen[name] = true
		}
	}
}
