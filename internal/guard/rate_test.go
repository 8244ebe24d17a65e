package guard_test

import (
	"net/netip"
	"testing"
	"time"

	"milepost/internal/guard"
	"milepost/internal/testenv"
)

func TestRateLimitsEachClientAndAllClientsTogether(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	r := guard.NewRate(guard.Limit{Burst: 3, Every: 6 * time.Second}, guard.Limit{Burst: 5, Every: time.Second}, func() time.Time { return now })
	take := func(client string, want time.Duration) {
		t.Helper()
		if wait := r.Take(netip.MustParseAddr(client)); wait != want {
			t.Errorf("%s waits %s, want %s", client, wait, want)
		}
	}
	for range 3 {
		take("192.0.2.1", 0)
	}
	take("192.0.2.1", 6*time.Second)
	take("::ffff:192.0.2.1", 6*time.Second)
	take("2001:db8::1", 0)
	take("2001:db8::2", 0)
	take("2001:db8::3", time.Second) // the limit of all together
	now = now.Add(time.Second)
	take("2001:db8::3", 0)
	take("2001:db8::4", 5*time.Second) // the same network
	now = now.Add(5 * time.Second)
	take("192.0.2.1", 0)
	now = now.Add(-time.Hour) // the clock was put back
	take("192.0.2.1", 0)
}

func TestRateBoundsItsListOfClients(t *testing.T) {
	testenv.Long(t)
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	r := guard.NewRate(guard.Limit{Burst: 1, Every: time.Second}, guard.Limit{Burst: 1 << 20, Every: time.Millisecond}, func() time.Time { return now })
	addr := netip.MustParseAddr("10.0.0.0")
	refused := 0
	for range 3 * 4096 {
		if addr = addr.Next(); r.Take(addr) > 0 {
			refused++
		}
	}
	if refused != 2*4096-1 {
		t.Errorf("%d were refused, want all but one of those that are not told apart", refused)
	}
	now = now.Add(time.Second)
	if wait := r.Take(addr); wait > 0 {
		t.Errorf("a second later one waits %s", wait)
	}
}
