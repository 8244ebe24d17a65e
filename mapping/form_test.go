package mapping

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"milepost/internal/testenv"
)

// writtenTexts are the automations of the recipes and of the documentation, one text each.
func writtenTexts(t *testing.T) (texts []string) {
	t.Helper()
	sources := []string{string(recipes)}
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(block[1], "do:") {
				sources = append(sources, block[1])
			}
		}
	}
	for _, source := range sources {
		list, err := Split([]byte(source))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, list...)
	}
	if len(texts) < 40 {
		t.Errorf("only %d were found", len(texts))
	}
	return texts
}

// readTheForm reads the form of a text that must have one.
func readTheForm(t *testing.T, text string) Form {
	t.Helper()
	f, err := ReadForm(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return f
}

func TestAWrittenTextOpensInTheFormAndIsSavedUnchanged(t *testing.T) {
	testenv.Long(t)
	for _, text := range writtenTexts(t) {
		f := readTheForm(t, text)
		for _, act := range f.Actions {
			for field, v := range act.Values {
				if v.YAML != "" && field != "fields.additionalDetails" {
					t.Errorf("%s of %s is shown as YAML: %s\n%s", field, act.Type, v.YAML, text)
				}
			}
		}
		if same, err := f.Text(text); err != nil || same != text {
			t.Errorf("%v, unchanged it became\n%s", err, same)
		}
		anew, err := f.Text("")
		if err != nil {
			t.Errorf("%v\n%s", err, text)
			continue
		}
		if diff := cmp.Diff(f, readTheForm(t, anew)); diff != "" {
			t.Errorf("written anew it differs: %s\n%s", diff, anew)
		}
		if _, err := Load("form", []byte(anew)); err != nil {
			t.Errorf("%v\n%s", err, anew)
		}
	}
}

func TestAChangeInTheFormKeepsTheRestOfTheText(t *testing.T) {
	texts, err := Split(recipes)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(texts, func(text string) bool { return strings.Contains(text, "id: milestone-to-calendar-event") })
	text := texts[i]
	f := readTheForm(t, text)
	f.Top["name"] = FormValue{Text: "Closings"}
	f.Actions[0].Values["invite"] = FormValue{Text: "contact"}
	f.Actions[0].Values["reminders"] = FormValue{List: []string{"2d"}}
	f.Actions = append(f.Actions, FormAction{Type: "tags", Values: FormValues{"add": {List: []string{"closing"}}}})
	got, err := f.Text(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"Closings", "invite: contact # owner, contact (mails", "[2d]", "# types: { vip: call }", "# If your milestone is one date field", "at: \"09:00\" # for a date", "    - tags:\n        add: [closing]"} {
		if !strings.Contains(got, line) {
			t.Errorf("it has no %q:\n%s", line, got)
		}
	}
	if _, err := Load("form", []byte(got)); err != nil {
		t.Error(err)
	}
	f.Actions[0], f.Actions[1] = f.Actions[1], f.Actions[0]
	if got, err = f.Text(text); err != nil || strings.Index(got, "- tags:") > strings.Index(got, "- event:") || !strings.Contains(got, "# for a date") {
		t.Errorf("%v, in another order it is\n%s", err, got)
	}
}

func TestOnlyYAMLCanShowReferences(t *testing.T) {
	for _, text := range []string{
		"- {name: A, on: contact.changed, do: [event: {title: &t x, start: *t}]}",
		"- {name: A, on: contact.changed, do: [event: {title: !!str x}]}",
		"- {name: A, name: B}",
		"- {name: A, colour: red}",
		"- {name: A, do: [explode: {}]}",
		"- {name: A, do: [event: {}, {}]}",
		"- {name: A, do: [request: {fields: {a.b: 1}}]}",
		"- [x]",
		"a",
	} {
		if f, err := ReadForm(text); err == nil {
			t.Errorf("%s has the form %+v", text, f)
		}
	}
}

// hardTexts are difficult to write as YAML.
var hardTexts = []string{
	"", "x", " x ", "true", "on", "~", "null", "12", "007", "1e3", "09:00", "1d", "{{ contact.name }}", `{{ contact.tags | join(", ") }}: "x" #1`, "- a", "? a", "a: b", "a #b",
	"'", `"`, `\`, "é\u00a0ü", "日本", "*x", "&x", "!x", "@x", "`x`", "%x", "|", ">", "two\nlines", "two\n\nlines\n", "\n", "  indented\nlines ", "tab\tin", "[a, b]", "{a: b}", "a,b", "#a", "2026-12-01", ".5", "0x10", "=", "<<", "-", "---", "...", "\u2028x", "\U0001F600",
}

func TestWritingAFormAndReadingItGivesTheSameForm(t *testing.T) {
	testenv.Long(t)
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(list []string) string { return list[rng.IntN(len(list))] }
	value := func(kind FieldKind) FormValue {
		switch kind {
		case FieldList:
			v := FormValue{List: []string{}}
			for range rng.IntN(4) {
				v.List = append(v.List, pick(hardTexts))
			}
			return v
		case FieldTable:
			v := FormValue{Table: []FormPair{}}
			for i := range rng.IntN(4) {
				v.Table = append(v.Table, FormPair{fmt.Sprint(pick(hardTexts), i), pick(hardTexts)})
			}
			return v
		case FieldYAML:
			return FormValue{YAML: pick([]string{"[1, 2]", "{a: [b, {c: d}]}", "null", `["x"]`})}
		case FieldFlag:
			return FormValue{Text: pick([]string{"true", "false"})}
		}
		return FormValue{Text: pick(hardTexts)}
	}
	operations := []string{"highlevel.create_task", "highlevel.update_contact", "highlevel.create_appointment", "calendarhero.create_meeting_request", "highlevel.nonsense"}
	form := func() Form {
		f := Form{Top: FormValues{}, Milestone: FormValues{}}
		for _, field := range formTop {
			if rng.IntN(3) > 0 {
				f.Top[field] = value(FieldText)
			}
		}
		for _, field := range milestoneFields {
			if rng.IntN(3) == 0 {
				f.Milestone[field] = value(KindOfField("", field, nil))
			}
		}
		for range rng.IntN(4) {
			act := FormAction{Type: pick(actionNames), Values: FormValues{}}
			for _, field := range ActionFields(act.Type) {
				if rng.IntN(2) == 0 {
					act.Values[field] = value(KindOfField(act.Type, field, nil))
				}
			}
			if act.Type == "request" {
				act.Values["operation"] = FormValue{Text: pick(operations)}
				for _, field := range []string{"fields.contactId", "fields.title", "fields.completed", "fields.dndSettings.Call.status", "fields.dndSettings.Email.status", "fields.tags"} {
					if rng.IntN(2) == 0 {
						v := value(KindOfField(act.Type, field, act.Values))
						if v.List != nil && len(v.List) == 0 {
							v = FormValue{List: []string{"x"}}
						}
						act.Values[field] = v
					}
				}
			}
			f.Actions = append(f.Actions, act)
		}
		return f
	}
	for range 700 {
		f := form()
		text, err := f.Text("")
		if err != nil {
			t.Fatalf("%v\n%+v", err, f)
		}
		again := readTheForm(t, text)
		if !f.Equal(again) {
			t.Fatalf("%s\n%s", cmp.Diff(f, again), text)
		}
		next := form() // as if a person made many changes at once
		for i := range next.Actions {
			if next.Actions[i].Was = rng.IntN(len(f.Actions) + 1); rng.IntN(2) == 0 {
				next.Actions[i].Was = 0
			}
		}
		changed, err := next.Text(text)
		if err != nil {
			t.Fatalf("%v\n%+v\ninto\n%s", err, next, text)
		}
		if again := readTheForm(t, changed); !next.Equal(again) {
			t.Fatalf("%s\n%s", cmp.Diff(next, again), changed)
		}
	}
}

func TestAMistakeIsAtItsFieldOfTheForm(t *testing.T) {
	f := Form{
		Top: FormValues{"name": {Text: "A"}, "on": {Text: "contact.changed"}, "if": {Text: "contact."}},
		Actions: []FormAction{
			{Type: "event", Values: FormValues{"title": {Text: "x"}, "start": {Text: "{{ contact.a }}"}}},
			{Type: "event", Values: FormValues{"title": {Text: "x"}, "at": {Text: "25:00"}}},
			{Type: "request", Values: FormValues{"operation": {Text: "highlevel.create_task"}, "fields.title": {Text: "x"}, "fields.completed": {Text: "maybe"}}},
			{Type: "complete_task", Values: FormValues{}},
		},
	}
	text, err := f.Text("")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Load("form", []byte(text))
	wrong, ok := err.(*LoadError)
	if !ok {
		t.Fatal(err)
	}
	got := map[Place]bool{}
	for _, m := range wrong.Mistakes {
		got[PlaceOf(text, m)] = true
	}
	for _, want := range []Place{{0, "if"}, {2, "at"}, {2, "start"}, {3, "fields.contactId"}, {3, "fields.completed"}, {4, ""}} {
		if !got[want] {
			t.Errorf("nothing is wrong at %+v: %v in\n%s", want, err, text)
		}
	}
}
