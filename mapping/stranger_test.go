package mapping

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"milepost/internal/testenv"
)

// strange are malicious files. Each is rejected with a mistake that contains the text.
func TestAMaliciousFileIsRejectedWithAClearError(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long: not with -short")
	}
	const fine = "name: A\non: note.changed\ndo: [note: {}]\n"
	aliases := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'z'; c++ {
		aliases += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", c-1), 9), ", "))
	}
	for name, c := range map[string]struct{ file, want string }{
		"an unknown key":          {fine + "colour: red\n", "colour"},
		"a key twice":             {fine + "name: B\n", "name"},
		"a number for a list":     {"name: A\non: note.changed\ndo: 3\n", "do: "},
		"a list for a text":       {"name: [A]\non: note.changed\ndo: [note: {}]\n", "name: must be text"},
		"1 MiB and more":          {"# " + strings.Repeat("x", 1<<20) + "\n" + fine, "larger than"},
		"1 MiB of one value":      {"name: A\non: note.changed\nif: '" + strings.Repeat("x", 1<<20-100) + "'\ndo: [note: {}]\n", "longer than"},
		"lists in lists":          {strings.Repeat("[", 500_000), "nested"},
		"a list deep in a field":  {"name: A\non: note.changed\ndo: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "\n", "nested"},
		"fields in fields":        {strings.Repeat("{a: ", 200_000), "nested"},
		"lists in lines":          {strings.Repeat("- ", 300_000), "nested"},
		"many automations":        {strings.Repeat("- x\n", 250_000), "must be a list of fields"},
		"aliases of aliases":      {aliases + fine, "unknown field"},
		"an alias for a value":    {"name: &x A\non: note.changed\ndo: [note: {text: *x}]\n", "a reference (*x), which is not supported"},
		"an alias for all":        {"- &x\n  name: A\n  on: note.changed\n  do: [note: {}]\n- *x\n", "a reference (*x), which is not supported"},
		"a merge key":             {"- &x {name: A, on: note.changed, do: [note: {}]}\n- {<<: *x, name: B}\n", "unknown field"},
		"nots in an expression":   {"name: A\non: note.changed\nif: '" + strings.Repeat("not ", 900) + "true'\ndo: [note: {}]\n", "if: "},
		"an escape sequence":      {"name: \"A \\e[31mred\"\non: note.changed\ndo: [note: {}]\n", `name: holds the character U+001B`},
		"text from right to left": {"name: \"A \\u202Ered\"\non: note.changed\ndo: [note: {}]\n", `name: holds the character U+202E`},
		"a hidden mark":           {"name: \"A\\u2066\"\non: note.changed\ndo: [note: {}]\n", `name: holds the character U+2066`},
		"an id with an escape":    {"name: A\nid: \"a\\e\"\non: note.changed\ndo: [note: {}]\n", "is not an id"},
		"a tag of YAML":           {"name: !!python/object:os.system A\non: note.changed\ndo: [note: {}]\n", "name: "},
		"many holes":              {"name: A\non: note.changed\ndo: [note: {text: '" + strings.Repeat("{{ contact.name }}", 20_000) + "'}]\n", "more than 200 holes"},
		"many actions":            {"name: A\non: note.changed\ndo:\n" + strings.Repeat("  - note: {text: '{{ contact.name }}'}\n", 20_000), "more than 50 actions"},
		"many reminders":          {"name: A\non: task.changed\ndo: [task: {title: a, due: '2030-01-01', reminders: [" + strings.Repeat("1h, ", 100_000) + "]}]\n", "has 100000 entries"},
		"many expressions":        {manyExpressions(), "more than 30000 expressions"},
		"bytes that are no text":  {"name: \xff\xfe\non: note.changed\ndo: [note: {}]\n", "not YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			set, err := Load("f.yaml", []byte(c.file))
			took := time.Since(start)
			if err == nil {
				t.Fatalf("it was loaded: %d automations", len(set.Automations()))
			}
			message := err.Error()
			if !strings.Contains(message, c.want) {
				t.Errorf("got %.300q\nwant %q", message, c.want)
			}
			if len(message) > 50_000 {
				t.Errorf("the error has %d bytes", len(message))
			}
			if strings.ContainsAny(message, "\x1b\u202e\u2066") {
				t.Errorf("the error steers a terminal: %q", message)
			}
			if limit := 5 * time.Second; took > limit {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// manyExpressions are a hundred automations with 200 holes in each of their texts.
func manyExpressions() string {
	var file strings.Builder
	for i := range 100 {
		fmt.Fprintf(&file, "- name: A%d\n  on: note.changed\n  do:\n", i)
		for range 3 {
			fmt.Fprintf(&file, "    - note: {text: '%s'}\n", strings.Repeat("{{contact.x}}", 200))
		}
	}
	return file.String()
}

func TestAMaliciousExpressionIsLimitedInTimeAndMemory(t *testing.T) {
	testenv.Long(t)
	long := strings.Repeat("word ", 200_000) // 1 MB
	tags := make([]string, 5000)
	for i := range tags {
		tags[i] = fmt.Sprint("tag", i)
	}
	facts := Facts{Contact: Contact{ID: "c", Tags: tags, Fields: map[string]any{"name": long, "city": "Oslo"}}, Note: Note{ID: "n", Body: long}}
	for name, expression := range map[string]string{
		"uniq of many":          `len(uniq(split(note.body, " "))) > 0`,
		"uniq of characters":    `len(uniq(split(contact.name, ""))) > 0`,
		"texts that grow":       `len(map(contact.tags, # + contact.name + contact.name)) > 0`,
		"upper in a loop":       `len(map(contact.tags, upper(contact.name))) > 0`,
		"replace in a loop":     `len(map(contact.tags, replace(contact.name, "w", "wwww"))) > 0`,
		"split in a loop":       `len(map(contact.tags, split(contact.name, "o"))) > 0`,
		"join in a loop":        `len(map(contact.tags, join(contact.tags, contact.city))) > 0`,
		"sort in a loop":        `len(map(contact.tags, sort(contact.tags))) > 0`,
		"reverse in a loop":     `len(map(contact.tags, reverse(contact.tags))) > 0`,
		"search in a loop":      `count(contact.tags, contact.name contains "words that are not there") > 0`,
		"a pattern in a loop":   `count(contact.tags, contact.name matches "(w|o|r|d| )*x$") > 0`,
		"a pattern of its own":  `count(contact.tags, contact.city matches contact.name) > 0`,
		"sums that grow":        strings.Repeat("contact.name + ", 200) + `"x" == ""`,
		"lists that are copied": `len(map(contact.tags, [contact.tags, contact.tags])) > 0`,
		"in in a loop":          `count(contact.tags, "nobody" in contact.tags) > 0`,
		"equal in a loop":       `count(contact.tags, contact.tags == note.title) > 0`,
		"trim in a loop":        `len(map(contact.tags, trim(contact.name))) > 0`,
		"a list of a list":      `count(contact.tags, count(contact.tags, # == "x") > 0) > 0`,
		"powers":                `9 ** 9 ** 9 ** 9 > 0`,
	} {
		t.Run(name, func(t *testing.T) {
			set, err := Load("f.yaml", fmt.Appendf(nil, "name: A\non: note.changed\nif: >-\n  %s\ndo: [note: {text: x}]\n", expression))
			if err != nil {
				return // rejected when it is saved
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, considered := set.Trace(KindNote, facts)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			t.Logf("%s, %d MiB, %.200s", took, (after.TotalAlloc-before.TotalAlloc)>>20, considered[0].Reason)
			if took > 2*time.Second {
				t.Errorf("it ran for %s", took)
			}
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 256 {
				t.Errorf("it took %d MiB", mib)
			}
		})
	}
}
