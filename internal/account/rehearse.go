package account

import (
	"context"
	"sync"

	"milepost/clients"
	"milepost/internal/connection"
)

// Rehearsing returns sessions without effect and with their own memory. They send only
// reads, pass every other call to note, and roll back what they store.
func (all *Sessions) Rehearsing(note func(context.Context, clients.Rehearsed) error) *Sessions {
	cfg := all.cfg
	cfg.Store = cfg.Store.Rehearsing()
	cfg.Connections = &rehearsing{Connections: cfg.Connections, note: note, of: map[*connection.Connection]*connection.Connection{}}
	return New(cfg)
}

type rehearsing struct {
	Connections
	note func(context.Context, clients.Rehearsed) error
	mu   sync.Mutex
	of   map[*connection.Connection]*connection.Connection
}

// Lookup returns the rehearsing twin of a connection.
func (r *rehearsing) Lookup(ctx context.Context, locationID string) (*connection.Connection, error) {
	conn, err := r.Connections.Lookup(ctx, locationID)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of[conn] == nil {
		twin := *conn
		twin.HighLevel, twin.CalendarHero = conn.HighLevel.Rehearsing(r.note), conn.CalendarHero.Rehearsing(r.note)
		r.of[conn] = &twin
	}
	return r.of[conn], nil
}
