package mapping

import "time"

// Kind names what sort of HighLevel record an entity is.
type Kind string

// These are the kinds that automations can read.
const (
	KindContact  Kind = "contact"
	KindTask     Kind = "task"
	KindNote     Kind = "note"
	KindWorkflow Kind = "workflow" // the last body of a workflow's webhook

	KindAppointment Kind = "appointment"
	KindOpportunity Kind = "opportunity"

	// Records of CalendarHero.
	KindMeeting         Kind = "meeting"              // a meeting request that Milepost did not make
	KindCalendarContact Kind = "calendarhero_contact" // a contact from a scheduling link
)

// Facts are the HighLevel records one evaluation may read. What an automation
// does not need (see Set.Needs) may be left empty.
type Facts struct {
	Location Location
	Contact  Contact
	Task     Task     // set when a task is planned
	Note     Note     // set when a note is planned
	Workflow Workflow // set when a workflow webhook is planned
	Notes    []Note   // the contact's notes, for items that attach them; any order

	Appointment Appointment // set when an appointment is planned
	Opportunity Opportunity // set when an opportunity is planned

	// Happened has the triggers that hold because something happened to the record, and
	// when Milepost noticed.
	Happened map[Trigger]time.Time
	// Tagged has the contact's tags in lower case, and since when Milepost knows of each.
	Tagged map[string]time.Time
	// Gone means that the record is deleted. The facts are then the last known ones, and
	// only triggers of deleted records hold.
	Gone bool

	// Meetings are the CalendarHero meeting requests for the record's items, at most one
	// per item. For KindMeeting, it is the meeting to plan.
	Meetings        []Meeting
	CalendarContact CalendarContact // set when a CalendarHero contact is planned

	Now time.Time // the time of the evaluation
}

// known reports whether the record of a kind is in the facts.
func (f Facts) known(kind Kind) bool {
	switch kind {
	case KindContact:
		return f.Contact.ID != ""
	case KindTask:
		return f.Task.ID != ""
	case KindNote:
		return f.Note.ID != ""
	case KindAppointment:
		return f.Appointment.ID != ""
	case KindOpportunity:
		return f.Opportunity.ID != ""
	}
	return true
}

// Location is the HighLevel sub-account.
type Location struct {
	ID   string
	Name string
	Zone *time.Location // never nil; dates without a time are read in it
}

// Contact is a HighLevel contact as automations see it.
type Contact struct {
	ID string
	// Fields holds the standard fields by HighLevel's merge-field names
	// without the "contact." in front: first_name, email, company_name, …
	Fields map[string]any
	// Custom holds the custom fields by key without the "contact." in front,
	// one entry for every field the location defines; Value is nil when unset.
	Custom map[string]CustomField
	Tags   []string
}

// CustomField is one custom field of a contact.
type CustomField struct {
	Name  string // display name, e.g. "Closing Date"
	Type  string // HighLevel's dataType, e.g. "DATE"
	Value any    // decoded JSON: string, float64, []any, map[string]any or nil
}

// Task is a HighLevel task.
type Task struct {
	ID         string
	Title      string
	Body       string // may be HTML
	AssignedTo string // user id
	Due        string // as HighLevel wrote it, e.g. 2026-12-01T15:00:00Z; may be empty
	Completed  bool
	Written    bool `json:"-"` // written by Milepost itself (see WrittenMarker), so it plans nothing
}

// Note is a HighLevel note. Body is as HighLevel stores it, which may be HTML.
type Note struct {
	ID        string
	Body      string
	Title     string
	UserID    string
	DateAdded time.Time // zero when unknown
	Written   bool      `json:"-"` // as in Task; such a note is not attached either
}

// Appointment is a HighLevel appointment.
type Appointment struct {
	ID         string
	Title      string
	Status     string // new, confirmed, cancelled, showed, noshow, invalid
	CalendarID string
	Calendar   string // name of the calendar; "" = not known
	AssignedTo string // user id
	Address    string
	Notes      string
	Start, End time.Time // zero when unknown
	Added      time.Time // zero when unknown
}

// Opportunity is a HighLevel opportunity.
type Opportunity struct {
	ID                              string
	Name                            string
	PipelineID, StageID             string
	Pipeline, Stage                 string // their names; "" = not known
	Status                          string // open, won, lost, abandoned
	Value                           *float64
	AssignedTo                      string // user id
	Source                          string
	StageChangedAt, StatusChangedAt time.Time // zero when unknown
	Added                           time.Time // zero when unknown
	Custom                          map[string]CustomField
}

// Workflow is the body of a workflow's webhook. Values are decoded JSON; empty values are
// left out. If the webhook names no contact, Facts.Contact.ID is "".
type Workflow struct {
	ID, Name   string         // of the workflow; may be empty
	CustomData map[string]any // the words of the webhook's Custom Data
	Fields     map[string]any // everything else in it: custom fields by display name
	Tags       []string       // of the contact, when it was sent
}

// MeetingState is the state of a meeting request in CalendarHero.
type MeetingState string

// The states of a meeting request that exists or existed.
const (
	MeetingPending     MeetingState = "pending"     // waits for its invitees' answer
	MeetingBooked      MeetingState = "booked"      // a time is agreed
	MeetingRescheduled MeetingState = "rescheduled" // booked, and moved since to another time than requested
	MeetingExpired     MeetingState = "expired"     // nobody answered in time
	MeetingCancelled   MeetingState = "cancelled"   // cancelled by its invitee or the account's holder
	MeetingCompleted   MeetingState = "completed"   // its time has passed
	MeetingGone        MeetingState = "gone"        // no list of CalendarHero shows it
)

// Ended reports whether the state of the meeting is final.
func (s MeetingState) Ended() bool {
	switch s {
	case MeetingExpired, MeetingCancelled, MeetingCompleted, MeetingGone:
		return true
	}
	return false
}

// Meeting is a meeting request of CalendarHero.
type Meeting struct {
	ID         string   // CalendarHero's
	Item       string   // key of its item; "" = Milepost did not make it
	Kind       ItemKind // the item's kind: event or task
	Title      string   // without the marker
	State      MeetingState
	Type       string    // meeting type; "" = unknown
	Start, End time.Time // UTC, as CalendarHero shows them
	Emails     []string  // of the invitees, lower case
	// Happened has the triggers that hold for it, and when Milepost noticed. A completed
	// meeting was booked and requested before.
	Happened map[Trigger]time.Time
}

// CalendarContact is a contact of CalendarHero.
type CalendarContact struct {
	ID           string
	Name         string
	Emails       []string // the main one first
	Phones       []string
	Organization string
	JobTitle     string
}
