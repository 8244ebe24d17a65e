package fakehttp

import (
	"maps"
	"sync"
)

// UnknownRoute is the operation under which requests to no known route are counted.
const UnknownRoute = "unknown route"

// Calls counts requests by operation ("GET /contacts/{contactId}"). The set of
// operations is the route table, so the map is bounded.
type Calls struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *Calls) Add(operation string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[operation]++
}

func (c *Calls) Snapshot() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

func (c *Calls) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts = nil
}
