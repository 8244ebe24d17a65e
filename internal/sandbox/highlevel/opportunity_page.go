package highlevel

import (
	"cmp"
	"net/http"
	"slices"
)

var (
	opportunityPageDTO = dto{
		"locationId": required(aString), "query": {kind: aString, required: true, empty: true}, "limit": required(aNumber), "page": required(aNumber),
		"searchAfter": required(aStringList), "additionalDetails": required(anObject),
	}
	additionalDetailsDTO = dto{
		"notes": required(aBool), "tasks": required(aBool), "calendarEvents": required(aBool), "unReadConversations": required(aBool),
	}
)

// searchOpportunitiesByPage is the search by POST. It goes by page; searchAfter is
// taken and left aside.
func (h *Server) searchOpportunitiesByPage(c *call, l *location) (int, any, *refusal) {
	details := &call{r: c.r}
	if no := details.read(additionalDetailsDTO, c.body["additionalDetails"]); no != nil {
		return 0, nil, no
	}
	wants := func(key string) bool { is, _ := as[bool](details, key); return is }
	query, _ := c.str("query")
	limit, _ := as[int](c, "limit")
	number, _ := as[int](c, "page")
	if limit < 1 || limit > 500 || number < 1 {
		return 0, nil, unprocessable("limit must be from 1 to 500, page from 1")
	}
	var found []*opportunityRecord
	for _, r := range h.opportunities {
		if r.LocationID == l.ID && h.opportunityMatches(r, query) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *opportunityRecord) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	total := len(found)
	found = found[min((number-1)*limit, total):]
	rows := answers(found[:min(limit, len(found))], func(r *opportunityRecord) map[string]any {
		answer := h.opportunityAnswer(r, false)
		h.addContactRecords(answer, r, wants("tasks"), wants("notes"), wants("calendarEvents"))
		return answer
	})
	return http.StatusOK, map[string]any{"opportunities": rows, "total": total, "aggregations": map[string]any{}}, nil
}
