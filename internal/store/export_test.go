package store

import (
	"context"
	"time"
)

// Describe is describe.
var Describe = describe

// Freeze stops the heartbeat of a process on PostgreSQL, as if the process had died.
func (s *Store) Freeze() {
	p := s.backend.(*pgBackend).presence
	p.stop()
	p.stop = func() {}
}

// Beat writes one heartbeat, and takes over from dead processes.
func (s *Store) Beat(ctx context.Context) error { return s.backend.(*pgBackend).presence.round(ctx) }

// Process names the process, as river_job.attempted_by does.
func (s *Store) Process() string { return s.backend.(*pgBackend).presence.id }

// LastBeat sets when this process last reached the database, by its own clock.
func (s *Store) LastBeat(t time.Time) {
	p := s.backend.(*pgBackend).presence
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat = t
}

// Ask asks for the sync of a contact's entity as a dispatcher does.
func (tx *Tx) Ask(ctx context.Context, e Entity, contactID string) error {
	v, err := tx.raiseWanted(ctx, e, contactID, 1, 0, byEvent)
	if err != nil {
		return err
	}
	return tx.enqueue(ctx, []raised{v}, byEvent)
}

// MigrationsOf returns the migrations of an engine.
var MigrationsOf = migrationsOf
