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
	tryTimeout = 10 * time.Second // for one try, from dialing to the last byte of the answer
	maxBody    = 8 << 20          // bytes of an answer
)

// Effect says what a call does to the vendor's data. It decides whether the call is retried
// and what a lost answer means. The HTTP method cannot decide that, because HighLevel
// searches by POST.
type Effect int

const (
	// Read changes nothing. It is retried, and a failure is Unavailable.
	Read Effect = iota
	// Idempotent has the same effect when it runs twice (PUT, DELETE, adding to a set). It
	// is retried, and a failure is Unavailable, because the caller may simply repeat it.
	Idempotent
	// Once must not run twice (a create). It is not retried after it may have been sent,
	// and a lost answer is Unclear.
	Once
)

// Call is one request to a vendor's API.
type Call struct {
	Operation string      // in words, for errors, such as "get contact"
	Subject   string      // the id of the record; may be empty
	Effect    Effect      //
	Method    string      //
	Path      string      // begins with "/"; its parts are escaped (see PathID)
	Query     url.Values  // never shown in an error: it may hold personal data
	Header    http.Header // added to the transport's headers; replaces equal names
	Body      any         // sent as JSON, or as a form if it is url.Values; nil = no body
	Out       any         // receives the JSON of a success; a *json.RawMessage becomes nil for an empty body; nil = ignore the body
	NoContent bool        // a success is a 204; any other comes from a gateway
	Priority  Priority    // its priority if the API is rationed
	// Authorization is this call's own header value; "" = TransportConfig.Authorize.
	Authorization string
	Secrets       []string // texts of the body that an error must not show, even if the vendor echoes them
}

// TransportConfig is what a vendor's client knows about its API.
type TransportConfig struct {
	API     string // name in errors, such as "HighLevel"
	BaseURL string // without a trailing slash; may contain a path
	// Authorize returns the value of the Authorization header. Each call asks once with
	// refused "". After Unauthorized it asks once more with the rejected value. If
	// Authorize then returns another value, the call is sent again. nil = calls without the
	// header.
	Authorize func(ctx context.Context, refused string) (string, error)
	Header    http.Header // sent with every call
	// Explain completes an Error from the vendor's own answer: Message, TraceID, Todo, and
	// the Reason if the status alone misleads.
	Explain func(e *Error, call Call, body []byte)
	// Limit reads from a 429's header how long to wait if it has no Retry-After, and why,
	// in words. nil or 0 = not stated.
	Limit func(h http.Header, now time.Time) (wait time.Duration, why string)
	// Admit is called before each try. It returns when the try may be sent; its error ends
	// the call unsent. It may wait for some seconds, which count towards the try's 10. nil
	// = calls are not rationed.
	Admit func(ctx context.Context, priority Priority) error
	// Permit is called before each try of a call that is not a Read, after Admit; its error
	// ends the call unsent. nil = all are permitted.
	Permit func(ctx context.Context) error
	// Observe is called with every answer; it may be nil.
	Observe func(ctx context.Context, status int, h http.Header)
	// Ended is called at the end of each call. failed means that the vendor failed (no
	// answer, or a 5xx). It is not called for calls that say nothing about the vendor:
	// those that were not sent, or were canceled. It may be nil.
	Ended func(failed bool)
	// Succeeded is called after each successful call; it may be nil.
	Succeeded func()
	// RetryWait is the pause before the nth retry (1, 2); nil = about 0.3 s, then 1 s.
	RetryWait func(retry int) time.Duration
	HTTP      *http.Client // its transport, jar and time-out are used; nil = its own pool
	Now       func() time.Time
}

// Transport makes JSON calls to one vendor's API. It retries at most twice and only after
// short waits; a longer wait is returned as RetryAfter for the caller to snooze. It limits
// the time and size of every answer, follows no redirect to another host, and turns each
// failure into an *Error. It is safe for concurrent use.
type Transport struct {
	cfg  TransportConfig
	base *url.URL
	err  error // set if the base URL is wrong
	http *http.Client

	pretend func(context.Context, Call) error // answers calls that are not reads instead of the vendor; nil = all are sent
}

// NewTransport returns a transport. The first call reports a wrong base URL.
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
		return nil, errors.New("cannot parse the base URL")
	case (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the base URL must look like https://host or https://host/path")
	}
	return u, nil
}

// Pool returns a connection pool with at most 32 connections to a host, which closes idle
// ones after 90 s.
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

// sameHostOnly lets a read follow a redirect to the same scheme and host, and returns every
// other redirect as the answer. The token must not go to another host, and repeating a
// write would be a second write.
func sameHostOnly(req *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet || len(via) > 3 ||
		req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

// Do makes one call. Every error is an *Error. If ctx ended first, the error also matches
// ctx's error (errors.Is).
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

// vendorFailed reports whether the end of a call shows that the vendor fails; said is false
// if it shows nothing about the vendor.
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
		return nil // an untyped nil, because a nil *Error would be a non-nil error
	}
	return failed
}

// send makes one call with one token.
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
	body, err := io.ReadAll(res.Body) // reads from memory: see wholeAnswer
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
		return nil, errors.New("cannot parse the path")
	}
	u.RawQuery = call.Query.Encode()
	var body any // must be an untyped nil, because retryablehttp treats a typed one as a body
	kind := "application/json"
	if form, ok := call.Body.(url.Values); ok {
		body, kind = []byte(form.Encode()), "application/x-www-form-urlencoded"
	} else if call.Body != nil {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(call.Body); err != nil {
			return nil, fmt.Errorf("cannot encode the body: %w", err)
		}
		body = bytes.TrimSpace(buf.Bytes())
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, call.Method, u.String(), body)
	if err != nil {
		return nil, errors.New("cannot create the request")
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

// PathID escapes an id for use as one part of a path. It rejects ids that could lead to
// another path: empty, ".", "..", with slashes or control characters, or longer than 128
// bytes.
func PathID(id string) (string, error) {
	switch {
	case id == "":
		return "", errors.New("the id is empty")
	case id == "." || id == "..":
		return "", errors.New("the id is a path, not an id")
	case len(id) > 128:
		return "", errors.New("the id is longer than 128 bytes")
	case strings.ContainsFunc(id, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '/' || r == '\\' }):
		return "", errors.New("the id contains a slash or a control character")
	}
	return url.PathEscape(id), nil
}

// Path formats a path such as "/contacts/%s/tags" with ids, each escaped by PathID. The
// error is an *Error of Reason Invalid.
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
