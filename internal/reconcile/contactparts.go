package reconcile

import (
	"cmp"
	"slices"
	"strings"

	"milepost/clients/calendarhero"
	"milepost/mapping"
)

// contactPart is one value that a contact has on both sides.
type contactPart struct {
	name      string // as in mapping.ContactItem.Back
	wanted    func(mapping.ContactItem) string
	held      func(calendarhero.Contact) string
	put       func(*calendarhero.Contact, string)
	canonical func(string) string        // what counts of one side's value
	same      func(a, b string) bool     // whether the two sides differ in form at most
	form      func(v, was string) string // as HighLevel takes it; was is what it has there
}

var contactParts = []contactPart{
	{
		name:      "name",
		wanted:    func(w mapping.ContactItem) string { return w.Name },
		held:      func(h calendarhero.Contact) string { return h.Name },
		put:       func(h *calendarhero.Contact, v string) { h.Name = v },
		canonical: oneSpaced, same: sameText, form: asItIs,
	},
	{
		name:   "email",
		wanted: func(w mapping.ContactItem) string { return firstOf(w.Emails) },
		held:   func(h calendarhero.Contact) string { return cmp.Or(h.DefaultEmail, firstOf(h.Emails)) },
		put: func(h *calendarhero.Contact, v string) {
			h.Emails, h.DefaultEmail = leading(h.Emails, v, strings.EqualFold), v
		},
		canonical: func(v string) string { return strings.ToLower(strings.TrimSpace(v)) },
		same:      func(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) },
		form:      func(v, _ string) string { return strings.ToLower(strings.TrimSpace(v)) },
	},
	{
		name:   "phone",
		wanted: func(w mapping.ContactItem) string { return firstOf(w.Phones) },
		held:   func(h calendarhero.Contact) string { return firstOf(h.Telephones) },
		put: func(h *calendarhero.Contact, v string) {
			h.Telephones = leading(h.Telephones, v, samePhone)
		},
		canonical: digits, same: samePhone, form: internationalPhone,
	},
	{
		name:      "organization",
		wanted:    func(w mapping.ContactItem) string { return w.Organization },
		held:      func(h calendarhero.Contact) string { return h.Organization },
		put:       func(h *calendarhero.Contact, v string) { h.Organization = v },
		canonical: oneSpaced, same: sameText, form: asItIs,
	},
	{
		name:      "job_title",
		wanted:    func(w mapping.ContactItem) string { return w.JobTitle },
		held:      func(h calendarhero.Contact) string { return h.Title },
		put:       func(h *calendarhero.Contact, v string) { h.Title = v },
		canonical: oneSpaced, same: sameText, form: asItIs,
	},
}

func (p contactPart) digest(v string) string { return fingerprint(p.canonical(v)) }

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// leading puts a value in front of a list, in a copy, in place of one that is the same.
func leading(list []string, v string, same func(a, b string) bool) []string {
	rest := slices.DeleteFunc(slices.Clone(list), func(have string) bool { return same(have, v) })
	return append([]string{v}, rest...)
}

func oneSpaced(v string) string { return strings.Join(strings.Fields(v), " ") }

func sameText(a, b string) bool { return oneSpaced(a) == oneSpaced(b) }

func asItIs(v, _ string) string { return oneSpaced(v) }

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

// samePhone compares two numbers. Either may lack its country, begin with 00 or a
// trunk 0, and contain any punctuation.
func samePhone(a, b string) bool {
	a, b = strings.TrimLeft(digits(a), "0"), strings.TrimLeft(digits(b), "0")
	if len(a) < len(b) {
		a, b = b, a
	}
	return a == b || len(b) >= fewestDigits && strings.HasSuffix(a, b)
}

// internationalPhone writes a number as HighLevel keeps it, E.164. One without a
// country is taken to be of the country of the number that was there; where that
// cannot be told HighLevel goes by the location's country.
func internationalPhone(v, was string) string {
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

// splitName splits a whole name into first and last name, so that of the two that
// were there the one that did not change stays as it is.
func splitName(name, first, last string) (newFirst, newLast string) {
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
