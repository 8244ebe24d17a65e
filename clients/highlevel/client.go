// Package highlevel is a client of the HighLevel (LeadConnector) API v2 and
// the reader of its webhooks: signature and envelope.
//
// Every call sends the Version header and a bearer token, retries briefly
// (see clients.Transport) and fails with a *clients.Error whose Reason is
// corrected where HighLevel's status misleads: 400 "… not found" is NotFound,
// a 401 that no new token heals is Forbidden, a 404 "Cannot GET /…" is Invalid.
// Records are read with tolerance, because HighLevel declares no field as
// required. The package knows nothing of the store and keeps no state.
package highlevel

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"milepost/clients"
)

const (
	// DefaultBaseURL is HighLevel's public API (HighLevel OpenAPI, servers).
	DefaultBaseURL = "https://services.leadconnectorhq.com"
	// DefaultVersion is the Version header under which the records of this
	// package are documented (HighLevel OpenAPI apps/contacts.json).
	DefaultVersion = "2021-07-28"
)

// Config is what a client needs. Only Tokens is required.
type Config struct {
	BaseURL string             // "" = DefaultBaseURL
	Tokens  oauth2.TokenSource // asked once a call; an error that is a *clients.Error keeps its Reason
	Version string             // "" = DefaultVersion
	HTTP    *http.Client       // nil = a connection pool of its own
	// RetryWait is the pause before the nth retry (1, 2) within one call; nil = about 0.3 s and 1 s.
	RetryWait func(retry int) time.Duration
	Now       func() time.Time // nil = time.Now
}

// Client calls the API with the token of one location. It is safe for concurrent use.
type Client struct{ transport *clients.Transport }

// New returns a client. It makes no call; a bad base URL is reported by the first one.
func New(cfg Config) *Client {
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if cfg.Version == "" {
		cfg.Version = DefaultVersion
	}
	return &Client{clients.NewTransport(clients.TransportConfig{
		API:       "HighLevel",
		BaseURL:   cfg.BaseURL,
		Authorize: func(context.Context) (string, error) { return bearer(cfg.Tokens) },
		Header:    http.Header{"Version": {cfg.Version}},
		Explain:   explain,
		Limit:     limit,
		RetryWait: cfg.RetryWait,
		HTTP:      cfg.HTTP,
		Now:       cfg.Now,
	})}
}

// bearer asks the source for a token. A refused refresh shows the server's
// error code only: its whole answer, which oauth2 would print, may hold secrets.
func bearer(source oauth2.TokenSource) (string, error) {
	if source == nil {
		return "", &clients.Error{API: "HighLevel", Operation: "get token", Reason: clients.Unauthorized, Todo: "connect this location"}
	}
	token, err := source.Token()
	if err == nil && token.AccessToken != "" {
		return "Bearer " + token.AccessToken, nil
	}
	if e, ok := errors.AsType[*clients.Error](err); ok {
		return "", e
	}
	e := &clients.Error{API: "HighLevel", Operation: "get token", Reason: clients.Unauthorized, Todo: "connect this location again"}
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		e.Message = refused.ErrorCode
		if refused.Response != nil {
			e.Status = refused.Response.StatusCode
		}
		if e.Status == http.StatusTooManyRequests || e.Status >= 500 {
			e.Reason, e.Todo = clients.Unavailable, ""
		}
		return "", e
	}
	if err != nil {
		e.Reason, e.Todo, e.Err = clients.Unavailable, "", err
		if at, ok := errors.AsType[*url.Error](err); ok {
			e.Err = at.Err
		}
	}
	return "", e
}

// route is a call of this API before its ids are filled in.
type route struct {
	operation string // in words
	method    string
	path      string // with a %s for each id
	effect    clients.Effect
	ids       []string
	query     url.Values
	body      any
}

// do fills in the ids, the last of which is the subject of errors, and calls.
func (c *Client) do(ctx context.Context, r route, out any) error {
	call := clients.Call{
		Operation: r.operation, Effect: r.effect, Method: r.method,
		Query: r.query, Body: r.body, Out: out,
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

// incomplete is a success whose record lacks its id: the same as an unreadable answer.
func incomplete(operation, subject string) error {
	return &clients.Error{
		API: "HighLevel", Operation: operation, Subject: subject, Status: http.StatusOK,
		Reason: clients.Unavailable, Message: "the answer holds no record",
	}
}

// listed turns a list that the answer does not hold into an error: an
// unreadable answer must not pass for an empty list. Entries without an id are left out.
func listed[T any](operation, subject string, list *[]T, id func(T) string, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	if list == nil {
		return nil, incomplete(operation, subject)
	}
	return slices.DeleteFunc(*list, func(record T) bool { return id(record) == "" }), nil
}
