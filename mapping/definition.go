package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// The definition of a custom field in HighLevel says which values it can have. This file
// finds uses of a field that do not go with its type or its options.

// withoutDates are the types of fields that hold no date.
var withoutDates = []string{"SINGLE_OPTIONS", "MULTIPLE_OPTIONS", "RADIO", "CHECKBOX", "PHONE", "MONETORY", "FILE_UPLOAD", "TEXTBOX_LIST", "SIGNATURE"}

// withOptions are the types of fields whose options are their values.
var withOptions = withoutDates[:4]

// unfit says that a value or a use does not go with a custom field; "" if it does, or if the
// location has no such field.
func (k Known) unfit(n mention) string {
	record, key, _ := strings.Cut(n.within, ".")
	list := k.ContactFields
	if record == "opportunity" {
		list = k.OpportunityFields
	}
	at := slices.IndexFunc(list, func(d CustomDefinition) bool { return d.Key == key })
	if at < 0 {
		return ""
	}
	d := list[at]
	if n.kind == dateField {
		return d.holdsNoDate(n.within, list)
	}
	if n.kind == writtenValue && d.Type == "DATE" {
		if err := neverDate(n.text); err != nil {
			return fmt.Sprintf("%s holds a date, and %v", n.within, err)
		}
	}
	// A field may allow other values than its options, so only what looks like a slip is said.
	near, ok := nearest(n.text, d.Options)
	if !ok || !slices.Contains(withOptions, d.Type) || n.among(d.Options) || n.part != "" && near == n.text {
		return ""
	}
	return fmt.Sprintf("%s has no option %q; did you mean %q?", n.within, n.text, near)
}

// holdsNoDate says that a field holds no date, and which fields of the list do.
func (d CustomDefinition) holdsNoDate(field string, list []CustomDefinition) string {
	if !slices.Contains(withoutDates, d.Type) || slices.ContainsFunc(d.Options, func(o string) bool { return neverDate(o) == nil }) {
		return ""
	}
	record, _, _ := strings.Cut(field, ".")
	var dates []string
	for _, other := range list {
		if other.Type == "DATE" {
			dates = append(dates, record+"."+other.Key)
		}
	}
	said := fmt.Sprintf("%s holds no date, since its type is %s", field, d.Type)
	if len(dates) == 0 {
		return said
	}
	return fmt.Sprintf("%s; the custom fields with dates are %s", said, enumerate(atMost(dates)))
}

func definedKeys(list []CustomDefinition) []string {
	return each(list, func(d CustomDefinition) string { return d.Key })
}

// customField returns the name of a custom field, if an expression is one; otherwise "".
func customField(n ast.Node) string {
	path := pathOf(n)
	if len(path) != 2 || !(reference{path[0], path[1]}).custom() {
		return ""
	}
	return strings.Join(path, ".")
}

// custom reports whether the field is a custom one.
func (r reference) custom() bool {
	return r.record == "contact" && !standardFields[r.key] || r.record == "opportunity" && !standardNames(r.record)[r.key]
}

// referToDate notes a custom field that is read as a date.
func (f *fields) referToDate(field string, at reference) {
	if at.custom() {
		f.refer(field, f.values[field], []mention{{kind: dateField, text: at.key, within: at.String(), Line: 1}})
	}
}
