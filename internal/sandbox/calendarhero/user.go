package calendarhero

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"milepost/internal/sandbox/fakehttp"
)

func (c *Server) getUser(*call) (int, any, *boom) {
	u := c.config.User
	return http.StatusOK, map[string]any{
		"id": u.ID, "email": u.Email, "name": u.Name, "timezone": u.TimeZone, "tags": []string{}, "telephones": []string{}, "extraEmails": []string{},
	}, nil
}

// getMeetingTypes answers an object keyed by type, each setting wrapped in
// {value}. That onlyTypes answers the same without settings is a guess.
func (c *Server) getMeetingTypes(call *call) (int, any, *boom) {
	types := map[string]any{}
	for name, length := range c.config.MeetingTypes {
		if call.query.Get("onlyTypes") == "true" {
			types[name] = map[string]any{}
			continue
		}
		types[name] = map[string]any{
			"meetingLength": map[string]any{"value": int(length.Minutes())},
			"availabilityWindows": map[string]any{"value": map[string]any{
				"monday": []any{map[string]string{"start": "09:00", "end": "17:00"}},
			}},
			"days": map[string]any{"value": map[string]int{"monday": 1, "tuesday": 1, "wednesday": 1, "thursday": 1, "friday": 1}},
		}
	}
	return http.StatusOK, types, nil
}

// deleteMeetingType keeps one: the primary booking link cannot be deleted.
func (c *Server) deleteMeetingType(call *call) (int, any, *boom) {
	name := chi.URLParam(call.r, "type")
	if _, ok := c.config.MeetingTypes[name]; !ok {
		return 0, nil, boomf(http.StatusNotFound, "Meeting type not found")
	}
	if len(c.config.MeetingTypes) == 1 {
		return 0, nil, boomf(http.StatusBadRequest, "Meeting type cannot be deleted")
	}
	delete(c.config.MeetingTypes, name)
	return http.StatusOK, map[string]any{}, nil
}

// The shapes of the next three are not known.

func (c *Server) getOrg(*call) (int, any, *boom) {
	return http.StatusOK, map[string]any{"id": "0123456789abcdef01234568", "name": "Organisation"}, nil
}

func (c *Server) getSavings(*call) (int, any, *boom) {
	return http.StatusOK, map[string]any{"minutes": 15 * len(c.closed)}, nil
}

func (c *Server) countMeetings(*call) (int, any, *boom) {
	counts := map[string]int{}
	for _, r := range append(c.requests[:len(c.requests):len(c.requests)], c.closed...) {
		if r.State == StateUpcoming || r.Status == "completed" {
			counts[r.Type]++
		}
	}
	return http.StatusOK, counts, nil
}

// listProviders shows the credentials of the connected calendar, as CalendarHero may.
func (c *Server) listProviders(*call) (int, any, *boom) {
	secret := map[string]any{"accessToken": c.config.ProviderSecret, "refreshToken": c.config.ProviderSecret}
	return http.StatusOK, []any{map[string]any{
		"name": "Google", "providerType": "google", "categoryType": []string{"calendar", "contacts"},
		"calendar": map[string]any{"id": "primary", "auth": secret}, "contacts": map[string]any{"enabled": true}, "mail": map[string]any{},
		"auth": secret, "eAuth": c.config.ProviderSecret, "dateAdded": fakehttp.ISOMillis(c.clock()), "dateUpdated": fakehttp.ISOMillis(c.clock()),
		"userId": c.config.User.ID, "orgId": "0123456789abcdef01234568", "xref": c.config.ProviderSecret,
	}}, nil
}
