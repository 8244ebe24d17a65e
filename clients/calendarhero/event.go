package calendarhero

import (
	"strings"
	"unicode"

	"milepost/clients"
)

// ParseEvent reads the id out of a webhook's body: of the meeting request, or of
// the contact that is new. It is "" if the body has none that could be one:
// longer than 64 bytes, no text or number, with a slash or what cannot be seen.
// Nothing else is read here, for the body is not signed and does not name its
// event: what it says is a hint to look. The error is clients.ErrNoObject.
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
	const longest = 64 // CalendarHero's own have 24
	unseen := func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }
	_, err := clients.PathID(id)
	return err == nil && len(id) <= longest && !strings.ContainsFunc(id, unseen) && id != "true" && id != "false"
}
