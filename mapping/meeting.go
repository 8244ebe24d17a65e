package mapping

import (
	"slices"
	"strings"
	"time"
)

// meeting is an event or a task. Both take time in a calendar: an event starts at its date,
// and a task ends at it.
type meeting struct {
	what                           ItemKind
	title, description, place, typ *template
	date                           *template
	dateField                      string
	clock                          time.Duration // for a date alone
	length                         time.Duration
	reminders                      []time.Duration
	types                          map[string]string // tag to meeting type
	invite                         invitation
	withNotes, withTags            bool
}

// meetingFields are the fields that event and task share.
var meetingFields = []string{
	"title", "at", "duration", "reminders", "invite", "attach", "description", "place", "type", "types",
}

func loadEvent(f *fields) action {
	m := &meeting{
		what: ItemEvent, dateField: "start", date: f.template("start", ""),
		clock: f.clock("at", "09:00"), length: f.duration("duration", "30m"),
	}
	f.required("start")
	f.fixedDate("start", exampleDate(f))
	return m.load(f)
}

func loadTask(f *fields) action {
	m := &meeting{
		what: ItemTask, dateField: "due", date: f.templateFrom("task", "due", "{{ task.due }}"),
		clock: f.clock("at", "17:00"), length: f.duration("duration", "15m"),
	}
	f.fixedDate("due", exampleDate(f))
	return m.load(f)
}

func (m *meeting) load(f *fields) action {
	f.required("title")
	f.fixedNonempty("title")
	m.title = f.template("title", "")
	m.description = f.template("description", "")
	m.place = f.template("place", "")
	m.typ = f.template("type", "")
	m.reminders = f.durations("reminders")
	m.types = f.table("types")
	f.referTo("type", meetingType)
	f.referToEach("types", meetingType)
	f.referToKeys("types", tagName)
	m.invite = loadInvitation(f)
	for _, v := range f.words("attach") {
		switch v.Value {
		case "notes":
			m.withNotes = true
		case "tags":
			m.withTags = true
		default:
			f.add(v.Line, f.prefix+"attach", "%v", unknown("attachment", v.Value, []string{"notes", "tags"}))
		}
	}
	return m
}

func (m *meeting) kind() ItemKind { return m.what }

func (m *meeting) reads() reads {
	r := readsOf(m.title, m.description, m.place, m.typ, m.date, m.invite.address)
	r.notes = r.notes || m.withNotes
	r.contact = r.contact || m.withTags || len(m.types) > 0 || m.invite.readsContact()
	return r
}

func (m *meeting) item(r *run, env map[string]any) (Item, error) {
	item := Item{Zone: r.zone, Reminders: slices.Clone(m.reminders)}
	if err := m.when(&item, r, env); err != nil {
		return Item{}, err
	}
	if err := fillEach(env,
		textField{"title", m.title, &item.Title, oneLine},
		textField{"description", m.description, &item.Description, r.rules.tidy},
		textField{"place", m.place, &item.Place, oneLine},
		textField{"type", m.typ, &item.Type, oneLine},
	); err != nil {
		return Item{}, err
	}
	if item.Title == "" {
		return Item{}, skip("the title is empty")
	}
	for _, tag := range r.tags {
		if kind, ok := m.types[foldWords(tag)]; ok {
			item.Type = kind
			break
		}
	}
	var err error
	if item.Invite, err = m.invite.resolve(r, env); err != nil {
		return Item{}, err
	}
	if m.withTags {
		item.Tags = slices.Clone(r.tags)
	}
	if m.withNotes {
		item.Notes = r.noteTexts()
	}
	return item, nil
}

// when sets the item's times.
func (m *meeting) when(item *Item, r *run, env map[string]any) error {
	date, err := fillDate(m.dateField, m.date, r, env)
	switch {
	case err != nil:
		return err
	case date.IsZero() && m.what == ItemTask:
		return skip("the task has no due date")
	case date.IsZero():
		return skip("there is no date")
	}
	at := date.Instant(m.clock, r.zone).UTC()
	item.DateOnly = date.DateOnly()
	if m.what == ItemTask {
		item.Start, item.End = at.Add(-m.length), at
	} else {
		item.Start, item.End = at, at.Add(m.length)
	}
	return nil
}

// invitation is whom an action invites to a meeting.
type invitation struct{ address *template }

func loadInvitation(f *fields) invitation {
	i := invitation{f.template("invite", string(InviteOwner))}
	f.fixedNonempty("invite")
	text, ok := i.address.literal()
	if !ok || isInviteWord(text) {
		return i
	}
	if _, err := emailAddress(text); err != nil && text != "" {
		what := unknown("invitee", text, []InviteWho{InviteOwner, InviteContact})
		f.wrong("invite", "%v (or an e-mail address)", what)
	} else if text != "" && f.has("invite") {
		f.neverDomain("invite", f.values["invite"], text)
	}
	return i
}

func isInviteWord(s string) bool {
	return s == string(InviteOwner) || s == string(InviteContact)
}

// readsContact reports whether the invitation may need the contact's address. A template
// may also evaluate to "contact".
func (i invitation) readsContact() bool {
	text, ok := i.address.literal()
	return !ok || text == string(InviteContact)
}

func (i invitation) resolve(r *run, env map[string]any) (Invite, error) {
	text, err := fill("invite", i.address, env)
	if err != nil {
		return Invite{}, err
	}
	switch text = strings.TrimSpace(text); text {
	case "":
		return Invite{}, skip("there is nobody to invite")
	case string(InviteOwner):
		return Invite{Who: InviteOwner}, nil
	case string(InviteContact):
		email := printed(r.facts.Contact.Fields["email"])
		if strings.TrimSpace(email) == "" {
			return Invite{}, noEmail
		}
		address, err := emailAddress(email)
		if err != nil {
			return Invite{}, fieldProblem{"invite", err.Error()}
		}
		return Invite{Who: InviteContact, Address: address}, nil
	}
	address, err := emailAddress(text)
	if err != nil {
		return Invite{}, fieldProblem{"invite", err.Error()}
	}
	return Invite{Who: InviteAddress, Address: address}, nil
}
