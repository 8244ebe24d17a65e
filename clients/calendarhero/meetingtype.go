package calendarhero

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"milepost/clients"
)

// MeetingType is a kind of meeting that the account offers.
type MeetingType struct {
	Name   string        // the value for MeetingRequest.Type
	Length time.Duration // 0 = unknown
}

// MeetingTypes lists the account's meeting types, by name.
func (c *Client) MeetingTypes(ctx context.Context) ([]MeetingType, error) {
	return c.meetingTypes(ctx, nil)
}

// MeetingTypeNames lists the names alone, because CalendarHero sends settings only on
// request.
func (c *Client) MeetingTypeNames(ctx context.Context) ([]string, error) {
	types, err := c.meetingTypes(ctx, url.Values{"onlyTypes": {"true"}})
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.Name
	}
	return names, err
}

func (c *Client) meetingTypes(ctx context.Context, query url.Values) ([]MeetingType, error) {
	const operation = "list meeting types"
	out, err := c.get(ctx, operation, "/user/meeting", query)
	if err != nil {
		return nil, err
	}
	settings, ok := typeSettings(out)
	if !ok {
		return nil, unreadable(operation, "")
	}
	types := make([]MeetingType, 0, len(settings))
	for name, settings := range settings {
		types = append(types, MeetingType{Name: name, Length: length(settings)})
	}
	slices.SortFunc(types, func(a, b MeetingType) int { return cmp.Compare(a.Name, b.Name) })
	return types, nil
}

// DeleteMeetingType deletes a meeting type and its booking link. Some types cannot be
// deleted; then the error is probably Invalid.
func (c *Client) DeleteMeetingType(ctx context.Context, name string) error {
	return c.do(ctx, route{
		operation: "delete meeting type", method: http.MethodDelete, path: "/user/meeting/%s", ids: []string{name}, effect: clients.Idempotent,
	}, nil)
}

// length reads {"meetingLength":{"value":30}} or {"meetingLength":30}, in minutes.
func length(settings clients.Object) time.Duration {
	text := settings.Text("meetingLength")
	if wrapped, err := clients.ParseObject(settings.Raw("meetingLength")); err == nil {
		text = wrapped.Text("value")
	}
	return minutes(text)
}

func minutes(text string) time.Duration {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0 && n <= 7*24*60) {
		return 0
	}
	return time.Duration(n * float64(time.Minute))
}
