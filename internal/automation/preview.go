package automation

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"milepost/internal/store"
	"milepost/internal/sync"
	"milepost/mapping"
)

// Rehearsals runs syncs without effect.
type Rehearsals interface {
	Rehearser(automations *mapping.Set, agreed func(item string) bool) *sync.Rehearser
}

// Target is the record of a preview. One of the ids is set, and beside that of a task
// or note perhaps the contact's.
type Target struct {
	Location, Contact, Task, Note, Appointment, Opportunity, Meeting string
}

// TargetOf is the record of a kind with an id. contact is that of a task or note, and
// may be "".
func TargetOf(kind mapping.Kind, id, contact, location string) Target {
	t := Target{Location: location, Contact: contact}
	switch kind {
	case mapping.KindContact:
		t.Contact = id
	case mapping.KindTask:
		t.Task = id
	case mapping.KindNote:
		t.Note = id
	case mapping.KindAppointment:
		t.Appointment = id
	case mapping.KindOpportunity:
		t.Opportunity = id
	case mapping.KindMeeting:
		t.Meeting = id
	}
	return t
}

// Preview says what an automation would do with a record now. Nothing was sent.
type Preview struct {
	Automation string               `json:"automation"`
	Version    int64                `json:"version"` // 0 = the draft, or a file
	Draft      bool                 `json:"draft"`
	State      mapping.State        `json:"state"` // that it has now; the preview is of the automation switched on
	Location   string               `json:"location"`
	Kind       string               `json:"kind"`
	ID         string               `json:"id"`
	ReadAt     time.Time            `json:"read_at"`
	Record     map[string]any       `json:"record"`
	Considered bool                 `json:"considered"` // the automation looks at the record, or one of its meetings
	Applies    bool                 `json:"applies"`
	Reason     string               `json:"reason,omitempty"`
	Conditions []Condition          `json:"conditions"`
	Items      []Item               `json:"items"`
	Calls      []sync.RehearsedCall `json:"calls"`
	Mails      []sync.RehearsedMail `json:"mails"`
	Others     Others               `json:"others"`
	Outcome    string               `json:"outcome"`
	Detail     string               `json:"detail"`
	Waits      string               `json:"waits,omitempty"`
}

// Others is what other automations would do in the same sync.
type Others struct {
	Calls []sync.RehearsedCall `json:"calls"`
	Mails []sync.RehearsedMail `json:"mails"`
}

// Condition is one part of a condition.
type Condition struct {
	Text string `json:"text"`
	Saw  string `json:"saw"`
	Held bool   `json:"held"`
}

// Item is one thing that an automation wants to exist.
type Item struct {
	Key         string            `json:"key"`
	Kind        mapping.ItemKind  `json:"kind"`
	Title       string            `json:"title,omitempty"`
	Start       *time.Time        `json:"start,omitempty"`
	End         *time.Time        `json:"end,omitempty"`
	Zone        string            `json:"zone,omitempty"`
	Invite      string            `json:"invite,omitempty"`
	Description string            `json:"description,omitempty"`
	Place       string            `json:"place,omitempty"`
	Reminders   []string          `json:"reminders,omitempty"`
	Text        string            `json:"text,omitempty"`
	Fields      map[string]string `json:"fields,omitempty"`
	AddTags     []string          `json:"add_tags,omitempty"`
	RemoveTags  []string          `json:"remove_tags,omitempty"`
	Emails      []string          `json:"emails,omitempty"`
}

// with returns the live automations with one of them in another text, switched on.
func (l *Library) with(id, text string, version int64) (*mapping.Set, error) {
	text, err := mapping.WithState(text, mapping.StateOn)
	if err != nil {
		return nil, err
	}
	own, err := compile(id, version, text, mapping.LoadStored)
	if err != nil {
		return nil, err
	}
	now := l.current.Load()
	parts := now.parts
	if l.file != nil {
		if parts, err = l.file.parts(); err != nil {
			return nil, err
		}
	}
	next := &snapshot{parts: map[string]part{id: own}}
	for _, other := range now.order {
		next.order = append(next.order, other)
		if other == id {
			continue
		}
		next.parts[other] = parts[other]
	}
	if !slices.Contains(next.order, id) {
		next.order = append(next.order, id)
	}
	return next.join()
}

// Preview reads a record and says what the automation would do with it, as if it were
// switched on: it runs the sync of the record without effect. With draft it takes the
// draft in place of what is live.
func (l *Library) Preview(ctx context.Context, r Rehearsals, id string, draft bool, t Target) (*Preview, error) {
	e, err := l.Show(ctx, id)
	if err != nil {
		return nil, err
	}
	p := &Preview{Automation: id, Version: e.Version, State: e.State, Draft: draft, ReadAt: l.now(), Conditions: []Condition{}, Items: []Item{}, Calls: []sync.RehearsedCall{}, Mails: []sync.RehearsedMail{}, Others: Others{Calls: []sync.RehearsedCall{}, Mails: []sync.RehearsedMail{}}}
	text := e.Text
	if draft {
		if text, err = l.Draft(ctx, id); err != nil {
			return nil, err
		}
		p.Version = e.Draft
	}
	return p, l.preview(ctx, r, p, text, t)
}

// PreviewText is Preview of a text that is not saved, such as one that is being
// written.
func (l *Library) PreviewText(ctx context.Context, r Rehearsals, text string, t Target) (*Preview, error) {
	f, err := ReadFile("text", []byte(text))
	switch {
	case err != nil:
		return nil, err
	case len(f.texts) != 1:
		return nil, refused("a preview is of one automation, this holds %d", len(f.texts))
	}
	p := &Preview{Automation: f.Set.Automations()[0].ID, Draft: true, State: mapping.StateOn, ReadAt: l.now(), Conditions: []Condition{}, Items: []Item{}, Calls: []sync.RehearsedCall{}, Mails: []sync.RehearsedMail{}}
	return p, l.preview(ctx, r, p, f.texts[0], t)
}

func (l *Library) preview(ctx context.Context, r Rehearsals, p *Preview, text string, t Target) error {
	set, err := l.with(p.Automation, text, p.Version)
	if err != nil {
		return err
	}
	entity, contact, err := l.target(ctx, set.Find(p.Automation), t)
	if err != nil {
		return err
	}
	p.Location, p.Kind, p.ID = entity.LocationID, entity.Kind, entity.ID
	done, err := r.Rehearser(set, nil).Rehearse(ctx, entity, contact)
	if err != nil {
		return err
	}
	if done.Unknown != "" {
		return unknownRecord(done.Unknown, entity)
	}
	p.Record, p.Outcome, p.Detail, p.Waits = recordOf(done.Facts, mapping.Kind(entity.Kind)), done.Outcome, done.Detail, done.Waits
	p.consider(done.Considered)
	p.would(done)
	return nil
}

// unknownRecord says that a vendor does not have a record.
func unknownRecord(vendor string, e store.Entity) error {
	id := strconv.QuoteToASCII(e.ID)
	switch mapping.Kind(e.Kind) {
	case mapping.KindWorkflow:
		return refused("no workflow of location %s has sent a webhook about the contact %s", e.LocationID, id)
	case mapping.KindMeeting:
		return refused("%s shows no meeting request %s; check the id", vendor, id)
	}
	return refused("%s has no %s %s in location %s; check the id. If it was created just now, try again in a minute", vendor, e.Kind, id, e.LocationID)
}

// consider adds what the automation made of the record.
func (p *Preview) consider(all []mapping.Considered) {
	for _, c := range all {
		if c.ID != p.Automation {
			continue
		}
		p.Considered, p.Applies = true, p.Applies || len(c.Items) > 0
		p.Reason = firstOf(c.Reason, p.Reason)
		for _, part := range c.Conditions {
			p.Conditions = append(p.Conditions, Condition(part))
		}
		for _, item := range c.Items {
			p.Items = append(p.Items, itemOf(item))
		}
	}
}

// would adds the calls and mails, those of the automation apart from those of others.
func (p *Preview) would(done *sync.Rehearsal) {
	for _, call := range done.Calls {
		if mapping.AutomationOf(call.Item) == p.Automation {
			p.Calls = append(p.Calls, call)
		} else {
			p.Others.Calls = append(p.Others.Calls, call)
		}
	}
	for _, mail := range done.Mails {
		if mapping.AutomationOf(mail.Item) == p.Automation {
			p.Mails = append(p.Mails, mail)
		} else {
			p.Others.Mails = append(p.Others.Mails, mail)
		}
	}
}

// named is the record that a target names, by its kind and id.
func (t Target) named() (kind, id string) {
	for _, one := range []struct {
		kind mapping.Kind
		id   string
	}{
		{mapping.KindMeeting, t.Meeting},
		{mapping.KindAppointment, t.Appointment},
		{mapping.KindOpportunity, t.Opportunity},
		{mapping.KindTask, t.Task},
		{mapping.KindNote, t.Note},
		{mapping.KindContact, t.Contact},
	} {
		if one.id != "" {
			return string(one.kind), one.id
		}
	}
	return "", ""
}

// target finds the record.
func (l *Library) target(ctx context.Context, a *mapping.Automation, t Target) (e store.Entity, contact string, err error) {
	kind, id := t.named()
	if id == "" {
		return e, "", refused("no record is given: give --contact, --task, --note, --appointment, --opportunity or --meeting")
	}
	if kind == string(mapping.KindContact) && a.Kind() == mapping.KindWorkflow {
		kind = string(mapping.KindWorkflow) // what a workflow said of the contact last
	}
	if kind == string(mapping.KindMeeting) {
		owners, err := l.store.EntitiesWithObject(ctx, id)
		if err != nil {
			return e, "", err
		}
		if len(owners) == 1 {
			return owners[0], "", nil
		}
	}
	if a.Kind() != mapping.KindMeeting && string(a.Kind()) != kind {
		return e, "", refused("automation %s looks at %ss (on: %s), and a %s was given", a.ID, a.Kind(), a.On, kind)
	}
	known, err := l.store.EntitiesNamed(ctx, id)
	if err != nil {
		return e, "", err
	}
	known = slices.DeleteFunc(known, func(s store.EntityState) bool {
		return s.Kind != kind || t.Location != "" && s.LocationID != t.Location
	})
	if len(known) == 1 {
		return known[0].Entity, firstOf(t.Contact, known[0].ContactID), nil
	}
	if t.Location == "" {
		if t.Location, err = l.onlyLocation(ctx); err != nil {
			return e, "", err
		}
	}
	return store.Entity{LocationID: t.Location, Kind: kind, ID: id}, t.Contact, nil
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// onlyLocation is the location that is connected, if there is only one.
func (l *Library) onlyLocation(ctx context.Context) (string, error) {
	list, err := l.store.Connections(ctx)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, c := range list {
		if c.State == store.ConnectionActive {
			ids = append(ids, c.LocationID)
		}
	}
	switch len(ids) {
	case 0:
		return "", refused("no location is connected (see `milepost connections --help`)")
	case 1:
		return ids[0], nil
	}
	return "", refused("%d locations are connected; give --location with one of them", len(ids))
}

// recordOf writes what was read, by the names that expressions use.
func recordOf(f mapping.Facts, kind mapping.Kind) map[string]any {
	out := map[string]any{}
	if f.Contact.ID != "" {
		out["contact"] = contactRecord(f)
	}
	switch { // one without an id was not read
	case kind == mapping.KindTask && f.Task.ID != "":
		t := f.Task
		out["task"] = map[string]any{"id": t.ID, "title": t.Title, "body": t.Body, "due": t.Due, "completed": t.Completed, "assigned_to": t.AssignedTo}
	case kind == mapping.KindNote && f.Note.ID != "":
		out["note"] = map[string]any{"id": f.Note.ID, "title": f.Note.Title, "body": f.Note.Body, "user_id": f.Note.UserID, "date_added": f.Note.DateAdded}
	case kind == mapping.KindWorkflow && f.Contact.ID != "":
		out["workflow"] = map[string]any{"id": f.Workflow.ID, "name": f.Workflow.Name, "fields": f.Workflow.Fields, "tags": f.Workflow.Tags}
		out["custom_data"] = f.Workflow.CustomData
	case kind == mapping.KindAppointment && f.Appointment.ID != "":
		out["appointment"] = f.Appointment
	case kind == mapping.KindOpportunity && f.Opportunity.ID != "":
		out["opportunity"] = f.Opportunity
	}
	for _, m := range f.Meetings {
		out["meeting "+m.ID] = map[string]any{"title": m.Title, "state": m.State, "start": m.Start, "end": m.End, "type": m.Type, "emails": m.Emails}
	}
	return out
}

// contactRecord writes the fields of the contact that have a value.
func contactRecord(f mapping.Facts) map[string]any {
	contact := map[string]any{}
	for key, v := range f.Contact.Fields {
		if v != nil && v != "" {
			contact[key] = v
		}
	}
	for key, field := range f.Contact.Custom {
		if field.Value != nil && field.Value != "" {
			contact[key] = field.Value
		}
	}
	if len(f.Contact.Tags) > 0 {
		contact["tags"] = f.Contact.Tags
	}
	return contact
}

func itemOf(i mapping.Item) Item {
	out := Item{
		Key: i.Key, Kind: i.Kind, Title: i.Title, Description: i.Description, Place: i.Place, Text: i.Text, Fields: i.ContactFields,
		AddTags: i.AddTags, RemoveTags: i.RemoveTags, Emails: i.Contact.Emails,
	}
	if i.Contact.Name != "" {
		out.Title = i.Contact.Name
	}
	if i.Zone != nil {
		out.Zone = i.Zone.String()
	}
	if !i.Start.IsZero() {
		out.Start, out.End = &i.Start, &i.End
		out.Invite = strings.TrimSpace(string(i.Invite.Who) + " " + i.Invite.Address)
	}
	if !i.Due.IsZero() {
		out.End = &i.Due
	}
	for _, d := range i.Reminders {
		out.Reminders = append(out.Reminders, d.String())
	}
	return out
}
