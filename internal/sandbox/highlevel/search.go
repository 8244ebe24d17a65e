package highlevel

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"milepost/internal/sandbox/fakehttp"
)

// searchWindow is how many contacts pages can reach; beyond it a caller needs searchAfter.
const searchWindow = 10000

type filter struct {
	Group    string          `json:"group"`
	Filters  []filter        `json:"filters"`
	Field    string          `json:"field"`
	Operator string          `json:"operator"`
	Value    json.RawMessage `json:"value"`
}

type sorting struct {
	Field     string `json:"field"`
	Direction string `json:"direction"`
}

// indexed are the fields that contact search filters and sorts by. A time is
// milliseconds, a missing value is nil.
func indexed(r *contactRecord, name string) (value any, known bool) {
	text := func(s string) (any, bool) {
		if s == "" {
			return nil, true
		}
		return strings.ToLower(s), true
	}
	if id, ok := strings.CutPrefix(name, "customFields."); ok {
		switch v := r.CustomFields[id].(type) {
		case string:
			if day, err := time.Parse(time.DateOnly, v); err == nil {
				return day.UnixMilli(), true
			}
			return text(v)
		case nil:
			return nil, true
		default:
			return v, true
		}
	}
	switch name {
	case "id":
		return r.ID, true
	case "dateAdded":
		return r.DateAdded.UnixMilli(), true
	case "dateUpdated":
		return r.DateUpdated.UnixMilli(), true
	case "tags":
		return r.Tags, true
	case "email":
		return text(r.Email)
	case "phone":
		return text(r.Phone)
	case "firstName", "firstNameLowerCase":
		return text(r.FirstName)
	case "lastName", "lastNameLowerCase":
		return text(r.LastName)
	case "contactName", "name":
		return text(r.Name())
	case "assignedTo":
		if r.AssignedTo == "" {
			return nil, true
		}
		return r.AssignedTo, true
	case "companyName", "businessName":
		return text(r.CompanyName)
	case "source":
		return text(r.Source)
	case "city":
		return text(r.City)
	case "country":
		return text(r.Country)
	case "timezone":
		return text(r.TimeZone)
	}
	return nil, false
}

// compile turns filters into one predicate; all of them must hold.
func compile(filters []filter, either bool) (func(*contactRecord) bool, error) {
	var tests []func(*contactRecord) bool
	for _, f := range filters {
		if f.Group != "" || f.Filters != nil {
			if f.Group != "AND" && f.Group != "OR" {
				return nil, fmt.Errorf("group must be one of the following values: AND, OR")
			}
			test, err := compile(f.Filters, f.Group == "OR")
			if err != nil {
				return nil, err
			}
			tests = append(tests, test)
			continue
		}
		test, err := f.test()
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
	}
	return func(r *contactRecord) bool {
		for _, test := range tests {
			if test(r) == either {
				return either
			}
		}
		return !either || len(tests) == 0
	}, nil
}

func (f filter) test() (func(*contactRecord) bool, error) {
	if _, known := indexed(&contactRecord{}, f.Field); !known {
		return nil, fmt.Errorf("Invalid field %s in filters", f.Field)
	}
	var wanted any
	if len(f.Value) > 0 {
		if err := json.Unmarshal(f.Value, &wanted); err != nil {
			return nil, err
		}
	}
	has := func(r *contactRecord, match func(string) bool) bool {
		switch v, _ := indexed(r, f.Field); v := v.(type) {
		case []string:
			return slices.ContainsFunc(v, match)
		case nil:
			return false
		default:
			return match(fmt.Sprint(v))
		}
	}
	equal := func(s string) bool {
		if list, ok := wanted.([]any); ok {
			return slices.ContainsFunc(list, func(w any) bool { return strings.EqualFold(fmt.Sprint(w), s) })
		}
		if w, ok := moment(wanted); ok && strings.HasPrefix(f.Field, "date") {
			return strconv.FormatInt(w, 10) == s
		}
		return strings.EqualFold(fmt.Sprint(wanted), s)
	}
	contains := func(s string) bool {
		return strings.Contains(strings.ToLower(s), strings.ToLower(fmt.Sprint(wanted)))
	}
	present := func(r *contactRecord) bool {
		v, _ := indexed(r, f.Field)
		list, isList := v.([]string)
		return v != nil && (!isList || len(list) > 0)
	}
	switch f.Operator {
	case "eq":
		return func(r *contactRecord) bool { return has(r, equal) }, nil
	case "not_eq":
		return func(r *contactRecord) bool { return !has(r, equal) }, nil
	case "contains":
		return func(r *contactRecord) bool { return has(r, contains) }, nil
	case "not_contains":
		return func(r *contactRecord) bool { return !has(r, contains) }, nil
	case "exists":
		return present, nil
	case "not_exists":
		return func(r *contactRecord) bool { return !present(r) }, nil
	case "range":
		return f.within(wanted)
	}
	return nil, fmt.Errorf("Invalid operator %s for field %s", f.Operator, f.Field)
}

func (f filter) within(wanted any) (func(*contactRecord) bool, error) {
	bounds, ok := wanted.(map[string]any)
	if !ok || len(bounds) == 0 {
		return nil, fmt.Errorf("range of %s needs an object with gt, gte, lt or lte", f.Field)
	}
	limits := map[string]int64{}
	for name, raw := range bounds {
		at, ok := moment(raw)
		if !ok || !slices.Contains([]string{"gt", "gte", "lt", "lte"}, name) {
			return nil, fmt.Errorf("Invalid range of %s", f.Field)
		}
		limits[name] = at
	}
	return func(r *contactRecord) bool {
		var at int64
		switch v, _ := indexed(r, f.Field); v := v.(type) {
		case int64:
			at = v
		case float64:
			at = int64(v)
		default:
			return false
		}
		for name, limit := range limits {
			if name == "gt" && at <= limit || name == "gte" && at < limit ||
				name == "lt" && at >= limit || name == "lte" && at > limit {
				return false
			}
		}
		return true
	}, nil
}

// moment reads a bound: epoch milliseconds or ISO 8601.
func moment(value any) (int64, bool) {
	switch v := value.(type) {
	case float64:
		return int64(v), true
	case string:
		t, ok := fakehttp.ParseISO(v)
		return t.UnixMilli(), ok
	}
	return 0, false
}

func (h *Server) searchContacts(c *call, l *location) (int, any, *refusal) {
	invalid := func(messages ...string) (int, any, *refusal) {
		return 0, nil, unprocessable(messages...)
	}
	size, _ := as[float64](c, "pageLimit")
	if size < 1 || size > 500 || size != float64(int(size)) {
		return invalid("pageLimit must not be greater than 500 nor less than 1")
	}
	page, paged := as[float64](c, "page")
	if !paged {
		page = 1
	}
	if page < 1 || page != float64(int(page)) {
		return invalid("page must not be less than 1")
	}
	after, continued := as[[]any](c, "searchAfter")
	if continued && paged {
		return invalid("page should not be used with searchAfter")
	}
	if !continued && page*size > searchWindow {
		return 0, nil, refuse(http.StatusBadRequest, "only the first %d contacts can be reached by page; use searchAfter", searchWindow)
	}
	var filters []filter
	if raw, ok := c.body["filters"]; ok && json.Unmarshal(raw, &filters) != nil {
		return invalid("filters must be an array of objects")
	}
	keep, err := compile(filters, false)
	if err != nil {
		return invalid(err.Error())
	}
	var sorts []sorting
	if raw, ok := c.body["sort"]; ok && json.Unmarshal(raw, &sorts) != nil {
		return invalid("sort must be an array of objects")
	}
	if len(sorts) > 2 {
		return invalid("sort must contain no more than 2 elements")
	}
	for _, s := range sorts {
		if _, known := indexed(&contactRecord{}, s.Field); !known || s.Field == "tags" {
			return invalid("Invalid field " + s.Field + " in sort")
		}
		if s.Direction != "asc" && s.Direction != "desc" {
			return invalid("direction must be one of the following values: asc, desc")
		}
	}
	if len(sorts) == 0 {
		sorts = []sorting{{"dateAdded", "desc"}}
	}
	query, _ := c.str("query")
	if len(query) > 75 {
		return invalid("query must be shorter than or equal to 75 characters")
	}

	now := h.clock()
	found := h.sortedContacts(func(r *contactRecord) bool {
		return r.LocationID == l.ID && keep(r) && r.matches(query) &&
			(h.config.SearchLag == 0 || !r.DateUpdated.After(now.Add(-h.config.SearchLag)))
	})
	slices.SortStableFunc(found, func(a, b *contactRecord) int {
		return compareCursors(a.cursor(sorts), b.cursor(sorts), sorts)
	})
	total := len(found)
	if continued {
		if len(after) != len(sorts)+1 {
			return invalid("searchAfter must be the one of a row of the same search")
		}
		from := slices.IndexFunc(found, func(r *contactRecord) bool {
			return compareCursors(r.cursor(sorts), after, sorts) > 0
		})
		if from < 0 {
			from = len(found)
		}
		found = found[from:]
	} else {
		found = found[min(int((page-1)*size), len(found)):]
	}
	rows := answers(found[:min(int(size), len(found))], func(r *contactRecord) map[string]any { return h.searchRow(r, sorts) })
	return http.StatusOK, map[string]any{"contacts": rows, "total": total, "traceId": fakehttp.UUID()}, nil
}

// cursor is a row's place in a sorting, ending with its id.
func (r *contactRecord) cursor(sorts []sorting) []any {
	var cursor []any
	for _, s := range sorts {
		v, _ := indexed(r, s.Field)
		cursor = append(cursor, v)
	}
	return append(cursor, r.ID)
}

// compareCursors takes numbers as int64 or, from JSON, as float64.
func compareCursors(a, b []any, sorts []sorting) int {
	for i, s := range sorts {
		order := compareValues(a[i], b[i])
		if s.Direction == "desc" {
			order = -order
		}
		if order != 0 {
			return order
		}
	}
	return cmp.Compare(fmt.Sprint(a[len(sorts)]), fmt.Sprint(b[len(sorts)]))
}

func compareValues(a, b any) int {
	number := func(v any) (float64, bool) {
		switch v := v.(type) {
		case int64:
			return float64(v), true
		case float64:
			return v, true
		}
		return 0, false
	}
	x, xok := number(a)
	y, yok := number(b)
	switch {
	case xok && yok:
		return cmp.Compare(x, y)
	case a == nil || b == nil:
		return cmp.Compare(bit(a == nil), bit(b == nil)) // missing values last
	default:
		return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b))
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (r *contactRecord) matches(query string) bool {
	query = strings.ToLower(query)
	return query == "" || strings.Contains(strings.ToLower(r.Name()+"\n"+r.Email+"\n"+r.Phone+"\n"+r.CompanyName), query)
}

// searchRow is a contact in the index: without proper-case names.
func (h *Server) searchRow(r *contactRecord, sorts []sorting) map[string]any {
	return map[string]any{
		"id": r.ID, "locationId": r.LocationID, "type": "lead",
		"firstNameLowerCase": lowerOrNil(r.FirstName), "lastNameLowerCase": lowerOrNil(r.LastName),
		"email": lowerOrNil(r.Email), "phone": orNull(r.Phone), "phoneLabel": nil,
		"additionalEmails": []any{}, "additionalPhones": []any{},
		"companyName": orNull(r.CompanyName), "source": orNull(r.Source), "assignedTo": orNull(r.AssignedTo),
		"address": orNull(r.Address1), "city": orNull(r.City), "state": orNull(r.State), "postalCode": orNull(r.PostalCode),
		"country": orNull(r.Country), "timezone": orNull(r.TimeZone), "website": orNull(r.Website),
		"dateOfBirth": orNull(r.DateOfBirth), "dnd": r.DND, "tags": r.tags(), "customFields": h.fieldValues(r),
		"dateAdded": fakehttp.ISOMillis(r.DateAdded), "dateUpdated": fakehttp.ISOMillis(r.DateUpdated), "searchAfter": r.cursor(sorts),
	}
}

func lowerOrNil(s string) *string { return orNull(strings.ToLower(s)) }

func (h *Server) findDuplicate(c *call, l *location) (int, any, *refusal) {
	q := c.r.URL.Query()
	if q.Get("email") == "" && q.Get("number") == "" {
		return 0, nil, refuse(http.StatusBadRequest, "email or number is required")
	}
	found, _ := h.duplicate(l.ID, q.Get("email"), q.Get("number"), "")
	if found == nil {
		return http.StatusOK, map[string]any{"contact": nil, "traceId": fakehttp.UUID()}, nil
	}
	return http.StatusOK, map[string]any{"contact": h.contactAnswer(found, false), "traceId": fakehttp.UUID()}, nil
}

// listContacts is the deprecated list, newest first.
func (h *Server) listContacts(c *call) (int, any, *refusal) {
	if c.v3 {
		return 0, nil, refuse(http.StatusNotFound, "Cannot %s %s", c.r.Method, c.r.URL.Path)
	}
	q := c.r.URL.Query()
	l, no := h.locationOfQuery(c)
	if no != nil {
		return 0, nil, no
	}
	limit, no := queryInt(c, "limit", 20)
	if no != nil {
		return 0, nil, no
	}
	if limit < 1 || limit > 100 {
		return 0, nil, unprocessable("limit must not be greater than 100")
	}
	startAfter, no := queryInt(c, "startAfter", 0)
	if no != nil {
		return 0, nil, no
	}
	sorts := []sorting{{"dateAdded", "desc"}}
	all := h.sortedContacts(func(r *contactRecord) bool { return r.LocationID == l.ID && r.matches(q.Get("query")) })
	slices.SortStableFunc(all, func(a, b *contactRecord) int { return compareCursors(a.cursor(sorts), b.cursor(sorts), sorts) })
	total := len(all)
	if after := q.Get("startAfterId"); after != "" {
		cursor := []any{int64(startAfter), after}
		all = slices.DeleteFunc(all, func(r *contactRecord) bool { return compareCursors(r.cursor(sorts), cursor, sorts) <= 0 })
	}
	more := len(all) > limit
	all = all[:min(limit, len(all))]
	contacts := answers(all, func(r *contactRecord) map[string]any {
		a := h.contactAnswer(r, false)
		a["contactName"] = strings.ToLower(r.Name())
		a["attributions"], a["followers"] = []any{}, []any{}
		return a
	})
	meta := map[string]any{"total": total, "currentPage": 1, "nextPage": nil, "prevPage": nil, "nextPageUrl": nil}
	if len(all) > 0 {
		last := all[len(all)-1]
		meta["startAfterId"], meta["startAfter"] = last.ID, last.DateAdded.UnixMilli()
		if more {
			next := url.Values{
				"locationId": {l.ID}, "limit": {strconv.Itoa(limit)}, "startAfterId": {last.ID},
				"startAfter": {strconv.FormatInt(last.DateAdded.UnixMilli(), 10)},
			}
			meta["nextPage"] = 2
			meta["nextPageUrl"] = "http://" + c.r.Host + "/contacts/?" + next.Encode()
		}
	}
	return http.StatusOK, map[string]any{"contacts": contacts, "count": total, "meta": meta, "traceId": fakehttp.UUID()}, nil
}
