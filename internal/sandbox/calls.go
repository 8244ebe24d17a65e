package sandbox

import (
	"maps"
	"sync"
)

// unknownRoute is the operation under which requests to no known route are counted.
const unknownRoute = "unknown route"

// calls counts requests by operation ("GET /contacts/{contactId}"). The set of
// operations is the route table, so the map is bounded.
type calls struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *calls) add(operation string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[operation]++
}

func (c *calls) snapshot() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

func (c *calls) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts = nil
}
