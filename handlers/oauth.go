package handlers

import (
	"cmp"
	"context"
	"crypto/subtle"
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/connection"
	"milepost/internal/guard"
	"milepost/internal/httpjson"
	"milepost/internal/outage"
	"milepost/internal/peer"
	"milepost/internal/store"
)

// The paths of the OAuth dance, which HighLevel and its users are given.
const (
	InstallPath  = connection.InstallPath
	CallbackPath = connection.CallbackPath
)

// OAuth connects a HighLevel location, or all of an agency, to this Milepost:
// Install sends the browser to HighLevel's page where a location is chosen,
// and Callback takes the grant that comes back. The state between the two is
// signed here, expires, and is good once; a cookie binds it to the browser, so
// that nobody can make an operator's browser connect somebody else's location.
// Anybody may begin the dance; whose locations are connected at its end is for
// connection.Registry to say. Rate limits how often HighLevel is called for it.
type OAuth struct {
	Connections *connection.Registry
	Follow      func(context.Context, []store.Entity) error // asks for the entities to be synced
	Rate        *guard.Rate                                 // of the codes that are exchanged
	Logger      zerolog.Logger
	Rejections  zerolog.Logger // of requests; may be sampled, because anyone can send them
	Outages     *outage.Log    // while no code could be exchanged; anyone can send a wrong one
}

const stateCookie = "milepost_oauth"

// app is the app that locations are connected by, or nil.
func (h *OAuth) app() *highlevel.App { return h.Connections.MarketplaceApp() }

// noApp answers where OAuth is not set up.
func noApp(w http.ResponseWriter) {
	httpjson.Problem(w, http.StatusNotFound, "OAuth is not set up here: set MILEPOST_HIGHLEVEL_CLIENT_ID and MILEPOST_HIGHLEVEL_CLIENT_SECRET, or set the app in the console")
}

// Install begins the dance.
func (h *OAuth) Install(w http.ResponseWriter, r *http.Request) {
	if h.app() == nil {
		noApp(w)
		return
	}
	state, err := h.Connections.NewState()
	if err != nil {
		h.Outages.Failed(err)
		show(w, http.StatusServiceUnavailable, page{
			Title: "That did not work", Text: reason(err), Link: InstallPath, Action: "Try again",
		})
		return
	}
	http.SetCookie(w, h.cookie(r, state, int(connection.StateFor.Seconds())))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, h.app().At(h.redirectURL(r)).AuthorizeURL(state), http.StatusFound) //nolint:gosec // to HighLevel, as configured
}

// cookie is sent back on the way from HighLevel (a top-level GET, so Lax) to
// the callback alone.
func (h *OAuth) cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure wherever there is TLS
		Name: stateCookie, Value: value, Path: CallbackPath, MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(h.redirectURL(r), "https://"),
	}
}

// redirectURL is where HighLevel sends the browser back to. HighLevel compares
// it with those of the app, so a made-up Host leads nowhere.
func (h *OAuth) redirectURL(r *http.Request) string {
	base := h.Connections.Address()
	if base == "" {
		base = "http://" + r.Host
		if r.TLS != nil {
			base = "https://" + r.Host
		}
	}
	return base + CallbackPath
}

// Callback ends the dance.
func (h *OAuth) Callback(w http.ResponseWriter, r *http.Request) {
	if h.app() == nil {
		noApp(w)
		return
	}
	q := r.URL.Query()
	state := q.Get("state")
	cookie, err := r.Cookie(stateCookie)
	http.SetCookie(w, h.cookie(r, "", -1)) // a state is good for one answer
	switch {
	case err != nil || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(state)) != 1 || !h.Connections.StateGood(state):
		show(w, http.StatusBadRequest, page{
			Title:  "This installation was not started here",
			Text:   "The installation started in HighLevel or in another browser. Please start it once from here, so that nobody can make your browser connect an account that you did not choose. It takes two clicks.",
			Link:   InstallPath,
			Action: "Start here",
		})
		return
	case q.Get("error") != "":
		show(w, http.StatusBadRequest, page{
			Title: "HighLevel did not allow it", Text: "Somebody cancelled the installation, or HighLevel rejected it: " + clip(q.Get("error")) + ".",
			Link: InstallPath, Action: "Try again",
		})
		return
	case q.Get("code") == "":
		show(w, http.StatusBadRequest, page{Title: "HighLevel sent no code", Text: "HighLevel's answer was incomplete.", Link: InstallPath, Action: "Try again"})
		return
	}
	if wait := h.Rate.Take(peer.Address(r.Context())); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
		h.Rejections.Warn().Str("client", peer.Text(r.Context())).Msg("installation rejected: too many at once")
		show(w, http.StatusTooManyRequests, page{
			Title: "Too many installations at once", Text: "Nothing was connected. Please wait a minute, then start again.",
			Link: InstallPath, Action: "Start again",
		})
		return
	}
	unused, err := h.Connections.UseState(r.Context(), state)
	if err == nil && !unused {
		show(w, http.StatusBadRequest, page{
			Title: "This answer was already used", Text: "Each answer is valid once. If no location is connected, start again.",
			Link: InstallPath, Action: "Start again",
		})
		return
	}
	var locations []store.Connection
	if err == nil {
		locations, err = h.connect(r.Context(), q.Get("code"), h.redirectURL(r))
	}
	if other, ok := errors.AsType[*connection.OtherAgency](err); ok {
		h.Rejections.Warn().Str("company", other.CompanyID).Msg("installation of another agency rejected")
		show(w, http.StatusForbidden, page{
			Title: "This Milepost serves another agency", Text: "Nothing was connected. Its operator can allow yours: milepost connections allow " + other.CompanyID + ", then install again.",
			Link: InstallPath, Action: "Install again",
		})
		return
	}
	if err != nil {
		h.Outages.Failed(err)
		show(w, http.StatusBadGateway, page{
			Title: "That did not work", Text: "Milepost could not use the authorization: " + reason(err),
			Link: InstallPath, Action: "Try again",
		})
		return
	}
	h.Outages.Succeeded()
	p := page{Title: "Connected", Text: "Milepost now keeps this location's calendar in step. You can close this page."}
	for _, c := range locations {
		h.Logger.Info().Str("location", c.LocationID).Msg("connected by OAuth")
		p.Items = append(p.Items, cmp.Or(c.Name, c.LocationID))
	}
	switch {
	case len(locations) == 0:
		p.Title = "The agency is connected, but no location yet"
		p.Text = "Milepost has no location to serve yet. In HighLevel's Marketplace, open the app and install it in the locations that Milepost should serve. Each is connected as soon as the app is installed there. `milepost connections` lists them."
	case len(locations) > 1:
		p.Text = "Milepost now keeps the calendars of these locations in step. You can close this page."
	}
	show(w, http.StatusOK, p)
}

// connect exchanges the code and keeps the grant.
func (h *OAuth) connect(ctx context.Context, code, redirectURL string) ([]store.Connection, error) {
	// The browser may go away; the code is used up all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	grant, err := h.app().At(redirectURL).Exchange(ctx, code, highlevel.UserTypeLocation)
	if err != nil {
		return nil, err
	}
	locations, follow, err := h.Connections.Authorized(ctx, grant)
	if err != nil {
		return nil, err
	}
	return locations, h.Follow(ctx, follow)
}

// reason is what a person may read of an error: the vendor's words and ours.
func reason(err error) string {
	if e, ok := errors.AsType[*clients.Error](err); ok {
		return e.Error()
	}
	return "something went wrong here; the log says what"
}

// clip keeps what a URL said short and plain.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 100)]
}

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// page is a page with one thing to say.
type page struct {
	Title, Text  string
	Items        []string
	Link, Action string // what to do next; "" = nothing
}

func show(w http.ResponseWriter, status int, p page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer") // the URL holds the code
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = pageTemplate.Execute(w, p) // the client is gone if this fails
}
