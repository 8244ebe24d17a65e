package guard

import (
	"net/netip"
	"sync"
	"time"
)

// Limit is how often something may happen: Burst times at once, and then once
// in each Every.
type Limit struct {
	Burst int
	Every time.Duration
}

// maxClients is how many clients are told apart. Those beyond share one limit.
const maxClients = 4096

// Rate limits how often each client, and all of them together, may have
// something done. An IPv6 network of 64 bits is one client. Safe for
// concurrent use.
type Rate struct {
	each, all Limit
	now       func() time.Time

	mu      sync.Mutex
	of      map[netip.Addr]time.Time // when a client's burst is whole again
	overall time.Time                // when that of all is
}

// NewRate returns a Rate. now is time.Now or a test's clock.
func NewRate(each, all Limit, now func() time.Time) *Rate {
	return &Rate{each: each, all: all, now: now, of: map[netip.Addr]time.Time{}}
}

// Take returns 0 and counts if the client may go ahead, or else how long it
// should wait; then nothing is counted.
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

// after returns when the burst is whole after one more, and how long until one
// more is allowed.
func (l Limit) after(whole, now time.Time) (_ time.Time, wait time.Duration) {
	burst := time.Duration(l.Burst) * l.Every
	if whole.Before(now) || whole.Sub(now) > burst+delay { // or the clock was put back; delay is what Guard adds
		whole = now
	}
	whole = whole.Add(l.Every)
	return whole, whole.Sub(now) - burst
}

// network is what counts as one client: an IPv4 address, or the 64 bits of an
// IPv6 address that one customer of a provider has.
func network(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return addr
}
