package operate

import (
	"strings"
	"unicode/utf8"
)

// Mask hides personal data from viewers who have not asked to see it. The zero Mask
// hides it; Shown does not.
type Mask struct{ Shown bool }

// hidden stands for a text that is not shown.
const hidden = "•••••"

// Person masks a name: the first letter of each part stays.
func (m Mask) Person(name string) string {
	if m.Shown || name == "" {
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
func (m Mask) Email(address string) string {
	if m.Shown || address == "" {
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
func (m Mask) Phone(number string) string {
	if m.Shown || len(number) < 4 {
		return number
	}
	return "••• " + number[len(number)-2:]
}

// Text masks a text that may quote a record.
func (m Mask) Text(text string) string {
	if m.Shown || text == "" {
		return text
	}
	return hidden
}
