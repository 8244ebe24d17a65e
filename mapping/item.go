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

	// What is written in HighLevel. It stays there when it is no longer asked for.
	ItemUpdateContact  ItemKind = "update_contact"
	ItemUpsertContact  ItemKind = "upsert_contact"
	ItemRescheduleTask ItemKind = "reschedule_task" // of the task that the meeting was made for
	ItemCompleteTask   ItemKind = "complete_task"   // the same
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

// ConflictRule says which side stands where both changed the same thing.
type ConflictRule string

// The conflict rules.
const (
	NewestWins       ConflictRule = "newest" // the later change; HighLevel's where that cannot be told
	HighLevelWins    ConflictRule = "highlevel"
	CalendarHeroWins ConflictRule = "calendarhero"
)

// Item is one thing that an automation wants to exist: pure data with no vendor
// in it. Only the fields of its Kind are set.
type Item struct {
	// Key is the stable identity within its entity: automation id, "/", action
	// number from 1; of a CalendarHero trigger "@" and the key of the item that the
	// meeting was made for, if it was made here.
	Key        string
	Automation string // the automation's name, for people
	Kind       ItemKind
	Conflict   ConflictRule // of contact, event and task
	Meeting    string       // id of the meeting whose event asked for it; "" = none did

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

	// highlevel_task has a Title too, and reschedule_task only Due.
	Due        time.Time // UTC
	AssignedTo string    // user id; "" = nobody

	// update_contact: what to write by merge-field name or key of a custom field,
	// without the "contact." in front. Never empty, and no value is ""; a date is
	// 2026-12-01, an e-mail address in lower case.
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
	Emails       []string // lower case, first is the main one; never empty
	Phones       []string
	Organization string
	JobTitle     string

	// Back says, of a contact that is kept in step both ways, which field of the
	// HighLevel contact each part is written back to, by merge-field name without
	// the "contact." in front; nil = one way only. Parts: name, email, phone,
	// organization, job_title. It is no part of what is wanted, hence of no
	// fingerprint.
	Back map[string]string `json:"-"`
}

// Invite says who is asked to a meeting request.
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

// Plan is the answer of one evaluation.
type Plan struct {
	Items    []Item    // what should exist, in applying order
	Skipped  []Skipped // automations that were looked at and want nothing, with the reason
	Problems []Problem // what could not be computed
	Left     []string  // keys of items that stay as they are, if they exist
	// Again is when the plan may be another one though no record changes; zero = never.
	Again time.Time
}

// Skipped says why an automation wants nothing for a record.
type Skipped struct {
	Automation string
	Reason     string // for people: "the condition is not met", "the contact has no e-mail address"; no personal data
	Saw        string // what a condition that is not met saw: contact.city is "Boston"; personal data
}

// Problem is an item that could not be computed, e.g. from an impossible date.
// What exists for its Key must be left as it is.
type Problem struct {
	Key        string // as Item.Key
	Automation string
	Field      string // e.g. "start"
	Message    string // for people, says what was read and what is expected
}
