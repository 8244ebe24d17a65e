package mapping

import "time"

// ItemKind names what an item is.
type ItemKind string

// The kinds of items, in the order in which they are applied.
const (
	ItemContact ItemKind = "contact"
	ItemTags    ItemKind = "tags"
	ItemNote    ItemKind = "note"
	ItemEvent   ItemKind = "event"
	ItemTask    ItemKind = "task"

	// These are written in HighLevel, and stay there when they are no longer wanted.
	ItemUpdateContact  ItemKind = "update_contact"
	ItemUpsertContact  ItemKind = "upsert_contact"
	ItemRescheduleTask ItemKind = "reschedule_task" // for the task for which the meeting was made
	ItemCompleteTask   ItemKind = "complete_task"   // also for that task
	ItemHighLevelTask  ItemKind = "highlevel_task"
	ItemHighLevelNote  ItemKind = "highlevel_note"

	ItemCall ItemKind = "request" // a call of any operation; it cannot be undone
)

// twoSided reports whether items of this kind can change on both sides.
func (k ItemKind) twoSided() bool { return k == ItemContact || k == ItemEvent || k == ItemTask }

// InHighLevel reports whether items of this kind are written in HighLevel.
func (k ItemKind) InHighLevel() bool {
	switch k {
	case ItemTags, ItemHighLevelNote, ItemHighLevelTask, ItemCompleteTask, ItemRescheduleTask, ItemUpdateContact, ItemUpsertContact:
		return true
	}
	return false
}

// ConflictRule says which side wins if both changed the same thing.
type ConflictRule string

// The conflict rules.
const (
	NewestWins       ConflictRule = "newest" // the later change; HighLevel's if that is unknown
	HighLevelWins    ConflictRule = "highlevel"
	CalendarHeroWins ConflictRule = "calendarhero"
)

// Item is one thing that an automation wants to exist: pure data with no vendor
// in it. Only the fields of its Kind are set.
type Item struct {
	// Key is the item's identity within its entity: automation id, "/", action number from
	// 1. For a CalendarHero trigger on a meeting that Milepost made, "@" and the key of the
	// meeting's item follow.
	Key        string
	Automation string // the automation's name, for people
	Kind       ItemKind
	Conflict   ConflictRule // of contact, event and task
	Meeting    string       // id of the meeting whose event asked for it; "" = none

	// event and task. A task ends at its due date.
	Title       string
	Description string    // own text only; without Notes and Tags
	Start, End  time.Time // UTC
	Zone        *time.Location
	DateOnly    bool // the source was a date without a time
	Invite      Invite
	Reminders   []time.Duration // before Start (event) or End (task), longest first; see Before
	Type        string          // meeting type; empty for the account's default
	Place       string
	Notes       []string // attached notes, newest first, plain text
	Tags        []string // attached tags, sorted, no duplicates

	// note and highlevel_note; the body of highlevel_task
	Text string // plain text

	// highlevel_task also has a Title. reschedule_task has only Due.
	Due        time.Time // UTC
	AssignedTo string    // user id; "" = nobody

	// update_contact: values by merge-field name or custom field key, without "contact.".
	// The map is never empty, and neither is a value. A date is 2026-12-01, and an e-mail
	// address is in lower case.
	ContactFields map[string]string

	// tags, in HighLevel: lower case, sorted, no duplicates
	AddTags, RemoveTags []string

	// contact and upsert_contact
	Contact ContactItem

	// request
	Call Call
}

// ContactItem is the contact an automation wants. Empty fields ask for nothing.
type ContactItem struct {
	Name         string
	Emails       []string // lower case; the first is the main one; never empty
	Phones       []string
	Organization string
	JobTitle     string

	// Back is for a contact that is synced both ways. It says to which HighLevel field each
	// part is written back, by merge-field name without "contact."; nil = one way only.
	// Parts: name, email, phone, organization, job_title. Back does not change what is
	// wanted, so it is not in any fingerprint.
	Back map[string]string `json:"-"`
}

// Invite says who is invited to a meeting request.
type Invite struct {
	Who     InviteWho
	Address string // set for InviteAddress, and the contact's e-mail for InviteContact
}

// InviteWho is the invite policy of an action.
type InviteWho string

// The invite policies. Only owner never mails a customer.
const (
	InviteOwner   InviteWho = "owner"
	InviteContact InviteWho = "contact"
	InviteAddress InviteWho = "address"
)

// Plan is the result of one evaluation.
type Plan struct {
	Items    []Item    // what should exist, in applying order
	Skipped  []Skipped // automations that want nothing, with the reason
	Problems []Problem // what could not be computed
	Left     []string  // keys of items that stay as they are, if they exist
	// Again is when the plan may change without a change of a record; zero = never.
	Again time.Time
}

// Skipped says why an automation wants nothing for a record.
type Skipped struct {
	Automation string
	Reason     string // for people: "the condition is not met", "the contact has no e-mail address"; no personal data
	Saw        string // what a condition that is not met saw: contact.city is "Boston"; personal data
	Meeting    bool   // it was considered for a meeting of the record, not for the record itself
}

// Problem is an item that could not be computed, for example because of an impossible date.
// The existing object of its Key must not change.
type Problem struct {
	Key        string // as in Item.Key
	Automation string
	Field      string // e.g. "start"
	Message    string // for people, says what was read and what is expected
}
