package clients_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"milepost/clients"
)

const token = "secret-token-0123456789"

// now is a Tuesday noon.
var now = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// setup starts a server, and returns a transport to it and the number of its requests.
func setup(t *testing.T, handler http.HandlerFunc) (*clients.Transport, *atomic.Int32) {
	t.Helper()
	var tries atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tries.Add(1)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	return clients.NewTransport(config(server.URL)), &tries
}

func config(base string) clients.TransportConfig {
	return clients.TransportConfig{
		API: "Vendor", BaseURL: base,
		Authorize: func(context.Context, string) (string, error) { return "Bearer " + token, nil },
		Explain:   func(e *clients.Error, _ clients.Call, body []byte) { e.Message = string(body) },
		Limit:     func(http.Header, time.Time) (time.Duration, string) { return 10 * time.Second, "" },
		RetryWait: func(int) time.Duration { return 0 },
		Now:       func() time.Time { return now },
	}
}

// These are the kinds of calls, each with something that an error must never show.
var (
	get = clients.Call{Operation: "get thing", Subject: "t1", Method: "GET", Path: "/things/t1", Query: url.Values{"search": {"jane@example.com"}}}
	put = clients.Call{Operation: "put thing", Subject: "t1", Method: "PUT", Path: "/things/t1", Effect: clients.Idempotent, Body: map[string]string{"name": "Jane Private"}}
	del = clients.Call{Operation: "delete thing", Subject: "t1", Method: "DELETE", Path: "/things/t1", Effect: clients.Idempotent}
	// post creates; search is a POST that reads.
	post   = clients.Call{Operation: "create thing", Method: "POST", Path: "/things", Effect: clients.Once, Body: map[string]string{"name": "Jane Private"}}
	search = clients.Call{Operation: "search things", Method: "POST", Path: "/things/search", Effect: clients.Read, Body: map[string]string{"q": "Jane Private"}}
)

func mustBePrivate(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{token, "jane@example.com", "jane%40example.com", "Jane Private", "search="} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows %q: %v", secret, err)
		}
	}
}

func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

func halfAnswer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	io.WriteString(w, `{"id":`)
	panic(http.ErrAbortHandler)
}

func TestEveryFailureHasOneReasonAndFewTries(t *testing.T) {
	type outcome struct {
		reason clients.Reason
		tries  int32
	}
	same := func(reason clients.Reason, tries int32) [5]outcome {
		o := outcome{reason, tries}
		return [5]outcome{o, o, o, o, o}
	}
	// A failure that may pass is retried, except for the create, whose effect is then
	// unclear.
	passing := [5]outcome{{clients.Unavailable, 3}, {clients.Unavailable, 3}, {clients.Unavailable, 3}, {clients.Unclear, 1}, {clients.Unavailable, 3}}
	limited := [5]outcome{{clients.RateLimited, 3}, {clients.RateLimited, 3}, {clients.RateLimited, 3}, {clients.RateLimited, 1}, {clients.RateLimited, 3}}

	foreign := [5]outcome{{clients.Unavailable, 1}, {clients.Unavailable, 1}, {clients.Unavailable, 1}, {clients.Unclear, 1}, {clients.Unavailable, 1}}
	for _, tc := range []struct {
		name       string
		handler    http.HandlerFunc
		want       [5]outcome // of get, put, del, post, search
		retryAfter time.Duration
		message    string
	}{
		{name: "400", handler: answer(400, "name is wrong"), want: same(clients.Invalid, 1), message: "name is wrong"},
		{name: "401", handler: answer(401, "bad token "+token), want: same(clients.Unauthorized, 1), message: "bad token [token]"},
		{name: "403", handler: answer(403, ""), want: same(clients.Forbidden, 1)},
		{name: "404", handler: answer(404, ""), want: same(clients.NotFound, 1)},
		{name: "409", handler: answer(409, ""), want: same(clients.Invalid, 1)},
		{name: "405", handler: answer(405, ""), want: foreign},
		{name: "406", handler: answer(406, "<html>"), want: foreign},
		{name: "410", handler: answer(410, ""), want: foreign},
		{name: "415", handler: answer(415, "<html>"), want: foreign},
		{name: "422 with line breaks", handler: answer(422, "a\r\n\x1b[31mb"), want: same(clients.Invalid, 1), message: "a [31mb"},
		{name: "429 by the vendor's own headers", handler: answer(429, ""), want: same(clients.RateLimited, 1), retryAfter: 10 * time.Second},
		{name: "429 that may be retried at once", handler: answer(429, "", "Retry-After", "0"), want: limited},
		{name: "429 with Retry-After in seconds", handler: answer(429, "", "Retry-After", "120"), want: same(clients.RateLimited, 1), retryAfter: 2 * time.Minute},
		{name: "429 with Retry-After as a date", handler: answer(429, "", "Retry-After", "Tue, 01 Dec 2026 12:05:00 GMT"), want: same(clients.RateLimited, 1), retryAfter: 5 * time.Minute},
		{name: "429 with a Retry-After in the past", handler: answer(429, "", "Retry-After", "Tue, 01 Dec 2026 11:00:00 GMT"), want: limited},
		{name: "429 with a huge Retry-After", handler: answer(429, "", "Retry-After", "99999999999999999999"), want: same(clients.RateLimited, 1), retryAfter: 24 * time.Hour},
		{name: "429 with a Retry-After that is none", handler: answer(429, "", "Retry-After", "soon"), want: same(clients.RateLimited, 1), retryAfter: 10 * time.Second},
		{name: "500", handler: answer(500, "oops"), want: passing, message: "oops"},
		{name: "502", handler: answer(502, "<html>"), want: passing},
		{name: "408", handler: answer(408, ""), want: passing},
		{name: "501", handler: answer(501, ""), want: [5]outcome{{clients.Unavailable, 1}, {clients.Unavailable, 1}, {clients.Unavailable, 1}, {clients.Unclear, 1}, {clients.Unavailable, 1}}},
		{
			name: "503 with a long Retry-After", handler: answer(503, "", "Retry-After", "60"), retryAfter: time.Minute,
			want: [5]outcome{{clients.Unavailable, 1}, {clients.Unavailable, 1}, {clients.Unavailable, 1}, {clients.Unclear, 1}, {clients.Unavailable, 1}},
		},
		{name: "a reset connection", handler: reset, want: passing},
		{name: "an answer that breaks off", handler: halfAnswer, want: passing},
		{name: "an answer whose compression is broken", handler: answer(200, "\x1f\x8b\x08\x00broken", "Content-Encoding", "gzip"), want: passing},
		{name: "a redirect to another host", handler: answer(302, "", "Location", "http://192.0.2.1/"), want: foreign, message: ""},
		{
			name: "a success that is no JSON", handler: answer(200, "<html>"),
			want: [5]outcome{{clients.Unavailable, 1}, {clients.Unavailable, 1}, {clients.Unavailable, 1}, {clients.Unclear, 1}, {clients.Unavailable, 1}},
		},
		{
			name: "a success without a body", handler: answer(200, ""),
			want: [5]outcome{{clients.Unavailable, 1}, {clients.Unavailable, 1}, {clients.Unavailable, 1}, {clients.Unclear, 1}, {clients.Unavailable, 1}},
		},
		{
			name: "an answer beyond 8 MiB", handler: func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte(" "), 8<<20+1)) },
			want: [5]outcome{{clients.Unavailable, 1}, {clients.Unavailable, 1}, {clients.Unavailable, 1}, {clients.Unclear, 1}, {clients.Unavailable, 1}},
		},
	} {
		for i, call := range []clients.Call{get, put, del, post, search} {
			t.Run(tc.name+", "+call.Operation, func(t *testing.T) {
				transport, tries := setup(t, tc.handler)
				var out clients.Object
				call.Out = &out
				err := transport.Do(t.Context(), call)
				e, ok := errors.AsType[*clients.Error](err)
				if !ok {
					t.Fatalf("got %v, want a *clients.Error", err)
				}
				if e.Reason != tc.want[i].reason || tries.Load() != tc.want[i].tries {
					t.Errorf("got %s after %d tries, want %s after %d (%v)", e.Reason, tries.Load(), tc.want[i].reason, tc.want[i].tries, err)
				}
				if e.RetryAfter != tc.retryAfter {
					t.Errorf("RetryAfter %v, want %v", e.RetryAfter, tc.retryAfter)
				}
				if tc.message != "" && e.Message != tc.message {
					t.Errorf("message %q, want %q", e.Message, tc.message)
				}
				if e.API != "Vendor" || e.Operation != call.Operation || e.Subject != call.Subject {
					t.Errorf("the error does not say what was tried: %v", err)
				}
				mustBePrivate(t, err)
			})
		}
	}
}

func TestARefusedConnectionSentNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + listener.Addr().String()
	listener.Close()
	for _, call := range []clients.Call{get, put, del, post} {
		err := clients.NewTransport(config(base)).Do(t.Context(), call)
		if clients.ReasonOf(err) != clients.Unavailable {
			t.Errorf("%s: got %v, want unavailable", call.Operation, err)
		}
		mustBePrivate(t, err)
	}
}

func TestAnUnknownHostSentNothing(t *testing.T) {
	err := clients.NewTransport(config("http://nowhere.invalid")).Do(t.Context(), post)
	if clients.ReasonOf(err) != clients.Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}
}

func TestACertificateThatIsNotTrustedSentNothingAndIsNamed(t *testing.T) {
	asked := atomic.Int32{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	err := clients.NewTransport(config(server.URL)).Do(t.Context(), post)
	if clients.ReasonOf(err) != clients.Unavailable || asked.Load() != 0 || !strings.Contains(err.Error(), "certificate") || !strings.Contains(err.Error(), "check the base URL") {
		t.Errorf("got %v after %d requests, want unavailable", err, asked.Load())
	}
	mustBePrivate(t, err)
}

func TestARetryThatSucceedsIsASuccess(t *testing.T) {
	for _, call := range []clients.Call{get, put, del, search} {
		var bodies []string
		first := true
		transport, tries := setup(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			bodies = append(bodies, string(body))
			if r.Header.Get("Authorization") != "Bearer "+token {
				t.Errorf("Authorization %q", r.Header.Get("Authorization"))
			}
			if first {
				first = false
				w.WriteHeader(500)
				return
			}
			io.WriteString(w, `{"id":7}`)
		})
		var out clients.Object
		call.Out = &out
		if err := transport.Do(t.Context(), call); err != nil {
			t.Fatal(err)
		}
		if out.Text("id") != "7" || tries.Load() != 2 || bodies[0] != bodies[1] {
			t.Errorf("%s: got %v after %d tries with bodies %q", call.Operation, out, tries.Load(), bodies)
		}
	}
}

func TestACancelledCallSaysSo(t *testing.T) {
	for _, call := range []clients.Call{get, post} {
		ctx, cancel := context.WithCancel(t.Context())
		transport, tries := setup(t, func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // a server notices a lost client only after it has read the body
			cancel()
			<-r.Context().Done()
		})
		err := transport.Do(ctx, call)
		if !errors.Is(err, context.Canceled) || tries.Load() != 1 {
			t.Errorf("%s: got %v after %d tries, want context.Canceled after 1", call.Operation, err, tries.Load())
		}
		if call.Effect == clients.Once && clients.ReasonOf(err) != clients.Unclear {
			t.Errorf("a create that was cancelled midway is %s, want unclear", clients.ReasonOf(err))
		}
		mustBePrivate(t, err)
	}
}

func TestTheTokenDoesNotFollowARedirect(t *testing.T) {
	var leaked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Store(true) }))
	defer other.Close()
	transport, _ := setup(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, 307) })
	for _, call := range []clients.Call{get, put, del, post, search} {
		err := transport.Do(t.Context(), call)
		if e, ok := errors.AsType[*clients.Error](err); !ok || !e.Foreign || !strings.Contains(err.Error(), "check the base URL") {
			t.Errorf("%s: got %v, want an answer that is not the API's", call.Operation, err)
		}
	}
	if leaked.Load() {
		t.Error("a request reached the other host")
	}
}

func TestAReadFollowsARedirectOnItsHost(t *testing.T) {
	transport, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/things/t1" {
			http.Redirect(w, r, "/elsewhere", 302)
			return
		}
		io.WriteString(w, `{}`)
	})
	if err := transport.Do(t.Context(), get); err != nil {
		t.Error(err)
	}
}

// roundTripper replaces the network for tests in fake time. It traces as net/http does.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil {
		trace.GetConn("")
		trace.GotConn(httptrace.GotConnInfo{})
	}
	return f(r)
}

func TestNoCallTakesLong(t *testing.T) {
	silent := func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }
	busy := func(header string) roundTripper {
		return func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {header}}, Body: http.NoBody, Request: r}, nil
		}
	}
	for _, tc := range []struct {
		name     string
		net      roundTripper
		call     clients.Call
		reason   clients.Reason
		min, max time.Duration
	}{
		{"a read whose every try times out", silent, get, clients.Unavailable, 20 * time.Second, 25 * time.Second},
		{"a create that times out", silent, post, clients.Unclear, 10 * time.Second, 10 * time.Second},
		{"a server that asks for 2 s", busy("2"), get, clients.Unavailable, 4 * time.Second, 4 * time.Second},
		{"a server that asks for 4 s", busy("4"), get, clients.Unavailable, 0, 0},
		{"a server that says nothing", busy(""), get, clients.Unavailable, 900 * time.Millisecond, 2 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := config("http://vendor.test")
				cfg.RetryWait, cfg.Now, cfg.HTTP = nil, nil, &http.Client{Transport: tc.net}
				began := time.Now()
				err := clients.NewTransport(cfg).Do(t.Context(), tc.call)
				if took := time.Since(began); took < tc.min || took > tc.max || clients.ReasonOf(err) != tc.reason {
					t.Errorf("got %v after %v, want %s after %v to %v", err, took, tc.reason, tc.min, tc.max)
				}
			})
		})
	}
}

func TestATransportThatDoesNotTraceProvesNothing(t *testing.T) {
	cfg := config("http://vendor.test")
	tries := 0
	cfg.HTTP = &http.Client{Transport: untraced(func() error { tries++; return errors.New("broken") })}
	if err := clients.NewTransport(cfg).Do(t.Context(), post); clients.ReasonOf(err) != clients.Unclear || tries != 1 {
		t.Errorf("got %v after %d tries, want unclear after 1", err, tries)
	}
}

type untraced func() error

func (f untraced) RoundTrip(*http.Request) (*http.Response, error) { return nil, f() }

func TestIDsCannotLeadToAnotherPath(t *testing.T) {
	for _, id := range []string{"", ".", "..", "a/b", `a\b`, "a\nb", "a\x00", strings.Repeat("x", 129)} {
		if part, err := clients.PathID(id); err == nil {
			t.Errorf("%q became %q", id, part)
		}
	}
	for id, want := range map[string]string{"abc": "abc", "a b?c#d%2e": "a%20b%3Fc%23d%252e", "..a": "..a"} {
		if part, err := clients.PathID(id); err != nil || part != want {
			t.Errorf("%q became %q, %v; want %q", id, part, err, want)
		}
	}
}

func TestABadBaseURLIsReportedByTheFirstCall(t *testing.T) {
	for _, base := range []string{"", "vendor.test", "ftp://vendor.test", "https://user:pw@vendor.test", "https://vendor.test?x=1", "http://a b"} {
		err := clients.NewTransport(config(base)).Do(t.Context(), get)
		if clients.ReasonOf(err) != clients.Invalid || strings.Contains(fmt.Sprint(err), "pw") {
			t.Errorf("%q: got %v, want invalid", base, err)
		}
	}
}

func TestObjectsAreReadWithTolerance(t *testing.T) {
	o, err := clients.ParseObject([]byte(`{"s":"a","n":12.50,"b":true,"z":null,"o":{"x":1},"l":["a",2,null,{}],"os":[{"id":"1"},3,null]}`))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"s": "a", "n": "12.50", "b": "true", "z": "", "o": "", "l": "", "missing": ""} {
		if got := o.Text(key); got != want {
			t.Errorf("Text(%q) = %q, want %q", key, got, want)
		}
	}
	if got := fmt.Sprint(o.Texts("l"), o.Texts("s"), o.Texts("z"), o.Texts("o")); got != "[a 2] [a] [] []" {
		t.Error(got)
	}
	if len(o.Objects("os")) != 1 || o.Objects("s") != nil || o.Raw("z") != nil || !o.Bool("b") || o.Bool("s") {
		t.Error("Objects, Raw or Bool")
	}
	for _, bad := range []string{``, `null`, `[]`, `1`, `{} {}`} {
		if _, err := clients.ParseObject([]byte(bad)); err == nil {
			t.Errorf("%q was read as an object", bad)
		}
	}
}

func TestARefusedTokenIsReplacedOnceAndTheCallSentAgain(t *testing.T) {
	const fresh = "fresh-token-0123456789"
	for _, call := range []clients.Call{get, put, del, post, search} {
		var asked []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+fresh {
				w.WriteHeader(http.StatusUnauthorized)
			}
		}))
		defer server.Close()
		cfg := config(server.URL)
		cfg.Authorize = func(_ context.Context, refused string) (string, error) {
			if asked = append(asked, refused); refused != "" {
				return "Bearer " + fresh, nil
			}
			return "Bearer " + token, nil
		}
		if err := clients.NewTransport(cfg).Do(t.Context(), call); err != nil {
			t.Errorf("%s: %v", call.Operation, err)
		}
		if want := []string{"", "Bearer " + token}; !slices.Equal(asked, want) {
			t.Errorf("%s: asked for a token with %q", call.Operation, asked)
		}
	}
}

func TestATokenThatStaysRefusedIsNotTriedForEver(t *testing.T) {
	transport, tries := setup(t, answer(401, ""))
	if err := transport.Do(t.Context(), get); clients.ReasonOf(err) != clients.Unauthorized || tries.Load() != 1 {
		t.Errorf("the same token again: %v after %d tries", err, tries.Load())
	}
	var n atomic.Int32
	server := httptest.NewServer(answer(401, ""))
	defer server.Close()
	cfg := config(server.URL)
	cfg.Authorize = func(context.Context, string) (string, error) { return fmt.Sprint("Bearer token-", n.Add(1)), nil }
	if err := clients.NewTransport(cfg).Do(t.Context(), get); clients.ReasonOf(err) != clients.Unauthorized || n.Load() != 2 {
		t.Errorf("a new token each time: %v after %d tokens", err, n.Load())
	}
}

func TestATokenThatCannotBeHadIsTriedLater(t *testing.T) {
	cfg := config("http://127.0.0.1:1")
	cfg.Authorize = func(context.Context, string) (string, error) { return "", errors.New("database locked") }
	if err := clients.NewTransport(cfg).Do(t.Context(), get); clients.ReasonOf(err) != clients.Unavailable {
		t.Errorf("%v", err)
	}
}
