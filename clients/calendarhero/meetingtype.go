package calendarhero

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"milepost/clients"
)

// MeetingType is a kind of meeting that the account offers.
type MeetingType struct {
	Name   string        // what MeetingRequest.Type takes
	Length time.Duration // 0 = not said
}

// MeetingTypes lists the account's meeting types, by name. The API answers
// an object keyed by name, {"meeting":{"meetingLength":{"value":30},…},…}; an
// array of names or of objects with a name is read too.
func (c *Client) MeetingTypes(ctx context.Context) ([]MeetingType, error) {
	const operation = "list meeting types"
	var out json.RawMessage
	if err := c.do(ctx, route{operation: operation, method: http.MethodGet, path: "/user/meeting"}, &out); err != nil {
		return nil, err
	}
	var types []MeetingType
	if byName, err := clients.ParseObject(out); err == nil {
		for name, raw := range byName {
			settings, _ := clients.ParseObject(raw)
			types = append(types, MeetingType{Name: name, Length: length(settings)})
		}
	} else {
		list := clients.Object{"types": out}
		if len(out) == 0 || out[0] != '[' {
			return nil, unreadable(operation, "")
		}
		for _, name := range list.Texts("types") {
			types = append(types, MeetingType{Name: name})
		}
		for _, settings := range list.Objects("types") {
			if name := settings.Text("name"); name != "" {
				types = append(types, MeetingType{Name: name, Length: length(settings)})
			}
		}
	}
	slices.SortFunc(types, func(a, b MeetingType) int { return cmp.Compare(a.Name, b.Name) })
	return types, nil
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
