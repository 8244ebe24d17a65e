package api

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/rs/zerolog"

	"milepost/internal/adminapi"
	"milepost/internal/console"
	"milepost/internal/guard"
	"milepost/internal/httpjson"
	"milepost/internal/peer"
	"milepost/internal/people"
)

// gate stands before every route of the admin listener. What is not open needs a
// session or a token, so a new route cannot forget to ask for it.
type gate struct {
	people *people.Registry
	host   string // that the admin listener has, beside addresses and loopback names; "" = none
	cross  *http.CrossOriginProtection
	logger zerolog.Logger
}

func newGate(routes Routes) (*gate, error) {
	g := &gate{people: routes.People, cross: http.NewCrossOriginProtection(), logger: routes.Logger}
	if routes.AdminURL == "" {
		return g, nil
	}
	u, err := url.Parse(routes.AdminURL)
	if err != nil {
		return nil, err
	}
	g.host = strings.ToLower(u.Hostname())
	return g, g.cross.AddTrustedOrigin(u.Scheme + "://" + u.Host) // a proxy may pass on another Host
}

// health are the paths that a load balancer asks for, by whatever name.
func health(path string) bool { return path == "/healthz" || path == "/readyz" }

func (g *gate) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if health(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		if !g.answersTo(r.Host) {
			g.refuse(w, r, http.StatusMisdirectedRequest, "this host name is not the admin listener's: set MILEPOST_ADMIN_URL to the address that you use, or use its IP address")
			return
		}
		if err := g.cross.Check(r); err != nil {
			g.refuse(w, r, http.StatusForbidden, "the request comes from another site")
			return
		}
		if console.Open(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		id, ok, err := g.identify(r)
		switch locked, isLocked := errors.AsType[*people.Locked](err); {
		case isLocked:
			console.RetryAfter(w, locked.Wait)
			g.refuse(w, r, http.StatusTooManyRequests, err.Error())
		case errors.Is(err, people.ErrWrongToken):
			w.Header().Set("WWW-Authenticate", "Bearer")
			g.refuse(w, r, http.StatusUnauthorized, err.Error())
		case err != nil:
			g.logger.Error().Err(err).Msg("could not read a session or a token")
			httpjson.Problem(w, http.StatusServiceUnavailable, "sessions and tokens cannot be read now; the log says why")
		case !ok && console.Page(r.URL.Path):
			console.AskSignIn(w, r)
		case !ok:
			w.Header().Set("WWW-Authenticate", "Bearer")
			httpjson.Problem(w, http.StatusUnauthorized, "send the admin token or yours: Authorization: Bearer …")
		case id.Role != people.Operator && r.Method != http.MethodGet && r.Method != http.MethodHead && !console.ForViewers(r.URL.Path) && r.URL.Path != adminapi.MCPPath:
			g.refuse(w, r, http.StatusForbidden, "viewers cannot change anything; ask an operator")
		default:
			guard.Proven(r.Context())
			next.ServeHTTP(w, r.WithContext(people.With(r.Context(), id)))
		}
	})
}

// answersTo reports whether a Host is one of the admin listener's. A page elsewhere
// can point its own name here (DNS rebinding), but no address and no loopback name.
func (g *gate) answersTo(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost" || strings.HasSuffix(host, ".localhost") || g.host != "" && host == g.host
}

// identify tells who makes a request: by the admin token, a person's token or a session.
func (g *gate) identify(r *http.Request) (id people.Identity, ok bool, err error) {
	if scheme, token, sent := strings.Cut(r.Header.Get("Authorization"), " "); sent && strings.EqualFold(scheme, "bearer") {
		id, err = g.people.Bearer(r.Context(), peer.Text(r.Context()), strings.TrimSpace(token))
		return id, err == nil, err
	}
	token := console.SessionToken(r)
	if token == "" {
		return people.Identity{}, false, nil
	}
	return g.people.Session(r.Context(), token)
}

func (g *gate) refuse(w http.ResponseWriter, r *http.Request, status int, reason string) {
	g.logger.Warn().Int("status", status).Str("reason", reason).Str("client", peer.Text(r.Context())).Msg("admin request rejected")
	httpjson.Problem(w, status, reason)
}
