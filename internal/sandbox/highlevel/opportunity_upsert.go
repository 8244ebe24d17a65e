package highlevel

import (
	"cmp"
	"net/http"
)

var opportunityUpsertDTO = dto{
	"id": text(), "pipelineId": required(aString), "locationId": required(aString), "followers": required(aStringList),
	"isRemoveAllFollowers": required(aBool), "followersActionType": {kind: aString, required: true, among: []string{"add", "remove"}},
	"name": text(), "status": among(opportunityStatuses...), "pipelineStageId": text(), "monetaryValue": optional(aNumber),
	"assignedTo": text(), "lostReasonId": text(),
}

// upsertOpportunity updates the opportunity of the id. HighLevel documents no
// contact here, without which it keeps no opportunity: an unknown id is refused,
// which is the harsher answer.
func (h *Server) upsertOpportunity(c *call, l *location) (int, any, *refusal) {
	id, _ := c.str("id")
	r := h.opportunities[id]
	if r == nil || r.LocationID != l.ID {
		return 0, nil, refuse(http.StatusBadRequest, "Opportunity with id %s not found", cmp.Or(id, "(none)"))
	}
	o, no := h.applyOpportunity(c, r.Opportunity)
	if no != nil {
		return 0, nil, no
	}
	ids, _ := as[[]string](c, "followers")
	action, _ := c.str("followersActionType")
	if all, _ := as[bool](c, "isRemoveAllFollowers"); all {
		r.followers = nil
	}
	if _, no := h.follow(r, ids, action == "add"); no != nil {
		return 0, nil, no
	}
	h.replaceOpportunity(r, o)
	return http.StatusOK, map[string]any{"opportunity": h.opportunityAnswer(r, true), "new": false}, nil
}
