package highlevel

import (
	"slices"
	"strconv"
)

// query refuses what HighLevel's validator refuses of a query: unknown keys and
// missing values. It returns the values of the known keys.
func (c *call) query(required []string, optional ...string) (map[string]string, *refusal) {
	values := map[string]string{}
	var problems []string
	for key, all := range c.r.URL.Query() {
		if !slices.Contains(required, key) && !slices.Contains(optional, key) {
			problems = append(problems, "property "+key+" should not exist")
		}
		values[key] = all[0]
	}
	for _, key := range required {
		if values[key] == "" {
			problems = append(problems, key+" should not be empty")
		}
	}
	if problems != nil {
		slices.Sort(problems)
		return nil, unprocessable(problems...)
	}
	return values, nil
}

// locationAndQuery finds the location of a list, whose id is required, and the
// values of its query.
func (h *Server) locationAndQuery(optional ...string) func(*call) (*location, map[string]string, *refusal) {
	return func(c *call) (*location, map[string]string, *refusal) {
		values, no := c.query([]string{"locationId"}, optional...)
		if no != nil {
			return nil, nil, no
		}
		l, no := h.location(c, values["locationId"])
		return l, values, no
	}
}

// page cuts a list to skip and limit.
func page[T any](list []T, skip, limit string) []T {
	from, _ := strconv.Atoi(skip)
	list = list[min(max(from, 0), len(list)):]
	if n, err := strconv.Atoi(limit); err == nil && n > 0 {
		list = list[:min(n, len(list))]
	}
	return list
}
