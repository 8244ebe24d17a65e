package highlevel

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
)

// Calendar is a calendar of a location. Its slots are on weekdays from 9 to 17
// o'clock in the location's zone.
type Calendar struct {
	ID, Name, GroupID string
	UserIDs           []string
	Draft             bool
}

// CalendarGroup is a group of calendars.
type CalendarGroup struct{ ID, Name string }

// slotLength is how long the slots of every calendar are.
const slotLength = 30 * time.Minute

// SeedCalendar adds a calendar to a location and returns it with its id.
func (h *Server) SeedCalendar(locationID string, calendar Calendar) Calendar {
	calendar.ID = cmp.Or(calendar.ID, newID())
	h.seed(locationID, func(l *location) { l.calendars = append(l.calendars, calendar) })
	return calendar
}

// SeedCalendarGroup adds a group to a location and returns it with its id.
func (h *Server) SeedCalendarGroup(locationID string, group CalendarGroup) CalendarGroup {
	group.ID = cmp.Or(group.ID, newID())
	h.seed(locationID, func(l *location) { l.calendarGroups = append(l.calendarGroups, group) })
	return group
}

func (calendar Calendar) answer(locationID string) map[string]any {
	members := []any{}
	for _, id := range calendar.UserIDs {
		members = append(members, map[string]any{"userId": id, "priority": 0.5, "isPrimary": true})
	}
	return map[string]any{
		"id": calendar.ID, "locationId": locationID, "groupId": orNull(calendar.GroupID), "name": calendar.Name, "isActive": !calendar.Draft,
		"teamMembers": members, "slotDuration": slotLength.Minutes(), "slotDurationUnit": "mins", "calendarType": "round_robin",
	}
}

// listCalendars shows drafts unless it is asked not to, as HighLevel does.
func (h *Server) listCalendars(c *call, l *location, values map[string]string) (int, any, *refusal) {
	calendars := []any{}
	for _, calendar := range l.calendars {
		if (values["groupId"] == "" || values["groupId"] == calendar.GroupID) && (!calendar.Draft || values["showDrafted"] != "false") {
			calendars = append(calendars, calendar.answer(l.ID))
		}
	}
	return http.StatusOK, map[string]any{"calendars": calendars}, nil
}

// calendar finds the calendar that the path names, within the token's reach.
func (h *Server) calendar(c *call) (*location, Calendar, *refusal) {
	id := chi.URLParam(c.r, "calendarId")
	for _, l := range h.locations {
		for _, calendar := range l.calendars {
			if calendar.ID == id {
				return l, calendar, c.tenant(l.ID)
			}
		}
	}
	return nil, Calendar{}, refuse(http.StatusBadRequest, "Calendar with id %s not found", id)
}

func (h *Server) getCalendar(c *call, l *location, calendar Calendar) (int, any, *refusal) {
	return http.StatusOK, map[string]any{"calendar": calendar.answer(l.ID)}, nil
}

func (h *Server) listCalendarGroups(c *call, l *location, _ map[string]string) (int, any, *refusal) {
	groups := []any{}
	for _, g := range l.calendarGroups {
		groups = append(groups, map[string]any{"id": g.ID, "locationId": l.ID, "name": g.Name, "description": "", "slug": g.ID, "isActive": true})
	}
	return http.StatusOK, map[string]any{"groups": groups}, nil
}

// span reads the times of a list of events: milliseconds, as texts.
func span(from, to string) (start, end time.Time, no *refusal) {
	first, err := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	if err != nil || err2 != nil || last <= first {
		return start, end, refuse(http.StatusBadRequest, "startTime and endTime must be milliseconds, and endTime after startTime")
	}
	return time.UnixMilli(first), time.UnixMilli(last), nil
}

// entries are the appointments or the blocked slots that a list asks for, by their start.
func (h *Server) entries(c *call, blocked bool) (int, any, *refusal) {
	values, no := c.query([]string{"locationId", "startTime", "endTime"}, "userId", "calendarId", "groupId")
	if no != nil {
		return 0, nil, no
	}
	l, no := h.location(c, values["locationId"])
	if no != nil {
		return 0, nil, no
	}
	if values["userId"]+values["calendarId"]+values["groupId"] == "" {
		return 0, nil, refuse(http.StatusBadRequest, "Either of userId, groupId or calendarId is required")
	}
	start, end, no := span(values["startTime"], values["endTime"])
	if no != nil {
		return 0, nil, no
	}
	var found []*appointmentRecord
	for _, r := range h.appointments {
		group := r.GroupID
		if i := slices.IndexFunc(l.calendars, func(calendar Calendar) bool { return calendar.ID == r.CalendarID }); i >= 0 && group == "" {
			group = l.calendars[i].GroupID
		}
		wanted := r.LocationID == l.ID && r.blocks == blocked && r.Start.Before(end) && start.Before(r.End)
		for key, value := range map[string]string{"userId": r.AssignedUserID, "calendarId": r.CalendarID, "groupId": group} {
			wanted = wanted && (values[key] == "" || values[key] == value)
		}
		if wanted {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *appointmentRecord) int { return a.Start.Compare(b.Start) })
	events := []any{}
	for _, r := range found {
		events = append(events, r.answer(h.zone(l.ID), time.RFC3339))
	}
	return http.StatusOK, map[string]any{"events": events}, nil
}

func (h *Server) listCalendarEvents(c *call) (int, any, *refusal) { return h.entries(c, false) }
func (h *Server) listBlockedSlots(c *call) (int, any, *refusal)   { return h.entries(c, true) }

// listFreeSlots answers by days of the zone. An appointment or blocked slot takes
// the slots that it overlaps.
func (h *Server) listFreeSlots(c *call, l *location, calendar Calendar) (int, any, *refusal) {
	values, no := c.query([]string{"startDate", "endDate"}, "timezone", "userId", "userIds")
	if no != nil {
		return 0, nil, no
	}
	start, end, no := span(values["startDate"], values["endDate"])
	if no != nil {
		return 0, nil, no
	}
	if end.Sub(start) > 31*24*time.Hour {
		return 0, nil, refuse(http.StatusBadRequest, "Date range cannot be more than 31 days")
	}
	zone := h.zone(l.ID)
	shown := zone
	if name := values["timezone"]; name != "" {
		var err error
		if shown, err = time.LoadLocation(name); err != nil {
			return 0, nil, refuse(http.StatusBadRequest, "timezone is invalid")
		}
	}
	days := map[string]any{}
	for at := start.Truncate(slotLength); at.Before(end); at = at.Add(slotLength) {
		local := at.In(zone)
		weekend := local.Weekday() == time.Saturday || local.Weekday() == time.Sunday
		if at.Before(start) || weekend || local.Hour() < 9 || local.Hour() >= 17 || h.taken(l.ID, calendar.ID, at) {
			continue
		}
		day := at.In(shown).Format(time.DateOnly)
		slots, _ := days[day].(map[string]any)
		if slots == nil {
			slots = map[string]any{"slots": []string{}}
			days[day] = slots
		}
		slots["slots"] = append(slots["slots"].([]string), at.In(shown).Format(time.RFC3339))
	}
	return http.StatusOK, days, nil
}

func (h *Server) taken(locationID, calendarID string, at time.Time) bool {
	for _, r := range h.appointments {
		if r.LocationID == locationID && r.CalendarID == calendarID && r.Status != "cancelled" && r.Start.Before(at.Add(slotLength)) && at.Before(r.End) {
			return true
		}
	}
	return false
}
