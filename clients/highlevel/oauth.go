package highlevel

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"milepost/clients"
)

// DefaultAuthorizeURL is where a person selects the locations that an app may access
// (HighLevel's documentation since 2026-05; the path without /v2 still works).
const DefaultAuthorizeURL = "https://marketplace.gohighlevel.com/v2/oauth/chooselocation"

// UserType says whether a token belongs to an agency or a location.
type UserType string

const (
	UserTypeCompany  UserType = "Company"  // an agency; App.LocationToken creates tokens for its locations
	UserTypeLocation UserType = "Location" // one sub-account
)

const (
	opExchange  = "exchange authorization code"
	opRefresh   = "refresh token"
	opMint      = "get location token"
	opInstalled = "list installed locations"
)

// NeededScopes returns the scopes that Milepost uses: contacts with their records and tags;
// the location's name, zone, fields and tasks; its users (only for a check); and an
// agency's locations.
func NeededScopes() []string {
	return []string{
		"contacts.readonly", "contacts.write", "locations.readonly", "locations/customFields.readonly",
		"locations/tasks.readonly", "users.readonly", "oauth.readonly", "oauth.write",
	}
}

// AppConfig describes a Marketplace app.
type AppConfig struct {
	ClientID     string // "<app id>-<suffix>"
	ClientSecret string
	RedirectURL  string   // exactly as registered with the app
	Scopes       []string // the scopes to request; none = NeededScopes
	BaseURL      string   // "" = DefaultBaseURL
	AuthorizeURL string   // "" = DefaultAuthorizeURL
	HTTP         *http.Client
	// RetryWait is the pause before the nth retry (1, 2) within one call; nil = about 0.3 s and 1 s.
	RetryWait func(retry int) time.Duration
	Now       func() time.Time // nil = time.Now
}

// App makes the OAuth 2.0 calls of one Marketplace app. It keeps no token. It
// is safe for concurrent use, but a refresh token should be refreshed by one
// caller at a time: see Refresh.
//
// Every error is a *clients.Error without code, token or secret. Its Reason is
//   - Unauthorized: the code, refresh token or company token is no longer valid; connect again.
//   - Inactive: the location is paused or unpaid; keep the grant and retry later.
//   - Forbidden: client id or secret, scope or user type is wrong; a new token does not help.
//   - RateLimited, Unavailable: retry later; for a refresh see Refresh.
//   - Invalid: HighLevel rejects the request; the same request will never succeed.
type App struct {
	cfg       AppConfig
	transport *clients.Transport
}

// NewApp returns an app. It makes no call; the first call reports a wrong base URL.
func NewApp(cfg AppConfig) *App {
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if len(cfg.Scopes) == 0 {
		cfg.Scopes = NeededScopes()
	}
	if cfg.AuthorizeURL == "" {
		cfg.AuthorizeURL = DefaultAuthorizeURL
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &App{cfg, clients.NewTransport(clients.TransportConfig{
		API:     "HighLevel",
		BaseURL: cfg.BaseURL,
		// With "v3", the same calls have other field names.
		Header:    http.Header{"Version": {DefaultVersion}},
		Explain:   explainOAuth,
		Limit:     limit,
		RetryWait: cfg.RetryWait,
		HTTP:      cfg.HTTP,
		Now:       cfg.Now,
	})}
}

// At returns the same app with another redirect URL.
func (a *App) At(redirectURL string) *App {
	at := *a
	at.cfg.RedirectURL = redirectURL
	return &at
}

// ID returns the app's id, which webhooks carry as appId: the client id up to its "-".
func (a *App) ID() string {
	id, _, _ := strings.Cut(a.cfg.ClientID, "-")
	return id
}

// Scopes returns the scopes that an installation requests.
func (a *App) Scopes() []string { return slices.Clone(a.cfg.Scopes) }

// AuthorizeURL is where a person connects a location or an agency. HighLevel sends state
// back with the code; it must be unguessable and bound to the person's session. The
// portal's own link contains version_id; without it, HighLevel rejects a private app with
// error.noversionid (observed).
func (a *App) AuthorizeURL(state string) string {
	config := oauth2.Config{
		ClientID: a.cfg.ClientID, RedirectURL: a.cfg.RedirectURL, Scopes: a.cfg.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: a.cfg.AuthorizeURL},
	}
	return config.AuthCodeURL(state, oauth2.SetAuthURLParam("version_id", a.ID()))
}

// Grant is a pair of tokens and their scope.
type Grant struct {
	AccessToken  string
	RefreshToken string    // valid for a year or until its first use; "" if HighLevel sends none
	Expires      time.Time // when the access token expires, counted from before the call
	Scopes       []string
	UserType     UserType
	CompanyID    string
	LocationID   string // "" for an agency
	UserID       string // the user who installed the app

	ApprovedLocations []string // for an agency: the selected locations; may be incomplete (HighLevel issue #294)
	Bulk              bool     // several locations were installed at once
	FutureLocations   bool     // the app is also installed at locations that the agency adds later
}

// lifetime is how long an access token is valid if the answer does not say (HighLevel
// OpenAPI, expires_in).
const lifetime = 86399 * time.Second

func readGrant(o clients.Object, asked time.Time) Grant {
	lives := lifetime
	if seconds, err := strconv.ParseFloat(o.Text("expires_in"), 64); err == nil && seconds >= 0 && seconds < 1e9 {
		lives = time.Duration(seconds) * time.Second
	}
	return Grant{
		AccessToken: o.Text("access_token"), RefreshToken: o.Text("refresh_token"), Expires: asked.Add(lives),
		Scopes: strings.Fields(o.Text("scope")), UserType: UserType(o.Text("userType")),
		CompanyID: o.Text("companyId"), LocationID: o.Text("locationId"), UserID: o.Text("userId"),
		ApprovedLocations: o.Texts("approvedLocations"),
		Bulk:              o.Bool("isBulkInstallation"), FutureLocations: o.Bool("installToFutureLocations"),
	}
}

// Exchange turns the code from the redirect URL into a grant. A code works only once and
// for a short time. So after a lost answer, a retry may be Unauthorized, and the person
// must connect again. userType is only a wish: an agency's user always gets a Company
// grant, so use the grant's UserType. If the answer names neither location nor company, the
// error is Unavailable.
func (a *App) Exchange(ctx context.Context, code string, userType UserType) (Grant, error) {
	grant, err := a.token(ctx, opExchange, "authorization_code", "code", code, userType)
	of := grant.CompanyID
	if grant.UserType == UserTypeLocation {
		of = grant.LocationID
	}
	if err == nil && of == "" {
		return Grant{}, &clients.Error{
			API: "HighLevel", Operation: opExchange, Status: http.StatusOK,
			Reason: clients.Unavailable, Message: "the answer does not say which location or company the grant is of",
		}
	}
	return grant, err
}

// Refresh turns a refresh token into a new grant, and so invalidates the token: store the
// new pair before you use it. userType must be the grant's, or HighLevel rejects the call.
// Within 30 s of its first use, the same refresh token returns the same new one. So repeat
// a refresh that failed as Unavailable within that time; the tries of one call end within
// 25 s. After that, Unauthorized means that the grant is no longer valid.
func (a *App) Refresh(ctx context.Context, refreshToken string, userType UserType) (Grant, error) {
	grant, err := a.token(ctx, opRefresh, "refresh_token", "refresh_token", refreshToken, userType)
	if err == nil && grant.RefreshToken == "" {
		grant.RefreshToken = refreshToken // RFC 6749, section 6: then the old one stays valid
	}
	return grant, err
}

func (a *App) token(ctx context.Context, operation, grantType, key, secret string, userType UserType) (Grant, error) {
	form := url.Values{
		"client_id": {a.cfg.ClientID}, "client_secret": {a.cfg.ClientSecret}, "grant_type": {grantType},
		key: {secret}, "user_type": {string(userType)},
	}
	if a.cfg.RedirectURL != "" {
		form.Set("redirect_uri", a.cfg.RedirectURL)
	}
	return a.grant(ctx, clients.Call{
		Operation: operation, Method: http.MethodPost, Path: "/oauth/token",
		Body: form, Secrets: []string{secret, a.cfg.ClientSecret},
	})
}

// LocationToken creates a grant for one location from an agency's access token. It needs
// the scope oauth.write. Each call creates another grant.
func (a *App) LocationToken(ctx context.Context, companyToken, companyID, locationID string) (Grant, error) {
	grant, err := a.grant(ctx, clients.Call{
		Operation: opMint, Subject: locationID, Method: http.MethodPost, Path: "/oauth/locationToken",
		Authorization: "Bearer " + companyToken,
		Body:          url.Values{"companyId": {companyID}, "locationId": {locationID}},
	})
	if err != nil {
		return Grant{}, err
	}
	// The answer has neither company nor user type (HighLevel OpenAPI).
	grant.UserType, grant.CompanyID, grant.LocationID = UserTypeLocation, companyID, locationID
	return grant, nil
}

// grant makes a call that answers with tokens. Repeating such a call does no harm: it
// creates another grant, returns the same one, or is rejected.
func (a *App) grant(ctx context.Context, call clients.Call) (Grant, error) {
	asked := a.cfg.Now()
	var out clients.Object
	call.Effect, call.Out = clients.Idempotent, &out
	if err := a.transport.Do(ctx, call); err != nil {
		return Grant{}, err
	}
	grant := readGrant(out, asked)
	if grant.AccessToken == "" {
		return Grant{}, &clients.Error{
			API: "HighLevel", Operation: call.Operation, Subject: call.Subject, Status: http.StatusOK,
			Reason: clients.Unavailable, Message: "the answer holds no access token",
		}
	}
	return grant, nil
}

// InstalledLocation is a location of an agency where the app is installed.
type InstalledLocation struct {
	ID          string
	Name        string
	Address     string
	VersionID   string    // of the app
	InstalledAt time.Time // zero if HighLevel does not say
}

const (
	installedPage  = 100  // locations per page; HighLevel documents a default of 20 and no maximum
	installedPages = 1000 // the limit of pages
)

// InstalledLocations lists all locations of the company where the app is installed, page by
// page. It needs the scope oauth.readonly. It may miss a location that is installed or
// removed during the call.
func (a *App) InstalledLocations(ctx context.Context, companyToken, companyID string) ([]InstalledLocation, error) {
	var all []InstalledLocation
	seen := map[string]bool{}
	for skip, page := 0, 0; page < installedPages; page++ {
		var out struct{ Locations *[]clients.Object }
		err := a.transport.Do(ctx, clients.Call{
			Operation: opInstalled, Subject: companyID, Method: http.MethodGet, Path: "/oauth/installedLocations",
			Authorization: "Bearer " + companyToken,
			Query: url.Values{
				"companyId": {companyID}, "appId": {a.ID()}, "isInstalled": {"true"},
				"skip": {strconv.Itoa(skip)}, "limit": {strconv.Itoa(installedPage)},
			},
			Out: &out,
		})
		rows, err := listed(opInstalled, companyID, out.Locations, func(o clients.Object) string { return o.Text("_id") }, err)
		if err != nil {
			return nil, err
		}
		// The server may cap the page, so a short page is not the last. Only a page without
		// new locations is.
		before := len(seen)
		for _, row := range rows {
			if id := row.Text("_id"); !seen[id] {
				seen[id] = true
				if row.Raw("isInstalled") == nil || row.Bool("isInstalled") {
					all = append(all, InstalledLocation{
						ID: id, Name: row.Text("name"), Address: row.Text("address"),
						VersionID: row.Text("versionId"), InstalledAt: timestamp(row.Raw("installedAt")),
					})
				}
			}
		}
		if len(seen) == before {
			break
		}
		skip += len(rows)
	}
	return all, nil
}

var (
	deadGrant = regexp.MustCompile(`(?i)invalid[ _]grant|authorization code|refresh token is invalid`)
	notActive = regexp.MustCompile(`(?i)location is not active`)
	wrongApp  = regexp.MustCompile(`(?i)(invalid|unauthorized)[ _]client|client_(id|secret)`)
)

// explainOAuth does what explain does, and adds what only the OAuth calls answer. The texts
// are from HighLevel's OpenAPI (apps/v3/oauth-v3.json) and its issue #249; "code not found"
// was observed.
func explainOAuth(e *clients.Error, call clients.Call, body []byte) {
	explain(e, call, body)
	if e.Status != http.StatusBadRequest && e.Status != http.StatusUnauthorized {
		return
	}
	text := strings.ToLower(e.Message)
	switch {
	case notActive.MatchString(e.Message):
		e.Reason = clients.Inactive
		e.Todo = "the location is paused or unpaid at HighLevel: the same token works again once it is active"
	case deadGrant.MatchString(e.Message):
		e.Reason = clients.Unauthorized
		e.Todo = "connect again: the authorization was used or revoked, or is too old"
	case strings.Contains(text, "user type mismatch"):
		e.Reason = clients.Forbidden
		e.Todo = "ask with the user type of the grant"
	case e.Status == http.StatusUnauthorized && call.Authorization == "", wrongApp.MatchString(e.Message):
		// No bearer token was sent, and the answer does not name the grant, so HighLevel
		// rejects the app. Milepost must not give up a grant because of a wrong client
		// secret.
		e.Reason = clients.Forbidden
		e.Todo = "check the client id and the client secret of the app"
	case strings.Contains(text, "authclass"):
		e.Todo = "use the token of an agency, not of a sub-account"
	case e.Reason == clients.NotFound: // here, a 400 "… not found" is not about a record
		e.Reason = clients.Invalid
	}
}
