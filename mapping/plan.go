package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Plan says what should exist for one record of this kind and its meetings. It is pure, and
// never fails as a whole: if an automation cannot be computed, Plan adds Problems and
// continues with the others. Skipped leaves out triggers that have not happened. Plan does
// not change the facts.
func (s *Set) Plan(kind Kind, f Facts) Plan { return s.plan(kind, f, currentRules) }

// PlanFormer is Plan with the texts of the version before TextVersion. If existing items
// equal this plan, the record has not changed.
func (s *Set) PlanFormer(kind Kind, f Facts) Plan { return s.plan(kind, f, formerRules) }

func (s *Set) plan(kind Kind, f Facts, rules textRules) Plan {
	var plan Plan
	r := newRun(s, kind, f, rules)
	if kind != KindMeeting { // its own automations read its meeting
		for _, a := range s.looking(kind) {
			switch {
			case !r.holds(a.On):
			case f.Gone && !f.known(kind):
				r.leave(a, &plan)
			default:
				r.evaluate(a, &plan)
			}
		}
	}
	for _, m := range f.Meetings {
		one := r.withMeeting(m)
		for _, a := range s.looking(KindMeeting) {
			if _, happened := m.Happened[a.On]; happened {
				one.evaluate(a, &plan)
			}
		}
	}
	plan.Again = *r.again
	slices.SortStableFunc(plan.Items, func(a, b Item) int {
		return slices.Index(applyingOrder, a.Kind) - slices.Index(applyingOrder, b.Kind)
	})
	return plan
}

// applyingOrder puts a contact before its invitations. HighLevel's own records come last,
// and among them the note that reports the others.
var applyingOrder = []ItemKind{
	ItemContact, ItemTags, ItemNote, ItemEvent, ItemTask,
	ItemUpdateContact, ItemUpsertContact, ItemRescheduleTask, ItemCompleteTask, ItemHighLevelTask, ItemHighLevelNote, ItemCall,
}

// holds reports whether the trigger's event has happened to the record.
func (r *run) holds(t Trigger) bool {
	holds := t.info().holds
	if r.facts.Gone || holds == onceGone {
		return r.facts.Gone && holds == onceGone
	}
	_, noted := r.facts.Happened[t]
	return holds == always || noted
}

// leave keeps unchanged what an automation made for a deleted record, because nothing is
// known about the record.
func (r *run) leave(a *Automation, plan *Plan) {
	plan.skip(Skipped{Automation: a.Name, Reason: "nothing is known of the deleted record: Milepost never read it, or what it knew was erased"})
	for i := range a.actions {
		plan.Left = append(plan.Left, itemKey(a.ID, i))
	}
}

// evaluate adds what one automation wants to the plan.
func (r *run) evaluate(a *Automation, plan *Plan) {
	r.traced = nil
	env, day, err := r.concerns(a)
	var items []Item
	var errs []error
	for i, act := range a.actions {
		key := itemKey(a.ID, i)
		if day != "" {
			key += "#" + day
		}
		if r.meeting.Item != "" {
			key += "@" + r.meeting.Item
		}
		item, actErr := Item{}, err
		if err == nil {
			item, actErr = act.item(r, env)
		}
		var why skip
		var not unmet
		var wrong fieldProblem
		switch {
		case actErr == nil:
			item.Key, item.Automation, item.Kind, item.Meeting = key, a.Name, act.kind(), r.meeting.ID
			if item.Kind.twoSided() {
				item.Conflict = a.Conflict
			}
			plan.Items, items = append(plan.Items, item), append(items, item)
		case errors.As(actErr, &why):
			plan.skip(Skipped{Automation: a.Name, Reason: string(why), Meeting: r.meeting.ID != ""})
		case errors.As(actErr, &not):
			plan.skip(Skipped{Automation: a.Name, Reason: not.reason, Saw: not.saw, Meeting: r.meeting.ID != ""})
		case errors.As(actErr, &wrong):
			plan.Problems = append(plan.Problems, Problem{key, a.Name, wrong.field, wrong.message})
		default:
			plan.Problems = append(plan.Problems, Problem{key, a.Name, "", actErr.Error()})
		}
		if actErr != nil {
			errs = append(errs, actErr)
		}
	}
	r.considered(a, items, errs)
}

// skip adds a reason, unless another action of the automation has added the same one.
func (p *Plan) skip(s Skipped) {
	if !slices.Contains(p.Skipped, s) {
		p.Skipped = append(p.Skipped, s)
	}
}

// concerns decides whether an automation wants anything for the record, and returns what
// its actions may read. It fails with skip or fieldProblem.
func (r *run) concerns(a *Automation) (env map[string]any, day string, err error) {
	switch {
	case r.written:
		return nil, "", skip("it was written by Milepost itself")
	case a.Kind() == KindMeeting && r.facts.Contact.ID == "" && r.meeting.Item != "":
		return nil, "", skip("what the meeting was made for has no contact in HighLevel")
	case a.Kind() == KindMeeting && r.facts.Contact.ID == "":
		return nil, "", skip("no contact in HighLevel has the e-mail address of an invitee")
	case a.On == ContactTagged && !slices.Contains(r.tags, a.Tag):
		return nil, "", unmet{reason: fmt.Sprintf("the contact does not have the tag %q", a.Tag), saw: "contact.tags is " + asSeen(r.tags)}
	case a.On == TaskCompleted && !r.facts.Task.Completed:
		return nil, "", skip("the task is not completed")
	case a.Kind() == KindWorkflow && r.facts.Contact.ID == "" && a.needsContact():
		return nil, "", fieldProblem{"contact_id", noContact}
	}
	env = r.env
	if a.milestone != nil {
		name, date, err := a.milestone.read(r)
		if err != nil {
			return nil, "", err
		}
		env = withMilestone(env, name, date)
		if day, err = r.approaches(a, date); err != nil {
			return nil, "", err
		}
	}
	if a.condition == nil {
		return env, day, nil
	}
	if r.set.tracing != nil {
		r.traced = a.condition.trace(env)
	}
	holds, err := a.condition.holds(env)
	switch {
	case err != nil:
		return nil, "", fieldProblem{"if", err.Error()}
	case !holds:
		text, saw := a.condition.failed(env)
		return nil, "", unmet{"the condition is not met", text, saw}
	}
	return env, day, nil
}

// approaches reports whether a milestone is near enough. It returns the day of the
// milestone, if that matters, and when to ask again. It fails with skip or unmet.
func (r *run) approaches(a *Automation, date Date) (day string, err error) {
	if !a.dated() {
		return "", nil
	}
	if date.IsZero() {
		return "", skip("there is no date")
	}
	over := date.endOfDay(r.zone)
	if a.milestone.yearly {
		r.askAgain(over)
	}
	if a.On == MilestoneApproaching {
		near := Before(date.Instant(0, r.zone), a.before, r.zone)
		r.askAgain(near)
		switch {
		case r.facts.Now.Before(near):
			return "", unmet{reason: "the milestone is not near enough yet", saw: "milestone.date is " + asSeen(date.String())}
		case !r.facts.Now.Before(over):
			return "", unmet{reason: "the milestone is over", saw: "milestone.date is " + asSeen(date.String())}
		}
	}
	return date.localDay(r.zone), nil
}

const noContact = "the webhook names no contact; add the word contact_id with the value {{contact.id}} to its Custom Data"

// noteTexts returns the texts that the note automations make of the contact's notes, newest
// first. It leaves out notes for which they want nothing, or that they cannot compute; the
// note's own plan says why.
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
		// Without Notes, an automation that attaches notes to its own note items cannot
		// loop.
		one := newRun(r.set, KindNote, Facts{Location: r.facts.Location, Contact: r.facts.Contact, Note: n}, r.rules)
		one.inNotes = true
		for _, a := range writers {
			one.evaluate(a, &plan)
		}
		var texts []string // two automations may make the same text from a note
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
