// Package automation keeps the automations: their versions, which of them is live
// or a draft, and what a person may want to know before one takes effect.
//
// Guarantees: nothing that does not compile is ever saved, and an edit of several
// automations is made as a whole or not at all; a set that does not compile never
// replaces a good one; an edit by itself changes nothing in a calendar and mails
// nobody.
//
// The console, the CLI and the admin API call the same functions.
package automation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/store"
	"milepost/mapping"
)

// Library is the automations of a Milepost. They are in its database, or in a file
// that then is their only source. It is safe for concurrent use.
type Library struct {
	store  *store.Store
	file   *File
	logger zerolog.Logger
	now    func() time.Time

	loading sync.Mutex // one Reload at a time
	current atomic.Pointer[snapshot]
}

// Config is what a Library needs.
type Config struct {
	Store  *store.Store
	File   *File // nil = the automations are in the database
	Logger zerolog.Logger
	Now    func() time.Time // nil = time.Now
}

// snapshot is what was last loaded. It never changes.
type snapshot struct {
	changes int64 // the store's AutomationChanges
	set     *mapping.Set
	parts   map[string]part // by id
	order   []string        // the ids of set, in its order
}

// part is one compiled automation.
type part struct {
	version int64
	text    string
	set     *mapping.Set
}

// File is a file of automations.
type File struct {
	Name  string
	Set   *mapping.Set
	texts []string // in the order of Set
	parts func() (map[string]part, error)
}

// compileAll compiles the automations of a file one by one.
func (f *File) compileAll() (map[string]part, error) {
	parts := make(map[string]part, len(f.texts))
	for i, a := range f.Set.Automations() {
		p, err := compile(a.ID, 0, f.texts[i], mapping.LoadStored)
		if err != nil {
			return nil, err
		}
		parts[a.ID] = p
	}
	return parts, nil
}

// ReadFile loads a file of automations that a person saves or checks. Its error is a
// *mapping.LoadError if the file has mistakes.
func ReadFile(name string, data []byte) (*File, error) {
	return readFile(name, data, mapping.Load)
}

// ReadUsed loads a file of automations that is in use. Mistakes that only show when an
// automation runs are no error, but the doubts of its set: see mapping.LoadStored.
func ReadUsed(name string, data []byte) (*File, error) {
	return readFile(name, data, mapping.LoadStored)
}

func readFile(name string, data []byte, load func(string, []byte) (*mapping.Set, error)) (*File, error) {
	set, err := load(name, data)
	if err != nil {
		return nil, err
	}
	texts, err := mapping.Split(data)
	if err == nil && len(texts) != len(set.Automations()) {
		err = fmt.Errorf("%d texts of %d automations", len(texts), len(set.Automations()))
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be taken apart into its automations: %w", name, err)
	}
	f := &File{Name: name, Set: set, texts: texts}
	f.parts = sync.OnceValues(f.compileAll) // for previews, which change one
	return f, nil
}

// Texts are the texts of the automations, in the order of Set.
func (f *File) Texts() []string { return slices.Clone(f.texts) }

// ErrReadOnly means that the automations are in a file, which is their only source.
var ErrReadOnly = errors.New("MILEPOST_AUTOMATIONS is set, so that file is the only source of the automations: edit it and restart milepost, or unset the setting to keep them in the database")

// ErrUnknown means that there is no automation with an id.
var ErrUnknown = errors.New("no such automation")

// Refused is why an edit is not possible, in words that say what is.
type Refused string

func (r Refused) Error() string { return string(r) }

func refused(format string, args ...any) error { return Refused(fmt.Sprintf(format, args...)) }

// Open returns the library. If nothing was ever saved in the database, it saves the
// recipes that are switched on, under their own ids.
func Open(ctx context.Context, cfg Config) (*Library, error) {
	l := &Library{store: cfg.Store, file: cfg.File, logger: cfg.Logger, now: cfg.Now}
	if l.now == nil {
		l.now = time.Now
	}
	if l.file == nil {
		if err := l.seed(ctx); err != nil {
			return nil, err
		}
	} else if err := l.withdraw(ctx); err != nil {
		return nil, err
	}
	if _, err := l.Reload(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// Set returns the compiled automations that are live. A sync uses one Set from its
// beginning to its end.
func (l *Library) Set() *mapping.Set { return l.current.Load().set }

// Source is the name of the file that is the only source of the automations; "" =
// they are in the database.
func (l *Library) Source() string {
	if l.file == nil {
		return ""
	}
	return l.file.Name
}

// Watch loads what others changed, and reports whether anything did. It costs one
// read of one number while nothing changed: call it every second.
func (l *Library) Watch(ctx context.Context) (changed bool, err error) {
	n, err := l.store.AutomationChanges(ctx)
	if err != nil || n == l.current.Load().changes {
		return false, err
	}
	return l.Reload(ctx)
}

// agreedRemovals are the automations whose objects a person agreed to remove.
func (l *Library) agreedRemovals(ctx context.Context) ([]string, error) {
	removals, err := l.store.AutomationRemovals(ctx)
	ids := make([]string, len(removals))
	for i, r := range removals {
		ids[i] = r.ID
	}
	return ids, err
}

// Reload loads the automations, and reports whether they changed. Only what changed
// is compiled. An automation that does not compile, because a newer version of
// Milepost saved it, stays as it was loaded before; if it never was, it is left out,
// and so what it made stays as it is.
func (l *Library) Reload(ctx context.Context) (changed bool, err error) {
	return l.reload(ctx, nil)
}

// reload takes what is compiled already from parts, by id.
func (l *Library) reload(ctx context.Context, parts map[string]part) (changed bool, err error) {
	l.loading.Lock()
	defer l.loading.Unlock()
	before := l.current.Load()
	if before == nil {
		before = &snapshot{changes: -1}
	}
	next := &snapshot{parts: map[string]part{}}
	if next.changes, err = l.store.AutomationChanges(ctx); err != nil {
		return false, err
	}
	agreed, err := l.agreedRemovals(ctx)
	if err != nil {
		return false, err
	}
	if l.file != nil {
		for i, a := range l.file.Set.Automations() {
			next.parts[a.ID] = part{0, l.file.texts[i], nil}
			next.order = append(next.order, a.ID)
		}
		next.set = l.file.Set.Removing(agreed)
		l.current.Store(next)
		return before.changes != next.changes, nil
	}
	live, err := l.store.LiveAutomations(ctx)
	if err != nil {
		return false, err
	}
	for _, text := range live {
		p, known := before.parts[text.ID]
		if made, ok := parts[text.ID]; ok && made.version == text.Version {
			p, known = made, true
		}
		if !known || p.version != text.Version {
			p, known = l.compiled(text, p, known)
		}
		if known {
			next.parts[text.ID] = p
			next.order = append(next.order, text.ID)
		}
	}
	set, err := next.join()
	if err != nil {
		if before.set == nil {
			return false, fmt.Errorf("the stored automations cannot be used together: %w", err)
		}
		l.logger.Error().Err(err).Msg("stored automations cannot be used together; Milepost continues with the former ones")
		kept := *before
		kept.changes = next.changes
		l.current.Store(&kept)
		return false, nil
	}
	next.set = set.Removing(agreed)
	l.current.Store(next)
	return before.changes != next.changes, nil
}

// compiled compiles a stored text. One that does not compile stays as it was before,
// if it was there.
func (l *Library) compiled(text store.AutomationText, before part, known bool) (part, bool) {
	p, err := compile(text.ID, text.Version, text.Text, mapping.LoadStored)
	if err == nil {
		return p, true
	}
	l.logger.Error().Str("automation", text.ID).Int64("version", text.Version).Err(err).
		Msg("stored automation cannot be used by this version of Milepost; what it made stays as it is")
	return before, known
}

func (s *snapshot) join() (*mapping.Set, error) {
	parts := make([]mapping.Part, len(s.order))
	for i, id := range s.order {
		parts[i] = mapping.Part{Set: s.parts[id].set, Version: s.parts[id].version}
	}
	return mapping.Join(parts)
}

// compile compiles the text of an automation, which must have that id. load is
// mapping.Load for a text that a person saves, and mapping.LoadStored for another.
func compile(id string, version int64, text string, load func(string, []byte) (*mapping.Set, error)) (part, error) {
	set, err := load("automation "+id, []byte(text))
	if err != nil {
		return part{}, err
	}
	switch list := set.Automations(); {
	case len(list) != 1:
		return part{}, refused("the text of the automation %s must hold exactly one automation, this holds %d", id, len(list))
	case list[0].ID != id:
		return part{}, refused("the id of the automation would change from %s to %s; write id: %s into it", id, list[0].ID, id)
	}
	return part{version, text, set}, nil
}

// withdraw drops what people agreed to have removed of automations that the file
// has switched on or paused again.
func (l *Library) withdraw(ctx context.Context) error {
	removals, err := l.store.AutomationRemovals(ctx)
	if err != nil {
		return err
	}
	var back []string
	for _, r := range removals {
		if a := l.file.Set.Find(r.ID); a != nil && a.State != mapping.StateOff {
			back = append(back, r.ID)
		}
	}
	if len(back) == 0 {
		return nil
	}
	n, err := l.store.AutomationChanges(ctx)
	if err != nil {
		return err
	}
	return l.store.EditAutomations(ctx, store.AutomationEdit{Expect: n, Withdrawn: back})
}

// Named is automations whose names are to be compared with what locations have.
type Named struct {
	Sets map[string]*mapping.Set // by the name that messages show
	IDs  []string                // of all automations
}

// Named is all of the file.
func (f *File) Named() Named { return Named{Sets: map[string]*mapping.Set{f.Name: f.Set}} }

// Named lists the live automations whose names of fields and users are to be
// compared with what locations have, each with the name that messages show. Recipes
// that nobody changed are not among them: a location without their fields is simply
// not concerned.
func (l *Library) Named() Named {
	if l.file != nil {
		return l.file.Named()
	}
	now := l.current.Load()
	named := Named{Sets: map[string]*mapping.Set{}, IDs: now.order}
	for _, id := range now.order {
		if r, ok := findRecipe(id); !ok || strings.TrimSpace(r.Text) != strings.TrimSpace(now.parts[id].text) {
			named.Sets["automation "+id] = now.parts[id].set
		}
	}
	return named
}

// Doubts lists what fails whenever the automations run: see mapping.Set.Doubts.
func (n Named) Doubts() (all []mapping.Mistake) {
	for _, name := range slices.Sorted(maps.Keys(n.Sets)) {
		all = append(all, n.Sets[name].Doubts()...)
	}
	return all
}

// Recipe is a ready-made automation.
type Recipe struct {
	ID, Name string
	On       mapping.Trigger
	Default  bool // it is switched on when Milepost starts for the first time
	Text     string
}

// recipes are loaded once: they are part of the program.
var recipes = sync.OnceValue(func() []Recipe {
	f, err := ReadFile("recipes.yaml", mapping.Recipes())
	if err != nil {
		panic(err) // the tests of mapping load them
	}
	list := make([]Recipe, len(f.texts))
	for i, a := range f.Set.Automations() {
		text := strings.TrimRight(f.texts[i], "\n") + "\n\n"
		lead := text[:strings.Index("\n"+text, "\n-")]
		if cut := strings.LastIndex(lead, "\n\n"); cut >= 0 {
			text = text[cut+2:] // what is said above is of the recipes below together
		}
		list[i] = Recipe{ID: a.ID, Name: a.Name, On: a.On, Default: a.State == mapping.StateOn, Text: text}
	}
	return list
})

// Recipes lists the ready-made automations.
func Recipes() []Recipe { return slices.Clone(recipes()) }

func findRecipe(id string) (Recipe, bool) {
	list := recipes()
	i := slices.IndexFunc(list, func(r Recipe) bool { return r.ID == id })
	if i < 0 {
		return Recipe{}, false
	}
	return list[i], true
}
