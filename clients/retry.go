package clients

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	maxRetries = 2
	// longestWait is the longest Retry-After for which a call waits; a worker must not
	// sleep longer. go-retryablehttp itself waits as long as a server asks (its issues #247
	// and #295).
	longestWait = 3 * time.Second
	// retryUntil is how long after the begin of a call a retry may begin. So a call ends
	// within 25 s even if every try times out.
	retryUntil = 15 * time.Second
	// longestRetryAfter limits a vendor's Retry-After.
	longestRetryAfter = 24 * time.Hour
)

// retryWait returns about 0.3 s and 1 s, each ± 25 %, so that workers that failed together
// do not return together.
func retryWait(retry int) time.Duration {
	wait := 300 * time.Millisecond
	if retry > 1 {
		wait = time.Second
	}
	return wait*3/4 + rand.N(wait/2)
}

// sending notes whether a connection was obtained, because before that nothing is sent.
type sending struct{ asked, connected, again atomic.Bool }

func (s *sending) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { s.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { s.connected.Store(true) },
	})
}

// nothing reports whether certainly no byte of the call was sent. A transport that does not
// support tracing proves nothing, so its calls count as sent.
func (s *sending) nothing() bool { return s.asked.Load() && !s.connected.Load() }

// checkRetry decides after each try whether to retry. It never returns its own error.
func (t *Transport) checkRetry(ctx context.Context, call Call, sent *sending) retryablehttp.CheckRetry {
	began := t.cfg.Now()
	return func(_ context.Context, res *http.Response, err error) (bool, error) {
		if ctx.Err() != nil || t.cfg.Now().Sub(began) > retryUntil {
			return false, nil //nolint:nilerr // keeps the call's error
		}
		if err != nil {
			if _, refused := errors.AsType[notAdmitted](err); refused || errors.Is(err, errTooLarge) {
				return false, nil
			}
			sent.again.Store(!sent.nothing())
			return call.Effect != Once || sent.nothing(), nil
		}
		if call.Effect == Once || !passing(res.StatusCode) {
			return false, nil
		}
		if t.retryAfter(res) > longestWait {
			return false, nil
		}
		sent.again.Store(sent.again.Load() || res.StatusCode != http.StatusTooManyRequests)
		return true, nil
	}
}

// passing reports whether a status is likely to change soon.
func passing(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusRequestTimeout ||
		(status >= 500 && status != http.StatusNotImplemented)
}

func (t *Transport) backoff(_, _ time.Duration, attempt int, res *http.Response) time.Duration {
	if res != nil {
		if wait := t.retryAfter(res); wait > 0 {
			return min(wait, longestWait)
		}
	}
	return t.cfg.RetryWait(attempt + 1)
}

// retryAfter returns how long the server asks to wait; 0 if it does not say.
func (t *Transport) retryAfter(res *http.Response) time.Duration {
	if !passing(res.StatusCode) {
		return 0
	}
	now := t.cfg.Now()
	if wait, ok := ParseRetryAfter(res.Header.Get("Retry-After"), now); ok {
		return wait
	}
	if res.StatusCode == http.StatusTooManyRequests && t.cfg.Limit != nil {
		wait, _ := t.cfg.Limit(res.Header, now)
		return wait
	}
	return 0
}

// ParseRetryAfter reads a Retry-After header, in seconds or as an HTTP date. The wait is 0
// for a time that has passed, and at most 24 hours; ok is false if the header is missing or
// unreadable.
func ParseRetryAfter(value string, now time.Time) (wait time.Duration, ok bool) {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0, false
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(longestRetryAfter/time.Second) {
			return longestRetryAfter, true // a number that is too large is still a number
		}
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), longestRetryAfter), true
}
