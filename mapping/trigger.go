package mapping

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Trigger is what makes an automation read a record. Every sync reads the present record,
// so a trigger also says how long an item is wanted: with TaskCompleted, as long as the
// task is completed.
type Trigger string

// The triggers of HighLevel's records.
const (
	ContactCreated    Trigger = "contact.created"
	ContactChanged    Trigger = "contact.changed"
	ContactDeleted    Trigger = "contact.deleted"
	ContactTagged     Trigger = "contact.tagged" // while the contact has the tag
	ContactDNDChanged Trigger = "contact.dnd_changed"

	TaskChanged   Trigger = "task.changed"
	TaskCompleted Trigger = "task.completed" // while the task is completed
	TaskEdited    Trigger = "task.edited"
	TaskDeleted   Trigger = "task.deleted"

	NoteCreated Trigger = "note.created"
	NoteChanged Trigger = "note.changed"
	NoteDeleted Trigger = "note.deleted"

	AppointmentCreated Trigger = "appointment.created"
	AppointmentChanged Trigger = "appointment.changed"
	AppointmentDeleted Trigger = "appointment.deleted"

	OpportunityCreated  Trigger = "opportunity.created"
	OpportunityChanged  Trigger = "opportunity.changed"
	OpportunityDeleted  Trigger = "opportunity.deleted"
	OpportunityStage    Trigger = "opportunity.stage_changed"
	OpportunityStatus   Trigger = "opportunity.status_changed"
	OpportunityValue    Trigger = "opportunity.value_changed"
	OpportunityAssignee Trigger = "opportunity.assignee_changed"

	WorkflowReceived     Trigger = "workflow.received" // a workflow webhook; its last body counts
	MilestoneChanged     Trigger = "milestone.changed"
	MilestoneApproaching Trigger = "milestone.approaching" // from some time before the milestone on
)

// CalendarHero's events under its own names. All except the last are about a meeting
// request, and hold once they have happened to it.
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

// holding says when a trigger holds for a record.
type holding uint8

const (
	always       holding = iota // while the record exists
	onceHappened                // once that has happened to it, while it exists
	onceGone                    // once it is deleted
)

// triggerType is what Milepost knows about a trigger.
type triggerType struct {
	Trigger
	kind    Kind
	holds   holding
	meaning string // for people: the record, and when
}

var triggerTypes = []triggerType{
	{ContactCreated, KindContact, onceHappened, "a contact, once Milepost has noticed that it was created"},
	{ContactChanged, KindContact, always, "a contact"},
	{ContactDeleted, KindContact, onceGone, "a contact, once it is deleted, as it was last known"},
	{ContactTagged, KindContact, always, "a contact, while it has the tag that `tag` names"},
	{ContactDNDChanged, KindContact, onceHappened, "a contact, once its do-not-disturb settings have changed"},
	{TaskChanged, KindTask, always, "a task"},
	{TaskCompleted, KindTask, always, "a task, while it is completed"},
	{TaskEdited, KindTask, onceHappened, "a task, once its title, text, due date or user has changed"},
	{TaskDeleted, KindTask, onceGone, "a task, once it is deleted, as it was last known"},
	{NoteCreated, KindNote, onceHappened, "a note, once Milepost has noticed that it was created"},
	{NoteChanged, KindNote, always, "a note"},
	{NoteDeleted, KindNote, onceGone, "a note, once it is deleted, as it was last known"},
	{AppointmentCreated, KindAppointment, onceHappened, "an appointment, once Milepost has noticed that it was created"},
	{AppointmentChanged, KindAppointment, always, "an appointment"},
	{AppointmentDeleted, KindAppointment, onceGone, "an appointment, once it is deleted, as it was last known"},
	{OpportunityCreated, KindOpportunity, onceHappened, "an opportunity, once Milepost has noticed that it was created"},
	{OpportunityChanged, KindOpportunity, always, "an opportunity"},
	{OpportunityDeleted, KindOpportunity, onceGone, "an opportunity, once it is deleted, as it was last known"},
	{OpportunityStage, KindOpportunity, onceHappened, "an opportunity, once its stage has changed"},
	{OpportunityStatus, KindOpportunity, onceHappened, "an opportunity, once its status has changed"},
	{OpportunityValue, KindOpportunity, onceHappened, "an opportunity, once its value has changed"},
	{OpportunityAssignee, KindOpportunity, onceHappened, "an opportunity, once it was assigned to another user"},
	{WorkflowReceived, KindWorkflow, always, "the last webhook that a workflow sent for a contact: [workflows.md](workflows.md)"},
	{MilestoneChanged, KindContact, always, "the record that has the milestone"},
	{MilestoneApproaching, KindContact, always, "the record that has the milestone, from the time that `before` gives until the day of the milestone is over"},

	{NewMeetingRequest, KindMeeting, onceHappened, "a meeting, once it has been requested"},
	{MeetingRequestSuccess, KindMeeting, onceHappened, "a meeting, once it has been booked"},
	{MeetingRequestExpired, KindMeeting, onceHappened, "a meeting, once it has expired without an answer"},
	{MeetingRequestCancelled, KindMeeting, onceHappened, "a meeting, once it has been cancelled"},
	{MeetingMoved, KindMeeting, onceHappened, "a meeting, once it has been moved"},
	{MeetingStarted, KindMeeting, onceHappened, "a meeting, once it has begun"},
	{MeetingOver, KindMeeting, onceHappened, "a meeting, once its time has passed"},
	{NewContactAdded, KindCalendarContact, always, "a contact that CalendarHero created from a scheduling link"},
}

var (
	triggers        = namesOf(func(triggerType) bool { return true })
	meetingTriggers = namesOf(func(t triggerType) bool { return t.kind == KindMeeting })
)

// triggerSet lists the triggers with which an action is possible, and how to name them.
type triggerSet struct {
	triggers []Trigger
	said     string
}

var (
	ofHighLevel = triggerSet{namesOf(triggerType.highLevel), "HighLevel's triggers"}
	ofMeetings  = triggerSet{meetingTriggers, "the triggers of meetings"}
	// ofContacts are the triggers whose records belong to an existing HighLevel contact.
	ofContacts = triggerSet{
		namesOf(func(t triggerType) bool { return t.kind != KindCalendarContact && t.Trigger != ContactDeleted }),
		"HighLevel's triggers but contact.deleted, and the triggers of meetings",
	}
	ofRecords = triggerSet{
		namesOf(func(t triggerType) bool { return t.highLevel() && t.holds != onceGone }),
		"HighLevel's triggers but those of deleted records",
	}
	// ofTexts are the triggers whose texts a request may show as long as the record has
	// them.
	ofTexts = triggerSet{
		namesOf(func(t triggerType) bool { return t.highLevel() && t.holds != onceGone && t.Trigger != NoteCreated }),
		"HighLevel's triggers but note.created and those of deleted records",
	}
	ofAll         = triggerSet{triggers, "all triggers"}
	ofNewContacts = triggerSet{[]Trigger{NewContactAdded}, string(NewContactAdded)}
)

// highLevel reports whether the records are HighLevel's.
func (t triggerType) highLevel() bool { return t.kind != KindMeeting && t.kind != KindCalendarContact }

func namesOf(is func(triggerType) bool) (found []Trigger) {
	for _, t := range triggerTypes {
		if is(t) {
			found = append(found, t.Trigger)
		}
	}
	return found
}

// Triggers lists all supported triggers.
func Triggers() []Trigger { return slices.Clone(triggers) }

func (t Trigger) info() triggerType {
	if i := slices.IndexFunc(triggerTypes, func(known triggerType) bool { return known.Trigger == t }); i >= 0 {
		return triggerTypes[i]
	}
	return triggerType{Trigger: t, kind: KindContact}
}

// Kind returns the kind of records that the trigger is about, unless its milestone has
// another (Automation.Kind). A trigger of KindMeeting is also about the meetings of every
// record.
func (t Trigger) Kind() Kind { return t.info().kind }

// Meaning says for people which record the trigger is about, and when it holds.
func (t Trigger) Meaning() string { return t.info().meaning }

func parseTrigger(text string) (Trigger, error) {
	if slices.Contains(triggers, Trigger(text)) {
		return Trigger(text), nil
	}
	if slices.Contains([]string{"on", "off", "yes", "no", "true", "false"}, strings.ToLower(text)) {
		return "", fmt.Errorf("%q is no trigger; on names what starts the automation, such as contact.changed (to switch it, write state: on, paused or off)", text)
	}
	if meant := meantTrigger(text); meant != "" {
		return "", fmt.Errorf("unknown trigger %s; did you mean %q?", quoteShort(text), meant)
	}
	return "", unknown("trigger", text, triggers)
}

// triggerWords are other words for what happens to a record; those of HighLevel's events,
// such as ContactTagUpdate, are among them.
var triggerWords = map[string][]string{
	"changed":          {"update", "updated", "edited", "modified", "change", "create", "created", "add", "added", "new"},
	"created":          {"create", "added", "add", "new"},
	"deleted":          {"delete", "removed", "remove", "trashed"},
	"tagged":           {"tag", "tag_update", "tag_added", "tag_changed", "tags_changed"},
	"dnd_changed":      {"dnd", "dnd_update", "dnd_updated"},
	"completed":        {"complete", "done", "closed", "finished"},
	"stage_changed":    {"stage", "stage_update", "stage_updated", "moved"},
	"status_changed":   {"status", "status_update", "status_updated", "won", "lost"},
	"value_changed":    {"value", "monetary_value_update", "value_update", "amount_changed"},
	"assignee_changed": {"assigned", "assigned_to_update", "assigned_to_changed", "owner_changed"},
	"approaching":      {"before", "due", "upcoming", "near"},
	"received":         {"triggered", "webhook", "started", "run"},
}

var newWord = regexp.MustCompile(`([a-z])([A-Z])`)

// meantTrigger returns the trigger that another name for it means; "" if none does.
func meantTrigger(text string) Trigger {
	name := strings.ToLower(newWord.ReplaceAllString(text, "${1}_${2}"))
	at := strings.IndexAny(name, "._- :")
	if at < 0 {
		return ""
	}
	record, word := name[:at], strings.ReplaceAll(name[at+1:], "-", "_")
	for _, exact := range []string{"created", "deleted", "changed"} { // before those that only hold it, too
		if slices.Contains(triggerWords[exact], word) && slices.Contains(triggers, Trigger(record+"."+exact)) {
			return Trigger(record + "." + exact)
		}
	}
	for _, known := range triggers {
		of, what, _ := strings.Cut(string(known), ".")
		if of == record && (word == what || slices.Contains(triggerWords[what], word)) {
			return known
		}
	}
	return ""
}
