package fakehttp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// BodyLimit is the largest request body that a fake reads.
const BodyLimit = 1 << 20

// WriteJSON answers with the status and body; nil writes no body.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if body != nil {
		w.Write(JSON(body))
	}
}

// JSON encodes as JSON.stringify does: <, > and & stay as they are.
func JSON(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(fmt.Sprintf("sandbox: encode an answer: %v", err)) // only our own types come here
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// ISOMillis writes a time as JavaScript's toISOString does; "" for the zero time.
func ISOMillis(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// ParseISO reads what an ISO 8601 validator takes: a date, or a date and time
// with or without zone (then UTC).
func ParseISO(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02", "2006-01-02T15:04:05Z0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
