package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"milepost/internal/catalog"
)

type catalogCmd struct {
	Search string `placeholder:"WORDS" help:"Only entries that have these words in their name, group, summary, path or fields."`
	asJSON
}

// Run prints the catalogue.
func (c *catalogCmd) Run() error { return c.run(os.Stdout) }

func (c *catalogCmd) run(out io.Writer) error {
	found := catalog.Search(c.Search)
	if exact, ok := catalog.Find(c.Search); ok { // highlevel.get_contact, not also what begins like it
		found = []catalog.Entry{exact}
	}
	if len(found) == 0 && !c.JSON {
		return fmt.Errorf("nothing in the catalogue has the words %q", c.Search)
	}
	err := printList(out, c.asJSON, found,
		column[catalog.Entry]{"NAME", func(e catalog.Entry) string { return e.Name }},
		column[catalog.Entry]{"GROUP", func(e catalog.Entry) string { return e.Group }},
		column[catalog.Entry]{"CALL", func(e catalog.Entry) string {
			if e.Kind == catalog.Trigger {
				return "trigger"
			}
			return e.Method + " " + e.Path
		}},
		column[catalog.Entry]{"SUMMARY", func(e catalog.Entry) string { return e.Summary }},
	)
	if err != nil || c.JSON {
		return err
	}
	if len(found) == 1 {
		return printEntry(out, found[0])
	}
	if c.Search != "" {
		return nil
	}
	fmt.Fprintln(out, "\nNot listed:")
	return printList(out, c.asJSON, catalog.NotListed(),
		column[catalog.LeftOut]{"VENDOR", func(l catalog.LeftOut) string { return l.Vendor }},
		column[catalog.LeftOut]{"OPERATIONS", func(l catalog.LeftOut) string { return fmt.Sprint(l.Operations) }},
		column[catalog.LeftOut]{"WHAT", func(l catalog.LeftOut) string { return l.What }},
		column[catalog.LeftOut]{"WHY", func(l catalog.LeftOut) string { return l.Why }},
	)
}

// printEntry prints what the list has no room for.
func printEntry(out io.Writer, e catalog.Entry) error {
	say := func(name, text string) {
		if text != "" {
			fmt.Fprintf(out, "%-12s %s\n", name+":", text)
		}
	}
	fmt.Fprintln(out)
	say("Note", e.Note)
	say("Deprecated", e.Deprecated)
	say("Scopes", strings.Join(e.Scopes, ", "))
	say("Rate limit", e.RateLimit)
	if e.Kind == catalog.Operation {
		say("Repeatable", map[bool]string{true: "yes", false: "no: it is sent once, and a lost answer is left to a person"}[e.Repeat])
	}
	if e.Mails {
		say("Mails", "people may get a message because of it")
	}
	if e.Reserved != "" {
		say("Automations", "cannot call it: "+e.Reserved)
	}
	say("Example", inJSON(e.Example))
	if len(e.Fields) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	return printList(out, asJSON{}, e.Fields,
		column[catalog.Field]{"FIELD", func(f catalog.Field) string { return f.Name }},
		column[catalog.Field]{"WHERE", func(f catalog.Field) string { return f.Where }},
		column[catalog.Field]{"TYPE", func(f catalog.Field) string { return f.Type }},
		column[catalog.Field]{"REQUIRED", func(f catalog.Field) string {
			switch {
			case f.Filled != "":
				return "filled in"
			case f.Required:
				return "yes"
			}
			return ""
		}},
		column[catalog.Field]{"VALUES", func(f catalog.Field) string {
			if f.Pick != "" {
				return "from " + f.Pick
			}
			return strings.Join(f.Values, ", ")
		}},
		column[catalog.Field]{"EXAMPLE", func(f catalog.Field) string { return inJSON(f.Example) }},
	)
}

// inJSON is a value of the catalogue as one line of JSON.
func inJSON(v any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}
