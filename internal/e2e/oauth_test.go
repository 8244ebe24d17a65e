package e2e_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
)

const (
	agency       = "GNb7aIv4rQFVb9iwNl5K"
	otherPlace   = "HjiMUOsCCHCjtxzEf8PR"
	clientID     = "6878cec452e7c8d29d4dd3d9-test"
	clientSecret = "client-secret-of-the-test"
)

// byOAuth makes setup connect nothing by token: the app is there to be installed.
func byOAuth(w *world, _ *hlfake.Config) {
	w.cfg.HighLevelToken, w.cfg.HighLevelLocationID, w.cfg.HighLevelAppID = "", "", ""
	w.cfg.HighLevelClientID, w.cfg.HighLevelClientSecret = clientID, clientSecret
}

// oauthWorld is a world with an agency of two locations and the app.
func oauthWorld(t *testing.T, configure ...func(*world, *hlfake.Config)) *world {
	t.Helper()
	w := setup(t, append(configure, byOAuth)...)
	w.hl.AddApp(hlfake.OAuthApp{ClientID: clientID, ClientSecret: clientSecret, Private: true})
	for _, id := range []string{location, otherPlace} {
		w.hl.SeedLocation(hlfake.Location{ID: id, CompanyID: agency, Name: "Northwind", TimeZone: "America/New_York"}, nil, []hlfake.CustomField{
			{Name: "Milestone", DataType: "TEXT"}, {Name: "Milestone Date", DataType: "DATE"},
		})
	}
	return w
}

// browser keeps cookies and follows redirects.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

// install goes the way of a person: the install link, HighLevel's page, and back.
func (w *world) install(b *http.Client, choice url.Values) (status int, page string) {
	w.t.Helper()
	res, err := b.Get(w.app.PublicURL() + "/oauth/highlevel/install")
	w.must(err)
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		w.t.Fatalf("HighLevel's page answered %s to %s", res.Status, res.Request.URL)
	}
	return w.read(b.PostForm(res.Request.URL.String(), choice))
}

func (w *world) read(res *http.Response, err error) (status int, page string) {
	w.t.Helper()
	w.must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	w.must(err)
	return res.StatusCode, string(body)
}

// arrives sets a milestone and waits for its meeting request.
func (w *world) arrives(locationID, name string) {
	w.t.Helper()
	c, err := w.hl.SeedContact(hlfake.Contact{LocationID: locationID, FirstName: name, LastName: "Doe", Email: strings.ToLower(name) + "@example.com"})
	w.must(err)
	w.must(w.hl.SetCustomFields(c.ID, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
	w.eventually("the milestone of "+name+" is a meeting request", func() bool {
		return slices.ContainsFunc(w.ch.Requests(), func(r chfake.MeetingRequest) bool { return strings.HasPrefix(r.Subject, "Closing: "+name+" Doe") })
	})
}

func (w *world) connectedState(locationID string) store.ConnectionState {
	c, _, err := w.app.Store().Connection(w.t.(*testing.T).Context(), locationID)
	w.must(err)
	return c.State
}

func TestALocationIsConnectedInTheBrowserAndItsMilestonesArrive(t *testing.T) {
	for _, backend := range []func(*world, *hlfake.Config){func(*world, *hlfake.Config) {}, onPostgres} {
		w := oauthWorld(t, backend)
		status, page := w.install(browser(t), url.Values{"location": {location}})
		if status != http.StatusOK || !strings.Contains(page, "Connected") || !strings.Contains(page, "Northwind") {
			t.Fatalf("the person is shown %d %s", status, page)
		}
		w.arrives(location, "Jane")
		if n := len(w.ch.Requests()); n != 1 {
			t.Errorf("%d meeting requests, want 1", n)
		}
	}
}

func TestAnAgencyWithoutALocationIsToldWhatToDoNext(t *testing.T) {
	w := oauthWorld(t)
	status, page := w.install(browser(t), url.Values{"company": {agency}, "future": {"on"}})
	if status != http.StatusOK || !strings.Contains(page, "but no location yet") || !strings.Contains(page, "install it in the locations") || strings.Contains(page, ">Connected<") {
		t.Errorf("the person is shown %d %s", status, page)
	}
}

func TestAnAgencyConnectsItsLocationsAndAnUninstallStopsOne(t *testing.T) {
	w := oauthWorld(t)
	status, page := w.install(browser(t), url.Values{"company": {agency}, "location": {location, otherPlace}, "future": {"on"}})
	if status != http.StatusOK || !strings.Contains(page, "these locations") {
		t.Fatalf("the person is shown %d %s", status, page)
	}
	for _, id := range []string{location, otherPlace} {
		w.eventually("location "+id+" is connected", func() bool { return w.connectedState(id) == store.ConnectionActive })
	}
	w.arrives(location, "Jane")
	w.arrives(otherPlace, "Joe")
	later := w.hl.AddLocation(hlfake.Location{ID: "laterLocation00000001", CompanyID: agency, Name: "Later", TimeZone: "UTC"}, nil, []hlfake.CustomField{
		{Name: "Milestone", DataType: "TEXT"}, {Name: "Milestone Date", DataType: "DATE"},
	})
	w.eventually("a location that the agency adds later is connected", func() bool { return w.connectedState(later.ID) == store.ConnectionActive })

	w.must(w.hl.Uninstall(clientID, otherPlace))
	w.eventually("the location where the app was uninstalled is removed", func() bool { return w.connectedState(otherPlace) == store.ConnectionRemoved })
	before := len(w.ch.Requests())
	c, err := w.hl.SeedContact(hlfake.Contact{LocationID: otherPlace, FirstName: "Late", LastName: "Comer", Email: "late@example.com"})
	w.must(err)
	w.must(w.hl.SetCustomFields(c.ID, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
	w.settle()
	if n := len(w.ch.Requests()); n != before {
		t.Errorf("%d meeting requests, want still %d: its work must stop", n, before)
	}
	if d := w.deliveries()[0]; d.Outcome != store.Skipped || !strings.Contains(d.Detail, "uninstalled") {
		t.Errorf("its event ended as %q: %s", d.Outcome, d.Detail)
	}
	w.arrives(location, "Jill") // the other goes on
}

func TestAnInstallWebhookThatComesBeforeTheAuthorizationWaitsForIt(t *testing.T) {
	w := oauthWorld(t, func(w *world, _ *hlfake.Config) { w.cfg.Clock.Start, w.cfg.Clock.Speed = time.Now(), 20 })
	code, err := w.hl.Install(hlfake.Installation{ClientID: clientID, CompanyID: agency, Locations: []string{location}})
	w.must(err)
	_ = code // the person's browser is slow: only the webhooks are there
	w.eventually("the location waits for its authorization", func() bool { return w.connectedState(location) == store.ConnectionPending })
	if status, page := w.install(browser(t), url.Values{"company": {agency}, "location": {location}}); status != http.StatusOK {
		t.Fatalf("%d %s", status, page)
	}
	w.eventually("the location is connected", func() bool { return w.connectedState(location) == store.ConnectionActive })
}

func TestAnAnswerThatThisBrowserDidNotAskForConnectsNothing(t *testing.T) {
	w := oauthWorld(t)
	attacker := browser(t)
	attacker.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if strings.HasSuffix(req.URL.Path, "/oauth/highlevel/callback") {
			return http.ErrUseLastResponse
		}
		return nil
	}
	res, err := attacker.Get(w.app.PublicURL() + "/oauth/highlevel/install")
	w.must(err)
	res.Body.Close()
	res, err = attacker.PostForm(res.Request.URL.String(), url.Values{"location": {otherPlace}})
	w.must(err)
	res.Body.Close()
	answer := res.Header.Get("Location") // with a good code and the attacker's state
	if !strings.Contains(answer, "code=") {
		t.Fatalf("HighLevel sends to %q", answer)
	}
	for name, victim := range map[string]*http.Client{"no cookie": browser(t), "a cookie of another dance": browser(t)} {
		if name != "no cookie" {
			res, err := victim.Get(w.app.PublicURL() + "/oauth/highlevel/install")
			w.must(err)
			res.Body.Close()
		}
		status, page := w.read(victim.Get(answer))
		if status != http.StatusBadRequest || !strings.Contains(page, "not started here") {
			t.Errorf("%s: %d %s", name, status, page)
		}
	}
	list, err := w.app.Store().Connections(t.Context())
	w.must(err)
	for _, c := range list { // HighLevel's webhook may have told of the app by now
		if c.State != store.ConnectionPending {
			t.Errorf("connected: %+v", c)
		}
	}
	// An installation from HighLevel's side has no state at all.
	u, err := url.Parse(answer)
	w.must(err)
	bare := w.app.PublicURL() + u.Path + "?code=" + u.Query().Get("code")
	if status, page := w.read(browser(t).Get(bare)); status != http.StatusBadRequest || !strings.Contains(page, "/oauth/highlevel/install") {
		t.Errorf("without a state: %d %s", status, page)
	}
}

func TestAnInstallationOfAnotherAgencyIsRefusedInWordsAndSendsNothing(t *testing.T) {
	w := oauthWorld(t)
	const foreign = "strangeLocation00001"
	w.hl.SeedLocation(hlfake.Location{ID: foreign, CompanyID: "Qk1strangersAgency01", Name: "Stranger", TimeZone: "UTC"}, nil, nil)
	if status, page := w.install(browser(t), url.Values{"location": {location}}); status != http.StatusOK {
		t.Fatalf("the first: %d %s", status, page)
	}
	status, page := w.install(browser(t), url.Values{"location": {foreign}})
	if status != http.StatusForbidden || !strings.Contains(page, "serves another agency") || !strings.Contains(page, "milepost connections allow Qk1strangersAgency01") {
		t.Errorf("a stranger is shown %d %s", status, page)
	}
	w.settle()
	if list, err := w.app.Store().Connections(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("connected: %+v, %v; want the first alone", list, err)
	}
	w.must(w.app.Store().AllowAgency(t.Context(), "Qk1strangersAgency01", w.now()))
	if status, page := w.install(browser(t), url.Values{"location": {foreign}}); status != http.StatusOK {
		t.Errorf("when it is allowed: %d %s", status, page)
	}
}

func TestARefusedAuthorizationIsShownWithoutItsSecrets(t *testing.T) {
	w := oauthWorld(t, func(w *world, _ *hlfake.Config) {})
	w.hl.Faults().Next("POST /oauth/token", -1, fakehttp.FailWith(400))
	status, page := w.install(browser(t), url.Values{"location": {location}})
	if status != http.StatusBadGateway || !strings.Contains(page, "Try again") || strings.Contains(page, clientSecret) {
		t.Errorf("%d %s", status, page)
	}
	w.hl.Faults().Clear()
	if status, page := w.install(browser(t), url.Values{"location": {location}}); status != http.StatusOK {
		t.Errorf("the second try: %d %s", status, page)
	}
}

// callback answers an installation that begins now with a code, as HighLevel would.
func (w *world) callback(b *http.Client, code string) (status int, page, url string) {
	w.t.Helper()
	state := w.state(b)
	url = w.app.PublicURL() + "/oauth/highlevel/callback?code=" + code + "&state=" + state
	status, page = w.read(b.Get(url))
	return status, page, url
}

// state begins an installation and returns its state.
func (w *world) state(b *http.Client) string {
	w.t.Helper()
	once := *b
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := once.Get(w.app.PublicURL() + "/oauth/highlevel/install")
	w.must(err)
	res.Body.Close()
	to, err := res.Location()
	w.must(err)
	return to.Query().Get("state")
}

// tokenCalls counts the calls of HighLevel's token endpoint.
func (w *world) tokenCalls() int { return w.hl.Calls()["POST /oauth/token"] }

// withCookie asks for a callback whose cookie holds the given state.
func (w *world) withCookie(state, query string) (status int, page string) {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodGet, w.app.PublicURL()+"/oauth/highlevel/callback?code=c&state="+url.QueryEscape(query), nil)
	w.must(err)
	req.AddCookie(&http.Cookie{Name: "milepost_oauth", Value: state})
	return w.read(http.DefaultClient.Do(req))
}

func TestAStateThatWasNotMadeHereReachesHighLevelNever(t *testing.T) {
	w := oauthWorld(t)
	good := w.state(browser(t))
	for name, state := range map[string]string{
		"made up": "statestatestate", "empty": "", "changed": good[:len(good)-4] + "AAAA", "prolonged": "z" + good,
		"without a signature": good[:strings.LastIndex(good, ".")], "dots": "...",
	} {
		if status, page := w.withCookie(state, state); status != http.StatusBadRequest || !strings.Contains(page, "not started here") {
			t.Errorf("%s: %d %s", name, status, page)
		}
	}
	w.ahead.Store(int64(16 * time.Minute))
	if status, page := w.withCookie(good, good); status != http.StatusBadRequest || !strings.Contains(page, "not started here") {
		t.Errorf("expired: %d %s", status, page)
	}
	if n := w.tokenCalls(); n != 0 {
		t.Errorf("HighLevel's token endpoint was called %d times, want 0", n)
	}
}

func TestAStateIsGoodOnceAlsoAfterARestart(t *testing.T) {
	w := oauthWorld(t)
	state := w.state(browser(t))
	if status, page := w.withCookie(state, state); status != http.StatusBadGateway {
		t.Fatalf("the first time: %d %s", status, page)
	}
	w.stop()
	w.start()
	for range 2 {
		if status, page := w.withCookie(state, state); status != http.StatusBadRequest || !strings.Contains(page, "already used") {
			t.Errorf("used again: %d %s", status, page)
		}
	}
	if n := w.tokenCalls(); n != 1 {
		t.Errorf("HighLevel's token endpoint was called %d times, want 1", n)
	}
}

func TestAFloodOfCallbacksReachesHighLevelSeldomAndFillsNoLog(t *testing.T) {
	w := oauthWorld(t, logged)
	refused := 0
	for range 300 {
		if status, page, _ := w.callback(browser(t), "made-up"); status == http.StatusTooManyRequests {
			refused++
		} else if status != http.StatusBadGateway {
			t.Fatalf("%d %s", status, page)
		}
	}
	if n := w.tokenCalls(); n > 20 || n != 300-refused {
		t.Errorf("HighLevel's token endpoint was called %d times, and %d of 300 were refused", n, refused)
	}
	if n := len(w.log.lines("outage began")); n != 1 {
		t.Errorf("%d lines say that an outage began, want 1", n)
	}
	if n := len(w.log.lines()); n > 120 {
		t.Errorf("%d lines in the log", n)
	}
	w.ahead.Store(int64(time.Minute))
	if status, page := w.install(browser(t), url.Values{"location": {location}}); status != http.StatusOK {
		t.Errorf("a minute later: %d %s", status, page)
	}
	w.wantLine("outage over")
}

func TestAStopDuringACallbackSucceeds(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for the 8 s that a stop gives to requests")
	}
	asked, enough := make(chan struct{}, 1), make(chan struct{})
	defer close(enough)
	w := oauthWorld(t, func(w *world, _ *hlfake.Config) {
		w.before = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/oauth/token" {
				return false
			}
			select {
			case asked <- struct{}{}:
			default: // asked again
			}
			<-enough // HighLevel hangs
			return true
		}
	})
	state := w.state(browser(t))
	go func() {
		req, _ := http.NewRequest(http.MethodGet, w.app.PublicURL()+"/oauth/highlevel/callback?code=c&state="+state, nil)
		req.AddCookie(&http.Cookie{Name: "milepost_oauth", Value: state})
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
		}
	}()
	<-asked
	w.stop() // fails the test if Run does
}
