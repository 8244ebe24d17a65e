package meeting

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"regexp"
	"strings"

	"milepost/internal/store"
)

// titleMarker matches the marker in the title of a request that Milepost created.
var titleMarker = regexp.MustCompile(` ?\[(mp-[a-z2-7]{8})\]`)

// Marker is a short reference that no two creates share. It follows from the
// record, the item and the generation, so a database that was lost can compute it
// again.
func Marker(e store.Entity, item string, generation int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s\x00%d", e.LocationID, e.Kind, e.ID, item, generation))
	return "mp-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
}

// MarkerIn returns the marker in a title, or "".
func MarkerIn(title string) string {
	if m := titleMarker.FindStringSubmatch(title); m != nil {
		return m[1]
	}
	return ""
}

// Marked is a title with a marker.
func Marked(title, marker string) string { return title + " [" + marker + "]" }

// Unmarked is a title without its marker.
func Unmarked(title string) string { return titleMarker.ReplaceAllString(title, "") }

// Signed is a body with a marker as its last line.
func Signed(body, marker string) string {
	return strings.TrimLeft(body+"\n\n[ref: "+marker+"]", "\n")
}

// OneSpaced is a text with each run of spaces as one.
func OneSpaced(s string) string { return strings.Join(strings.Fields(s), " ") }
