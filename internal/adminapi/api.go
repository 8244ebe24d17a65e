// Package adminapi is the admin API: what an operator can see and do, as JSON over
// HTTP, served under Path on the admin listener. It is the MCP endpoint too, through
// which an assistant uses some of it.
//
// Guarantees: the OpenAPI document describes every answer; a parameter or field that
// it does not name is rejected with its place; every list comes in pages; what changes
// something is for operators, and is in the audit log; personal data is masked for
// viewers until they ask for it, and the audit log says that they did.
//
// It decides nothing: packages operate and people read and change things for it.
// Whoever mounts it lets nobody in without a session or a token.
package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"milepost/internal/httpjson"
	"milepost/internal/operate"
	"milepost/internal/people"
)

// Path is where the API is mounted.
const Path = "/api/v1/"

// Config is what the API needs.
type Config struct {
	Desk   *operate.Desk
	People *people.Registry
	Logger zerolog.Logger
}

// API is the admin API.
type API struct {
	Config
	router chi.Router
	huma   huma.API
}

// New returns the API. The OpenAPI document is written when it is first asked for.
func New(cfg Config) *API {
	a := &API{Config: cfg, router: chi.NewRouter()}
	a.router.Use(headers, onlyText)
	a.huma = humachi.New(a.router, describe())
	for _, add := range []func(){a.overview, a.attention, a.deliveries, a.replays, a.contacts, a.automations, a.preview, a.recipes, a.connections, a.backfills, a.webhooks, a.links, a.jobs, a.requests, a.removals, a.catalog, a.peopleAndAudit, a.tokens, a.sessions, a.alerts} {
		add()
	}
	document := sync.OnceValues(func() ([]byte, error) { return json.Marshal(a.huma.OpenAPI()) })
	a.router.Get("/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		text, err := document()
		if err != nil {
			a.Logger.Error().Err(err).Msg("could not write the OpenAPI document of the admin API")
			httpjson.Problem(w, http.StatusInternalServerError, "something went wrong here; the log says what")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // the client is gone if this fails
	})
	return a
}

// Router leads to the endpoints. Its paths are below Path.
func (a *API) Router() chi.Router { return a.router }

// describe is what holds for all endpoints. Huma's own routes and its hook, which
// writes the request's Host into answers, are left out.
func describe() huma.Config {
	cfg := huma.DefaultConfig("Milepost admin API", "1")
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath, cfg.CreateHooks = "", "", "", nil
	cfg.Formats = map[string]huma.Format{"application/json": inJSON, "json": inJSON}
	cfg.Transformers = nil
	cfg.Servers = []*huma.Server{{URL: strings.TrimSuffix(Path, "/")}}
	cfg.Info.Description = about
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "MILEPOST_ADMIN_TOKEN, or a person's token"},
		"session": {Type: "apiKey", In: "cookie", Name: "milepost_session", Description: "the session of somebody who is signed in to the console"},
	}
	cfg.Security = []map[string][]string{{"token": {}}, {"session": {}}}
	return cfg
}

const about = "What an operator can see and do in Milepost. Errors are problems as of RFC 9457. Times are in UTC, as of RFC 3339. " +
	"Lists come in pages: send the `next` of an answer as `cursor` to read on. What changes something is for operators only."

// inJSON is the format of bodies. PostgreSQL stores no NUL.
var inJSON = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(data []byte, v any) error {
		if bytes.Contains(data, []byte(`\u0000`)) {
			return errors.New(`a text must not hold the character \u0000`)
		}
		return json.Unmarshal(data, v)
	},
}

// headers are those of every answer: it may hold personal data.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// onlyText rejects addresses with bytes that are no text: PostgreSQL would.
func onlyText(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := url.QueryUnescape(r.URL.RawQuery)
		if text := r.URL.Path + query; err != nil || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			httpjson.Problem(w, http.StatusBadRequest, "the address of the request is no text")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// vendorsAnswer is how long a request waits for the vendors.
const vendorsAnswer = 10 * time.Second

// Showing is the part of a request for personal data. It is a header, so that no link
// on another site can make a viewer ask.
type Showing struct {
	Show string `header:"Milepost-Show" enum:"personal-data" doc:"Viewers see personal data masked. With this header they see it, and the audit log says that they looked."`
	path string
}

// Resolve notes which path is asked for.
func (in *Showing) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	in.path = u.Path
	return nil
}

// mask says what somebody may see of personal data, and notes that a viewer asked.
func (a *API) mask(ctx context.Context, in Showing) (operate.Mask, error) {
	me := people.From(ctx)
	if me.Role == people.Operator {
		return operate.Mask{Shown: true}, nil
	}
	if in.Show == "" {
		return operate.Mask{}, nil
	}
	return operate.Mask{Shown: true}, a.People.Note(ctx, me.Name, "looked at personal data on", in.path)
}

// who is what somebody is called in the audit log.
func who(ctx context.Context) string { return people.From(ctx).Name }
