package highlevel_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv/reference"
)

const (
	clientID     = "0123456789abcdef01234567-made0up0"
	clientSecret = "client-secret-0123456789"
	redirectURL  = "http://127.0.0.1:9/oauth/highlevel/callback"
	company      = "company0000000000001"
)

// marketplace is an app and the sandbox where it is registered.
type marketplace struct {
	*highlevel.App
	sandbox *hlfake.Server
	url     string
	now     atomic.Pointer[time.Time]
}

func (m *marketplace) advance(d time.Duration) {
	later := m.now.Load().Add(d)
	m.now.Store(&later)
}

// install installs the app as a person would, and returns the code.
func (m *marketplace) install(t *testing.T, i hlfake.Installation) string {
	t.Helper()
	i.ClientID = clientID
	code, err := m.sandbox.Install(i)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// setupApp returns an agency with n locations and an app. Every call is checked against
// HighLevel's contract.
func setupApp(t *testing.T, n int) (*marketplace, []hlfake.Location) {
	t.Helper()
	m := &marketplace{}
	m.now.Store(&now)
	clock := func() time.Time { return *m.now.Load() }
	m.sandbox = hlfake.New(hlfake.Config{Clock: clock})
	t.Cleanup(m.sandbox.Close)
	m.sandbox.AddApp(hlfake.OAuthApp{ClientID: clientID, ClientSecret: clientSecret, RedirectURIs: []string{redirectURL}, Private: true})
	var locations []hlfake.Location
	for i := range n {
		locations = append(locations, m.sandbox.SeedLocation(hlfake.Location{CompanyID: company, Name: fmt.Sprint("Location ", i)}, nil, nil))
	}
	server := httptest.NewServer(m.sandbox)
	t.Cleanup(server.Close)
	m.url = server.URL
	config := appConfig(server.URL)
	config.HTTP = &http.Client{Transport: reference.HighLevelContract(t).Transport(nil)}
	config.Now = clock
	m.App = highlevel.NewApp(config)
	return m, locations
}

func appConfig(base string) highlevel.AppConfig {
	return highlevel.AppConfig{
		ClientID: clientID, ClientSecret: clientSecret, RedirectURL: redirectURL, BaseURL: base,
		Scopes:    []string{"contacts.readonly", "oauth.write"},
		RetryWait: func(int) time.Duration { return 0 }, Now: func() time.Time { return now },
	}
}

func TestAnAuthorizationURLCarriesWhatHighLevelAsksFor(t *testing.T) {
	got, err := url.Parse(highlevel.NewApp(appConfig("")).AuthorizeURL("state 1"))
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURL},
		"scope": {"contacts.readonly oauth.write"}, "state": {"state 1"}, "version_id": {"0123456789abcdef01234567"},
	}
	if got.Host != "marketplace.gohighlevel.com" || got.Path != "/v2/oauth/chooselocation" || !cmp.Equal(got.Query(), want) {
		t.Errorf("got %v", got)
	}
}

func TestAPersonWhoPicksALocationComesBackWithACodeThatBecomesAGrant(t *testing.T) {
	m, locations := setupApp(t, 1)
	config := appConfig(m.url)
	config.AuthorizeURL = m.url + "/v2/oauth/chooselocation"
	person := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := person.PostForm(highlevel.NewApp(config).AuthorizeURL("s1"), url.Values{"location": {locations[0].ID}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	back, err := res.Location()
	if err != nil || back.Query().Get("state") != "s1" {
		t.Fatalf("sent back with %d to %v: %v", res.StatusCode, back, err)
	}
	grant, err := m.Exchange(t.Context(), back.Query().Get("code"), highlevel.UserTypeLocation)
	if err != nil {
		t.Fatal(err)
	}
	if grant.AccessToken == "" || grant.RefreshToken == "" || grant.UserID == "" {
		t.Errorf("a part is missing in %+v", grant)
	}
	grant.AccessToken, grant.RefreshToken, grant.UserID = "", "", ""
	if diff := cmp.Diff(highlevel.Grant{
		Expires: now.Add(86399 * time.Second), Scopes: []string{"contacts.readonly", "oauth.write"},
		UserType: highlevel.UserTypeLocation, CompanyID: company, LocationID: locations[0].ID,
	}, grant); diff != "" {
		t.Error(diff)
	}
}

func TestARefreshRotatesTheTokensAndMayBeRepeatedForThirtySeconds(t *testing.T) {
	m, locations := setupApp(t, 1)
	first, err := m.Exchange(t.Context(), m.install(t, hlfake.Installation{Locations: []string{locations[0].ID}}), highlevel.UserTypeLocation)
	if err != nil {
		t.Fatal(err)
	}
	m.advance(time.Hour)
	// Concurrent callers all get the same pair.
	grants := make([]highlevel.Grant, 5)
	var callers sync.WaitGroup
	for i := range grants {
		callers.Go(func() {
			grant, err := m.Refresh(t.Context(), first.RefreshToken, first.UserType)
			if err != nil {
				t.Error(err)
			}
			grants[i] = grant
		})
	}
	callers.Wait()
	for _, grant := range grants {
		if !cmp.Equal(grant, grants[0]) || grant.RefreshToken == first.RefreshToken || !grant.Expires.Equal(first.Expires.Add(time.Hour)) {
			t.Errorf("a refresh gave %+v after %+v", grant, first)
		}
	}
	if got, want := m.sandbox.Refreshes(locations[0].ID), (hlfake.RefreshCount{Rotated: 1, Repeated: 4}); got != want {
		t.Errorf("the refreshes were %+v, want %+v", got, want)
	}
	// A lost answer does no harm, because the next try of the same call gets the same
	// grant.
	m.sandbox.Faults().Next("POST /oauth/token", 1, fakehttp.LoseAnswer())
	third, err := m.Refresh(t.Context(), grants[0].RefreshToken, highlevel.UserTypeLocation)
	if err != nil || m.sandbox.Refreshes(locations[0].ID).Rotated != 2 {
		t.Errorf("after a lost answer: %v", err)
	}
	m.advance(30 * time.Second)
	if _, err := m.Refresh(t.Context(), grants[0].RefreshToken, highlevel.UserTypeLocation); clients.ReasonOf(err) != clients.Unauthorized {
		t.Errorf("a token that was used half a minute ago: %v", err)
	}
	if _, err := m.Refresh(t.Context(), third.RefreshToken, highlevel.UserTypeCompany); clients.ReasonOf(err) != clients.Forbidden {
		t.Errorf("the wrong user type: %v", err)
	}
	m.sandbox.SetLocationActive(locations[0].ID, false)
	if _, err := m.Refresh(t.Context(), third.RefreshToken, highlevel.UserTypeLocation); clients.ReasonOf(err) != clients.Inactive {
		t.Errorf("a paused location: %v", err)
	}
	m.sandbox.SetLocationActive(locations[0].ID, true)
	if _, err := m.Refresh(t.Context(), third.RefreshToken, highlevel.UserTypeLocation); err != nil {
		t.Errorf("the grant outlives the pause, yet: %v", err)
	}
	client := highlevel.New(highlevel.Config{BaseURL: m.url, Tokens: highlevel.StaticTokens(third.AccessToken)})
	if _, err := client.Location(t.Context(), locations[0].ID); err != nil {
		t.Errorf("the access token does not work: %v", err)
	}
}

func TestACompanysTokenListsAndOpensItsLocations(t *testing.T) {
	m, locations := setupApp(t, 130) // more than a page
	var ids []string
	for _, l := range locations[:125] {
		ids = append(ids, l.ID)
	}
	grant, err := m.Exchange(t.Context(), m.install(t, hlfake.Installation{CompanyID: company, Locations: ids, Future: true}), highlevel.UserTypeLocation)
	if err != nil {
		t.Fatal(err)
	}
	if grant.UserType != highlevel.UserTypeCompany || !grant.Bulk || !grant.FutureLocations || !cmp.Equal(grant.ApprovedLocations, ids) || grant.LocationID != "" {
		t.Errorf("an agency's grant is %+v", grant)
	}
	installed, err := m.InstalledLocations(t.Context(), grant.AccessToken, company)
	if err != nil || len(installed) != 125 {
		t.Fatalf("%d locations are installed: %v", len(installed), err)
	}
	if got := installed[124]; got.ID != ids[124] || got.Name != "Location 124" || !got.InstalledAt.Equal(now) {
		t.Errorf("the last is %+v", got)
	}
	made, err := m.LocationToken(t.Context(), grant.AccessToken, company, ids[7])
	if err != nil {
		t.Fatal(err)
	}
	if made.UserType != highlevel.UserTypeLocation || made.LocationID != ids[7] || made.CompanyID != company || made.RefreshToken == "" || !made.Expires.Equal(now.Add(24*time.Hour)) {
		t.Errorf("a location's grant is %+v", made)
	}
	if _, err := m.Refresh(t.Context(), made.RefreshToken, highlevel.UserTypeLocation); err != nil {
		t.Errorf("it refreshes by itself, yet: %v", err)
	}
	if _, err := m.LocationToken(t.Context(), made.AccessToken, company, ids[8]); clients.ReasonOf(err) != clients.Forbidden || !strings.Contains(err.Error(), "agency") {
		t.Errorf("a location's token opens no other: %v", err)
	}
	if err := m.sandbox.Uninstall(clientID, company); err != nil {
		t.Fatal(err)
	}
	if _, err := m.InstalledLocations(t.Context(), grant.AccessToken, company); clients.ReasonOf(err) != clients.Unauthorized {
		t.Errorf("after the uninstall: %v", err)
	}
}

func TestOAuthErrorsSayWhetherTheGrantIsDead(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		body   string
		reason clients.Reason
		say    string
		tries  int32 // 0 = 1
	}{
		{"a refresh token that was used", 400, `{"statusCode":400,"message":"Invalid grant: refresh token is invalid","error":"Bad Request"}`, clients.Unauthorized, "connect again", 0},
		{"the same as OAuth's own error", 400, `{"error":"invalid_grant","error_description":"Invalid grant: refresh token is invalid"}`, clients.Unauthorized, "connect again", 0},
		{"the same by its code alone", 400, `{"error":"invalid_grant"}`, clients.Unauthorized, "connect again", 0},
		{"a code that was used", 401, `{"error":"UnAuthorized!","error_description":"Authorization code not found"}`, clients.Unauthorized, "connect again", 0},
		{"a code that was used, as 400", 400, `{"message":"Authorization code not found"}`, clients.Unauthorized, "connect again", 0},
		{"a location that is paused", 400, `{"statusCode":400,"message":"Location is not active"}`, clients.Inactive, "paused", 0},
		{"a location that is paused, in v3", 400, `{"error":{"code":"FAILED_PRECONDITION","message":"Location is not active"}}`, clients.Inactive, "paused", 0},
		{"a wrong client secret", 401, `{"error":"invalid_client","error_description":"Invalid client: client is invalid"}`, clients.Forbidden, "client secret", 0},
		{"a wrong client secret, as 400", 400, `{"error":"invalid_client"}`, clients.Forbidden, "client secret", 0},
		{"a 401 that blames nothing", 401, `{"message":"Unauthorized"}`, clients.Forbidden, "client secret", 0},
		{"the wrong user type", 401, `{"message":"Token's user type mismatch!"}`, clients.Forbidden, "user type", 0},
		{"a missing parameter", 400, `{"message":"Missing parameter: ` + "`code`" + `"}`, clients.Invalid, "Missing parameter", 0},
		{"something that is not found", 400, `{"message":"thing not found"}`, clients.Invalid, "thing", 0},
		{"an unknown field", 422, `{"message":["property x should not exist"]}`, clients.Invalid, "property x", 0},
		{"a wrong base URL", 404, `<html>nginx</html>`, clients.Unavailable, "check the base URL", 0},
		{"too many requests", 429, `{"message":"Too Many Requests"}`, clients.RateLimited, "", 0},
		{"a failure on their side", 503, ``, clients.Unavailable, "", 3},
		{"an answer that is no JSON", 200, `<html>`, clients.Unavailable, "", 0},
		{"an answer without a token", 200, `{"token_type":"Bearer"}`, clients.Unavailable, "no access token", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var tries atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				tries.Add(1)
				answer(tc.status, tc.body)(w, r)
			}))
			defer server.Close()
			_, err := highlevel.NewApp(appConfig(server.URL)).Refresh(t.Context(), "refresh-token-0123456789", highlevel.UserTypeLocation)
			if clients.ReasonOf(err) != tc.reason || !strings.Contains(fmt.Sprint(err), tc.say) {
				t.Errorf("%q: %v, want %q with %q", clients.ReasonOf(err), err, tc.reason, tc.say)
			}
			if want := max(tc.tries, 1); tries.Load() != want {
				t.Errorf("%d tries, want %d", tries.Load(), want)
			}
		})
	}
}

func TestAnOAuthErrorShowsNoSecretThatHighLevelEchoes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		answer(400, fmt.Sprintf(`{"message":"no: %s %s %s %s %s"}`, r.PostForm.Get("code"), r.PostForm.Get("refresh_token"),
			r.PostForm.Get("client_secret"), r.Header.Get("Authorization"), r.URL.RawQuery))(w, r)
	}))
	app := highlevel.NewApp(appConfig(server.URL))
	try := func(want string, reason clients.Reason) {
		t.Helper()
		_, exchanged := app.Exchange(t.Context(), "code-0123456789", highlevel.UserTypeLocation)
		_, refreshed := app.Refresh(t.Context(), "refresh-0123456789", highlevel.UserTypeLocation)
		_, made := app.LocationToken(t.Context(), "access-0123456789", company, "loc1")
		_, listed := app.InstalledLocations(t.Context(), "access-0123456789", company)
		for _, err := range []error{exchanged, refreshed, made, listed} {
			if err == nil || strings.Contains(err.Error(), "-0123456789") || !strings.Contains(err.Error(), want) || clients.ReasonOf(err) != reason {
				t.Errorf("%q: %v", clients.ReasonOf(err), err)
			}
		}
	}
	try("[token]", clients.Invalid)
	server.Close()
	try("refused", clients.Unavailable) // the connection is refused
}

func TestAGrantThatDoesNotSayWhomItIsOfIsNone(t *testing.T) {
	for _, answer := range []string{
		`{"access_token":"x","userType":"Location"}`,
		`{"access_token":"x","userType":"Location","companyId":"g1"}`,
		`{"access_token":"x","userType":"Company"}`,
		`{"access_token":"x"}`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, answer)
		}))
		defer server.Close()
		app := highlevel.NewApp(highlevel.AppConfig{ClientID: "app-1", ClientSecret: "s", BaseURL: server.URL})
		if _, err := app.Exchange(t.Context(), "code", highlevel.UserTypeLocation); clients.ReasonOf(err) != clients.Unavailable {
			t.Errorf("%s: %v, want Unavailable", answer, err)
		}
	}
}
