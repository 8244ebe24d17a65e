package mapping

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// zoneForm matches a zone name of the IANA database. The name becomes a file path, so no
// other form is allowed.
var zoneForm = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*){0,2}$`)

// zoneWords finds two words without the _ between them, as in NewYork.
var zoneWords = regexp.MustCompile(`([a-z])([A-Z])`)

// LoadZone returns the time zone of an IANA name such as America/New_York or UTC. Unlike
// [time.LoadLocation] it rejects "" and "Local", the zone of the machine.
func LoadZone(name string) (*time.Location, error) {
	if zoneForm.MatchString(name) && !strings.EqualFold(name, "Local") && name != "Factory" {
		if zone, err := time.LoadLocation(name); err == nil {
			return zone, nil
		}
	}
	if meant := zoneWords.ReplaceAllString(strings.ReplaceAll(strings.TrimSpace(name), " ", "_"), "${1}_$2"); meant != name {
		if _, err := LoadZone(meant); err == nil {
			return nil, fmt.Errorf("%s is not a time zone; did you mean %q?", quoteShort(name), meant)
		}
	}
	return nil, fmt.Errorf("%s is not a time zone; expected an IANA name such as America/New_York", quoteShort(name))
}
