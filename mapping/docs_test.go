package mapping

import (
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
	for field := range records["meeting"] {
		if field != "id" {
			names = append(names, "meeting."+field)
		}
	}
	for _, name := range names {
		if !regexp.MustCompile("`"+regexp.QuoteMeta(name)+"[:`]").Match(page) && !regexp.MustCompile("`"+regexp.QuoteMeta(name)+" with").Match(page) {
			t.Errorf("%s is not explained", name)
		}
	}
}
