package mapping

import (
	"fmt"
	"slices"
)

// Trigger names what makes an automation look at a record. Since every sync
// looks at the current record, a trigger also says when an item is wanted: with
// TaskCompleted, as long as the task is completed.
type Trigger string

// The triggers that are supported.
const (
	ContactChanged   Trigger = "contact.changed"
	ContactTagged    Trigger = "contact.tagged" // while the contact has the tag
	MilestoneChanged Trigger = "milestone.changed"
	TaskChanged      Trigger = "task.changed"
	TaskCompleted    Trigger = "task.completed" // while the task is completed
	NoteChanged      Trigger = "note.changed"
	WorkflowReceived Trigger = "workflow.received" // a workflow webhook; what it said last holds
)

// CalendarHero's events, by its own names. All but the last are of a meeting
// request, and hold once that has happened to it.
const (
	NewMeetingRequest       Trigger = "calendarhero.new_meeting_request"
	MeetingRequestSuccess   Trigger = "calendarhero.meeting_request_success"
	MeetingRequestExpired   Trigger = "calendarhero.meeting_request_expired"
	MeetingRequestCancelled Trigger = "calendarhero.meeting_request_cancelled"
	MeetingMoved            Trigger = "calendarhero.meeting_rescheduled"
	MeetingStarted          Trigger = "calendarhero.meeting_started"
	MeetingOver             Trigger = "calendarhero.meeting_completed"
	NewContactAdded         Trigger = "calendarhero.new_contact_added"
)

var (
	highLevelTriggers = []Trigger{ContactChanged, ContactTagged, MilestoneChanged, TaskChanged, TaskCompleted, NoteChanged, WorkflowReceived}
	meetingTriggers   = []Trigger{
		NewMeetingRequest, MeetingRequestSuccess, MeetingRequestExpired, MeetingRequestCancelled, MeetingMoved, MeetingStarted, MeetingOver,
	}
	newContactOnly = []Trigger{NewContactAdded}

	contactTriggers = slices.Concat(highLevelTriggers, meetingTriggers) // those whose records are of a HighLevel contact
	triggers        = slices.Concat(contactTriggers, newContactOnly)
)

// laterTriggers have a name already, so that whoever tries one learns that it
// is no spelling mistake.
var laterTriggers = []string{
	"contact.deleted", "milestone.approaching", "task.deleted", "note.deleted",
	"appointment.changed", "opportunity.stage_changed",
}

// Kind tells which records the trigger looks at. Those of KindMeeting look at the
// meetings of every record as well.
func (t Trigger) Kind() Kind {
	switch t {
	case TaskChanged, TaskCompleted:
		return KindTask
	case NoteChanged:
		return KindNote
	case WorkflowReceived:
		return KindWorkflow
	case NewContactAdded:
		return KindCalendarContact
	}
	if slices.Contains(meetingTriggers, t) {
		return KindMeeting
	}
	return KindContact
}

func parseTrigger(text string) (Trigger, error) {
	if slices.Contains(triggers, Trigger(text)) {
		return Trigger(text), nil
	}
	if slices.Contains(laterTriggers, text) {
		return "", fmt.Errorf("%q is not supported yet; supported are %s", text, enumerate(triggers))
	}
	return "", unknown("trigger", text, triggers)
}

// Triggers are all that are supported.
func Triggers() []Trigger { return slices.Clone(triggers) }
