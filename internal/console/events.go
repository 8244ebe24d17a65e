package console

import (
	"fmt"
	"net/http"
	"time"
)

const (
	mostStreams  = 20               // at once; a page without a stream is reloaded by its reader
	lookEvery    = 5 * time.Second  // for what is new
	streamLength = 10 * time.Minute // then the browser asks again, with its session
)

// events tells a page that something is new. What, it asks for itself, so that
// nothing personal goes through a stream.
func (c *Console) events(w http.ResponseWriter, r *http.Request) {
	select {
	case c.streams <- struct{}{}:
		defer func() { <-c.streams }()
	default:
		RetryAfter(w, time.Minute)
		http.Error(w, "too many pages are watching", http.StatusServiceUnavailable)
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // those of the server are for short answers; without them, the stream ends early
	_ = control.SetWriteDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold it back
	if _, err := fmt.Fprint(w, "retry: 5000\n\n"); err != nil || control.Flush() != nil {
		return
	}
	end := time.NewTimer(streamLength)
	defer end.Stop()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	last := ""
	for {
		newest, err := c.Desk.Store.Deliveries(r.Context(), 0, 1)
		if err != nil {
			return // the browser asks again
		}
		owed, err := c.Desk.Store.Backlog(r.Context())
		if err != nil {
			return
		}
		id := int64(0)
		if len(newest) > 0 {
			id = newest[0].ID
		}
		if now := fmt.Sprintf("data: {\"newest\":%d,\"owed\":%d}\n\n", id, owed); now != last {
			last = now
			if _, err := fmt.Fprint(w, now); err != nil || control.Flush() != nil {
				return
			}
		} else if _, err := fmt.Fprint(w, ":\n\n"); err != nil || control.Flush() != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-end.C:
			return
		case <-c.Closing:
			return
		case <-r.Context().Done():
			return
		}
	}
}
