package mapping

import "slices"

// Milepost itself sends no mail to invitees. CalendarHero mails the invitee when a meeting
// request is created, replaced, removed or reminded of. Writing in HighLevel mails nobody
// directly, but a workflow of the location may react and send mail. So may an operation
// that mails people according to the catalogue.

// Mailed is a person who gets mail because of an item.
type Mailed struct {
	Who     InviteWho `json:"who"`
	Address string    `json:"address,omitempty"` // "" = not known before the item is computed
	// Maybe means that the item itself mails nobody, but changes the description of open
	// requests. Requests to the owner, and requests that nobody has accepted yet, are then
	// replaced.
	Maybe bool `json:"maybe,omitempty"`
	// Operation is an operation of the catalogue that may mail people. Only the vendor
	// knows whom.
	Operation string `json:"operation,omitempty"`
}

// String says who it is, for people.
func (m Mailed) String() string {
	who := map[InviteWho]string{
		InviteOwner: "the owner of the CalendarHero account", InviteContact: "the contact", InviteAddress: "an address that the automation computes",
	}[m.Who]
	switch {
	case m.Operation != "":
		return "people whom " + m.Operation + " reaches"
	case m.Maybe:
		return who + ", if an open request changes with it"
	case m.Who == InviteAddress && m.Address != "":
		return m.Address
	case m.Address != "":
		return who + " (" + m.Address + ")"
	}
	return who
}

// Mails returns who gets mail because of the item; nil = nobody.
func (i Item) Mails() []Mailed {
	switch i.Kind {
	case ItemEvent, ItemTask:
		return []Mailed{{Who: i.Invite.Who, Address: i.Invite.Address}}
	case ItemNote, ItemTags:
		return []Mailed{{Who: InviteOwner, Maybe: true}}
	case ItemCall:
		return i.Call.mails()
	}
	return nil
}

// Mails returns who may get mail because of the automation, without duplicates; nil =
// nobody.
func (a *Automation) Mails() (all []Mailed) {
	for _, act := range a.actions {
		var one []Mailed
		switch act := act.(type) {
		case *meeting:
			one = []Mailed{act.invite.mails()}
		case *call:
			one = Call{Operation: act.entry.Name}.mails()
		default:
			one = Item{Kind: act.kind()}.Mails()
		}
		for _, m := range one {
			if !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	if sure := (Mailed{Who: InviteOwner}); slices.Contains(all, sure) {
		all = slices.DeleteFunc(all, func(m Mailed) bool { return m.Maybe })
	}
	return all
}

// mails returns who is invited, as far as the text shows.
func (i invitation) mails() Mailed {
	switch text, literal := i.address.literal(); {
	case !literal:
		return Mailed{Who: InviteAddress}
	case isInviteWord(text):
		return Mailed{Who: InviteWho(text)}
	case text == "":
		return Mailed{Who: InviteOwner}
	default:
		return Mailed{Who: InviteAddress, Address: text}
	}
}
