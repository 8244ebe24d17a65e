package mapping

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// sample is what an expression of a task automation may read.
func sample(t testing.TB) map[string]any {
	t.Helper()
	return newRun(nil, KindTask, Facts{
		Location: Location{ID: "loc1", Name: "Main Street", Zone: zone(t, "America/New_York")},
		Contact: Contact{
			ID: "c1", Tags: []string{"VIP", "buyer"},
			Fields: map[string]any{"name": "Ann Lee", "email": "ann@example.com", "phone": ""},
			Custom: map[string]CustomField{
				"amount":       {Type: "NUMERICAL", Value: 5.0},
				"interests":    {Type: "MULTIPLE_OPTIONS", Value: []any{"Boats", "Golf"}},
				"closing_date": {Type: "DATE", Value: 1796083200000.0},
				"empty":        {Type: "TEXT"},
			},
		},
		Task: Task{ID: "t1", Title: "Call", Body: "<p>Ask</p>", Due: "2026-12-01T15:00:00Z"},
	}, currentRules).env
}

func TestTemplatesFillTheirHoles(t *testing.T) {
	tests := []struct{ source, want string }{
		{"", ""},
		{"plain", "plain"},
		{"{{ task.title }}", "Call"},
		{"{{task.title}}: {{ contact.name }}!", "Call: Ann Lee!"},
		{"{{ task.body }}", "Ask"},
		{"{{ contact.amount }} units", "5 units"},
		{"{{ contact.interests }}", "Boats, Golf"},
		{"{{ contact.closing_date }}", "2026-12-01"},
		{"[{{ contact.empty }}{{ contact.no_such_field }}]", "[]"},
		{"{{ contact.tags }}", "buyer, vip"},
		{"due {{ task.due }}", "due 2026-12-01 10:00"},
		{"{{ location.name }} {{ location.timezone }}", "Main Street America/New_York"},
		{`{{ "}}" }} {{ '{{' }}`, "}} {{"},
		{`{{ contact.nick ?? contact.name }}`, "Ann Lee"},
		{`{{ "vip" in contact.tags ? "call" : "mail" }}`, "call"},
		{`{{ upper(contact.name) }} {{ len(contact.interests) }}`, "ANN LEE 2"},
		{`{{ join(map(contact.interests, lower(#)), "+") }}`, "boats+golf"},
		{`{{ split(contact.name, " ")[0] }}{{ replace(contact.name, "Ann", "X") }}`, "AnnX Lee"},
		{`{{ "a" + string(contact.amount) + string(contact.empty) }}`, "a5"},
		{`{{ contact.closing_date > "2026-11-30" }}`, "true"},
	}
	for _, tt := range tests {
		t.Run(tt.source, func(t *testing.T) {
			compiled, err := compileTemplate(tt.source, scopeOf(TaskChanged))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := compiled.text(sample(t)); err != nil || got != tt.want {
				t.Errorf("got %q, error %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestATemplateOfOneHoleKeepsItsValue(t *testing.T) {
	compiled, err := compileTemplate(" {{ contact.interests }} ", scopeOf(TaskChanged))
	if err != nil {
		t.Fatal(err)
	}
	v, err := compiled.value(sample(t))
	if list, ok := v.([]any); err != nil || !ok || len(list) != 2 {
		t.Errorf("got %v, error %v; want the list", v, err)
	}
}

func TestMistakesInTemplatesAreFoundWhenTheyAreCompiled(t *testing.T) {
	tests := []struct {
		source, want string
		line         int
	}{
		{"{{ task.titel }}", `unknown task field "titel"; did you mean "title"?`, 1},
		{"{{ task.zzzzzzzz }}", `known are assigned_to, body, completed, due, id, title`, 1},
		{"{{ location.nam }}", `did you mean "name"?`, 1},
		{"{{ note.body }}", `note is not there with "task.changed"; known are contact, location, task`, 1},
		{"{{ contcat.name }}", `unknown name "contcat"; did you mean "contact"?`, 1},
		{"{{ uper(contact.name) }}", `unknown function "uper"; did you mean "upper"?`, 1},
		{"one\ntwo {{ task.titel }}", `did you mean "title"?`, 2},
		{"one\n{{ task.title +\n task.titel }}", `did you mean "title"?`, 3},
		{"{{ task.title", `there is a "{{" without its "}}"`, 1},
		{"a\ntask.title }}", `there is a "}}" without its "{{"`, 1},
		{"{{ }}", "the expression is empty", 1},
		{"{{ 1 + }}", "the expression ends too early", 1},
		{`{{ task.title * 2 }}`, "* does not go between a text and a number", 1},
		{"{{ now() }}", `unknown function "now"`, 1},
		{`{{ date("2026-01-01", "2006-01-02", "Europe/Berlin") }}`, `unknown function "date"`, 1},
		{`{{ repeat("x", 1000000) }}`, `unknown function "repeat"`, 1},
		{"{{ keys(contact) }}", `unknown function "keys"`, 1}, // in any order
		{"{{ reduce(contact.tags, #acc + #) }}", `unknown function "reduce"`, 1},
		{"{{ 1..1000000 }}", "ranges (..) are not supported", 1},
		{"{{ let a = 1; a }}", "let is not supported", 1},
		{"{{ 1; 2 }}", "only one expression is supported", 1},
		{"{{ $env }}", `unknown name "$env"`, 1},
		{`{{ $env["task"] }}`, `unknown name "$env"`, 1},
		{"{{ all(contact.tags, any(contact.tags, # == 'x')) }}", "a function over a list within another one is not supported", 1},
		{"{{ " + strings.Repeat("(", 5000) + " }}", "the expression is longer than 4000 characters", 1},
		{"{{ 1" + strings.Repeat("+1", 600) + " }}", "node", 1},
	}
	for _, tt := range tests {
		t.Run(tt.source[:min(40, len(tt.source))], func(t *testing.T) {
			_, err := compileTemplate(tt.source, scopeOf(TaskChanged))
			var at *expressionError
			if !errors.As(err, &at) || !strings.Contains(at.message, tt.want) || at.line != tt.line {
				t.Errorf("got %+v, want line %d and %q", err, tt.line, tt.want)
			}
		})
	}
}

func TestWhatFailsAtRunTimeIsAnErrorForPeople(t *testing.T) {
	tests := []struct{ source, want string }{
		{`contact.empty + 1`, "test it with != nil"},
		{`contact.amount + contact.name`, "invalid operation"},
		{`contact.tags[7]`, "index out of range"},
		{`contact.name.first.second`, "invalid operation"},
		{`contact.name.Foo()`, "invalid operation"},
		{`split(contact.huge, "")`, "split gives more than 1000 parts"},
		{`replace(contact.huge, "", "xxxxxxxxxxxxxxxx")`, "replace gives more than 65536 characters"},
		{`join(split(contact.lines, ","), contact.huge)`, "join gives more than 65536 characters"},
		{`1 / 0 > int(contact.name)`, "invalid"},
		{`contact.name matches contact.bad_pattern`, "error parsing regexp"},
	}
	env := sample(t)
	fields := env["contact"].(map[string]any)
	fields["huge"], fields["lines"], fields["bad_pattern"] = strings.Repeat("x", 50_000), strings.Repeat(",", 100), "("
	for _, tt := range tests {
		t.Run(tt.source, func(t *testing.T) {
			e, err := compileExpression(tt.source, scopeOf(TaskChanged))
			if err != nil {
				t.Fatal(err)
			}
			v, err := e.eval(env)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, error %v; want an error with %q", v, err, tt.want)
			}
		})
	}
}

func TestAConditionIsTrueOrFalse(t *testing.T) {
	for source, want := range map[string]string{
		`task.title`:         "a condition must be true or false, this gives a text",
		`len(contact.tags)`:  "a condition must be true or false, this gives a number",
		`task.completed and`: "the expression ends too early",
	} {
		if _, err := compileCondition(source, scopeOf(TaskChanged)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", source, err, want)
		}
	}
	e, err := compileCondition("contact.name", scopeOf(TaskChanged))
	if err != nil {
		t.Fatal(err) // the type of a contact's field is known only at run time
	}
	if b, err := e.holds(sample(t)); err == nil {
		t.Errorf("a name was taken for the condition %v", b)
	}
}

func TestExpressionsTellWhatTheyRead(t *testing.T) {
	for source, want := range map[string]reads{
		`task.title`:                       {},
		`contact.first_name + "x"`:         {contact: true},
		`contact["email"]`:                 {contact: true},
		`contact.closing_date`:             {contact: true, custom: true},
		`contact?.closing_date`:            {contact: true, custom: true},
		`contact[task.title]`:              {contact: true, custom: true},
		`len(contact)`:                     {contact: true, custom: true},
		`any(contact.tags, # == "x")`:      {contact: true},
		`location.name`:                    {},
		`task.completed ? "" : contact.zz`: {contact: true, custom: true},
	} {
		e, err := compileExpression(source, scopeOf(TaskChanged))
		if err != nil {
			t.Fatal(err)
		}
		if e.reads != want {
			t.Errorf("%s reads %+v, want %+v", source, e.reads, want)
		}
	}
}

// This is the most expensive expression within the limits: the most parts, with the most
// text.
func TestTheCostliestExpressionEnds(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	env := sample(t)
	env["contact"].(map[string]any)["huge"] = strings.Repeat("a ", mostParts-1)
	e, err := compileExpression(`count(split(contact.huge, " "), len(replace(contact.huge, "a", "bbb")) == 0)`, scopeOf(TaskChanged))
	if err != nil {
		t.Fatal(err)
	}
	// The test shows that it ends; without the limits, it would run for much longer.
	if v, err := e.eval(env); err != nil || v != 0 {
		t.Errorf("got %v, error %v", v, err)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"{{ task.title }}: {{ contact.name }}", `{{ "vip" in contact.tags ? "a" : 'b' }}`, "{{ map(contact.tags, upper(#)) }}",
		"{{ contact.empty ?? 1.5e3 }} {{ contact.interests[1:] }}", `{{ {"a": 1}.a }}`, "{{ contact.name matches '^A' }}", "{{ sort(contact.tags) | join('') }}",
	} {
		f.Add(s)
	}
	env := sample(f)
	f.Fuzz(func(t *testing.T, source string) {
		compiled, err := compileTemplate(source, scopeOf(TaskChanged))
		if err != nil {
			var at *expressionError
			if !errors.As(err, &at) || at.line < 1 || at.message == "" {
				t.Fatalf("%q: the error %v has no place", source, err)
			}
			return
		}
		begun := time.Now()
		_, _ = compiled.text(env)
		_, _ = compiled.value(env)
		if took := time.Since(begun); took > 5*time.Second {
			t.Fatalf("%q took %v", source, took)
		}
	})
}
