package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"sync"
	"time"
)

// Heard is a call as it was made, so that people can see what a sync did. Its texts may
// hold personal data. It has no headers, and no bodies of calls for tokens.
type Heard struct {
	API       string
	Operation string
	Subject   string
	Method    string
	Path      string // without its query
	Writes    bool   // it is not a Read
	Began     time.Time
	Took      time.Duration // including retries and waits
	Queued    time.Duration // the part of Took that it waited for the rate limiter
	Status    int           // status of the last answer; 0 = no answer
	Request   json.RawMessage
	Answer    []byte
	Failed    error

	secret bool // its bodies hold tokens
}

// callLog gathers the first calls that are made with a context. Safe for concurrent use.
type callLog struct {
	mu    sync.Mutex
	calls []Heard
	more  int
}

const (
	mostHeard    = 30
	longestHeard = 16 << 10 // bytes of a body; longer ones are not kept
)

type logKey struct{}

// Logging returns a context with which each call is noted.
func Logging(ctx context.Context) context.Context {
	return context.WithValue(ctx, logKey{}, &callLog{})
}

// Logged lists the calls made with a context of Logging, in the order in which they ended.
// more is how many calls did not fit.
func Logged(ctx context.Context) (list []Heard, more int) {
	l, ok := ctx.Value(logKey{}).(*callLog)
	if !ok {
		return nil, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls, l.more
}

// hear begins to note a call.
func (t *Transport) hear(call Call) *Heard {
	_, form := call.Body.(url.Values)
	return &Heard{
		API: t.cfg.API, Operation: call.Operation, Subject: call.Subject, Method: call.Method, Path: call.Path, Writes: call.Effect != Read, Began: t.cfg.Now(),
		secret: form || call.Authorization != "" || len(call.Secrets) > 0,
	}
}

// said notes the last answer to a call. A log keeps the bodies.
func (h *Heard) said(status int, request, answer []byte) {
	h.Status, h.Request, h.Answer = status, nil, nil
	if h.secret {
		return
	}
	if len(request) <= longestHeard {
		h.Request = request
	}
	if len(answer) <= longestHeard {
		h.Answer = answer
	}
}

// note completes the note of a call, if the context has a log.
func (t *Transport) note(ctx context.Context, h *Heard, err error) {
	l, ok := ctx.Value(logKey{}).(*callLog)
	if !ok {
		return
	}
	h.Took, h.Failed = t.cfg.Now().Sub(h.Began), err
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.calls) == mostHeard {
		l.more++
		return
	}
	l.calls = append(l.calls, *h)
}

// ForPeople returns a body for people to read, up to most bytes, without credentials. cut
// means that the body is longer. A body that is not JSON is left out.
func ForPeople(body []byte, most int) (text string, cut bool) {
	if len(bytes.TrimSpace(body)) == 0 {
		return "", false
	}
	plain, err := WithoutSecrets(body)
	if err != nil {
		return "", true
	}
	if len(plain) <= most {
		return string(plain), false
	}
	return string(bytes.ToValidUTF8(plain[:most], nil)), true
}
