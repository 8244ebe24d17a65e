package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milepost/internal/store"
)

func TestAChangeOfAutomationsIsAtomicAndOrdered(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		ctx, at := t.Context(), time.UnixMicro(1_800_000_000_000_000).UTC()
		version := func(id string, n int64) store.AutomationVersion {
			return store.AutomationVersion{ID: id, Version: n, Text: id + "\n# größe", By: "dana", Why: "why", At: at}
		}
		first := store.AutomationEdit{
			Automations: []store.Automation{{ID: "b", Position: 2, State: "on", Live: 1}, {ID: "a", Position: 1, State: "off", Live: 1}, {ID: "c", Position: 3, State: "off", Draft: 1}},
			Versions:    []store.AutomationVersion{version("a", 1), version("b", 1), version("c", 1)},
			Agreed:      []store.AutomationRemoval{{ID: "a", By: "dana", At: at}},
		}
		if err := b.EditAutomations(ctx, first); err != nil {
			t.Fatal(err)
		}
		second := store.AutomationEdit{
			Automations: []store.Automation{{ID: "b", Position: 2, State: "on", Live: 2}, {ID: "c", Position: 3, State: "off", Draft: 1, DeletedAt: at}},
			Versions:    []store.AutomationVersion{version("b", 2)},
			Withdrawn:   []string{"a"},
		}
		if err := b.EditAutomations(ctx, second); !errors.Is(err, store.ErrAutomationsChanged) {
			t.Fatalf("a change that was made from an earlier state: %v", err)
		}
		second.Expect = must(b.AutomationChanges(ctx))(t)
		if err := b.EditAutomations(ctx, second); err != nil {
			t.Fatal(err)
		}
		if n := must(b.AutomationChanges(ctx))(t); n != 2 {
			t.Errorf("%d changes", n)
		}
		want := []store.Automation{{ID: "a", Position: 1, State: "off", Live: 1}, {ID: "b", Position: 2, State: "on", Live: 2}, {ID: "c", Position: 3, State: "off", Draft: 1, DeletedAt: at}}
		if diff := cmp.Diff(want, must(b.Automations(ctx))(t)); diff != "" {
			t.Error(diff)
		}
		live := []store.AutomationText{{ID: "a", Version: 1, Text: "a\n# größe"}, {ID: "b", Version: 2, Text: "b\n# größe"}}
		if diff := cmp.Diff(live, must(b.LiveAutomations(ctx))(t)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]store.AutomationVersion{version("b", 2), version("b", 1)}, must(b.AutomationVersions(ctx, "b"))(t)); diff != "" {
			t.Error(diff)
		}
		if removals := must(b.AutomationRemovals(ctx))(t); len(removals) != 0 {
			t.Errorf("still agreed to: %v", removals)
		}
	})
}
