package highlevel

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/internal/sandbox/fakehttp"
)

// oauthRoutes are those that ask for neither bearer token nor Version.
func (h *Server) oauthRoutes(router chi.Router) {
	add := func(method, pattern string, handle http.HandlerFunc) {
		operation := method + " " + pattern
		router.Method(method, pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.calls.Add(operation)
			h.faults.Serve(operation, w, r, func(w http.ResponseWriter, status int) {
				writeRefusal(w, refuse(status, "%s", fakehttp.FaultMessage(status)))
			}, handle)
		}))
	}
	add("POST", "/oauth/token", h.serveToken)
	for _, pattern := range []string{"/oauth/chooselocation", "/v2/oauth/chooselocation"} {
		add("GET", pattern, h.showChooser)
		add("POST", pattern, h.choose)
	}
}

// tokenFields are the fields of a token request; v3 spells them in camelCase.
var tokenFields = []string{"client_id", "client_secret", "grant_type", "code", "refresh_token", "user_type", "redirect_uri"}

// serveToken answers POST /oauth/token. Its errors are those of the OAuth
// server that HighLevel's published messages are of.
func (h *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, fakehttp.BodyLimit))
	if err != nil {
		writeRefusal(w, refuse(http.StatusRequestEntityTooLarge, "request entity too large"))
		return
	}
	v3 := r.Header.Get("Version") == "v3"
	form, no := readForm(r.Header.Get("Content-Type"), raw, tokenFields, v3)
	var answer map[string]any
	if no == nil {
		h.mu.Lock()
		answer, no = h.token(form)
		h.mu.Unlock()
	}
	switch {
	case no == nil:
		fakehttp.WriteJSON(w, http.StatusOK, spelled(answer, v3))
	case no.meta != nil: // OAuth's own error object
		fakehttp.WriteJSON(w, no.status, no.meta)
	default:
		writeRefusal(w, no)
	}
}

// readForm reads a form or a JSON object of strings, in which only the fields
// may occur. Keys come back in snake_case where the fields are.
func readForm(contentType string, raw []byte, fields []string, v3 bool) (map[string]string, *refusal) {
	form := map[string]string{}
	switch media, _, _ := mime.ParseMediaType(contentType); media {
	case "application/x-www-form-urlencoded":
		values, err := url.ParseQuery(string(raw))
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "Invalid request: the form cannot be parsed")
		}
		for key := range values {
			form[key] = values.Get(key)
		}
	case "application/json":
		if len(raw) > 0 && json.Unmarshal(raw, &form) != nil {
			return nil, refuse(http.StatusBadRequest, "Unexpected token in JSON")
		}
	}
	out := map[string]string{}
	for _, field := range fields {
		name := field
		if v3 {
			name = camel(field)
		}
		if value, ok := form[name]; ok {
			out[field] = value
			delete(form, name)
		}
	}
	var problems []string
	for key := range form {
		problems = append(problems, "property "+key+" should not exist")
	}
	if kind, ok := out["user_type"]; ok && kind != classCompany && kind != classLocation {
		problems = append(problems, "user_type must be one of the following values: Company, Location")
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return nil, unprocessable(problems...)
	}
	return out, nil
}

// camel turns "client_id" into "clientId".
func camel(s string) string {
	parts := strings.Split(s, "_")
	for i, part := range parts[1:] {
		parts[i+1] = strings.ToUpper(part[:1]) + part[1:]
	}
	return strings.Join(parts, "")
}

func spelled(answer map[string]any, v3 bool) map[string]any {
	if !v3 {
		return answer
	}
	out := map[string]any{}
	for key, value := range answer {
		out[camel(key)] = value
	}
	return out
}

func oauthError(status int, kind, description string) *refusal {
	return &refusal{status: status, meta: map[string]any{"error": kind, "error_description": description}}
}

// token carries out a grant. A code is looked up before the client's secret is
// checked (observed).
func (h *Server) token(form map[string]string) (map[string]any, *refusal) {
	now := h.clock()
	missing := func(keys ...string) *refusal {
		for _, key := range keys {
			if form[key] == "" {
				return refuse(http.StatusBadRequest, "Missing parameter: `%s`", key)
			}
		}
		return nil
	}
	switch form["grant_type"] {
	case "authorization_code":
		if no := missing("client_id", "client_secret", "code"); no != nil {
			return nil, no
		}
		code := h.oauth.codes[form["code"]]
		if code == nil || !now.Before(code.expires) {
			return nil, oauthError(http.StatusUnauthorized, "UnAuthorized!", "Authorization code not found")
		}
		app, no := h.client(form)
		if no != nil {
			return nil, no
		}
		if code.grant.app != app {
			return nil, oauthError(http.StatusUnauthorized, "UnAuthorized!", "Authorization code not found")
		}
		if uri, given := form["redirect_uri"]; given && code.redirectURI != "" && uri != code.redirectURI {
			return nil, refuse(http.StatusBadRequest, "Invalid parameter: `redirect_uri`")
		}
		delete(h.oauth.codes, form["code"])
		return h.mint(code.grant, accessLives), nil
	case "refresh_token":
		if no := missing("client_id", "client_secret", "refresh_token"); no != nil {
			return nil, no
		}
		app, no := h.client(form)
		if no != nil {
			return nil, no
		}
		return h.refresh(app, form)
	case "":
		return nil, missing("grant_type")
	default: // client_credentials is documented, but not for whom
		return nil, refuse(http.StatusBadRequest, "Unsupported grant type: `grant_type` is invalid")
	}
}

func (h *Server) client(form map[string]string) (*OAuthApp, *refusal) {
	app := h.oauth.apps[form["client_id"]]
	if app == nil || app.ClientSecret != form["client_secret"] {
		return nil, oauthError(http.StatusUnauthorized, "invalid_client", "Invalid client: client is invalid")
	}
	return app, nil
}

func (h *Server) refresh(app *OAuthApp, form map[string]string) (map[string]any, *refusal) {
	now := h.clock()
	dead := refuse(http.StatusBadRequest, "Invalid grant: refresh token is invalid")
	token := h.oauth.refresh[form["refresh_token"]]
	if token == nil || token.grant.app != app || !now.Before(token.expires) {
		return nil, dead
	}
	if kind := form["user_type"]; kind != "" && kind != token.grant.class {
		return nil, refuse(http.StatusUnauthorized, "Token's user type mismatch!")
	}
	count := h.count(token.grant)
	switch {
	case h.oauth.inactive[token.grant.locationID]:
		count.Refused++
		return nil, refuse(http.StatusBadRequest, "Location is not active")
	case token.used.IsZero():
		count.Rotated++
		token.used, token.answer = now, h.mint(token.grant, accessLives)
	case now.Sub(token.used) < repeatWindow:
		count.Repeated++
	default:
		count.Refused++
		return nil, dead
	}
	return token.answer, nil
}

// mint makes a pair of tokens and the answer that carries it.
func (h *Server) mint(g *grant, lives time.Duration) map[string]any {
	h.forgetGrants()
	now := h.clock()
	access, refresh := jwt(g, now, now.Add(lives)), jwt(g, now, now.Add(refreshLives))
	h.tokens[access] = &bearer{grant: g, scopes: g.scopes, expires: now.Add(lives)}
	h.oauth.refresh[refresh] = &refreshToken{grant: g, expires: now.Add(refreshLives)}
	answer := map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": int(lives.Seconds()),
		"refresh_token": refresh, "refreshTokenId": fakehttp.ObjectID(), "scope": strings.Join(g.scopes, " "),
		"userType": g.class, "companyId": g.companyID, "userId": g.userID, "isBulkInstallation": g.bulk, "traceId": fakehttp.UUID(),
	}
	if g.class == classLocation {
		answer["locationId"] = g.locationID
	} else {
		answer["approvedLocations"] = append([]string{}, g.approved...)
		answer["installToFutureLocations"] = g.future
	}
	return answer
}

var locationTokenFields = []string{"companyId", "locationId"}

// locationToken answers POST /oauth/locationToken.
func (h *Server) locationToken(c *call) (int, any, *refusal) {
	form, no := readForm(c.r.Header.Get("Content-Type"), c.raw, locationTokenFields, false)
	if no != nil {
		return 0, nil, no
	}
	var problems []string
	for _, key := range locationTokenFields {
		if form[key] == "" {
			problems = append(problems, key+" should not be empty", key+" must be a string")
		}
	}
	if len(problems) > 0 {
		return 0, nil, unprocessable(problems...)
	}
	company, id := c.token.grant, form["locationId"]
	l := h.locations[id]
	switch {
	case form["companyId"] != company.companyID || l == nil || l.CompanyID != company.companyID:
		return 0, nil, refuse(http.StatusForbidden, "The token does not have access to this location.")
	case h.oauth.installed[installed{company.app.ID(), id}] == nil:
		return 0, nil, refuse(http.StatusBadRequest, "The app is not installed on this location") // undocumented text
	case h.oauth.inactive[id]:
		return 0, nil, refuse(http.StatusBadRequest, "Location is not active")
	}
	g := &grant{
		app: company.app, class: classLocation, companyID: company.companyID, locationID: id, userID: company.userID,
		scopes: slices.Clone(company.scopes),
	}
	for _, scope := range []string{"oauth.readonly", "oauth.write"} { // added unasked (observed)
		if !slices.Contains(g.scopes, scope) {
			g.scopes = append(g.scopes, scope)
		}
	}
	answer := h.mint(g, 24*time.Hour)
	for _, key := range []string{"userType", "companyId", "isBulkInstallation"} { // this answer has none of them
		delete(answer, key)
	}
	answer["appId"], answer["versionId"] = company.app.ID(), company.app.ID()
	return http.StatusOK, spelled(answer, c.v3), nil
}

// installedLocations answers GET /oauth/installedLocations. A page holds at
// most 100, as in v3; the maximum of this version is not documented.
func (h *Server) installedLocations(c *call) (int, any, *refusal) {
	query := c.r.URL.Query()
	var problems []string
	for _, key := range []string{"companyId", "appId"} {
		if query.Get(key) == "" {
			problems = append(problems, key+" should not be empty", key+" must be a string")
		}
	}
	if len(problems) > 0 {
		return 0, nil, unprocessable(problems...)
	}
	g := c.token.grant
	if query.Get("companyId") != g.companyID || query.Get("appId") != g.app.ID() {
		return 0, nil, refuse(http.StatusForbidden, "The token does not have access to this company.")
	}
	skip, no := queryInt(c, "skip", 0)
	if no != nil {
		return 0, nil, no
	}
	limit, no := queryInt(c, "limit", 20)
	if no != nil {
		return 0, nil, no
	}
	rows, total := []any{}, 0
	for _, id := range h.order {
		l := h.locations[id]
		if l.CompanyID != g.companyID {
			continue
		}
		total++
		at := h.oauth.installed[installed{g.app.ID(), id}]
		if wanted := query.Get("isInstalled"); wanted != "" && wanted != map[bool]string{true: "true", false: "false"}[at != nil] {
			continue
		}
		row := map[string]any{
			"_id": id, "name": l.Name, "address": strings.Join([]string{l.Address, l.City, l.State, l.Country}, ", "), "isInstalled": at != nil,
		}
		if at != nil {
			row["versionId"], row["installedAt"] = g.app.ID(), fakehttp.ISOMillis(at.at)
		}
		rows = append(rows, row)
	}
	rows = rows[min(skip, len(rows)):]
	rows = rows[:min(limit, 100, len(rows))]
	future := false
	if at := h.oauth.installed[installed{g.app.ID(), g.companyID}]; at != nil {
		future = at.future
	}
	return http.StatusOK, map[string]any{"locations": rows, "count": total, "installToFutureLocations": future}, nil
}
