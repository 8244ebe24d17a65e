package calendarhero

import (
	"strings"
	"unicode"

	"milepost/clients"
)

// ParseEvent reads the id from a webhook's body: of the meeting request, or of the new
// contact. The id is "" if the body has no usable one: longer than 64 bytes, not a text or
// number, with a slash or invisible characters. ParseEvent reads nothing else, because the
// body is not signed and does not name its event. So the body is only a hint to read the
// record. The error is clients.ErrNoObject.
func ParseEvent(body []byte) (id string, err error) {
	o, err := clients.ParseBody(body)
	if err != nil {
		return "", err
	}
	if id = strings.TrimSpace(o.Text("id")); !usableID(id) {
		id = ""
	}
	return id, nil
}

func usableID(id string) bool {
	const longest = 64 // CalendarHero's own ids have 24
	unseen := func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }
	_, err := clients.PathID(id)
	return err == nil && len(id) <= longest && !strings.ContainsFunc(id, unseen) && id != "true" && id != "false"
}
