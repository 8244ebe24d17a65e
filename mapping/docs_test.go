package mapping

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

func TestTheAutomationsInTheDocumentationLoad(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("there is no documentation", err)
	}
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			sources := []string{block[1]}
			if strings.HasPrefix(block[1], "milestone:") { // one line for each way
				sources = sources[:0]
				for line := range strings.Lines(block[1]) {
					sources = append(sources, "name: A\non: workflow.received\ndo: [event: {title: x, start: '{{ milestone.date }}'}]\n"+line)
				}
			}
			for _, source := range sources {
				found++
				if _, err := Load(page, []byte(source)); err != nil {
					t.Errorf("%v\n%s", err, source)
				}
			}
		}
	}
	if found < 4 {
		t.Errorf("only %d were found", found)
	}
}

var update = flag.Bool("update", false, "write the tables in docs/automations.md that are made from the code")

// The code generates the tables between two marks.
func TestTheTablesInTheDocumentationMatchTheCode(t *testing.T) {
	const path = "../docs/automations.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var triggers, actions strings.Builder
	triggers.WriteString("| trigger | record |\n|---|---|\n")
	for _, known := range triggerTypes {
		fmt.Fprintf(&triggers, "| `%s` | %s |\n", known.Trigger, known.meaning)
	}
	actions.WriteString("| action | fields | goes with | what it creates or changes |\n|---|---|---|---|\n")
	for _, name := range actionNames {
		known := actionTypes[name]
		fields := ""
		if len(known.fields) > 0 {
			fields = "`" + strings.Join(known.fields, "`, `") + "`"
		}
		fmt.Fprintf(&actions, "| `%s` | %s | %s | %s |\n", name, fields, known.on.said, known.makes)
	}
	text := string(page)
	for name, table := range map[string]string{"triggers": triggers.String(), "actions": actions.String()} {
		before, rest, ok := strings.Cut(text, "<!-- "+name+" -->\n")
		is, after, closed := strings.Cut(rest, "<!-- /"+name+" -->\n")
		if !ok || !closed {
			t.Fatalf("there is no place for the table of %s", name)
		}
		if is != table && !*update {
			t.Errorf("the table of %s is not that of the code; write it with go test ./mapping -run TheTables -update", name)
		}
		text = before + "<!-- " + name + " -->\n" + table + "<!-- /" + name + " -->\n" + after
	}
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheDocumentationNamesEveryTriggerActionAndField(t *testing.T) {
	page, err := os.ReadFile("../docs/automations.md")
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Clone(actionNames)
	for _, trigger := range triggers {
		names = append(names, string(trigger))
	}
	for _, rule := range []ConflictRule{NewestWins, HighLevelWins, CalendarHeroWins} {
		names = append(names, string(rule))
	}
	for _, record := range []string{"meeting", "appointment", "opportunity"} {
		for _, field := range sortedNames(records[record]) {
			if field != "id" {
				names = append(names, record+"."+field)
			}
		}
	}
	for _, name := range names {
		if !regexp.MustCompile("`" + regexp.QuoteMeta(name) + "[:`]").Match(page) {
			t.Errorf("%s is not explained", name)
		}
	}
}
