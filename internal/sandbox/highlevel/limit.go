package highlevel

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

const limitInterval = 10 * time.Second

// limiter counts requests of each location in windows of 10 s and of a day, as
// HighLevel does per app and resource. Its map has one entry a location.
type limiter struct {
	max, daily int
	sliding    bool // else a window begins with the first request after the one before

	mu      sync.Mutex
	windows map[string]*window
}

type window struct {
	start, day     time.Time
	used, usedADay int
	within         []time.Time // when sliding: the requests of the last 10 s, at most max
}

// allow counts a request, writes the rate-limit headers, and tells whether it is within both limits.
func (l *limiter) allow(header http.Header, location string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.windows == nil {
		l.windows = map[string]*window{}
	}
	w := l.windows[location]
	if w == nil {
		w = &window{}
		l.windows[location] = w
	}
	if l.sliding {
		w.within = slices.DeleteFunc(w.within, func(at time.Time) bool { return now.Sub(at) >= limitInterval })
		w.used = len(w.within)
	} else if !now.Before(w.start.Add(limitInterval)) {
		w.start, w.used = now, 0
	}
	if day := now.UTC().Truncate(24 * time.Hour); !day.Equal(w.day) {
		w.day, w.usedADay = day, 0
	}
	ok := w.used < l.max && w.usedADay < l.daily
	if ok {
		w.used++
		w.usedADay++
		if l.sliding {
			w.within = append(w.within, now)
		}
	}
	header.Set("X-RateLimit-Limit-Daily", strconv.Itoa(l.daily))
	header.Set("X-RateLimit-Daily-Remaining", strconv.Itoa(l.daily-w.usedADay))
	header.Set("X-RateLimit-Interval-Milliseconds", strconv.FormatInt(limitInterval.Milliseconds(), 10))
	header.Set("X-RateLimit-Max", strconv.Itoa(l.max))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(l.max-w.used))
	return ok
}
