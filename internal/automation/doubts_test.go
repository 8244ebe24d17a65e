package automation

import (
	"errors"
	"strings"
	"testing"

	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

const doubtful = "- id: mine\n  name: Mine\n  on: task.changed\n  do:\n    - task: { title: x, due: tomorrow }\n    - tags: { add: seen }\n"

// stored has a database hold an automation that an earlier version of Milepost saved.
func (b *bundle) stored(t *testing.T, text string, state mapping.State) {
	t.Helper()
	n, err := b.store.AutomationChanges(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.EditAutomations(t.Context(), store.AutomationEdit{
		Expect:      n,
		Automations: []store.Automation{{ID: "mine", Position: 1, State: string(state), Live: 1}},
		Versions:    []store.AutomationVersion{{ID: "mine", Version: 1, Text: text, By: "dana"}},
	}); err != nil {
		t.Fatal(err)
	}
}

func TestAStoredAutomationWithAFixedTextThatIsNoDateStaysInUse(t *testing.T) {
	testenv.Long(t)
	b := setup(t)
	b.stored(t, doubtful, mapping.StateOn)
	l := b.again(t)
	if a := l.Set().Find("mine"); a == nil || a.State != mapping.StateOn {
		t.Fatalf("it is not in use any more:\n%s", b.log)
	}
	found := l.Named().Doubts()
	if len(found) != 1 || !strings.HasPrefix(found[0].String(), `automation mine:5: task.due: "tomorrow" is not a date`) {
		t.Errorf("the doubts are %v", found)
	}
	if _, err := l.SetState(t.Context(), "mine", mapping.StatePaused, dana); err != nil {
		t.Errorf("it cannot be paused: %v", err)
	}
	var wrong *mapping.LoadError
	if _, err := l.SetState(t.Context(), "mine", mapping.StateOn, dana); !errors.As(err, &wrong) {
		t.Errorf("switched on with a mistake: %v", err)
	}
	if _, err := l.Save(t.Context(), "mine", doubtful, dana); !errors.As(err, &wrong) {
		t.Errorf("saved with a mistake: %v", err)
	}
	if _, err := l.Save(t.Context(), "mine", strings.Replace(doubtful, "tomorrow", "'{{ task.due }}'", 1), dana); err != nil {
		t.Errorf("cannot be corrected: %v", err)
	}
}

func TestAFileInUseWithAFixedTextThatIsNoDateIsServed(t *testing.T) {
	f, err := ReadUsed("mine.yaml", []byte(doubtful))
	if err != nil {
		t.Fatal(err)
	}
	if found := f.Named().Doubts(); len(found) != 1 {
		t.Errorf("the doubts are %v", found)
	}
}
