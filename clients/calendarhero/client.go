// Package calendarhero is a client of the CalendarHero API: user, meeting types, contacts,
// meeting requests, meetings, webhooks, directories and providers.
//
// CalendarHero publishes no contract to check against. The package relies only on what
// other working connectors rely on. It sends only documented keys, and reads answers with
// tolerance.
//
// Guarantees: every failure is a *clients.Error, and the package sends a call that must not
// run twice only once.
//
// The API has more calls, whose bodies are undocumented, so the package leaves them out:
// PUT /user and /user/settings/*, PUT /user/meeting, POST /user/meeting/{type} and its
// /share, GET /user/calendly (a GET that imports), /msg/web and /search. The file
// uncertain.go lists what is unknown about the answers that the package reads.
//
// CalendarHero mails people when a meeting request is created, deleted or reminded of, and
// has no idempotency key. A create is Unclear if its answer is lost: the caller must look
// for the request before it tries again.
//
// The package keeps no state. It must not know the store.
package calendarhero

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"milepost/clients"
)

// API is the API of every *clients.Error of this package.
const API = "CalendarHero"

// DefaultBaseURL is CalendarHero's public API.
const DefaultBaseURL = "https://api.calendarhero.com"

// These are the ways to send the account's token. Known connectors use AuthRaw.
const (
	AuthRaw    = "raw"    // Authorization: <token>
	AuthBearer = "bearer" // Authorization: Bearer <token>
)

// Config is what a client needs. Only Token is required.
type Config struct {
	BaseURL string       // "" = DefaultBaseURL
	Token   string       // token of one CalendarHero user; a secret that also contains a name and an e-mail address
	Auth    string       // AuthRaw or AuthBearer; "" = AuthRaw
	HTTP    *http.Client // nil = its own connection pool
	// RetryWait is the pause before the nth retry (1, 2) within one call; nil = about 0.3 s and 1 s.
	RetryWait func(retry int) time.Duration
	// Permit is called before each try of a call that is not a read; nil = all are
	// permitted.
	Permit func(ctx context.Context) error
	// Ended and Succeeded are called at the end of each call, as in
	// clients.TransportConfig; they may be nil.
	Ended     func(failed bool)
	Succeeded func()
	Now       func() time.Time // nil = time.Now
}

// Client calls the API as one CalendarHero user. It is safe for concurrent use.
type Client struct {
	transport *clients.Transport
	take      atomic.Int32 // index of the requestTakes in use
}

// New returns a client. It makes no call; the first call reports a wrong setting.
func New(cfg Config) *Client {
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	return &Client{transport: clients.NewTransport(clients.TransportConfig{
		API:       API,
		BaseURL:   cfg.BaseURL,
		Authorize: func(context.Context, string) (string, error) { return authorization(cfg) },
		Explain:   explain,
		RetryWait: cfg.RetryWait,
		Ended:     cfg.Ended,
		Succeeded: cfg.Succeeded,
		Permit:    cfg.Permit,
		HTTP:      cfg.HTTP,
		Now:       cfg.Now,
	})}
}

// Rehearsing returns a client that sends only reads, and passes every other call to note.
func (c *Client) Rehearsing(note func(context.Context, clients.Rehearsed) error) *Client {
	return &Client{transport: c.transport.Rehearsing(note)}
}

func authorization(cfg Config) (string, error) {
	refused := &clients.Error{API: API, Operation: "get token", Reason: clients.Unauthorized}
	switch {
	case cfg.Token == "":
		refused.Todo = "set the CalendarHero token; it is in CalendarHero under My Profile Settings, API"
		return "", refused
	case cfg.Auth == "" || cfg.Auth == AuthRaw:
		return cfg.Token, nil
	case cfg.Auth == AuthBearer:
		return "Bearer " + cfg.Token, nil
	default:
		refused.Reason, refused.Todo = clients.Invalid, "set the CalendarHero auth to raw or bearer"
		return "", refused
	}
}

// explain adds CalendarHero's words, and separates its own answers from those of a gateway,
// a proxy or a wrong host. Its own answers are those of a hapi server:
// {"statusCode":400,"error":"Bad Request","message":"…"}.
//
// An unknown route answers 404 in the same form as an unknown id. So NotFound is only a
// hint, and the caller must confirm it.
func explain(e *clients.Error, call clients.Call, body []byte) {
	o, err := clients.ParseObject(body)
	if err == nil {
		e.Message = o.Text("message")
		if e.Message == "" {
			e.Message = o.Text("error")
		}
	}
	said := o.Text("statusCode")
	hapi := err == nil && said == strconv.Itoa(e.Status) && e.Message != ""
	own := hapi || said == "" && !clients.Generic(e.Message)
	switch e.Status {
	case http.StatusUnauthorized:
		e.Todo = "the token is wrong: copy it again from CalendarHero, My Profile Settings, API; or try the other auth, raw or bearer"
	case http.StatusNotFound:
		if !hapi || o.Text("error") == "" || call.Subject == "" {
			e.NotTheAPI(call)
		}
	case http.StatusConflict, http.StatusUnprocessableEntity:
		if e.Message == "" {
			e.NotTheAPI(call)
		}
	case http.StatusRequestEntityTooLarge:
		if !hapi || clients.Generic(e.Message) {
			e.NotTheAPI(call)
		}
	case http.StatusBadRequest, http.StatusForbidden:
		if !own {
			e.NotTheAPI(call)
		}
	}
}

// route is a call of this API before its ids are filled in.
type route struct {
	operation string // in words, for errors
	method    string
	path      string // contains a %s for each id
	effect    clients.Effect
	ids       []string
	query     url.Values
	body      any
	noContent bool     // a success is a 204
	secrets   []string // texts of the body that no error may show
}

// do fills in the ids and calls. The last id becomes the subject of errors.
func (c *Client) do(ctx context.Context, r route, out any) error {
	call := clients.Call{
		Operation: r.operation, Effect: r.effect, Method: r.method,
		Query: r.query, Body: r.body, Out: out, NoContent: r.noContent, Secrets: r.secrets,
	}
	path, err := c.transport.Path(call, r.path, r.ids...)
	if err != nil {
		return err
	}
	call.Path = path
	if len(r.ids) > 0 {
		call.Subject = r.ids[len(r.ids)-1]
	}
	return c.transport.Do(ctx, call)
}

// create posts body once and returns the new record's id. If the answer has no usable id,
// the error is Unclear: the record exists, but its id is unknown.
func (c *Client) create(ctx context.Context, operation, path string, body any) (string, error) {
	var out clients.Object
	err := c.do(ctx, route{operation: operation, method: http.MethodPost, path: path, effect: clients.Once, body: body}, &out)
	if err != nil {
		return "", err
	}
	id := out.Text("id")
	if _, err := clients.PathID(id); err != nil {
		return "", &clients.Error{
			API: API, Operation: operation, Status: http.StatusOK,
			Reason: clients.Unclear, Message: "the answer holds no usable id", Err: err,
		}
	}
	return id, nil
}

// get reads an answer of unknown shape; nil if the answer is empty.
func (c *Client) get(ctx context.Context, operation, path string, query url.Values) (json.RawMessage, error) {
	var out json.RawMessage
	err := c.do(ctx, route{operation: operation, method: http.MethodGet, path: path, query: query}, &out)
	return out, err
}

// Get reads a path of the API unchanged, to compare its shape with the known one. The
// answer may hold personal data; that of /provider even holds credentials.
func (c *Client) Get(ctx context.Context, path string, query url.Values) (json.RawMessage, error) {
	return c.get(ctx, "get "+path, path, query)
}

// list reads an array, without entries that cannot be read or that whole rejects. Any other
// answer is Unavailable, because it must not pass for an empty list.
func list[T any](ctx context.Context, c *Client, r route, whole func(T) bool) ([]T, error) {
	var out *[]json.RawMessage
	if err := c.do(ctx, r, &out); err != nil {
		return nil, err
	}
	if out == nil {
		return nil, unreadable(r.operation, "")
	}
	var records []T
	for _, raw := range *out {
		var record T
		if json.Unmarshal(raw, &record) == nil && whole(record) {
			records = append(records, record)
		}
	}
	return records, nil
}

func unreadable(operation, subject string) error {
	return &clients.Error{
		API: API, Operation: operation, Subject: subject, Status: http.StatusOK,
		Reason: clients.Unavailable, Message: "the answer holds no record",
	}
}
