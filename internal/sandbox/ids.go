package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"github.com/google/uuid"
)

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// highLevelID makes an id like HighLevel's: 20 letters and digits.
func highLevelID() string {
	var raw [20]byte
	rand.Read(raw[:])
	for i, b := range raw {
		raw[i] = letters[int(b)%len(letters)]
	}
	return string(raw[:])
}

// objectID makes an id like CalendarHero's: 24 lower-case hex digits.
func objectID() string {
	var raw [12]byte
	rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}

func isObjectID(s string) bool {
	return len(s) == 24 && strings.Trim(s, "0123456789abcdef") == ""
}

// newUUID makes a webhookId or a traceId.
func newUUID() string { return uuid.NewString() }
