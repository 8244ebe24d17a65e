package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// printed writes a value for people: nothing for nil, 5 for 5.0, lists joined by commas,
// 2026-12-01 for a date.
func printed(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []string:
		return strings.Join(v, ", ")
	case []any:
		parts := make([]string, 0, len(v))
		for _, e := range v {
			if p := printed(e); p != "" {
				parts = append(parts, p)
			}
		}
		return strings.Join(parts, ", ")
	case map[string]any: // e.g. TEXTBOX_LIST: box id to text
		parts := make([]any, 0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, v[key])
		}
		return printed(parts)
	}
	return fmt.Sprint(v)
}

// texts flattens a value to its texts: each entry of a list becomes one.
func texts(v any) []string {
	switch v := v.(type) {
	case []string:
		return v
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = printed(e)
		}
		return parts
	}
	return []string{printed(v)}
}
