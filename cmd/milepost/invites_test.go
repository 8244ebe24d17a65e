package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milepost/internal/app"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

func TestInvitesShowsWhatWaitsAndLetsItGoOnce(t *testing.T) {
	testenv.Long(t)
	dir := testdb.DataDir(t)
	file := filepath.Join(dir, "mine.yaml")
	if err := os.WriteFile(file, []byte("- { id: closing, name: Closing day, on: contact.changed, do: [event: { title: x, start: '{{ contact.closing }}', invite: contact }] }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	openRequests(t, dir)
	cfg := app.Config{DataDir: dir, Automations: file}
	list := func() string {
		var out bytes.Buffer
		if err := (&listInvitesCmd{Config: cfg}).list(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	allow := func(automation string, how consent) string {
		var out bytes.Buffer
		if err := (&allowInvitesCmd{Config: cfg, Automation: automation, consent: how}).allow(t.Context(), &out); err != nil {
			return err.Error()
		}
		return out.String()
	}
	if said := list(); !strings.Contains(said, "closing") || !strings.Contains(said, "loc") || !strings.Contains(said, "2") || !strings.Contains(said, "milepost invites allow closing") {
		t.Errorf("it shows:\n%s", said)
	}
	var report bytes.Buffer
	_ = (&checkCmd{Config: cfg}).report(t.Context(), &report) // no token is set
	if !strings.Contains(report.String(), `warn  invites`) || !strings.Contains(report.String(), `2 open requests of "Closing day" stay with the account's owner`) {
		t.Errorf("check says:\n%s", &report)
	}
	if said := allow("other", consent{Yes: true}); !strings.Contains(said, `no switched-on automation "other"`) {
		t.Errorf("of an automation that is not there it says %q", said)
	}
	if said := allow("closing", consent{DryRun: true}); !strings.Contains(said, "up to 2 people") || !strings.Contains(said, "Nothing was changed.") {
		t.Errorf("a dry run says %q", said)
	}
	if said := allow("Closing day", consent{Yes: true}); !strings.Contains(said, "2 open requests may invite") {
		t.Errorf("it says %q", said)
	}
	if said := list(); said != "No request waits for you to agree.\n" {
		t.Errorf("it still shows:\n%s", said)
	}
}

// openRequests leaves two open requests of the automation closing, both with the owner.
func openRequests(t *testing.T, dir string) {
	t.Helper()
	st, err := store.OpenSQLite(t.Context(), dir)
	if err == nil {
		_, err = st.NewQueue(store.QueueConfig{Logger: slog.New(slog.DiscardHandler)})
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"jane", "john"} {
		if err := st.SaveLink(t.Context(), store.Link{
			Entity: store.Entity{LocationID: "loc", Kind: "contact", ID: id}, Item: "closing/1", ItemKind: "event", State: store.LinkLive,
			ObjectID: id, Invited: "owner", Meeting: "pending", End: time.Now().Add(time.Hour),
		}, time.Now(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAChangeThatInvitesOthersSaysSo(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	dir := testdb.DataDir(t)
	openRequests(t, dir)
	cfg := changing{Config: app.Config{DataDir: dir}}
	imports := func(invite, state string, draft bool) string {
		file := filepath.Join(t.TempDir(), "mine.yaml")
		text := "- { id: closing, name: Closing day, state: " + state + ", on: contact.changed, do: [event: { title: x, start: '{{ contact.closing }}', invite: " + invite + " }] }\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := (&importAutomationsCmd{File: file, Draft: draft, changing: cfg}).imports(t.Context(), nil, &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	const warning = "New requests of closing invite the contact, and CalendarHero mails the invitations.\nIts 2 open requests stay with the account's owner until you run: milepost invites allow closing\n"
	expect := func(said string, want bool) {
		t.Helper()
		if strings.Contains(said, warning) != want {
			t.Errorf("it warns: %t, want %t:\n%s", !want, want, said)
		}
	}
	expect(imports("owner", "on", false), false)
	expect(imports("contact", "on", false), true)
	expect(imports("contact", "on", false), false) // it did so before
	expect(imports("owner", "on", false), false)
	expect(imports("contact", "on", true), false) // a draft
	var out bytes.Buffer
	if err := (&publishDraftCmd{ID: "closing", changing: cfg}).publish(t.Context(), &out); err != nil {
		t.Error(err)
	}
	expect(out.String(), true)
	expect(imports("contact", "off", false), false)
	out.Reset()
	if err := (&enableAutomationCmd{ID: "closing", changing: cfg}).enable(t.Context(), &out, false); err != nil {
		t.Error(err)
	}
	expect(out.String(), true)
	cfg.JSON = true
	imports("owner", "on", false)
	expect(imports("contact", "on", false), false) // it goes to standard error
}
