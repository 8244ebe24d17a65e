package automation

import (
	"context"

	"milepost/internal/store"
	"milepost/mapping"
)

// Create saves a text as a new automation: as its draft, or live.
func (l *Library) Create(ctx context.Context, text string, draft bool, by By) (Change, error) {
	f, err := ReadFile("text", []byte(text))
	switch {
	case err != nil:
		return Change{}, err
	case len(f.texts) != 1:
		return Change{}, refused("the text must hold one automation, this holds %d", len(f.texts))
	}
	id := f.Set.Automations()[0].ID
	return one(l.change(ctx, by, func(e *editing) error {
		if _, err := e.find(id); err == nil {
			return refused("there is an automation with the id %s already; give this one another name", id)
		}
		a := store.Automation{ID: id, Position: e.after(), State: string(mapping.StateOff)}
		if !draft {
			return e.live(a, f.texts[0], "added")
		}
		e.draft(a, f.texts[0])
		return nil
	}))
}

// after is the position after all automations.
func (e *editing) after() (position int64) {
	for _, a := range e.all() {
		position = max(position, a.Position)
	}
	return position + 1
}

// draft makes a text the draft of an automation.
func (e *editing) draft(a store.Automation, text string) {
	a.Draft = e.version(a.ID, text)
	e.save(a)
	e.changes = append(e.changes, Change{a.ID, "draft saved", mapping.State(a.State), a.Live})
}

// Copy saves a copy of an automation, with its draft if it has one, as the draft of a
// new automation. Made live, the copy is on.
func (l *Library) Copy(ctx context.Context, id string, by By) (Change, error) {
	e, err := l.Show(ctx, id)
	if err != nil {
		return Change{}, err
	}
	text := e.Text
	if e.Draft > 0 {
		if text, err = l.Draft(ctx, id); err != nil {
			return Change{}, err
		}
	}
	entries, err := l.List(ctx)
	if err != nil {
		return Change{}, err
	}
	taken := map[string]bool{}
	for _, other := range entries {
		taken[other.ID], taken[mapping.IDOf(other.Name)] = true, true
	}
	text, err = mapping.CopyOf(text, taken)
	if err != nil {
		return Change{}, refused("the text of %s cannot be copied: %v", id, err)
	}
	if by.Why == "" {
		by.Why = "copy of " + id
	}
	return l.Create(ctx, text, true, by)
}
