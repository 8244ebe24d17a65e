package connection

import (
	"context"
	"sync"
	"time"
)

// noteEvery is how often the time of a lane's last good call is written down.
const noteEvery = time.Minute

// noted are the times that this process last wrote down, by lane.
type noted struct {
	mu sync.Mutex
	at map[string]time.Time
}

// succeeded notes that a call for a lane succeeded, at most once a minute.
func (r *Registry) succeeded(lane string) func() {
	return func() {
		now := r.Now()
		r.noted.mu.Lock()
		last := r.noted.at[lane]
		due := now.Sub(last) >= noteEvery || now.Before(last)
		if due {
			if r.noted.at == nil {
				r.noted.at = map[string]time.Time{}
			}
			r.noted.at[lane] = now
		}
		r.noted.mu.Unlock()
		if !due {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := r.Store.NoteCall(ctx, lane, now); err != nil {
			r.Logger.Warn().Err(err).Msg("could not note the time of a call; the console shows an older one")
		}
	}
}
