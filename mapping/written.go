package mapping

import "regexp"

// writtenForm matches the marker at the end of a body, which HighLevel may have turned into
// HTML. The text before it may be anything.
var writtenForm = regexp.MustCompile(`\[ref:(?:\s|&nbsp;)(mp-[a-z2-7]{8})(?:-([a-z2-7]{4}))?\](?:\s|&nbsp;|</?[a-zA-Z][^<>]*>)*$`)

// WrittenMarker returns the marker at the end of a HighLevel note or task that Milepost
// wrote, "mp-" and eight characters of base32 in lower case, and the check after it; "" if
// there is none. Anybody can write a marker, so the caller must find out whether it is
// ours. Markers of earlier releases have no check.
func WrittenMarker(body string) (marker, check string) {
	if m := writtenForm.FindStringSubmatch(body); m != nil {
		return m[1], m[2]
	}
	return "", ""
}
