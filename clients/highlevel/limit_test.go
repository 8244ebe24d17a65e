package highlevel

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRateLimitHeadersAreRead(t *testing.T) {
	now := time.Date(2026, 12, 1, 22, 30, 0, 0, time.UTC)
	for _, tc := range []struct {
		name    string
		status  int
		headers string
		want    Allowance
	}{
		{"none", 200, "", Allowance{Interval: 10 * time.Second, Remaining: -1, DailyRemaining: -1}},
		{
			"all", 200, "X-RateLimit-Limit-Daily: 200000, X-RateLimit-Daily-Remaining: 199999, X-RateLimit-Interval-Milliseconds: 10000, X-RateLimit-Max: 100, X-RateLimit-Remaining: 99",
			Allowance{Max: 100, Interval: 10 * time.Second, Remaining: 99, DailyMax: 200000, DailyRemaining: 199999},
		},
		{
			"a refusal", 429, "X-RateLimit-Max: 25, X-RateLimit-Remaining: 0, X-RateLimit-Interval-Milliseconds: 20000, Retry-After: 7",
			Allowance{Max: 25, Interval: 20 * time.Second, DailyRemaining: -1, Refused: true, RetryAfter: 7 * time.Second},
		},
		{
			"nonsense", 200, "X-RateLimit-Max: many, X-RateLimit-Remaining: -3, X-RateLimit-Interval-Milliseconds: 0, X-RateLimit-Daily-Remaining: 1e3, Retry-After: 7",
			Allowance{Interval: 10 * time.Second, Remaining: -1, DailyRemaining: -1},
		},
		{"a window of a day", 200, "X-RateLimit-Interval-Milliseconds: 86400000", Allowance{Interval: 10 * time.Second, Remaining: -1, DailyRemaining: -1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{}
			for pair := range strings.SplitSeq(tc.headers, ", ") {
				if key, value, ok := strings.Cut(pair, ": "); ok {
					h.Set(key, value)
				}
			}
			if got := allowance(tc.status, h, now); got != tc.want {
				t.Errorf("read %+v, want %+v", got, tc.want)
			}
		})
	}
	if end := DayEnds(now.In(time.FixedZone("", 7*3600))); !end.Equal(now.Add(90 * time.Minute)) {
		t.Errorf("the day ends at %s", end)
	}
}
