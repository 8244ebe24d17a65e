package mapping

import (
	"fmt"
	"strings"
	"testing"
)

func TestWhatOnlyLooksLikeAMistakeIsNone(t *testing.T) {
	for _, source := range []string{
		"- name: if\n  on: contact.changed\n  do: [contact: {}]\n",
		"- name: A\n  on: contact.changed\n  do:\n    - event:\n        title: Call {x} {a.b} # was {{ contact.name }}\n        start: 2026-12-01\n",
		"- name: A\n  on: contact.changed\n  if: contact.dnd and contact.my_checkbox\n  do: [contact: {}]\n",
	} {
		if _, err := Load("f.yaml", []byte(source)); err != nil {
			t.Errorf("%v\n%s", err, source)
		}
	}
	if set, err := LoadStored("f.yaml", []byte("- name: A\n  on: contact.changed\n  if:\n  do: [contact: {}]\n")); err != nil || len(set.Doubts()) != 1 {
		t.Errorf("an automation in use that has an empty condition: %v", err)
	}
}

func TestMisreadYAMLIsExplainedWithTheFormThatWorks(t *testing.T) {
	const head = "- name: A\n  on: contact.changed\n"
	const do = "  do:\n    - contact: {}\n"
	for _, c := range []struct{ name, source, want string }{
		{"a quoted text and more", head + `  if: "vip" in contact.tags` + "\n" + do, `f.yaml:3: YAML cannot read this value as it is written; put all of it in quotes: if: '"vip" in contact.tags'`},
		{"the same in single quotes", head + `  if: 'vip' in contact.tags` + "\n" + do, `f.yaml:3: YAML cannot read this value as it is written; put all of it in quotes: if: "'vip' in contact.tags"`},
		{"both kinds of quotes", head + `  if: "vip" in contact.tags or 'x' in contact.tags` + "\n" + do, `f.yaml:3: YAML cannot read this value as it is written; put all of it in quotes: if: '"vip" in contact.tags or ''x'' in contact.tags'`},
		{"a condition between quotes", head + `  if: "vip" in contact.tags or contact.city == "x"` + "\n" + do, `f.yaml:3: YAML cannot read this value as it is written; put all of it in quotes: if: '"vip" in contact.tags or contact.city == "x"'`},
		{"a condition in the quotes that it uses", head + `  if: "contact.city == "x""` + "\n" + do, `f.yaml:3: YAML cannot read this value as it is written; put all of it in quotes: if: 'contact.city == "x"'`},
		{"a text in the quotes that it uses", head + "  do:\n    - event:\n        title: \"{{ contact.city ?? \"none\" }}\"\n        start: 2026-12-01\n", `f.yaml:5: YAML cannot read this value as it is written; put all of it in quotes: title: '{{ contact.city ?? "none" }}'`},
		{"an apostrophe", head + "  do:\n    - event:\n        title: 'it's'\n        start: 2026-12-01\n", `f.yaml:5: YAML cannot read this value as it is written; put all of it in quotes: title: "it's"`},
		{"a comment behind it", head + `  if: "vip" in contact.tags # buyers` + "\n" + do, `f.yaml:3: YAML cannot read this value as it is written; put all of it in quotes: if: '"vip" in contact.tags'`},
		{"the second automation", head + do + "- name: B\n  on: contact.changed\n  enabled: true\n  do:\n    - contact: {}\n  if: \"vip\" in contact.tags\n", `f.yaml:10: YAML cannot read this value as it is written; put all of it in quotes: if: '"vip" in contact.tags'`},
		{"a second document", "name: A\non: contact.changed\ndo: [contact: {}]\n---\nname: B\non: contact.changed\nif: \"vip\" in contact.tags\n", `f.yaml:7: YAML cannot read this value as it is written; put all of it in quotes: if: '"vip" in contact.tags'`},
		{"in braces", "- {name: A, on: contact.changed, if: \"vip\" in contact.tags, do: [contact: {}]}\n", `f.yaml:1: YAML cannot read this value as it is written; put all of it in quotes: if: '"vip" in contact.tags'`},
		{"in a list", head + "  do:\n    - tags:\n        add:\n          - \"a\" b\n", `f.yaml:6: YAML cannot read this value as it is written; put all of it in quotes: '"a" b'`},
		{"a colon", head + "  if: contact.city == \"x\"\n  do:\n    - event:\n        title: Closing: soon\n        start: 2026-12-01\n", `f.yaml:6: YAML cannot read this value as it is written; put all of it in quotes: title: 'Closing: soon'`},
		{"a hole and more", head + "  do:\n    - event:\n        title: {{ contact.name }} closes\n        start: 2026-12-01\n", `f.yaml:5: YAML cannot read this value as it is written; put all of it in quotes: title: '{{ contact.name }} closes'`},
		{"a sign that YAML keeps for itself", head + "  do:\n    - event:\n        title: '@'\n        start: @x\n", `f.yaml:6: YAML cannot read this value as it is written; put all of it in quotes: start: '@x'`},
		{"words in brackets", head + "  do:\n    - event:\n        title: [Offer] {{ contact.name }}\n        start: 2026-12-01\n", `f.yaml:5: YAML cannot read this value as it is written; put all of it in quotes: title: '[Offer] {{ contact.name }}'`},
		{"words in braces", head + "  do:\n    - event:\n        title: {Offer} call\n        start: 2026-12-01\n", `f.yaml:5: YAML cannot read this value as it is written; put all of it in quotes: title: '{Offer} call'`},
		{"no blank after a colon", "- name: A\n  on:contact.changed\n" + do, `f.yaml:2: this is not YAML: write a blank after the colon: on: contact.changed`},
		{"a non-breaking space after a colon", "- name: A\n  on:\u00a0contact.changed\n" + do, `f.yaml:2: this is not YAML: write a blank after the colon: on: contact.changed`},
		{"no blank in the first line", "- name:A\n  on: contact.changed\n" + do, `f.yaml:1: this is not YAML: write a blank after the colon: name: A`},
		{"no blank before a brace", head + "  do:\n    - highlevel_note:{text: 'Hi'}\n", `f.yaml:4: this is not YAML: write a blank after the colon: highlevel_note: {text: 'Hi'}`},
		{"no blank before a brace with one", head + "  do:\n    - highlevel_note:{ text: Hi }\n", `f.yaml:4: do: unknown action "highlevel_note:{ text"; write a blank after the colon: highlevel_note: { text`},
		{"no blank in braces", head + "  do:\n    - highlevel_note: {text:'Hi'}\n", `f.yaml:4: highlevel_note: unknown field "text:'Hi'"; write a blank after the colon: text: 'Hi'`},
		{"no colon", head + "  do:\n    - event\n      title: Hi\n      start: 2026-12-01\n", `f.yaml:4: this is not YAML: a colon is missing; write event:`},
		{"no colon, and deeper lines", head + "  do:\n    - event\n        title: Hi\n        start: 2026-12-01\n", `f.yaml:4: this is not YAML: a colon is missing; write event:`},
		{"no colon before a list", head + "  do\n    - contact: {}\n", `f.yaml:3: this is not YAML: a colon is missing; write do:`},
		{"a tab", head + "\tif: contact.dnd\n" + do, "f.yaml:3: this is not YAML: the line is indented with a tab; use blanks"},
		{"Windows' line ends", strings.ReplaceAll(head+`  if: "vip" in contact.tags`+"\n"+do, "\n", "\r\n"), `f.yaml:3: YAML cannot read this value as it is written; put all of it in quotes: if: '"vip" in contact.tags'`},

		{"a hole alone", head + "  do:\n    - event:\n        title: {{ contact.name }}\n        start: 2026-12-01\n", `f.yaml:5: event.title: YAML reads {{ … }} without quotes as a list of fields; put all of the value in quotes: title: "{{ … }}"`},
		{"a hole alone in a list", head + "  do:\n    - tags: { add: [{{ contact.city }}] }\n", `f.yaml:4: tags.add: YAML reads {{ … }} without quotes as a list of fields; put all of the value in quotes: add: "{{ … }}"`},
		{"not, as a sign", head + "  if: !contact.dnd\n" + do, `f.yaml:3: if: YAML does not read what begins with ! as a text; put all of it in quotes: if: '!contact.dnd'`},
		{"not, and more", head + "  if: !contact.dnd and contact.city == 'x'\n" + do, `f.yaml:3: if: YAML does not read what begins with ! as a text; put all of it in quotes: if: "!contact.dnd and contact.city == 'x'"`},
		{"a number sign", head + "  do:\n    - event:\n        title: Lot #{{ contact.lot }}\n        start: 2026-12-01\n", `f.yaml:5: event.title: YAML reads what follows a # after a blank as a comment; put all of it in quotes: title: 'Lot #{{ contact.lot }}'`},
		{"a number sign before a text with a hole", head + "  do:\n    - event:\n        title: Closing #1 {{ contact.lot }}\n        start: 2026-12-01\n", `f.yaml:5: event.title: YAML reads what follows a # after a blank as a comment; put all of it in quotes: title: 'Closing #1 {{ contact.lot }}'. If it is a comment, write a blank after the #`},
		{"single braces", head + "  do:\n    - event:\n        title: Call { contact.name }\n        start: 2026-12-01\n", `f.yaml:5: event.title: { contact.name } has single braces; write {{ contact.name }}`},
		{"a condition that is a comment", head + "  if: # contact.city == 'x'\n" + do, `f.yaml:3: if: is empty, so it would hold for every record; write a condition, or remove the line`},
		{"a text as a condition", head + "  if: contact.dnd and contact.email\n" + do, `f.yaml:3: if: contact.email is not true or false; write not empty(contact.email), or compare it`},
		{"one equals sign", head + "  if: contact.city = 'x'\n" + do, `f.yaml:3: if: "=" does not fit here (at character 14); did you mean ==?`},
		{"and in capitals", head + "  if: contact.dnd AND contact.city == 'x'\n" + do, `f.yaml:3: if: "AND" does not fit here (at character 13); did you mean and?`},
		{"SQL", head + "  if: contact.city like 'x'\n" + do, `f.yaml:3: if: "like" does not fit here (at character 14); did you mean contains?`},
		{"typographic quotes", head + "  if: contact.city == “x”\n" + do, `f.yaml:3: if: unrecognized character: U+201C '“' (at character 17); use straight quotes, as in "vip"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load("f.yaml", []byte(c.source))
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestAMistakeInALongFileIsExplainedAsInAShortOne(t *testing.T) {
	const good = "- name: A%d\n  on: contact.changed\n  do:\n    - tags: { add: x }\n"
	const bad = "- name: B\n  on: contact.changed\n  if: \"vip\" in contact.tags\n  do:\n    - tags: { add: x }\n"
	const want = `f.yaml:%d: YAML cannot read this value as it is written; put all of it in quotes: if: '"vip" in contact.tags'`
	all := func(n int) (text string) {
		for i := range n {
			text += fmt.Sprintf(good, i)
		}
		return text
	}
	documents := func(list string) string {
		return strings.ReplaceAll(strings.ReplaceAll(list, "\n  ", "\n"), "- name", "---\nname")
	}
	indented := func(list string) string { return "automations:\n" + strings.ReplaceAll("\n"+list, "\n", "\n  ")[1:] }
	const n = 1500
	for name, c := range map[string]struct {
		source string
		line   int
	}{
		"a list":                {all(n) + bad + all(n), 4*n + 3},
		"the last":              {all(n) + bad, 4*n + 3},
		"documents":             {documents(all(n) + bad + all(n)), 5*n + 4},
		"a list in automations": {indented(all(n) + bad + all(n)), 4*n + 4},
	} {
		_, err := Load("f.yaml", []byte(c.source))
		if want := fmt.Sprintf(want, c.line); err == nil || err.Error() != want {
			t.Errorf("%s: got  %v\nwant %s", name, err, want)
		}
	}
	_, err := Load("f.yaml", []byte(all(n)+"- name: B\n  on: contact.changed\n  if: \"contact.dnd\n  do: [contact: {}]\n"+all(n)))
	if want := fmt.Sprintf("f.yaml:%d: the quote that begins this value has no end; write if: \"contact.dnd\"", 4*n+3); err == nil || err.Error() != want {
		t.Errorf("a quote without end: got  %v\nwant %s", err, want)
	}
}
