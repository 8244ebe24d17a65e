package highlevel

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"milepost/clients"
)

const (
	opOpportunity         = "get opportunity"
	opSearchOpportunities = "search opportunities of location"
)

// Opportunity is a deal in a pipeline. Dates are RFC 3339. Its webhooks contain neither the
// Last… dates nor custom fields.
type Opportunity struct {
	ID                 string
	Name               string
	LocationID         string
	ContactID          string
	PipelineID         string
	PipelineStageID    string // its name is in Pipelines
	Status             string // "open", "won", "lost", "abandoned"
	MonetaryValue      string // a decimal number as HighLevel writes it, such as "1250.5"; "" = none
	AssignedTo         string // user id
	Source             string
	LostReasonID       string
	LastStageChangeAt  string
	LastStatusChangeAt string
	CreatedAt          string
	UpdatedAt          string
	CustomFields       []CustomFieldValue // with ids only; a search leaves them out (observed)
}

// UnmarshalJSON reads the record with tolerance.
func (p *Opportunity) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*p = Opportunity{
		ID: o.Text("id"), Name: o.Text("name"), LocationID: o.Text("locationId"), ContactID: o.Text("contactId"),
		PipelineID: o.Text("pipelineId"), PipelineStageID: o.Text("pipelineStageId"), Status: o.Text("status"),
		MonetaryValue: o.Text("monetaryValue"), AssignedTo: o.Text("assignedTo"), Source: o.Text("source"), LostReasonID: o.Text("lostReasonId"),
		LastStageChangeAt: o.Text("lastStageChangeAt"), LastStatusChangeAt: o.Text("lastStatusChangeAt"),
		CreatedAt: o.Text("createdAt"), UpdatedAt: o.Text("updatedAt"),
	}
	if p.ContactID == "" {
		contact, _ := clients.ParseObject(o.Raw("contact"))
		p.ContactID = contact.Text("id")
	}
	for _, field := range o.Objects("customFields") {
		if id := field.Text("id"); id != "" {
			p.CustomFields = append(p.CustomFields, CustomFieldValue{ID: id, Value: opportunityValue(field)})
		}
	}
	return nil
}

// opportunityValue reads the value from the name that holds it. By the field's type, this
// is fieldValueString, …Array or …Date (Unix milliseconds at midnight UTC), otherwise
// fieldValue (HighLevel issue #87).
func opportunityValue(field clients.Object) json.RawMessage {
	for _, key := range []string{"fieldValue", "fieldValueString", "fieldValueArray", "fieldValueDate", "fieldValueNumber", "fieldValueFiles", "value"} {
		if raw := field.Raw(key); raw != nil {
			return raw
		}
	}
	return nil
}

// Opportunity fetches one opportunity with its custom fields; NotFound if it is gone.
func (c *Client) Opportunity(ctx context.Context, id string) (Opportunity, error) {
	var out struct{ Opportunity Opportunity }
	err := c.do(ctx, route{operation: opOpportunity, method: http.MethodGet, path: "/opportunities/%s", ids: []string{id}}, &out)
	err = theOne(opOpportunity, id, out.Opportunity.ID, err)
	return out.Opportunity, err
}

// OpportunitySearch selects opportunities; a field that is "" selects all.
type OpportunitySearch struct {
	ContactID       string
	PipelineID      string
	PipelineStageID string
	Status          string // "open", "won", "lost", "abandoned", "all"
	AssignedTo      string // user id
	Query           string
	Limit           int    // at most 100; 0 = 20
	After           Cursor // cursor of the page before; zero = the first page
}

// SearchOpportunities returns one page of a location's opportunities, and the
// cursor of the next page, which is zero after the last one.
func (c *Client) SearchOpportunities(ctx context.Context, locationID string, search OpportunitySearch) ([]Opportunity, Cursor, error) {
	if err := checkID(opSearchOpportunities, locationID); err != nil {
		return nil, Cursor{}, err
	}
	query := url.Values{"location_id": {locationID}} // only this endpoint uses snake case
	for key, value := range map[string]string{
		"contact_id": search.ContactID, "pipeline_id": search.PipelineID, "pipeline_stage_id": search.PipelineStageID,
		"status": search.Status, "assigned_to": search.AssignedTo, "q": search.Query,
		"startAfterId": search.After.id, "startAfter": search.After.added,
	} {
		if value != "" {
			query.Set(key, value)
		}
	}
	if search.Limit > 0 {
		query.Set("limit", strconv.Itoa(search.Limit))
	}
	var out struct {
		Opportunities *[]Opportunity
		Meta          clients.Object
	}
	err := c.do(ctx, route{operation: opSearchOpportunities, method: http.MethodGet, path: "/opportunities/search", query: query}, &out)
	found, err := listed(opSearchOpportunities, locationID, out.Opportunities, func(p Opportunity) string { return p.ID }, err)
	return found, nextPage(out.Meta), err
}
