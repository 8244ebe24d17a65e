package outage

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Thin returns a handler for the log of a library, which cannot say when an outage is over.
// It passes each message on once in five minutes, and adds how often the message was
// repeated in between.
func Thin(next slog.Handler, now func() time.Time) slog.Handler {
	return thin{next, &seen{now: now, of: map[string]*repeats{}}}
}

type thin struct {
	slog.Handler
	seen *seen
}

// seen is shared by a handler and the handlers made from it.
type seen struct {
	now func() time.Time
	mu  sync.Mutex
	of  map[string]*repeats // by message; a library has only a few
}

type repeats struct {
	logged time.Time
	n      int // repeats since then
}

func (t thin) Handle(ctx context.Context, r slog.Record) error {
	if n, ok := t.seen.count(r.Message); !ok {
		return nil
	} else if n > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("repeated", n))
	}
	return t.Handler.Handle(ctx, r)
}

// count reports whether to log a message, and how often it was left out before.
func (s *seen) count(message string) (repeated int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.of[message]
	if m == nil {
		m = &repeats{}
		s.of[message] = m
	}
	now := s.now()
	if !passed(m.logged, now, every) {
		m.n++
		return 0, false
	}
	repeated, m.n, m.logged = m.n, 0, now
	return repeated, true
}

func (t thin) WithAttrs(attrs []slog.Attr) slog.Handler {
	return thin{t.Handler.WithAttrs(attrs), t.seen}
}

func (t thin) WithGroup(name string) slog.Handler { return thin{t.Handler.WithGroup(name), t.seen} }
