package highlevel

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

// A bearer is what an access token is good for.
type bearer struct {
	grant     *grant          // nil = a Private Integration Token
	locations map[string]bool // of a Private Integration Token
	company   string          // of a Private Integration Token of an agency
	limited   bool            // a Private Integration Token that has these scopes alone
	scopes    []string
	expires   time.Time // zero = never
}

func (b *bearer) expired(now time.Time) bool { return !b.expires.IsZero() && !now.Before(b.expires) }

// budget names the rate limit that a call counts against: HighLevel's are per
// app and resource, and a Private Integration Token is an app of its own.
func (b *bearer) budget(location string) string {
	switch {
	case b.company != "":
		return b.company
	case b.grant == nil:
		return location
	case b.grant.class == classCompany:
		location = b.grant.companyID
	}
	return b.grant.app.ID() + " " + location
}

// reach returns the locations whose records a token may ask for.
func (h *Server) reach(b *bearer) map[string]bool {
	company := b.company
	switch {
	case company != "":
	case b.grant == nil:
		return b.locations
	case b.grant.class == classLocation:
		return map[string]bool{b.grant.locationID: true}
	default:
		company = b.grant.companyID
	}
	all := map[string]bool{}
	for id, l := range h.locations {
		if l.CompanyID == company {
			all[id] = true
		}
	}
	return all
}

// scopeAreas name the scopes of what lies under a path; the first that fits counts.
var scopeAreas = []struct{ prefix, area string }{
	{"/contacts", "contacts"},
	{"/locations/{locationId}/customFields", "locations/customFields"},
	{"/locations/{locationId}/customValues", "locations/customValues"},
	{"/locations/{locationId}/tags", "locations/tags"},
	{"/locations/{locationId}/tasks", "locations/tasks"},
	{"/locations/{locationId}/recurring-tasks", "locations/tasks"},
	{"/locations/{locationId}/templates", "locations/templates"},
	{"/locations", "locations"},
	{"/users", "users"},
	{"/opportunities", "opportunities"},
	{"/calendars/events", "calendars/events"},
	{"/calendars/appointments", "calendars/events"},
	{"/calendars/blocked-slots", "calendars/events"},
	{"/calendars/groups", "calendars/groups"},
	{"/calendars/resources", "calendars/resources"},
	{"/calendars", "calendars"},
	{"/custom-fields", "locations/customFields"},
	{"/businesses", "businesses"},
	{"/workflows", "workflows"},
	{"/campaigns", "campaigns"},
	{"/oauth", "oauth"},
}

// scopeOf is the scope that an operation needs, by its method and route.
func scopeOf(method, pattern string) string {
	access := ".write"
	if method == http.MethodGet || slices.Contains(strings.Split(pattern, "/"), "search") {
		access = ".readonly"
	}
	for _, s := range scopeAreas {
		if strings.HasPrefix(pattern, s.prefix) {
			return s.area + access
		}
	}
	return ""
}

// agencyToo are the operations beside /oauth that an agency's token may use.
var agencyToo = []string{
	"GET /locations/search", "GET /locations/{locationId}",
	"GET /users/search", "GET /users/{userId}",
}

// agencyOnly are the operations beside /oauth that only an agency's token may use.
var agencyOnly = []string{"POST /users/search/filter-by-email"}

// permit refuses a token of the wrong class or without the scope. HighLevel
// answers both with 401, which no refresh heals.
func (c *call) permit() *refusal {
	pattern := chi.RouteContext(c.r.Context()).RoutePattern()
	agency := c.token.company != "" || c.token.grant != nil && c.token.grant.class == classCompany
	operation := c.r.Method + " " + pattern
	allowed := !agency || slices.Contains(agencyToo, operation)
	if strings.HasPrefix(pattern, "/oauth/") || slices.Contains(agencyOnly, operation) {
		allowed = agency
	}
	if !allowed {
		return refuse(http.StatusUnauthorized, "This authClass type is not allowed to access this scope. Please reach out to the Marketplace team to get support.")
	}
	limited := c.token.grant != nil || c.token.limited
	if limited && !slices.Contains(c.token.scopes, scopeOf(c.r.Method, pattern)) {
		return refuse(http.StatusUnauthorized, "The token is not authorized for this scope.")
	}
	return nil
}
