package mapping

import (
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/types"
)

// RecordField is a field of a record that texts and conditions may use.
type RecordField struct {
	Path   string // contact.first_name
	Record string // contact
	Key    string // first_name
	Type   FieldType
}

// FieldType is the type of a field's values.
type FieldType string

// The types of fields.
const (
	TypeText  FieldType = "text"
	TypeYesNo FieldType = "yes or no"
	TypeList  FieldType = "list"
	TypeDate  FieldType = "date"
	TypeOther FieldType = "" // not known
)

var recordOrder = []string{"milestone", "task", "note", "appointment", "opportunity", "meeting", "workflow", "calendarhero_contact", "contact", "location"}

// RecordFields lists the fields that an automation with this trigger and kind of record may
// use; see Form.Kind. It leaves out custom fields, which differ by location.
func RecordFields(on Trigger, of Kind) (list []RecordField) {
	s := scopeFor(on, of)
	if on == WorkflowReceived {
		s.names["milestone"] = records["milestone"]
	}
	for _, record := range recordOrder {
		if !s.has(record) {
			continue
		}
		keys := slices.Collect(maps.Keys(records[record]))
		if record == "contact" {
			keys = slices.Collect(maps.Keys(standardFields))
		}
		slices.Sort(keys)
		for _, key := range keys {
			if t, ok := fieldType(record, key); ok {
				list = append(list, RecordField{record + "." + key, record, key, t})
			}
		}
	}
	return list
}

// TypeOf is the type of a standard field such as task.completed.
func TypeOf(path string) FieldType {
	record, key, _ := strings.Cut(path, ".")
	if t, ok := fieldType(record, key); ok {
		return t
	}
	return TypeOther
}

// fieldType returns the type of a standard field; ok is false if the field has no single
// value.
func fieldType(record, key string) (t FieldType, ok bool) {
	switch {
	case record == "contact" && key == "tags":
		return TypeList, true
	case record == "contact" && key == "dnd":
		return TypeYesNo, true
	case record == "contact":
		if slices.Contains(standardDates[record], key) {
			return TypeDate, standardFields[key]
		}
		return TypeText, standardFields[key]
	case key == types.Extra || record == "workflow" && key == "fields":
		return "", false
	}
	switch found := records[record][key]; found {
	case nil:
		return "", false
	case types.String:
		return TypeText, true
	case types.Bool:
		return TypeYesNo, true
	case types.Any:
		if key == "value" {
			return TypeOther, true
		}
		return TypeDate, true
	}
	return TypeList, true
}

// HasMilestone reports whether automations with this trigger may have a milestone, and
// whether they must.
func (t Trigger) HasMilestone() (may, must bool) {
	must = t == MilestoneChanged || t == MilestoneApproaching
	return must || t == WorkflowReceived, must
}

// MilestoneFields lists the fields of a milestone.
func MilestoneFields() []string { return slices.Clone(milestoneFields) }

// DateFields lists the standard fields of a record that hold dates.
func DateFields(record string) []string { return slices.Clone(standardDates[record]) }

// WritableFields lists the standard fields of a contact that update_contact can set.
func WritableFields() []string { return slices.Clone(writableFields) }

// Kind returns the kind of records that the form's automation reads.
func (f Form) Kind() Kind {
	on := Trigger(f.Top["on"].Text)
	if may, _ := on.HasMilestone(); !may {
		return on.Kind()
	}
	date, name := f.Milestone["date"].Text, f.Milestone["name"].Text
	_, stage := f.Milestone["stage"]
	switch {
	case on == WorkflowReceived, strings.HasPrefix(date, "custom_data"), strings.HasPrefix(date, "workflow."):
		return KindWorkflow
	case stage, strings.HasPrefix(date, "opportunity."), date == "" && strings.HasPrefix(name, "opportunity."):
		return KindOpportunity
	case strings.HasPrefix(date, "appointment."):
		return KindAppointment
	}
	return KindContact
}
