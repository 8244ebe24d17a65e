// Package clients holds what the API clients of both vendors share: one error type, and the
// HTTP transport with its retry rules.
//
// Guarantees: every error says what was tried, why it failed and what a person can do. A
// call that is not safe to repeat is repeated only if nothing was sent.
//
// The package knows nothing about the store.
package clients

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Reason says why a call failed. Callers branch on it.
type Reason string

// Every failed call has exactly one of these reasons.
const (
	// NotFound: the vendor itself says that the record does not exist. HighLevel does so
	// with 400 "Contact with id … not found" as well as with 404. A 404 of a gateway or of
	// an unknown route is Unavailable.
	NotFound Reason = "not_found"
	// Unauthorized: the token is missing, wrong or expired (401).
	Unauthorized Reason = "unauthorized"
	// Forbidden: the token is valid but may not do this (401 or 403), because of its scope,
	// tenant or class, or a missing Version header. It also means that the vendor rejects
	// the app's own client id and secret. A new token does not help.
	Forbidden Reason = "forbidden"
	// Inactive: the location is paused or unpaid at HighLevel. Its grant is valid again
	// when the location is active, so keep it and retry later.
	Inactive Reason = "inactive"
	// Invalid: the vendor itself rejects the content of the request (400, 409, 413, 422).
	// The same request will never succeed. An answer that is not the vendor's own, or that
	// is not about the content (a redirect, 405), is Unavailable.
	Invalid Reason = "invalid"
	// RateLimited: too many requests (429); RetryAfter says how long to wait.
	RateLimited Reason = "rate_limited"
	// Unavailable: the call may succeed later, and repeating it does no harm. No connection
	// was made, or the call was a read, or a write with the same effect when it runs twice.
	// See Error.Foreign for wrong settings.
	Unavailable Reason = "unavailable"
	// Unclear: the vendor may have carried out the request, but its answer is lost or
	// unusable: a time-out, a reset, a 5xx, or an unreadable answer to a write.
	Unclear Reason = "unclear"
)

// Error is a failed call to a vendor's API. It never holds a token, and its text never
// contains a request body.
type Error struct {
	API        string        // "HighLevel" or "CalendarHero"
	Operation  string        // what was tried, in words, such as "get contact"
	Subject    string        // the id of the record; may be empty
	Status     int           // HTTP status; 0 = no answer
	Reason     Reason        // for callers to branch on
	Message    string        // the vendor's words, shortened
	TraceID    string        // HighLevel's traceId, for its support; may be empty
	Todo       string        // what a person can do; may be empty
	Foreign    bool          // the answer is from a gateway, a proxy or a wrong host; see NotTheAPI
	Again      bool          // an earlier try of the same call may have been carried out
	RetryAfter time.Duration // wait before the next try, at most 24 h; 0 = not stated
	Err        error         // the cause, such as a network error; may be nil
	unsent     bool          // the cause is not the vendor's but, for example, the database's
}

// Error returns, for example, "HighLevel: get contact abc: 401: Invalid JWT (trace …): make
// a new token".
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.API, e.Operation)
	if e.Subject != "" {
		fmt.Fprintf(&b, " %s", e.Subject)
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, ": %d", e.Status)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", e.Message)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.TraceID != "" {
		fmt.Fprintf(&b, " (trace %s)", e.TraceID)
	}
	if e.Todo != "" {
		fmt.Fprintf(&b, ": %s", e.Todo)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// TimedOut reports whether no answer came in time, including a gateway's 504 and a 408. The
// vendor may still be working on the request.
func (e *Error) TimedOut() bool {
	if e.Status == http.StatusGatewayTimeout || e.Status == http.StatusRequestTimeout {
		return true
	}
	timeout, ok := errors.AsType[net.Error](e.Err)
	return ok && timeout.Timeout()
}

// ReasonOf returns the Reason of err, or "" if err is not an Error.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}
