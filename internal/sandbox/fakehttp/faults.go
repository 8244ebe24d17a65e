// Package fakehttp holds what the fakes of both vendors need to be servers:
// injected faults, webhooks that are sent and retried, counters of calls, ids and
// JSON as Node writes it.
//
// Guarantee: a fault hits exactly the requests that it is armed for. It must not know the
// vendors.
package fakehttp

import (
	"bytes"
	"context"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Fault is one way in which a vendor's API misbehaves. Make it with
// FailWith, RateLimited, DropBefore, ResetBefore, LoseAnswer, HoldUntil,
// MalformedAnswer, LateEffect or Say.
type Fault struct {
	kind       faultKind
	status     int
	retryAfter time.Duration
	until      <-chan struct{}
	header     http.Header
	body       string
}

type faultKind int

const (
	faultStatus faultKind = iota
	faultDropBefore
	faultResetBefore
	faultLoseAnswer
	faultHold
	faultMalformed
	faultLate
	faultSay
)

// FailWith answers with the status instead of handling the request.
func FailWith(status int) Fault { return Fault{kind: faultStatus, status: status} }

// RateLimited answers 429 with a Retry-After in whole seconds (rounded up; 0 leaves the header out).
func RateLimited(retryAfter time.Duration) Fault {
	return Fault{kind: faultStatus, status: http.StatusTooManyRequests, retryAfter: retryAfter}
}

// DropBefore closes the connection without handling the request.
func DropBefore() Fault { return Fault{kind: faultDropBefore} }

// ResetBefore resets the connection (RST) without handling the request.
func ResetBefore() Fault { return Fault{kind: faultResetBefore} }

// LoseAnswer handles the request and closes the connection instead of
// answering: the caller cannot know what became of it.
func LoseAnswer() Fault { return Fault{kind: faultLoseAnswer} }

// HoldUntil handles the request once the channel is closed, or the caller gave up.
func HoldUntil(until <-chan struct{}) Fault { return Fault{kind: faultHold, until: until} }

// MalformedAnswer handles the request and answers with the first half of the body.
func MalformedAnswer() Fault { return Fault{kind: faultMalformed} }

// LateEffect answers with the status at once, and handles the request once the
// channel is closed: a gateway gave up on a vendor that is still at work.
func LateEffect(status int, until <-chan struct{}) Fault {
	return Fault{kind: faultLate, status: status, until: until}
}

// Say answers with the status and body instead of handling the request. Its
// Content-Type is JSON's, unless WithHeader sets another one.
func Say(status int, body string) Fault { return Fault{kind: faultSay, status: status, body: body} }

// WithHeader is the fault of Say with one more header in its answer.
func (f Fault) WithHeader(key, value string) Fault {
	f.header = f.header.Clone()
	if f.header == nil {
		f.header = http.Header{}
	}
	f.header.Set(key, value)
	return f
}

// GatewayAnswer is what something between Milepost and a vendor answers: a
// gateway without a route, a proxy, or a wrong host.
type GatewayAnswer struct {
	Status int
	Body   string
}

// Fault answers so instead of handling the request, with the Content-Type of
// the body; a redirect leads to another host.
func (g GatewayAnswer) Fault() Fault {
	fault := Say(g.Status, g.Body)
	switch {
	case strings.HasPrefix(g.Body, "<"):
		fault = fault.WithHeader("Content-Type", "text/html")
	case g.Body == "":
		fault = fault.WithHeader("Content-Type", "text/plain")
	}
	if g.Status >= 300 && g.Status < 400 {
		fault = fault.WithHeader("Location", "https://elsewhere.invalid/")
	}
	return fault
}

// GatewayAnswers are answers of gateways that say nothing about any record.
func GatewayAnswers() []GatewayAnswer {
	const page = "<!DOCTYPE html><html><head><title>Not Found</title></head><body>Contact not found</body></html>"
	return []GatewayAnswer{
		{http.StatusNotFound, ""},
		{http.StatusNotFound, `{"statusCode":404,"message":"Not Found"}`},
		{http.StatusNotFound, `{"statusCode":404,"error":"Not Found","message":"Not Found"}`},
		{http.StatusNotFound, `{"message":"no Route matched with those values"}`},
		{http.StatusNotFound, `{}`},
		{http.StatusNotFound, `[]`},
		{http.StatusNotFound, "default backend - 404"},
		{http.StatusNotFound, page},
		{http.StatusOK, ""},
		{http.StatusOK, `{}`},
		{http.StatusOK, `[]`},
		{http.StatusOK, page},
		{http.StatusMovedPermanently, ""},
		{http.StatusFound, page},
		{http.StatusTemporaryRedirect, ""},
		{http.StatusBadRequest, ""},
		{http.StatusBadRequest, `{"message":"Bad Request"}`},
		{http.StatusBadRequest, page},
		{http.StatusForbidden, ""},
		{http.StatusForbidden, `{"message":"Forbidden"}`},
		{http.StatusForbidden, page},
		{http.StatusMethodNotAllowed, ""},
		{http.StatusMethodNotAllowed, `{"statusCode":405,"error":"Method Not Allowed","message":"Method Not Allowed"}`},
		{http.StatusNotAcceptable, page},
		{http.StatusGone, ""},
		{http.StatusGone, `{"statusCode":410,"message":"Gone"}`},
		{http.StatusRequestEntityTooLarge, page},
		{http.StatusUnsupportedMediaType, ""},
		{http.StatusUnprocessableEntity, ""},
	}
}

// Faults injects faults into the requests of one fake. Its zero value injects
// none. It may be used by several goroutines.
type Faults struct {
	mu      sync.Mutex
	armed   []*Armed
	latency time.Duration
}

// Armed is a fault that waits for its requests.
type Armed struct {
	fault   Fault
	pattern string
	hit     chan struct{}

	mu   sync.Mutex
	left int
	hits int
}

// Hit returns a channel that is closed when the fault first strikes.
func (a *Armed) Hit() <-chan struct{} { return a.hit }

// Hits returns how often the fault struck.
func (a *Armed) Hits() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.hits
}

func (a *Armed) take(operation string) bool {
	if !matchOperation(a.pattern, operation) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left == 0 {
		return false
	}
	if a.left > 0 {
		a.left--
	}
	a.hits++
	if a.hits == 1 {
		close(a.hit)
	}
	return true
}

func (a *Armed) spent() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.left == 0
}

// Next arms a fault for the next n requests of the operations that match the
// pattern; n < 0 means until Clear. A pattern is an operation as Calls names it
// ("POST /meeting/tasks"); a "*" at the end stands for any rest, and as
// method for any method ("* /contacts/*"). Of several that match, the one armed
// first strikes.
func (f *Faults) Next(pattern string, n int, fault Fault) *Armed {
	a := &Armed{fault: fault, pattern: pattern, left: n, hit: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = append(f.armed, a)
	return a
}

// Disarm disarms one fault, if it is still armed.
func (f *Faults) Disarm(a *Armed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = slices.DeleteFunc(f.armed, func(other *Armed) bool { return other == a })
}

// Gateway arms a fault for every request: a gateway in front of the vendor
// answers in its place, until Disarm or Clear.
func (f *Faults) Gateway(status int, body string) *Armed {
	return f.Next("*", -1, GatewayAnswer{Status: status, Body: body}.Fault())
}

// Clear disarms every fault. Requests that are held stay held.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = nil
}

// SetLatency makes every request wait this long before it is handled; 0, the
// default, adds nothing.
func (f *Faults) SetLatency(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latency = d
}

func (f *Faults) find(operation string) (*Armed, time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, a := range f.armed {
		if a.take(operation) {
			if a.spent() {
				f.armed = append(f.armed[:i:i], f.armed[i+1:]...)
			}
			return a, f.latency
		}
	}
	return nil, f.latency
}

func matchOperation(pattern, operation string) bool {
	if pattern == "*" {
		return true
	}
	wantMethod, wantPath, ok := strings.Cut(pattern, " ")
	if !ok {
		return pattern == operation
	}
	method, path, _ := strings.Cut(operation, " ")
	if wantMethod != "*" && wantMethod != method {
		return false
	}
	if prefix, found := strings.CutSuffix(wantPath, "*"); found {
		return strings.HasPrefix(path, prefix)
	}
	return wantPath == path
}

// FaultMessage is what a vendor's error body says for a status.
func FaultMessage(status int) string {
	if status == http.StatusTooManyRequests {
		return "Too Many Requests"
	}
	if text := http.StatusText(status); text != "" {
		return text
	}
	return "Error"
}

// Serve handles a request of the operation under the armed fault, if any.
// refuse writes the vendor's own error body for a status.
func (f *Faults) Serve(operation string, w http.ResponseWriter, r *http.Request,
	refuse func(http.ResponseWriter, int), handle http.HandlerFunc,
) {
	armed, latency := f.find(operation)
	if latency > 0 {
		timer := time.NewTimer(latency)
		select {
		case <-timer.C:
		case <-r.Context().Done():
			timer.Stop()
			panic(http.ErrAbortHandler)
		}
	}
	if armed == nil {
		handle(w, r)
		return
	}
	switch fault := armed.fault; fault.kind {
	case faultStatus:
		if fault.retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(fault.retryAfter.Seconds()))))
		}
		refuse(w, fault.status)
	case faultDropBefore:
		panic(http.ErrAbortHandler)
	case faultResetBefore:
		reset(w)
	case faultLoseAnswer:
		handle(&unsent{header: http.Header{}}, r)
		panic(http.ErrAbortHandler)
	case faultHold:
		select {
		case <-fault.until:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
		handle(w, r)
	case faultLate:
		body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, BodyLimit))
		late := r.Clone(context.WithoutCancel(r.Context()))
		late.Body = io.NopCloser(bytes.NewReader(body))
		go func() {
			<-fault.until
			handle(&unsent{header: http.Header{}}, late)
		}()
		refuse(w, fault.status)
	case faultSay:
		w.Header().Set("Content-Type", "application/json")
		maps.Copy(w.Header(), fault.header)
		w.WriteHeader(fault.status)
		io.WriteString(w, fault.body)
	case faultMalformed:
		answer := &unsent{header: w.Header(), status: http.StatusOK}
		handle(answer, r)
		body := answer.body.Bytes()
		w.Header().Del("Content-Length")
		w.WriteHeader(answer.status)
		w.Write(append(bytes.Clone(body[:len(body)/2]), '{'))
	}
}

// reset closes the connection of a request so that its peer sees RST.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 has a reset of its own
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// unsent is an answer that is kept from the caller.
type unsent struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (u *unsent) Header() http.Header         { return u.header }
func (u *unsent) WriteHeader(status int)      { u.status = status }
func (u *unsent) Write(p []byte) (int, error) { return u.body.Write(p) }
