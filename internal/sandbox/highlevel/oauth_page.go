package highlevel

import (
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"milepost/internal/sandbox/fakehttp"
)

//go:embed chooser.html
var chooserHTML string

var chooserTemplate = template.Must(template.New("chooser").Parse(chooserHTML))

// An ask is what the authorization page was opened with.
type ask struct {
	app         *OAuthApp
	redirectURI string
	state       string
	scopes      []string // none = all of the app's
}

// readAsk reads the query of the authorization page; the text says what is wrong with it.
func (h *Server) readAsk(query url.Values) (ask, string) {
	h.mu.Lock()
	app := h.oauth.apps[query.Get("client_id")]
	h.mu.Unlock()
	a := ask{app: app, redirectURI: query.Get("redirect_uri"), state: query.Get("state"), scopes: strings.Fields(query.Get("scope"))}
	switch {
	case app == nil:
		return a, "error.invalidclientid: no app has this client_id"
	case query.Get("response_type") != "code":
		return a, "error.invalidresponsetype: response_type must be code"
	case !app.mayRedirect(a.redirectURI):
		return a, "error.invalidredirecturi: the app is not registered with this redirect_uri"
	case app.Private && query.Get("version_id") == "":
		return a, "error.noversionid"
	}
	return a, ""
}

// showChooser is the page where a person picks what an app may reach.
func (h *Server) showChooser(w http.ResponseWriter, r *http.Request) {
	a, wrong := h.readAsk(r.URL.Query())
	if wrong != "" {
		http.Error(w, wrong, http.StatusBadRequest)
		return
	}
	type company struct {
		ID        string
		Locations []Location
	}
	page := struct {
		App       *OAuthApp
		Scopes    []string
		Action    string
		Locations []Location
		Companies []company
	}{App: a.app, Scopes: a.scopes, Action: r.URL.RequestURI(), Locations: h.Locations()}
	at := map[string]int{}
	for _, l := range page.Locations {
		i, known := at[l.CompanyID]
		if !known {
			i = len(page.Companies)
			at[l.CompanyID] = i
			page.Companies = append(page.Companies, company{ID: l.CompanyID})
		}
		page.Companies[i].Locations = append(page.Companies[i].Locations, l)
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	// No form-action: browsers would hold the redirect to the app against it.
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	if err := chooserTemplate.Execute(w, page); err != nil {
		panic(http.ErrAbortHandler) // the caller is gone
	}
}

// choose installs what was picked (location, several times; company for an
// agency's user; future) and sends the person back with a code.
func (h *Server) choose(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, fakehttp.BodyLimit)
	a, wrong := h.readAsk(r.URL.Query())
	if wrong == "" && r.ParseForm() != nil {
		wrong = "the form could not be read"
	}
	if wrong != "" {
		http.Error(w, wrong, http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	code, err := h.install(Installation{
		ClientID: a.app.ClientID, CompanyID: r.PostForm.Get("company"), Locations: r.PostForm["location"],
		Future: r.PostForm.Get("future") != "", Scopes: a.scopes,
	}, a.redirectURI)
	h.mu.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	back, err := url.Parse(a.redirectURI)
	if err != nil { // a registered one that was never a URL
		http.Error(w, "redirect_uri cannot be parsed", http.StatusBadRequest)
		return
	}
	query := back.Query()
	query.Set("code", code)
	if a.state != "" {
		query.Set("state", a.state)
	}
	back.RawQuery = query.Encode()
	http.Redirect(w, r, back.String(), http.StatusSeeOther)
}
