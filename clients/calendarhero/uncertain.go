package calendarhero

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"milepost/clients"
)

// What CalendarHero answers to some calls is not documented. Each such answer
// is read in one place, here, and `milepost check --live` shows its shape.

// registration reads GET /webhook/{event}: false if it says that no one has
// registered. It is taken in any form that holds a URL. What says something
// but no URL is a registration of nobody knows whom.
func registration(raw json.RawMessage) (hook Hook, registered bool) {
	if blank(raw) {
		return Hook{}, false
	}
	hook, _ = findHook(clients.Object{"url": raw}, 4) // it may be the bare URL
	return hook, true
}

var hookKeys = []string{"hookUrl", "hookURL", "url"}

// findHook looks for a URL in an object and, that far down, in what it holds.
func findHook(o clients.Object, depth int) (hook Hook, found bool) {
	for _, key := range hookKeys {
		if urls := o.Texts(key); len(urls) > 0 {
			return Hook{ID: o.Text("id"), URL: urls[0]}, true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(o)) {
		held := o.Objects(key)
		if one, err := clients.ParseObject(o[key]); err == nil {
			held = []clients.Object{one}
		}
		for _, inner := range held {
			if depth == 0 {
				return Hook{}, false
			}
			if hook, found = findHook(inner, depth-1); found {
				return hook, true
			}
		}
	}
	return Hook{}, false
}

// blank reports whether JSON shows no hook: it is missing, null, false, an empty
// text, a list or an object of only these, or an object whose URL is blank.
func blank(raw json.RawMessage) bool {
	var held []json.RawMessage
	if o, err := clients.ParseObject(raw); err == nil {
		for _, key := range hookKeys {
			if url, has := o[key]; has {
				return blank(url)
			}
		}
		held = slices.Collect(maps.Values(o))
	} else if json.Unmarshal(raw, &held) != nil {
		return slices.Contains([]string{"", "false", `""`}, string(bytes.TrimSpace(raw)))
	}
	return !slices.ContainsFunc(held, func(item json.RawMessage) bool { return !blank(item) })
}

// number reads GET /contact/count: a number, or an object that holds one under
// a name for it, or only one.
func number(raw json.RawMessage) (int, bool) {
	o, err := clients.ParseObject(raw)
	if err != nil {
		o = clients.Object{"count": raw}
	}
	keys := []string{"count", "total"}
	if len(o) == 1 {
		keys = slices.Collect(maps.Keys(o))
	}
	for _, key := range keys {
		if n, err := strconv.ParseFloat(o.Text(key), 64); err == nil && n >= 0 && n < 1e9 {
			return int(n), true
		}
	}
	return 0, false
}

// typeSettings reads GET /user/meeting: an object keyed by name, or an array
// of names or of objects with a name.
func typeSettings(raw json.RawMessage) (map[string]clients.Object, bool) {
	types := map[string]clients.Object{}
	if byName, err := clients.ParseObject(raw); err == nil {
		for name, settings := range byName {
			types[name], _ = clients.ParseObject(settings)
		}
		return types, true
	}
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '[' {
		return nil, false
	}
	o := clients.Object{"types": raw}
	for _, name := range o.Texts("types") {
		types[name] = nil
	}
	for _, settings := range o.Objects("types") {
		if name := settings.Text("name"); name != "" {
			types[name] = settings
		}
	}
	return types, true
}

// How GET /meeting/tasks pages is known of one connector only: whether skip and
// take are kept to, and what the largest take is, is not: a server that refuses
// the first of requestTakes is asked for less, and at last for all there is (0).
// Up to requestOverlap items are read again with each page, so that one that
// moves up because another is deleted in between is not missed.
var requestTakes = []int{100, 50, 20, 0}

const (
	requestPages   = 1000
	requestOverlap = 10
)
