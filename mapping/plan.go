package mapping

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Plan says what should exist for one record of this kind: pure, and it never
// fails as a whole. An automation that cannot be computed gives Problems and
// leaves the others alone. Facts are only read.
func (s *Set) Plan(kind Kind, f Facts) Plan {
	var plan Plan
	r := newRun(s, kind, f)
	for _, a := range s.looking(kind) {
		r.evaluate(a, &plan)
	}
	slices.SortStableFunc(plan.Items, func(a, b Item) int {
		return slices.Index(applyingOrder, a.Kind) - slices.Index(applyingOrder, b.Kind)
	})
	return plan
}

// applyingOrder: a contact must be there before it is invited.
var applyingOrder = []ItemKind{ItemContact, ItemTags, ItemNote, ItemEvent, ItemTask}

// run is the evaluation of one record.
type run struct {
	set   *Set
	facts Facts
	zone  *time.Location
	tags  []string
	env   map[string]any // what every automation may read; milestone comes on top
	notes *[]string      // once they have been computed
}

func newRun(s *Set, kind Kind, f Facts) *run {
	r := &run{set: s, facts: f, zone: utcIfNil(f.Location.Zone), tags: tagSet(f.Contact.Tags)}
	r.env = map[string]any{
		"contact": contactFields(f.Contact, r.tags, r.zone),
		"location": map[string]any{
			"id": f.Location.ID, "name": f.Location.Name, "timezone": r.zone.String(),
		},
	}
	switch kind {
	case KindTask:
		r.env["task"] = map[string]any{
			"id": f.Task.ID, "title": f.Task.Title, "body": PlainText(f.Task.Body), "due": taskDue(f.Task.Due, r.zone),
			"completed": f.Task.Completed, "assigned_to": f.Task.AssignedTo,
		}
	case KindNote:
		r.env["note"] = map[string]any{
			"id": f.Note.ID, "title": f.Note.Title, "body": PlainText(f.Note.Body),
			"date_added": noteDate(f.Note.DateAdded, r.zone), "user_id": f.Note.UserID,
		}
	case KindWorkflow:
		r.env["workflow"] = map[string]any{
			"id": f.Workflow.ID, "name": f.Workflow.Name, "fields": f.Workflow.Fields, "tags": tagSet(f.Workflow.Tags),
		}
		r.env["custom_data"] = f.Workflow.CustomData
	}
	return r
}

// contactFields puts standard and custom fields together under the names that
// expressions use. Standard fields win. A date without a time is always written
// 2026-12-01, however HighLevel stored it, so that dates can be compared.
func contactFields(c Contact, tags []string, zone *time.Location) map[string]any {
	fields := make(map[string]any, len(c.Custom)+len(c.Fields)+2)
	for key, f := range c.Custom {
		fields[key] = f.Value
		if strings.EqualFold(f.Type, "DATE") {
			fields[key] = civilText(f.Value, zone)
		}
	}
	maps.Copy(fields, c.Fields)
	if born, ok := fields["date_of_birth"]; ok {
		fields["date_of_birth"] = civilText(born, zone)
	}
	if c.ID != "" {
		fields["id"] = c.ID
	}
	fields["tags"] = tags
	return fields
}

// civilText writes a date without a time as 2026-12-01, and leaves what is none.
func civilText(v any, zone *time.Location) any {
	if d, err := ParseDate(v, zone); err == nil && d.DateOnly() {
		return d.String()
	}
	return v
}

// taskDue reads a due date. Unlike a date field it always has a time of day, so
// midnight UTC is no date alone: it is four in the afternoon in Los Angeles. What
// cannot be read stays as it is, for the action to complain about.
func taskDue(due string, zone *time.Location) any {
	d, err := ParseDate(due, zone)
	switch {
	case err != nil:
		return due
	case d.IsZero():
		return nil
	case d.DateOnly() && (strings.ContainsAny(due, "Tt:") || digitsForm.MatchString(due)):
		d = Date{at: d.at.In(zone), kind: dateInstant}
	}
	return d
}

func noteDate(t time.Time, zone *time.Location) any {
	if d, err := ParseDate(t, zone); err == nil && !d.IsZero() {
		return d
	}
	return nil
}

// evaluate adds what one automation wants to the plan.
func (r *run) evaluate(a *Automation, plan *Plan) {
	env, err := r.concerns(a)
	for i, act := range a.actions {
		key := fmt.Sprintf("%s/%d", a.ID, i+1)
		item, actErr := Item{}, err
		if err == nil {
			item, actErr = act.item(r, env)
		}
		var why skip
		var wrong fieldProblem
		switch {
		case actErr == nil:
			item.Key, item.Automation, item.Kind = key, a.Name, act.kind()
			plan.Items = append(plan.Items, item)
		case errors.As(actErr, &why):
			skipped := Skipped{Automation: a.Name, Reason: string(why)}
			if !slices.Contains(plan.Skipped, skipped) { // its actions often have the same reason
				plan.Skipped = append(plan.Skipped, skipped)
			}
		case errors.As(actErr, &wrong):
			plan.Problems = append(plan.Problems, Problem{key, a.Name, wrong.field, wrong.message})
		default:
			plan.Problems = append(plan.Problems, Problem{key, a.Name, "", actErr.Error()})
		}
	}
}

// concerns tells whether an automation wants anything for the record, and gives
// what its actions may read. It fails with skip or fieldProblem.
func (r *run) concerns(a *Automation) (map[string]any, error) {
	switch {
	case a.On == ContactTagged && !slices.Contains(r.tags, a.Tag):
		return nil, skip(fmt.Sprintf("the contact does not have the tag %q", a.Tag))
	case a.On == TaskCompleted && !r.facts.Task.Completed:
		return nil, skip("the task is not completed")
	case a.On == WorkflowReceived && r.facts.Contact.ID == "" && a.needsContact():
		return nil, fieldProblem{"contact_id", noContact}
	}
	env := r.env
	if a.milestone != nil {
		name, date, err := a.milestone.read(r)
		if err != nil {
			return nil, err
		}
		found := map[string]any{"name": name, "date": nil}
		if !date.IsZero() {
			found["date"] = date
		}
		env = maps.Clone(env)
		env["milestone"] = found
	}
	if a.condition == nil {
		return env, nil
	}
	holds, err := a.condition.holds(env)
	switch {
	case err != nil:
		return nil, fieldProblem{"if", err.Error()}
	case !holds:
		return nil, skip("the condition is not met")
	}
	return env, nil
}

const noContact = "the webhook names no contact; add the word contact_id with the value {{contact.id}} to its Custom Data"

// noteTexts are the texts that the note automations make of the contact's notes,
// newest first. A note that they want nothing for, or cannot compute, has none
// here; its own plan says why.
func (r *run) noteTexts() []string {
	if r.notes != nil {
		return slices.Clone(*r.notes)
	}
	notes := slices.Clone(r.facts.Notes)
	slices.SortStableFunc(notes, func(a, b Note) int {
		if order := b.DateAdded.Compare(a.DateAdded); order != 0 {
			return order
		}
		return strings.Compare(a.ID, b.ID)
	})
	var found []string
	writers := r.set.noteWriters()
	for _, n := range notes {
		var plan Plan
		// Without Notes, so that an automation which attaches notes to what it makes of
		// a note does not go round.
		one := newRun(r.set, KindNote, Facts{Location: r.facts.Location, Contact: r.facts.Contact, Note: n})
		for _, a := range writers {
			one.evaluate(a, &plan)
		}
		var texts []string // two automations may make the same text of a note
		for _, item := range plan.Items {
			if item.Kind == ItemNote {
				texts = appendNew(texts, item.Text)
			}
		}
		found = append(found, texts...)
	}
	r.notes = &found
	return slices.Clone(found)
}
