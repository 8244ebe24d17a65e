package highlevel

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"milepost/internal/sandbox/fakehttp"
)

// OAuthApp is an app of HighLevel's marketplace.
type OAuthApp struct {
	ClientID     string // "<app id>-<suffix>"; of HighLevelConfig.AppID when empty
	ClientSecret string // generated when empty
	Name         string
	RedirectURIs []string // where codes may go, to the letter; none = to any place on loopback
	Scopes       []string // what tokens can have; none = AllScopes
	// Private apps are refused at the authorization page without version_id (observed).
	Private bool
}

// ID is the part of the client id before "-", which webhooks carry as appId.
func (a OAuthApp) ID() string {
	id, _, _ := strings.Cut(a.ClientID, "-")
	return id
}

// AllScopes are the scopes of what the fake can do.
var AllScopes = []string{
	"contacts.readonly", "contacts.write", "locations.readonly", "locations.write",
	"locations/customFields.readonly", "locations/customFields.write", "locations/customValues.readonly", "locations/customValues.write",
	"locations/tags.readonly", "locations/tags.write", "locations/tasks.readonly", "locations/tasks.write",
	"opportunities.readonly", "opportunities.write", "calendars.readonly", "calendars.write",
	"calendars/events.readonly", "calendars/events.write", "calendars/groups.readonly", "calendars/groups.write",
	"locations/templates.readonly", "locations/templates.write", "businesses.readonly", "businesses.write", "workflows.readonly", "campaigns.readonly",
	"calendars/resources.readonly", "calendars/resources.write", "users.readonly", "users.write", "oauth.readonly", "oauth.write",
}

// Installation is what a person picks at the authorization page. With
// CompanyID the person is a user of the agency and the tokens are a Company's;
// without it, one location is picked and the tokens are that Location's.
type Installation struct {
	ClientID  string
	CompanyID string   // the agency
	Locations []string // one without CompanyID; with it any number, and more than one is a bulk install
	Future    bool     // of an agency: locations it adds later too
	UserID    string   // who installs; made when empty
	Scopes    []string // what is asked for; none = all of the app's
}

// RefreshCount is what became of the refreshes of one company or location.
type RefreshCount struct {
	Rotated  int // gave a new pair
	Repeated int // gave the same pair again, within 30 s of the first use
	Refused  int // of a token that was used before, or of an inactive location
}

const (
	classCompany  = "Company"
	classLocation = "Location"

	codeLives    = time.Minute              // HighLevel does not say; ours is short
	accessLives  = 86399 * time.Second      // HighLevel OpenAPI, expires_in
	refreshLives = 365 * 24 * time.Hour     // "1 year or until used"
	repeatWindow = 30 * time.Second         // a used refresh token gives the same pair for so long
	forgetAfter  = 24 * time.Hour           // of expired access tokens, which are told from unknown ones
	maxGrants    = 10000                    // codes, access tokens and refresh tokens each
	appSuffix    = "-sandbox"               // of a client id that is made here
	secretPrefix = "sandbox-client-secret-" // of a client secret that is made here
)

// oauth is who installed what, and the codes and refresh tokens of it. Access
// tokens are in HighLevel.tokens. It is guarded by HighLevel.mu.
type oauth struct {
	apps      map[string]*OAuthApp // by client id
	installed map[installed]*installation
	codes     map[string]*code
	refresh   map[string]*refreshToken
	counts    map[string]*RefreshCount // by company or location
	inactive  map[string]bool          // locations
}

// installed says which app is installed where: on a company or a location.
type installed struct{ appID, place string }

type installation struct {
	at     time.Time
	future bool
}

// A grant is what a person approved; its code, its access tokens and its
// refresh tokens point to it.
type grant struct {
	app                           *OAuthApp
	class                         string
	companyID, locationID, userID string
	scopes                        []string
	approved                      []string // of a company
	bulk, future                  bool
}

// place is the company or location that the grant is of.
func (g *grant) place() string {
	if g.class == classCompany {
		return g.companyID
	}
	return g.locationID
}

type code struct {
	grant       *grant
	redirectURI string // "" = none was given
	expires     time.Time
}

type refreshToken struct {
	grant   *grant
	expires time.Time
	used    time.Time      // zero = not yet
	answer  map[string]any // of the first use
}

func newOAuth() oauth {
	return oauth{
		apps: map[string]*OAuthApp{}, installed: map[installed]*installation{}, codes: map[string]*code{},
		refresh: map[string]*refreshToken{}, counts: map[string]*RefreshCount{}, inactive: map[string]bool{},
	}
}

// AddApp registers an app and returns it with what was made for it.
func (h *Server) AddApp(app OAuthApp) OAuthApp {
	h.mu.Lock()
	defer h.mu.Unlock()
	if app.ClientID == "" {
		app.ClientID = h.config.AppID + appSuffix
	}
	if app.ClientSecret == "" {
		app.ClientSecret = secretPrefix + fakehttp.UUID()
	}
	if app.Name == "" {
		app.Name = "Sandbox app"
	}
	if len(app.Scopes) == 0 {
		app.Scopes = slices.Clone(AllScopes)
	}
	h.oauth.apps[app.ClientID] = &app
	return app
}

// Install installs an app as a person does at the authorization page, sends
// the INSTALL webhooks, and returns the code for the exchange. The webhooks
// may arrive before the code is exchanged, as HighLevel's do (issue #294).
func (h *Server) Install(i Installation) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.install(i, "")
}

func (h *Server) install(i Installation, redirectURI string) (string, error) {
	app := h.oauth.apps[i.ClientID]
	if app == nil {
		return "", fmt.Errorf("install: no app has the client id %q", i.ClientID)
	}
	g := &grant{
		app: app, class: classCompany, companyID: i.CompanyID, userID: i.UserID, scopes: i.Scopes,
		approved: slices.Clone(i.Locations), bulk: len(i.Locations) > 1, future: i.Future,
	}
	if g.userID == "" {
		g.userID = newID()
	}
	if len(g.scopes) == 0 {
		g.scopes = app.Scopes
	}
	for _, scope := range g.scopes {
		if !slices.Contains(app.Scopes, scope) {
			return "", fmt.Errorf("install: the app has no scope %q", scope)
		}
	}
	for _, id := range i.Locations {
		switch l := h.locations[id]; {
		case l == nil:
			return "", fmt.Errorf("install: no location %q", id)
		case i.CompanyID != "" && l.CompanyID != i.CompanyID:
			return "", fmt.Errorf("install: location %q is not of company %q", id, i.CompanyID)
		}
	}
	if i.CompanyID == "" {
		if len(i.Locations) != 1 || i.Future {
			return "", fmt.Errorf("install: a sub-account's user picks exactly one location")
		}
		g.class, g.locationID, g.approved = classLocation, i.Locations[0], nil
		g.companyID = h.locations[g.locationID].CompanyID
	} else {
		h.setInstalled(app, i.CompanyID, i.Future)
		h.emitInstall(g, "")
	}
	for _, id := range i.Locations {
		h.setInstalled(app, id, false)
		h.emitInstall(g, id)
	}
	key := strings.ReplaceAll(fakehttp.UUID()+fakehttp.UUID(), "-", "")[:40]
	h.forgetGrants()
	h.oauth.codes[key] = &code{grant: g, redirectURI: redirectURI, expires: h.clock().Add(cmp.Or(h.config.CodeLives, codeLives))}
	h.notice.Changed()
	return key, nil
}

func (h *Server) setInstalled(app *OAuthApp, place string, future bool) {
	h.oauth.installed[installed{app.ID(), place}] = &installation{at: h.clock(), future: future}
}

// AddLocation adds a location as an agency does while it works: an app that
// the agency installed for future locations is installed there, and HighLevel
// sends INSTALL for it, without userId.
func (h *Server) AddLocation(l Location, users []User, fields []CustomField) Location {
	l = h.SeedLocation(l, users, fields)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, app := range h.oauth.apps {
		if at := h.oauth.installed[installed{app.ID(), l.CompanyID}]; at != nil && at.future {
			h.setInstalled(app, l.ID, false)
			h.emitInstall(&grant{app: app, companyID: l.CompanyID}, l.ID)
		}
	}
	h.notice.Changed()
	return l
}

// Uninstall removes an app from a location, or from a company and all its
// locations, revokes their tokens, and sends UNINSTALL. For a company there is
// one webhook without a locationId: whether HighLevel sends one for each
// location too is not documented. Webhooks about records go on.
func (h *Server) Uninstall(clientID, place string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	app := h.oauth.apps[clientID]
	if app == nil || h.oauth.installed[installed{app.ID(), place}] == nil {
		return fmt.Errorf("uninstall: the app with the client id %q is not installed on %q", clientID, place)
	}
	gone := map[string]bool{place: true}
	for id, l := range h.locations {
		if l.CompanyID == place {
			gone[id] = true
		}
	}
	for id := range gone {
		delete(h.oauth.installed, installed{app.ID(), id})
	}
	revoked := func(g *grant) bool { return g != nil && g.app == app && gone[g.place()] }
	for key, token := range h.tokens {
		if revoked(token.grant) {
			delete(h.tokens, key)
		}
	}
	for key, token := range h.oauth.refresh {
		if revoked(token.grant) {
			delete(h.oauth.refresh, key)
		}
	}
	for key, code := range h.oauth.codes {
		if revoked(code.grant) {
			delete(h.oauth.codes, key)
		}
	}
	h.emitUninstall(app, place)
	h.notice.Changed()
	return nil
}

// SetLocationActive pauses a location, as HighLevel does when it is not paid,
// or makes it active again. While it is paused its tokens cannot be refreshed
// or made; those that exist work on.
func (h *Server) SetLocationActive(locationID string, active bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if active {
		delete(h.oauth.inactive, locationID)
	} else {
		h.oauth.inactive[locationID] = true
	}
}

// ExpireToken makes an access token or a refresh token too old at once.
func (h *Server) ExpireToken(token string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known := h.tokens[token]; known != nil {
		known.expires = h.clock()
	}
	if known := h.oauth.refresh[token]; known != nil {
		known.expires = h.clock()
	}
}

// LimitToken leaves a Private Integration Token with these scopes alone.
func (h *Server) LimitToken(token string, scopes ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known := h.tokens[token]; known != nil {
		known.limited, known.scopes = true, slices.Clone(scopes)
	}
}

// Refreshes returns how often the tokens of a company or location were refreshed.
func (h *Server) Refreshes(place string) RefreshCount {
	h.mu.Lock()
	defer h.mu.Unlock()
	if count := h.oauth.counts[place]; count != nil {
		return *count
	}
	return RefreshCount{}
}

// count returns the counters of a grant's place; places that are known bound the map.
func (h *Server) count(g *grant) *RefreshCount {
	count := h.oauth.counts[g.place()]
	if count == nil {
		count = &RefreshCount{}
		h.oauth.counts[g.place()] = count
	}
	return count
}

// forgetGrants drops what nobody can use any more, and any at all where a
// caller makes more than maxGrants.
func (h *Server) forgetGrants() {
	now := h.clock()
	for key, code := range h.oauth.codes {
		if !now.Before(code.expires) || len(h.oauth.codes) >= maxGrants {
			delete(h.oauth.codes, key)
		}
	}
	for key, token := range h.oauth.refresh {
		tooOld := !now.Before(token.expires) || (!token.used.IsZero() && now.Sub(token.used) > forgetAfter)
		if tooOld || len(h.oauth.refresh) >= maxGrants {
			delete(h.oauth.refresh, key)
		}
	}
	for key, token := range h.tokens {
		if token.grant != nil && (now.Sub(token.expires) > forgetAfter || len(h.tokens) >= maxGrants) {
			delete(h.tokens, key)
		}
	}
}

// mayRedirect tells whether a code may be sent to the URI.
func (a *OAuthApp) mayRedirect(uri string) bool {
	if len(a.RedirectURIs) > 0 {
		return slices.Contains(a.RedirectURIs, uri)
	}
	u, err := url.Parse(uri)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
}
