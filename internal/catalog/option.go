package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// lists are the operations that list what a field of a name can be.
var lists = map[string]map[string]string{
	HighLevel: {
		"calendarId": "highlevel.list_calendars", "groupId": "highlevel.list_calendar_groups",
		"workflowId": "highlevel.list_workflows", "campaignId": "highlevel.list_campaigns",
		"businessId": "highlevel.list_businesses", "tagId": "highlevel.list_location_tags", "lostReasonId": "highlevel.list_lost_reasons",
		"pipelineId": "highlevel.list_pipelines", "pipeline_id": "highlevel.list_pipelines",
		"pipelineStageId": "highlevel.list_pipelines", "pipeline_stage_id": "highlevel.list_pipelines",
		"userId": "highlevel.search_users", "assignedTo": "highlevel.search_users", "assigned_to": "highlevel.search_users",
		"assignedUserId": "highlevel.search_users", "followers": "highlevel.search_users", "owners": "highlevel.search_users",
	},
	CalendarHero: {"type": "calendarhero.list_meeting_types", "uuid": "calendarhero.list_directories"},
}

// pickable notes for each field which operation lists its values.
func (all Fields) pickable(vendor string) Fields {
	all = slices.Clone(all)
	for i := range all {
		all[i].Pick = lists[vendor][all[i].Name]
	}
	return all
}

// Option is a value that a person can pick for a field.
type Option struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Options []Option `json:"options,omitempty"` // what it holds: the stages of a pipeline
}

// Options reads what there is to pick from the answer of the operation that a field's
// Pick names. Records without an id are left out.
func Options(answer json.RawMessage) ([]Option, error) {
	unreadable := errors.New("the answer is no list of records")
	answer = bytes.TrimSpace(answer)
	if records, ok := records(answer); ok {
		return records, nil
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(answer, &object) != nil || len(object) == 0 {
		return nil, unreadable
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if records, ok := records(object[key]); ok {
			return records, nil
		}
	}
	options := []Option{} // CalendarHero's meeting types are the keys of an object
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if !bytes.HasPrefix(object[key], []byte("{")) {
			return nil, unreadable
		}
		options = append(options, Option{ID: key, Name: key})
	}
	return options, nil
}

func records(raw json.RawMessage) ([]Option, bool) {
	var list []struct {
		ID     string          `json:"id"`
		UUID   string          `json:"uuid"`
		Name   string          `json:"name"`
		Title  string          `json:"directoryName"`
		Stages json.RawMessage `json:"stages"`
	}
	if !bytes.HasPrefix(raw, []byte("[")) || json.Unmarshal(raw, &list) != nil {
		return nil, false
	}
	options := []Option{}
	for _, r := range list {
		o := Option{ID: r.ID + r.UUID, Name: strings.TrimSpace(r.Name + r.Title)}
		if o.Options, _ = records(r.Stages); o.ID != "" {
			options = append(options, o)
		}
	}
	return options, true
}
