package contactmerge

import (
	"cmp"
	"slices"
	"strings"

	"milepost/clients/calendarhero"
	"milepost/internal/fingerprint"
	"milepost/mapping"
)

// Part is one value that a contact has on both sides.
type Part struct {
	Name string // as in mapping.ContactItem.Back
	// ForHighLevel is a value as HighLevel takes it; was is the value it has there.
	ForHighLevel func(v, was string) string

	highLevel    func(mapping.ContactItem) string
	calendarHero func(calendarhero.Contact) string
	put          func(*calendarhero.Contact, string)
	canonical    func(string) string    // what counts of one side's value
	same         func(a, b string) bool // whether the two sides differ in form at most
}

// Parts are all parts of a contact.
var Parts = []Part{
	{
		Name:         "name",
		highLevel:    func(w mapping.ContactItem) string { return w.Name },
		calendarHero: func(h calendarhero.Contact) string { return h.Name },
		put:          func(h *calendarhero.Contact, v string) { h.Name = v },
		canonical:    oneSpaced, same: sameText, ForHighLevel: spaced,
	},
	{
		Name:         "email",
		highLevel:    func(w mapping.ContactItem) string { return First(w.Emails) },
		calendarHero: func(h calendarhero.Contact) string { return cmp.Or(h.DefaultEmail, First(h.Emails)) },
		put: func(h *calendarhero.Contact, v string) {
			h.Emails, h.DefaultEmail = leading(h.Emails, v, strings.EqualFold), v
		},
		canonical:    func(v string) string { return strings.ToLower(strings.TrimSpace(v)) },
		same:         func(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) },
		ForHighLevel: func(v, _ string) string { return strings.ToLower(strings.TrimSpace(v)) },
	},
	{
		Name:         "phone",
		highLevel:    func(w mapping.ContactItem) string { return First(w.Phones) },
		calendarHero: func(h calendarhero.Contact) string { return First(h.Telephones) },
		put: func(h *calendarhero.Contact, v string) {
			h.Telephones = leading(h.Telephones, v, SamePhone)
		},
		canonical: digits, same: SamePhone, ForHighLevel: InternationalPhone,
	},
	{
		Name:         "organization",
		highLevel:    func(w mapping.ContactItem) string { return w.Organization },
		calendarHero: func(h calendarhero.Contact) string { return h.Organization },
		put:          func(h *calendarhero.Contact, v string) { h.Organization = v },
		canonical:    oneSpaced, same: sameText, ForHighLevel: spaced,
	},
	{
		Name:         "job_title",
		highLevel:    func(w mapping.ContactItem) string { return w.JobTitle },
		calendarHero: func(h calendarhero.Contact) string { return h.Title },
		put:          func(h *calendarhero.Contact, v string) { h.Title = v },
		canonical:    oneSpaced, same: sameText, ForHighLevel: spaced,
	},
}

// Digest is the digest of a value of the part.
func (p Part) Digest(v string) string { return fingerprint.Of(p.canonical(v)) }

// Label is the name of the part for people.
func (p Part) Label() string { return Label(p.Name) }

// Label is the name of a part for people.
func Label(name string) string { return strings.ReplaceAll(name, "_", " ") }

// First is the first of a list; "" if there is none.
func First(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// union appends to list, in a copy, each of more that it does not contain.
func union(list, more []string, equal func(a, b string) bool) []string {
	list = slices.Clone(list)
	for _, v := range more {
		if !slices.ContainsFunc(list, func(have string) bool { return equal(have, v) }) {
			list = append(list, v)
		}
	}
	return list
}

// leading puts a value in front of a list, in a copy, in place of one that is the same.
func leading(list []string, v string, same func(a, b string) bool) []string {
	rest := slices.DeleteFunc(slices.Clone(list), func(have string) bool { return same(have, v) })
	return append([]string{v}, rest...)
}

func oneSpaced(v string) string { return strings.Join(strings.Fields(v), " ") }

func sameText(a, b string) bool { return oneSpaced(a) == oneSpaced(b) }

func spaced(v, _ string) string { return oneSpaced(v) }

func digits(v string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, v)
}

// fewestDigits is the fewest digits of a number that may equal a longer one without
// its country.
const fewestDigits = 7

// SamePhone compares two numbers. Either may lack its country, begin with 00 or a
// trunk 0, and contain any punctuation.
func SamePhone(a, b string) bool {
	a, b = strings.TrimLeft(digits(a), "0"), strings.TrimLeft(digits(b), "0")
	if len(a) < len(b) {
		a, b = b, a
	}
	return a == b || len(b) >= fewestDigits && strings.HasSuffix(a, b)
}

// InternationalPhone writes a number as HighLevel keeps it, in E.164. A number without
// a country is taken to be of the country of the number that was there. If that is
// unknown, the number stays without one, and HighLevel assumes the location's country.
func InternationalPhone(v, was string) string {
	number := digits(v)
	switch {
	case strings.HasPrefix(strings.TrimSpace(v), "+"):
		return "+" + number
	case strings.HasPrefix(number, "00"):
		return "+" + number[2:]
	}
	national, before := strings.TrimLeft(number, "0"), digits(was)
	if country := len(before) - len(national); strings.HasPrefix(was, "+") && 1 <= country && country <= 3 {
		return "+" + before[:country] + national
	}
	return number
}

// SplitName splits a whole name into first and last name. A former first or last name
// that the whole name still has stays as it is.
func SplitName(name, first, last string) (newFirst, newLast string) {
	name = oneSpaced(name)
	if rest, ok := strings.CutPrefix(name, first+" "); ok && first != "" {
		return first, rest
	}
	if rest, ok := strings.CutSuffix(name, " "+last); ok && last != "" {
		return rest, last
	}
	newFirst, newLast, _ = strings.Cut(name, " ")
	return newFirst, newLast
}
