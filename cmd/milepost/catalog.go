package main

import (
	"fmt"
	"io"
	"os"

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
	if err != nil || c.JSON || c.Search != "" {
		return err
	}
	fmt.Fprintln(out, "\nNot listed:")
	table := []column[catalog.LeftOut]{
		{"VENDOR", func(l catalog.LeftOut) string { return l.Vendor }},
		{"OPERATIONS", func(l catalog.LeftOut) string { return fmt.Sprint(l.Operations) }},
		{"WHAT", func(l catalog.LeftOut) string { return l.What }},
		{"WHY", func(l catalog.LeftOut) string { return l.Why }},
	}
	return printList(out, c.asJSON, catalog.NotListed(), table...)
}
