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
)

// Item is one thing that an automation wants to exist: pure data with no vendor
// in it. Only the fields of its Kind are set.
type Item struct {
	Key        string // stable identity within its entity: automation id, "/", action number from 1
	Automation string // the automation's name, for people
	Kind       ItemKind

	// event and task. A task ends at its due date.
	Title       string
	Description string    // own text only; without Notes and Tags
	Start, End  time.Time // UTC
	Zone        *time.Location
	DateOnly    bool // the source was a date without a time
	Invite      Invite
	Reminders   []time.Duration // before Start (event) or End (task), longest first
	Type        string          // meeting type; empty for the account's default
	Place       string
	Notes       []string // attached notes, newest first, plain text
	Tags        []string // attached tags, sorted, no duplicates

	// note
	Text string // plain text

	// tags, in HighLevel: lower case, sorted, no duplicates
	AddTags, RemoveTags []string

	// contact
	Contact ContactItem
}

// ContactItem is the contact an automation wants. Empty fields ask for nothing.
type ContactItem struct {
	Name         string
	Emails       []string // lower case, first is the main one; never empty
	Phones       []string
	Organization string
	JobTitle     string
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
}

// Skipped says why an automation wants nothing for a record.
type Skipped struct {
	Automation string
	Reason     string // for people: "the condition is not met", "the contact has no e-mail address"
}

// Problem is an item that could not be computed, e.g. from an impossible date.
// What exists for its Key must be left as it is.
type Problem struct {
	Key        string // as Item.Key
	Automation string
	Field      string // e.g. "start"
	Message    string // for people, says what was read and what is expected
}
