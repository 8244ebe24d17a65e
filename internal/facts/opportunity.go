package facts

import (
	"encoding/json"
	"strconv"
	"time"

	"milepost/clients/highlevel"
	"milepost/mapping"
)

// Opportunity is an opportunity as automations see it. Without its pipeline it has no
// names of its pipeline and stage, without definitions no custom fields.
func Opportunity(o highlevel.Opportunity, pipelines []highlevel.Pipeline, definitions []highlevel.CustomField) mapping.Opportunity {
	at := func(text string) time.Time {
		t, _ := time.Parse(time.RFC3339, text) // else it is not told
		return t.UTC()
	}
	facts := mapping.Opportunity{
		ID: o.ID, Name: o.Name, PipelineID: o.PipelineID, StageID: o.PipelineStageID, Status: o.Status, AssignedTo: o.AssignedTo, Source: o.Source,
		StageChangedAt: at(o.LastStageChangeAt), StatusChangedAt: at(o.LastStatusChangeAt), Added: at(o.CreatedAt),
	}
	if v, err := strconv.ParseFloat(o.MonetaryValue, 64); err == nil {
		facts.Value = &v
	}
	for _, p := range pipelines {
		for _, stage := range p.Stages {
			if stage.ID == o.PipelineStageID {
				facts.Pipeline, facts.Stage = p.Name, stage.Name
			}
		}
	}
	if definitions != nil {
		facts.Custom = customValues(o.CustomFields, definitions)
	}
	return facts
}

// customValues are the values of custom fields by the keys of their definitions.
// They come by id alone.
func customValues(values []highlevel.CustomFieldValue, definitions []highlevel.CustomField) map[string]mapping.CustomField {
	byID := make(map[string]any, len(values))
	for _, f := range values {
		var v any
		if json.Unmarshal(f.Value, &v) == nil { // else it is unset
			byID[f.ID] = v
		}
	}
	custom := make(map[string]mapping.CustomField, len(definitions))
	for _, d := range definitions {
		custom[d.Key] = mapping.CustomField{Name: d.Name, Type: d.Type, Value: byID[d.ID]}
	}
	return custom
}
