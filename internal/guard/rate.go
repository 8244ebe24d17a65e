package guard

import (
	"net/netip"
	"sync"
	"time"
)

// Limit is how often something may happen: Burst times at once, then once per Every.
type Limit struct {
	Burst int
	Every time.Duration
}

// maxClients is how many clients Rate counts separately. All others share one limit.
const maxClients = 4096

// Rate limits how often each client, and all clients together, may do something. An IPv6
// network of 64 bits is one client. Safe for concurrent use.
type Rate struct {
	each, all Limit
	now       func() time.Time

	mu      sync.Mutex
	of      map[netip.Addr]time.Time // when a client's burst is full again
	overall time.Time                // when the burst of all clients is full again
}

// NewRate returns a Rate. now is time.Now or a test's clock.
func NewRate(each, all Limit, now func() time.Time) *Rate {
	return &Rate{each: each, all: all, now: now, of: map[netip.Addr]time.Time{}}
}

// Take returns 0 and counts the use if the client may proceed. Otherwise it returns how
// long the client should wait, and counts nothing.
func (r *Rate) Take(client netip.Addr) (wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	client = network(client)
	if _, known := r.of[client]; !known && len(r.of) >= maxClients {
		for c, whole := range r.of {
			if !whole.After(now) {
				delete(r.of, c)
			}
		}
		if len(r.of) >= maxClients {
			client = netip.Addr{}
		}
	}
	mine, wait := r.each.after(r.of[client], now)
	overall, waitAll := r.all.after(r.overall, now)
	if wait = max(wait, waitAll); wait > 0 {
		return wait
	}
	r.of[client], r.overall = mine, overall
	return 0
}

// after returns when the burst is full again after one more use, and how long until that
// use is allowed.
func (l Limit) after(whole, now time.Time) (_ time.Time, wait time.Duration) {
	burst := time.Duration(l.Burst) * l.Every
	if whole.Before(now) || whole.Sub(now) > burst+delay { // or the clock was put back; Guard adds delay
		whole = now
	}
	whole = whole.Add(l.Every)
	return whole, whole.Sub(now) - burst
}

// network returns what counts as one client: an IPv4 address, or the first 64 bits of an
// IPv6 address, which one customer of a provider has.
func network(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return addr
}
