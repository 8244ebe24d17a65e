package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	tryTimeout = 10 * time.Second // one try, from dialing to the last byte of the answer
	maxBody    = 8 << 20          // bytes of an answer
)

// An Effect says what a call does to the vendor's data. It decides whether the
// call is tried again and what a lost answer means, because the HTTP method
// does not tell (HighLevel searches by POST).
type Effect int

const (
	// Read changes nothing: tried again, and a failure is Unavailable.
	Read Effect = iota
	// Idempotent has the same effect when it runs twice (PUT, DELETE, adding to
	// a set): tried again, and a failure is Unavailable, for the caller may simply repeat it.
	Idempotent
	// Once must not run twice (a create): never tried again once it may have
	// been sent, and a lost answer is Unclear.
	Once
)

// A Call is one request of a vendor's API.
type Call struct {
	Operation string      // in words, for errors: "get contact"
	Subject   string      // the id it is about; may be empty
	Effect    Effect      //
	Method    string      //
	Path      string      // begins with "/", its parts already escaped (see PathID)
	Query     url.Values  // never shown in an error: it may hold personal data
	Header    http.Header // sent in addition to the transport's, and in place of the same there
	Body      any         // sent as JSON, but url.Values as a form; nil sends no body
	Out       any         // receives the JSON of a success, a *json.RawMessage also nil for an empty body; nil ignores the body
	NoContent bool        // a success is a 204: another one is not the API's own
	Priority  Priority    // how it stands in line where the API is rationed
	// Authorization is this call's own header; "" = TransportConfig.Authorize.
	Authorization string
	Secrets       []string // texts of the body that an error must not show, should the vendor echo them
}

// TransportConfig is what a vendor's client knows about its API.
type TransportConfig struct {
	API     string // for errors: "HighLevel"
	BaseURL string // without a trailing slash; a path in it is kept
	// Authorize returns the value of the Authorization header. It is asked once
	// a call with refused "", and once more with the value that was answered by
	// Unauthorized: where it then returns another one, the call is sent again.
	// nil sends the calls without one.
	Authorize func(ctx context.Context, refused string) (string, error)
	Header    http.Header // sent with every call
	// Explain completes an Error from the vendor's own answer: Message, TraceID,
	// Todo, and the Reason where the status alone misleads.
	Explain func(e *Error, call Call, body []byte)
	// Limit reads from a 429's header how long to wait where it has no
	// Retry-After, and in words why; nil or 0 = not said.
	Limit func(h http.Header, now time.Time) (wait time.Duration, why string)
	// Admit is asked before each try. It returns when the try may be sent; its
	// error ends the call, unsent. It may keep a try waiting for some seconds,
	// which count towards the try's 10. nil = nothing is rationed.
	Admit func(ctx context.Context, priority Priority) error
	// Permit is asked before each try of a call that is not a Read, after Admit; its
	// error ends the call, unsent. nil = all are permitted.
	Permit func(ctx context.Context) error
	// Observe is called with every answer; it may be nil.
	Observe func(ctx context.Context, status int, h http.Header)
	// Ended is called at the end of each call with whether the vendor failed (no
	// answer, or a 5xx) or gave any other answer; it may be nil. It is not called
	// for calls that show neither: those that were not sent, or were canceled.
	Ended func(failed bool)
	// Succeeded is called at the end of each call that succeeded; it may be nil.
	Succeeded func()
	// RetryWait is the pause before the nth retry (1, 2); nil = about 0.3 s, then 1 s.
	RetryWait func(retry int) time.Duration
	HTTP      *http.Client // its transport, jar and time-out are used; nil = a pool of our own
	Now       func() time.Time
}

// Transport carries JSON calls to one vendor's API. It retries briefly (at
// most twice, never for long: a long wait is returned as RetryAfter, and
// snoozing is the caller's), limits time and size of every answer, follows no
// redirect to another host, and turns each failure into an *Error.
// It is safe for concurrent use.
type Transport struct {
	cfg  TransportConfig
	base *url.URL
	err  error // what is wrong with the base URL
	http *http.Client

	pretend func(context.Context, Call) error // answers calls that are no reads in place of the vendor; nil = all are sent
}

// NewTransport returns a transport. A bad base URL is reported by the first call.
func NewTransport(cfg TransportConfig) *Transport {
	t := &Transport{cfg: cfg}
	if t.cfg.Now == nil {
		t.cfg.Now = time.Now
	}
	if t.cfg.RetryWait == nil {
		t.cfg.RetryWait = retryWait
	}
	t.base, t.err = parseBase(cfg.BaseURL)
	t.http = &http.Client{Timeout: tryTimeout}
	var next http.RoundTripper
	if cfg.HTTP != nil {
		*t.http = *cfg.HTTP
		next = cfg.HTTP.Transport
		if t.http.Timeout == 0 || t.http.Timeout > tryTimeout {
			t.http.Timeout = tryTimeout
		}
	}
	if next == nil {
		next = Pool()
	}
	t.http.Transport = wholeAnswer{next}
	t.http.CheckRedirect = sameHostOnly
	return t
}

func parseBase(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	switch {
	case err != nil:
		return nil, errors.New("the base URL cannot be parsed")
	case (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the base URL must look like https://host or https://host/path")
	}
	return u, nil
}

// Pool is a connection pool: at most 32 connections to a host, idle ones kept for 90 s.
func Pool() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxConnsPerHost:       32,
		MaxIdleConns:          32,
		MaxIdleConnsPerHost:   32,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

// sameHostOnly lets a read follow a redirect within the same scheme and host,
// and hands every other redirect back as the answer: the token must not
// travel, and a repeated write would be a second write.
func sameHostOnly(req *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet || len(via) > 3 ||
		req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

// Do carries out one call. Every error is an *Error; when ctx ended first it
// also is ctx's error (errors.Is).
func (t *Transport) Do(ctx context.Context, call Call) error {
	if t.pretend != nil && call.Effect != Read && ctx.Err() == nil {
		return t.pretend(ctx, call)
	}
	h := t.hear(call)
	err := t.do(ctx, call, h)
	t.note(ctx, h, err)
	if err == nil && t.cfg.Succeeded != nil {
		t.cfg.Succeeded()
	}
	if t.cfg.Ended != nil {
		if failed, said := vendorFailed(err); said {
			t.cfg.Ended(failed)
		}
	}
	return err
}

// vendorFailed reports whether a call's end says that the vendor fails; said is
// false if it says nothing of the vendor.
func vendorFailed(err error) (failed, said bool) {
	e, ok := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return false, true
	case !ok, e.unsent, errors.Is(err, context.Canceled):
		return false, false
	case e.Reason == Unavailable, e.Reason == Unclear:
		return true, true
	}
	return false, e.Status != 0
}

func (t *Transport) do(ctx context.Context, call Call, h *Heard) error {
	if t.err != nil {
		return t.fail(call, Invalid, t.err)
	}
	authorize := t.cfg.Authorize
	if call.Authorization != "" || authorize == nil {
		authorize = func(context.Context, string) (string, error) { return call.Authorization, nil }
	}
	auth, err := authorize(ctx, "")
	if err != nil {
		return t.refused(call, err)
	}
	failed := t.send(ctx, call, auth, h)
	if failed != nil && failed.Reason == Unauthorized && ctx.Err() == nil {
		switch renewed, err := authorize(ctx, auth); {
		case err != nil:
			return t.refused(call, err)
		case renewed != auth:
			failed = t.send(ctx, call, renewed, h) // nothing was done: even a create may be sent again
		}
	}
	if failed == nil {
		return nil // not a nil *Error in an error
	}
	return failed
}

// send carries out one call with one token.
func (t *Transport) send(ctx context.Context, call Call, auth string, h *Heard) *Error {
	req, err := t.request(ctx, call, auth)
	if err != nil {
		return t.fail(call, Invalid, err)
	}
	sent := &sending{}
	gated := *t.http
	gated.Transport = gate{t, call, t.http.Transport, h}
	req = req.WithContext(sent.watch(ctx))
	client := retryablehttp.Client{
		HTTPClient:   &gated,
		RetryMax:     maxRetries,
		CheckRetry:   t.checkRetry(ctx, call, sent),
		Backoff:      t.backoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	res, err := client.Do(req)
	if err != nil {
		return t.lost(ctx, call, sent, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body) // from memory: see wholeAnswer
	if err != nil {
		return t.lost(ctx, call, sent, err)
	}
	asked, _ := req.BodyBytes() // from memory too
	h.said(res.StatusCode, asked, body)
	if res.StatusCode < 200 || res.StatusCode > 299 {
		failed := t.answered(call, res, body, auth)
		failed.Again = sent.again.Load()
		return failed
	}
	if call.NoContent && res.StatusCode != http.StatusNoContent {
		e := t.fail(call, Unavailable, errors.New("an answer without content was expected"))
		e.Status = res.StatusCode
		e.NotTheAPI(call)
		return e
	}
	if call.Out == nil {
		return nil
	}
	if raw, ok := call.Out.(*json.RawMessage); ok && len(bytes.TrimSpace(body)) == 0 {
		*raw = nil
		return nil
	}
	if err := json.Unmarshal(body, call.Out); err != nil {
		reason := Unavailable
		if call.Effect == Once {
			reason = Unclear
		}
		e := t.fail(call, reason, errors.New("the answer is not the JSON that was expected"))
		e.Status = res.StatusCode
		return e
	}
	return nil
}

func (t *Transport) request(ctx context.Context, call Call, auth string) (*retryablehttp.Request, error) {
	u, err := url.Parse(t.base.String() + call.Path)
	if err != nil {
		return nil, errors.New("the path cannot be parsed")
	}
	u.RawQuery = call.Query.Encode()
	var body any // an untyped nil, or retryablehttp takes it for a body
	kind := "application/json"
	if form, ok := call.Body.(url.Values); ok {
		body, kind = []byte(form.Encode()), "application/x-www-form-urlencoded"
	} else if call.Body != nil {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(call.Body); err != nil {
			return nil, fmt.Errorf("the body cannot be encoded: %w", err)
		}
		body = bytes.TrimSpace(buf.Bytes())
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, call.Method, u.String(), body)
	if err != nil {
		return nil, errors.New("the request cannot be made")
	}
	maps.Copy(req.Header, t.cfg.Header)
	maps.Copy(req.Header, call.Header)
	req.Header.Set("Accept", "application/json")
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	return req, nil
}

// PathID returns id escaped for use as one part of a path. It refuses what
// could lead to another path: empty, ".", "..", slashes, control characters, more than 128 bytes.
func PathID(id string) (string, error) {
	switch {
	case id == "":
		return "", errors.New("the id is empty")
	case id == "." || id == "..":
		return "", errors.New("the id is a path, not an id")
	case len(id) > 128:
		return "", errors.New("the id is longer than 128 bytes")
	case strings.ContainsFunc(id, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '/' || r == '\\' }):
		return "", errors.New("the id holds a slash or a control character")
	}
	return url.PathEscape(id), nil
}

// Path joins a format such as "/contacts/%s/tags" with ids, each made safe by
// PathID. The error is an *Error of Reason Invalid.
func (t *Transport) Path(call Call, format string, ids ...string) (string, error) {
	parts := make([]any, len(ids))
	for i, id := range ids {
		part, err := PathID(id)
		if err != nil {
			call.Subject = ""
			return "", t.fail(call, Invalid, err)
		}
		parts[i] = part
	}
	return fmt.Sprintf(format, parts...), nil
}
