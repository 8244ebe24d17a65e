package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"milepost/internal/app"
	"milepost/internal/automation"
	"milepost/internal/store"
	"milepost/internal/testenv/testdb"
	"milepost/mapping"
)

func TestAutomationsByCommand(t *testing.T) {
	t.Parallel()
	ctx, cfg := t.Context(), app.Config{DataDir: testdb.DataDir(t)}
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
		return changing{Config: cfg, Why: "too loud"}.switches(ctx, out, "mine", mapping.StatePaused)
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
	if got := said(func(out *bytes.Buffer) error {
		return (&importAutomationsCmd{File: file, Draft: true, changing: changing{Config: cfg}}).imports(ctx, nil, out)
	}); !strings.Contains(got, "draft saved") || !strings.Contains(got, "milepost automations publish") {
		t.Error(got)
	}
	if got := said(func(out *bytes.Buffer) error {
		return (&importAutomationsCmd{File: file, Draft: true, changing: changing{Config: cfg}}).imports(ctx, nil, out)
	}); !strings.Contains(got, "unchanged") {
		t.Errorf("the same draft again: %s", got)
	}
	if got := said(func(out *bytes.Buffer) error {
		return (&showAutomationCmd{ID: "mine", Draft: true, Config: cfg}).show(ctx, out, false)
	}); got != mine {
		t.Errorf("the draft is:\n%s", got)
	}
	if got := said(func(out *bytes.Buffer) error {
		return (&publishDraftCmd{ID: "mine", changing: changing{Config: cfg}}).publish(ctx, out)
	}); !strings.Contains(got, "version 4; it is paused") {
		t.Error(got)
	}
	err = (&discardDraftCmd{ID: "mine", changing: changing{Config: cfg}}).discard(ctx, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "no draft") {
		t.Errorf("discard of what is not there: %v", err)
	}
	cfg.Automations = file
	err = changing{Config: cfg}.switches(ctx, &bytes.Buffer{}, "mine", mapping.StateOff)
	if !errors.Is(err, automation.ErrReadOnly) {
		t.Errorf("a change beside a file: %v", err)
	}
	want := []string{
		"published version 4 of the automation mine", "saved a draft of the automation mine", "switched to paused version 2 of the automation mine",
		"imported version 1 of the automation mine",
	}
	if got := audited(t, cfg); !slices.Equal(got[:len(want)], want) {
		t.Errorf("the audit log is %q, want first %q", got, want)
	}
}

// audited lists what the audit log says that the commands did, newest first.
func audited(t *testing.T, cfg app.Config) (list []string) {
	t.Helper()
	st, err := store.OpenSQLite(t.Context(), cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	entries, err := st.AuditPage(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Who, "command line (") {
			t.Errorf("%q did: %s %s", e.Who, e.What, e.Subject)
		}
		list = append(list, e.What+" "+e.Subject)
	}
	return list
}

func TestAChangeBesideAFileOfTheRunningMilepostSaysSo(t *testing.T) {
	t.Parallel()
	cfg := app.Config{DataDir: testdb.DataDir(t)}
	for _, file := range []string{"/etc/milepost/automations.yaml", ""} {
		err := withState(t.Context(), cfg, func(state *app.State) error {
			if err := state.Store.SetAutomationsFile(t.Context(), file); err != nil {
				return err
			}
			var said bytes.Buffer
			if err := besideFile(t.Context(), state, &said); err != nil || strings.Contains(said.String(), "MILEPOST_AUTOMATIONS=/etc/milepost/automations.yaml.") != (file != "") {
				t.Errorf("beside %q it says %q, %v", file, said.String(), err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingSteersATerminal(t *testing.T) {
	const hostile = "name: a\x1b[31mb\u202ec\u2066\r\n\tgröße 🎉\n"
	if got := forTerminal(hostile); strings.ContainsAny(got, "\x1b\u202e\u2066\r") || !strings.Contains(got, "größe 🎉\n") {
		t.Errorf("%q", got)
	}
}
