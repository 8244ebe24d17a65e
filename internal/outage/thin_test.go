package outage

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestARepeatedMessageOfALibraryIsLoggedEveryFiveMinutes(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1_000_000, 0)
	logger := slog.New(Thin(slog.NewTextHandler(&out, nil), func() time.Time { return now })).With("queue", "default")
	for range 400 {
		logger.Error("could not fetch jobs")
		now = now.Add(time.Second)
	}
	logger.Error("something else")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], "repeated=299") || !strings.Contains(lines[2], "something else") || strings.Contains(lines[2], "repeated") {
		t.Errorf("400 equal messages and another one were logged as:\n%s", &out)
	}
}
