package calendarhero

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"milepost/clients"
)

// Some of CalendarHero's answers are undocumented. This file reads all of them, and
// `milepost check --live` shows their shape.

// registration reads the answer of GET /webhook/{event}. Any form that contains a URL is a
// registration. An answer that says something without a URL is a registration by somebody
// unknown. Otherwise nobody has registered.
func registration(raw json.RawMessage) (hook Hook, registered bool) {
	if blank(raw) {
		return Hook{}, false
	}
	hook, _ = findHook(clients.Object{"url": raw}, 4) // the answer may be the bare URL
	return hook, true
}

var hookKeys = []string{"hookUrl", "hookURL", "url"}

// findHook looks for a URL in an object, and in its fields down to depth.
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

// blank reports whether JSON shows no hook: it is missing, null, false or an empty text, a
// list or object of only these, or an object with a blank URL.
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

// number reads the answer of GET /contact/count: a number, or an object with a number under
// a known name, or with only one number.
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

// typeSettings reads the answer of GET /user/meeting: an object keyed by name, or an array
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

// The paging of GET /meeting/tasks is known only from one connector. It is unknown whether
// the server honours skip and take, and how large take may be. If a server rejects the
// first of requestTakes, the client asks for less, and at last for everything (0). Each
// page repeats up to requestOverlap items of the page before. So a request that moves up
// because another is deleted at that moment is not missed.
var requestTakes = []int{100, 50, 20, 0}

const (
	requestPages   = 1000
	requestOverlap = 10
)
