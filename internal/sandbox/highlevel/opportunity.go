package highlevel

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"milepost/internal/sandbox/fakehttp"
)

// Opportunity is a deal of a contact in a pipeline.
type Opportunity struct {
	ID, LocationID, ContactID             string
	Name                                  string
	PipelineID, StageID                   string
	Status                                string // "open", "won", "lost", "abandoned"
	MonetaryValue                         float64
	AssignedTo                            string // user id
	Source, LostReasonID                  string
	CustomFields                          map[string]any // by field id; a DATE is kept as YYYY-MM-DD
	CreatedAt, UpdatedAt                  time.Time
	LastStageChangeAt, LastStatusChangeAt time.Time
}

type opportunityRecord struct {
	Opportunity
	followers []string // ids of users
}

func (r *opportunityRecord) owner() (locationID, contactID string) { return r.LocationID, r.ContactID }

var (
	opportunityStatuses  = []string{"open", "won", "lost", "abandoned"}
	opportunityStatusDTO = dto{
		"status": {kind: aString, required: true, among: opportunityStatuses}, "lostReasonId": text(),
	}
	opportunityUpdateDTO = dto{
		"pipelineId": text(), "name": text(), "pipelineStageId": text(), "status": among(opportunityStatuses...),
		"monetaryValue": optional(aNumber), "assignedTo": text(), "customFields": optional(customFieldValues),
	}
	opportunityCreateDTO = opportunityUpdateDTO.with(dto{
		"pipelineId": required(aString), "locationId": required(aString), "name": required(aString), "contactId": required(aString),
		"status": {kind: aString, required: true, among: opportunityStatuses},
	})
)

// CreateOpportunity makes an opportunity of the contact in o.ContactID, as a
// person does in HighLevel's pages. An empty stage is the pipeline's first,
// an empty status "open". Keys of CustomFields may be field ids or keys.
func (h *Server) CreateOpportunity(o Opportunity) (Opportunity, error) {
	return h.newOpportunity(o, true)
}

// SeedOpportunity is CreateOpportunity without a webhook.
func (h *Server) SeedOpportunity(o Opportunity) (Opportunity, error) {
	return h.newOpportunity(o, false)
}

func (h *Server) newOpportunity(o Opportunity, tell bool) (made Opportunity, err error) {
	err = with(h, "create opportunity of", "contact", h.contacts, o.ContactID, func(r *contactRecord) error {
		o.LocationID, o.Status = r.LocationID, cmp.Or(o.Status, "open")
		values := o.CustomFields
		o.CustomFields = nil
		for ref, value := range values {
			if err := h.setFieldOf("opportunity", o.LocationID, &o.CustomFields, ref, value); err != nil {
				return err
			}
		}
		if err := h.checkStage(&o); err != nil {
			return err
		}
		made = h.insertOpportunity(o, tell).clone()
		return nil
	})
	return made, err
}

// UpdateOpportunity lets change edit an opportunity: its name, pipeline,
// stage, status, value and user. Nothing changed sends nothing.
func (h *Server) UpdateOpportunity(id string, change func(*Opportunity)) error {
	return with(h, "update", "opportunity", h.opportunities, id, func(r *opportunityRecord) error {
		updated := r.clone()
		change(&updated)
		if err := h.checkStage(&updated); err != nil {
			return err
		}
		h.replaceOpportunity(r, updated)
		return nil
	})
}

// DeleteOpportunity deletes an opportunity.
func (h *Server) DeleteOpportunity(id string) error {
	return remove(h, "delete", "opportunity", h.opportunities, id, h.removeOpportunity)
}

// Opportunity returns one opportunity, and whether it exists.
func (h *Server) Opportunity(id string) (Opportunity, bool) {
	return get(h, h.opportunities, id, func(r *opportunityRecord) Opportunity { return r.clone() })
}

func (o Opportunity) clone() Opportunity {
	o.CustomFields = maps.Clone(o.CustomFields)
	return o
}

// checkStage fills in the first stage of the pipeline and refuses one of another.
func (h *Server) checkStage(o *Opportunity) error {
	p, ok := h.locations[o.LocationID].pipeline(o.PipelineID)
	if !ok {
		return fmt.Errorf("The pipeline id %s is invalid", o.PipelineID)
	}
	if o.StageID == "" && len(p.Stages) > 0 {
		o.StageID = p.Stages[0].ID
	}
	if !p.has(o.StageID) {
		return fmt.Errorf("The pipeline stage id %s is invalid", o.StageID)
	}
	return nil
}

// insertOpportunity sends two events, as HighLevel does for a new one (its issue #27).
func (h *Server) insertOpportunity(o Opportunity, tell bool) *opportunityRecord {
	o.ID, o.CreatedAt = cmp.Or(o.ID, newID()), cmp.Or(o.CreatedAt, h.clock())
	for _, at := range []*time.Time{&o.UpdatedAt, &o.LastStageChangeAt, &o.LastStatusChangeAt} {
		*at = cmp.Or(*at, o.CreatedAt)
	}
	r := &opportunityRecord{Opportunity: o}
	h.opportunities[o.ID] = r
	if tell {
		h.emitOpportunity("OpportunityCreate", r)
		h.emitOpportunity("OpportunityUpdate", r)
	}
	h.notice.Changed()
	return r
}

// replaceOpportunity sends an event for each change that has one, and then OpportunityUpdate.
func (h *Server) replaceOpportunity(r *opportunityRecord, o Opportunity) {
	before := r.Opportunity
	o.ID, o.LocationID, o.ContactID = before.ID, before.LocationID, before.ContactID
	o.CreatedAt, o.UpdatedAt = before.CreatedAt, before.UpdatedAt
	o.LastStageChangeAt, o.LastStatusChangeAt = before.LastStageChangeAt, before.LastStatusChangeAt
	if len(o.CustomFields)+len(before.CustomFields) == 0 {
		o.CustomFields = before.CustomFields // nil or empty is the same
	}
	if reflect.DeepEqual(o, before) {
		return
	}
	now := h.clock()
	o.UpdatedAt = now
	var events []string
	if o.StageID != before.StageID {
		o.LastStageChangeAt = now
		events = append(events, "OpportunityStageUpdate")
	}
	if o.Status != before.Status {
		o.LastStatusChangeAt = now
		events = append(events, "OpportunityStatusUpdate")
	}
	if o.MonetaryValue != before.MonetaryValue {
		events = append(events, "OpportunityMonetaryValueUpdate")
	}
	if o.AssignedTo != before.AssignedTo {
		events = append(events, "OpportunityAssignedToUpdate")
	}
	r.Opportunity = o
	for _, event := range append(events, "OpportunityUpdate") {
		h.emitOpportunity(event, r)
	}
	h.notice.Changed()
}

func (h *Server) removeOpportunity(r *opportunityRecord) {
	h.emitOpportunity("OpportunityDelete", r)
	h.emitOpportunity("OpportunityUpdate", r) // also after a deletion (its issue #27)
	delete(h.opportunities, r.ID)
	h.notice.Changed()
}

// opportunity finds the opportunity that the path names, within the token's reach.
func (h *Server) opportunity(c *call) (*opportunityRecord, *refusal) {
	return find(c, h.opportunities, "id", "Opportunity")
}

// opportunityAnswer is an opportunity as the API shows it; custom fields come with a read by id only.
func (h *Server) opportunityAnswer(r *opportunityRecord, byID bool) map[string]any {
	a := map[string]any{
		"id": r.ID, "name": r.Name, "monetaryValue": r.MonetaryValue, "pipelineId": r.PipelineID, "pipelineStageId": r.StageID,
		"assignedTo": orNull(r.AssignedTo), "status": r.Status, "source": r.Source, "contactId": r.ContactID, "locationId": r.LocationID,
		"lastStatusChangeAt": fakehttp.ISOMillis(r.LastStatusChangeAt), "lastStageChangeAt": fakehttp.ISOMillis(r.LastStageChangeAt),
		"createdAt": fakehttp.ISOMillis(r.CreatedAt), "updatedAt": fakehttp.ISOMillis(r.UpdatedAt), "indexVersion": "1", "lostReasonId": orNull(r.LostReasonID),
		"notes": []any{}, "tasks": []any{}, "calendarEvents": []any{}, "followers": orEmpty(r.followers),
	}
	if c := h.contacts[r.ContactID]; c != nil {
		a["contact"] = map[string]any{
			"id": c.ID, "name": c.Name(), "companyName": orNull(c.CompanyName), "email": orNull(c.Email), "phone": orNull(c.Phone), "tags": c.tags(),
		}
	}
	if byID {
		a["customFields"] = h.opportunityValues(r)
	}
	return a
}

// opportunityValues name the value by its type (HighLevel's issue #87); a date
// is milliseconds at midnight UTC.
func (h *Server) opportunityValues(r *opportunityRecord) []any {
	values := []any{}
	for _, f := range h.locations[r.LocationID].fields {
		v, ok := r.CustomFields[f.ID]
		if !ok {
			continue
		}
		entry := map[string]any{"id": f.ID}
		switch v := v.(type) {
		case string:
			if f.DataType == "DATE" {
				entry["type"], entry["fieldValueDate"] = "date", f.read(v, DateEpochMillis)
			} else {
				entry["type"], entry["fieldValueString"] = "string", v
			}
		case []any:
			entry["type"], entry["fieldValueArray"] = "array", v
		default:
			entry["fieldValue"] = v
		}
		values = append(values, entry)
	}
	return values
}

func (h *Server) getOpportunity(c *call, r *opportunityRecord) (int, any, *refusal) {
	return http.StatusOK, map[string]any{"opportunity": h.opportunityAnswer(r, true)}, nil
}

// applyOpportunity writes the body into a copy. A new pipeline without a stage
// begins at its first.
func (h *Server) applyOpportunity(c *call, o Opportunity) (Opportunity, *refusal) {
	o = o.clone()
	if id, ok := c.str("pipelineId"); ok && id != o.PipelineID {
		o.PipelineID, o.StageID = id, ""
	}
	c.readTexts(map[string]*string{
		"name": &o.Name, "pipelineStageId": &o.StageID, "status": &o.Status, "assignedTo": &o.AssignedTo, "lostReasonId": &o.LostReasonID,
	})
	if value, ok := as[float64](c, "monetaryValue"); ok {
		o.MonetaryValue = value
	}
	for _, w := range c.fieldWrites() {
		if err := h.setFieldOf("opportunity", o.LocationID, &o.CustomFields, w.ref, w.value); err != nil {
			return o, refuse(http.StatusBadRequest, "%v", err)
		}
	}
	if err := h.checkStage(&o); err != nil {
		return o, refuse(http.StatusBadRequest, "%v", err)
	}
	return o, nil
}

func (h *Server) createOpportunity(c *call, contact *contactRecord) (int, any, *refusal) {
	o, no := h.applyOpportunity(c, Opportunity{LocationID: contact.LocationID, ContactID: contact.ID, Source: "public api"})
	if no != nil {
		return 0, nil, no
	}
	r := h.insertOpportunity(o, true)
	return http.StatusCreated, map[string]any{"opportunity": h.opportunityAnswer(r, true)}, nil
}

func (h *Server) updateOpportunity(c *call, r *opportunityRecord) (int, any, *refusal) {
	o, no := h.applyOpportunity(c, r.Opportunity)
	if no != nil {
		return 0, nil, no
	}
	h.replaceOpportunity(r, o)
	return http.StatusOK, map[string]any{"opportunity": h.opportunityAnswer(r, true)}, nil
}

func (h *Server) setOpportunityStatus(c *call, r *opportunityRecord) (int, any, *refusal) {
	if _, answer, no := h.updateOpportunity(c, r); no != nil {
		return 0, answer, no
	}
	return http.StatusOK, c.succeeded(), nil
}

func (h *Server) deleteOpportunity(c *call, r *opportunityRecord) (int, any, *refusal) {
	h.removeOpportunity(r)
	return http.StatusOK, c.succeeded(), nil
}

// opportunityQuery is what the search takes: some of it in snake case, which
// no other endpoint has. What it does not know is refused as in a body.
var opportunityQuery = []string{
	"q", "location_id", "pipeline_id", "pipeline_stage_id", "contact_id", "status", "assigned_to", "campaignId", "id", "order",
	"endDate", "startAfter", "startAfterId", "date", "country", "page", "limit", "getTasks", "getNotes", "getCalendarEvents",
}

// searchOpportunities answers newest first. campaignId, order, dates and
// country are taken and left aside.
func (h *Server) searchOpportunities(c *call) (int, any, *refusal) {
	q := c.r.URL.Query()
	var problems []string
	for key := range q {
		if !slices.Contains(opportunityQuery, key) {
			problems = append(problems, "property "+key+" should not exist")
		}
	}
	if q.Get("location_id") == "" {
		problems = append(problems, "location_id should not be empty")
	}
	status := cmp.Or(q.Get("status"), "all")
	if status != "all" && !slices.Contains(opportunityStatuses, status) {
		problems = append(problems, "status must be one of the following values: open, won, lost, abandoned, all")
	}
	if problems != nil {
		slices.Sort(problems)
		return 0, nil, unprocessable(problems...)
	}
	l, no := h.location(c, q.Get("location_id"))
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
	page, no := queryInt(c, "page", 1)
	if no != nil {
		return 0, nil, no
	}
	startAfter, no := queryInt(c, "startAfter", 0)
	if no != nil {
		return 0, nil, no
	}
	// later tells whether a comes behind b.
	later := func(aAt, bAt int64, a, b string) int { return cmp.Or(cmp.Compare(bAt, aAt), cmp.Compare(a, b)) }
	var found []*opportunityRecord
	for _, r := range h.opportunities {
		wanted := r.LocationID == l.ID && (status == "all" || r.Status == status) && h.opportunityMatches(r, q.Get("q"))
		for key, value := range map[string]string{
			"id": r.ID, "contact_id": r.ContactID, "pipeline_id": r.PipelineID, "pipeline_stage_id": r.StageID, "assigned_to": r.AssignedTo,
		} {
			wanted = wanted && (q.Get(key) == "" || q.Get(key) == value)
		}
		if wanted {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *opportunityRecord) int {
		return later(a.CreatedAt.UnixMilli(), b.CreatedAt.UnixMilli(), a.ID, b.ID)
	})
	total := len(found)
	if after := q.Get("startAfterId"); after != "" {
		found = slices.DeleteFunc(found, func(r *opportunityRecord) bool {
			return later(r.CreatedAt.UnixMilli(), int64(startAfter), r.ID, after) <= 0
		})
	} else {
		found = found[min((max(page, 1)-1)*limit, len(found)):]
	}
	more := len(found) > limit
	found = found[:min(limit, len(found))]
	rows := answers(found, func(r *opportunityRecord) map[string]any {
		answer := h.opportunityAnswer(r, false)
		h.addContactRecords(answer, r, q.Get("getTasks") == "true", q.Get("getNotes") == "true", q.Get("getCalendarEvents") == "true")
		return answer
	})
	meta := map[string]any{"total": total, "currentPage": max(page, 1), "nextPage": nil, "prevPage": nil, "nextPageUrl": nil}
	if len(found) > 0 {
		last := found[len(found)-1]
		meta["startAfterId"], meta["startAfter"] = last.ID, last.CreatedAt.UnixMilli()
		if more {
			q.Set("startAfterId", last.ID)
			q.Set("startAfter", fmt.Sprint(last.CreatedAt.UnixMilli()))
			meta["nextPage"] = max(page, 1) + 1
			meta["nextPageUrl"] = "http://" + c.r.Host + "/opportunities/search?" + q.Encode()
		}
	}
	return http.StatusOK, map[string]any{"opportunities": rows, "meta": meta, "aggregations": map[string]any{}}, nil
}

func (h *Server) opportunityMatches(r *opportunityRecord, query string) bool {
	query = strings.ToLower(query)
	return query == "" || strings.Contains(strings.ToLower(r.Name), query) ||
		h.contacts[r.ContactID] != nil && h.contacts[r.ContactID].matches(query)
}

// addContactRecords adds what a search may ask for along with an opportunity.
func (h *Server) addContactRecords(answer map[string]any, r *opportunityRecord, tasks, notes, events bool) {
	contact := h.contacts[r.ContactID]
	if contact == nil {
		return
	}
	if tasks {
		answer["tasks"] = taskAnswers(contact.tasks)["tasks"]
	}
	if notes {
		answer["notes"] = answers(contact.notes, (*Note).answer)
	}
	if events {
		answer["calendarEvents"] = h.naiveAppointments(contact)
	}
}
