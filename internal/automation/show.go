package automation

import (
	"context"
	"slices"
	"time"

	"milepost/internal/store"
	"milepost/mapping"
)

var noTime time.Time

// Entry is an automation in a list.
type Entry struct {
	ID       string             `json:"id"`
	Name     string             `json:"name"`
	State    mapping.State      `json:"state"`
	On       mapping.Trigger    `json:"on"`
	Actions  []mapping.ItemKind `json:"actions"`
	Version  int64              `json:"version"`              // that is live; 0 = there is only a draft, or a file is the source
	Draft    int64              `json:"draft"`                // 0 = none
	Removing bool               `json:"removing"`             // it is off, and what it made is removed
	Mails    []mapping.Mailed   `json:"mails,omitempty"`      // whom it may mail; nil = nobody
	By       string             `json:"changed_by,omitempty"` // who made the newest version
	At       time.Time          `json:"changed_at,omitzero"`
	Text     string             `json:"text,omitempty"`
	Doubts   []mapping.Mistake  `json:"-"` // what of the text in use fails whenever it runs; only from Show, and not of a file
}

// List lists the automations, without their texts, in their order.
func (l *Library) List(ctx context.Context) ([]Entry, error) {
	if _, err := l.Watch(ctx); err != nil {
		return nil, err
	}
	now := l.current.Load()
	var entries []Entry
	for _, a := range now.set.Automations() {
		entries = append(entries, entry(now.set, a))
	}
	if l.file != nil {
		return entries, nil
	}
	stored, err := l.store.Automations(ctx)
	if err != nil {
		return nil, err
	}
	last, err := l.store.LastAutomationVersions(ctx)
	if err != nil {
		return nil, err
	}
	for place, a := range stored {
		if !a.DeletedAt.IsZero() {
			break
		}
		i := slices.IndexFunc(entries, func(e Entry) bool { return e.ID == a.ID })
		if i < 0 { // only a draft, or not to be used by this version
			i = min(place, len(entries))
			entries = slices.Insert(entries, i, Entry{ID: a.ID, State: mapping.State(a.State), Version: a.Live})
		}
		entries[i].Draft, entries[i].By, entries[i].At = a.Draft, last[a.ID].By, last[a.ID].At
	}
	return entries, nil
}

func entry(set *mapping.Set, a *mapping.Automation) Entry {
	return Entry{
		ID: a.ID, Name: a.Name, State: a.State, On: a.On, Actions: a.Actions(), Version: a.Version,
		Removing: a.State == mapping.StateOff && !set.Leaves(a.ID), Mails: a.Mails(),
	}
}

// Show returns an automation with its live text, or its draft if it has no other.
func (l *Library) Show(ctx context.Context, id string) (Entry, error) {
	entries, err := l.List(ctx)
	if err != nil {
		return Entry{}, err
	}
	ids := make([]string, len(entries))
	for i, e := range entries {
		if ids[i] = e.ID; e.ID != id {
			continue
		}
		if p, ok := l.current.Load().parts[id]; ok {
			e.Text = p.text
			if p.set != nil {
				e.Doubts = p.set.Doubts()
			}
			return e, nil
		}
		v, err := l.versionText(ctx, id, max(e.Version, e.Draft))
		e.Text = v
		return e, err
	}
	return Entry{}, unknown(id, ids)
}

// Draft returns the text of an automation's draft.
func (l *Library) Draft(ctx context.Context, id string) (string, error) {
	e, err := l.Show(ctx, id)
	switch {
	case err != nil:
		return "", err
	case e.Draft == 0:
		return "", refused("automation %s has no draft", id)
	}
	return l.versionText(ctx, id, e.Draft)
}

func (l *Library) versionText(ctx context.Context, id string, n int64) (string, error) {
	versions, err := l.store.AutomationVersions(ctx, id)
	if err != nil {
		return "", err
	}
	v, err := versionOf(versions, id, n)
	return v.Text, err
}

// Export returns all automations as a file of YAML. To import it again gives the
// same automations, byte for byte.
func (l *Library) Export(ctx context.Context) (string, error) {
	if _, err := l.Watch(ctx); err != nil {
		return "", err
	}
	if l.file != nil {
		return mapping.Concat(l.file.texts), nil
	}
	live, err := l.store.LiveAutomations(ctx) // what this version cannot use included
	if err != nil {
		return "", err
	}
	texts := make([]string, len(live))
	for i, t := range live {
		texts[i] = t.Text
	}
	return mapping.Concat(texts), nil
}

// Version is one of the versions of an automation.
type Version struct {
	Version int64     `json:"version"`
	Live    bool      `json:"live"`
	Draft   bool      `json:"draft"`
	By      string    `json:"by"`
	Why     string    `json:"why"`
	At      time.Time `json:"at"`
	Text    string    `json:"text"`
}

// History lists the versions of an automation, newest first. That of a deleted one
// is there as well.
func (l *Library) History(ctx context.Context, id string) ([]Version, error) {
	if l.file != nil {
		return nil, ErrReadOnly
	}
	all, err := l.store.Automations(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(a store.Automation) bool { return a.ID == id })
	if i < 0 {
		ids := make([]string, len(all))
		for i, a := range all {
			ids[i] = a.ID
		}
		return nil, unknown(id, ids)
	}
	versions, err := l.store.AutomationVersions(ctx, id)
	if err != nil {
		return nil, err
	}
	list := make([]Version, len(versions))
	for n, v := range versions {
		list[n] = Version{v.Version, v.Version == all[i].Live && all[i].DeletedAt.IsZero(), v.Version == all[i].Draft, v.By, v.Why, v.At, v.Text}
	}
	return list, nil
}

// Diff compares two versions of an automation, line by line.
func (l *Library) Diff(ctx context.Context, id string, a, b int64) ([]Line, error) {
	if l.file != nil {
		return nil, ErrReadOnly
	}
	versions, err := l.store.AutomationVersions(ctx, id)
	if err != nil {
		return nil, err
	}
	from, err := versionOf(versions, id, a)
	if err != nil {
		return nil, err
	}
	to, err := versionOf(versions, id, b)
	if err != nil {
		return nil, err
	}
	return diff(from.Text, to.Text), nil
}
