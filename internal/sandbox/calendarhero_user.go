package sandbox

import "net/http"

func (c *CalendarHero) getUser(*heroCall) (int, any, *boom) {
	u := c.config.User
	return http.StatusOK, map[string]any{
		"id": u.ID, "email": u.Email, "name": u.Name, "timezone": u.TimeZone, "tags": []string{}, "telephones": []string{}, "extraEmails": []string{},
	}, nil
}

// getMeetingTypes answers an object keyed by type, each setting wrapped in {value}.
func (c *CalendarHero) getMeetingTypes(*heroCall) (int, any, *boom) {
	types := map[string]any{}
	for name, length := range c.config.MeetingTypes {
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
