package catalog_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"milepost/internal/catalog"
)

var update = flag.Bool("update", false, "write docs/catalog.md")

func TestTheDocumentationIsMadeFromTheCatalogue(t *testing.T) {
	const file = "../../docs/catalog.md"
	want := page()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("docs/catalog.md is not what the catalogue says (%v): run `go test -run Documentation ./internal/catalog -update`", err)
	}
}

// page is docs/catalog.md.
func page() string {
	var b strings.Builder
	write := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	var triggers, operations int
	for _, e := range catalog.Entries() {
		if e.Kind == catalog.Trigger {
			triggers++
		} else {
			operations++
		}
	}
	write("# Catalogue")
	write("")
	write("<!-- `go test -run Documentation ./internal/catalog -update` makes this page from internal/catalog. -->")
	write("")
	write("These are the %d triggers that an automation can start from, and the %d operations of HighLevel and CalendarHero that Milepost", triggers, operations)
	write("can call. `milepost catalog --search WORDS` finds them, and `milepost catalog --json` prints all that is known of each: its fields")
	write("with their types and examples, its scopes, its rate limit and a working example.")
	write("")
	write("The action [`request`](automations.md#any-other-operation-request) of an automation calls any of the operations. Milepost checks the fields of a call before it sends it. It fills in the location itself, so a call never reaches another one, and")
	write("it leaves out of the answer what may sign somebody in.")
	write("")
	write("In the tables, **bold** fields are required. *once* marks an operation that must not run twice: if its answer is lost, Milepost does not send it")
	write("again. *mails* marks an operation because of which people may get a message.")
	write("")
	write("## Triggers")
	write("")
	write("| trigger | it starts when | settings |")
	write("|---|---|---|")
	for _, e := range catalog.Entries() {
		if e.Kind == catalog.Trigger {
			write("| `%s` | %s | %s |", e.Name, cell(e.Summary), fields(e))
		}
	}
	heading := ""
	for _, e := range catalog.Entries() {
		if e.Kind == catalog.Trigger {
			continue
		}
		if h := vendorName(e.Vendor) + ": " + e.Group; h != heading {
			heading = h
			write("")
			write("## %s", h)
			write("")
			write("| operation | what it does | call | fields |")
			write("|---|---|---|---|")
		}
		what := e.Summary
		if e.Note != "" {
			what += ". " + e.Note
		}
		if e.Deprecated != "" {
			what += ". Deprecated: " + e.Deprecated
		}
		if e.Reserved != "" {
			what += ". An automation cannot call it: " + e.Reserved
		}
		var marks []string
		if !e.Repeat {
			marks = append(marks, "*once*")
		}
		if e.Mails {
			marks = append(marks, "*mails*")
		}
		if marks != nil {
			what += " (" + strings.Join(marks, ", ") + ")"
		}
		write("| `%s` | %s | `%s %s` | %s |", e.Name, cell(what), e.Method, e.Path, fields(e))
	}
	write("")
	write("## Not listed")
	write("")
	write("| vendor | operations | what | why |")
	write("|---|---|---|---|")
	for _, l := range catalog.NotListed() {
		write("| %s | %d | %s | %s |", vendorName(l.Vendor), l.Operations, cell(l.What), cell(l.Why))
	}
	write("")
	write("The numbers are those of HighLevel's API v2, in the apps that the catalogue covers, and of CalendarHero's API.")
	return b.String()
}

func vendorName(vendor string) string {
	return map[string]string{catalog.HighLevel: "HighLevel", catalog.CalendarHero: "CalendarHero"}[vendor]
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func fields(e catalog.Entry) string {
	var names []string
	for _, f := range e.Fields {
		switch {
		case f.Filled != "":
		case f.Required:
			names = append(names, "**"+f.Name+"**")
		default:
			names = append(names, f.Name)
		}
	}
	return strings.Join(names, ", ")
}
