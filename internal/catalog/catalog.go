// Package catalog is one table of every trigger and of every operation of both
// vendors that Milepost can call.
//
// The table drives `milepost catalog`, the page, docs/catalog.md, the check and the
// call of a request action, and the scopes in error texts. Tests hold its HighLevel
// operations against HighLevel's OpenAPI, and call each entry in the sandbox.
//
// Guarantees: a call is checked before it is sent, and reaches only its own location.
//
// The package is pure data and pure functions. It must not know clients or the store.
package catalog

import (
	"slices"
	"strings"
)

// The kinds of an entry.
const (
	Trigger   = "trigger"
	Operation = "operation"
)

// The vendors of an entry.
const (
	HighLevel    = "highlevel"
	CalendarHero = "calendarhero"
	Milepost     = "milepost" // a trigger that Milepost makes itself
)

// Effect says what an operation does to the vendor's data.
type Effect string

// The effects.
const (
	Read       Effect = "read"       // changes nothing
	Repeatable Effect = "repeatable" // has the same effect when it runs twice
	Once       Effect = "once"       // must not run twice: a create, or what mails people
)

// Entry is a trigger or an operation.
type Entry struct {
	Name       string   `json:"name"` // unique; a trigger's is what an automation has after on
	Kind       string   `json:"kind"`
	Vendor     string   `json:"vendor"`
	Group      string   `json:"group"`
	Summary    string   `json:"summary"`
	Note       string   `json:"note,omitempty"`   // what else to know
	Method     string   `json:"method,omitempty"` // of an operation, like Path
	Path       string   `json:"path,omitempty"`   // as in the vendor's OpenAPI, with {names} for ids
	Fields     Fields   `json:"fields"`
	Either     []string `json:"either,omitempty"` // at least one of these fields is required
	Scopes     []string `json:"scopes"`           // of HighLevel; the first is the operation's own
	RateLimit  string   `json:"rate_limit,omitempty"`
	Effect     Effect   `json:"effect,omitempty"`
	Repeat     bool     `json:"repeatable"`           // the operation may be sent again after a lost answer; the trigger may come twice
	Mails      bool     `json:"mails,omitempty"`      // people may get a message because of it
	Agency     bool     `json:"agency,omitempty"`     // only an agency's token may call it, so an automation cannot
	Deprecated string   `json:"deprecated,omitempty"` // by the vendor: what to use in its place
	Reserved   string   `json:"reserved,omitempty"`   // why an automation cannot call the operation
	// Example is an automation for a trigger, and the fields of a call for an operation.
	Example map[string]any `json:"example"`

	emptyBody bool // the operation takes a body, which has no fields
}

// The rate limits that an operation counts against.
const (
	limitLocation     = "HighLevel: 100 calls in 10 s and 200,000 a day for each location"
	limitAgency       = "HighLevel: 100 calls in 10 s and 200,000 a day for the agency"
	limitCalendarHero = "CalendarHero: none is documented"
)

// Entries returns the whole catalogue: triggers first, then HighLevel's operations,
// then CalendarHero's. The caller must not change what the entries hold.
func Entries() []Entry { return slices.Clone(entries) }

var entries = assemble()

func assemble() (all []Entry) {
	for _, e := range triggers {
		e.Kind, e.Repeat = Trigger, true
		all = append(all, e)
	}
	add := func(vendor, group string, operations []Entry) {
		for _, e := range operations {
			e.Kind, e.Vendor, e.Group, e.RateLimit = Operation, vendor, group, limitLocation
			switch {
			case vendor == CalendarHero:
				e.RateLimit = limitCalendarHero
			case e.Agency:
				e.RateLimit = limitAgency
			}
			if e.Agency {
				e.Reserved = "it takes an agency's token only, and an automation has the one of its location"
			}
			e.Repeat = e.Effect != Once
			e.Example = e.Fields.example()
			e.Fields = e.Fields.pickable(vendor)
			all = append(all, e)
		}
	}
	add(HighLevel, "contacts", contactOperations)
	add(HighLevel, "opportunities", opportunityOperations)
	add(HighLevel, "location", locationOperations)
	add(HighLevel, "calendars", calendarOperations)
	add(HighLevel, "users", userOperations)
	add(HighLevel, "businesses", businessOperations)
	add(HighLevel, "workflows", workflowOperations)
	add(HighLevel, "campaigns", campaignOperations)
	for _, g := range calendarHeroGroups {
		add(CalendarHero, g.name, g.operations)
	}
	for i := range all { // in JSON, none is an empty list
		if all[i].Fields == nil {
			all[i].Fields = Fields{}
		}
		if all[i].Scopes == nil {
			all[i].Scopes = []string{}
		}
	}
	return all
}

// Find returns the entry of a name, and whether there is one.
func Find(name string) (Entry, bool) {
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return Entry{}, false
	}
	return entries[i], true
}

// Search returns the entries that have every word of a text in their name, group,
// summary, path or fields, in any case. An empty text finds all.
func Search(text string) []Entry {
	words := strings.Fields(strings.ToLower(text))
	return slices.DeleteFunc(Entries(), func(e Entry) bool {
		in := []string{e.Name, e.Kind, e.Vendor, e.Group, e.Summary, e.Method, e.Path}
		for _, f := range e.Fields {
			in = append(in, f.Name)
		}
		all := strings.ToLower(strings.Join(in, " "))
		return slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(all, word) })
	})
}

// Match returns a vendor's operation of a method and a path, whose ids are filled
// in. If several fit, it is the one with the fewest ids: /contacts/search comes
// before /contacts/{contactId}.
func Match(vendor, method, path string) (Entry, bool) {
	best := -1
	for i, e := range entries {
		if e.Vendor == vendor && e.Method == method && fits(e.Path, path) &&
			(best < 0 || strings.Count(e.Path, "{") < strings.Count(entries[best].Path, "{")) {
			best = i
		}
	}
	if best < 0 {
		return Entry{}, false
	}
	return entries[best], true
}

func fits(template, path string) bool {
	parts, values := strings.Split(template, "/"), strings.Split(path, "/")
	return slices.EqualFunc(parts, values, func(part, value string) bool {
		return part == value || strings.HasPrefix(part, "{") && value != ""
	})
}
