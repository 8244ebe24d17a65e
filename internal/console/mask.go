package console

import (
	"strings"
	"unicode/utf8"
)

// hidden stands for a text that a viewer has not asked to see.
const hidden = "•••••"

// Person masks a name: the first letter of each part stays.
func (v *view) Person(name string) string {
	if v.Shown || name == "" {
		return name
	}
	parts := strings.Fields(name)
	for i, p := range parts {
		first, _ := utf8.DecodeRuneInString(p)
		parts[i] = string(first) + "•••"
	}
	return strings.Join(parts, " ")
}

// Email masks an e-mail address: the first letter and the last part of the domain stay.
func (v *view) Email(address string) string {
	if v.Shown || address == "" {
		return address
	}
	first, _ := utf8.DecodeRuneInString(address)
	end := ""
	if i := strings.LastIndex(address, "."); i >= 0 {
		end = address[i:]
	}
	return string(first) + "•••@•••" + end
}

// Phone masks a telephone number: the last two digits stay.
func (v *view) Phone(number string) string {
	if v.Shown || len(number) < 4 {
		return number
	}
	return "••• " + number[len(number)-2:]
}

// Text masks a text that may quote a record.
func (v *view) Text(text string) string {
	if v.Shown || text == "" {
		return text
	}
	return hidden
}
