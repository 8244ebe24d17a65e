package mapping

import "slices"

// Milepost mails nobody itself. CalendarHero mails the invitee of a meeting
// request when it is created, replaced, removed or reminded of. All that is
// written in HighLevel mails nobody by itself, but a workflow of the location that
// reacts to it may. So may an operation that the catalogue says mails people.

// Mailed is somebody whom an item mails.
type Mailed struct {
	Who     InviteWho `json:"who"`
	Address string    `json:"address,omitempty"` // of a contact or another; "" = not known before it is computed
	// Maybe says that the item itself mails nobody: it changes the description of
	// open requests to the owner, and those that nobody accepted yet are replaced.
	Maybe bool `json:"maybe,omitempty"`
	// Operation is one of the catalogue because of which people may be mailed; whom,
	// only the vendor knows.
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

// Mails returns whom the item mails; nil = nobody.
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

// Mails returns whom the automation may mail, each once; nil = nobody.
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

// mails is whom an invitation is to, as far as its text tells.
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
