package api_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"milepost/api"
	"milepost/internal/adminapi"
	"milepost/internal/console"
	"milepost/internal/guard"
	"milepost/internal/operate"
	"milepost/internal/people"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

const (
	adminToken = "the-admin-token"
	password   = "correct horse"
)

// admin is the admin listener's routes, with an operator and a viewer.
type admin struct {
	chi.Router
	people *people.Registry
	t      *testing.T
}

func setupAdmin(t *testing.T, change ...func(*api.Routes)) *admin {
	t.Helper()
	t.Parallel()
	st, err := store.OpenSQLite(t.Context(), testdb.DataDir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	a := &admin{people: people.Open(people.Config{Store: st, AdminToken: adminToken}), t: t}
	pages, err := console.New(console.Config{Desk: operate.New(operate.Config{Store: st}), People: a.people, Logger: zerolog.Nop(), Refused: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	endpoints := adminapi.New(adminapi.Config{People: a.people, Logger: zerolog.Nop()})
	routes := api.Routes{Ready: func(context.Context) error { return nil }, Logger: zerolog.Nop(), People: a.people, Console: pages, API: endpoints, MCP: true}
	for _, c := range change {
		c(&routes)
	}
	if a.Router, err = api.Admin(routes); err != nil {
		t.Fatal(err)
	}
	for name, role := range map[string]people.Role{"olivia": people.Operator, "victor": people.Viewer} {
		if err := a.people.Add(t.Context(), "test", name, password, role); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// session is the cookie of somebody who signs in.
func (a *admin) session(name string) *http.Cookie {
	a.t.Helper()
	token, err := a.people.SignIn(a.t.Context(), people.Browser{}, name, password)
	if err != nil {
		a.t.Fatal(err)
	}
	return &http.Cookie{Name: "milepost_session", Value: token}
}

func (a *admin) ask(method, path string, change func(*http.Request)) *http.Response {
	a.t.Helper()
	req := httptest.NewRequest(method, path, http.NoBody)
	req.Host = "127.0.0.1:8081"
	if change != nil {
		change(req)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, req)
	return w.Result()
}

// parameter is a part of a route's pattern that stands for anything.
var parameter = regexp.MustCompile(`\{[^}]*\}|\*`)

// eachRoute calls do with every route of the admin listener.
func (a *admin) eachRoute(do func(method, path string)) {
	a.t.Helper()
	n := 0
	err := chi.Walk(a, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		n++
		do(method, parameter.ReplaceAllString(route, "1"))
		return nil
	})
	if err != nil || n < 15 {
		a.t.Fatalf("%d routes, %v", n, err)
	}
}

func isHealth(path string) bool { return path == "/healthz" || path == "/readyz" }

// isOpen says which routes need no session. To add one here needs a reason.
func isOpen(path string) bool {
	return isHealth(path) || path == "/console/sign-in" || strings.HasPrefix(path, "/console/sign-in/") || strings.HasPrefix(path, "/console/static/")
}

// forViewers says which routes take any method from a viewer. To add one here needs a
// reason: these change only the viewer's session and the audit log. A viewer's assistant
// has only tools that read: see TestAViewersAssistantOnlyReads.
func forViewers(path string) bool {
	return path == "/console/sign-out" || strings.HasPrefix(path, "/console/show/") || path == "/mcp"
}

func TestEveryAdminRouteNeedsASessionOrTheToken(t *testing.T) {
	testenv.Long(t)
	a := setupAdmin(t)
	a.eachRoute(func(method, path string) {
		if isOpen(path) {
			return
		}
		isPage := path == "/" || strings.HasPrefix(path, "/console/")
		res := a.ask(method, path, nil)
		if isPage && (res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), "/console/sign-in")) ||
			!isPage && res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s %s without a session: %s to %q", method, path, res.Status, res.Header.Get("Location"))
		}
		for name, change := range map[string]func(*http.Request){
			"a wrong token": func(r *http.Request) {
				r.Header.Set("Authorization", "Bearer wrong")
				r.RemoteAddr = "[2001:db8::" + path[len(path)-1:] + "]:1"
			},
			"a made-up session": func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "milepost_session", Value: "x"}) },
			"a foreign bearer":  func(r *http.Request) { r.Header.Set("Authorization", "Basic b2w6cA==") },
		} {
			if res := a.ask(method, path, change); res.StatusCode != http.StatusUnauthorized && res.StatusCode != http.StatusSeeOther && res.StatusCode != http.StatusTooManyRequests {
				t.Errorf("%s %s with %s: %s", method, path, name, res.Status)
			}
		}
	})
	if res := a.ask("GET", "/api/v1/overview", nil); res.StatusCode != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("a path of the API: %s", res.Status)
	}
	if res := a.ask("GET", "/console/deliveries?outcome=failed", nil); res.Header.Get("Location") != "/console/sign-in?next=%2Fconsole%2Fdeliveries%3Foutcome%3Dfailed" {
		t.Errorf("a page leads to %s", res.Header.Get("Location"))
	}
	for _, scheme := range []string{"Bearer", "bearer"} {
		if res := a.ask("GET", "/console/settings/people", func(r *http.Request) { r.Header.Set("Authorization", scheme+" "+adminToken) }); res.StatusCode != http.StatusOK {
			t.Errorf("the admin token as %s: %s", scheme, res.Status)
		}
	}
}

func TestAViewerCanChangeNothing(t *testing.T) {
	testenv.Long(t)
	a := setupAdmin(t)
	victor := a.session("victor")
	a.eachRoute(func(method, path string) {
		if isOpen(path) || method == "GET" || method == "HEAD" || forViewers(path) {
			return
		}
		if res := a.ask(method, path, func(r *http.Request) { r.AddCookie(victor) }); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s by a viewer: %s", method, path, res.Status)
		}
	})
}

func TestTheMCPEndpointIsOffUnlessItIsSwitchedOn(t *testing.T) {
	testenv.Long(t)
	for name, c := range map[string]struct {
		on   bool
		want int
	}{"off": {false, http.StatusNotFound}, "on": {true, http.StatusBadRequest}} { // what it is sent is no request
		t.Run(name, func(t *testing.T) {
			a := setupAdmin(t, func(r *api.Routes) { r.MCP = c.on })
			victor := a.session("victor")
			res := a.ask("POST", "/mcp", func(r *http.Request) {
				r.AddCookie(victor)
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Accept", "application/json, text/event-stream")
			})
			if res.StatusCode != c.want {
				t.Errorf("%s", res.Status)
			}
			// An assistant asks for a stream by GET, and ends a session by DELETE.
			for _, method := range []string{"GET", "DELETE"} {
				res := a.ask(method, "/mcp", func(r *http.Request) { r.AddCookie(victor) })
				if c.on && (res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "POST") {
					t.Errorf("%s: %s, allowed is %q", method, res.Status, res.Header.Get("Allow"))
				}
			}
		})
	}
}

func TestATokenOfAPersonMayDoWhatThePersonMay(t *testing.T) {
	testenv.Long(t)
	a := setupAdmin(t)
	bearer := func(name string) func(*http.Request) {
		token, err := a.people.NewToken(t.Context(), "test", name, "reports")
		if err != nil {
			t.Fatal(err)
		}
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	olivia, victor := bearer("olivia"), bearer("victor")
	for name, c := range map[string]struct {
		who    func(*http.Request)
		method string
		want   int
	}{
		"an operator reads":   {olivia, "GET", http.StatusOK},
		"a viewer reads":      {victor, "GET", http.StatusForbidden}, // people are for operators
		"an operator changes": {olivia, "DELETE", http.StatusNotFound},
		"a viewer changes":    {victor, "DELETE", http.StatusForbidden},
	} {
		path := map[string]string{"GET": "/api/v1/people", "DELETE": "/api/v1/people/nobody"}[c.method]
		if res := a.ask(c.method, path, c.who); res.StatusCode != c.want {
			t.Errorf("%s: %s", name, res.Status)
		}
	}
	a.eachRoute(func(method, path string) {
		if isOpen(path) || method == "GET" || method == "HEAD" || forViewers(path) {
			return
		}
		if res := a.ask(method, path, victor); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s by a viewer's token: %s", method, path, res.Status)
		}
	})
}

func TestAnotherOriginCanChangeNothing(t *testing.T) {
	testenv.Long(t)
	a := setupAdmin(t, func(r *api.Routes) { r.AdminURL = "https://milepost.internal.example" })
	olivia := a.session("olivia")
	for name, change := range map[string]func(*http.Request){
		"by Sec-Fetch-Site": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"by another port":   func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"by Origin":         func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"by no origin":      func(r *http.Request) { r.Header.Set("Origin", "null") },
	} {
		a.eachRoute(func(method, path string) {
			if method == "GET" || method == "HEAD" {
				return
			}
			res := a.ask(method, path, func(r *http.Request) { r.AddCookie(olivia); change(r) })
			if res.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s from another origin, %s: %s", method, path, name, res.Status)
			}
		})
	}
	for name, c := range map[string]struct {
		host string
		want int
	}{
		"a rebound name":        {"evil.example", http.StatusMisdirectedRequest},
		"a rebound name, port":  {"evil.example:8081", http.StatusMisdirectedRequest},
		"one that looks local":  {"localhost.evil.example", http.StatusMisdirectedRequest},
		"one that ends like it": {"evillocalhost", http.StatusMisdirectedRequest},
		"none":                  {"", http.StatusMisdirectedRequest},
		"localhost":             {"localhost:8081", http.StatusOK},
		"an address":            {"10.0.0.7:8081", http.StatusOK},
		"an address of IPv6":    {"[fd00::7]:8081", http.StatusOK},
		"the configured name":   {"Milepost.Internal.example", http.StatusOK},
	} {
		if res := a.ask("GET", "/console/sign-in", func(r *http.Request) { r.Host = c.host }); res.StatusCode != c.want {
			t.Errorf("%s (%s): %s", name, c.host, res.Status)
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if res := a.ask("GET", path, func(r *http.Request) { r.Host = "10-0-0-7.pod.cluster.local" }); res.StatusCode != http.StatusOK {
			t.Errorf("%s by a name of the cluster: %s", path, res.Status)
		}
	}
}

func TestSigningInAndOut(t *testing.T) {
	testenv.Long(t)
	a := setupAdmin(t)
	post := func(path string, form url.Values, cookie *http.Cookie) (*http.Response, string) {
		res := a.ask("POST", path, func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			if cookie != nil {
				r.AddCookie(cookie)
			}
		})
		body, _ := io.ReadAll(res.Body)
		return res, string(body)
	}
	for name, form := range map[string]url.Values{
		"a password": {"name": {"olivia"}, "password": {password}, "next": {"/console/settings/audit?before=3"}},
		"the token":  {"token": {adminToken}, "next": {"/console/settings/audit?before=3"}},
	} {
		res, _ := post("/console/sign-in", form, nil)
		if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/console/settings/audit?before=3" || len(res.Cookies()) != 1 {
			t.Fatalf("%s: %s to %s", name, res.Status, res.Header.Get("Location"))
		}
		cookie := res.Cookies()[0]
		if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Secure {
			t.Errorf("%s: the cookie is %v", name, cookie)
		}
		if res := a.ask("GET", "/console/settings/people", func(r *http.Request) { r.AddCookie(cookie) }); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", name, res.Status)
		}
		if res, _ := post("/console/sign-out", nil, cookie); res.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: signing out: %s", name, res.Status)
		}
		if res := a.ask("GET", "/console/settings/people", func(r *http.Request) { r.AddCookie(cookie) }); res.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: after signing out: %s", name, res.Status)
		}
	}
	for name, next := range map[string]string{
		"another site": "https://evil.example/console/", "another host": "//evil.example/console/", "a back slash": `/\evil.example`,
		"outside": "/metrics", "the sign-in": "/console/sign-in/x", "dots": "/console/../metrics", "a scheme": "javascript:alert(1)",
	} {
		res, _ := post("/console/sign-in", url.Values{"token": {adminToken}, "next": {next}}, nil)
		if to := res.Header.Get("Location"); to != "/console/" {
			t.Errorf("%s leads to %s", name, to)
		}
	}
	res, page := post("/console/sign-in", url.Values{"name": {`"><script>`}, "password": {"wrong"}}, nil)
	if res.StatusCode != http.StatusUnauthorized || !strings.Contains(page, "The name or the password is wrong.") || strings.Contains(page, "<script>") {
		t.Errorf("a wrong password: %s\n%s", res.Status, page)
	}
	code, err := a.people.NewLink(t.Context(), people.FirstRunName, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	link := console.LinkPath(code)
	if res := a.ask("GET", link, func(r *http.Request) { r.Header.Set("Sec-Purpose", "prefetch;prerender") }); len(res.Cookies()) > 0 {
		t.Error("a browser that looks ahead uses the link up")
	}
	if res := a.ask("HEAD", link, nil); len(res.Cookies()) > 0 {
		t.Error("HEAD uses the link up")
	}
	if res := a.ask("GET", link, nil); res.StatusCode != http.StatusSeeOther || len(res.Cookies()) != 1 {
		t.Errorf("the link: %s", res.Status)
	}
	if res := a.ask("GET", link, nil); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("the link again: %s", res.Status)
	}
	for range 6 {
		res, page = post("/console/sign-in", url.Values{"name": {"olivia"}, "password": {"wrong"}}, nil)
	}
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" || !strings.Contains(page, "Too many wrong guesses") {
		t.Errorf("many guesses: %s", res.Status)
	}
}

func TestTheGuardKnowsWhoIsSignedIn(t *testing.T) {
	testenv.Long(t)
	g := guard.New(10, 1<<20)
	strangers, free := make(chan bool), make(chan bool)
	a := setupAdmin(t, func(r *api.Routes) {
		r.AdminGuard = g
		r.Ready = func(ctx context.Context) error { // anybody may ask this
			done := g.Turn(ctx)
			strangers <- true
			<-free
			done()
			return nil
		}
	})
	a.Get("/work", func(_ http.ResponseWriter, r *http.Request) { g.Turn(r.Context())() })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: a, ConnContext: guard.ConnContext}
	t.Cleanup(func() { server.Close() })
	go func() { _ = server.Serve(g.Listener(ln)) }()
	ask := func(path string) {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+ln.Addr().String()+path, http.NoBody)
		req.Header.Set("Authorization", "Bearer "+adminToken)
		if res, err := http.DefaultTransport.RoundTrip(req); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("GET %s: %v, %v", path, res, err)
		} else {
			res.Body.Close()
		}
	}
	var waiting sync.WaitGroup
	for range max(1, runtime.GOMAXPROCS(0)/2) { // all turns of strangers
		waiting.Go(func() { ask("/readyz") })
		<-strangers
	}
	ask("/work") // would wait for a turn forever
	close(free)
	waiting.Wait()
}
