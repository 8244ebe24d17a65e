package outcome

import (
	"errors"
	"testing"
	"time"

	"milepost/clients"
	"milepost/internal/store"
)

func TestWhatAFailureMeans(t *testing.T) {
	vendor := func(reason clients.Reason, status int) *clients.Error {
		return &clients.Error{API: "HighLevel", Operation: "get contact", Reason: reason, Status: status}
	}
	limited := vendor(clients.RateLimited, 429)
	budget := vendor(clients.RateLimited, 0)
	budget.RetryAfter = 3 * time.Second
	daily := vendor(clients.RateLimited, 0)
	daily.RetryAfter = 5 * time.Hour
	gateway := vendor(clients.Unclear, 502)
	gateway.Foreign = true
	for _, c := range []struct {
		name  string
		cause error
		tries int64
		want  Next
	}{
		{"a wait", &Wait{For: time.Minute}, 3, Next{Cause: Waits, Outcome: store.Waiting, After: time.Minute}},
		{"a wait that is too long", &Wait{For: time.Hour}, 0, Next{Cause: Waits, Outcome: store.Waiting, After: LongestWait}},
		{"a defect", errors.New("boom"), 0, Next{Cause: Defect, Outcome: store.Retry, After: store.BackoffAfter(0), Failed: true}},
		{"a rate limit without a time", limited, 0, Next{Cause: RateLimited, Outcome: store.Waiting, After: RateLimitWait, Others: true}},
		{"a turn that the budget gave", budget, 0, Next{Cause: RateLimited, Outcome: store.Waiting, After: 3 * time.Second, Exact: true, Others: true}},
		{"a day that is used up", daily, 0, Next{Cause: RateLimited, Outcome: store.Waiting, After: LongestWait, Others: true}},
		{"a rejected token", vendor(clients.Unauthorized, 401), 20, Next{Cause: Unauthorized, Outcome: store.Auth, After: 36 * time.Second, Failed: true, Others: true}},
		{"a token that stays rejected", vendor(clients.Forbidden, 403), 25, Next{Cause: Unauthorized, Outcome: store.Auth, After: store.BackoffAfter(25), Failed: true, Others: true}},
		{"a lost answer", vendor(clients.Unclear, 0), 9, Next{Cause: Unclear, Outcome: store.Retry, After: UnclearSettle}},
		{"a gateway in place of the vendor", gateway, 20, Next{Cause: Outage, Outcome: store.Retry, After: 36 * time.Second, Failed: true, Others: true}},
		{"an outage", vendor(clients.Unavailable, 503), 20, Next{Cause: Outage, Outcome: store.Retry, After: 36 * time.Second, Failed: true, Others: true}},
	} {
		if got := Of(c.cause, c.tries); got != c.want {
			t.Errorf("%s: %+v, not %+v", c.name, got, c.want)
		}
	}
}

func TestTheNextOfSeveralChecks(t *testing.T) {
	at := []time.Duration{2 * time.Second, 10 * time.Second}
	for _, c := range []struct {
		since, want time.Duration
		more        bool
	}{{0, 2 * time.Second, true}, {2 * time.Second, 8 * time.Second, true}, {9 * time.Second, time.Second, true}, {10 * time.Second, 0, false}} {
		if got, more := NextCheck(c.since, at...); got != c.want || more != c.more {
			t.Errorf("after %s the next check is in %s (%t)", c.since, got, more)
		}
	}
}

func TestAVendorsWordsAreNotLogged(t *testing.T) {
	err := &clients.Error{API: "HighLevel", Operation: "update contact", Status: 422, Reason: clients.Invalid, Message: "jane@example.com is taken"}
	if got := Redacted(err); got == err.Error() || len(got) == 0 {
		t.Errorf("the log says %q", got)
	}
}
