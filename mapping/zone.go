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

// LoadZone returns the time zone of an IANA name such as America/New_York or UTC. Unlike
// [time.LoadLocation] it rejects "" and "Local", the zone of the machine.
func LoadZone(name string) (*time.Location, error) {
	if !zoneForm.MatchString(name) || strings.EqualFold(name, "Local") || name == "Factory" {
		return nil, fmt.Errorf("%s is not a time zone; expected an IANA name such as America/New_York", quoteShort(name))
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%s is not a time zone; expected an IANA name such as America/New_York", quoteShort(name))
	}
	return zone, nil
}
