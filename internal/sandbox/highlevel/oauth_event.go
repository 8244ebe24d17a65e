package highlevel

type installEvent struct {
	Type          string `json:"type"`
	AppID         string `json:"appId"`
	VersionID     string `json:"versionId"`
	InstallType   string `json:"installType"`
	LocationID    string `json:"locationId,omitempty"`
	CompanyID     string `json:"companyId,omitempty"`
	UserID        string `json:"userId,omitempty"`
	CompanyName   string `json:"companyName,omitempty"`
	IsWhitelabel  bool   `json:"isWhitelabelCompany"`
	Timestamp     string `json:"timestamp"`
	WebhookID     string `json:"webhookId"`
	WhitelabelFor any    `json:"whitelabelDetails"`
}

type uninstallEvent struct {
	Type       string `json:"type"`
	AppID      string `json:"appId"`
	LocationID string `json:"locationId,omitempty"`
	CompanyID  string `json:"companyId,omitempty"`
	Timestamp  string `json:"timestamp"`
	WebhookID  string `json:"webhookId"`
}

// appEnvelope is envelope for an event about an app, which names that app.
func (h *Server) appEnvelope(app *OAuthApp) envelope {
	e := h.envelope()
	e.AppID, e.VersionID = app.ID(), app.ID()
	return e
}

// emitInstall sends INSTALL for a location, or with "" for the company, which
// has no locationId.
func (h *Server) emitInstall(g *grant, locationID string) {
	e := h.appEnvelope(g.app)
	kind := classLocation
	if locationID == "" {
		kind = classCompany
	}
	h.emit("INSTALL", e, installEvent{
		Type: "INSTALL", AppID: e.AppID, VersionID: e.VersionID, InstallType: kind, LocationID: locationID,
		CompanyID: g.companyID, UserID: g.userID, CompanyName: "Sandbox Agency", WhitelabelFor: map[string]any{},
		Timestamp: e.Timestamp, WebhookID: e.WebhookID,
	})
}

// emitUninstall sends UNINSTALL with the id of the location, or else of the company.
func (h *Server) emitUninstall(app *OAuthApp, place string) {
	e := h.appEnvelope(app)
	event := uninstallEvent{Type: "UNINSTALL", AppID: e.AppID, CompanyID: place, Timestamp: e.Timestamp, WebhookID: e.WebhookID}
	if h.locations[place] != nil {
		event.LocationID, event.CompanyID = place, ""
	}
	h.emit("UNINSTALL", e, event)
}
