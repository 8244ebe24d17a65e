package mapping

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestConditionsAsRows(t *testing.T) {
	for source, want := range map[string]string{ // "" = the same; "-" = no rows
		`contact.city == "Boston"`:                                               "",
		`contact.city != "Boston" and contact.score == 5`:                        "",
		`contact.a == 1.5 or contact.b == -2 or contact.c == nil`:                "",
		`contact.city contains "ost" && contact.city startsWith "B"`:             `contact.city contains "ost" and contact.city startsWith "B"`,
		`empty(contact.email) or not empty(milestone.date)`:                      "",
		`!empty(contact.email)`:                                                  `not empty(contact.email)`,
		`before(milestone.date, "2026-12-01") and after(task.due, "2026-01-01")`: "",
		`within(milestone.date, 7)`:                                              "",
		`"vip" in contact.tags and "old" not in contact.tags`:                    "",
		`contact.state in ["MA", "NY"]`:                                          "",
		`workflow.fields["Closing Date"] == "x"`:                                 "",
		`not task.completed`:                                                     `task.completed == false`,
		`meeting.ours and meeting.state == "booked"`:                             `meeting.ours == true and meeting.state == "booked"`,
		`contact.custom`:                                                         "-",
		`not (contact.city == "Boston")`:                                         "-",
		`contact.a == "x" and (contact.b == "y" or contact.c == "z")`:            "-",
		`contact.a == contact.b`:                                                 "-",
		`len(contact.tags) > 2`:                                                  "-",
		`contact?.city == "Boston"`:                                              "-",
		`within(milestone.date, -1)`:                                             "-",
		`before(milestone.date, "soon")`:                                         "-",
		`lower(contact.city) == "boston"`:                                        "-",
		`contact.city == `:                                                       "-",
		`"vip" in contact.city`:                                                  "-",
	} {
		rows, ok := ConditionRows(source)
		got, err := rows.Expression()
		switch {
		case want == "-":
			if ok {
				t.Errorf("%s became rows: %+v", source, rows)
			}
		case !ok || err != nil:
			t.Errorf("%s became no rows: %v", source, err)
		case got != want && (want != "" || got != source):
			t.Errorf("%s came back as %s", source, got)
		}
	}
}

// aRow draws a row of the fields of a contact.
func aRow(t *rapid.T) Row {
	word := rapid.SampledFrom([]string{"Boston", "", "a \"b\" 'c' `d`", "x\\n", "ä🙂", "line\nbreak", "in", "\x00\x1b"})
	field := rapid.SampledFrom([]string{"contact.city", "contact.in", "contact.not", "contact.9lives", "contact.a-b", "contact.x y", "workflow.fields.Closing Date"})
	scalar := rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 4).Draw(t, "type") {
		case 0:
			return rapid.Bool().Draw(t, "bool")
		case 1:
			return float64(rapid.IntRange(-1000, 1000).Draw(t, "whole"))
		case 2:
			return float64(rapid.IntRange(1, 1000).Draw(t, "part")) / 8
		case 3:
			return nil
		}
		return word.Draw(t, "text")
	})
	row := Row{Field: writtenPath(strings.Split(field.Draw(t, "field"), ".")), Operator: rapid.SampledFrom(Operators()).Draw(t, "operator")}
	switch row.Operator {
	case Is, IsNot:
		row.Value = scalar.Draw(t, "value")
	case Contains, StartsWith, HasTag, HasNoTag:
		row.Value = "x" + word.Draw(t, "value")
		if row.Operator == HasTag || row.Operator == HasNoTag {
			row.Field = "contact.tags"
		}
	case IsBefore, IsAfter:
		row.Value = "2026-12-01"
	case Within:
		row.Value = float64(rapid.IntRange(0, mostDays).Draw(t, "days"))
	case IsOneOf:
		row.Value = rapid.SliceOfN(scalar, 1, 3).Draw(t, "values")
	}
	return row
}

func TestRowsAreReadBackFromTheirExpression(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := Rows{Rows: rapid.SliceOfN(rapid.Custom(aRow), 1, 4).Draw(t, "rows")}
		rows.Any = len(rows.Rows) > 1 && rapid.Bool().Draw(t, "any")
		source, err := rows.Expression()
		if err != nil {
			t.Fatal(err)
		}
		back, ok := ConditionRows(source)
		if diff := cmp.Diff(rows, back); !ok || diff != "" {
			t.Fatalf("%s\n%s", source, diff)
		}
		if again, _ := back.Expression(); again != source {
			t.Fatalf("%s is written again as %s", source, again)
		}
	})
}

// A condition of rows runs, and means the same as its expression.
func TestConditionsOfRowsRun(t *testing.T) {
	facts := fullFacts()
	facts.Now = at("2026-11-25T12:00:00Z")
	facts.Contact.Fields["city"] = "Boston"
	for source, holds := range map[string]bool{
		`contact.city == "Boston"`: true, `contact.city contains "ost"`: true, `contact.city startsWith "os"`: false,
		`contact.renewal_date contains "x"`: false, `contact.renewal_date startsWith "x"`: false, // without a value
		`empty(contact.renewal_date)`: true, `not empty(contact.city)`: true, `empty(contact.nothing)`: true,
		`"vip" in contact.tags`: true, `"vip" not in contact.tags`: false, `contact.city in ["Austin", "Boston"]`: true,
		`before(contact.milestone_date, "2026-12-02")`: true, `before(contact.milestone_date, "2026-12-01")`: false,
		`after(contact.milestone_date, "2026-11-30")`: true, `before(contact.renewal_date, "2026-12-01")`: false,
		`after(contact.closing_date, "2026-12-01")`: false, `after(contact.closing_date, contact.milestone_date)`: false,
		`within(contact.milestone_date, 6)`: true, `within(contact.milestone_date, 5)`: false, `within(contact.renewal_date, 5)`: false,
	} {
		set, err := Load("f.yaml", []byte("name: A\non: contact.changed\nif: '"+source+"'\ndo: [highlevel_note: { text: x }]"))
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		plan := set.Plan(KindContact, facts)
		if len(plan.Problems) != 0 || len(plan.Items) == 1 != holds {
			t.Errorf("%s: %+v", source, plan)
		}
	}
}

func TestAPlanSaysWhenTheClockChangesIt(t *testing.T) {
	set, err := Load("f.yaml", []byte("name: A\non: contact.changed\nif: within(contact.milestone_date, 5)\ndo: [highlevel_note: { text: x }]"))
	if err != nil {
		t.Fatal(err)
	}
	facts := fullFacts() // the milestone is on the 1st of December, in New York
	for _, c := range []struct {
		now   string
		items int
		again string
	}{
		{"2026-11-25T12:00:00Z", 0, "2026-11-26T05:00:00Z"},
		{"2026-11-26T05:00:00Z", 1, "2026-12-02T05:00:00Z"},
		{"2026-12-02T04:59:59Z", 1, "2026-12-02T05:00:00Z"},
		{"2026-12-02T05:00:00Z", 0, ""},
	} {
		facts.Now = at(c.now)
		plan := set.Plan(KindContact, facts)
		var again time.Time
		if c.again != "" {
			again = at(c.again)
		}
		if len(plan.Items) != c.items || !plan.Again.Equal(again) {
			t.Errorf("at %s: %d items, again at %s", c.now, len(plan.Items), plan.Again)
		}
	}
}

func TestWhoIsMailed(t *testing.T) {
	for do, want := range map[string]string{
		"[event: { title: x, start: '2026-12-01' }]":                                     "[the owner of the CalendarHero account]",
		"[event: { title: x, start: '2026-12-01', invite: contact }]":                    "[the contact (ann@example.com)]",
		"[event: { title: x, start: '2026-12-01', invite: bob@example.com }]":            "[bob@example.com]",
		"[event: { title: x, start: '2026-12-01', invite: '{{ contact.email }}' }]":      "[ann@example.com]",
		"[highlevel_note: { text: x }, highlevel_task: { title: x, due: '2026-12-01' }]": "[]",
		"[tags: { add: x }]": "[the owner of the CalendarHero account, if an open request changes with it]",
		"[contact: {}]":      "[]",
	} {
		set, err := Load("f.yaml", []byte("name: A\non: contact.changed\ndo: "+do))
		if err != nil {
			t.Fatal(do, err)
		}
		var got []string
		for _, item := range set.Plan(KindContact, fullFacts()).Items {
			for _, m := range item.Mails() {
				got = append(got, m.String())
			}
		}
		if text := "[" + strings.Join(got, " ") + "]"; text != want {
			t.Errorf("%s mails %s, want %s", do, text, want)
		}
	}
	set, err := Load("f.yaml", []byte("name: A\non: contact.changed\ndo: [event: { title: x, start: '2026-12-01' }, note: { text: x }, task: { title: x, due: '2026-12-01', invite: '{{ contact.email }}' }]"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Mailed{{Who: InviteOwner}, {Who: InviteAddress}}
	if diff := cmp.Diff(want, set.Automations()[0].Mails()); diff != "" {
		t.Error(diff)
	}
}
