package mapping

import (
	"regexp"
	"strings"
)

var writtenForm = regexp.MustCompile(`^\[ref: mp-[a-z2-7]{8}\]$`)

// WrittenHere reports whether the body of a HighLevel note or task is one that
// Milepost wrote: its last line is the marker, "[ref: mp-…]" with eight characters
// of base32 in lower case. HighLevel may have made HTML of it.
func WrittenHere(body string) bool {
	text := PlainText(body)
	return writtenForm.MatchString(text[strings.LastIndexByte(text, '\n')+1:])
}
