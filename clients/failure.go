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

// fail returns an Error for a call without an answer.
func (t *Transport) fail(call Call, reason Reason, cause error) *Error {
	return &Error{API: t.cfg.API, Operation: call.Operation, Subject: call.Subject, Reason: reason, Err: cause}
}

// refused returns the Error of a call that was not sent, because it got no token or no
// permission.
func (t *Transport) refused(call Call, cause error) *Error {
	if e, ok := errors.AsType[*Error](cause); ok {
		own := *e // such as a failed token refresh: keep its reason, but name this call
		own.Operation, own.Subject = call.Operation, call.Subject
		if e.Operation != "" {
			own.Operation += ": " + e.Operation
		}
		return &own
	}
	own := t.fail(call, Unavailable, cause) // such as the database that keeps the tokens
	own.unsent = true
	return own
}

// lost returns the Error of a call whose answer did not arrive.
func (t *Transport) lost(ctx context.Context, call Call, sent *sending, cause error) *Error {
	if refused, ok := errors.AsType[notAdmitted](cause); ok {
		return t.refused(call, refused.error)
	}
	reason := Unavailable
	if call.Effect == Once && !sent.nothing() {
		reason = Unclear
	}
	// Unwrap it: a url.Error shows the whole URL, and a query may hold an e-mail address.
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

// answered returns the Error of a call that was answered without success.
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

// reasonOf returns the Reason of an unsuccessful status.
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

// neverAboutARecord reports whether a status below 500 can never be about the record or the
// request's content: a redirect, or a rejected method or media type. Such an answer comes
// from a wrong base URL, or from a gateway or proxy during an outage.
func neverAboutARecord(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout,
		http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusTooManyRequests:
		return false
	}
	return status < 500
}

// NotTheAPI marks the answer as one of a gateway, a proxy or a wrong host. Such an answer
// proves nothing about the request or the record.
func (e *Error) NotTheAPI(call Call) {
	e.Foreign, e.Reason = true, Unavailable
	if call.Effect == Once {
		e.Reason = Unclear
	}
	e.Todo = "this is not an answer of " + e.API + "'s API; if it continues, check the base URL"
}

// Generic reports whether a message only repeats the words of a status, such as "Not
// Found". Gateways send such messages.
func Generic(message string) bool {
	message = strings.ToLower(strings.Trim(message, " .!"))
	for status := 300; status < 600; status++ {
		if text := http.StatusText(status); text != "" && strings.ToLower(text) == message {
			return true
		}
	}
	return message == "" || message == "error" || message == "unknown"
}

// plain makes a vendor's text safe for one line of a log: at most n runes, without control
// characters, the given secrets, e-mail addresses or telephone numbers.
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
	// number matches a possible telephone number with the characters next to it, because
	// they show whether it is part of an id, a date or a time.
	number = regexp.MustCompile(`[\pL\d_-]*\+?\(?\d[\d ().-]{5,}\d[\pL\d_:-]*`)
	dated  = regexp.MustCompile(`^\d{4}-\d\d-\d\d`)
)

// impersonal masks e-mail addresses and telephone numbers, but keeps ids.
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
