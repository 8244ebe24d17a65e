package mapping

import (
	"strings"
	"testing"
)

func TestAnExpressionThatIsNotUnderstoodIsExplainedToOperators(t *testing.T) {
	for condition, want := range map[string]string{
		`contact.city === "x"`:                  `"=" does not fit here (at character 16); did you mean ==?`,
		`contact.city !== "x"`:                  `"=" does not fit here (at character 16); did you mean !=?`,
		`contact.city <> "x"`:                   `"<>" does not fit here (at character 15); did you mean !=?`,
		`contact.dnd & contact.vip`:             `"&" does not fit here (at character 13); did you mean and?`,
		`contact.dnd | contact.vip`:             `"|" does not fit here; did you mean or? (A function`,
		`contact.email is empty`:                `"is" does not fit here (at character 15); did you mean empty(contact.email)?`,
		`contact.email is not empty`:            `"is" does not fit here (at character 15); did you mean not empty(contact.email)?`,
		`contact.city is not "x"`:               `"is" does not fit here (at character 14); did you mean !=?`,
		`contact.email not empty`:               `"empty" does not fit here (at character 19); did you mean not empty(contact.email)?`,
		`contains(contact.city, "B")`:           `"contains" does not fit here (at character 1); it goes between two values: contact.city contains "Boston"`,
		`contact.city starts with "B"`:          `"starts" does not fit here (at character 14); did you mean startsWith?`,
		`contact.tags includes "hot lead"`:      `"includes" does not fit here (at character 14); write "hot lead" in contact.tags`,
		`contact.dnd or (contact.tags has vip)`: `"has" does not fit here (at character 30); write "vip" in contact.tags`,
		`contact.tags = "gold"`:                 `"=" does not fit here (at character 14); write "gold" in contact.tags`,
		`contact.city includes "B"`:             `"includes" does not fit here (at character 14); did you mean contains?`,
		`(contact.city == "x"`:                  `the expression ends too early; a ")" is missing`,
		`contact.city == "x")`:                  `there is a ")" without its "(" (at character 20)`,
		`contact.city == "x" and`:               `the expression ends too early; a value is missing behind "and"`,
		`contact.city == "x`:                    `a text begins with a quote and does not end with one`,
		`{{ contact.city }} == "x"`:             `a condition has no {{ }} in it; write contact.city == "Boston"`,
		`contact.city == "{{ contact.state }}"`: `"{{ contact.state }}" is a fixed text in an expression; write the field without quotes and braces`,
		`contact.city == Boston`:                `unknown name "Boston"; known are contact, location. If it is a text, put it in quotes: "Boston"`,
		`email != ""`:                           `unknown name "email"; did you mean contact.email?`,
		`contact.dnd == yes`:                    `unknown name "yes"; did you mean true?`,
		`contact.dnd == FALSE`:                  `unknown name "FALSE"; did you mean false?`,
		`contact.email != null`:                 `unknown name "null"; did you mean nil?`,
		`contact.email == None`:                 `unknown name "None"; did you mean nil?`,
		`contact.date_added > now()`:            `unknown function "now"; within(contact.closing_date, 7) asks whether`,
		`before(contact.closing_date, today)`:   `unknown name "today"; within(contact.closing_date, 7) asks whether`,
		`has(contact.tags, "vip")`:              `unknown function "has"; write "vip" in contact.tags`,
		`isEmpty(contact.email)`:                `unknown function "isEmpty"; did you mean "empty"?`,
		`colour(contact.email)`:                 `unknown function "colour"; `,
		`contact.city in ("a", "b")`:            `"," does not fit here (at character 21); a list is in brackets: in ["a", "b"]`,
		`contact.dnd, contact.vip`:              `"," does not fit here (at character 12); did you mean and?`,
		`contact.price > 5,000`:                 `"," does not fit here (at character 18); write numbers without commas and currency: 5000`,
		`contact.price > 5k`:                    `not a number: "5k" (at character 18); write digits alone`,
		`not "vip" in contact.tags`:             `not goes before what is true or false (at character 1); write "vip" not in contact.tags`,
		`"vip" notin contact.tags`:              `"notin" does not fit here (at character 7); did you mean not in?`,
		`NOT contact.dnd`:                       `"contact" does not fit here (at character 5); did you mean not instead of NOT?`,
		`contact.a between 1 and 2`:             `"between" does not fit here (at character 11); write after(contact.closing_date`,
		`contact.lot – 1 > 2`:                   `unrecognized character: U+2013 '–' (at character 13); delete it, or write the plain sign`,
		`contact.first-name != ""`:              `contact.first-name is read as a subtraction; did you mean contact.first_name, or contact["first-name"]?`,
		`contct.email != ""`:                    `unknown name "contct"; did you mean "contact"?`,
		`user.name == "x"`:                      `unknown name "user"; HighLevel fills it in only in its own messages. Known are contact, location`,
		`before(contact.closing_date)`:          `before does not go with so many values (at character 1); write it like before(contact.closing_date, "2026-12-01")`,
		`within(contact.closing_date, 7, 8)`:    `within does not go with so many values (at character 1); write it like within(contact.closing_date, 7)`,
		`lower() == "x"`:                        `lower does not go with so many values (at character 1); write it like lower(contact.city)`,
		`first() == "x"`:                        `invalid number of arguments (expected 1, got 0) (at character 1)`,
		`join() contains "x"`:                   `join does not go with so many values`,
		`"vip"`:                                 `a condition must be true or false, this gives a text`,
		"contact.dnd and\ncontact.city = 'x'":   `"=" does not fit here (at character 14); did you mean ==?`,
	} {
		t.Run(condition, func(t *testing.T) {
			_, err := Load("f.yaml", []byte("name: A\non: contact.changed\ndo: [tags: {add: x}]\nif: |\n  "+strings.ReplaceAll(condition, "\n", "\n  ")+"\n"))
			if err == nil || !strings.HasPrefix(err.Error(), "f.yaml:"+string(rune('5'+strings.Count(condition, "\n")))+": if: "+want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestAHoleThatIsNotUnderstoodIsExplainedToOperators(t *testing.T) {
	for text, want := range map[string]string{
		`{{ contact.name | upper }}`:            `"|" does not fit here`,
		`{{{ contact.name }}}`:                  `there are three braces; write {{ contact.name }} with two`,
		`{{#if contact.name}}x{{/if}}`:          `"#if contact.name" is no expression; write {{ condition ? "this" : "that" }}, or an if of the automation`,
		`{{ first_name }}`:                      `unknown name "first_name"; did you mean contact.first_name?`,
		`{{ contact.first_name contact.name }}`: `"contact" does not fit here (at character 21)`,
	} {
		_, err := Load("f.yaml", []byte("name: A\non: contact.changed\ndo: [highlevel_note: {text: '"+text+"'}]\n"))
		if err == nil || !strings.Contains(err.Error(), "highlevel_note.text: "+want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}
