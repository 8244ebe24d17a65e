package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"milepost/internal/app"
	"milepost/internal/automation"
	"milepost/mapping"
)

func TestAutomationsByCommand(t *testing.T) {
	t.Parallel()
	ctx, cfg := t.Context(), app.Config{DataDir: t.TempDir()}
	file := filepath.Join(t.TempDir(), "mine.yaml")
	const mine = "# Mine\n- id: mine\n  name: Mine\n  on: note.changed\n  do: [note: {}] # the end\n"
	if err := os.WriteFile(file, []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	said := func(do func(out *bytes.Buffer) error) string {
		t.Helper()
		var out bytes.Buffer
		if err := do(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	said(func(out *bytes.Buffer) error {
		return (&importAutomationsCmd{File: file, Replace: true, changing: changing{Config: cfg}}).imports(ctx, nil, out)
	})
	if got := said(func(out *bytes.Buffer) error { return (&exportAutomationsCmd{Config: cfg}).export(ctx, out, false) }); got != mine {
		t.Errorf("exported:\n%s", got)
	}
	if got := said(func(out *bytes.Buffer) error {
		return setState(ctx, out, changing{Config: cfg, Why: "too loud"}, "mine", mapping.StatePaused)
	}); !strings.HasPrefix(got, "mine is paused (version 2).") {
		t.Error(got)
	}
	var list []automation.Entry
	if err := json.Unmarshal([]byte(said(func(out *bytes.Buffer) error {
		return (&listAutomationsCmd{asJSON: asJSON{true}, Config: cfg}).list(ctx, out)
	})), &list); err != nil || len(list) != 1 || list[0].State != mapping.StatePaused || list[0].Version != 2 {
		t.Errorf("%v, %+v", err, list)
	}
	if got := said(func(out *bytes.Buffer) error { return (&historyCmd{ID: "mine", Config: cfg}).list(ctx, out) }); !strings.Contains(got, "too loud") || !strings.Contains(got, "2 live") {
		t.Error(got)
	}
	if got := said(func(out *bytes.Buffer) error {
		return (&diffCmd{ID: "mine", A: 1, B: 2, Config: cfg}).diff(ctx, out, false)
	}); !strings.Contains(got, "+   state: paused\n") {
		t.Error(got)
	}
	err := (&applyAutomationCmd{ID: "mine", Config: cfg, consent: consent{DryRun: true}}).apply(ctx, &bytes.Buffer{}, false)
	if !errors.Is(err, automation.ErrPaused) {
		t.Errorf("apply of a paused one: %v", err)
	}
	err = (&explainCmd{What: "nobody", Config: cfg}).explain(ctx, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "milepost deliveries") {
		t.Errorf("explain of what is not known: %v", err)
	}
	cfg.Automations = file
	err = setState(ctx, &bytes.Buffer{}, changing{Config: cfg}, "mine", mapping.StateOff)
	if !errors.Is(err, automation.ErrReadOnly) {
		t.Errorf("a change beside a file: %v", err)
	}
}

func TestNothingSteersATerminal(t *testing.T) {
	const hostile = "name: a\x1b[31mb\u202ec\u2066\r\n\tgröße 🎉\n"
	if got := forTerminal(hostile); strings.ContainsAny(got, "\x1b\u202e\u2066\r") || !strings.Contains(got, "größe 🎉\n") {
		t.Errorf("%q", got)
	}
}
