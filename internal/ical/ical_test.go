package ical_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	parser "github.com/emersion/go-ical"
	"github.com/google/go-cmp/cmp"

	"milepost/internal/ical"
	"milepost/internal/testenv"
)

// write returns a calendar with a VTIMEZONE for all that is in it.
func write(t testing.TB, components ...ical.Component) string {
	t.Helper()
	var out bytes.Buffer
	w := ical.NewWriter(&out, ical.Header{Product: "-//Milepost//Test//EN", Name: "Närthwind, Realty", Refresh: 15 * time.Minute})
	spans := map[*time.Location][2]time.Time{}
	for _, c := range components {
		for _, at := range []time.Time{c.Start, c.End} {
			s, ok := spans[at.Location()]
			if !ok || at.Before(s[0]) {
				s[0] = at
			}
			if at.After(s[1]) {
				s[1] = at
			}
			if !at.IsZero() {
				spans[at.Location()] = s
			}
		}
	}
	for zone, s := range spans {
		w.TimeZone(zone, s[0], s[1])
	}
	for _, c := range components {
		w.Component(c)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// parsed is what a parser says of a component.
type parsed struct {
	Kind, UID, Status, Start, End, Completed, Summary, Text, Location string
	Sequence                                                          int64
	Categories, Alarms                                                []string
}

// expected is what it is to say.
func expected(c ical.Component) parsed {
	p := parsed{Kind: string(c.Kind), UID: c.UID, Status: c.Status, Sequence: c.Sequence, Summary: c.Summary, Text: c.Text, Location: c.Location, Categories: []string{}, Alarms: []string{}}
	p.Categories = append(p.Categories, c.Categories...)
	for _, f := range []struct {
		to *string
		at time.Time
	}{{&p.Start, c.Start}, {&p.End, c.End}, {&p.Completed, c.Completed}} {
		if !f.at.IsZero() {
			*f.to = f.at.UTC().Format(time.RFC3339)
		}
	}
	if c.Kind == ical.Todo {
		p.Start = ""
	}
	if c.Kind == ical.Journal {
		p.End = ""
	}
	if c.DateOnly {
		p.End = c.End.Format(time.DateOnly)
	}
	return p
}

// otherParsers read a calendar and print what they found; neither has anything
// in common with the writer.
func otherParsers(t *testing.T) map[string]func(calendar string) []parsed {
	run := func(command ...string) func(string) []parsed {
		return func(calendar string) []parsed {
			t.Helper()
			cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
			var problems strings.Builder
			cmd.Stdin, cmd.Stderr = strings.NewReader(calendar), &problems
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %v\n%s", command, err, problems.String())
			}
			var found []parsed
			if err := json.Unmarshal(out, &found); err != nil {
				t.Fatal(err)
			}
			return found
		}
	}
	return map[string]func(string) []parsed{
		"icalendar": run(testenv.Python(t, "icalendar"), "testdata/icalendar/read.py"),
		"ical.js":   run("node", testenv.NodePackage(t, "testdata/icaljs")+"/read.mjs"),
	}
}

// Two other implementations read the calendar, and know the time zones from it
// alone: their names are replaced by some that nobody knows.
func TestOtherImplementationsReadTheRightTimes(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	readers := otherParsers(t)
	changed := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for _, name := range []string{
		"America/New_York", "Europe/Berlin", "Australia/Sydney", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Tokyo",
		"Europe/Dublin", "Africa/Casablanca", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu",
	} {
		t.Run(name, func(t *testing.T) {
			loc := zone(t, name)
			var want []ical.Component
			add := func(at time.Time) {
				want = append(want, ical.Component{Kind: ical.Event, UID: at.UTC().Format(time.RFC3339), Modified: changed, Start: at.In(loc), End: at.Add(30 * time.Minute).In(loc)})
			}
			// Around each change of the clocks in six years, among them that of a whole
			// day in Samoa (2011) and the end of summer time in Brazil (2019).
			for _, year := range []int{2011, 2018, 2019, 2026, 2027, 2030} {
				at := time.Date(year, 1, 10, 9, 0, 0, 0, loc)
				for add(at); ; {
					_, end := at.ZoneBounds()
					if end.IsZero() || end.Year() > year {
						break
					}
					for _, d := range []time.Duration{-25 * time.Hour, -3 * time.Hour, -time.Hour, -time.Minute, 0, time.Minute, time.Hour, 3 * time.Hour, 25 * time.Hour} {
						add(end.Add(d))
					}
					at = end
				}
			}
			calendar := strings.ReplaceAll(write(t, want...), name, "nobody-knows/"+strings.ReplaceAll(name, "/", "-"))
			for reader, read := range readers {
				got := read(calendar)
				if len(got) != len(want) {
					t.Fatalf("%s found %d events, want %d", reader, len(got), len(want))
				}
				for i := range got {
					if diff := cmp.Diff(expected(want[i]), got[i]); diff != "" {
						t.Errorf("%s (- want, + got):\n%s", reader, diff)
					}
				}
			}
		})
	}
}

func TestOtherImplementationsReadEveryKindOfComponent(t *testing.T) {
	testenv.Long(t)
	loc := zone(t, "America/New_York")
	at := time.Date(2026, 11, 2, 9, 0, 0, 0, loc)
	want := []ical.Component{
		{
			Kind: ical.Event, UID: "e1", Sequence: 3, Status: "TENTATIVE", Created: at.AddDate(0, -1, 0), Modified: at, Start: at, End: at.Add(time.Hour),
			Summary: `Closing: "Jane; Doe", O'Neil \ Sons`, Text: "Bring:\n- the key\n- ☕ and 日本語, " + strings.Repeat("ünd weiter ", 30), Location: "12, Main St; rear",
			Categories: []string{"c;d", "vip"}, Alarms: []time.Duration{24 * time.Hour, time.Hour},
		},
		{Kind: ical.Event, UID: "e2", Sequence: 9, Status: "CANCELLED", Modified: at, Start: at, End: at.Add(time.Hour), Summary: "gone"},
		{Kind: ical.Todo, UID: "t1", Status: "NEEDS-ACTION", Modified: at, End: at, Summary: "Call", Alarms: []time.Duration{48 * time.Hour, 90 * time.Minute}},
		{Kind: ical.Todo, UID: "t2", Status: "IN-PROCESS", Modified: at, End: at, DateOnly: true, Summary: "File it", Alarms: []time.Duration{24 * time.Hour}},
		{Kind: ical.Todo, UID: "t3", Status: "COMPLETED", Modified: at, End: at, Completed: at.Add(-time.Minute), Summary: "Done"},
		{Kind: ical.Journal, UID: "j1", Status: "FINAL", Modified: at, Start: at, Summary: "Prefers mornings", Text: "Prefers mornings\nHas a dog", Categories: []string{"dog"}},
	}
	alarms := [][]string{{"-P1D", "-PT1H"}, {}, {"-P2D", "-PT1H30M"}, {"2026-11-01T14:00:00Z"}, {}, {}} // the fourth over the end of summer time
	calendar := write(t, want...)
	for reader, read := range otherParsers(t) {
		got := read(calendar)
		if len(got) != len(want) {
			t.Fatalf("%s found %d components, want %d", reader, len(got), len(want))
		}
		for i := range got {
			e := expected(want[i])
			e.Alarms = alarms[i]
			if diff := cmp.Diff(e, got[i]); diff != "" {
				t.Errorf("%s (- want, + got):\n%s", reader, diff)
			}
		}
	}
	for _, line := range []string{
		"X-WR-CALNAME:Närthwind\\, Realty", "REFRESH-INTERVAL;VALUE=DURATION:PT15M", "DTSTART;TZID=America/New_York:20261102T090000",
		"DUE;VALUE=DATE:20261102", "TRIGGER;RELATED=END:-P2D", "PERCENT-COMPLETE:100", "DTSTAMP:20261102T140000Z",
	} {
		if !strings.Contains(calendar, "\r\n"+line+"\r\n") {
			t.Errorf("there is no line %s in\n%s", line, calendar)
		}
	}
}

func TestATimeWithoutItsZoneInTheCalendarIsWrittenInUTC(t *testing.T) {
	var out bytes.Buffer
	w := ical.NewWriter(&out, ical.Header{Product: "-//Milepost//Test//EN"})
	loc := zone(t, "Europe/Berlin")
	at := time.Date(2026, 6, 1, 9, 0, 0, 0, loc)
	w.TimeZone(loc, at, at.Add(time.Hour))
	w.TimeZone(time.UTC, at, at)
	w.TimeZone(zone(t, "Asia/Tokyo"), time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC))
	w.Component(ical.Component{Kind: ical.Event, UID: "in", Start: at, End: at.AddDate(1, 0, 0)})
	w.Component(ical.Component{Kind: ical.Event, UID: "other", Start: at.In(zone(t, "Asia/Tokyo")), End: time.Date(9999, 1, 1, 0, 0, 0, 0, loc)})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"DTSTART;TZID=Europe/Berlin:20260601T090000", "DTEND:20270601T070000Z", "DTSTART:20260601T070000Z", "DTEND:99981231T230000Z"} {
		if !strings.Contains(out.String(), "\r\n"+line+"\r\n") {
			t.Errorf("there is no line %s in\n%s", line, &out)
		}
	}
	if n := strings.Count(out.String(), "BEGIN:VTIMEZONE"); n != 1 {
		t.Errorf("%d time zones were written, want 1", n)
	}
}

// A date that was mistyped makes no endless time zone, and each of its parts
// follows on another.
func TestATimeZoneIsBounded(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "Australia/Sydney", "Asia/Kolkata", "Africa/Casablanca"} {
		var out bytes.Buffer
		w := ical.NewWriter(&out, ical.Header{})
		w.TimeZone(zone(t, name), time.Time{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		onsets := map[string]bool{}
		for line := range strings.SplitSeq(out.String(), "\r\n") {
			if at, ok := strings.CutPrefix(line, "DTSTART:"); ok {
				if onsets[at] {
					t.Errorf("%s has two parts that begin at %s", name, at)
				}
				onsets[at] = true
			}
		}
		if n := len(onsets); n == 0 || n > 2*130+10 || out.Len() > 40<<10 {
			t.Errorf("%s has %d parts in %d bytes", name, n, out.Len())
		}
	}
}

func FuzzAnyTextIsReadBackAsItIs(f *testing.F) {
	for _, s := range []string{
		"", "plain", "a,b;c\\d:e\"f", "\n", "a\r\nb\rc\nd", "BEGIN:VEVENT\r\nUID:forged", `\n`, `\\n`, "\t x", strings.Repeat("é", 100), strings.Repeat("😀", 50),
		strings.Repeat("x", 73) + "é", strings.Repeat(",", 80), "\x00\x07\x7f\u0085\u2028", "\xff\xfe", " lead and trail ", "X-A;B=\"c\":d", "é\u0301\u200d👩‍👩‍👧",
	} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, text, category string) {
		at := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
		calendar := write(t, ical.Component{Kind: ical.Event, UID: "u", Modified: at, Start: at, End: at, Summary: "x" + text, Text: "é" + text, Categories: []string{"x" + category, "y"}, Alarms: []time.Duration{time.Hour}})
		for line := range strings.SplitSeq(strings.TrimSuffix(calendar, "\r\n"), "\r\n") {
			if len(line) > 75 || strings.ContainsAny(line, "\r\n") || !utf8.ValidString(line) {
				t.Errorf("a line of %d octets: %q", len(line), line)
			}
		}
		read, err := parser.NewDecoder(strings.NewReader(calendar)).Decode()
		if err != nil {
			t.Fatalf("%v in\n%s", err, calendar)
		}
		if len(read.Children) != 1 || len(read.Children[0].Children) != 1 {
			t.Fatalf("the calendar has %d components, want one event with one alarm:\n%s", len(read.Children), calendar)
		}
		event := read.Children[0]
		for name, want := range map[string]string{"SUMMARY": "x" + text, "DESCRIPTION": "é" + text, "UID": "u"} {
			if got, err := event.Props.Text(name); err != nil || got != asText(want) {
				t.Errorf("%s is read as %q, %v; want %q", name, got, err, asText(want))
			}
		}
		if got, err := event.Props.Get("CATEGORIES").TextList(); err != nil || !slices.Equal(got, []string{asText("x" + category), "y"}) {
			t.Errorf("the categories are read as %q, %v; want %q and y", got, err, asText("x"+category))
		}
	})
}

// asText is what of a text iCalendar can hold.
func asText(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n").Replace(s)
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || 0x7F <= r && r < 0xA0 {
			return -1
		}
		return r
	}, s) // which makes U+FFFD of what is no UTF-8
}
