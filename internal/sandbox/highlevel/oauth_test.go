package highlevel

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/internal/testenv/reference"
)

const (
	agency   = "agency00000000000001"
	north    = "north000000000000001"
	south    = "south000000000000001"
	callback = "http://127.0.0.1:9/callback"
)

type oauthTest struct {
	*fakeTest
	app OAuthApp
}

// setupOAuth is an agency with two locations and an app that nobody has installed.
func setupOAuth(t *testing.T, changes ...func(*Config)) *oauthTest {
	t.Helper()
	h := setup(t, changes...)
	h.SeedLocation(Location{ID: north, CompanyID: agency, Name: "North & Co"}, nil, nil)
	h.SeedLocation(Location{ID: south, CompanyID: agency, Name: "South"}, nil, nil)
	return &oauthTest{h, h.AddApp(OAuthApp{RedirectURIs: []string{callback}, Private: true})}
}

func (o *oauthTest) installApp(i Installation) (code string) {
	o.t.Helper()
	i.ClientID = o.app.ClientID
	code, err := o.Install(i)
	if err != nil {
		o.t.Fatal(err)
	}
	return code
}

// post sends a form without token and Version.
func (o *oauthTest) post(path string, header http.Header, fields ...string) (int, map[string]any) {
	o.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	req, err := http.NewRequest("POST", o.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for key, values := range header {
		req.Header[key] = values
	}
	res, err := o.client.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		o.t.Fatalf("POST %s: %v", path, err)
	}
	return res.StatusCode, answer
}

func (o *oauthTest) exchangeCode(code string) map[string]any {
	o.t.Helper()
	status, answer := o.post("/oauth/token", nil, "client_id", o.app.ClientID, "client_secret", o.app.ClientSecret,
		"grant_type", "authorization_code", "code", code, "user_type", "Location", "redirect_uri", callback)
	if status != http.StatusOK {
		o.t.Fatalf("the exchange answered %d %v", status, answer)
	}
	return answer
}

func (o *oauthTest) refreshToken(token any, userType string) (int, map[string]any) {
	o.t.Helper()
	return o.post("/oauth/token", nil, "client_id", o.app.ClientID, "client_secret", o.app.ClientSecret,
		"grant_type", "refresh_token", "refresh_token", token.(string), "user_type", userType)
}

// as makes the following calls with this token.
func (o *oauthTest) as(token any) *oauthTest {
	o.headers["Authorization"] = "Bearer " + token.(string)
	return o
}

func (o *oauthTest) locationToken(company map[string]any, location string) (int, map[string]any) {
	o.t.Helper()
	return o.post("/oauth/locationToken", http.Header{
		"Version": {"2021-07-28"}, "Authorization": {"Bearer " + company["access_token"].(string)},
	}, "companyId", agency, "locationId", location)
}

func says(answer map[string]any) string {
	return fmt.Sprint(answer["message"], " ", answer["error"], " ", answer["error_description"])
}

func TestHighLevelLetsAPersonPickLocationsAndSendsThemBackWithACode(t *testing.T) {
	o := setupOAuth(t)
	o.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	query := url.Values{
		"response_type": {"code"}, "client_id": {o.app.ClientID}, "redirect_uri": {callback},
		"scope": {"contacts.readonly contacts.write"}, "state": {"a state&b"}, "version_id": {o.app.ID()},
	}
	for _, path := range []string{"/v2/oauth/chooselocation", "/oauth/chooselocation"} {
		res, err := o.client.Get(o.url + path + "?" + query.Encode())
		if err != nil {
			t.Fatal(err)
		}
		page, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK || !strings.Contains(string(page), "North &amp; Co") || !strings.Contains(string(page), `value="`+south+`"`) {
			t.Errorf("GET %s answered %d:\n%s", path, res.StatusCode, page)
		}
	}
	for name, tc := range map[string]struct {
		form  url.Values
		class string
		bulk  bool
	}{
		"one location":          {url.Values{"location": {north}}, "Location", false},
		"several of an agency":  {url.Values{"company": {agency}, "location": {north, south}}, "Company", true},
		"the agency by itself":  {url.Values{"company": {agency}}, "Company", false},
		"future locations, too": {url.Values{"company": {agency}, "location": {north}, "future": {"true"}}, "Company", false},
	} {
		res, err := o.client.PostForm(o.url+"/v2/oauth/chooselocation?"+query.Encode(), tc.form)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		back, err := res.Location()
		if err != nil || !strings.HasPrefix(back.String(), callback+"?") || back.Query().Get("state") != "a state&b" {
			t.Fatalf("%s: answered %d with Location %v", name, res.StatusCode, back)
		}
		got := o.exchangeCode(back.Query().Get("code"))
		if got["userType"] != tc.class || got["isBulkInstallation"] != tc.bulk || got["scope"] != "contacts.readonly contacts.write" {
			t.Errorf("%s: the code became %v", name, got)
		}
		if _, has := got["locationId"]; has != (tc.class == "Location") {
			t.Errorf("%s: locationId is for a Location alone: %v", name, got)
		}
	}
	for name, change := range map[string]func(url.Values){
		"an unknown app":                   func(q url.Values) { q.Set("client_id", "nobody") },
		"another redirect_uri":             func(q url.Values) { q.Set("redirect_uri", callback+"/") },
		"a private app without version_id": func(q url.Values) { q.Del("version_id") },
		"no response_type":                 func(q url.Values) { q.Del("response_type") },
		"a scope the app has not":          func(q url.Values) { q.Set("scope", "invoices.readonly") },
	} {
		wrong := url.Values{}
		for key := range query {
			wrong.Set(key, query.Get(key))
		}
		change(wrong)
		res, err := o.client.PostForm(o.url+"/v2/oauth/chooselocation?"+wrong.Encode(), url.Values{"location": {north}})
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s is let in: %d", name, res.StatusCode)
		}
	}
}

func TestHighLevelTakesACodeOnceAndSoon(t *testing.T) {
	o := setupOAuth(t)
	const notFound = "Authorization code not found"
	try := func(code string, fields ...string) string {
		t.Helper()
		status, answer := o.post("/oauth/token", nil, append([]string{
			"client_id", o.app.ClientID, "client_secret", o.app.ClientSecret, "grant_type", "authorization_code", "code", code,
		}, fields...)...)
		return fmt.Sprint(status, " ", says(answer))
	}
	if got := try("unknown", "client_secret", "wrong"); !strings.Contains(got, notFound) || !strings.HasPrefix(got, "401") {
		t.Errorf("a code is looked up before the client is checked, yet: %s", got)
	}
	code := o.installApp(Installation{Locations: []string{north}})
	if got := try(code, "client_secret", "wrong"); !strings.Contains(got, "Invalid client") {
		t.Errorf("a wrong client secret: %s", got)
	}
	if got := try(code, "clientId", "x"); !strings.Contains(got, "property clientId should not exist") {
		t.Errorf("an unknown field: %s", got)
	}
	if got := try(code, "user_type", "Agency"); !strings.HasPrefix(got, "422") {
		t.Errorf("an unknown user_type: %s", got)
	}
	other := o.AddApp(OAuthApp{ClientID: "ffffffffffffffffffffffff-other"})
	if got := try(code, "client_id", other.ClientID, "client_secret", other.ClientSecret); !strings.Contains(got, notFound) {
		t.Errorf("another app's code: %s", got)
	}
	o.exchangeCode(code)
	if got := try(code); !strings.Contains(got, notFound) {
		t.Errorf("a used code: %s", got)
	}
	code = o.installApp(Installation{Locations: []string{north}})
	o.clock.Advance(codeLives)
	if got := try(code); !strings.Contains(got, notFound) {
		t.Errorf("an old code: %s", got)
	}
	for want, fields := range map[string][]string{
		"Missing parameter: `grant_type`":    {"client_id", "x"},
		"Missing parameter: `refresh_token`": {"client_id", "x", "client_secret", "y", "grant_type", "refresh_token"},
		"Unsupported grant type":             {"client_id", "x", "client_secret", "y", "grant_type", "client_credentials"},
	} {
		if status, answer := o.post("/oauth/token", nil, fields...); status != http.StatusBadRequest || !strings.Contains(says(answer), want) {
			t.Errorf("%v answered %d %v, want %q", fields, status, answer, want)
		}
	}
}

func TestHighLevelSpeaksOAuthInJSONAndInCamelCaseUnderV3(t *testing.T) {
	o := setupOAuth(t)
	delete(o.headers, "Authorization")
	delete(o.headers, "Version")
	ask := func(id, secret, kind, code string) string {
		return fmt.Sprintf(`{%q:%q,%q:%q,%q:"authorization_code","code":%q}`, id, o.app.ClientID, secret, o.app.ClientSecret, kind, code)
	}
	got := o.want(200, "POST", "/oauth/token", ask("client_id", "client_secret", "grant_type", o.installApp(Installation{Locations: []string{north}})))
	if got["access_token"] == nil || got["expires_in"] != 86399.0 {
		t.Errorf("JSON: %v", got)
	}
	o.headers["Version"] = "v3"
	got = o.want(200, "POST", "/oauth/token", ask("clientId", "clientSecret", "grantType", o.installApp(Installation{Locations: []string{north}})))
	if got["accessToken"] == nil || got["tokenType"] != "Bearer" || got["expiresIn"] != 86399.0 || got["access_token"] != nil {
		t.Errorf("v3: %v", got)
	}
	o.want(422, "POST", "/oauth/token", ask("client_id", "client_secret", "grant_type", o.installApp(Installation{Locations: []string{north}})))
}

func TestHighLevelRotatesARefreshTokenAndRepeatsItselfForThirtySeconds(t *testing.T) {
	o := setupOAuth(t)
	first := o.exchangeCode(o.installApp(Installation{Locations: []string{north}}))
	if parts := strings.Split(first["access_token"].(string), "."); len(parts) != 3 {
		t.Errorf("the access token is no JWT: %v", first)
	}
	status, second := o.refreshToken(first["refresh_token"], "Location")
	if status != 200 || second["refresh_token"] == first["refresh_token"] || second["access_token"] == first["access_token"] {
		t.Fatalf("a refresh answered %d %v", status, second)
	}
	o.clock.Advance(repeatWindow - time.Nanosecond)
	if status, again := o.refreshToken(first["refresh_token"], "Location"); status != 200 ||
		again["refresh_token"] != second["refresh_token"] || again["access_token"] != second["access_token"] {
		t.Errorf("within 30 s the same pair is due, got %d %v", status, again)
	}
	o.clock.Advance(time.Nanosecond)
	if status, late := o.refreshToken(first["refresh_token"], "Location"); status != 400 || late["message"] != "Invalid grant: refresh token is invalid" {
		t.Errorf("after 30 s: %d %v", status, late)
	}
	if status, wrong := o.refreshToken(second["refresh_token"], "Company"); status != 401 || wrong["message"] != "Token's user type mismatch!" {
		t.Errorf("the wrong user type: %d %v", status, wrong)
	}
	if got, want := o.Refreshes(north), (RefreshCount{Rotated: 1, Repeated: 1, Refused: 1}); got != want {
		t.Errorf("the refreshes were %+v, want %+v", got, want)
	}
	o.clock.Advance(refreshLives)
	if status, old := o.refreshToken(second["refresh_token"], "Location"); status != 400 {
		t.Errorf("after a year: %d %v", status, old)
	}
}

func TestHighLevelRefusesATokenThatIsTooOldForeignOrTooNarrow(t *testing.T) {
	o := setupOAuth(t)
	seen, err := o.SeedContact(Contact{LocationID: north, FirstName: "Ann"})
	if err != nil {
		t.Fatal(err)
	}
	path := "/contacts/" + seen.ID
	unauthorized := func(want, method, path string) {
		t.Helper()
		if status, answer := o.call(method, path, ""); status != 401 || !strings.HasPrefix(fmt.Sprint(answer["message"]), want) {
			t.Errorf("%s %s answered %d %v, want 401 %q", method, path, status, answer, want)
		}
	}
	here := o.exchangeCode(o.installApp(Installation{Locations: []string{north}, Scopes: []string{"contacts.readonly"}}))
	o.as(here["access_token"]).want(200, "GET", path, "")
	o.want(403, "GET", "/contacts/?locationId="+south, "")
	unauthorized("The token is not authorized for this scope.", "DELETE", path)
	unauthorized("The token is not authorized for this scope.", "GET", "/locations/"+north)
	unauthorized("This authClass type is not allowed to access this scope", "GET", "/oauth/installedLocations?companyId="+agency+"&appId="+o.app.ID())
	o.clock.Advance(accessLives - time.Second)
	o.want(200, "GET", path, "")
	o.clock.Advance(time.Second)
	unauthorized("Invalid JWT", "GET", path)

	company := o.exchangeCode(o.installApp(Installation{CompanyID: agency, Locations: []string{north}}))
	o.as(company["access_token"]).want(200, "GET", "/locations/"+north, "")
	unauthorized("This authClass type is not allowed to access this scope", "GET", path)
	o.ExpireToken(company["access_token"].(string))
	unauthorized("Invalid JWT", "GET", "/locations/"+north)

	o.as("nobody's")
	unauthorized("Invalid token: access token is invalid", "GET", path)
	o.AddToken("pit-north", north)
	o.as("pit-north").want(200, "GET", path, "")
	o.LimitToken("pit-north", "locations.readonly")
	unauthorized("The token is not authorized for this scope.", "GET", path)
	o.want(200, "GET", "/locations/"+north, "")
}

func TestHighLevelMakesLocationTokensOfACompanyToken(t *testing.T) {
	o := setupOAuth(t)
	contract := reference.HighLevelContract(t)
	o.client = &http.Client{Transport: contract.Transport(o.client.Transport)}
	company := o.exchangeCode(o.installApp(Installation{CompanyID: agency, Locations: []string{north}, Scopes: []string{"contacts.readonly", "oauth.write"}}))
	status, made := o.locationToken(company, north)
	if status != 200 || made["locationId"] != north || made["refresh_token"] == nil || !strings.Contains(made["scope"].(string), "oauth.readonly") {
		t.Fatalf("a location token: %d %v", status, made)
	}
	o.as(made["access_token"]).want(200, "GET", "/contacts/?locationId="+north, "")
	if status, again := o.refreshToken(made["refresh_token"], "Location"); status != 200 || again["locationId"] != north {
		t.Errorf("a made token refreshes by itself, yet: %d %v", status, again)
	}
	if status, answer := o.locationToken(company, south); status != 400 {
		t.Errorf("a location without the app: %d %v", status, answer)
	}
	if status, answer := o.locationToken(company, testLocation); status != 403 {
		t.Errorf("another agency's location: %d %v", status, answer)
	}
	narrow := o.exchangeCode(o.installApp(Installation{CompanyID: agency, Scopes: []string{"contacts.readonly"}}))
	if status, answer := o.locationToken(narrow, north); status != 401 || answer["message"] != "The token is not authorized for this scope." {
		t.Errorf("without oauth.write: %d %v", status, answer)
	}
	o.client = &http.Client{} // what follows breaks the contract
	if status, answer := o.post("/oauth/locationToken", http.Header{"Authorization": {"Bearer " + company["access_token"].(string)}},
		"companyId", agency, "locationId", north); status != 401 || answer["message"] != "version header was not found." {
		t.Errorf("without Version: %d %v", status, answer)
	}
}

func TestHighLevelListsWhereAnAppIsInstalled(t *testing.T) {
	o := setupOAuth(t)
	contract := reference.HighLevelContract(t)
	o.client = &http.Client{Transport: contract.Transport(o.client.Transport)}
	company := o.exchangeCode(o.installApp(Installation{CompanyID: agency, Locations: []string{north}, Future: true}))
	path := "/oauth/installedLocations?companyId=" + agency + "&appId=" + o.app.ID()
	ids := func(query string) (out []string) {
		t.Helper()
		answer := o.as(company["access_token"]).want(200, "GET", path+query, "")
		for _, row := range answer["locations"].([]any) {
			out = append(out, row.(map[string]any)["_id"].(string))
		}
		if answer["installToFutureLocations"] != true || answer["count"] != 2.0 {
			t.Errorf("%v", answer)
		}
		return out
	}
	for query, want := range map[string][]string{
		"": {north, south}, "&isInstalled=true": {north}, "&isInstalled=false": {south},
		"&limit=1": {north}, "&limit=1&skip=1": {south}, "&skip=2": nil,
	} {
		if got := ids(query); !slices.Equal(got, want) {
			t.Errorf("%q lists %v, want %v", query, got, want)
		}
	}
}

func TestHighLevelKeepsTheGrantOfAPausedLocation(t *testing.T) {
	o := setupOAuth(t)
	first := o.exchangeCode(o.installApp(Installation{Locations: []string{north}}))
	o.SetLocationActive(north, false)
	if status, answer := o.refreshToken(first["refresh_token"], "Location"); status != 400 || answer["message"] != "Location is not active" {
		t.Errorf("paused: %d %v", status, answer)
	}
	o.SetLocationActive(north, true)
	if status, answer := o.refreshToken(first["refresh_token"], "Location"); status != 200 {
		t.Errorf("the same token works again once the location is active, yet: %d %v", status, answer)
	}
}

func TestHighLevelTellsOfInstallsBeforeTheCodeIsExchangedAndOfUninstalls(t *testing.T) {
	o := setupOAuth(t)
	body := func(i int) map[string]any {
		t.Helper()
		var event map[string]any
		if sent := o.Sent(); len(sent) <= i || json.Unmarshal(sent[i].Body, &event) != nil {
			t.Fatalf("no webhook %d in %v", i, o.types())
		}
		return event
	}
	code := o.installApp(Installation{CompanyID: agency, Locations: []string{north, south}, Future: true, UserID: "user9"})
	if got := o.types(); !slices.Equal(got, []string{"INSTALL", "INSTALL", "INSTALL"}) {
		t.Fatalf("a bulk install sent %v", got)
	}
	if e := body(0); e["locationId"] != nil || e["companyId"] != agency || e["installType"] != "Company" || e["appId"] != o.app.ID() {
		t.Errorf("the agency's INSTALL is %v", e)
	}
	if e := body(2); e["locationId"] != south || e["companyId"] != agency || e["installType"] != "Location" || e["userId"] != "user9" {
		t.Errorf("a location's INSTALL is %v", e)
	}
	company := o.exchangeCode(code)
	later := o.AddLocation(Location{CompanyID: agency, Name: "Later"}, nil, nil)
	if e := body(3); e["locationId"] != later.ID || e["userId"] != nil {
		t.Errorf("a future location's INSTALL is %v", e)
	}
	_, made := o.locationToken(company, later.ID)

	if err := o.Uninstall(o.app.ClientID, later.ID); err != nil {
		t.Fatal(err)
	}
	if e := body(4); e["type"] != "UNINSTALL" || e["locationId"] != later.ID || e["companyId"] != nil {
		t.Errorf("a location's UNINSTALL is %v", e)
	}
	if status, _ := o.as(made["access_token"]).call("GET", "/contacts/?locationId="+later.ID, ""); status != 401 {
		t.Errorf("its token still works: %d", status)
	}
	if status, _ := o.refreshToken(made["refresh_token"], "Location"); status != 400 {
		t.Errorf("its refresh token still works: %d", status)
	}
	if status, _ := o.locationToken(company, north); status != 200 {
		t.Errorf("the other locations stay, yet: %d", status)
	}
	if err := o.Uninstall(o.app.ClientID, agency); err != nil {
		t.Fatal(err)
	}
	if e := body(5); e["companyId"] != agency || e["locationId"] != nil {
		t.Errorf("the agency's UNINSTALL is %v", e)
	}
	if status, _ := o.locationToken(company, north); status != 401 {
		t.Errorf("the agency's token still works: %d", status)
	}
	if o.Uninstall(o.app.ClientID, agency) == nil {
		t.Error("nothing is left to uninstall, and yet it was")
	}
}

func TestHighLevelLimitsRequestsPerAppAndLocation(t *testing.T) {
	o := setupOAuth(t, func(c *Config) { c.RateLimit, c.RateMax = true, 1 })
	other := o.AddApp(OAuthApp{ClientID: "ffffffffffffffffffffffff-other"})
	mine := o.exchangeCode(o.installApp(Installation{Locations: []string{north}}))
	o.AddToken("pit-north", north)
	path := "/locations/" + north
	o.as(mine["access_token"]).want(200, "GET", path, "")
	o.want(429, "GET", path, "")
	o.as("pit-north").want(200, "GET", path, "")
	o.app = other
	o.as(o.exchangeCode(o.installApp(Installation{Locations: []string{north}}))["access_token"]).want(200, "GET", path, "")
}

// Every route asks for the scope that HighLevel's OpenAPI gives its operation.
func TestHighLevelAsksForTheDocumentedScopes(t *testing.T) {
	dir := reference.Shared(t, "highlevel-openapi")
	documented := map[string]string{}
	files, err := filepath.Glob(filepath.Join(dir, "apps", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents in %s: %v", dir, err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Paths map[string]map[string]struct{ Security []map[string][]string }
		}
		if err := json.Unmarshal(raw, &doc); err != nil {
			t.Fatal(err)
		}
		for path, methods := range doc.Paths {
			for method, operation := range methods {
				for _, scheme := range operation.Security {
					for _, scopes := range scheme {
						if len(scopes) > 0 {
							documented[strings.ToUpper(method)+" "+path] = scopes[0]
						}
					}
				}
			}
		}
	}
	h, compared := New(Config{}), 0
	defer h.Close()
	err = chi.Walk(h.router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		got, want := scopeOf(method, route), documented[method+" "+route]
		if want != "" {
			compared++
			if got != want {
				t.Errorf("%s %s asks for the scope %q, documented is %q", method, route, got, want)
			}
		} else if got == "" && !strings.HasSuffix(route, "/chooselocation") && route != "/oauth/token" {
			t.Errorf("%s %s asks for no scope", method, route)
		}
		return nil
	})
	if err != nil || compared < 25 {
		t.Errorf("%d routes were compared: %v", compared, err)
	}
}
