// Package highlevel is a client of the HighLevel (LeadConnector) API v2, and reads its
// webhooks: signature and envelope.
//
// Guarantees: every call sends the Version header and a bearer token, and retries briefly
// (see clients.Transport). A failure is a *clients.Error, whose Reason is corrected if
// HighLevel's status misleads: 400 "… not found" is NotFound, a 401 that no new token cures
// is Forbidden. The package reads records with tolerance, because HighLevel declares no
// field as required.
//
// The package keeps no state. It must not know the store.
package highlevel

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"milepost/clients"
)

const (
	// DefaultBaseURL is HighLevel's public API (HighLevel OpenAPI, servers).
	DefaultBaseURL = "https://services.leadconnectorhq.com"
	// DefaultVersion is the Version header for the records of this package, as documented
	// (HighLevel OpenAPI apps/contacts.json).
	DefaultVersion = "2021-07-28"
	// CalendarsVersion is the Version header for calendars and their events
	// (apps/calendars.json).
	CalendarsVersion = "2021-04-15"
)

// Config is what a client needs. Only Tokens is required.
type Config struct {
	BaseURL string // "" = DefaultBaseURL
	Tokens  TokenSource
	Version string // "" = DefaultVersion
	// Versions overrides Version by the first part of a path, such as "contacts" or
	// "opportunities". nil = CalendarsVersion for "calendars".
	Versions map[string]string
	HTTP     *http.Client // nil = its own connection pool
	// RetryWait is the pause before the nth retry (1, 2) within one call; nil = about 0.3 s and 1 s.
	RetryWait func(retry int) time.Duration
	Budget    Budget // rations the calls; nil = no limit
	// Permit is called before each try of a call that is not a read; nil = all are
	// permitted.
	Permit func(ctx context.Context) error
	// Ended and Succeeded are called at the end of each call, as in
	// clients.TransportConfig; they may be nil.
	Ended     func(failed bool)
	Succeeded func()
	Now       func() time.Time // nil = time.Now
}

// Client calls the API with the token of one location. It is safe for concurrent use.
type Client struct {
	transport *clients.Transport
	version   string
	versions  map[string]string // by the first part of a path
	priority  clients.Priority
}

// New returns a client. It makes no call; the first call reports a wrong base URL.
func New(cfg Config) *Client {
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if cfg.Version == "" {
		cfg.Version = DefaultVersion
	}
	if cfg.Versions == nil {
		cfg.Versions = map[string]string{"calendars": CalendarsVersion}
	}
	transport := clients.TransportConfig{
		API:       "HighLevel",
		BaseURL:   cfg.BaseURL,
		Authorize: authorize(cfg.Tokens),
		Explain:   explain,
		Limit:     limit,
		RetryWait: cfg.RetryWait,
		Ended:     cfg.Ended,
		Succeeded: cfg.Succeeded,
		Permit:    cfg.Permit,
		HTTP:      cfg.HTTP,
		Now:       cfg.Now,
	}
	if cfg.Budget != nil {
		cfg.ration(&transport)
	}
	return &Client{transport: clients.NewTransport(transport), version: cfg.Version, versions: cfg.Versions}
}

// versionOf returns the Version header of an app such as "contacts".
func (c *Client) versionOf(app string) string {
	if version := c.versions[app]; version != "" {
		return version
	}
	return c.version
}

// TokenSource provides the access token of a location.
type TokenSource interface {
	// Token returns a token. refused is "" at first. If HighLevel rejected a token, refused
	// is that token; a source without another one returns it again. An error that is a
	// *clients.Error keeps its Reason.
	Token(ctx context.Context, refused string) (string, error)
}

// StaticTokens returns a source of fixed tokens. It returns the first one, and the next one
// after HighLevel rejects it. Two tokens are useful for the rotation of a Private
// Integration Token, during which both are valid for a while.
func StaticTokens(tokens ...string) TokenSource { return staticTokens(tokens) }

type staticTokens []string

func (s staticTokens) Token(_ context.Context, refused string) (string, error) {
	if i := slices.Index(s, refused); i >= 0 {
		return s[min(i+1, len(s)-1)], nil
	}
	if len(s) == 0 || s[0] == "" {
		return "", &clients.Error{API: "HighLevel", Operation: "get token", Reason: clients.Unauthorized, Todo: "connect this location"}
	}
	return s[0], nil
}

// authorize turns a token source into a transport's Authorize.
func authorize(source TokenSource) func(context.Context, string) (string, error) {
	const scheme = "Bearer "
	if source == nil {
		source = StaticTokens()
	}
	return func(ctx context.Context, refused string) (string, error) {
		token, err := source.Token(ctx, strings.TrimPrefix(refused, scheme))
		return scheme + token, err
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
}

// do fills in the ids and calls. The last id becomes the subject of errors.
func (c *Client) do(ctx context.Context, r route, out any) error {
	app, _, _ := strings.Cut(strings.TrimPrefix(r.path, "/"), "/")
	if c.versionOf(app) == "v3" { // v3 spells one path differently
		r.path = strings.Replace(r.path, "/campaigns/removeAll", "/campaigns/remove-all", 1)
	}
	call := clients.Call{
		Operation: r.operation, Effect: r.effect, Method: r.method,
		Header: http.Header{"Version": {c.versionOf(app)}}, Query: r.query, Body: r.body, Out: out, Priority: c.priority,
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

// theOne returns an error if a success holds another record than the requested one, which
// must come from something in between, such as a cache.
func theOne(operation, subject, id string, err error) error {
	switch {
	case err != nil || id == subject:
		return err
	case id == "":
		return incomplete(operation, subject)
	}
	return &clients.Error{
		API: "HighLevel", Operation: operation, Subject: subject, Status: http.StatusOK,
		Reason: clients.Unavailable, Foreign: true, Message: "the answer holds another record",
	}
}

// incomplete is the error of a success whose record lacks its id, or has nothing but its
// id. It counts as an unreadable answer.
func incomplete(operation, subject string) error {
	return &clients.Error{
		API: "HighLevel", Operation: operation, Subject: subject, Status: http.StatusOK,
		Reason: clients.Unavailable, Message: "the answer holds no record",
	}
}

// lostRecord is the error of a create whose answer lacks the id: the record may exist, but
// its id is unknown.
func lostRecord(operation, subject string) error {
	return &clients.Error{
		API: "HighLevel", Operation: operation, Subject: subject, Status: http.StatusOK,
		Reason: clients.Unclear, Message: "the answer holds no record",
	}
}

// flag is an answer that only says whether the call succeeded. The field is "succeded"
// before API v3, "succeeded" since then and in some earlier calls, and "success" in one
// call. Without the field, the status decides.
type flag struct{ refused bool }

func (f *flag) UnmarshalJSON(data []byte) error {
	o, _ := clients.ParseObject(data)
	f.refused = o.Text("succeded") == "false" || o.Text("succeeded") == "false" || o.Text("success") == "false"
	return nil
}

// act is do for a call with a flag as its answer.
func (c *Client) act(ctx context.Context, r route) error {
	var out flag
	if err := c.do(ctx, r, &out); err != nil {
		return err
	}
	return r.flagged(out)
}

// flagged fails if a successful answer says that nothing was done.
func (r route) flagged(out flag) error {
	if !out.refused {
		return nil
	}
	e := &clients.Error{
		API: "HighLevel", Operation: r.operation, Status: http.StatusOK,
		Reason: clients.Unavailable, Message: "the answer says that it was not done",
	}
	if len(r.ids) > 0 {
		e.Subject = r.ids[len(r.ids)-1]
	}
	return e
}

// checkID checks an id in a query or a body, which PathID does not see.
func checkID(operation, id string) error {
	if _, err := clients.PathID(id); err != nil {
		return &clients.Error{API: "HighLevel", Operation: operation, Reason: clients.Invalid, Err: err}
	}
	return nil
}

// listed returns an error if the answer has no list, because an unreadable answer must not
// pass for an empty list. It removes entries without an id.
func listed[T any](operation, subject string, list *[]T, id func(T) string, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	if list == nil {
		return nil, incomplete(operation, subject)
	}
	return slices.DeleteFunc(*list, func(record T) bool { return id(record) == "" }), nil
}
