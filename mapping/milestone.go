package mapping

import (
	"regexp"
	"slices"
	"strings"
)

// milestone says where a milestone's name and date are. HighLevel has no such
// object; people keep one in two custom fields (name and date), in one date field
// whose own name is the milestone's, or in the contact's date of birth. A
// workflow's webhook carries one in its Custom Data.
type milestone struct {
	nameKey string // the contact's field with the name, or
	literal string // the name itself; neither: the name of the date field
	dateKey string

	nameFrom *expression // of workflow.received, in place of nameKey; nil: the literal
	dateFrom *expression // in place of dateKey
}

// standardDates are the standard fields that hold dates.
var standardDates = []string{"date_of_birth", "date_added", "date_updated"}

func milestoneOf(f *fields, t Trigger) *milestone {
	switch {
	case t == WorkflowReceived && f.has("milestone"):
		return workflowMilestone(f)
	case t == WorkflowReceived:
		return nil
	case t != MilestoneChanged && f.has("milestone"):
		f.wrong("milestone", "goes with on: %s and %s only", MilestoneChanged, WorkflowReceived)
		return nil
	case t != MilestoneChanged:
		return nil
	case !f.has("milestone"):
		f.wrong("milestone", "is required with on: %s; expected { name: contact.<field>, date: contact.<field> }", t)
		return nil
	}
	m := fieldsOf(f.mistakes, "milestone.", f.values["milestone"], f.scope, "name", "date")
	if m == nil {
		return nil
	}
	found := &milestone{}
	m.required("date")
	if m.has("date") {
		key, ok := contactReference(m.text("date"))
		switch {
		case !ok:
			m.wrong("date", "%s is not a field of the contact; expected contact.<field>, without braces", quoteShort(m.text("date")))
		case standardFields[key] && !slices.Contains(standardDates, key):
			m.wrong("date", "contact.%s holds no date; expected a custom field or %s", key, enumerate(standardDates))
		}
		found.dateKey = key
		m.refer("date", m.values["date"], []mention{{kind: contactField, text: key, Line: 1}})
	}
	name := strings.TrimSpace(m.text("name"))
	key, reference := contactReference(name)
	switch {
	case reference:
		found.nameKey = key
		m.refer("name", m.values["name"], []mention{{kind: contactField, text: key, Line: 1}})
	case strings.Contains(name, "{{") || strings.HasPrefix(name, "contact."):
		m.wrong("name", "%s is neither a field of the contact (contact.<field>, without braces) nor a plain name", quoteShort(name))
	case name == "" && slices.Contains(standardDates, found.dateKey):
		m.wrong("name", "is required with the date contact.%s; expected a name such as Birthday", found.dateKey)
	default:
		found.literal = oneLine(name)
	}
	return found
}

// reference is how a name begins that is looked up, where any other is the name itself.
var reference = regexp.MustCompile(`^[a-z_]+(\.\w|\[)`)

// workflowMilestone reads the milestone of a workflow's webhook: both parts are
// expressions without braces, as custom_data.milestone_date or
// workflow.fields["Closing Date"]; the name may be the name itself.
func workflowMilestone(f *fields) *milestone {
	m := fieldsOf(f.mistakes, "milestone.", f.values["milestone"], f.scope, "name", "date")
	if m == nil {
		return nil
	}
	m.required("name")
	m.required("date")
	found := &milestone{dateFrom: m.expression("date")}
	switch name := strings.TrimSpace(m.text("name")); {
	case strings.Contains(name, "{{"):
		m.wrong("name", "%s is neither an expression without braces (custom_data.milestone_title) nor a plain name", quoteShort(name))
	case reference.MatchString(name):
		found.nameFrom = m.expression("name")
	case m.has("name") && name == "":
		m.wrong("name", "is empty")
	default:
		found.literal = oneLine(name)
	}
	return found
}

func (m *milestone) reads() (r reads) {
	for _, e := range []*expression{m.nameFrom, m.dateFrom} {
		if e != nil {
			r.add(e.reads)
		}
	}
	if m.dateKey == "" {
		return r
	}
	r.addContactField(m.dateKey)
	if m.nameKey != "" {
		r.addContactField(m.nameKey)
	}
	return r
}

// read finds the milestone of a record. It fails with skip when the location
// does not have the custom fields, and with fieldProblem for an impossible date.
func (m *milestone) read(r *run) (name string, date Date, err error) {
	if m.dateFrom != nil {
		return m.evaluate(r)
	}
	c, zone := r.facts.Contact, r.zone
	dateField, err := m.field(c, m.dateKey)
	if err != nil {
		return "", Date{}, err
	}
	switch {
	case m.literal != "":
		name = m.literal
	case m.nameKey == "":
		name = oneLine(dateField.Name)
	default:
		nameField, err := m.field(c, m.nameKey)
		if err != nil {
			return "", Date{}, err
		}
		name = oneLine(printed(nameField.Value))
	}
	if date, err = ParseDate(dateField.Value, zone); err != nil {
		return "", Date{}, fieldProblem{"milestone.date", err.Error()}
	}
	return name, date, nil
}

// evaluate is read for a workflow's webhook.
func (m *milestone) evaluate(r *run) (name string, date Date, err error) {
	name = m.literal
	if m.nameFrom != nil {
		v, err := m.nameFrom.eval(r.env)
		if err != nil {
			return "", Date{}, fieldProblem{"milestone.name", err.Error()}
		}
		name = oneLine(printed(v))
	}
	v, err := m.dateFrom.eval(r.env)
	if err == nil {
		date, err = ParseDate(v, r.zone)
	}
	if err != nil {
		return "", Date{}, fieldProblem{"milestone.date", err.Error()}
	}
	return name, date, nil
}

func (m *milestone) field(c Contact, key string) (CustomField, error) {
	if standardFields[key] {
		return CustomField{Value: c.Fields[key]}, nil
	}
	field, ok := c.Custom[key]
	if !ok {
		return field, noField(key)
	}
	return field, nil
}
