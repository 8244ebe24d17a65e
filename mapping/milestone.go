package mapping

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// milestone says where a milestone's name and date are. HighLevel has no milestone object.
// People use two custom fields (name and date), one date field that is named like the
// milestone, the contact's date of birth, a tag, an opportunity's stage or field, or an
// appointment. A workflow's webhook has one in its Custom Data.
type milestone struct {
	of Kind // the kind of records that have it

	name    reference // where the name is
	literal string    // or the name itself; without both, the name of the date's field
	date    reference // where the date is; none = when the stage or tag was noticed

	nameFrom *expression // for a workflow, instead of name; nil = the literal
	dateFrom *expression // for a workflow, instead of date

	tag             string // lower case
	stage, pipeline string // by name

	yearly bool          // the date recurs every year, and the next one counts
	after  time.Duration // how long after the date the milestone is
}

// reference is a field of a record; the zero value is none.
type reference struct{ record, key string }

func (r reference) String() string { return r.record + "." + r.key }

// standardDates are the standard fields that hold dates, by record.
var standardDates = map[string][]string{
	"contact":     {"date_of_birth", "date_added", "date_updated"},
	"opportunity": {"stage_changed_at", "status_changed_at", "date_added"},
	"appointment": {"start", "end", "date_added"},
}

const milestoneForms = "expected { name: contact.<field>, date: contact.<field> }, or one of tag, stage, date: opportunity.<field>, date: appointment.start, date: custom_data.<word>"

func milestoneOf(f *fields, t Trigger) *milestone {
	has := f.has("milestone")
	switch {
	case t == WorkflowReceived && !has:
		return nil
	case t == WorkflowReceived, t == MilestoneChanged && has, t == MilestoneApproaching && has:
	case t == MilestoneChanged, t == MilestoneApproaching:
		f.wrong("milestone", "is required with on: %s; %s", t, milestoneForms)
		return nil
	default:
		if has {
			f.wrong("milestone", "goes with on: %s, %s and %s only", MilestoneChanged, MilestoneApproaching, WorkflowReceived)
		}
		return nil
	}
	if v := f.values["milestone"]; v.Kind == yaml.ScalarNode && anyField.MatchString(v.Value) {
		f.wrong("milestone", "must be a list of fields; did you mean { date: %s }?", anyField.FindStringSubmatch(v.Value)[1])
		return nil
	}
	m := fieldsOf(f.mistakes, "milestone.", f.values["milestone"], f.scope, "name", "date", "tag", "stage", "pipeline", "yearly", "after")
	if m == nil {
		return nil
	}
	found := &milestone{yearly: m.flag("yearly", false), tag: strings.ToLower(oneLine(m.text("tag"))), stage: oneLine(m.text("stage")), pipeline: oneLine(m.text("pipeline"))}
	if m.has("after") {
		found.after = m.duration("after", "")
	}
	found.of = m.kind(t)
	m.referToTags("tag")
	m.referToStage(found)
	switch {
	case m.has("tag") && m.has("stage"):
		m.wrong("stage", "goes without tag")
	case m.has("tag") && found.of != KindContact:
		m.wrong("tag", "goes with a date of the contact only")
	case m.has("tag") && found.tag == "":
		m.wrong("tag", "is empty")
	case m.has("stage") && found.of != KindOpportunity:
		m.wrong("stage", "goes with a date of the opportunity only")
	case m.has("stage") && found.stage == "":
		m.wrong("stage", "is empty")
	case m.has("pipeline") && !m.has("stage"):
		m.wrong("pipeline", "goes with stage only")
	case !m.has("tag") && !m.has("stage") && found.of != KindWorkflow:
		m.required("date")
	}
	m.scope = scopeFor(t, found.of)
	if found.of == KindWorkflow {
		found.workflow(m)
		return found
	}
	m.milestoneDate(found)
	m.milestoneName(found)
	return found
}

// kind returns the kind of records that have the milestone: that of its date, or else of
// its name.
func (f *fields) kind(t Trigger) Kind {
	switch date, name := f.text("date"), f.text("name"); {
	case t == WorkflowReceived, strings.HasPrefix(date, "custom_data"), strings.HasPrefix(date, "workflow."):
		return KindWorkflow
	case f.has("stage"), strings.HasPrefix(date, "opportunity."):
		return KindOpportunity
	case strings.HasPrefix(date, "appointment."):
		return KindAppointment
	case !f.has("date") && strings.HasPrefix(name, "opportunity."):
		return KindOpportunity
	}
	return KindContact
}

// record returns the name in expressions for records of this kind.
func (k Kind) record() string {
	switch k {
	case KindOpportunity, KindAppointment:
		return string(k)
	}
	return "contact"
}

func (f *fields) milestoneDate(found *milestone) {
	if !f.has("date") {
		return
	}
	record := found.of.record()
	text := strings.TrimSpace(f.text("date"))
	at, ok := referenceTo(record, text)
	if !ok && record != "contact" && strings.HasPrefix(text, "contact.") {
		at, ok = referenceTo("contact", text)
	}
	standard := standardFields
	if at.record != "contact" {
		standard = standardNames(at.record)
	}
	switch {
	case !ok:
		f.wrong("date", "%s is not a field of the %s; %s", quoteShort(text), record, meantField(record, text))
	case standard[at.key] && !slices.Contains(standardDates[at.record], at.key):
		f.wrong("date", "%s holds no date; expected a custom field or %s", at, enumerate(standardDates[at.record]))
	case !standard[at.key] && at.record == "appointment":
		f.wrong("date", "%v", unknown("appointment field", at.key, standardDates[at.record]))
	}
	found.date = at
	f.referToField("date", at)
	f.referToDate("date", at)
}

var (
	anyField = regexp.MustCompile(`^\{*\s*((?:contact|opportunity|appointment|custom_data)\.\w+)\s*\}*$`)
	keyForm  = regexp.MustCompile(`^[a-z]\w*$`)
)

// meantField says which field of a record a text may mean.
func meantField(record, text string) string {
	if m := anyField.FindStringSubmatch(text); m != nil && strings.HasPrefix(m[1], record+".") {
		return fmt.Sprintf("did you mean %s, without braces?", m[1])
	}
	if keyForm.MatchString(text) {
		return fmt.Sprintf("did you mean %s.%s?", record, text)
	}
	return fmt.Sprintf("expected %s.<field>, without braces", record)
}

func (f *fields) milestoneName(found *milestone) {
	record := found.of.record()
	name := strings.TrimSpace(f.text("name"))
	at, ok := referenceTo(record, name)
	if !ok && record != "contact" {
		at, ok = referenceTo("contact", name)
	}
	switch {
	case ok:
		found.name = at
		f.referToField("name", at)
	case strings.Contains(name, "{{") || strings.HasPrefix(name, "contact.") || strings.HasPrefix(name, record+"."):
		f.wrong("name", "%s is neither a field of the %s (%s.<field>, without braces) nor a plain name", quoteShort(name), record, record)
	case name == "" && record == "contact" && found.tag == "" && slices.Contains(standardDates[record], found.date.key):
		f.wrong("name", "is required with the date %s; expected a name such as Birthday", found.date)
	default:
		found.literal = oneLine(name)
	}
}

// referToField notes a field of a record that only a location can check.
func (f *fields) referToField(field string, at reference) {
	switch {
	case at.record == "contact":
		f.refer(field, f.values[field], []mention{{kind: contactField, text: at.key, Line: 1}})
	case at.record == "opportunity" && !standardNames(at.record)[at.key]:
		f.refer(field, f.values[field], []mention{{kind: opportunityField, text: at.key, Line: 1}})
	}
}

// referToStage notes the stage and the pipeline of a milestone, in any case.
func (f *fields) referToStage(found *milestone) {
	if found.pipeline != "" {
		f.refer("pipeline", f.values["pipeline"], []mention{{kind: pipelineName, text: found.pipeline, anyCase: true, Line: 1}})
	}
	if found.stage != "" {
		f.refer("stage", f.values["stage"], []mention{{kind: stageName, text: found.stage, within: found.pipeline, anyCase: true, Line: 1}})
	}
}

// referenceTo splits "contact.closing_date". A key is what HighLevel makes of a field's
// name: lower-case letters, digits and underscores.
func referenceTo(record, text string) (reference, bool) {
	key, ok := strings.CutPrefix(text, record+".")
	return reference{record, key}, ok && key != "" && !strings.ContainsFunc(key, func(r rune) bool {
		return r != '_' && r != '-' && !isWordRune(r)
	})
}

// lookedUp matches the beginning of a name that is an expression. Any other text is the
// name itself.
var lookedUp = regexp.MustCompile(`^[a-z_]+(\.\w|\[)`)

// workflow reads the milestone of a workflow's webhook. Both parts are expressions without
// braces, such as custom_data.milestone_date or workflow.fields["Closing Date"]. The name
// may also be the name itself.
func (found *milestone) workflow(m *fields) {
	m.required("name")
	m.required("date")
	found.dateFrom = m.expression("date")
	switch name := strings.TrimSpace(m.text("name")); {
	case strings.Contains(name, "{{"):
		m.wrong("name", "%s is neither an expression without braces (custom_data.milestone_title) nor a plain name", quoteShort(name))
	case lookedUp.MatchString(name):
		found.nameFrom = m.expression("name")
	case m.has("name") && name == "":
		m.wrong("name", "is empty")
	default:
		found.literal = oneLine(name)
	}
}

func (m *milestone) reads() (r reads) {
	for _, e := range []*expression{m.nameFrom, m.dateFrom} {
		if e != nil {
			r.add(e.reads)
		}
	}
	for _, at := range []reference{m.date, m.name} {
		switch at.record {
		case "contact":
			r.addContactField(at.key)
		case "opportunity":
			r.addOpportunityField(at.key)
		}
	}
	r.contact = r.contact || m.tag != ""
	return r
}

// read finds the milestone of a record. It fails with skip if the location does not have
// the custom fields, and with fieldProblem for an impossible date.
func (m *milestone) read(r *run) (name string, date Date, err error) {
	switch {
	case m.dateFrom != nil:
		name, date, err = m.evaluate(r)
	case m.tag != "" && !slices.Contains(r.tags, m.tag):
		return "", Date{}, unmet{reason: "the contact does not have the tag " + quoteShort(m.tag), saw: "contact.tags is " + asSeen(r.tags)}
	case m.stage != "" && !m.inStage(r.facts.Opportunity):
		return "", Date{}, unmet{reason: "the opportunity is not in the stage " + quoteShort(m.stage), saw: "opportunity.stage is " + asSeen(r.facts.Opportunity.Stage)}
	default:
		name, date, err = m.look(r)
	}
	if err != nil {
		return "", Date{}, err
	}
	if m.yearly {
		date = date.next(r.facts.Now, r.zone)
	}
	if m.after > 0 {
		date = date.plus(m.after, r.zone)
	}
	return name, date, nil
}

func (m *milestone) inStage(o Opportunity) bool {
	return strings.EqualFold(foldWords(o.Stage), foldWords(m.stage)) && (m.pipeline == "" || strings.EqualFold(foldWords(o.Pipeline), foldWords(m.pipeline)))
}

// look reads the fields of the record.
func (m *milestone) look(r *run) (name string, date Date, err error) {
	var value any
	called := "" // the name of the date's field
	switch {
	case m.date.key != "":
		field, err := r.field(m.date)
		if err != nil {
			return "", Date{}, err
		}
		value, called = field.Value, field.Name
	case m.tag != "":
		value = r.facts.Tagged[m.tag]
	default:
		value = r.facts.Opportunity.StageChangedAt
	}
	switch {
	case m.literal != "":
		name = m.literal
	case m.name.key != "":
		field, err := r.field(m.name)
		if err != nil {
			return "", Date{}, err
		}
		name = oneLine(printed(field.Value))
	case m.tag != "":
		name = m.tag
	case m.stage != "":
		name = oneLine(r.facts.Opportunity.Stage)
	case called != "":
		name = oneLine(called)
	case m.of == KindAppointment:
		name = oneLine(r.facts.Appointment.Title)
	case m.of == KindOpportunity:
		name = oneLine(r.facts.Opportunity.Name)
	}
	if date, err = ParseDate(value, r.zone); err != nil {
		return "", Date{}, fieldProblem{"milestone.date", err.Error()}
	}
	return name, date, nil
}

// evaluate is look for a workflow's webhook.
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

// field returns a field of the record. It fails with skip if the location has no such
// custom field. Name is "" for a standard field.
func (r *run) field(at reference) (CustomField, error) {
	var custom map[string]CustomField
	switch at.record {
	case "contact":
		if standardFields[at.key] {
			return CustomField{Value: r.facts.Contact.Fields[at.key]}, nil
		}
		custom = r.facts.Contact.Custom
	default:
		if record, _ := r.env[at.record].(map[string]any); standardNames(at.record)[at.key] {
			return CustomField{Value: record[at.key]}, nil
		}
		custom = r.facts.Opportunity.Custom
	}
	field, ok := custom[at.key]
	if !ok {
		return field, skip("this location has no custom field " + at.String())
	}
	return field, nil
}

// withMilestone returns the environment with a milestone added.
func withMilestone(env map[string]any, name string, date Date) map[string]any {
	found := map[string]any{"name": name, "date": nil}
	if !date.IsZero() {
		found["date"] = date
	}
	env = maps.Clone(env)
	env["milestone"] = found
	return env
}
