package mapping

import (
	"strings"
	"unicode"
)

// TextVersion numbers the rules of PlainText and tidy. Raise it when the same record would
// give another text. PlanFormer compares items made under the version before, so that an
// upgrade changes nothing in a calendar.
const TextVersion = 2

// textRules are the rules of one TextVersion.
type textRules struct {
	plain func(string) string // for a body as HighLevel stores it
	tidy  func(string) string // for a text that an automation makes
}

var currentRules = textRules{plain: PlainText, tidy: tidy}

// longestTitle is the longest readable title, in characters.
const longestTitle = 200

// oneLine makes a title of a text: no line breaks or control characters, no
// runs of blanks, not too long.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > longestTitle {
		s = strings.TrimSpace(string(r[:longestTitle-1])) + "…"
	}
	return s
}

// unseen finds a character that controls a terminal, or that changes the order in which a
// text is read.
func unseen(s string) (rune, bool) {
	for _, r := range s {
		switch {
		case unicode.IsControl(r) && r != '\n' && r != '\t',
			unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029', r == '\ufeff':
			return r, true
		}
	}
	return 0, false
}

// PlainText returns the body of a note or task, as HighLevel stores it, as plain text. If
// the body looks like the HTML of HighLevel's editor, it is read as HTML: see htmlText. Any
// other body keeps every printable character, including entities and angle brackets. Do not
// apply it to its own result, because that text may look like HTML.
func PlainText(s string) string {
	s = strings.TrimPrefix(printable(s), "\ufeff")
	if source, ok := htmlSource(s); ok {
		if text, ok := htmlText(source); ok {
			s = text
		}
	}
	return tidy(s)
}

// tidy returns a text without control characters, without empty lines at its
// start and without blanks at its end. Lines end with "\n".
func tidy(s string) string {
	s = strings.TrimRightFunc(printable(s), unicode.IsSpace)
	for {
		line, rest, ok := strings.Cut(s, "\n")
		if !ok || strings.TrimSpace(line) != "" {
			return s
		}
		s = rest
	}
}

var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\v", "\n", "\f", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")

// printable removes characters that databases and calendars reject, such as NUL, and writes
// each line end as "\n".
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, lineEnds.Replace(strings.ToValidUTF8(s, "\uFFFD")))
}
