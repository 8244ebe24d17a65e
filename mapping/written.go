package mapping

import "regexp"

// writtenForm matches the marker at the end of a body, which HighLevel may have
// turned into HTML. The text before it does not matter: it may hold any markup.
var writtenForm = regexp.MustCompile(`\[ref:(?:\s|&nbsp;)(mp-[a-z2-7]{8})(?:-([a-z2-7]{4}))?\](?:\s|&nbsp;|</?[a-zA-Z][^<>]*>)*$`)

// WrittenMarker returns the marker at the end of the body of a HighLevel
// note or task, "mp-" and eight characters of base32 in lower case, as Milepost
// writes it, and the check behind it; "" if there is none. Anybody can write a
// marker: whether it is one of ours is for the caller to look up. Markers of former
// releases have no check.
func WrittenMarker(body string) (marker, check string) {
	if m := writtenForm.FindStringSubmatch(body); m != nil {
		return m[1], m[2]
	}
	return "", ""
}
