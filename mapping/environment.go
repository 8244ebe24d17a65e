package mapping

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// run evaluates one record.
type run struct {
	set   *Set
	facts Facts
	zone  *time.Location
	tags  []string
	rules textRules
	env   map[string]any // what every automation may read; milestone is added to it
	notes *[]string      // the texts of the notes; nil until they are computed
	again *time.Time     // when the plan may change by itself; zero = never

	traced  []Condition // parts of the present automation's condition, if the Set is traced
	inNotes bool        // computes only the texts of notes that other automations attach

	written bool    // the record was written by Milepost itself
	meeting Meeting // the meeting to evaluate; zero = the record itself
}

func newRun(s *Set, kind Kind, f Facts, rules textRules) *run {
	r := &run{set: s, facts: f, rules: rules, zone: utcIfNil(f.Location.Zone), tags: tagSet(f.Contact.Tags), again: new(time.Time)}
	r.env = r.addDateFunctions(map[string]any{
		"contact": contactFields(f.Contact, r.tags, r.zone),
		"location": map[string]any{
			"id": f.Location.ID, "name": f.Location.Name, "timezone": r.zone.String(),
		},
	})
	switch kind {
	case KindTask:
		r.written = f.Task.Written
		r.env["task"] = r.taskFields(f.Task)
	case KindNote:
		r.written = f.Note.Written
		r.env["note"] = map[string]any{
			"id": f.Note.ID, "title": f.Note.Title, "body": r.rules.plain(f.Note.Body),
			"date_added": moment(f.Note.DateAdded, r.zone), "user_id": f.Note.UserID,
		}
	case KindAppointment:
		a := f.Appointment
		r.env["appointment"] = map[string]any{
			"id": a.ID, "title": a.Title, "status": a.Status, "calendar": a.Calendar, "calendar_id": a.CalendarID,
			"start": moment(a.Start, r.zone), "end": moment(a.End, r.zone), "assigned_to": a.AssignedTo,
			"address": a.Address, "notes": r.rules.plain(a.Notes), "date_added": moment(a.Added, r.zone),
		}
	case KindOpportunity:
		r.env["opportunity"] = opportunityFields(f.Opportunity, r.zone)
	case KindWorkflow:
		r.env["workflow"] = map[string]any{
			"id": f.Workflow.ID, "name": f.Workflow.Name, "fields": f.Workflow.Fields, "tags": tagSet(f.Workflow.Tags),
		}
		r.env["custom_data"] = f.Workflow.CustomData
	case KindCalendarContact:
		r.env["calendarhero_contact"] = calendarContactFields(f.CalendarContact)
	}
	return r
}

// withMeeting returns the evaluation of a meeting of the record. One recipe serves meetings
// of all kinds of records. So task always exists, and has no values if the record is not a
// task.
func (r *run) withMeeting(m Meeting) *run {
	one := *r
	one.meeting = m
	automation, _, _ := strings.Cut(m.Item, "/")
	one.env = one.addDateFunctions(map[string]any{
		"contact": r.env["contact"], "location": r.env["location"], "task": r.taskFields(r.facts.Task),
		"meeting": map[string]any{
			"id": m.ID, "title": m.Title, "state": string(m.State), "start": moment(m.Start, r.zone), "end": moment(m.End, r.zone),
			"type": m.Type, "emails": slices.Clone(m.Emails), "ours": m.Item != "", "automation": automation,
		},
	})
	return &one
}

func (r *run) taskFields(t Task) map[string]any {
	return map[string]any{
		"id": t.ID, "title": t.Title, "body": r.rules.plain(t.Body), "due": taskDue(t.Due, r.zone),
		"completed": t.Completed, "assigned_to": t.AssignedTo,
	}
}

// opportunityFields combines standard and custom fields, as contactFields does.
func opportunityFields(o Opportunity, zone *time.Location) map[string]any {
	fields := customFields(o.Custom, zone)
	maps.Copy(fields, map[string]any{
		"id": o.ID, "name": o.Name, "pipeline": o.Pipeline, "pipeline_id": o.PipelineID, "stage": o.Stage, "stage_id": o.StageID,
		"status": o.Status, "value": nil, "assigned_to": o.AssignedTo, "source": o.Source,
		"stage_changed_at": moment(o.StageChangedAt, zone), "status_changed_at": moment(o.StatusChangedAt, zone), "date_added": moment(o.Added, zone),
	})
	if o.Value != nil {
		fields["value"] = *o.Value
	}
	return fields
}

// customFields returns the values by key.
func customFields(custom map[string]CustomField, zone *time.Location) map[string]any {
	fields := make(map[string]any, len(custom)+16)
	for key, f := range custom {
		fields[key] = f.Value
		if strings.EqualFold(f.Type, "DATE") {
			fields[key] = civilText(f.Value, zone)
		}
	}
	return fields
}

// calendarContactFields uses the field names of a HighLevel contact. The first word of the
// name is the first name.
func calendarContactFields(c CalendarContact) map[string]any {
	first := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		return list[0]
	}
	name := oneLine(c.Name)
	firstName, lastName, _ := strings.Cut(name, " ")
	return map[string]any{
		"id": c.ID, "name": name, "first_name": firstName, "last_name": lastName,
		"email": first(c.Emails), "emails": slices.Clone(c.Emails), "phone": first(c.Phones), "phones": slices.Clone(c.Phones),
		"company_name": c.Organization, "job_title": c.JobTitle,
	}
}

// contactFields combines standard and custom fields under the names that expressions use.
// Standard fields win. It always writes a date without a time as 2026-12-01, so that
// expressions can compare dates, whatever form HighLevel stored.
func contactFields(c Contact, tags []string, zone *time.Location) map[string]any {
	fields := customFields(c.Custom, zone)
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

// civilText writes a date without a time as 2026-12-01, and returns any other value
// unchanged.
func civilText(v any, zone *time.Location) any {
	if d, err := ParseDate(v, zone); err == nil && d.DateOnly() {
		return d.String()
	}
	return v
}

// taskDue reads a due date. It always has a time of day, unlike a date field. So midnight
// UTC is an instant, such as four in the afternoon in Los Angeles. A value that cannot be
// read is returned unchanged, so that the action reports it.
func taskDue(due string, zone *time.Location) any {
	d, err := ParseDate(due, zone)
	switch {
	case err != nil:
		return due
	case d.IsZero():
		return nil
	case d.DateOnly() && (strings.ContainsAny(due, "Tt:") || numberForm.MatchString(due) && len(due) > len("20261201")):
		d = Date{at: d.at.In(zone), kind: dateInstant}
	}
	return d
}

// moment returns an instant in the zone; nil for the zero time.
func moment(t time.Time, zone *time.Location) any {
	if d, err := ParseDate(t, zone); err == nil && !d.IsZero() {
		return d
	}
	return nil
}
