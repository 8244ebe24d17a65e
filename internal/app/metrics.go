package app

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/internal/metrics"
	"milepost/internal/operate"
	"milepost/internal/store"
)

// measured has the calls to both vendors measured and traced.
func measured(cfg Config, logger zerolog.Logger) *http.Client {
	client := &http.Client{}
	if cfg.HTTP != nil {
		*client = *cfg.HTTP
	}
	next := client.Transport
	if next == nil {
		next = clients.Pool()
	}
	operation := metrics.Operations(map[string]string{"highlevel": cfg.HighLevelBaseURL, "calendarhero": cfg.CalendarHeroBaseURL})
	client.Transport = cfg.metrics.Transport(cfg.tracer.Transport(next, operation, logger), operation)
	return client
}

// stateFor is how long the metrics show the same state: Prometheus and people may ask at
// once.
const stateFor = 10 * time.Second

// stateOf returns what reads how things stand, for the metrics.
func (a *App) stateOf(desk *operate.Desk) func(context.Context) (metrics.State, error) {
	var mu sync.Mutex
	var last metrics.State
	return func(ctx context.Context) (metrics.State, error) {
		mu.Lock()
		defer mu.Unlock()
		now := desk.Now()
		if age := now.Sub(last.Now); 0 <= age && age < stateFor {
			return last, nil
		}
		s, err := a.readState(ctx, desk, now)
		if err == nil {
			last = s
		}
		return s, err
	}
}

func (a *App) readState(ctx context.Context, desk *operate.Desk, now time.Time) (s metrics.State, err error) {
	o, err := desk.Overview(ctx)
	if err != nil {
		return s, err
	}
	s = metrics.State{Owed: o.Owed, Failing: o.Failing, Attention: int64(o.Concerns), Connected: o.Connected, Troubled: o.Troubled, QuotaLeft: -1, Now: now}
	if len(o.Locations) > 0 { // the one with the least left comes first
		if percent, ok := o.Locations[0].Left(now); ok {
			s.QuotaLeft = float64(percent) / 100
		}
	}
	if s.OldestOwed, err = a.store.OldestOpen(ctx); err != nil {
		return s, err
	}
	if a.store.File() != nil { // on PostgreSQL it is of the files that were moved there
		if s.LastBackup, err = a.store.LastBackup(ctx); err != nil {
			return s, err
		}
	}
	list, err := a.store.Connections(ctx)
	if err != nil {
		return s, err
	}
	for _, c := range list {
		if c.State == store.ConnectionRemoved {
			continue
		}
		age, _, ok, err := a.connections.TokenAge(ctx, c)
		if err == nil && ok { // a token that cannot be read is under Attention
			since := now.Add(-age)
			if s.OldestToken.IsZero() || since.Before(s.OldestToken) {
				s.OldestToken = since
			}
		}
	}
	return s, nil
}
