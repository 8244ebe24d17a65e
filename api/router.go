// Package api is the HTTP surface. It says which path leads to which handler, on
// the public and on the admin listener, and which middleware every request passes.
//
// Guarantee: a handler that panics costs one request, not the process.
//
// It does not know what a handler does.
package api

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"milepost/handlers"
	"milepost/internal/adminapi"
	"milepost/internal/console"
	"milepost/internal/guard"
	"milepost/internal/httpjson"
	"milepost/internal/metrics"
	"milepost/internal/peer"
	"milepost/internal/people"
)

// Routes are the handlers and checks behind the paths.
type Routes struct {
	HighLevelWebhooks http.Handler
	WorkflowWebhooks  http.Handler
	CalendarHero      http.Handler // its webhooks
	Calendars         http.Handler
	OAuth             *handlers.OAuth             // nil where no app is configured
	Ready             func(context.Context) error // why webhooks cannot be accepted now
	TrustedProxies    []netip.Prefix              // whose X-Forwarded-For is believed
	Guard             *guard.Guard                // of the public listener; nil limits nothing
	AdminGuard        *guard.Guard
	People            *people.Registry // who may use the admin listener
	AdminURL          string           // at which people reach it; "" = by its address
	Console           *console.Console
	API               *adminapi.API
	MCP               bool             // the API's MCP endpoint is served too
	Metrics           *metrics.Metrics // nil measures nothing
	Logger            zerolog.Logger
}

// Public is the surface that the vendors and the load balancer reach.
func Public(routes Routes) http.Handler {
	r := base(routes, routes.Guard, withoutExtraSlashes)
	r.Get("/", about)
	r.Method(http.MethodPost, "/webhooks/highlevel", routes.Metrics.Webhooks("highlevel", routes.HighLevelWebhooks))
	r.Method(http.MethodPost, handlers.WorkflowPath+"{key}", routes.Metrics.Webhooks("workflow", routes.WorkflowWebhooks))
	r.Method(http.MethodPost, handlers.CalendarHeroPath+"{key}/{event}", routes.Metrics.Webhooks("calendarhero", routes.CalendarHero))
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r.Method(method, handlers.CalendarPath+"{key}.ics", routes.Calendars)
	}
	if routes.OAuth != nil {
		r.Get(handlers.InstallPath, routes.OAuth.Install)
		r.Get(handlers.CallbackPath, routes.OAuth.Callback)
	}
	return r
}

// about tells a person who opens the public address in a browser what it is for. It
// tells no version: anyone may ask.
func about(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, `This is Milepost. It receives webhooks, and keeps CalendarHero in step with HighLevel.

In the HighLevel app, register the path /webhooks/highlevel of this address as its webhook URL.
`+"`milepost workflow-key` creates the URL for a workflow's Webhook action, and `milepost feed-key` that of a calendar.\n")
}

// Admin is the surface for the operator, never open to the world. Each route but
// the health checks and the sign-in needs a session or the admin token: see gate.
func Admin(routes Routes) (chi.Router, error) {
	g, err := newGate(routes)
	if err != nil {
		return nil, fmt.Errorf("address of the admin listener (MILEPOST_ADMIN_URL): %w", err)
	}
	r := base(routes, routes.AdminGuard, g.handler)
	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, console.Path, http.StatusSeeOther)
	})
	if routes.Metrics != nil {
		r.Method(http.MethodGet, "/metrics", routes.Metrics.Handler())
	}
	r.Mount(strings.TrimSuffix(console.Path, "/"), routes.Console.Router())
	r.Mount(strings.TrimSuffix(adminapi.Path, "/"), routes.API.Router())
	if routes.MCP {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} { // it says that it takes only POST
			r.Method(method, adminapi.MCPPath, routes.API.MCP())
		}
	} else {
		r.Post(adminapi.MCPPath, noMCP)
	}
	return r, nil
}

func noMCP(w http.ResponseWriter, _ *http.Request) {
	httpjson.Problem(w, http.StatusNotFound, "the MCP endpoint is off: set MILEPOST_MCP=true")
}

// base answers what both listeners have in common.
func base(routes Routes, g *guard.Guard, more ...func(http.Handler) http.Handler) *chi.Mux {
	r := chi.NewRouter()
	r.Use(peer.Find(routes.TrustedProxies))
	r.Use(g.Handler, logRequests(routes.Logger), recoverPanics(routes.Logger))
	r.Use(more...)
	r.NotFound(func(w http.ResponseWriter, _ *http.Request) {
		httpjson.Problem(w, http.StatusNotFound, "there is nothing at this path")
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, _ *http.Request) {
		httpjson.Problem(w, http.StatusMethodNotAllowed, "this path does not answer that method")
	})
	r.Get("/healthz", healthz)
	r.Get("/readyz", readyz(routes.Ready))
	return r
}

// withoutExtraSlashes routes a path with a slash too many as if it had none. People paste
// such addresses, and HighLevel does not retry a 404.
func withoutExtraSlashes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chi.RouteContext(r.Context()).RoutePath = path.Clean("/" + cmp.Or(r.URL.RawPath, r.URL.Path))
		next.ServeHTTP(w, r)
	})
}

// logRequests notes each request: refusals as warnings, the rest for debugging.
// The path is logged as its pattern, since paths may hold keys.
func logRequests(logger zerolog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if logger.GetLevel() > zerolog.DebugLevel {
				next.ServeHTTP(w, r) // refusals are logged where their reason is known
				return
			}
			start := time.Now()
			ww := &httpjson.Recorder{ResponseWriter: w}
			next.ServeHTTP(ww, r)
			logger.Debug().Str("method", r.Method).Str("route", chi.RouteContext(r.Context()).RoutePattern()).
				Int("status", ww.Status()).Str("client", peer.Text(r.Context())).
				Dur("took", time.Since(start)).Msg("request")
		})
	}
}

// recoverPanics answers a panic with 500 and logs it without the request.
func recoverPanics(logger zerolog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if p := recover(); p != nil {
					if p == http.ErrAbortHandler { //nolint:errorlint // it is panicked as it is
						panic(p)
					}
					logger.Error().Interface("panic", p).Stack().Str("route", chi.RouteContext(r.Context()).RoutePattern()).Msg("a handler panicked")
					httpjson.Problem(w, http.StatusInternalServerError, "something went wrong here; the log says what")
				}
			}()
			next.ServeHTTP(w, r)
		})
	}
}
