package clients

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// fail is an Error about a call that has no answer to show.
func (t *Transport) fail(call Call, reason Reason, cause error) *Error {
	return &Error{API: t.cfg.API, Operation: call.Operation, Subject: call.Subject, Reason: reason, Err: cause}
}

// refused is a call that was not sent for want of a token or of its turn.
func (t *Transport) refused(call Call, cause error) *Error {
	if e, ok := errors.AsType[*Error](cause); ok {
		own := *e // e.g. a token refresh that failed: keep its reason, name this call
		own.Operation, own.Subject = call.Operation, call.Subject
		if e.Operation != "" {
			own.Operation += ": " + e.Operation
		}
		return &own
	}
	own := t.fail(call, Unavailable, cause) // e.g. the database that keeps them
	own.unsent = true
	return own
}

// lost is a call without an answer.
func (t *Transport) lost(ctx context.Context, call Call, sent *sending, cause error) *Error {
	if refused, ok := errors.AsType[notAdmitted](cause); ok {
		return t.refused(call, refused.error)
	}
	reason := Unavailable
	if call.Effect == Once && !sent.nothing() {
		reason = Unclear
	}
	// A url.Error shows the whole URL, and a query may hold an e-mail address.
	if e, ok := errors.AsType[*url.Error](cause); ok {
		cause = e.Err
	}
	if err := ctx.Err(); err != nil && !errors.Is(cause, err) {
		cause = errors.Join(err, cause)
	}
	e := t.fail(call, reason, cause)
	if e.TimedOut() {
		e.Message = "no answer came in time"
	}
	if sent.nothing() && ctx.Err() == nil {
		e.Todo = "no connection could be made: check the base URL and the network"
	}
	return e
}

// answered is a call that was answered with anything but a success.
func (t *Transport) answered(call Call, res *http.Response, body []byte, secret string) *Error {
	e := t.fail(call, reasonOf(res.StatusCode, call.Effect), nil)
	e.Status = res.StatusCode
	if neverAboutARecord(res.StatusCode) {
		e.NotTheAPI(call)
	}
	e.RetryAfter = t.retryAfter(res)
	if e.Reason == RateLimited && t.cfg.Limit != nil {
		_, e.Todo = t.cfg.Limit(res.Header, t.cfg.Now())
	}
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		e.Message = "redirected elsewhere"
	}
	if t.cfg.Explain != nil {
		t.cfg.Explain(e, call, body)
	}
	_, token, found := strings.Cut(secret, " ")
	if !found {
		token = secret
	}
	secrets := append([]string{token}, call.Secrets...)
	e.Message, e.TraceID = plain(e.Message, secrets, 300), plain(e.TraceID, secrets, 64)
	return e
}

// reasonOf maps a status that is no success.
func reasonOf(status int, effect Effect) Reason {
	switch {
	case status == http.StatusUnauthorized:
		return Unauthorized
	case status == http.StatusForbidden:
		return Forbidden
	case status == http.StatusNotFound:
		return NotFound
	case status == http.StatusTooManyRequests:
		return RateLimited
	case status < 500 && status != http.StatusRequestTimeout:
		return Invalid
	case effect == Once:
		return Unclear
	default:
		return Unavailable
	}
}

// neverAboutARecord reports whether a status below 500 says nothing about the
// record or the request's content, whoever answers it: a redirect, a method or a
// media type that is not accepted. It comes from a wrong base URL, or from a
// gateway or proxy during an outage.
func neverAboutARecord(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout,
		http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusTooManyRequests:
		return false
	}
	return status < 500
}

// NotTheAPI marks the failure as answered by something other than the API: a
// gateway, a proxy or a wrong host. Such an answer proves nothing about the
// request or the record, so nothing may be concluded from it.
func (e *Error) NotTheAPI(call Call) {
	e.Foreign, e.Reason = true, Unavailable
	if call.Effect == Once {
		e.Reason = Unclear
	}
	e.Todo = "this is not an answer of " + e.API + "'s API; if it continues, check the base URL"
}

// Generic reports whether an error's message only repeats a status in words,
// such as "Not Found", as gateways do.
func Generic(message string) bool {
	message = strings.ToLower(strings.Trim(message, " .!"))
	for status := 300; status < 600; status++ {
		if text := http.StatusText(status); text != "" && strings.ToLower(text) == message {
			return true
		}
	}
	return message == "" || message == "error" || message == "unknown"
}

// plain makes a vendor's text fit for one line of a log: no control
// characters, none of the secrets it might echo, no e-mail address or telephone
// number, at most n runes.
func plain(s string, secrets []string, n int) string {
	for _, secret := range secrets {
		if len(secret) >= 4 {
			s = strings.ReplaceAll(s, secret, "[token]")
		}
	}
	s = impersonal(s)
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }), " ")
	if r := []rune(s); len(r) > n {
		s = string(r[:n]) + "…"
	}
	return s
}

var (
	address = regexp.MustCompile(`[^\s@<>"'(),;:=]+(@|%40)[^\s@<>"'(),;:=]+\.[\pL\d-]+`)
	// number is what may be a telephone number, with what touches it: an id, a
	// date or a time is no number of its own.
	number = regexp.MustCompile(`[\pL\d_-]*\+?\(?\d[\d ().-]{5,}\d[\pL\d_:-]*`)
	dated  = regexp.MustCompile(`^\d{4}-\d\d-\d\d`)
)

// impersonal masks e-mail addresses and telephone numbers, and keeps ids.
func impersonal(s string) string {
	s = address.ReplaceAllString(s, "[e-mail]")
	return number.ReplaceAllStringFunc(s, func(found string) string {
		digits := 0
		for _, r := range found {
			switch {
			case unicode.IsDigit(r):
				digits++
			case unicode.IsLetter(r) || r == '_' || r == ':':
				return found
			}
		}
		if digits < 7 || digits > 15 || dated.MatchString(found) {
			return found
		}
		return "[number]"
	})
}
