package fakehttp

import (
	"crypto/rand"
	"encoding/hex"

	"github.com/google/uuid"
)

// ObjectID makes an id like CalendarHero's: 24 lower-case hex digits.
func ObjectID() string {
	var raw [12]byte
	rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}

// UUID makes a webhookId or a traceId.
func UUID() string { return uuid.NewString() }
