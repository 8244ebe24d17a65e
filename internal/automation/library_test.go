package automation

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"milepost/internal/store"
	"milepost/internal/testenv/testdb"
	"milepost/mapping"
)

// bundle is a library on a store of its own, with a clock that stands still.
type bundle struct {
	*Library
	store *store.Store
	cfg   Config
	log   *bytes.Buffer
}

var dana = By{Who: "dana", Why: "a reason"}

func setup(t *testing.T, file ...string) *bundle {
	t.Helper()
	st, err := store.OpenSQLite(t.Context(), testdb.DataDir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	b := &bundle{store: st, log: &bytes.Buffer{}}
	b.cfg = Config{Store: st, Logger: zerolog.New(b.log), Now: func() time.Time { return time.UnixMicro(1_800_000_000_000_000).UTC() }}
	if len(file) > 0 {
		if b.cfg.File, err = ReadFile("mine.yaml", []byte(file[0])); err != nil {
			t.Fatal(err)
		}
	}
	b.Library = b.again(t)
	return b
}

// again is the library of another process on the same database.
func (b *bundle) again(t *testing.T) *Library {
	t.Helper()
	l, err := Open(t.Context(), b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// only has a database hold one automation.
func (b *bundle) only(t *testing.T, text string) {
	t.Helper()
	must(b.Import(t.Context(), "one.yaml", []byte(text), true, dana))(t)
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

const single = "# Mine\n- id: mine\n  name: \"My own\"\n  on: note.changed\n  do: [note: {}] # the end\n"

func (b *bundle) summary(t *testing.T) string {
	t.Helper()
	var lines []string
	for _, e := range must(b.List(t.Context()))(t) {
		lines = append(lines, fmt.Sprintf("%s %s %d/%d", e.ID, e.State, e.Version, e.Draft))
	}
	return strings.Join(lines, "\n")
}

func TestTheFirstStartSavesTheRecipesThatAreSwitchedOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	recipes, err := mapping.Load("recipes.yaml", mapping.Recipes())
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, a := range recipes.Automations() {
		if a.State == mapping.StateOn {
			want = append(want, fmt.Sprint(a.ID, a.Name, a.On, a.Actions(), 1))
		}
	}
	for _, a := range b.Set().Automations() {
		got = append(got, fmt.Sprint(a.ID, a.Name, a.On, a.Actions(), a.Version))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, a := range b.Set().Automations() {
		must(b.Delete(t.Context(), a.ID, dana))(t)
	}
	if left := b.again(t).Set().Automations(); len(left) != 0 {
		t.Errorf("a second start brought %d deleted recipes back", len(left))
	}
}

func TestWhatIsImportedIsExportedByteForByte(t *testing.T) {
	t.Parallel()
	b := setup(t)
	file := single + "\n# Another, 'quoted'.\n- { name: B,   state: paused, on: task.changed, do: [ task: { title: \"x\" } ] }\n\n# the end"
	changes := must(b.Import(t.Context(), "f.yaml", []byte(file), true, dana))(t)
	if diff := cmp.Diff(file, must(b.Export(t.Context()))(t)); diff != "" {
		t.Error(diff)
	}
	again := must(b.Import(t.Context(), "f.yaml", []byte(file), true, dana))(t)
	for _, c := range again {
		if c.What != "unchanged" {
			t.Errorf("imported again: %+v", c)
		}
	}
	if n := len(changes); n != 2+9 {
		t.Errorf("%d changes: %v", n, changes)
	}
	if got := b.summary(t); got != "mine on 1/0\nb paused 1/0" {
		t.Error(got)
	}
}

func TestAnImportChangesAllOrNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := must(b.Export(t.Context()))(t)
	for name, file := range map[string]string{
		"a mistake":       single + "- { name: Bad, on: note.changed, do: [note: { colour: red }] }\n",
		"a name is taken": single + "- { name: task to CALENDAR task, id: other, on: note.changed, do: [note: {}] }\n",
	} {
		changes, err := b.Import(t.Context(), "f.yaml", []byte(file), false, dana)
		if err == nil {
			t.Errorf("%s: imported: %v", name, changes)
		}
		if diff := cmp.Diff(before, must(b.Export(t.Context()))(t)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAnImportKeepsWhatIsNotInTheFile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.only(t, single+"- { name: Two, on: note.changed, do: [note: {}] }\n")
	must(b.Import(t.Context(), "f.yaml", []byte("- { name: Three, on: note.changed, do: [note: {}] }\n"), false, dana))(t)
	if got := b.summary(t); got != "mine on 1/0\ntwo on 1/0\nthree on 1/0" {
		t.Error(got)
	}
	// A file with all of them gives the order.
	must(b.Import(t.Context(), "f.yaml", []byte("- { name: Three, on: note.changed, do: [note: {}] }\n"+single+"- { name: Two, on: note.changed, do: [note: {}] }\n"), false, dana))(t)
	if got := b.summary(t); got != "three on 1/0\nmine on 1/0\ntwo on 1/0" {
		t.Error(got)
	}
}

func TestSwitchingIsAVersionThatDiffersInOneWord(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	b.only(t, single)
	if c := must(b.SetState(ctx, "mine", mapping.StatePaused, By{Who: "dana"}))(t); c != (Change{"mine", "changed", mapping.StatePaused, 2}) {
		t.Errorf("%+v", c)
	}
	if c := must(b.SetState(ctx, "mine", mapping.StatePaused, dana))(t); c != (Change{"mine", "unchanged", mapping.StatePaused, 2}) {
		t.Errorf("%+v", c)
	}
	if diff := cmp.Diff([]Line{
		{" ", "# Mine"}, {" ", "- id: mine"}, {" ", `  name: "My own"`}, {"+", "  state: paused"}, {" ", "  on: note.changed"}, {" ", "  do: [note: {}] # the end"},
	}, must(b.Diff(ctx, "mine", 1, 2))(t)); diff != "" {
		t.Error(diff)
	}
	if a := b.Set().Find("mine"); a.State != mapping.StatePaused || a.Version != 2 {
		t.Errorf("%+v", a)
	}
}

func TestARestoredVersionLeavesTheSwitchAsItIs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	b.only(t, single)
	must(b.Import(ctx, "f.yaml", []byte(strings.Replace(single, "My own", "Renamed", 1)), false, dana))(t)
	must(b.SetState(ctx, "mine", mapping.StateOff, dana))(t)
	if c := must(b.Restore(ctx, "mine", 1, dana))(t); c != (Change{"mine", "restored", mapping.StateOff, 4}) {
		t.Errorf("%+v", c)
	}
	if a := b.Set().Find("mine"); a.Name != "My own" || a.State != mapping.StateOff {
		t.Errorf("%+v", a)
	}
	must(b.SetState(ctx, "mine", mapping.StateOn, dana))(t)
	must(b.Delete(ctx, "mine", dana))(t)
	if c := must(b.Restore(ctx, "mine", 1, dana))(t); c.State != mapping.StateOff {
		t.Errorf("a deleted automation came back and is %s", c.State)
	}
	if _, err := b.Restore(ctx, "mine", 99, dana); err == nil || !strings.Contains(err.Error(), "it has 1 to 6") {
		t.Errorf("version 99: %v", err)
	}
	if _, err := b.Restore(ctx, "nobody", 1, dana); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown automation: %v", err)
	}
}

func TestADraftIsNotLiveUntilItIsPublished(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	b.only(t, single)
	must(b.SetState(ctx, "mine", mapping.StatePaused, dana))(t)
	must(b.SaveDraft(ctx, strings.Replace(single, "My own", "Drafted", 1), dana))(t)
	must(b.SaveDraft(ctx, "name: Fresh\non: note.changed\ndo: [note: {}]\n", dana))(t)
	if got := b.summary(t); got != "mine paused 2/3\nfresh off 0/1" {
		t.Error(got)
	}
	if a := b.Set().Find("mine"); a.Name != "My own" || b.Set().Find("fresh") != nil {
		t.Errorf("a draft is live: %+v", a)
	}
	if c := must(b.Publish(ctx, "mine", dana))(t); c.State != mapping.StatePaused {
		t.Errorf("publishing switched it: %+v", c)
	}
	must(b.Publish(ctx, "fresh", dana))(t)
	if got := b.summary(t); got != "mine paused 4/0\nfresh on 2/0" || b.Set().Find("mine").Name != "Drafted" {
		t.Error(got)
	}
	must(b.SaveDraft(ctx, single, dana))(t)
	must(b.DiscardDraft(ctx, "mine", dana))(t)
	if got := b.summary(t); got != "mine paused 4/0\nfresh on 2/0" {
		t.Error(got)
	}
}

func TestEveryProcessSeesAnEdit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.again(t)
	must(b.SetState(t.Context(), "task-to-calendar-task", mapping.StateOff, dana))(t)
	if changed := must(other.Watch(t.Context()))(t); !changed || other.Set().Find("task-to-calendar-task").State != mapping.StateOff {
		t.Errorf("changed: %v, %+v", changed, other.Set().Find("task-to-calendar-task"))
	}
	if changed := must(other.Watch(t.Context()))(t); changed {
		t.Error("nothing changed since")
	}
}

func TestEditsAtTheSameTimeAreAllMade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var at sync.WaitGroup
	for i := range 4 {
		l := b.again(t)
		at.Go(func() {
			for {
				_, err := l.Import(t.Context(), "f.yaml", fmt.Appendf(nil, "- { name: N%d, on: note.changed, do: [note: {}] }\n", i), false, dana)
				if !errors.Is(err, store.ErrAutomationsChanged) {
					if err != nil {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	at.Wait()
	for i := range 4 {
		if must(b.Show(t.Context(), fmt.Sprintf("n%d", i)))(t).Version != 1 {
			t.Errorf("n%d is not there", i)
		}
	}
}

func TestAStoredTextThatDoesNotCompileNeverReplacesAGoodOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	b.only(t, single)
	n := must(b.store.AutomationChanges(ctx))(t)
	if err := b.store.EditAutomations(ctx, store.AutomationEdit{
		Expect:      n,
		Automations: []store.Automation{{ID: "mine", Position: 1, State: "on", Live: 2}, {ID: "newer", Position: 2, State: "on", Live: 1}},
		Versions: []store.AutomationVersion{
			{ID: "mine", Version: 2, Text: "- { id: mine, name: M, on: mars.landed, do: [note: {}] }", At: time.Now()},
			{ID: "newer", Version: 1, Text: "- { id: newer, name: N, on: note.changed, do: [teleport: {}] }", At: time.Now()},
		},
	}); err != nil {
		t.Fatal(err)
	}
	must(b.Watch(ctx))(t)
	if a := b.Set().Find("mine"); a == nil || a.Version != 1 || a.On != mapping.NoteChanged {
		t.Errorf("got %+v", a)
	}
	if !strings.Contains(b.log.String(), "newer") || !b.Set().Leaves("newer/1") {
		t.Errorf("what an unusable automation made must stay; log: %s", b.log)
	}
	if got := b.summary(t); got != "mine on 1/0\nnewer on 1/0" {
		t.Error(got)
	}
	if set := b.again(t).Set(); set.Find("mine") != nil || !set.Leaves("mine/1") {
		t.Errorf("at a start: %+v", set.Find("mine"))
	}
}

func TestAFileIsTheOnlySource(t *testing.T) {
	t.Parallel()
	b := setup(t, single)
	ctx := t.Context()
	for what, err := range map[string]error{
		"import":  second(b.Import(ctx, "f.yaml", []byte(single), false, dana)),
		"enable":  second(b.SetState(ctx, "mine", mapping.StateOn, dana)),
		"restore": second(b.Restore(ctx, "mine", 1, dana)),
		"delete":  second(b.Delete(ctx, "mine", dana)),
		"draft":   second(b.SaveDraft(ctx, single, dana)),
		"recipe":  second(b.AddRecipe(ctx, "task-to-calendar-task", mapping.StateOn, dana)),
		"history": second(b.History(ctx, "mine")),
	} {
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := must(b.Export(ctx))(t); got != single {
		t.Error(got)
	}
	if e := must(b.Show(ctx, "mine"))(t); e.Text != single || e.Version != 0 {
		t.Errorf("%+v", e)
	}
}

func second[T any](_ T, err error) error { return err }

func TestARecipeIsAddedSwitchedOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const id = "completed-meeting-completes-the-task"
	must(b.AddRecipe(t.Context(), id, mapping.StateOn, dana))(t)
	if a := b.Set().Find(id); a == nil || a.State != mapping.StateOn {
		t.Errorf("%+v", a)
	}
	if _, err := b.AddRecipe(t.Context(), id, mapping.StateOn, dana); err == nil {
		t.Error("it was added twice")
	}
	if text := must(b.Show(t.Context(), id))(t).Text; !strings.HasPrefix(text, "# The time of a task's meeting has passed.") {
		t.Error(text)
	}
}

func TestAPreviewTakesTheOtherAutomationsOfAFile(t *testing.T) {
	const mine, other = "- id: mine\n  name: Mine\n  on: note.changed\n  state: off\n  do: [note: {}]\n", "- id: other\n  name: Other\n  on: note.changed\n  do: [note: {}]\n"
	b := setup(t, mine+other)
	for range 2 {
		set, err := b.with("mine", mine, 0)
		if err != nil {
			t.Fatal(err)
		}
		if list := set.Automations(); len(list) != 2 || list[0].State != mapping.StateOn || list[1].ID != "other" {
			t.Errorf("got %+v", list)
		}
	}
}
