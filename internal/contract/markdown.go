package contract

import (
	"fmt"
	"strings"
)

// Markdown writes the report for people.
func (r Report) Markdown(version string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# CalendarHero's API, as an account shows it\n\nWritten by `milepost check --live` of Milepost %s. It only read. This file holds names of fields, types and\nwords of Milepost's own; no value of the account.\n", version)
	section(&b, "Differs from what Milepost relies on", r.Differs)
	section(&b, "Differs, or was not read, but Milepost does not rely on it", r.Notes)
	b.WriteString("\n## Open questions\n\n| question | found |\n|---|---|\n")
	for _, a := range r.Answers {
		fmt.Fprintf(&b, "| %s | %s |\n", a.Question, a.Found)
	}
	b.WriteString("\n## Shapes\n")
	for _, s := range r.Shapes {
		fmt.Fprintf(&b, "\n### %s\n\n```\n%s\n```\n", s[0], s[1])
	}
	return b.String()
}

func section(b *strings.Builder, title string, lines []string) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	if len(lines) == 0 {
		b.WriteString("Nothing.\n")
	}
	for _, line := range lines {
		fmt.Fprintf(b, "- %s\n", line)
	}
}
