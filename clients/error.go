// Package clients holds what the API clients of both vendors share: one error type
// and the HTTP transport with its retry rules.
//
// Guarantees: every error says what was tried, why it failed and what a person can
// do; a call that is not safe to repeat is repeated only if nothing was sent.
//
// It knows nothing of the store.
package clients

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Reason says why a call failed, in the terms its caller branches on.
type Reason string

// The reasons. Every failed call has exactly one.
const (
	// NotFound: the vendor itself says that the record does not exist. HighLevel
	// says so with 400 "Contact with id … not found" as well as with 404. A 404 of
	// a gateway, or of an unknown route, is Unavailable.
	NotFound Reason = "not_found"
	// Unauthorized: the token is missing, wrong or expired (401).
	Unauthorized Reason = "unauthorized"
	// Forbidden: the token is good but may not do this: scope, wrong tenant,
	// wrong token class, missing Version header (401 or 403); or the app's own
	// client id and secret are refused. Refreshing the token does not heal it.
	Forbidden Reason = "forbidden"
	// Inactive: the location is paused or unpaid at HighLevel. Its grant is
	// good again once the location is active: keep it and try later.
	Inactive Reason = "inactive"
	// Invalid: the vendor itself refuses what the request contains (400, 409, 413,
	// 422); the same request will never succeed. An answer that is not the vendor's
	// own, or that says nothing about the content (a redirect, 405), is Unavailable.
	Invalid Reason = "invalid"
	// RateLimited: too many requests (429); RetryAfter says how long to wait.
	RateLimited Reason = "rate_limited"
	// Unavailable: the call may succeed later and can be repeated without harm:
	// no connection could be made, or it was a read, or a write that has the
	// same effect when it runs twice. See Error.Foreign for wrong settings.
	Unavailable Reason = "unavailable"
	// Unclear: the request may have been carried out, but its answer is lost or
	// unusable: time-out, reset, 5xx, or an unreadable success body of a write.
	Unclear Reason = "unclear"
)

// Error is a failed call of a vendor's API. It never holds a token, and its
// text holds no request body.
type Error struct {
	API        string        // "HighLevel" or "CalendarHero"
	Operation  string        // what was tried, in words: "get contact"
	Subject    string        // the id it was tried on; empty where there is none
	Status     int           // HTTP status; 0 when no answer came
	Reason     Reason        // what the caller branches on
	Message    string        // the vendor's own words, shortened
	TraceID    string        // HighLevel's traceId, for their support; may be empty
	Todo       string        // what a person can do; may be empty
	Foreign    bool          // the answer is not the API's own: a gateway's, a proxy's or a wrong host's; see NotTheAPI
	Again      bool          // an earlier try of the same call may have been carried out
	RetryAfter time.Duration // how long to wait before the next try, at most 24 h; 0 = not said
	Err        error         // the cause below, e.g. a network error; may be nil
	unsent     bool          // for a cause that is not the vendor's, e.g. a database
}

// Error reads "HighLevel: get contact abc: 401: Invalid JWT (trace …): make a new token".
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

// Unwrap returns the cause below.
func (e *Error) Unwrap() error { return e.Err }

// TimedOut reports whether no answer came in time (also as a gateway's 504 or
// a 408): the vendor may still be at work on the request.
func (e *Error) TimedOut() bool {
	if e.Status == http.StatusGatewayTimeout || e.Status == http.StatusRequestTimeout {
		return true
	}
	timeout, ok := errors.AsType[net.Error](e.Err)
	return ok && timeout.Timeout()
}

// ReasonOf returns the Reason of err, or "" when err is no client error.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}
