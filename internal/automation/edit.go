package automation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"milepost/internal/store"
	"milepost/mapping"
)

// By says who changes something, and why.
type By struct{ Who, Why string }

// Change is what an edit did to one automation.
type Change struct {
	ID      string        `json:"id"`
	What    string        `json:"what"` // added, changed, unchanged, deleted, restored
	State   mapping.State `json:"state"`
	Version int64         `json:"version"` // that is live now; 0 = only a draft is there
}

// editing is one edit under way.
type editing struct {
	*Library
	by      By
	list    []store.Automation   // as they are stored, deleted ones included
	at      map[string]int       // index in list
	last    map[string]int64     // number of the newest version
	parts   map[string]part      // what will be live
	edit    store.AutomationEdit // what is written
	changed map[string]int       // index in edit.Automations
	changes []Change             // what is told
}

// change makes an edit: do works on what is stored, and may be called again if
// another edit came first.
func (l *Library) change(ctx context.Context, by By, do func(e *editing) error) ([]Change, error) {
	if l.file != nil {
		return nil, ErrReadOnly
	}
	const tries = 5
	for try := 1; ; try++ {
		e, err := l.changeOnce(ctx, by, do)
		if try < tries && errors.Is(err, store.ErrAutomationsChanged) {
			continue
		}
		if err != nil {
			return nil, err
		}
		_, err = l.reload(ctx, e.parts)
		return e.changes, err
	}
}

func (l *Library) changeOnce(ctx context.Context, by By, do func(e *editing) error) (*editing, error) {
	if _, err := l.Watch(ctx); err != nil {
		return nil, err
	}
	now := l.current.Load()
	e := &editing{Library: l, by: by, parts: map[string]part{}, last: map[string]int64{}, at: map[string]int{}, changed: map[string]int{}, edit: store.AutomationEdit{Expect: now.changes}}
	for id, p := range now.parts {
		e.parts[id] = p
	}
	var err error
	if e.list, err = l.store.Automations(ctx); err != nil {
		return nil, err
	}
	for i, a := range e.list {
		e.at[a.ID] = i
	}
	last, err := l.store.LastAutomationVersions(ctx)
	if err != nil {
		return nil, err
	}
	for id, v := range last {
		e.last[id] = v.Version
	}
	if err := do(e); err != nil {
		return nil, err
	}
	if len(e.edit.Automations) == 0 && len(e.edit.Agreed) == 0 {
		return e, nil
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	return e, l.store.EditAutomations(ctx, e.edit)
}

// check makes sure that what will be live fits together.
func (e *editing) check() error {
	next := snapshot{parts: e.parts}
	for _, a := range e.all() {
		if _, live := e.parts[a.ID]; live && a.DeletedAt.IsZero() {
			next.order = append(next.order, a.ID)
		}
	}
	if _, err := next.join(); err != nil {
		return Refused(err.Error())
	}
	return nil
}

// all lists the automations as they will be.
func (e *editing) all() []store.Automation {
	list := slices.Clone(e.list)
	for _, a := range e.edit.Automations {
		if i, ok := e.at[a.ID]; ok {
			list[i] = a
		} else {
			list = append(list, a)
		}
	}
	return list
}

// stored returns an automation as it will be, which may be deleted; ok is false if it
// never was there.
func (e *editing) stored(id string) (a store.Automation, ok bool) {
	if i, ok := e.changed[id]; ok {
		return e.edit.Automations[i], true
	}
	i, ok := e.at[id]
	if ok {
		a = e.list[i]
	}
	return a, ok
}

// find returns an automation that is not deleted.
func (e *editing) find(id string) (store.Automation, error) {
	if a, ok := e.stored(id); ok && a.DeletedAt.IsZero() {
		return a, nil
	}
	return store.Automation{}, unknown(id, e.ids())
}

func (e *editing) ids() (ids []string) {
	for _, a := range e.all() {
		if a.DeletedAt.IsZero() {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

func unknown(id string, ids []string) error {
	if len(ids) == 0 {
		return fmt.Errorf("%w: %q; there is none yet (see `milepost recipes list`)", ErrUnknown, id)
	}
	const most = 20
	all := "these are there: " + strings.Join(ids, ", ")
	if len(ids) > most {
		all = fmt.Sprintf("`milepost automations list` shows all %d", len(ids))
	}
	return fmt.Errorf("%w: %q; %s", ErrUnknown, id, mapping.DidYouMean(id, ids, all))
}

// save notes the state of an automation.
func (e *editing) save(a store.Automation) {
	if i, ok := e.changed[a.ID]; ok {
		e.edit.Automations[i] = a
		return
	}
	e.changed[a.ID] = len(e.edit.Automations)
	e.edit.Automations = append(e.edit.Automations, a)
}

// version adds a version and returns its number.
func (e *editing) version(id, text string) int64 {
	n := e.last[id] + 1
	e.last[id] = n
	e.edit.Versions = append(e.edit.Versions, store.AutomationVersion{ID: id, Version: n, Text: text, By: e.by.Who, Why: e.by.Why, At: e.now()})
	return n
}

// live makes a text the live version of an automation.
func (e *editing) live(a store.Automation, text, what string) error {
	p, err := compile(a.ID, 0, text, mapping.Load)
	if err != nil {
		return err
	}
	e.put(a, p, text, what)
	return nil
}

// put makes a compiled text the live version of an automation.
func (e *editing) put(a store.Automation, p part, text, what string) {
	p.version = e.version(a.ID, text)
	state := p.set.Automations()[0].State
	a.Live, a.State, a.DeletedAt = p.version, string(state), noTime
	e.parts[a.ID] = p
	e.save(a)
	if state != mapping.StateOff {
		e.edit.Withdrawn = append(e.edit.Withdrawn, a.ID)
	}
	e.changes = append(e.changes, Change{a.ID, what, state, a.Live})
}

// seed saves the recipes that are switched on, if nothing was ever saved.
func (l *Library) seed(ctx context.Context) error {
	n, err := l.store.AutomationChanges(ctx)
	if err != nil || n > 0 {
		return err
	}
	edit := store.AutomationEdit{}
	for _, r := range recipes() {
		if !r.Default {
			continue
		}
		edit.Automations = append(edit.Automations, store.Automation{ID: r.ID, Position: int64(len(edit.Automations) + 1), State: string(mapping.StateOn), Live: 1})
		edit.Versions = append(edit.Versions, store.AutomationVersion{ID: r.ID, Version: 1, Text: r.Text, By: "milepost", Why: "first start: a recipe that is switched on by default", At: l.now()})
	}
	if err := l.store.EditAutomations(ctx, edit); err != nil && !errors.Is(err, store.ErrAutomationsChanged) { // another process did it
		return err
	}
	return nil
}

// Import saves the automations of a file: those that are there get a new version if
// their text differs, the others are added. With replace, those that are not in the
// file are deleted. It checks all of the file first, and changes all or nothing. If
// the file holds every automation, its order becomes theirs.
func (l *Library) Import(ctx context.Context, name string, data []byte, replace bool, by By) ([]Change, error) {
	if l.file != nil {
		return nil, ErrReadOnly
	}
	f, err := ReadFile(name, data)
	if err != nil {
		return nil, err
	}
	return l.change(ctx, by, func(e *editing) error { return e.imports(f, replace) })
}

func (e *editing) imports(f *File, replace bool) error {
	in := map[string]int{}
	for i, a := range f.Set.Automations() {
		in[a.ID] = i
	}
	all, last := true, int64(0)
	for _, a := range e.list {
		if _, ok := in[a.ID]; a.DeletedAt.IsZero() && !ok {
			all = false
			if replace {
				e.delete(a)
			}
		}
		last = max(last, a.Position)
	}
	for i, a := range f.Set.Automations() {
		text := f.texts[i]
		was, ok := e.stored(a.ID)
		var err error
		switch {
		case !ok || !was.DeletedAt.IsZero():
			last++
			err = e.live(store.Automation{ID: a.ID, Position: last}, text, "added")
		case e.parts[a.ID].text == text && e.parts[a.ID].version == was.Live:
			e.changes = append(e.changes, Change{a.ID, "unchanged", a.State, was.Live})
		default:
			err = e.live(was, text, "changed")
		}
		if err != nil {
			return err
		}
	}
	if all || replace {
		e.order(in)
	}
	return nil
}

// order puts the automations in the order of a file, by their place in it.
func (e *editing) order(in map[string]int) {
	for _, a := range e.all() {
		if i, ok := in[a.ID]; ok && a.Position != int64(i+1) {
			a.Position = int64(i + 1)
			e.save(a)
		}
	}
}

func (e *editing) delete(a store.Automation) {
	a.DeletedAt = e.now()
	delete(e.parts, a.ID)
	e.save(a)
	e.changes = append(e.changes, Change{a.ID, "deleted", mapping.State(a.State), a.Live})
}

// SetState switches an automation on, pauses it or switches it off: a new version
// whose text differs in that word. It changes nothing that exists, but for one that
// was paused and is on again: it catches up with all records, as Apply does.
func (l *Library) SetState(ctx context.Context, id string, state mapping.State, by By) (Change, error) {
	before := l.Set().Find(id)
	made, err := l.setState(ctx, id, state, by)
	if err == nil && before != nil && before.State == mapping.StatePaused && state == mapping.StateOn && made.What == "changed" && l.store.CanQueue() {
		_, err = l.catchUp(ctx, id, by)
	}
	return made, err
}

func (l *Library) setState(ctx context.Context, id string, state mapping.State, by By) (Change, error) {
	return one(l.change(ctx, by, func(e *editing) error {
		a, err := e.find(id)
		switch {
		case err != nil:
			return err
		case a.Live == 0:
			return refused("automation %s has only a draft; publish it first", id)
		case a.State == string(state):
			e.changes = append(e.changes, Change{id, "unchanged", state, a.Live})
			return nil
		}
		text, err := mapping.WithState(e.parts[id].text, state)
		if err != nil {
			return err
		}
		if e.by.Why == "" {
			e.by.Why = "state: " + string(state)
		}
		load := mapping.LoadStored // one with a mistake can always be stopped
		if state == mapping.StateOn {
			load = mapping.Load
		}
		p, err := compile(id, 0, text, load)
		if err != nil {
			return err
		}
		e.put(a, p, text, "changed")
		return nil
	}))
}

// Restore makes an earlier version live again, as a new one. The automation stays on,
// paused or off as it is now. A deleted one comes back, and is off.
func (l *Library) Restore(ctx context.Context, id string, version int64, by By) (Change, error) {
	versions, err := l.store.AutomationVersions(ctx, id)
	if err != nil {
		return Change{}, err
	}
	return one(l.change(ctx, by, func(e *editing) error {
		a, ok := e.stored(id)
		if !ok {
			return unknown(id, e.ids())
		}
		was, err := versionOf(versions, id, version)
		if err != nil {
			return err
		}
		state := mapping.State(a.State)
		if !a.DeletedAt.IsZero() || a.Live == 0 {
			state = mapping.StateOff
		}
		text, err := mapping.WithState(was.Text, state)
		if err != nil {
			return err
		}
		if a.DeletedAt.IsZero() && text == e.parts[id].text {
			e.changes = append(e.changes, Change{id, "unchanged", state, a.Live})
			return nil
		}
		if e.by.Why == "" {
			e.by.Why = fmt.Sprintf("version %d restored", version)
		}
		return e.live(a, text, "restored")
	}))
}

func versionOf(versions []store.AutomationVersion, id string, n int64) (store.AutomationVersion, error) {
	for _, v := range versions {
		if v.Version == n {
			return v, nil
		}
	}
	if len(versions) == 0 {
		return store.AutomationVersion{}, fmt.Errorf("%w: %q", ErrUnknown, id)
	}
	return store.AutomationVersion{}, refused("automation %s has no version %d; it has 1 to %d", id, n, versions[0].Version)
}

// Delete deletes an automation. What it made stays as it is, and its versions can be
// restored.
func (l *Library) Delete(ctx context.Context, id string, by By) (Change, error) {
	return one(l.change(ctx, by, func(e *editing) error {
		a, err := e.find(id)
		if err == nil {
			e.delete(a)
		}
		return err
	}))
}

// SaveDraft checks a text and keeps it as the draft of an automation, beside the
// live version; a new automation has only the draft. The text must hold one
// automation, in any of the shapes that Load reads.
func (l *Library) SaveDraft(ctx context.Context, text string, by By) (Change, error) {
	f, err := ReadFile("draft", []byte(text))
	if err != nil {
		return Change{}, err
	}
	if len(f.texts) != 1 {
		return Change{}, refused("a draft is one automation, this holds %d", len(f.texts))
	}
	return one(l.saveDrafts(ctx, f, by))
}

// ImportDrafts checks a file and keeps each of its automations as a draft, as SaveDraft
// does, all or none. One whose text is live or a draft already is unchanged.
func (l *Library) ImportDrafts(ctx context.Context, name string, data []byte, by By) ([]Change, error) {
	f, err := ReadFile(name, data)
	if err != nil {
		return nil, err
	}
	return l.saveDrafts(ctx, f, by)
}

func (l *Library) saveDrafts(ctx context.Context, f *File, by By) ([]Change, error) {
	return l.change(ctx, by, func(e *editing) error {
		last := int64(0)
		for _, a := range e.list {
			last = max(last, a.Position)
		}
		for i, draft := range f.Set.Automations() {
			a, ok := e.stored(draft.ID)
			if !ok || !a.DeletedAt.IsZero() {
				last++
				a = store.Automation{ID: draft.ID, State: string(mapping.StateOff), Position: last}
			}
			before := e.parts[a.ID].text
			if a.Draft > 0 {
				var err error
				if before, err = l.versionText(ctx, a.ID, a.Draft); err != nil {
					return err
				}
			}
			if before == f.texts[i] {
				e.changes = append(e.changes, Change{a.ID, "unchanged", mapping.State(a.State), a.Live})
				continue
			}
			a.Draft = e.version(a.ID, f.texts[i])
			e.save(a)
			e.changes = append(e.changes, Change{a.ID, "draft saved", mapping.State(a.State), a.Live})
		}
		return nil
	})
}

// Save makes a text the live version of an automation, which keeps its id, and drops
// its draft. One that is live already stays on, paused or off as it is.
func (l *Library) Save(ctx context.Context, id, text string, by By) (Change, error) {
	return one(l.change(ctx, by, func(e *editing) error {
		a, err := e.find(id)
		if err != nil {
			return err
		}
		p, err := compile(id, 0, text, mapping.Load)
		if err != nil {
			return err
		}
		text := text
		if a.Live > 0 {
			if text, err = mapping.WithState(p.text, mapping.State(a.State)); err != nil {
				return err
			}
		}
		if a.Draft == 0 && text == e.parts[id].text {
			e.changes = append(e.changes, Change{id, "unchanged", mapping.State(a.State), a.Live})
			return nil
		}
		a.Draft = 0
		return e.live(a, text, "changed")
	}))
}

// Publish makes the draft of an automation live. One that is live already stays on,
// paused or off as it is.
func (l *Library) Publish(ctx context.Context, id string, by By) (Change, error) {
	versions, err := l.store.AutomationVersions(ctx, id)
	if err != nil {
		return Change{}, err
	}
	return one(l.change(ctx, by, func(e *editing) error {
		a, err := e.find(id)
		if err != nil {
			return err
		}
		if a.Draft == 0 {
			return refused("automation %s has no draft", id)
		}
		draft, err := versionOf(versions, id, a.Draft)
		if err != nil {
			return err
		}
		text := draft.Text
		if a.Live > 0 {
			if text, err = mapping.WithState(text, mapping.State(a.State)); err != nil {
				return err
			}
		}
		a.Draft = 0
		return e.live(a, text, "changed")
	}))
}

// DiscardDraft drops the draft of an automation. One that has nothing else is
// deleted.
func (l *Library) DiscardDraft(ctx context.Context, id string, by By) (Change, error) {
	return one(l.change(ctx, by, func(e *editing) error {
		a, err := e.find(id)
		switch {
		case err != nil:
			return err
		case a.Draft == 0:
			return refused("automation %s has no draft", id)
		}
		a.Draft = 0
		if a.Live == 0 {
			e.delete(a)
			return nil
		}
		e.save(a)
		e.changes = append(e.changes, Change{id, "draft discarded", mapping.State(a.State), a.Live})
		return nil
	}))
}

// NoRecipe says that no recipe has an id, and which was probably meant.
func NoRecipe(id string) string {
	var ids []string
	for _, r := range recipes() {
		ids = append(ids, r.ID)
	}
	return fmt.Sprintf("no recipe has the id %q; %s", id, mapping.DidYouMean(id, ids, "`milepost recipes list` shows them"))
}

// AddRecipe saves a recipe as an automation, in that state.
func (l *Library) AddRecipe(ctx context.Context, id string, state mapping.State, by By) (Change, error) {
	r, ok := findRecipe(id)
	if !ok {
		return Change{}, refused("%s", NoRecipe(id))
	}
	text, err := mapping.WithState(r.Text, state)
	if err != nil {
		return Change{}, err
	}
	return one(l.change(ctx, by, func(e *editing) error {
		a := store.Automation{ID: id}
		for _, other := range e.list {
			switch {
			case other.ID == id && other.DeletedAt.IsZero():
				return refused("automation %s is there already; `milepost automations enable %s` switches it on", id, id)
			case a.Position <= other.Position:
				a.Position = other.Position + 1
			}
		}
		if e.by.Why == "" {
			e.by.Why = "recipe added"
		}
		return e.live(a, text, "added")
	}))
}

func one(changes []Change, err error) (Change, error) {
	if err != nil || len(changes) == 0 {
		return Change{}, err
	}
	return changes[0], nil
}
